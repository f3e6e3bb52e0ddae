//! From an experiment to the folder of its run.

use std::path::Path;

use anyhow::Context;
use jiho_analysis::signal::Code;
use jiho_analysis::track::Tracker;
use jiho_analysis::units::{Nanos, Rate};

use super::RandomRoom;
use super::draw::MOST_SPEAKERS;
use crate::experiment::Experiment;
use crate::run::{self, Progress, World};

/// Nobody waits for one room.
struct Untold;

impl Progress for Untold {
    fn playing(&self, _: Nanos, _: Nanos) {}
    fn hearing(&self, _: f64, _: f64) {}
}

/// What many rooms have in common: as long as it is there, the pilots' tables are, which take longer to make than a room
/// takes to be tracked.
pub struct Pilots {
    _tables: Tracker,
}

impl Pilots {
    /// The pilots of all codes that random rooms have.
    pub fn new() -> Self {
        let codes: Vec<Code> = Code::all().take(MOST_SPEAKERS).collect();
        Self { _tables: Tracker::new(Rate::OPUS, &codes) }
    }
}

impl Default for Pilots {
    fn default() -> Self {
        Self::new()
    }
}

/// Holds a room in a world, into a folder that is not there yet. The experiment's files, which say what the room is,
/// are taken away: what is left is what a room is judged by.
///
/// # Errors
/// The folder cannot be made or written, or nothing could be measured.
pub fn hold(room: &RandomRoom, world: World, out: &Path) -> anyhow::Result<run::folder::Folder> {
    let experiment = Experiment::parse(&room.experiment, Path::new("random.toml"))?;
    let outcome =
        run::run(&experiment, &room.experiment, world, out, &Untold).with_context(|| format!("room {}", room.seed))?;
    let folder = outcome.folder;
    for file in [folder.experiment_given(), folder.experiment_effective()] {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(folder)
}
