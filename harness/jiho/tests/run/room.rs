//! Runs the binary on an experiment, and reads what it leaves by the names that the documentation promises.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// A command that has come to its end, with its folder.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) dir: PathBuf,
    _temporary: TempDir,
}

/// `jiho run FILE --out DIR` with an experiment in FILE, for more arguments.
pub(crate) fn command(experiment: &str, temporary: &TempDir) -> (Command, PathBuf) {
    let file = temporary.path().join("experiment.toml");
    fs::write(&file, experiment).unwrap();
    let dir = temporary.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_jiho"));
    command.arg("run").arg(file).arg("--out").arg(&dir);
    (command, dir)
}

/// Runs an experiment with these arguments.
pub(crate) fn run(experiment: &str, arguments: &[&str]) -> Ran {
    let temporary = tempfile::tempdir().unwrap();
    let (mut command, dir) = command(experiment, &temporary);
    Ran::of(command.args(arguments).output().unwrap(), dir, temporary)
}

/// Runs an experiment in virtual time; it has to succeed.
pub(crate) fn simulated(experiment: &str) -> Ran {
    let ran = run(experiment, &["--on", "sim"]);
    assert_eq!(ran.code, Some(0), "{}{}\n{experiment}", ran.stdout, ran.stderr);
    ran
}

impl Ran {
    pub(crate) fn of(output: Output, dir: PathBuf, temporary: TempDir) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let Output { status, stdout, stderr } = output;
        let (stdout, stderr) = (text(stdout), text(stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self { code: status.code(), stdout, stderr, dir, _temporary: temporary }
    }

    pub(crate) fn emissions(&self) -> Vec<Emission> {
        table(&self.dir.join("emissions.csv"))
    }

    pub(crate) fn packets(&self) -> Vec<Packet> {
        table(&self.dir.join("packets.csv"))
    }

    /// What the relay passed on.
    pub(crate) fn relayed(&self) -> Vec<Relayed> {
        table(&self.dir.join("relay.csv"))
    }

    pub(crate) fn drops(&self) -> Vec<Drop> {
        table(&self.dir.join("drops.csv"))
    }

    /// Where pilots broke off: at whose ear, whose, and when.
    pub(crate) fn breaks(&self) -> Vec<(String, String, i64)> {
        let rows: Vec<Break> = table(&self.dir.join("breaks.csv"));
        rows.into_iter().map(|row| (row.recorder, row.speaker, row.last_before_ns)).collect()
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        table(&self.dir.join("arrivals.csv"))
    }

    pub(crate) fn delays(&self) -> Vec<Delay> {
        table(&self.dir.join("delays.csv"))
    }

    pub(crate) fn pairs(&self) -> Vec<Pair> {
        table(&self.dir.join("pairs.csv"))
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        table(&self.dir.join("steps.csv"))
    }

    pub(crate) fn run_json(&self) -> serde_json::Value {
        json(&self.dir.join("run.json"))
    }

    pub(crate) fn sidecar(&self, name: &str) -> Sidecar {
        serde_json::from_value(json(&self.dir.join(format!("ear-{name}.json")))).unwrap()
    }

    pub(crate) fn recording(&self, name: &str) -> hound::WavReader<std::io::BufReader<fs::File>> {
        hound::WavReader::open(self.dir.join(format!("ear-{name}.wav"))).unwrap()
    }
}

fn table<R: DeserializeOwned>(path: &Path) -> Vec<R> {
    let rows = csv::Reader::from_path(path).unwrap().into_deserialize().collect::<Result<_, _>>();
    rows.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[derive(Debug, Deserialize)]
pub(crate) struct Emission {
    pub(crate) speaker: String,
    pub(crate) beep: u32,
    pub(crate) sent_ns: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Relayed {
    pub(crate) run_id: String,
    pub(crate) speaker: String,
    pub(crate) received_ns: i64,
    pub(crate) sent_ns: i64,
    pub(crate) residence_ns: i64,
}

#[derive(Debug, Deserialize)]
struct Break {
    recorder: String,
    speaker: String,
    last_before_ns: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Drop {
    pub(crate) participant: String,
    pub(crate) direction: String,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) destination: String,
    pub(crate) at_ns: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Packet {
    pub(crate) ssrc: u32,
    pub(crate) endpoint: String,
    pub(crate) tap: String,
    pub(crate) speaker: String,
    pub(crate) sequence: u16,
    pub(crate) media_time: Option<i64>,
    pub(crate) size_bytes: Option<usize>,
    pub(crate) at_ns: Option<i64>,
    pub(crate) played_ns: Option<i64>,
    pub(crate) action: Option<String>,
    pub(crate) decision: Option<String>,
    pub(crate) step_samples: Option<i64>,
    pub(crate) target_ns: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) recorder: String,
    pub(crate) speaker: Option<String>,
    pub(crate) beep: Option<u32>,
    pub(crate) arrival_ns: i64,
    pub(crate) score: f64,
    pub(crate) rank: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Delay {
    pub(crate) speaker: String,
    pub(crate) recorder: String,
    pub(crate) relation: String,
    pub(crate) beep: u32,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) delay_ns: Option<i64>,
    pub(crate) codec_mode: Option<String>,
    pub(crate) low_ns: Option<i64>,
    pub(crate) high_ns: Option<i64>,
    pub(crate) network_ns: Option<i64>,
    pub(crate) buffer_ns: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pair {
    pub(crate) speaker: String,
    pub(crate) recorder: String,
    pub(crate) relation: String,
    pub(crate) expected: usize,
    pub(crate) heard: usize,
    pub(crate) ambiguous: usize,
    pub(crate) median_ms: Option<f64>,
    pub(crate) drift_ppm: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) recorder: String,
    pub(crate) at_ns: i64,
    pub(crate) step_ms: f64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sidecar {
    pub(crate) start_ns: i64,
    pub(crate) start_error_ns: i64,
    pub(crate) rate: u32,
    #[serde(default)]
    pub(crate) rate_skew_ppb: i64,
    pub(crate) samples: u64,
    pub(crate) complete: bool,
}
