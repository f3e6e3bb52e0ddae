//! An experiment that is run again and again: a folder that holds a run's folder for each repetition, `rep-1`, `rep-2` …
//! What depends on luck differs between repetitions, as each has the next seed.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::folder::Folder;
use super::interrupt::Interrupt;
use super::{Outcome, Progress, World, interruptible, name, run_under};
use crate::exit::UsageError;
use crate::experiment::Experiment;
use crate::report::RunName;

/// The folder of a repetition, counted from 1.
pub fn folder_of(series: &Path, rep: u32) -> PathBuf {
    series.join(format!("rep-{rep}"))
}

/// The folders of a series' repetitions, in order, as far as it got; of a run that was not repeated its own.
///
/// # Errors
/// There is no run in it.
pub fn folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reps: Vec<PathBuf> = (1..).map(|rep| folder_of(path, rep)).take_while(|rep| rep.is_dir()).collect();
    if !reps.is_empty() {
        return Ok(reps);
    }
    if !path.is_dir() {
        return Err(UsageError::say(format!("there is no folder {}", path.display())).into());
    }
    Folder::open(path).map(|folder| vec![folder.path().to_owned()])
}

/// What gates came to, in the folder of a series or of a single run.
pub fn gates_of(path: &Path) -> PathBuf {
    path.join("gates.csv")
}

/// Runs an experiment as often as it says, and hands out what each repetition came to. An experiment that is run once has
/// its files in `out` itself. Ctrl-C ends the series with the repetition that it ended.
///
/// # Errors
/// As of [`run`](super::run).
pub fn run(
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    progress: &dyn Progress,
    each: &mut dyn FnMut(Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    interruptible(progress.interrupted(), |interrupt| {
        run_until(interrupt, experiment, given, world, out, progress, each)
    })
}

/// As [`run`], of several series that one interrupt ends.
pub(crate) fn run_until(
    interrupt: &Interrupt,
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    progress: &dyn Progress,
    each: &mut dyn FnMut(Outcome) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if experiment.run.repeat == 1 {
        let name = name(experiment, world);
        return each(run_under(interrupt, name, experiment, given, world, out, progress)?);
    }
    let run_id = begin(experiment, given, world, out)?;
    for rep in 1..=experiment.run.repeat {
        let outcome = repetition_under(interrupt, once_more(&run_id, rep, experiment), given, world, out, progress)?;
        let partial = outcome.run.partial;
        each(outcome)?;
        if partial {
            break;
        }
    }
    Ok(())
}

/// Makes the folder of a series, and names the runs in it.
///
/// # Errors
/// The folder cannot be made or written.
pub fn begin(experiment: &Experiment, given: &str, world: World, out: &Path) -> anyhow::Result<String> {
    let folder = Folder::create(out)?;
    for (path, text) in [(folder.experiment_given(), given), (folder.experiment_effective(), &experiment.to_toml())] {
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(name(experiment, world).run_id)
}

/// Runs a repetition of a series.
///
/// # Errors
/// As of [`run`](super::run).
pub fn repetition(
    run_id: &str,
    rep: u32,
    experiment: &Experiment,
    given: &str,
    world: World,
    series: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Outcome> {
    interruptible(progress.interrupted(), |interrupt| {
        repetition_under(interrupt, once_more(run_id, rep, experiment), given, world, series, progress)
    })
}

fn repetition_under(
    interrupt: &Interrupt,
    (name, repetition): (RunName, Experiment),
    given: &str,
    world: World,
    series: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Outcome> {
    let rep = name.rep;
    let out = folder_of(series, rep);
    run_under(interrupt, name, &repetition, given, world, &out, progress).with_context(|| format!("repetition {rep}"))
}

/// What a repetition is called, and runs.
fn once_more(run_id: &str, rep: u32, experiment: &Experiment) -> (RunName, Experiment) {
    let mut repetition = experiment.clone();
    repetition.run.repeat = 1;
    repetition.run.seed = seed(experiment, rep);
    (RunName { run_id: run_id.to_owned(), rep }, repetition)
}

/// The seed of a repetition.
pub const fn seed(experiment: &Experiment, rep: u32) -> u32 {
    experiment.run.seed.wrapping_add(rep - 1)
}
