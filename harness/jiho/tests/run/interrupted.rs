//! Ctrl-C once: what was heard until then is measured, and marked as partial.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::room::{Ran, command};

const EXPERIMENT: &str = "name = \"long\"\n[run]\nwarmup = \"1s\"\nduration = \"10m\"\n[playout]\nfixed = \"150ms\"\n\
                          [[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";

#[test]
fn a_run_that_is_interrupted_says_what_it_heard() {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(EXPERIMENT, &temporary);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Six beeps have been sent when they are in the file.
    let emissions = dir.join("emissions.csv");
    let patience = Instant::now() + Duration::from_secs(60);
    while std::fs::read_to_string(&emissions).map_or(0, |text| text.lines().count()) < 1 + 6 {
        assert!(Instant::now() < patience, "no beep was noted");
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(told.success());
    let ran = Ran::of(child.wait_with_output().unwrap(), dir, temporary);

    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("Ctrl-C again to leave at once"), "{}", ran.stderr);
    assert!(ran.stdout.contains("This run is partial"), "{}", ran.stdout);
    assert_eq!(ran.run_json()["partial"], true);
    assert_eq!(ran.run_json()["failures"], serde_json::json!([]));
    let delays = ran.delays();
    assert_eq!(delays.len(), ran.emissions().len(), "beeps that were sent are expected, and no others");
    // The last one may have been cut.
    assert!(delays.iter().take(delays.len() - 1).all(|row| row.status == "heard"), "{delays:?}");
    assert!(ran.sidecar("lena").complete);
}
