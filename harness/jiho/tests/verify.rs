//! The instrument against the truth: every cell of `jiho verify`, with few beeps.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::process::Command;

use serde_json::Value;

fn figures() -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_jiho")).args(["verify", "--format", "json"]).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code == 0 || code == 5), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().clone()
}

#[test]
fn no_beep_is_measured_wrong_and_every_cell_meets_its_goal() {
    let figures = figures();
    assert!(figures.len() >= 28, "{} cells", figures.len());
    let mut covered = 0.0;
    let mut heard = 0.0;
    for cell in &figures {
        assert_eq!((&cell["wrong"], &cell["strangers"]), (&0.into(), &0.into()), "{cell}");
        assert_eq!(cell["passed"], true, "{cell}");
        covered += cell["covered"].as_f64().unwrap() * cell["heard"].as_f64().unwrap();
        heard += cell["heard"].as_f64().unwrap();
    }
    // Stated at 95 %; the codec's share is a bound rather than a deviation, so more than that is to be expected.
    assert!(covered / heard > 0.93, "the truth lies in {:.3} of the stated intervals", covered / heard);
}
