use std::fs::OpenOptions;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use jiho_analysis::units::Rate;
use proptest::prelude::*;

use super::*;

/// A ramp over the whole range, different in every channel, as 32-bit integers.
fn ramp(frames: i32, channels: i32) -> Vec<i32> {
    (0..frames)
        .flat_map(|frame| (0..channels).map(move |channel| (frame + channel) % frames))
        .map(|step| (i64::from(i32::MIN) + i64::from(step) * (u32::MAX as i64 / i64::from(frames))) as i32)
        .collect()
}

fn spec(bits: u16, channels: u16, rate: u32) -> WavSpec {
    WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: SampleFormat::Int }
}

fn written_by_hound(spec: WavSpec, samples: &[i32]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for &sample in samples {
        match spec.sample_format {
            SampleFormat::Int => writer.write_sample(sample >> (32 - spec.bits_per_sample)).unwrap(),
            SampleFormat::Float => writer.write_sample(sample as f32 / 2_147_483_648.0).unwrap(),
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn read_bytes(bytes: &[u8]) -> Result<Recording, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    std::fs::write(&path, bytes).unwrap();
    read(&path)
}

/// A WAV file from its `fmt ` chunk and its data, with the lengths that the caller wants.
fn assembled(riff_len: u32, format: &[u8], data_len: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(riff_len.to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend((format.len() as u32).to_le_bytes());
    bytes.extend(format);
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    bytes.extend(data);
    bytes
}

fn format(tag: u16, channels: u16, rate: u32, container: u16) -> Vec<u8> {
    let frame = container * channels;
    let mut bytes = tag.to_le_bytes().to_vec();
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(frame)).to_le_bytes());
    bytes.extend(frame.to_le_bytes());
    bytes.extend((container * 8).to_le_bytes());
    bytes
}

#[test]
fn every_usual_format_is_read_to_its_own_precision() {
    let float = WavSpec { sample_format: SampleFormat::Float, ..spec(32, 2, 96_000) };
    let specs = [
        spec(8, 1, 8_000),
        spec(16, 1, 48_000),
        spec(16, 6, 44_100),
        spec(24, 1, 48_000),
        spec(24, 2, 44_100),
        spec(32, 3, 192_000),
        float,
        WavSpec { channels: 1, ..float },
    ];
    for spec in specs {
        let samples = ramp(70_001, i32::from(spec.channels));
        let recording = read_bytes(&written_by_hound(spec, &samples)).unwrap();
        assert_eq!((recording.rate, recording.truncated), (Rate(spec.sample_rate), None));
        assert_eq!(recording.channels.len(), usize::from(spec.channels));
        let step = 2.0_f64.powi(1 - i32::from(spec.bits_per_sample.min(24)));
        for (index, &sample) in samples.iter().enumerate() {
            let (frame, channel) = (index / recording.channels.len(), index % recording.channels.len());
            let error = f64::from(recording.channels[channel][frame]) - f64::from(sample) / 2_147_483_648.0;
            assert!(error.abs() <= step, "{spec:?} sample {index}: {error}");
        }
    }
}

#[test]
fn a_reader_gives_the_file_in_blocks() {
    let samples = ramp(100_000, 2);
    let bytes = written_by_hound(spec(16, 2, 48_000), &samples);
    let mut reader = Reader::new(Cursor::new(&bytes), Path::new("x.wav")).unwrap();
    assert_eq!((reader.frames(), reader.channels()), (100_000, 2));
    let (mut block, mut frames, mut blocks) = (Vec::new(), 0, 0);
    loop {
        let count = reader.next_block(&mut block).unwrap();
        assert!(block.iter().all(|channel| channel.len() == count));
        if count == 0 {
            break;
        }
        assert_eq!(block[1][0], (samples[2 * frames + 1] >> 16) as f32 / 32_768.0);
        frames += count;
        blocks += 1;
    }
    assert_eq!(frames, 100_000);
    assert!(blocks > 1);
}

#[test]
fn chunks_that_say_nothing_to_us_are_skipped_with_their_padding() {
    let mut bytes = assembled(0, &format(1, 1, 8_000, 2), 4, &[1, 0, 2, 0]);
    bytes.splice(12..12, *b"LIST\x03\0\0\0abc\0");
    bytes.extend(b"id3 \x04\0\0\0tail");
    let recording = read_bytes(&bytes).unwrap();
    assert_eq!(recording.channels, [[1.0 / 32_768.0, 2.0 / 32_768.0]]);
    assert_eq!(recording.truncated, None);
}

#[test]
fn a_header_that_promises_more_than_there_is_is_noted() {
    let recording = read_bytes(&assembled(1036, &format(1, 2, 8_000, 2), 1000, &[0; 11])).unwrap();
    assert_eq!(recording.channels, [[0.0; 2]; 2]);
    assert_eq!(recording.truncated, Some(Truncated::Short { promised: 250, found: 2 }));
}

#[test]
fn a_header_without_length_is_noted() {
    for (riff_len, data_len) in [(u32::MAX, u32::MAX), (0, 0), (0, u32::MAX)] {
        let recording = read_bytes(&assembled(riff_len, &format(3, 1, 8_000, 4), data_len, &[0; 40])).unwrap();
        assert_eq!(recording.channels, [[0.0; 10]]);
        assert_eq!(recording.truncated, Some(Truncated::NoLength { found: 10 }));
    }
}

#[test]
fn the_length_of_a_file_beyond_four_gigabytes_stands_in_its_ds64_chunk() {
    let mut bytes = assembled(u32::MAX, &format(1, 1, 8_000, 2), u32::MAX, &[1, 0, 2, 0]);
    bytes.extend(b"LIST\x04\0\0\0tail");
    bytes[..4].copy_from_slice(b"RF64");
    let mut sizes = b"ds64\x1c\0\0\0".to_vec();
    sizes.extend([0; 8]);
    sizes.extend(4_u64.to_le_bytes());
    sizes.extend([0; 12]);
    bytes.splice(12..12, sizes);
    let recording = read_bytes(&bytes).unwrap();
    assert_eq!(recording.channels, [[1.0 / 32_768.0, 2.0 / 32_768.0]]);
    assert_eq!(recording.truncated, None);
}

#[test]
fn what_is_no_sound_is_refused_by_name_and_mend() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "is empty"),
        (b"RIF", "is not a WAV file; convert it with: ffmpeg -i '"),
        (b"RIFF\0\0", "ends within its header"),
        (b"# A page of text", "is not a WAV file"),
        (b"OggS\0\x02abcdefgh", "cannot be "),
        (b"RIFF\x10\0\0\0AVI LIST", "is not a WAV file"),
        (&assembled(36, &format(1, 1, 8_000, 2), 0, &[]), "holds no samples"),
        (&assembled(48, &format(3, 1, 8_000, 8), 8, &[0; 8]), "holds 64-bit float samples"),
        (&assembled(40, &format(6, 1, 8_000, 1), 4, &[0; 4]), "holds A-law samples"),
        (&assembled(40, &format(1, 0, 8_000, 2), 4, &[0; 4]), "no channels"),
        (&assembled(40, &format(1, 1, 0, 2), 4, &[0; 4]), "0 Hz"),
        (&assembled(44, &format(1, 1, 8_000, 8), 8, &[0; 8]), "holds 64-bit integer samples"),
    ];
    for (bytes, expected) in cases {
        let error = read_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains("x.wav: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = read(Path::new("/nowhere/ear-lena.wav")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/ear-lena.wav: cannot be read: "), "{error}");
}

