//! Recordings as phones and browsers make them: FLAC, MP3, AAC and ALAC in M4A, Opus and Vorbis in Ogg or WebM, AIFF, CAF.
//!
//! They are decoded (by symphonia, Opus by libopus) into a WAV file of floats that has no name and is gone with its
//! reader, so that all who read recordings read these, block by block and in memory that does not grow.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::{get_probe, register_enabled_codecs};
use symphonia_adapter_libopus::OpusDecoder;

use super::reader::ReadFault;

/// Less is how containers round times; more was not recorded, in ms.
const GAP_MS: f64 = 10.0;

/// The same as a WAV file from its beginning.
pub(super) fn decode(path: &Path) -> Result<BufReader<File>, ReadFault> {
    let source = MediaSourceStream::new(Box::new(File::open(path)?), Default::default());
    let mut hint = Hint::new();
    if let Some(extension) = path.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let mut format = get_probe().probe(&hint, source, Default::default(), Default::default()).map_err(fault)?;
    let mut decoded = tempfile::tempfile()?;
    write(&mut *format, decoded.try_clone()?)?;
    std::io::Seek::rewind(&mut decoded)?;
    Ok(BufReader::new(decoded))
}

fn write(format: &mut dyn FormatReader, into: File) -> Result<(), ReadFault> {
    let track = format.default_track(TrackType::Audio).ok_or(ReadFault::NoSamples)?;
    let (id, time_base) = (track.id, track.time_base);
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or(ReadFault::Damaged("it does not say how its sound is coded"))?;
    let mut codecs = CodecRegistry::new();
    register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<OpusDecoder>();
    let mut decoder = codecs.make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(fault)?;
    let mut track: Option<Written> = None;
    let mut into = Some(into);
    let mut samples: Vec<f32> = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // What was cut off is read to where it ends.
            Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => break,
            Err(error) => return Err(fault(error)),
        };
        if packet.track_id != id {
            continue;
        }
        let at_ms = time_base.and_then(|base| base.calc_time(packet.pts)).map(|at| 1000.0 * at.as_secs_f64());
        match decoder.decode(&packet) {
            Ok(sound) => {
                let (rate, channels) = (sound.spec().rate(), sound.spec().channels().count());
                sound.copy_to_vec_interleaved(&mut samples);
                if let Some(into) = into.take() {
                    track = Some(Written::new(into, rate, channels)?);
                }
                if let Some(track) = &mut track {
                    track.add(&samples, rate, channels, at_ms)?;
                }
            }
            // Silence takes its place, where the next packet says when it is.
            Err(Error::DecodeError(_)) => {}
            Err(error) => return Err(fault(error)),
        }
    }
    track.ok_or(ReadFault::NoSamples)?.writer.finalize().map_err(unwritten)
}

/// What has been decoded so far.
struct Written {
    writer: WavWriter<File>,
    rate: u32,
    channels: usize,
    /// When the first sample is by the container's clock, if it says.
    began_ms: Option<f64>,
    frames: u64,
}

impl Written {
    fn new(into: File, rate: u32, channels: usize) -> Result<Self, ReadFault> {
        let spec = WavSpec {
            channels: u16::try_from(channels).map_err(|_| ReadFault::TooManyChannels(channels))?,
            sample_rate: rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let writer = WavWriter::new(into, spec).map_err(unwritten)?;
        Ok(Self { writer, rate, channels, began_ms: None, frames: 0 })
    }

    fn add(&mut self, samples: &[f32], rate: u32, channels: usize, at_ms: Option<f64>) -> Result<(), ReadFault> {
        if (rate, channels) != (self.rate, self.channels) {
            return Err(ReadFault::Damaged("its sampling rate or its channels change in the middle"));
        }
        if samples.is_empty() {
            return Ok(());
        }
        let per_ms = f64::from(rate) / 1000.0;
        let began_ms = match (self.began_ms, at_ms) {
            (None, Some(at_ms)) => *self.began_ms.insert(at_ms - self.frames as f64 / per_ms),
            (began_ms, _) => began_ms.unwrap_or_default(),
        };
        let missing_ms = at_ms.map_or(0.0, |at_ms| at_ms - began_ms - self.frames as f64 / per_ms);
        let silence = if missing_ms > GAP_MS { (missing_ms * per_ms).round() as u64 } else { 0 };
        let silent = std::iter::repeat_n(0.0, silence as usize * channels);
        for sample in silent.chain(samples.iter().copied()) {
            self.writer.write_sample(sample).map_err(unwritten)?;
        }
        self.frames += silence + (samples.len() / channels) as u64;
        Ok(())
    }
}

fn fault(error: Error) -> ReadFault {
    match error {
        Error::IoError(error) => error.into(),
        error => ReadFault::NotDecoded { why: error.to_string() },
    }
}

/// The temporary file could not be written.
fn unwritten(error: hound::Error) -> ReadFault {
    match error {
        hound::Error::IoError(error) => error.into(),
        error => ReadFault::NotDecoded { why: error.to_string() },
    }
}
