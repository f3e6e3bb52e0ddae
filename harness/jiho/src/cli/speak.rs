//! `jiho speak`: a speaker in a process of its own.

use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::units::Nanos;

use super::room::{PartArgs, Place, TIME_BASE, report};
use super::signal::parse_code;
use crate::exit::Exit;
use crate::experiment::parse_duration;
use crate::live::part;
use crate::live::sound::{self, Beat};

/// Speak a time signal into a room, or into a sound device.
///
/// In a room this is a whole participant: it plays a coded voice in real time, hears everybody else, and records its own
/// ear. Beeps keep to whole periods of the wall clock, so that several speakers sound at the same instants, whenever
/// each was started.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{TIME_BASE}"))]
pub(super) struct Args {
    #[command(flatten)]
    part: PartArgs,
    /// The speaker's code, 0 to 63, by which it is told from others: each speaker of a room needs its own.
    #[arg(long, default_value = "0", value_parser = parse_code)]
    code: Code,
    #[command(flatten)]
    beats: BeatArgs,
    /// With a device: beeps sound at their instants of this host's wall clock, whatever the device takes to begin, so that
    /// speakers at several hosts sound together; how right the clock is (chrony, systemd) is said.
    #[arg(long, requires = "device")]
    at_wall_clock: bool,
}

/// When a speaker beeps.
#[derive(Debug, clap::Args)]
pub(super) struct BeatArgs {
    /// One beep in each period, with its unit.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    period: Nanos,
    /// Beeps begin within this time of their period's start, with its unit.
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = parse_duration)]
    spread: Nanos,
    /// Beeps at the speaker's own instants; without it, at those that all speakers share.
    #[arg(long)]
    apart: bool,
}

impl BeatArgs {
    pub(super) fn signal(&self) -> Signal {
        Signal { period: self.period, spread: self.spread, together: !self.apart, ..Signal::VOICED }
    }
}

const EXAMPLES: &str = "Examples:
  JIHO_TOKEN=secret jiho speak --relay 127.0.0.1:4000 --name ana --duration 20s
  JIHO_TOKEN=secret jiho speak --relay 127.0.0.1:4000 --name ben --code 1 --duration 20s
  jiho speak --device default --duration 1m
  jiho speak --device default --code 1 --at-wall-clock";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Args { part, code, beats, at_wall_clock } = args;
    let signal = beats.signal();
    let beat = if *at_wall_clock { Beat::AtWallClock } else { Beat::FromStart };
    let stayed = match part.place()? {
        Place::Room(part) => part::take(&part::Part { plays: Some((signal, *code)), ..*part })?,
        Place::Device(device) => sound::play(&device, &signal, *code, beat)?,
    };
    report(&stayed, true)
}
