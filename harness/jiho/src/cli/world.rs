//! Arguments for an experiment's run: in which world, into which folder, with which seed, and in whose room.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::theirs::RelayArgs;
use crate::bus::{self, PartysDevices};
use crate::exit::UsageError;
use crate::experiment::{self, Client, Experiment, ExperimentError, Mouths, Room};
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
    #[command(flatten)]
    room: RoomArgs,
}

/// Whose room.
#[derive(Debug, clap::Args)]
pub(super) struct RoomArgs {
    /// In a room that somebody else wrote, with the file's [room.NAME] or its usual settings: mesh, videoroom, audiobridge,
    /// mumble, whip or command.
    #[arg(long, value_name = "NAME")]
    room: Option<String>,
    /// With --room: who takes part there, where there is a choice.
    #[arg(long, value_enum, requires = "room")]
    client: Option<ClientArg>,
}

impl RoomArgs {
    /// The experiment in that room, if one was given.
    pub(super) fn served(&self, experiment: Experiment) -> Result<Experiment, UsageError> {
        let Some(name) = &self.room else { return Ok(experiment) };
        let there = experiment.in_room(name, self.client.map(Client::from));
        there.map_err(|problem| UsageError::say(format!("--room: {problem}")))
    }
}

/// Who takes part in a WebRTC room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClientArg {
    /// Chromium, by its devices on the bus.
    Browser,
    /// A probe of jiho's, by WebRTC.
    Probe,
    /// A probe of jiho's, by plain RTP.
    Rtp,
}

impl From<ClientArg> for Client {
    fn from(client: ClientArg) -> Self {
        match client {
            ClientArg::Browser => Self::Browser,
            ClientArg::Probe => Self::Probe,
            ClientArg::Rtp => Self::Rtp,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    Sim,
    Loopback,
    Device,
}

impl On {
    /// A room of somebody else's is held where its mouths are.
    pub(super) fn for_room(self, experiment: &Experiment) -> Self {
        match experiment.room.as_ref().map(Room::mouths) {
            Some(Mouths::Bus) => Self::Device,
            // Probes of ours can have their mouths and ears on the bus, too.
            Some(Mouths::Network) | None => self,
        }
    }

    /// Brings this process to where the experiment is held, before anything else is done.
    pub(super) fn enter(self, experiment: &Experiment) -> anyhow::Result<()> {
        if self != Self::Device {
            return Ok(());
        }
        World::from(self).check(experiment)?;
        // Clients that are not ours know devices by parties' names.
        let devices = if experiment.room.is_some() { PartysDevices::There } else { PartysDevices::LeftOut };
        bus::enter(&experiment.everybody().map(str::to_owned).collect::<Vec<_>>(), devices)
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
    /// Where an experiment is held: in a room of somebody else's that is where its mouths are.
    pub(super) fn world(&self, experiment: &Experiment) -> World {
        self.on.for_room(experiment).into()
    }

    /// The experiment in a file, as these arguments have it, and the file's text.
    pub(super) fn experiment(&self, file: &Path) -> anyhow::Result<(Experiment, String)> {
        let given = experiment::read(file)?;
        let mut experiment = Experiment::parse(&given, file).map_err(ExperimentError::from)?;
        experiment.run.seed = self.seed.unwrap_or(experiment.run.seed);
        let experiment = self.room.served(experiment)?;
        self.on.for_room(&experiment).enter(&experiment)?;
        Ok((self.relay.served(experiment)?, given))
    }

    /// The folder to make.
    pub(super) fn out(&self, experiment: &Experiment) -> PathBuf {
        self.out.clone().unwrap_or_else(|| usual_folder(&experiment.name))
    }
}
