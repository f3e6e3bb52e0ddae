//! `jiho analyze` on recordings that jiho did not make, and on files that are none.
// Helpers of tests are tests, and say what they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use skip::skip;

fn jiho(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jiho")).args(arguments).current_dir(folder).output().unwrap()
}

fn render(folder: &Path, code: &str, name: &str) {
    let done = jiho(&["signal", "render", "--code", code, "--duration", "12s", "--out", name], folder);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Exit code, standard output and standard error.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code().unwrap(), text(&output.stdout), error)
}

fn differences(folder: &Path, files: &[&str]) -> Vec<Value> {
    let (code, out, error) = said(&jiho(&[&["analyze", "--format", "json"], files].concat(), folder));
    assert_eq!(code, 0, "{error}");
    serde_json::from_str::<Value>(&out).unwrap()["differences"].as_array().unwrap().clone()
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-version").output().is_ok();
    if !found {
        skip(&format!("{program} is not installed (scripts/setup --tests installs it)"));
    }
    found
}

/// Delays, rates, sample formats, channels and Opus by sox and ffmpeg alone: see scripts/make-analyze-fixtures.
#[test]
fn delays_made_by_sox_and_ffmpeg_are_found_within_a_tenth_of_a_millisecond() {
    if !has("ffmpeg") || !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    render(folder.path(), "5", "sent.wav");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/make-analyze-fixtures");
    let made = Command::new(script).arg("sent.wav").arg("made").current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    let truth = std::fs::read_to_string(folder.path().join("made/truth.csv")).unwrap();
    let mut checked = 0;
    for row in truth.lines().skip(1) {
        let fields: Vec<&str> = row.splitn(5, ',').collect();
        let [file, channel, delay_s, tolerance_s, note] = fields[..] else { panic!("{row}") };
        let file = format!("made/{file}");
        let take = format!("{file}#{channel}");
        let found = differences(folder.path(), &["--against", "sent.wav", &file]);
        let difference = found.iter().find(|d| d["to"] == *take).unwrap_or_else(|| panic!("{take}: nothing found"));
        assert_eq!((&difference["expected"], &difference["heard"]), (&12.into(), &12.into()), "{take}: {note}");
        for figure in ["min_ms", "median_ms", "max_ms"] {
            let error_s = difference[figure].as_f64().unwrap() / 1000.0 - delay_s.parse::<f64>().unwrap();
            assert!(error_s.abs() <= tolerance_s.parse().unwrap(), "{take}, {figure}: off by {error_s} s; {note}");
        }
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} files were made");
}

/// Ben comes 1001 samples of 48 kHz later than ana, 20.854 ms: sox pads before it resamples.
const BEHIND_MS: f64 = 1001.0 / 48.0;

/// Two voices in `ear.wav`, at 44.1 kHz.
fn two_voices(folder: &Path) {
    render(folder, "2", "ana.wav");
    render(folder, "9", "ben.wav");
    let commands = [
        "sox ana.wav -r 44100 a.wav",
        "sox ben.wav -r 44100 b.wav pad 1001s",
        "sox -m -v 0.5 a.wav -v 0.4 b.wav ear.wav",
    ];
    for command in commands {
        assert!(Command::new("sh").args(["-c", command]).current_dir(folder).status().unwrap().success());
    }
}

/// By how much ben comes later in a recording of both, in ms, and how many beeps of both are in it.
fn behind(folder: &Path, recording: &str) -> (f64, u64) {
    let found = differences(folder, &[recording]);
    let [difference] = &found[..] else { panic!("{recording}: {found:?}") };
    assert_eq!((&difference["from_code"], &difference["to_code"]), (&2.into(), &9.into()));
    (difference["median_ms"].as_f64().unwrap(), difference["heard"].as_u64().unwrap())
}

#[test]
fn two_voices_at_one_ear_are_told_apart_and_compared_without_any_clock() {
    if !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    two_voices(folder.path());
    let (behind_ms, _) = behind(folder.path(), "ear.wav");
    assert!((behind_ms - BEHIND_MS).abs() < 0.02, "{behind_ms} ms");
}

