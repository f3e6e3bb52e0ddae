//! `jiho run`: an experiment, from its file to the delay matrix.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use jiho_analysis::units::Nanos;

use super::bar::Bar;
use super::world::WorldArgs;
use super::{findings, print, watch};
use crate::exit::Exit;
use crate::experiment::Experiment;
use crate::report::jsonl::Line;
use crate::report::tables::Tables;
use crate::report::{self, repetitions};
use crate::run::watch::{Begun, Watcher};
use crate::run::{self, Outcome, Progress, World, series};

/// Run an experiment, and say how late everybody heard everybody.
///
/// Every ear is recorded, every speaker's signal is found in every recording, and all of it is kept in the run's
/// folder: recordings with sidecars, emissions.csv, packets.csv, events.csv, arrivals.csv, delays.csv, pairs.csv,
/// steps.csv, run.json, the experiment as given and as effective, and the reports that `jiho report` makes of it.
///
/// Ctrl-C once ends the run early and measures what was heard; twice leaves at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho run first.toml
  jiho run first.toml --on sim --seed 7 --out /tmp/first
  JIHO_TOKEN=secret jiho run first.toml --relay 127.0.0.1:4000
  jiho run first.toml --format json | jq '.pairs[] | {speaker, recorder, median_ms}'")]
pub(super) struct Args {
    /// The experiment's file.
    experiment: PathBuf,
    #[command(flatten)]
    world: WorldArgs,
    /// Run it so often, each time with the next seed, and say what all repetitions have in common.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// A report for people; the run and its pairs as JSON; or a JSON object per line, while it goes on.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Show on standard error who hears whom and how late, while the run goes on: drawn on a terminal, elsewhere in lines.
    #[arg(long)]
    watch: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For programs, line by line as things become known.
    Jsonl,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (mut experiment, given) = args.world.experiment(&args.experiment)?;
    if let Some(repeat) = args.repeat {
        experiment.run.repeat = repeat;
    }
    let (world, out) = (args.world.world(&experiment), args.world.out(&experiment));
    let progress = Shown { watch: args.watch, stream: args.format == Format::Jsonl, ..Shown::new() };
    let began = Instant::now();
    let (mut exit, mut runs) = (Exit::Done, 0);
    series::run(&experiment, &given, world, &out, &progress, &mut |outcome| {
        progress.clear();
        exit = Exit::worst([exit, self::exit(&outcome)]);
        runs += 1;
        match (experiment.run.repeat, args.format) {
            (1, Format::Text) => print(&text(&outcome, &experiment))?,
            (_, Format::Json) => print(&json(&outcome)?)?,
            (_, Format::Jsonl) => {
                Line::measured(&outcome).iter().try_for_each(|line| anyhow::Ok(print(&line.text()?)?))?
            }
            // If nobody reads standard error, nobody wants to know.
            (all, Format::Text) => drop(writeln!(std::io::stderr(), "repetition {runs} of {all}")),
        }
        Ok(())
    })?;
    report::write_all(&out, &out)?;
    if world == World::Sim {
        let room_s = experiment.run.total().as_secs_f64() * f64::from(runs);
        let cost = cost(room_s, began.elapsed().as_secs_f64(), most_memory_mib());
        let _ = writeln!(std::io::stderr(), "{cost}");
    }
    if experiment.run.repeat > 1 && args.format == Format::Text {
        let tables = series::folders(&out)?.iter().map(|rep| Tables::open(rep)).collect::<anyhow::Result<Vec<_>>>()?;
        let text = repetitions::text(&tables)?;
        print(&format!("{text}\nEach repetition has a folder of its own in {}: rep-1 …\n", out.display()))?;
    }
    Ok(exit)
}

fn exit(outcome: &Outcome) -> Exit {
    if outcome.run.failures.is_empty() {
        findings::verdict(&outcome.findings, &outcome.run.keyless())
    } else {
        Exit::Failed
    }
}

/// What a simulation took, measuring included.
fn cost(room_s: f64, took_s: f64, most_mib: Option<u64>) -> String {
    let memory = most_mib.map(|mib| format!(", at most {mib} MiB of memory")).unwrap_or_default();
    format!("{room_s:.0} s of room in {took_s:.1} s ({:.1} × real time){memory}", room_s / took_s)
}

/// The most memory that this process has had, where the system tells.
fn most_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

/// The report for people.
pub(super) fn text(outcome: &Outcome, experiment: &Experiment) -> String {
    let lookahead = run::codec(&experiment.media.codec).delay();
    format!(
        "{}\nAll files are in {}: delays.csv has every beep, pairs.csv the matrix, ear-*.wav what was heard.\n",
        findings::text(
            &outcome.findings,
            &outcome.architecture,
            lookahead,
            &outcome.run.said(),
            &outcome.run.keyless()
        ),
        outcome.folder.path().display()
    )
}

fn json(outcome: &Outcome) -> anyhow::Result<String> {
    let mut value = serde_json::json!({ "run": outcome.run, "folder": outcome.folder.path() });
    findings::add(&mut value, &outcome.findings, &outcome.architecture);
    Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
}

/// A progress line, where somebody sees it.
pub(super) struct Shown {
    bar: Bar,
    /// Show runs as they go on,
    watch: bool,
    /// and write them line by line.
    stream: bool,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self { bar: Bar::new(), watch: false, stream: false }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.clear();
    }
}

impl Progress for Shown {
    fn playing(&self, reached: Nanos, total: Nanos) {
        if !self.watch {
            self.bar.show("playing and recording", reached.as_secs_f64(), total.as_secs_f64());
        }
    }

    fn hearing(&self, seconds: f64, total: f64) {
        self.bar.add("finding the signals in the recordings", seconds, total);
    }

    fn watcher(&self, begun: &Begun) -> Option<Box<dyn Watcher>> {
        let people = self.watch.then(|| watch::for_people(begun, &self.bar));
        let programs = self.stream.then(|| watch::for_programs(begun));
        let all: Vec<_> = people.into_iter().chain(programs).collect();
        (!all.is_empty()).then(|| Box::new(watch::All(all)) as Box<dyn Watcher>)
    }

    fn interrupted(&self) -> Box<dyn Fn() + Send> {
        let bar = self.bar.clone();
        Box::new(move || bar.answer(run::INTERRUPTED))
    }
}
