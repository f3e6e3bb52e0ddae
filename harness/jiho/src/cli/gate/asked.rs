//! What is judged, and what it is compared with: from the experiment's file and from the command line.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Args;
use crate::exit::UsageError;
use crate::experiment::{self, Baseline, Experiment, ExperimentError, gate_from};
use crate::figures::{Figure, FigureError};
use crate::gates::{Comparison, Gate, Limit, LimitError, usual_comparisons};
use crate::run::folder::Folder;
use crate::run::series;

/// What the gate is asked.
pub(super) struct Asked {
    /// The experiment with its file's text; of a run that was only if it is known.
    pub(super) experiment: Option<(Experiment, String)>,
    pub(super) gates: Vec<Gate>,
    pub(super) compared: Compared,
}

/// With what figures are compared.
pub(super) enum Compared {
    Nothing,
    Run(PathBuf),
    History(PathBuf),
    Build(PathBuf),
}

impl Asked {
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let experiment = match (&args.experiment, &args.run) {
            (Some(file), _) => Some(args.world.experiment(file)?),
            (None, Some(folder)) => of_run(folder)?,
            (None, None) => None,
        };
        let known = experiment.as_ref().map(|(experiment, _)| experiment);
        let mut gates = known.map(|experiment| experiment.gates.clone()).unwrap_or_default();
        for text in &args.limit {
            gates.push(gate_from("--limit", text, known, limit).map_err(ExperimentError::from)?);
        }
        for text in &args.figure {
            gates.push(gate_from("--figure", text, known, comparison).map_err(ExperimentError::from)?);
        }
        let compared = compared(args, known);
        let is_compared = |gate: &Gate| matches!(gate, Gate::Comparison(_));
        if matches!(compared, Compared::Nothing) {
            if let Some(text) = args.figure.first() {
                let what = format!("nothing is named to compare {text} with: give --baseline, --history or --against");
                return Err(UsageError::say(what).into());
            }
            if gates.iter().all(is_compared) {
                let what = "there is nothing to judge by: give --limit, or [[gate]] with a limit in the experiment; or \
                            --baseline, --history or --against to compare with";
                return Err(UsageError::say(what).into());
            }
        } else if !gates.iter().any(is_compared) {
            let figures: Vec<Comparison> = if gates.is_empty() {
                usual_comparisons()
            } else {
                gates.iter().map(|gate| Comparison::of(gate.figure().clone())).collect()
            };
            gates.extend(figures.into_iter().map(Gate::Comparison));
        }
        Ok(Self { experiment, gates, compared })
    }
}

/// The experiment that a run came of, if its folder has it.
fn of_run(folder: &Path) -> anyhow::Result<Option<(Experiment, String)>> {
    let first = series::folders(folder)?;
    let path =
        first.first().map(|first| Folder::open(first).map(|folder| folder.experiment_effective())).transpose()?;
    let Some(path) = path.filter(|path| path.is_file()) else { return Ok(None) };
    let text = experiment::read(&path)?;
    let read = Experiment::parse(&text, &path).map_err(ExperimentError::from)?;
    Ok(Some((read, text)))
}

fn compared(args: &Args, experiment: Option<&Experiment>) -> Compared {
    // What an experiment names is beside its file. A run's folder is elsewhere.
    let beside = |path: &Path| {
        let folder = args.experiment.as_ref().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        folder.join(path)
    };
    match (&args.baseline, &args.history, &args.against) {
        (Some(folder), ..) => Compared::Run(folder.clone()),
        (_, Some(file), _) => Compared::History(file.clone()),
        (.., Some(program)) => Compared::Build(program.clone()),
        (None, None, None) => match experiment.and_then(|experiment| experiment.baseline.as_ref()) {
            Some(_) if args.run.is_some() => Compared::Nothing,
            Some(Baseline::Folder(folder)) => Compared::Run(beside(folder)),
            Some(Baseline::History(file)) => Compared::History(beside(file)),
            None => Compared::Nothing,
        },
    }
}

fn limit(text: &str) -> Result<Gate, (String, Range<usize>)> {
    text.parse::<Limit>().map(Gate::Limit).map_err(|error: LimitError| (error.to_string(), error.at))
}

fn comparison(text: &str) -> Result<Gate, (String, Range<usize>)> {
    let figure = text.parse::<Figure>().map_err(|error: FigureError| (error.to_string(), error.span(text)))?;
    Ok(Gate::Comparison(Comparison::of(figure)))
}
