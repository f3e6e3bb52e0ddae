//! `jiho device`: which sound devices there are, and what they do to sound.

mod bus;
mod list;
mod loopback;
mod survey;

use clap::Subcommand;

use crate::exit::Exit;

/// Sound devices.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sound systems and their devices, with the ids by which other commands take them.
    ///
    /// Channels that it can record and play, the usual sampling rates that it takes, and its sample formats stand beside
    /// each. A sound system that cannot be used says what it lacks.
    List,
    Loopback(loopback::Args),
    Bus(bus::Args),
    Survey(survey::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::List => list::run(),
        Action::Loopback(args) => loopback::run(args),
        Action::Bus(args) => bus::run(args),
        Action::Survey(args) => survey::run(args),
    }
}
