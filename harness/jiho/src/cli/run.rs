//! `jiho run`: an experiment, from its file to the delay matrix.

use std::path::PathBuf;

use clap::ValueEnum;
use jiho_analysis::units::Nanos;

use super::bar::Bar;
use super::{Format, print};
use crate::exit::Exit;
use crate::experiment::{self, Experiment};
use crate::report::{terminal, words};
use crate::run::{self, Outcome, Progress, World};

/// Run an experiment, and say how late everybody heard everybody.
///
/// Every ear is recorded, every speaker's signal is found in every recording, and all of it is kept in the run's
/// folder: recordings with sidecars, emissions.csv, packets.csv, arrivals.csv, delays.csv, pairs.csv, run.json, and the
/// experiment as given and as effective.
///
/// Ctrl-C once ends the run early and measures what was heard; twice leaves at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho run first.toml
  jiho run first.toml --on sim --seed 7 --out /tmp/first
  jiho run first.toml --format json | jq '.pairs[] | {speaker, recorder, median_ms}'")]
pub(super) struct Args {
    /// The experiment's file.
    experiment: PathBuf,
    /// Where: in real time over this machine's loopback, or in virtual time with the experiment's links.
    #[arg(long, value_enum, default_value_t = On::Loopback)]
    on: On,
    /// The folder to make [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use this seed in place of the file's.
    #[arg(long)]
    seed: Option<u32>,
    /// A report for people, or the run and its pairs as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    Sim,
    Loopback,
}

/// Fewer beeps of a pair than this give no interval worth the name.
const ENOUGH_BEEPS: usize = 5;

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let given = experiment::read(&args.experiment)?;
    let mut experiment = Experiment::parse(&given, &args.experiment).map_err(experiment::ExperimentError::from)?;
    if let Some(seed) = args.seed {
        experiment.run.seed = seed;
    }
    let out =
        args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("{}-{}", experiment.name, run::stamp())));
    let world = match args.on {
        On::Sim => World::Sim,
        On::Loopback => World::Loopback,
    };
    let progress = Shown { bar: Bar::new() };
    let outcome = run::run(&experiment, &given, world, &out, &progress)?;
    progress.bar.clear();
    match args.format {
        Format::Text => print(&text(&outcome, &experiment))?,
        Format::Json => print(&json(&outcome)?)?,
    }
    Ok(verdict(&outcome))
}

/// What the exit code says: whether this could be measured at all, and well enough.
fn verdict(outcome: &Outcome) -> Exit {
    let pairs: Vec<_> = outcome.findings.pairs().map(|(_, _, pair)| &pair.delays).collect();
    if !outcome.run.failures.is_empty() {
        Exit::Failed
    } else if pairs.iter().all(|delays| delays.distribution.is_none()) {
        Exit::Nothing
    } else if pairs.iter().any(|delays| delays.heard < ENOUGH_BEEPS.min(delays.expected) || delays.heard == 0) {
        Exit::Inconclusive
    } else {
        Exit::Done
    }
}

fn text(outcome: &Outcome, experiment: &Experiment) -> String {
    let mut text = terminal::matrix(&outcome.findings);
    text.push('\n');
    for failure in &outcome.run.failures {
        text.push_str(&format!("Failed: {failure}.\n"));
    }
    if outcome.run.partial {
        text.push_str("This run is partial: it ended before its time.\n");
    }
    let lookahead = run::codec(&experiment.media.codec).delay();
    for sentence in words::findings(&outcome.findings, lookahead) {
        text.push_str(&sentence);
        text.push('\n');
    }
    if outcome.run.on == World::Loopback.name() && !experiment.links.values().all(|link| *link == Default::default()) {
        text.push_str(
            "The links of the experiment act in simulation only: over loopback packets take the kernel's way.\n",
        );
    }
    match verdict(outcome) {
        Exit::Inconclusive => {
            text.push_str(
                "Inconclusive: some pair was heard too seldom, or too doubtfully, for its figures to be relied on.\n",
            );
        }
        Exit::Nothing => text.push_str("Nothing was measured: no beep was heard anywhere.\n"),
        _ => {}
    }
    text.push_str(&format!(
        "\nAll files are in {}: delays.csv has every beep, pairs.csv the matrix, ear-*.wav what was heard.\n",
        outcome.folder.path().display()
    ));
    text
}

fn json(outcome: &Outcome) -> anyhow::Result<String> {
    let pairs: Vec<_> = crate::report::pairs::rows(&outcome.findings).collect();
    let value = serde_json::json!({ "run": outcome.run, "folder": outcome.folder.path(), "pairs": pairs });
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

/// A progress line, where somebody sees it.
struct Shown {
    bar: Bar,
}

impl Progress for Shown {
    fn playing(&self, reached: Nanos, total: Nanos) {
        self.bar.show("playing and recording", reached.as_secs_f64(), total.as_secs_f64());
    }

    fn hearing(&self, seconds: f64, total: f64) {
        self.bar.add("finding the signals in the recordings", seconds, total);
    }
}
