//! `jiho align` on pairs of recordings that sox and ffmpeg made, without any signal of ours.
// Helpers of tests are tests, and say what they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs shell commands, one a line, in a folder.
fn made(folder: &Path, commands: &str) {
    for command in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let done = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Exit code, standard output and standard error of `jiho align`.
fn align(folder: &Path, arguments: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    let done = command.arg("align").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let error = text(&done.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (done.status.code().unwrap(), text(&done.stdout), error)
}

fn found(folder: &Path, arguments: &str) -> Value {
    let (code, out, error) = align(folder, &format!("{arguments} --format json"));
    assert_eq!(code, 0, "{arguments}: {out}{error}");
    serde_json::from_str(&out).unwrap()
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is not installed (scripts/setup --tests installs it)");
    }
    found
}

/// Speech if there is a synthesiser, else noise with a voice's spectrum: at 48 kHz, 20 seconds.
fn source(folder: &Path) {
    let text = "The time signal at the third stroke will be four twenty one and ten seconds precisely. \
                Whoever was promoted from the audience to the stage met a silence of a second and a half. ";
    let spoken = Command::new("espeak-ng").args(["-w", "voice.wav", &text.repeat(3)]).current_dir(folder).status();
    if spoken.is_ok_and(|status| status.success()) {
        made(folder, "sox -V1 -R voice.wav -b 24 -r 48000 source.wav rate -v 48000 pad 1 20 trim 0 20");
    } else {
        made(folder, "sox -V1 -R -n -b 24 -r 48000 source.wav synth 20 pinknoise vol 0.3 highpass 100");
    }
}

#[test]
fn lags_between_samples_levels_polarities_and_rates_are_found_to_a_microsecond() {
    if !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    source(folder.path());
    // Padding at 480 kHz delays by tenths of a sample; sox removes its resamplers' own delay.
    made(
        folder.path(),
        "sox -V1 -R source.wav -b 24 half.wav rate -v 480000 pad 12345s rate -v 48000
         sox -V1 -R source.wav -b 24 slow.wav rate -v 44100 pad 1001s
         sox -V1 -R source.wav -b 16 early.wav trim 2.5 8 vol -0.3
         sox -V1 -R source.wav -b 24 narrow.wav rate -v 16000 pad 800s
         sox -V1 -R source.wav -b 24 stereo.wav remix 0 1 pad 480s",
    );
    let cases = [
        ("half.wav", 12_345.0 / 480.0, false),
        ("slow.wav", 1001.0 / 44.1, false),
        ("early.wav", -2500.0, true),
        ("narrow.wav", 50.0, false),
        ("stereo.wav --channel 1,2", 10.0, false),
    ];
    for (file, truth_ms, inverted) in cases {
        let found = found(folder.path(), &format!("source.wav {file}"));
        let lag = &found["lags"][0];
        let error_ms = lag["lag_ms"].as_f64().unwrap() - truth_ms;
        assert!(error_ms.abs() < 0.001, "{file}: off by {error_ms} ms: {found:#}");
        assert_eq!(lag["inverted"], inverted, "{file}");
        assert!(lag["drift_ppm"].as_f64().unwrap().abs() < 0.1, "{file}: {found:#}");
    }
}

#[test]
fn opus_and_noise_leave_the_lag_where_it_was() {
    if !has("sox") || !has("ffmpeg") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    source(folder.path());
    made(
        folder.path(),
        "sox -V1 -R source.wav -b 16 late.wav pad 15000s
         ffmpeg -nostdin -loglevel error -i late.wav -c:a libopus -b:a 24k -application voip late.ogg
         ffmpeg -nostdin -loglevel error -i late.ogg -c:a pcm_s16le coded.wav
         sox -V1 -R -n -b 16 -r 48000 hiss.wav synth 20 whitenoise vol 0.03
         sox -V1 -R -m -v 1 late.wav -v 1 hiss.wav noisy.wav",
    );
    for (file, within_ms) in [("coded.wav", 0.05), ("noisy.wav", 0.005)] {
        let found = found(folder.path(), &format!("source.wav {file}"));
        let error_ms = found["lags"][0]["lag_ms"].as_f64().unwrap() - 312.5;
        assert!(error_ms.abs() < within_ms, "{file}: off by {error_ms} ms: {found:#}");
    }
}

#[test]
fn a_clock_that_is_fast_is_told_by_its_drift() {
    if !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    source(folder.path());
    // Played faster by 50 ppm, so that it comes ever earlier.
    made(folder.path(), "sox -V1 -R source.wav -b 24 fast.wav speed 1.00005");
    let found = found(folder.path(), "source.wav fast.wav");
    let ppm = found["lags"][0]["drift_ppm"].as_f64().unwrap();
    assert!((ppm - (1.0 / 1.00005 - 1.0) * 1e6).abs() < 0.2, "{found:#}");
    let (_, out, _) = align(folder.path(), "source.wav fast.wav");
    assert!(out.contains("comes") && out.contains("ppm") && out.contains("their middle"), "{out}");
}

#[test]
fn an_echo_as_loud_as_its_source_is_inconclusive_and_both_lags_are_given() {
    if !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    source(folder.path());
    made(
        folder.path(),
        "sox -V1 -R source.wav -b 24 twice.wav pad 9600s
         sox -V1 -R -m -v 0.5 source.wav -v 0.48 twice.wav -b 24 both.wav",
    );
    let (code, out, _) = align(folder.path(), "source.wav both.wav --format json");
    assert_eq!(code, 3, "{out}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["ambiguous"], true);
    let lags: Vec<f64> = found["lags"].as_array().unwrap().iter().map(|lag| lag["lag_ms"].as_f64().unwrap()).collect();
    assert!(lags.iter().any(|lag| lag.abs() < 0.01) && lags.iter().any(|lag| (lag - 200.0).abs() < 0.01), "{lags:?}");
    let (_, out, _) = align(folder.path(), "source.wav both.wav");
    assert!(out.contains("Ambiguous") && out.contains("Other plausible lags"), "{out}");
}

#[test]
fn recordings_with_nothing_in_common_measure_nothing_and_say_what_to_try() {
    if !has("sox") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    source(folder.path());
    made(
        folder.path(),
        "sox -V1 -R -n -b 16 -r 48000 other.wav synth 20 pinknoise vol 0.3
         sox -V1 -D -n -b 16 -r 48000 silent.wav trim 0 5",
    );
    for (file, says) in [("other.wav", "Try: "), ("silent.wav", "is silent"), ("other.wav --max-lag 1s", "--max-lag")] {
        let (code, out, error) = align(folder.path(), &format!("source.wav {file}"));
        assert_eq!((code, error.as_str()), (4, ""), "{out}");
        assert!(out.contains(says), "{file}: {out}");
    }
}

#[test]
fn what_cannot_be_compared_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(folder.path().join("one.wav"), spec).unwrap();
    (0..100i16).for_each(|n| writer.write_sample(n).unwrap());
    writer.finalize().unwrap();
    std::fs::write(folder.path().join("text.wav"), "no sound").unwrap();
    let wrong = [
        ("one.wav nowhere.wav", "nowhere.wav"),
        ("one.wav text.wav", "text.wav"),
        ("one.wav one.wav --channel 2", "from 1 to 1"),
        ("one.wav one.wav --channel 1,1,1", "--channel"),
        ("one.wav one.wav --max-lag 3", "unit"),
    ];
    for (arguments, says) in wrong {
        let (code, out, error) = align(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments}: {error}");
        assert!(error.contains(says), "{arguments}: {error}");
    }
    assert_eq!(align(folder.path(), "one.wav one.wav").0, 4, "too short");
}
