//! `jiho speak`: a speaker in a process of its own.

use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::units::Nanos;

use super::room::{PartArgs, Place, TIME_BASE, report};
use super::signal::parse_code;
use crate::exit::Exit;
use crate::experiment::parse_duration;
use crate::live::{part, sound};

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

const EXAMPLES: &str = "Examples:
  JIHO_TOKEN=secret jiho speak --relay 127.0.0.1:4000 --name ana --duration 20s
  JIHO_TOKEN=secret jiho speak --relay 127.0.0.1:4000 --name ben --code 1 --duration 20s
  jiho speak --device default --duration 1m";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Args { part, code, period, spread, apart } = args;
    let signal = Signal { period: *period, spread: *spread, together: !apart, ..Signal::VOICED };
    let stayed = match part.place()? {
        Place::Room(part) => part::take(&part::Part { plays: Some((signal, *code)), ..*part })?,
        Place::Device(device) => sound::play(&device, &signal, *code)?,
    };
    report(&stayed, true)
}
