//! `jiho explain`: a run in plain words.

use std::path::PathBuf;

use super::print;
use crate::exit::Exit;
use crate::report::explain;
use crate::run::folder::Folder;

/// Explain a run on a page of plain text, for somebody who was in the room: what everybody heard and how late, what
/// silences were made of, what kind of room it was by the sound of it, what was ruled out and by what, what is open.
///
/// All of it comes from the tables in the run's folder; the experiment's file is not looked at.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho explain runs/clubhouse-20260102T030405Z

Exit codes: 0 explained · 2 the folder has no delays.csv or emissions.csv")]
pub(super) struct Args {
    /// The run's folder
    #[arg(value_name = "RUN")]
    folder: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    print(&explain::page(&Folder::open(&args.folder)?)?)?;
    Ok(Exit::Done)
}
