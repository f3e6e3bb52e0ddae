//! `jiho gate`: whether a run's figures are as they should be.

mod asked;
mod recorded;

use std::io::Write;
use std::path::PathBuf;

use super::run::Shown;
use super::world::WorldArgs;
use super::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::gates::REPETITIONS;
use crate::gates::held::{self, Evidence, Reference};
use crate::gates::history::History;
use crate::gates::rounds::Rounds;
use crate::report::gates::{self as rows, GateRow, Verdict};
use crate::report::table::Table;
use crate::report::tables::Tables;
use crate::run::{World, series};
use asked::{Asked, Compared};

/// Run an experiment, and judge it: by limits, and by comparison with a run that was, with a history, or with another
/// build.
///
/// What is judged stands in the experiment as [[gate]], or is given here. Over loopback an experiment is repeated 15
/// times unless it says otherwise, and as often again where that does not settle it; a simulation is exact, and runs
/// once. A verdict is pass, fail or inconclusive, which is where the interval holds both. All are in gates.csv.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho gate room.toml --limit 'speaker_to_audience.p95 < 400ms' --limit 'heard_ratio > 98%'
  jiho gate room.toml --against ./jiho-of-main --figure delay.median --figure delay.p95
  jiho gate room.toml --history history.csv --record
  jiho gate --run runs/room-20261130T120000Z --baseline runs/room-20261101T120000Z

Figures are METRIC[SPEAKER -> EAR].STATISTIC; docs/gates.md lists all metrics.")]
pub(super) struct Args {
    /// The experiment's file.
    #[arg(required_unless_present = "run", conflicts_with = "run")]
    experiment: Option<PathBuf>,
    /// Judge a run that was, or a series of repetitions, in place of a new one.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["on", "out", "seed", "repeat", "relay", "against"])]
    run: Option<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
    /// Repetitions of a round [default: the experiment's, or 15 over loopback and 1 in simulation if it has none]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// A limit, such as 'heard_ratio[* -> lena] > 98%'; may be given several times.
    #[arg(long, value_name = "LIMIT")]
    limit: Vec<String>,
    /// A figure to compare, such as speaker_to_audience.p95; may be given several times [default: those with limits]
    #[arg(long, value_name = "FIGURE")]
    figure: Vec<String>,
    /// Compare with this run, or series of repetitions.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["history", "against"])]
    baseline: Option<PathBuf>,
    /// Compare with the last level of this history, and say where its level changed.
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    history: Option<PathBuf>,
    /// Compare with another build of jiho, whose repetitions are run in turn with this one's.
    #[arg(long, value_name = "BINARY", conflicts_with = "relay")]
    against: Option<PathBuf>,
    /// Append this run to the history.
    #[arg(long)]
    record: bool,
    /// The commit to record [default: that of the CI's variables, or of git]
    #[arg(long, requires = "record")]
    commit: Option<String>,
    /// The branch to record [default: that of the CI's variables, or of git]
    #[arg(long, requires = "record")]
    branch: Option<String>,
    /// Verdicts for people, or the rows of gates.csv as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let asked = Asked::of(args)?;
    if args.record && !matches!(asked.compared, Compared::History(_)) {
        return Err(UsageError::say("--record needs a file to append to: give --history FILE").into());
    }
    let mut reference = match &asked.compared {
        Compared::Run(folder) => Reference::Baseline(tables(&series::folders(folder)?)?),
        Compared::History(path) if !path.exists() && !args.record => {
            let missing = format!("there is no history {}: --record begins one", path.display());
            return Err(UsageError::say(missing).into());
        }
        Compared::History(path) => Reference::History(History::read(path)?),
        Compared::Build(_) => Reference::OtherBuild(Vec::new()),
        Compared::Nothing => Reference::Nothing,
    };
    let (folder, here, held, failures) = match &args.run {
        Some(folder) => {
            let here = tables(&series::folders(folder)?)?;
            check(&here, &reference)?;
            let held = Evidence { here: &here, reference: &reference, first_round: None }.held(&asked.gates)?;
            (folder.clone(), here, held, Vec::new())
        }
        None => measured(args, &asked, &mut reference)?,
    };
    Table::write(&series::gates_of(&folder), held.rows.clone())?;
    let evidence = Evidence { here: &here, reference: &reference, first_round: None };
    let mut text = rows::text(&held.rows);
    if let Reference::History(history) = &reference {
        text += &recorded::changes(history, &evidence, &asked.gates);
    }
    match args.format {
        Format::Text => print(&format!("{text}All are in {}.\n", series::gates_of(&folder).display()))?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&held.rows)?))?,
    }
    if let (Reference::History(history), true) = (&mut reference, args.record) {
        recorded::record(history, &here, &asked.gates, args.commit.clone(), args.branch.clone())?;
    }
    for failure in &failures {
        let _ = writeln!(std::io::stderr(), "jiho: {failure}");
    }
    Ok(if failures.is_empty() { exit(&held.rows) } else { Exit::Failed })
}

