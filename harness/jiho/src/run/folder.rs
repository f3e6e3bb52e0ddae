//! A run's folder: all that is needed to report again without measuring again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiho_drivers::sidecar::Sidecar;

use crate::exit::UsageError;
use crate::report::emissions::EmissionRow;
use crate::report::table::Table;

/// Where a run's files are.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The first run, by name, in a folder of runs, or one further down.
fn runs_within(path: &Path) -> Option<PathBuf> {
    let folders = |path: &Path| {
        let entries = path.read_dir().into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let all = folders(path).into_iter().flat_map(|folder| [vec![folder.clone()], folders(&folder)].concat());
    all.into_iter().find(|folder| Folder(folder.clone()).emissions().is_file())
}

impl Folder {
    /// Makes the folder of a run. An earlier run is never overwritten.
    ///
    /// # Errors
    /// It is there already and not empty, or cannot be made.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            let there = format!("{} is there already: name another folder with --out, or remove it", path.display());
            return Err(UsageError::say(there).into());
        }
        std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder of a run that was.
    ///
    /// # Errors
    /// It holds no run.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = Self(path.to_owned());
        if !folder.emissions().is_file() {
            let within = runs_within(path);
            let mend = within.map(|run| format!("; there is one in {}", run.display())).unwrap_or_default();
            let none = format!("{} holds no run: there is no emissions.csv in it{mend}", path.display());
            return Err(UsageError::say(none).into());
        }
        Ok(folder)
    }

    /// Takes away the folder of a run that came to nothing.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(self) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.0).with_context(|| format!("cannot remove the folder {}", self.0.display()))
    }

    /// Whether a beep or a recording is in it.
    pub fn has_sound(&self) -> bool {
        let beeps = Table::<EmissionRow>::read(&self.emissions()).is_ok_and(|beeps| !beeps.is_empty());
        beeps || self.sidecars().is_ok_and(|recordings| !recordings.is_empty())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The experiment's file as it was given.
    pub fn experiment_given(&self) -> PathBuf {
        self.0.join("experiment.toml")
    }

    /// The experiment with everything filled in.
    pub fn experiment_effective(&self) -> PathBuf {
        self.0.join("experiment.effective.toml")
    }

    /// Beeps sent.
    pub fn emissions(&self) -> PathBuf {
        self.0.join("emissions.csv")
    }

    /// Packets at mouths and ears.
    pub fn packets(&self) -> PathBuf {
        self.0.join("packets.csv")
    }

    /// One row per packet that a relay passed on, if the experiment wants it.
    pub fn relay(&self) -> PathBuf {
        self.0.join("relay.csv")
    }

    /// What somebody else's relay wrote, if jiho started it.
    pub fn relay_log(&self) -> PathBuf {
        self.0.join("relay.log")
    }

    /// Packets that endpoints dropped on purpose, if any did.
    pub fn drops(&self) -> PathBuf {
        self.0.join("drops.csv")
    }

    /// Comings and goings, and the steps of role changes.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.csv")
    }

    /// Detections in recordings.
    pub fn arrivals(&self) -> PathBuf {
        self.0.join("arrivals.csv")
    }

    /// Expected beeps at recorders.
    pub fn delays(&self) -> PathBuf {
        self.0.join("delays.csv")
    }

    /// Speakers at recorders.
    pub fn pairs(&self) -> PathBuf {
        self.0.join("pairs.csv")
    }

    /// Sudden changes of delays.
    pub fn steps(&self) -> PathBuf {
        self.0.join("steps.csv")
    }

    /// Pilots in recordings, tenth by tenth of a second.
    pub fn track(&self) -> PathBuf {
        self.0.join("track.csv")
    }

    /// Where pilots broke off.
    pub fn breaks(&self) -> PathBuf {
        self.0.join("breaks.csv")
    }

    /// What was heard at ears that were not recorded.
    pub fn unrecorded(&self) -> PathBuf {
        self.0.join("unrecorded.jsonl")
    }

    /// What changes of roles did to sound.
    pub fn gaps(&self) -> PathBuf {
        self.0.join("gaps.csv")
    }

    /// Beats of a chorus at ears.
    pub fn chorus(&self) -> PathBuf {
        self.0.join("chorus.csv")
    }

    /// Pairs of voices of a chorus at ears.
    pub fn asynchrony(&self) -> PathBuf {
        self.0.join("asynchrony.csv")
    }

    /// By how much singers would have to be ahead.
    pub fn cure(&self) -> PathBuf {
        self.0.join("cure.csv")
    }

    /// Whether pairs of singers could hold time.
    pub fn holds(&self) -> PathBuf {
        self.0.join("holds.csv")
    }

    /// The steps that silences are made of.
    pub fn stack(&self) -> PathBuf {
        self.0.join("stack.csv")
    }

    /// Who may have served stage and audience.
    pub fn topology(&self) -> PathBuf {
        self.0.join("topology.csv")
    }

    /// What gates came to, if there were any.
    pub fn gates(&self) -> PathBuf {
        super::series::gates_of(&self.0)
    }

    /// How the run came about.
    pub fn run_json(&self) -> PathBuf {
        self.0.join("run.json")
    }

    /// The recordings with their sidecars, by name.
    ///
    /// # Errors
    /// The folder or a sidecar cannot be read.
    pub fn sidecars(&self) -> anyhow::Result<Vec<(PathBuf, Sidecar)>> {
        let entries = self.0.read_dir().with_context(|| format!("cannot read the folder {}", self.0.display()))?;
        let mut recordings: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension() == Some(OsStr::new("wav")) && path.with_extension("json").is_file())
            .collect();
        recordings.sort();
        recordings
            .into_iter()
            .map(|wav| {
                let sidecar = Sidecar::read(&wav.with_extension("json"))?;
                Ok((wav, sidecar))
            })
            .collect()
    }
}
