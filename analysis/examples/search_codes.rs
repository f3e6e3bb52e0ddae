//! Searches a code book of `analysis/src/signal/book.rs`: 64 beeps that are well told apart and have one clear peak.
//!
//!     cargo run --release -p jiho-analysis --example search_codes FAMILY HZ SIDE_LOBE_DB CROSS_PEAK_DB FIRST_SEED
//!
//! Greedy: seeds in order, kept if their own side lobes and their cross-peaks with all kept before are low enough.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, clippy::panic)] // a program for the terminal

use jiho_analysis::signal::{Candidate, Code, Comparison, Family};
use jiho_analysis::units::Rate;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, hz, side_lobe_db, cross_peak_db, first] = &arguments[..] else { panic!("five arguments: see above") };
    let family = Family::ALL.into_iter().find(|family| family.name() == name).expect("the name of a family");
    let comparison = Comparison::new(family, Rate(hz.parse().expect("a rate in Hz")));
    let [side_lobe_db, cross_peak_db]: [f64; 2] =
        [side_lobe_db, cross_peak_db].map(|limit| limit.parse().expect("a limit in dB"));
    let first: u32 = first.parse().expect("a seed");
    let mut kept: Vec<(u32, Candidate)> = Vec::new();
    let mut seed = first;
    while kept.len() < usize::from(Code::COUNT) {
        let candidate = comparison.candidate(seed);
        if comparison.side_lobe(&candidate).1 <= side_lobe_db
            && kept.iter().all(|(_, other)| comparison.cross_peak_db(&candidate, other) <= cross_peak_db)
        {
            kept.push((seed, candidate));
            eprint!("\r{} of {} up to seed {seed}", kept.len(), Code::COUNT);
        }
        seed += 1;
    }
    let seeds: Vec<u32> = kept.iter().map(|(seed, _)| *seed).collect();
    println!("\n{seeds:?}\nof {} seeds; {:?}", seed - first, comparison.figures(&seeds));
}
