//! Against recordings and truths that no line of ours takes part in making: scripts/signals.py implements
//! docs/signals.md a second time, scripts/make-truth makes fixtures with it and with outside tools.
// Helpers of tests are tests, and say what they skip.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Rate;
use serde_json::Value;
use skip::skip;

type Row = BTreeMap<String, String>;

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts").join(name)
}

/// Whether Python has numpy and scipy, and the other tools are there.
fn has_tools() -> bool {
    let numeric = Command::new("python3").args(["-c", "import numpy, scipy"]).output();
    let mut missing: Vec<&str> = ["sox", "ffmpeg", "espeak-ng"]
        .into_iter()
        .filter(|tool| Command::new(tool).arg("--version").output().is_err())
        .collect();
    if !numeric.is_ok_and(|output| output.status.success()) {
        missing.push("python3 with numpy and scipy");
    }
    if !missing.is_empty() {
        skip(&format!("missing: {} (scripts/setup --tests installs it)", missing.join(", ")));
    }
    missing.is_empty()
}

/// Makes fixtures; gives their truth.
fn fixtures(kind: &str, folder: &Path) -> Vec<Row> {
    let made = Command::new(script("make-truth")).arg(kind).arg(folder).status().unwrap();
    assert!(made.success());
    csv::Reader::from_path(folder.join("truth.csv")).unwrap().deserialize().map(Result::unwrap).collect()
}

/// Exit code, and what it said as JSON.
fn jiho(folder: &Path, arguments: &str) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    let output = command.args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments}: {error}"));
    (output.status.code().unwrap(), json)
}

#[test]
fn a_beep_made_from_the_page_alone_is_our_beep() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("beep.f64");
    for (family, code, hz, offset) in [
        (Family::Voiced, 0, 48_000, 0.0),
        (Family::Voiced, 63, 44_100, 0.75),
        (Family::Voiced, 7, 8_000, 0.25),
        (Family::VoicedRobust, 31, 48_000, 0.5),
        (Family::Noise, 0, 48_000, 0.0),
        (Family::Noise, 63, 16_000, 0.375),
        (Family::NoiseRobust, 17, 96_000, 0.875),
    ] {
        let arguments = [family.name().to_owned(), code.to_string(), hz.to_string(), offset.to_string()];
        let made = Command::new("python3").arg(script("signals.py")).args(&arguments).arg(&out).status().unwrap();
        assert!(made.success());
        let bytes = std::fs::read(&out).unwrap();
        let theirs: Vec<f64> =
            bytes.chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap())).collect();
        let mut ours = vec![0.0; theirs.len()];
        let rate = Rate(hz);
        Waveform::new(family, Code::new(code).unwrap()).add(offset / rate.hz(), rate, &mut ours);
        let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|x| x * x).sum::<f64>();
        let off = power(&mut theirs.iter().zip(&ours).map(|(a, b)| a - f64::from(*b)));
        let off_db = 10.0 * (off / power(&mut theirs.iter().copied())).log10();
        assert!(off_db < -100.0, "{family}, code {code} at {hz} Hz: {off_db} dB");
    }
}

#[test]
fn delays_of_signals_made_without_us_are_found_within_a_tenth_of_a_millisecond() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let truth = fixtures("signals", folder.path());
    assert!(truth.len() >= 20, "only {} rows", truth.len());
    for row in truth {
        let (file, against, family, code) = (&row["file"], &row["against"], &row["family"], &row["code"]);
        let arguments = format!("analyze --format json --family {family} --codes {code} --against {against} {file}");
        let (exit, found) = jiho(folder.path(), &arguments);
        let take = format!("{file}#1");
        let difference = found["differences"].as_array().unwrap().iter().find(|d| d["to"] == *take);
        let difference = difference.unwrap_or_else(|| panic!("{file}: nothing found: {found}"));
        assert_eq!((exit, difference["heard"].to_string()), (0, row["beeps"].clone()), "{file}: {}", row["note"]);
        for figure in ["min_ms", "median_ms", "max_ms"] {
            let error_s = difference[figure].as_f64().unwrap() / 1000.0 - row["delay_s"].parse::<f64>().unwrap();
            let tolerance_s: f64 = row["tolerance_s"].parse().unwrap();
            assert!(error_s.abs() <= tolerance_s, "{file}, code {code}, {figure}: off by {error_s} s; {}", row["note"]);
        }
    }
}

#[test]
fn lags_of_speech_are_found_and_none_is_made_up() {
    if !has_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for row in fixtures("speech", folder.path()) {
        let (a, b, note) = (&row["a"], &row["b"], &row["note"]);
        let (exit, found) = jiho(folder.path(), &format!("align --format json {a} {b}"));
        let expected = BTreeMap::from([("yes", 0), ("several", 3), ("no", 4)])[row["common"].as_str()];
        assert_eq!(exit, expected, "{a}, {b}: {note}: {found}");
        let lags = row["lag_s"].split_whitespace().map(|lag| lag.parse::<f64>().unwrap());
        let Some(found) = found["lags"].get(0) else { continue };
        let error_s = lags.map(|lag| (found["lag_ms"].as_f64().unwrap() / 1000.0 - lag).abs()).min_by(f64::total_cmp);
        let tolerance_s: f64 = row["tolerance_s"].parse().unwrap();
        assert!(error_s.unwrap() <= tolerance_s, "{a}, {b}: off by {error_s:?} s; {note}");
    }
}
