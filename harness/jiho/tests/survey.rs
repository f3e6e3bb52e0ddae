//! `jiho signal survey` on paths whose effect is known: what sox, ffmpeg and RNNoise do, and a simulated room.
// Helpers of tests are tests, and say what they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/skip.rs"]
mod skip;

use std::path::Path;
use std::process::Command;

use nnnoiseless::DenoiseState;
use serde_json::Value;
use skip::skip;

/// Exit code, standard output and standard error.
fn jiho(folder: &Path, arguments: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    let output = command.args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A folder with what is to be sent.
fn rendered() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (code, out, error) = jiho(folder.path(), "signal survey --render sent.wav --each 8s");
    assert!(code == 0 && out.contains("74s, beeps: 36"), "{out}{error}");
    folder
}

fn survey(folder: &Path, received: &str) -> Value {
    let (code, out, error) = jiho(folder, &format!("signal survey sent.wav {received} --format json"));
    assert_eq!(code, 0, "{received}: {out}{error}");
    serde_json::from_str(&out).unwrap()
}

fn family<'a>(survey: &'a Value, name: &str) -> &'a Value {
    survey["families"].as_array().unwrap().iter().find(|row| row["family"] == name).unwrap()
}

fn figure(survey: &Value, name: &str, column: &str) -> f64 {
    family(survey, name)[column].as_f64().unwrap_or_else(|| panic!("{name} has no {column}: {survey}"))
}

fn sh(folder: &Path, commands: &str) {
    assert!(Command::new("sh").args(["-ec", commands]).current_dir(folder).status().unwrap().success(), "{commands}");
}

fn has_tools() -> bool {
    let missing = ["sox", "ffmpeg"].into_iter().find(|tool| Command::new(tool).arg("-version").output().is_err());
    if let Some(tool) = missing {
        skip(&format!("{tool} is not installed (scripts/setup --tests installs it)"));
    }
    missing.is_none()
}

const CODED: [&str; 4] = ["voiced", "noise", "voiced_robust", "noise_robust"];
const FFMPEG: &str = "ffmpeg -nostdin -loglevel error -y";

#[test]
fn what_a_path_does_to_sound_is_told_as_it_was_done() {
    if !has_tools() {
        return;
    }
    let folder = rendered();
    let folder = folder.path();
    // Name, how it is made, what it adds to delays in ms, and to the level of coded noise in dB. ffmpeg's noise
    // reduction leaves 25 ms of its window in front.
    let paths = [
        ("softer", "sox sent.wav softer.wav gain -12".to_owned(), 0.0, -12.0),
        ("16000", "sox sent.wav -r 16000 16000.wav pad 2.5".to_owned(), 2500.0, 0.0),
        ("telephone", "sox sent.wav telephone.wav sinc 300-3400".to_owned(), 0.0, -0.4),
        ("afftdn", format!("{FFMPEG} -i sent.wav -af afftdn=nr=12:nf=-40 afftdn.wav"), 25.0, 0.0),
        (
            "opus12",
            format!("{FFMPEG} -i sent.wav -c:a libopus -b:a 12k o.ogg; {FFMPEG} -i o.ogg opus12.wav"),
            0.0,
            -1.8,
        ),
        (
            "opus32",
            format!("{FFMPEG} -i sent.wav -c:a libopus -b:a 32k o.ogg; {FFMPEG} -i o.ogg opus32.wav"),
            0.0,
            -0.9,
        ),
        ("right", "sox sent.wav right.wav remix 0 1v0.5".to_owned(), 0.0, -6.02),
    ];
    for (name, commands, delay_ms, level_db) in paths {
        sh(folder, &commands);
        let survey = survey(folder, &format!("{name}.wav"));
        for coded in CODED {
            assert_eq!(figure(&survey, coded, "heard"), 8.0, "{name}, {coded}");
            let off_ms = figure(&survey, coded, "delay_ms") - delay_ms;
            assert!(off_ms.abs() < 0.1, "{name}, {coded}: off by {off_ms} ms");
            assert!(figure(&survey, coded, "spread_us") < 10.0, "{name}, {coded}");
        }
        let off_db = figure(&survey, "noise", "level_change_db") - level_db;
        assert!(off_db.abs() < 1.0, "{name}: off by {off_db} dB");
        for tones in ["jiho", "bbc"] {
            let row = family(&survey, tones);
            assert!(row["heard"] == 0 && row["recommended"] == false, "{name}: tones are ambiguous: {row}");
        }
        assert!(CODED.iter().any(|coded| survey["recommended"] == *coded), "{name}: {survey}");
    }
}

#[test]
fn a_recording_may_begin_late_run_fast_and_be_upside_down() {
    if !has_tools() {
        return;
    }
    let folder = rendered();
    // The first two families had sounded by then; sox takes 50 ppm of the time away.
    sh(folder.path(), "sox sent.wav late.wav vol -1 trim 20.5 speed 1.00005");
    let survey = survey(folder.path(), "late.wav");
    assert_eq!(figure(&survey, "noise", "expected"), 0.0);
    assert_eq!(figure(&survey, "noise_robust", "heard"), 8.0);
    assert_eq!(figure(&survey, "noise_robust", "inverted"), 8.0);
    assert!(figure(&survey, "noise_robust", "spread_us") < 2.0, "drift is no spread: {survey}");
    assert!((figure(&survey, "noise_robust", "delay_ms") + 20_500.4).abs() < 0.1, "{survey}");
    let remarks = survey["remarks"].to_string();
    for words in ["Not judged", "voiced, noise", "reverses the polarity", "drift -50.0"] {
        assert!(remarks.contains(words), "{words:?} is not in {remarks}");
    }
}

