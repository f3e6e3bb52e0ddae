//! Ctrl-C once: what was heard until then is measured, and marked as partial.
#![cfg(unix)]

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use jiho::experiment::Experiment;
use jiho::run::{Progress, World, run};
use jiho_analysis::units::Nanos;
use nix::sys::signal::{Signal, raise};

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

/// Whoever waits presses Ctrl-C until something happens.
struct Impatient(Once);

impl Progress for Impatient {
    fn playing(&self, _: Nanos, _: Nanos) {}

    fn hearing(&self, _: f64, _: f64) {
        self.0.call_once(|| {
            let patience = Instant::now() + Duration::from_secs(60);
            while Instant::now() < patience {
                raise(Signal::SIGINT).unwrap();
                std::thread::yield_now();
            }
            panic!("Ctrl-C has no effect while recordings are heard");
        });
    }
}

/// The run that is left takes its process with it: the test runs itself once more, as that process.
#[test]
fn ctrl_c_twice_leaves_at_once_while_recordings_are_heard() {
    const FOLDER: &str = "JIHO_TEST_LEAVES_IN";
    if let Some(folder) = env::var_os(FOLDER) {
        let text = "[run]\nduration = \"3s\"\n[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";
        let experiment = Experiment::parse(text, Path::new("short.toml")).unwrap();
        run(&experiment, text, World::Sim, Path::new(&folder), &Impatient(Once::new())).unwrap();
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("run");
    let name = "interrupted::ctrl_c_twice_leaves_at_once_while_recordings_are_heard";
    let output = Command::new(env::current_exe().unwrap()).args(["--exact", name]).env(FOLDER, &dir).output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("Ctrl-C again to leave at once"), "{output:?}");
    assert!(dir.join("ear-lena.wav").exists(), "what was recorded stays");
}