#[test]
fn what_phones_and_browsers_record_is_read_as_it_is() {
    if !has("ffmpeg") || !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    two_voices(folder.path());
    let recordings = [
        ("flac.flac", "-c:a flac"),
        ("voice.opus", "-c:a libopus -b:a 32k"),
        ("message.ogg", "-c:a libopus -b:a 24k -ac 1"),
        ("vorbis.ogg", "-c:a libvorbis"),
        ("browser.webm", "-c:a libopus -b:a 48k"),
        ("memo.m4a", "-c:a aac -b:a 96k"),
        ("lossless.m4a", "-c:a alac"),
        ("raw.aac", "-c:a aac -b:a 64k"),
        ("recorder.mp3", "-c:a libmp3lame -b:a 96k"),
        ("without-tag.mp3", "-c:a libmp3lame -b:a 64k -id3v2_version 0 -write_xing 0"),
        ("old.aiff", "-c:a pcm_s16be"),
        ("old.caf", "-c:a pcm_s16le"),
    ];
    for (name, coded) in recordings {
        let arguments = format!("-v error -i ear.wav {coded} {name}");
        let made = Command::new("ffmpeg").args(arguments.split(' ')).current_dir(folder.path()).status().unwrap();
        assert!(made.success(), "{name}");
        let (behind_ms, heard) = behind(folder.path(), name);
        assert_eq!(heard, 12, "{name}");
        assert!((behind_ms - BEHIND_MS).abs() < 0.1, "{name}: {behind_ms} ms");
    }
    // What was cut off is read as far as it goes; what is missing in the middle is silence, and what follows keeps its place.
    let whole = std::fs::read(folder.path().join("voice.opus")).unwrap();
    std::fs::write(folder.path().join("cut.opus"), &whole[..whole.len() * 2 / 3]).unwrap();
    let (behind_ms, heard) = behind(folder.path(), "cut.opus");
    assert!((6..=8).contains(&heard) && (behind_ms - BEHIND_MS).abs() < 0.1, "{heard} beeps, {behind_ms} ms");
    std::fs::write(folder.path().join("damaged.m4a"), b"\0\0\0\x18ftypM4A and then nothing").unwrap();
    let (code, _, error) = said(&jiho(&["analyze", "damaged.m4a"], folder.path()));
    assert!(code == 2 && error.contains("damaged.m4a: ") && error.contains("ffmpeg -i"), "{error}");
}

#[test]
fn files_that_are_no_recordings_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    render(folder.path(), "0", "whole.wav");
    let whole = std::fs::read(folder.path().join("whole.wav")).unwrap();
    write("empty.wav", b"");
    write("header-cut.wav", &whole[..30]);
    write("no-samples.wav", &whole[..44]);
    write("text.wav", b"This is not a sound file, whatever its name may say.");
    for name in ["empty.wav", "header-cut.wav", "no-samples.wav", "text.wav", "nowhere.wav"] {
        let (code, out, error) = said(&jiho(&["analyze", name], folder.path()));
        assert_eq!(code, 2, "{name}: {error}");
        assert!(out.is_empty() && error.contains(name), "{name}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "one message: {error}");
    }
}

#[test]
fn a_truncated_recording_is_read_as_far_as_it_goes_and_said_to_be_truncated() {
    let folder = tempfile::tempdir().unwrap();
    render(folder.path(), "0", "whole.wav");
    let whole = std::fs::read(folder.path().join("whole.wav")).unwrap();
    std::fs::write(folder.path().join("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    let (code, out, _) = said(&jiho(&["analyze", "cut.wav"], folder.path()));
    assert_eq!(code, 0);
    assert!(out.contains("code 0: 6 arrivals") && out.contains("warning"), "{out}");
}

#[test]
fn a_recording_without_a_signal_measures_nothing_and_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for (name, amplitude, says) in
        [("silent.wav", 0.0, "silent"), ("tone.wav", 9_000.0, "no signal found (peak -11 dBFS)")]
    {
        let mut writer = hound::WavWriter::create(folder.path().join(name), spec).unwrap();
        for n in 0..48_000 * 3 {
            writer.write_sample((f64::from(n) * 0.11).sin().mul_add(amplitude, 0.0) as i16).unwrap();
        }
        writer.finalize().unwrap();
        let (code, out, _) = said(&jiho(&["analyze", name], folder.path()));
        assert_eq!(code, 4, "{name}: {out}");
        assert!(out.contains(says), "{name}: {out}");
    }
}
