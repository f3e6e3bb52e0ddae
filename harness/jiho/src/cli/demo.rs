//! `jiho demo`: the founding room's story, in a few seconds of simulation.

use std::path::{Path, PathBuf};

use super::run::{Shown, text};
use super::{findings, print};
use crate::exit::Exit;
use crate::experiment::{Experiment, ExperimentError};
use crate::run::{self, World};

/// The room whose story is told.
const ROOM: &str = include_str!("../../../../fixtures/experiments/clubhouse.toml");
const NAME: &str = "clubhouse.toml";

/// What happens in it, and what to look for.
const STORY: &str = "\
A voice room as it was in 2021: ana, ben and chloe are on the stage, lena, mei and omar listen. Nobody could tell what
the room does to sound: who hears whom how late, and why whoever was called up to the stage heard nothing for about
1.5 s. So everybody plays a coded voice that tells its own time, and every ear is recorded. Here the room is simulated;
what follows is measured from the recordings alone, and set beside what packets and events say.

";

/// Tell the story of a voice room in a few seconds of simulation: how late the stage and the audience hear it, and what
/// the silence is made of that somebody meets who is called up to the stage.
///
/// The room is fixtures/experiments/clubhouse.toml, a copy of which is in the folder: an experiment to begin with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho demo
  jiho demo --out /tmp/clubhouse
  jiho run /tmp/clubhouse/experiment.toml --on loopback")]
pub(super) struct Args {
    /// The folder to make [default: runs/demo-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let experiment = Experiment::parse(ROOM, Path::new(NAME)).map_err(ExperimentError::from)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("demo-{}", run::stamp())));
    let progress = Shown::new();
    let outcome = run::run(&experiment, ROOM, World::Sim, &out, &progress)?;
    progress.clear();
    print(&format!("{STORY}{}", text(&outcome, &experiment)))?;
    Ok(findings::verdict(&outcome.findings, &[]))
}
