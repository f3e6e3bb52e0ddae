//! How often `jiho gate` is wrong: sides that are alike and are told apart, and sides that differ and are not.
//!
//! `cargo run --release -p jiho --example gate_errors -- [--runs N] [--keep FOLDER] [--pairs N]` simulates a room whose
//! jitter buffers scatter delays, `fixtures/gate/noisy-room.toml`, N times into FOLDER (those that are there already are
//! taken as they are), draws repetitions from these runs, and prints two tables.
//!
//! `… -- --real FOLDER [--repetitions N]` judges runs that were made one after the other, FOLDER/1, FOLDER/2 …, in pairs
//! of sides A B B A, one round each: nothing differs between the sides, so whatever fails is a false alarm.

// An example has nobody to hand an error to, and its results are what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use jiho::experiment::Experiment;
use jiho::figures::{Figure, Sample};
use jiho::gates::errors::{Harm, Tally, tally};
use jiho::gates::judge::change;
use jiho::gates::{Comparison, Measured, REPETITIONS};
use jiho::report::gates::Verdict;
use jiho::report::tables::Tables;
use jiho::run::{self, Progress, World};
use jiho_analysis::units::Nanos;

const ROOM: &str = include_str!("../../../fixtures/gate/noisy-room.toml");

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1);
    let number = |name: &str, usual: usize| after(name).map_or(usual, |text| text.parse().unwrap());
    match after("--real") {
        Some(folder) => real(Path::new(folder), number("--repetitions", 8)),
        None => {
            let temporary = std::env::temp_dir().join("gate-errors");
            let folder = after("--keep").map_or(temporary, PathBuf::from);
            simulated(&folder, number("--runs", 300), number("--pairs", 500));
        }
    }
}

fn simulated(folder: &Path, runs: usize, pairs: usize) {
    let tables: Vec<Tables> = (1..=runs).map(|n| Tables::open(&run_of(folder, n)).unwrap()).collect();
    println!(
        "{pairs} pairs of {REPETITIONS} repetitions a side, drawn from {runs} simulated runs; found worse, in %\n"
    );
    println!("| figure | what was done to one side | gate | inconclusive | t-test of all beeps | t-test of means |");
    println!("|---|---|---|---|---|---|");
    for (name, harm, done) in [
        ("speaker_to_audience.median", Harm::None, "nothing"),
        ("speaker_to_audience.p95", Harm::None, "nothing"),
        ("speaker_to_audience.median", Harm::Shift(2.0), "2 ms more for all"),
        ("speaker_to_audience.p95", Harm::Tail(0.1, 5.0), "5 ms more for the last tenth"),
        ("speaker_to_audience.median", Harm::Tail(0.1, 5.0), "5 ms more for the last tenth"),
    ] {
        let figure: Figure = name.parse().unwrap();
        let pool: Vec<Vec<Sample>> = tables.iter().map(|tables| figure.samples(tables).unwrap()).collect();
        let counted = tally(&pool, &Comparison::of(figure), harm, pairs, REPETITIONS as usize, 1);
        let Tally { fail, inconclusive, t_of_samples, t_of_repetitions, .. } = counted;
        let percent = |count: usize| 100.0 * count as f64 / pairs as f64;
        println!(
            "| `{name}` | {done} | {:.1} | {:.1} | {:.1} | {:.1} |",
            percent(fail),
            percent(inconclusive),
            percent(t_of_samples),
            percent(t_of_repetitions)
        );
    }
}

/// The folder of a run with this seed, which is made if it is not there.
fn run_of(folder: &Path, seed: usize) -> PathBuf {
    let out = folder.join(seed.to_string());
    if !out.join("pairs.csv").is_file() {
        let mut experiment = Experiment::parse(ROOM, Path::new("noisy-room.toml")).unwrap();
        experiment.run.seed = u32::try_from(seed).unwrap();
        run::run(&experiment, ROOM, World::Sim, &out, &Silent).unwrap();
        eprintln!("simulated {seed}");
    }
    out
}

fn real(folder: &Path, repetitions: usize) {
    let path = |n: usize| folder.join(n.to_string());
    let runs: Vec<Tables> =
        (1..).map(path).take_while(|path| path.is_dir()).filter_map(|path| Tables::open(&path).ok()).collect();
    let pairs: Vec<&[Tables]> = runs.chunks_exact(2 * repetitions).collect();
    println!("{} real pairs of {repetitions} repetitions a side, A B B A, one round\n", pairs.len());
    println!("| figure | fail | inconclusive | pass |\n|---|---|---|---|");
    for name in ["speaker_to_audience.median", "speaker_to_audience.p95", "delay.median", "delay.p95", "heard_ratio"] {
        let comparison = Comparison::of(name.parse().unwrap());
        let verdicts: Vec<Option<Verdict>> = pairs
            .iter()
            .map(|pair| {
                let side = |first: bool| {
                    let runs = pair.iter().enumerate().filter(|(n, _)| matches!(n % 4, 0 | 3) == first);
                    let samples = runs.map(|(_, tables)| comparison.figure.samples(tables).unwrap()).collect();
                    Measured::from_samples(&comparison.figure, samples)
                };
                change(&comparison, &side(true), &side(false), None, false).map(|change| change.verdict)
            })
            .collect();
        let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
        let [fail, open, pass] = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass].map(Some).map(count);
        println!("| `{name}` | {fail} | {open} | {pass} |");
    }
}

/// Nobody waits for a single run.
struct Silent;

impl Progress for Silent {
    fn playing(&self, _reached: Nanos, _total: Nanos) {}
    fn hearing(&self, _seconds: f64, _total: f64) {}
}
