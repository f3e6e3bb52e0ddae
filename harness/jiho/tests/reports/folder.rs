//! Folders of runs to report on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Uncompressed and over links without luck, so that nothing depends on a codec's version.
pub(crate) const ROOM: &str = "name = \"room\"\n[run]\nduration = \"8s\"\n[media]\ncodec.l16 = {}\n\
    [playout]\nfixed = \"40ms\"\n[link.default]\ndelay = \"15ms\"\n[link.far]\ndelay = \"61ms\"\n\
    [link.broken]\ndown.loss = \"100%\"\n[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\nlink = \"far\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\nlink = \"broken\"\n";

/// Somebody is called up to the stage.
pub(crate) const PROMOTION: &str = "name = \"promotion\"\n[run]\nduration = \"7s\"\n[signal.pilot]\n\
    [promotion.webrtc_dtls12]\ndevice_restart = \"200ms\"\n[media]\ncodec.l16 = {}\n[link.default]\ndelay = \"20ms\"\n[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
    [[listener]]\nname = \"lena\"\n[[event]]\nat = \"3s\"\npromote = \"lena\"\n";

/// Two sing.
pub(crate) const CHORUS: &str = "name = \"chorus\"\n[run]\nduration = \"8s\"\n[signal.voiced]\nperiod = \"600ms\"\n\
    spread = \"120ms\"\n[media]\ncodec.l16 = {}\n[[speaker]]\nname = \"ana\"\nsing.grid = {}\n[[speaker]]\n\
    name = \"ben\"\nsing.follow.leader = \"ana\"\n[[listener]]\nname = \"lena\"\n";

/// A run's folder that is taken away in the end.
pub(crate) struct Run {
    pub(crate) path: PathBuf,
    _temporary: TempDir,
}

impl Run {
    /// Runs an experiment in virtual time.
    pub(crate) fn simulated(experiment: &str, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("experiment.toml");
        fs::write(&file, experiment).unwrap();
        let path = temporary.path().join("run");
        let out = jiho(&["run", file.to_str().unwrap(), "--on", "sim", "--out", path.to_str().unwrap()], arguments);
        assert!(path.join("report.json").is_file(), "{}", String::from_utf8_lossy(&out.stderr));
        Self { path, _temporary: temporary }
    }

    /// A copy of the run that is kept as the first versions of jiho left it.
    pub(crate) fn older() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("older");
        fs::create_dir(&path).unwrap();
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/runs/older");
        for file in fs::read_dir(kept).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), path.join(file.file_name())).unwrap();
        }
        Self { path, _temporary: temporary }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path.join(file), text).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn json(&self, file: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(file)).unwrap()
    }

    /// `jiho report` on it; it has to succeed.
    pub(crate) fn report(&self, arguments: &[&str]) -> String {
        let output = jiho(&["report", self.path.to_str().unwrap()], arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) fn jiho(verb: &[&str], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jiho")).args(verb).args(arguments).output().unwrap()
}

/// What `--format` prints, and the file that holds the same.
pub(crate) const FORMATS: [(&str, &str); 8] = [
    ("json", "report.json"),
    ("markdown", "summary.md"),
    ("junit", "junit.xml"),
    ("bencher", "bencher.json"),
    ("benchmark-action", "benchmark-action.json"),
    ("prometheus", "metrics.prom"),
    ("lof", "recordings.lof"),
    ("labels", "recordings.labels.txt"),
];
