//! An experiment that is run again and again: a folder that holds a run's folder for each repetition, `rep-1`, `rep-2` …
//! What depends on luck differs between repetitions, as each has the next seed.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::folder::Folder;
use super::interrupt::Interrupt;
use super::{Outcome, Progress, World, name, run_as, run_under};
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
    repeat(experiment, given, world, out, each, &|name, experiment, out| {
        run_as(name, experiment, given, world, out, progress)
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
    repeat(experiment, given, world, out, each, &|name, experiment, out| {
        run_under(interrupt, name, experiment, given, world, out, progress)
    })
}

fn repeat(
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    each: &mut dyn FnMut(Outcome) -> anyhow::Result<()>,
    once: &dyn Fn(RunName, &Experiment, &Path) -> anyhow::Result<Outcome>,
) -> anyhow::Result<()> {
    if experiment.run.repeat == 1 {
        return each(once(name(experiment, world), experiment, out)?);
    }
    let folder = Folder::create(out)?;
    for (path, text) in [(folder.experiment_given(), given), (folder.experiment_effective(), &experiment.to_toml())] {
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let run_id = name(experiment, world).run_id;
    for rep in 1..=experiment.run.repeat {
        let mut repetition = experiment.clone();
        repetition.run.repeat = 1;
        repetition.run.seed = experiment.run.seed.wrapping_add(rep - 1);
        let name = RunName { run_id: run_id.clone(), rep };
        let outcome = once(name, &repetition, &folder_of(out, rep))
            .with_context(|| format!("repetition {rep} of {}", experiment.run.repeat))?;
        let partial = outcome.run.partial;
        each(outcome)?;
        if partial {
            break;
        }
    }
    Ok(())
}
