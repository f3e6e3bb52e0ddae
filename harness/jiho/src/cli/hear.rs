//! `jiho hear`: a listener in a process of its own.

use super::room::{PartArgs, Place, TIME_BASE, report};
use crate::exit::Exit;
use crate::live::{part, sound};

/// Record what a listener in a room hears, or what a sound device records.
///
/// In a room this is a whole participant: it receives everybody's streams, plays them through jitter buffers and loss
/// concealment, and records the mix as its ear plays it. However the process ends, the recording can be read: even
/// SIGKILL costs at most its last second.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{TIME_BASE}"))]
pub(super) struct Args {
    #[command(flatten)]
    part: PartArgs,
}

const EXAMPLES: &str = "Examples:
  JIHO_TOKEN=secret jiho hear --relay 127.0.0.1:4000 --name lena
  jiho hear --device default --duration 1m --out /tmp/microphone";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let stayed = match args.part.place()? {
        Place::Room(part) => part::take(&part)?,
        Place::Device(device) => sound::record(&device)?,
    };
    report(&stayed, false)
}
