//! `jiho sweep`: an experiment with some of its keys varied.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::bar::Bar;
use super::print;
use super::world::On;
use crate::exit::{Exit, UsageError};
use crate::experiment::{self, Experiment, ExperimentError, SweepPart};
use crate::figures::Figure;
use crate::report::sweep::{SweepTable, text};
use crate::report::sweep_page;
use crate::run::folder::Folder;
use crate::run::{self, World};
use crate::sweep::{Axis, Plan, Point, Sweep, carry_out, usual_figures};

/// Run an experiment again and again with some of its keys varied, and put what comes of it into one table and one page.
///
/// KEY is a key of the experiment's file, with points between its parts; entries of lists are called by their name, or by
/// their number from 1. VALUES are separated by commas; each is a value, whose quotes may be left out, or a range of
/// numbers, durations or percentages: FROM..TO step STEP. Of several keys all combinations are run, or, with --zip, those
/// that stand at the same places. What the file says under [sweep] holds where nothing is said here.
///
/// The folder has sweep.csv, with one row per point, repetition and figure; sweep.html; and a run's folder for each point
/// under points. Ctrl-C keeps what is measured, and --resume goes on from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho sweep first.toml --on sim --vary 'link.default.loss=0%..5% step 1%'
  jiho sweep first.toml --on sim --vary media.codec.opus.bitrate_bps=16000,32000 --vary stage=forward,mix
  jiho sweep first.toml --on sim --vary speaker.ana.playout.fixed=20ms,40ms,60ms --repeat 5 \\
    --figures 'speaker_to_audience[ana -> *].p95,heard_ratio'")]
pub(super) struct Args {
    /// The experiment's file.
    experiment: PathBuf,
    /// What to vary; may be given several times.
    #[arg(long, value_name = "KEY=VALUES")]
    vary: Vec<String>,
    /// Vary all keys in step, in place of all combinations.
    #[arg(long)]
    zip: bool,
    /// What to look at, by names and statistics with commas between [default: what the experiment has]
    #[arg(long, value_name = "FIGURES")]
    figures: Option<String>,
    /// Where: in virtual time, several points at once; or in real time over this machine's loopback, one by one.
    #[arg(long, value_enum, default_value_t = On::Sim)]
    on: On,
    /// Run each point so often, each time with the next seed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// The folder to make [default: runs/NAME-sweep-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep no folders of the runs, only what is in the table.
    #[arg(long)]
    discard_runs: bool,
    /// Go on with the sweep in --out, which was interrupted.
    #[arg(long, requires = "out")]
    resume: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let given = experiment::read(&args.experiment)?;
    let as_given = Experiment::parse(&given, &args.experiment).map_err(ExperimentError::from)?;
    let part = as_given.sweep.clone().unwrap_or_default();
    let plan = plan(args, &part, &given)?;
    let figures = figures(args, &part, &plan)?;
    let out = args.out.clone().unwrap_or_else(|| run::usual_folder(&format!("{}-sweep", as_given.name)));
    begin(args, &plan, &figures, &given, &out)?;
    let mut table = SweepTable::open(&out.join("sweep.csv"), &plan)?;
    let done = table.done(figures.len() * plan.points.first().map_or(1, |point| point.experiment.run.repeat as usize));
    table.keep(&done)?;
    let points = out.join("points");
    let wanted: Vec<&Point> = plan.points.iter().filter(|point| !done.contains(&point.number)).collect();
    for point in &wanted {
        // What an interrupt left of it is in the way.
        let folder = points.join(point.folder_name(&plan.axes));
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
    }
    args.on.enter(&as_given)?;
    let world = World::from(args.on);
    let sweep = Sweep { plan: &plan, world, figures: &figures, points: &points, discard: args.discard_runs };
    let interrupted = play(&sweep, &wanted, &mut table)?;
    table.close()?;
    let page = out.join("sweep.html");
    std::fs::write(&page, sweep_page::html(&as_given.name, &plan, &figures, &table.rows))
        .with_context(|| format!("cannot write {}", page.display()))?;
    let remark = if interrupted { "\nInterrupted: --resume goes on with the same sweep.\n" } else { "" };
    let out = out.display();
    print(&format!(
        "{}{remark}\nAll is in {out}: sweep.csv has every figure, sweep.html shows them.\n",
        text(&plan, &figures, &table.rows)
    ))?;
    let measured = table.rows.iter().any(|row| row.value.is_some());
    Ok(if measured { Exit::Done } else { Exit::Nothing })
}

/// Runs what is wanted; whether that was interrupted.
fn play(sweep: &Sweep<'_>, wanted: &[&Point], table: &mut SweepTable) -> anyhow::Result<bool> {
    let bar = Bar::new();
    let (mut done, all) = (0, wanted.len());
    let told = bar.clone();
    run::interruptible(
        move || told.answer(run::INTERRUPTED),
        |interrupt| {
            bar.show("running points", 0.0, all as f64);
            carry_out(sweep, wanted, interrupt, &mut |rows| {
                done += 1;
                bar.show("running points", done as f64, all as f64);
                table.append(rows)
            })?;
            bar.clear();
            Ok(interrupt.wanted() && done < all)
        },
    )
}

fn plan(args: &Args, part: &SweepPart, given: &str) -> anyhow::Result<Plan> {
    let axes = match args.vary.as_slice() {
        [] => Axis::of_file(part)?,
        vary => vary.iter().map(|text| Axis::parse(text)).collect::<Result<_, _>>()?,
    };
    if axes.is_empty() {
        let nothing = "nothing is varied: give --vary KEY=VALUES, or [sweep.vary] in the experiment's file";
        return Err(UsageError::say(nothing).into());
    }
    let mut plan = Plan::new(given, &args.experiment, axes, args.zip || part.zip)?;
    if let Some(repeat) = args.repeat {
        plan.points.iter_mut().for_each(|point| point.experiment.run.repeat = repeat);
    }
    Ok(plan)
}

fn figures(args: &Args, part: &SweepPart, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let names: Vec<&str> = match &args.figures {
        Some(names) => names.split(',').collect(),
        None => part.figures.iter().map(String::as_str).collect(),
    };
    if names.is_empty() {
        return Ok(plan.points.first().map(|point| usual_figures(&point.experiment)).unwrap_or_default());
    }
    Ok(names.into_iter().map(|name| name.parse().map_err(UsageError::new)).collect::<Result<_, _>>()?)
}

/// Makes the folder with what the sweep is, or finds the same sweep there.
fn begin(args: &Args, plan: &Plan, figures: &[Figure], given: &str, out: &Path) -> anyhow::Result<()> {
    let described = serde_json::json!({
        "on": World::from(args.on).name(),
        "zip": plan.zip,
        "vary": plan.axes.iter().map(|axis| (axis.key.as_str(), axis.values().collect())).collect::<Vec<(_, Vec<_>)>>(),
        "repeat": plan.points.iter().map(|point| point.experiment.run.repeat).collect::<Vec<_>>(),
        "figures": figures.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let described = format!("{}\n", serde_json::to_string_pretty(&described)?);
    let files = [(out.join("experiment.toml"), given.to_owned()), (out.join("sweep.json"), described)];
    if args.resume {
        let same = files.iter().all(|(path, text)| std::fs::read_to_string(path).is_ok_and(|there| there == *text));
        let other =
            || UsageError::say(format!("{} holds no sweep that says the same: nothing to go on with", out.display()));
        return if same { Ok(()) } else { Err(other().into()) };
    }
    Folder::create(out)?;
    for (path, text) in files {
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
