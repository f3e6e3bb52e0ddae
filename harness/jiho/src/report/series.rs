//! A run with all its repetitions, read back from its folder: what is reported as one.

use std::path::{Path, PathBuf};

use super::gates::{GateRow, Verdict};
use super::table::Table;
use super::tables::Tables;
use super::verdict;
use crate::exit::Exit;
use crate::run::series;

/// The name of the table of gates, in the folder of a run or of a series.
const GATES: &str = "gates.csv";

/// A run, or the repetitions of one.
#[derive(Debug)]
pub struct Series {
    path: PathBuf,
    /// In order; of a run that was not repeated, itself.
    pub repetitions: Vec<Tables>,
    /// What gates came to, if any were asked.
    pub gates: Vec<GateRow>,
}

impl Series {
    /// Reads the folder of a run, or of a series of repetitions.
    ///
    /// # Errors
    /// There is no run in it that was measured, or a table is damaged.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let folders = series::folders(path)?;
        Ok(Self {
            path: path.to_owned(),
            repetitions: folders.iter().map(|folder| Tables::open(folder)).collect::<anyhow::Result<_>>()?,
            gates: Table::read_if_there(&path.join(GATES))?,
        })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The only one, if it was not repeated.
    pub fn only(&self) -> Option<&Tables> {
        match &self.repetitions[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// What is in every row of all repetitions.
    pub fn run_id(&self) -> String {
        self.repetitions.first().map(|tables| tables.name().run_id).unwrap_or_default()
    }

    /// The experiment's name; where nobody noted it, the run's.
    pub fn experiment(&self) -> String {
        let run = self.repetitions.iter().find_map(|tables| tables.run.as_ref());
        run.map_or_else(|| self.run_id(), |run| run.experiment.clone())
    }

    /// What its exit code would be, gates included.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn exit(&self) -> anyhow::Result<Exit> {
        let repetitions = self.repetitions.iter().map(verdict::of_tables).collect::<Result<Vec<_>, _>>()?;
        Ok(Exit::worst(self.gates.iter().map(|gate| Exit::from(gate.verdict)).chain(repetitions)))
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Done,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Fail => Self::GateFailed,
        }
    }
}