#[test]
fn a_file_cut_at_any_byte_is_read_as_far_as_it_goes_or_refused() {
    for spec in [spec(16, 2, 48_000), spec(24, 3, 44_100)] {
        let whole = written_by_hound(spec, &ramp(20, i32::from(spec.channels)));
        let frame = usize::from(spec.channels * spec.bits_per_sample / 8);
        let data_start = whole.len() - 20 * frame;
        for length in 0..whole.len() {
            let read = Reader::new(Cursor::new(&whole[..length]), Path::new("cut.wav"));
            let frames = length.saturating_sub(data_start) / frame;
            match read {
                Ok(mut reader) => {
                    assert_eq!(reader.truncated(), Some(Truncated::Short { promised: 20, found: frames as u64 }));
                    assert_eq!(reader.next_block(&mut Vec::new()).unwrap(), frames);
                }
                Err(_) => assert_eq!(frames, 0, "{length} bytes"),
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        start in 0..4_usize,
        noise in prop::collection::vec(any::<u8>(), 0..300),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let starts: [Vec<u8>; 4] = [
            Vec::new(),
            b"RIFF\0\0\0\0WAVE".to_vec(),
            written_by_hound(spec(16, 1, 48_000), &ramp(30, 1)),
            written_by_hound(spec(24, 2, 48_000), &ramp(30, 2)),
        ];
        let mut bytes = starts[start].clone();
        bytes.extend(noise);
        for (at, byte) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Ok(mut reader) = Reader::new(Cursor::new(&bytes), Path::new("noise.wav")) {
            let (mut block, mut frames) = (Vec::new(), 0);
            loop {
                let count = reader.next_block(&mut block).unwrap();
                if count == 0 { break; }
                frames += count as u64;
                prop_assert!(block.iter().flatten().all(|sample| sample.is_finite()));
            }
            prop_assert_eq!(frames, reader.frames());
        }
    }
}

fn recording_in(folder: &Path) -> PathBuf {
    folder.join("ear-lena.wav")
}

#[test]
fn what_is_recorded_is_what_is_read_and_clips_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording_in(folder.path());
    let mut recorder = Recorder::create(&path, Rate(48_000)).unwrap();
    recorder.write(&[0.0, 0.25, -0.25, 1.0, -1.0]).unwrap();
    recorder.write(&[1.5, -7.0, f32::NAN]).unwrap();
    assert_eq!(recorder.finish().unwrap(), Recorded { samples: 8, clipped: 3 });
    let top = 32_767.0 / 32_768.0;
    assert_eq!(read(&path).unwrap().channels, [[0.0, 0.25, -0.25, top, -1.0, top, -1.0, 0.0]]);
    let by_hound: Vec<i16> = WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect();
    assert_eq!(by_hound, [0, 8192, -8192, 32_767, -32_768, 32_767, -32_768, 0]);
}

#[test]
fn after_a_crash_all_but_the_last_half_second_opens_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording_in(folder.path());
    let mut recorder = Recorder::create(&path, Rate(48_000)).unwrap();
    for period in 0..500 {
        recorder.write(&[period as f32 / 500.0; 480]).unwrap();
        if period % 50 == 7 {
            let by_hound = WavReader::open(&path).unwrap();
            assert!(by_hound.duration() + 24_000 >= (period + 1) * 480, "after period {period}");
        }
    }
    // Neither the header nor the buffer is seen to, as after SIGKILL.
    std::mem::forget(recorder);

    let by_hound: Vec<i16> = WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect();
    assert!(by_hound.len() > 240_000 - 24_000);
    let expected = |index: usize| ((index / 480) as f32 / 500.0 * 32_768.0).round() as i16;
    assert!(by_hound.iter().enumerate().all(|(index, &sample)| sample == expected(index)));
    assert_eq!(read(&path).unwrap().channels[0].len(), by_hound.len());

    if let Ok(sox) = Command::new("sox").args(["--i", "-s"]).arg(&path).output() {
        assert_eq!(String::from_utf8_lossy(&sox.stdout).trim(), by_hound.len().to_string());
    }
    let ffprobe = ["-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0"];
    if let Ok(ffprobe) = Command::new("ffprobe").args(ffprobe).arg(&path).output() {
        assert_eq!(String::from_utf8_lossy(&ffprobe.stdout).trim(), by_hound.len().to_string());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let error = Recorder::create(Path::new("/dev/full"), Rate(48_000)).err().unwrap();
    assert!(matches!(error, RecordError::DiskFull { .. }), "{error}");
    assert!(error.to_string().starts_with("/dev/full: the disk is full; 0.0 s were kept"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let error = Recorder::create(Path::new("/nowhere/ear.wav"), Rate(48_000)).err().unwrap().to_string();
    assert!(error.starts_with("/nowhere/ear.wav: cannot be created: "), "{error}");
}

/// Two frames of 16-bit zeros.
fn two_frames(channels: u16, rate: u32) -> Vec<u8> {
    let data = vec![0; 4 * usize::from(channels)];
    assembled(1_000, &format(1, channels, rate, 2), data.len() as u32, &data)
}

#[test]
fn a_sampling_rate_at_which_nothing_can_be_heard_is_refused_with_a_mend() {
    for rate in [1, 251, 300, 7_999, 384_001, 500_000_000] {
        let error = read_bytes(&two_frames(1, rate)).unwrap_err();
        assert!(matches!(error.fault, ReadFault::RateOutOfRange(Rate(found)) if found == rate), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("x.wav: has a sampling rate of "), "{message}");
        assert!(message.contains(&format!("{rate} Hz; from 8000 to 384000 Hz are read")), "{message}");
        assert!(message.contains("-ar 48000"), "{message}");
    }
    for rate in [8_000, 384_000] {
        assert_eq!(read_bytes(&two_frames(1, rate)).unwrap().rate, Rate(rate));
    }
}

#[test]
fn more_channels_than_any_recorder_has_are_refused_with_a_mend() {
    assert_eq!(read_bytes(&two_frames(64, 48_000)).unwrap().channels.len(), 64);
    let error = read_bytes(&two_frames(65, 48_000)).unwrap_err();
    assert!(matches!(error.fault, ReadFault::TooManyChannels(65)), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("x.wav: has 65 channels; up to 64 are read; take out the channel"), "{message}");
}

/// Gives a few bytes at a time, as pipes do.
struct Pipe<'a>(&'a [u8], usize);

impl io::Read for Pipe<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.1);
        self.0.read(&mut bytes[..count])
    }
}

