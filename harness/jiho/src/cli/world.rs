//! Arguments for an experiment's run: in which world, into which folder, with which seed, and in whose room.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::theirs::RelayArgs;
use crate::bus;
use crate::experiment::{self, Experiment, ExperimentError};
use crate::run::{World, usual_folder};

/// Where and how an experiment is run.
#[derive(Debug, clap::Args)]
pub(super) struct WorldArgs {
    /// Where: in real time over this machine's loopback, or in virtual time, through the experiment's links; or over loopback
    /// with sound devices for mouths and ears, on the bus that is up (`jiho device bus`) or on one of its own.
    #[arg(long, value_enum, default_value_t = On::Loopback)]
    on: On,
    /// The folder to make [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use this seed in place of the file's.
    #[arg(long)]
    seed: Option<u32>,
    #[command(flatten)]
    relay: RelayArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    Sim,
    Loopback,
    Device,
}

impl On {
    /// Brings this process to where the experiment is held, before anything else is done.
    pub(super) fn enter(self, experiment: &Experiment) -> anyhow::Result<()> {
        if self != Self::Device {
            return Ok(());
        }
        World::from(self).check(experiment)?;
        bus::enter(&experiment.everybody().map(str::to_owned).collect::<Vec<_>>())
    }
}

impl From<On> for World {
    fn from(on: On) -> Self {
        match on {
            On::Sim => Self::Sim,
            On::Loopback => Self::Loopback,
            On::Device => Self::Device,
        }
    }
}

impl WorldArgs {
    pub(super) fn world(&self) -> World {
        self.on.into()
    }

    /// The experiment in a file, as these arguments have it, and the file's text.
    pub(super) fn experiment(&self, file: &Path) -> anyhow::Result<(Experiment, String)> {
        let given = experiment::read(file)?;
        let mut experiment = Experiment::parse(&given, file).map_err(ExperimentError::from)?;
        experiment.run.seed = self.seed.unwrap_or(experiment.run.seed);
        self.on.enter(&experiment)?;
        Ok((self.relay.served(experiment)?, given))
    }

    /// The folder to make.
    pub(super) fn out(&self, experiment: &Experiment) -> PathBuf {
        self.out.clone().unwrap_or_else(|| usual_folder(&experiment.name))
    }
}
