//! `jiho compare`: two runs side by side.

use std::path::PathBuf;

use anyhow::Context;

use super::print;
use crate::compare::{Side, compare};
use crate::exit::Exit;
use crate::report::{comparison, html};

/// Compare two runs, or two series of repetitions: for each pair of a speaker and an ear, and for each tier, by how much
/// later the second one is heard (Hodges–Lehmann shift of the medians, with its 95 % interval).
///
/// Where both have repetitions their medians are compared, else medians of blocks of time signals, half as many as
/// correlated time signals are worth. Everything comes from the tables in the folders.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho compare runs/before runs/after
  jiho compare runs/before runs/after --html difference.html

Exit codes: 0 compared · 2 a folder holds no run that was measured · 4 they have no pair in common")]
pub(super) struct Args {
    /// The run, or the series of repetitions, that is compared with
    #[arg(value_name = "A")]
    first: PathBuf,
    /// The one that is compared
    #[arg(value_name = "B")]
    second: PathBuf,
    /// Also write a page with both on the same axes
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (first, second) = (Side::open(&args.first)?, Side::open(&args.second)?);
    let comparison = compare(&first, &second)?;
    let sides = [&first, &second];
    print(&comparison::text(sides, &comparison))?;
    if let Some(path) = &args.html {
        let page = html::comparison(sides, &comparison)?;
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if comparison.differences.is_empty() { Exit::Nothing } else { Exit::Done })
}