type Measurement = (PathBuf, Vec<Tables>, held::Held, Vec<String>);

/// Runs the experiment, a second round too where the first leaves something open.
fn measured(args: &Args, asked: &Asked, reference: &mut Reference) -> anyhow::Result<Measurement> {
    let (Some((experiment, given)), Some(file)) = (&asked.experiment, &args.experiment) else {
        return Err(UsageError::say("give an experiment's file, or --run FOLDER").into());
    };
    let world = args.world.world(experiment);
    let count = match (args.repeat, experiment.run.repeat, world) {
        (Some(count), ..) => count,
        (None, 1, World::Loopback | World::Device) => REPETITIONS,
        (None, count, _) => count,
    };
    let out = args.world.out(experiment);
    let other = if let Compared::Build(program) = &asked.compared { Some(program.as_path()) } else { None };
    let alone = count == 1 && world == World::Sim && other.is_none();
    let progress = Shown::new();
    let mut rounds = Rounds::begin(experiment, file, given, world, &out, other, alone)?;
    let mut first_round = None;
    loop {
        let all = if first_round.is_some() { 2 * count } else { count };
        rounds.round(count, &progress, &|rep, whose| {
            progress.clear();
            if all > 1 || !whose.is_empty() {
                let whose = if whose.is_empty() { String::new() } else { format!(", {whose}") };
                // If nobody reads standard error, nobody wants to know.
                let _ = writeln!(std::io::stderr(), "repetition {rep} of {all}{whose}");
            }
        })?;
        progress.clear();
        let here = tables(&rounds.here)?;
        if let Reference::OtherBuild(there) = reference {
            *there = tables(&rounds.there)?;
        }
        check(&here, reference)?;
        let held = Evidence { here: &here, reference, first_round }.held(&asked.gates)?;
        if first_round.is_some() || !held.open || rounds.interrupted {
            return Ok((out, here, held, rounds.failures));
        }
        first_round = Some(here.len());
        let _ = writeln!(std::io::stderr(), "not settled, or to be confirmed: once more as many repetitions");
    }
}

fn tables(folders: &[PathBuf]) -> anyhow::Result<Vec<Tables>> {
    folders.iter().map(|folder| Tables::open(folder)).collect()
}

fn check(here: &[Tables], reference: &Reference) -> Result<(), UsageError> {
    match reference {
        Reference::Baseline(there) | Reference::OtherBuild(there) => held::comparable(here, there),
        Reference::Nothing | Reference::History(_) => Ok(()),
    }
}

/// Nothing that was not measured looks like a verdict.
fn exit(rows: &[GateRow]) -> Exit {
    let any = |verdict| rows.iter().any(|row| row.verdict == verdict);
    if rows.iter().all(|row| row.value().is_none()) {
        Exit::Nothing
    } else if any(Verdict::Fail) {
        Exit::GateFailed
    } else if any(Verdict::Inconclusive) {
        Exit::Inconclusive
    } else {
        Exit::Done
    }
}
