//! The instrument against the truth: every cell of `jiho verify`, with few beeps.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // helpers of tests are tests

use std::process::Command;

use serde_json::Value;

#[path = "support/skip.rs"]
mod skip;

fn verified(folder: &std::path::Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_jiho"))
        .args(["verify", "--format", "json", "--out"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.code().is_some_and(|code| code == 0 || code == 5), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn no_beep_is_measured_wrong_and_every_cell_meets_its_goal() {
    let folder = tempfile::tempdir().unwrap();
    let verified = verified(folder.path());
    let cells = verified["cells"].as_array().unwrap();
    assert!(cells.len() >= 48, "{} cells", cells.len());
    for cell in cells.iter().chain(verified["alarms"].as_array().unwrap()) {
        if let Some(reason) = cell["not_run"].as_str() {
            skip::skip(reason);
        }
    }
    for cell in cells {
        assert_eq!(cell["missed"].as_array().unwrap().len(), 0, "{cell:#}");
    }
    for alarms in verified["alarms"].as_array().unwrap() {
        assert_eq!(alarms["sure"], 0, "{alarms}");
    }
    let covered = verified["calibration"][0]["actual"][3].as_f64().unwrap();
    assert!((0.93..=0.99).contains(&covered), "of intervals stated at 95 %, {covered:.3} hold the truth");
    let rows = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap().lines().count();
    assert_eq!((rows("verify.csv"), rows("calibration.csv")), (cells.len() + 1, 6));
    assert!(rows("verify.svg") > cells.len());
}