fn all_of(mut reader: Reader<impl io::Read>) -> Vec<Vec<f32>> {
    let (mut block, mut channels) = (Vec::new(), vec![Vec::new(); reader.channels()]);
    while reader.next_block(&mut block).unwrap() > 0 {
        for (channel, samples) in channels.iter_mut().zip(&block) {
            channel.extend_from_slice(samples);
        }
    }
    channels
}

#[test]
fn a_pipe_gives_what_the_file_would_however_it_is_cut() {
    let file = written_by_hound(spec(24, 3, 48_000), &ramp(500, 3));
    let whole = read_bytes(&file).unwrap().channels;
    for at_once in [1, 7, 9, 1000] {
        assert_eq!(all_of(Reader::piped(Pipe(&file, at_once), Path::new("-")).unwrap()), whole, "{at_once}");
    }
}

#[test]
fn a_pipe_ends_where_its_header_says_so_and_else_with_its_last_whole_frame() {
    let data = [1, 0, 2, 0, 3, 0, 4, 0, 5];
    let frames = |promised: u32| {
        let file = assembled(u32::MAX, &format(1, 1, 48_000, 2), promised, &data);
        all_of(Reader::piped(Pipe(&file, 3), Path::new("-")).unwrap())[0].len()
    };
    assert_eq!(frames(4), 2, "what follows the samples is none");
    for unknown in [u32::MAX, 0, 1_000_000] {
        assert_eq!(frames(unknown), 4, "{unknown}");
    }
}

