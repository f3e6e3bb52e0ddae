//! Runs the points of a sweep: in simulation as many at once as there are cores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use anyhow::Context;
use jiho_analysis::units::Nanos;

use super::plan::{Plan, Point};
use crate::figures::Figure;
use crate::report::sweep::SweepRow;
use crate::report::tables::Tables;
use crate::run::interrupt::Interrupt;
use crate::run::{Progress, World, series};

/// What a sweep is about, and where.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// What is run.
    pub plan: &'a Plan,
    /// In which world.
    pub world: World,
    /// What of each run goes into the table.
    pub figures: &'a [Figure],
    /// Where points have their folders.
    pub points: &'a Path,
    /// Folders are taken away once their figures are known.
    pub discard: bool,
}

/// What a point came to: its rows; `None` if it was interrupted.
type PointDone = anyhow::Result<Option<Vec<SweepRow>>>;

/// Runs all points that are `wanted`, and hands out what each came to as it is known. An interrupt ends the sweep with the
/// points that were under way, of which nothing is handed out.
///
/// # Errors
/// A point cannot be run, or what it came to cannot be handed out.
pub fn carry_out(
    sweep: &Sweep<'_>,
    wanted: &[&Point],
    interrupt: &Interrupt,
    each: &mut dyn FnMut(Vec<SweepRow>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let at_once = match sweep.world {
        World::Sim => thread::available_parallelism().map_or(1, usize::from).min(wanted.len()),
        World::Loopback | World::Device => 1,
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (done, results) = channel();
        for _ in 0..at_once {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || work(sweep, wanted, next, interrupt, &done));
        }
        drop(done);
        let mut outcome = Ok(());
        for result in results {
            let told = result.and_then(|rows| rows.map_or(Ok(()), &mut *each));
            if told.is_err() && outcome.is_ok() {
                // Whoever is under way comes to its end first.
                next.store(wanted.len(), Ordering::Relaxed);
                outcome = told;
            }
        }
        outcome
    })
}

fn work(sweep: &Sweep<'_>, wanted: &[&Point], next: &AtomicUsize, interrupt: &Interrupt, done: &Sender<PointDone>) {
    while let Some(point) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
        if interrupt.wanted() || done.send(run(sweep, point, interrupt)).is_err() {
            break;
        }
    }
}

fn run(sweep: &Sweep<'_>, point: &Point, interrupt: &Interrupt) -> PointDone {
    let folder: PathBuf = sweep.points.join(point.folder_name(&sweep.plan.axes));
    let (mut rows, mut interrupted) = (Vec::new(), false);
    let told =
        series::run_until(interrupt, &point.experiment, &point.text, sweep.world, &folder, &Untold, &mut |run| {
            interrupted |= interrupt.wanted() && run.run.partial;
            let tables = Tables::open(run.folder.path())?;
            for figure in sweep.figures {
                rows.push(SweepRow::of(point, run.run.rep, figure, figure.of(&tables)?));
            }
            Ok(())
        });
    told.with_context(|| format!("point {}", point.number))?;
    if sweep.discard && !interrupted {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok((!interrupted).then_some(rows))
}

/// Points have no progress of their own.
struct Untold;

impl Progress for Untold {
    fn playing(&self, _: Nanos, _: Nanos) {}
    fn hearing(&self, _: f64, _: f64) {}
}
