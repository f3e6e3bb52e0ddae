//! Random rooms of known architecture: holds them in simulation, as many at a time as there are cores, or in real time on
//! this machine's loopback, says what each is and what was heard in it, and how rightly they were named by that.
//!
//!     random_rooms --rooms 600                      the rooms that are reported on
//!     random_rooms --rooms 600 --calibrate          those that thresholds are set on
//!     random_rooms --rooms 60 --drop-probe          some of those who take part drop packets on purpose
//!     random_rooms --rooms 60 --lossless --keep DIR no link loses anything; the runs' folders are kept
//!     random_rooms --rooms 190 --drop-probe --on loopback    ten of each architecture in real time, of few people
//!     random_rooms --rooms 20 --only mesh/mix,forward/cascade only those that are served so, stage first
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program for the terminal

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use jiho::random_rooms::{Pilots, Purpose, RandomRoom, Table, Truth, Wish, draw, hold};
use jiho::run::folder::Folder;
use jiho::run::{self, World};
use jiho_analysis::metrics::topology::Finding;

/// Rooms in real time at once. Most of a run is waiting; two cores hold so many without being late for what they send.
const AT_ONCE: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    Sim,
    Loopback,
}

#[derive(Parser)]
struct Args {
    /// How many.
    #[arg(long, default_value_t = 19)]
    rooms: usize,
    /// Leave out so many first.
    #[arg(long, default_value_t = 0)]
    skip: usize,
    /// Only rooms that are served like this, such as `mesh/mix,forward/cascade`: stage, then audience.
    #[arg(long, value_delimiter = ',', value_name = "STAGE/AUDIENCE", value_parser = truth)]
    only: Vec<Truth>,
    /// Those that thresholds are set on, in place of those that are reported on.
    #[arg(long)]
    calibrate: bool,
    /// Some of those who take part drop packets on purpose.
    #[arg(long)]
    drop_probe: bool,
    /// No link loses anything.
    #[arg(long)]
    lossless: bool,
    /// Keep the runs' folders here, without recordings, and truth.csv beside them.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// In virtual time, or in real time over this machine's loopback, in rooms of few people.
    #[arg(long, value_enum, default_value_t = On::Sim)]
    on: On,
    /// How many at a time: one for each core, or four on loopback.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let purpose = if args.calibrate { Purpose::Calibrate } else { Purpose::Report };
    let wish = Wish { drop_probe: args.drop_probe, lossless: args.lossless, few: args.on == On::Loopback };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let (world, at_once) = match args.on {
        On::Sim => (World::Sim, cores()),
        On::Loopback => (World::Loopback, AT_ONCE),
    };
    let drawn = purpose.seeds(u32::MAX).map(|seed| draw(seed, wish));
    let wanted = drawn.filter(|room| args.only.is_empty() || args.only.contains(&room.truth));
    let rooms: Vec<RandomRoom> = wanted.skip(args.skip).take(args.rooms).collect();
    let temporary = tempfile::tempdir()?;
    let dir = args.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let jobs = args.jobs.unwrap_or(at_once);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let _pilots = Pilots::new();
    let work = || -> anyhow::Result<()> {
        while let Some(room) = rooms.get(next.fetch_add(1, Ordering::Relaxed)) {
            let folder = hold(room, world, &dir.join(room.seed.to_string()))?;
            let held = Held::of(room.clone(), &folder)?;
            if args.keep.is_none() {
                folder.discard()?;
            }
            println!("{held}");
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(held);
        }
        Ok(())
    };
    println!(
        "{:>10} {:<24} {:>8} {:>9} {:>5}  {:>5} {:>5}",
        "seed", "truth", "speakers", "listeners", "loses", "holes", "drops"
    );
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(worked) => worked,
            Err(_) => anyhow::bail!("a worker has panicked"),
        })
    })?;
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if args.keep.is_some() {
        write_truth(&dir, &done)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut table = Table::default();
    done.iter().for_each(|held| table.add(&held.room, &held.findings));
    println!("\n{table}");
    println!("{} rooms in {seconds:.0} s: {:.2} s each", done.len(), seconds / done.len().max(1) as f64);
    Ok(())
}

fn truth(name: &str) -> Result<Truth, String> {
    let all = || Truth::all().into_iter();
    let names = || all().map(|truth| truth.name()).collect::<Vec<_>>().join(", ");
    all().find(|truth| truth.name() == name).ok_or_else(|| format!("there are {}", names()))
}

/// A room that was held, how much was heard of it, and what that says.
struct Held {
    room: RandomRoom,
    findings: Vec<Finding>,
    holes: usize,
    drops: usize,
}

impl Held {
    /// Judges its folder, and takes its recordings away: they are large.
    fn of(room: RandomRoom, folder: &Folder) -> anyhow::Result<Self> {
        let rows = |path: PathBuf| -> anyhow::Result<usize> {
            let there = path.exists();
            Ok(if there { csv::Reader::from_path(path)?.records().count() } else { 0 })
        };
        let findings = run::architecture(std::slice::from_ref(folder))?;
        let held = Self { holes: rows(folder.breaks())?, drops: rows(folder.drops())?, findings, room };
        for (recording, _) in folder.sidecars()? {
            std::fs::remove_file(recording)?;
        }
        Ok(held)
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { room: RandomRoom { seed, truth, loses, speakers, listeners, .. }, holes, drops, .. } = self;
        let loses = if *loses { "yes" } else { "no" };
        write!(f, "{seed:>10} {:<24} {speakers:>8} {listeners:>9} {loses:>5}  {holes:>5} {drops:>5}", truth.name())
    }
}

fn write_truth(dir: &std::path::Path, held: &[Held]) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_path(dir.join("truth.csv"))?;
    table.write_record(["seed", "stage", "audience", "speakers", "listeners", "loses"])?;
    for Held { room, .. } in held {
        let [seed, speakers, listeners] = [room.seed as usize, room.speakers, room.listeners].map(|n| n.to_string());
        let loses = room.loses.to_string();
        table.write_record([
            &seed,
            room.truth.stage.name(),
            room.truth.audience.name(),
            &speakers,
            &listeners,
            &loses,
        ])?;
    }
    Ok(table.flush()?)
}