#[test]
fn a_growing_file_is_read_to_its_last_sample_whatever_its_header_said_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    let file = written_by_hound(spec(16, 1, 48_000), &ramp(1000, 1));
    // Its header promises 1000 samples, and 300 more come; at first not even the header is complete.
    let rest: Vec<u8> = file[30..].iter().chain(&[7; 600]).copied().collect();
    std::fs::write(&path, &file[..30]).unwrap();
    let mut parts = rest.chunks(333);
    let growing = {
        let path = path.clone();
        move || {
            let Some(part) = parts.next() else { return true };
            OpenOptions::new().append(true).open(&path).unwrap().write_all(part).unwrap();
            false
        }
    };
    let patience = Duration::from_secs(600);
    let samples = all_of(Reader::growing(Growing::open(&path, patience, growing).unwrap(), &path).unwrap());
    let before = read_bytes(&file).unwrap().channels;
    assert_eq!((&samples[0][..1000], samples[0].len()), (&before[0][..], 1300));
}

#[test]
fn a_file_that_does_not_grow_ends_when_patience_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording_in(folder.path());
    std::fs::write(&path, written_by_hound(spec(16, 1, 48_000), &ramp(10, 1))).unwrap();
    let growing = Growing::open(&path, Duration::ZERO, || false).unwrap();
    assert_eq!(all_of(Reader::growing(growing, &path).unwrap())[0].len(), 10);
}