/// RNNoise (Valin 2018), and silence wherever it holds it for less likely than `voice` that somebody speaks.
fn suppressed(from: &Path, to: &Path, voice: f32) {
    let mut sent = hound::WavReader::open(from).unwrap();
    let samples: Vec<f32> = sent.samples::<i16>().map(|sample| f32::from(sample.unwrap())).collect();
    let mut written = hound::WavWriter::create(to, sent.spec()).unwrap();
    let mut suppressor = DenoiseState::new();
    let mut frame = [0.0; DenoiseState::FRAME_SIZE];
    for spoken in samples.chunks_exact(DenoiseState::FRAME_SIZE) {
        let likely = suppressor.process_frame(&mut frame, spoken);
        let gain = if likely < voice { 0.0 } else { 1.0 };
        frame.iter().for_each(|&sample| written.write_sample((gain * sample) as i16).unwrap());
    }
    written.finalize().unwrap();
}

#[test]
fn where_only_speech_passes_coded_noise_is_lost_and_voices_are_recommended() {
    if !has_tools() {
        return;
    }
    let folder = rendered();
    let (noisy, rnnoise) = (folder.path().join("noisy.wav"), folder.path().join("rnnoise.wav"));
    sh(
        folder.path(),
        "sox -R -n -r 48000 -b 16 pink.wav synth 74 pinknoise vol 0.005; sox -m -v 1 sent.wav -v 1 pink.wav noisy.wav",
    );
    suppressed(&noisy, &rnnoise, 0.0);
    let always = survey(folder.path(), "rnnoise.wav");
    for coded in CODED {
        assert_eq!(figure(&always, coded, "heard"), 8.0, "RNNoise damages short sounds, and erases none: {always}");
    }
    suppressed(&noisy, &rnnoise, 0.5);
    let gated = survey(folder.path(), "rnnoise.wav");
    for (coded, heard) in [("voiced", 8.0), ("voiced_robust", 8.0), ("noise", 0.0), ("noise_robust", 0.0)] {
        assert_eq!(figure(&gated, coded, "heard"), heard, "{coded}: {gated}");
    }
    assert_eq!(gated["recommended"], "voiced", "{gated}");
    assert!(gated["reason"].as_str().unwrap().contains("0 of 8 beeps are left, as noise suppression does"), "{gated}");
}

#[test]
fn recordings_without_what_was_sent_measure_nothing_and_say_why() {
    let folder = rendered();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for (name, amplitude) in [("silent.wav", 0.0), ("hum.wav", 8_000.0)] {
        let mut writer = hound::WavWriter::create(folder.path().join(name), spec).unwrap();
        (0..150_000).for_each(|n| writer.write_sample((amplitude * (f64::from(n) * 0.014).sin()) as i16).unwrap());
        writer.finalize().unwrap();
    }
    for (arguments, exit, says) in [
        ("sent.wav silent.wav", 4, "silent.wav is silent"),
        ("sent.wav hum.wav", 4, "hum.wav (peak -12 dBFS) does not hold what was sent"),
        ("hum.wav sent.wav", 2, "hum.wav holds no time signals"),
        ("sent.wav hum.wav --channel 2", 2, "its channels go from 1 to 1"),
        ("sent.wav nowhere.wav", 2, "nowhere.wav"),
        ("sent.wav", 2, "give what was sent and what was received"),
        ("--render sent.wav", 2, "sent.wav exists"),
        ("--render more.wav --each 3s", 2, "every code sounds once"),
    ] {
        let (code, out, error) = jiho(folder.path(), &format!("signal survey {arguments}"));
        assert_eq!(code, exit, "{arguments}: {out}{error}");
        assert!(format!("{out}{error}").contains(says), "{arguments}: {out}{error}");
    }
}

#[test]
fn a_room_is_surveyed_with_every_family_and_its_runs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let room = "run = { duration = \"12s\" }\nmedia.codec.l16 = {}\nlink.default = { delay = \"30ms\" }\n\
                speaker = [{ name = \"ana\" }]\nlistener = [{ name = \"lena\" }]\n";
    std::fs::write(folder.path().join("room.toml"), room).unwrap();
    let (code, out, error) = jiho(folder.path(), "signal survey room.toml --out kept");
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.contains("Recommended: voiced. It is heard as often (12 of 12 beeps)"), "{out}");
    let mut table = csv::Reader::from_path(folder.path().join("kept/survey.csv")).unwrap();
    let rows: Vec<std::collections::BTreeMap<String, String>> = table.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for row in &rows[..4] {
        assert_eq!((&*row["expected"], &*row["heard"]), ("12", "12"), "{row:?}");
        // Both links, the frame of 20 ms, and 40 ms in the jitter buffer; exact on PCM, but for where a period begins.
        let delay_ms: f64 = row["delay_ms"].parse().unwrap();
        assert!((delay_ms - 120.0).abs() <= 10.0, "{row:?}");
        assert!(row["level_change_db"].parse::<f64>().unwrap().abs() < 0.01, "{row:?}");
    }
    assert!(folder.path().join("kept/noise_robust/ear-lena.wav").is_file());
    let (code, _, error) = jiho(folder.path(), "signal survey room.toml --out kept");
    assert!(code == 2 && error.contains("is there already"), "{error}");
}
