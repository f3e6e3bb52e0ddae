//! Searches the code book of `analysis/src/signal/book.rs`: 64 voices that are well told apart and have one clear peak.
//!
//!     cargo run --release -p jiho-analysis --example search_codes [side lobe dB] [cross peak dB]
//!
//! Greedy: seeds in order, kept if their own side lobes and their cross-peaks with all kept before are low enough.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)] // a program for the terminal

use jiho_analysis::signal::{Candidate, figures};

fn main() {
    let mut limits = std::env::args().skip(1).map(|a| a.parse::<f64>().expect("a limit in dB"));
    let side_lobe_db = limits.next().unwrap_or(-13.5);
    let cross_peak_db = limits.next().unwrap_or(-16.5);
    let mut kept: Vec<(u32, Candidate)> = Vec::new();
    let mut tried = 0u32;
    while kept.len() < 64 {
        let candidate = Candidate::new(tried);
        if candidate.side_lobe_db() <= side_lobe_db
            && kept.iter().all(|(_, other)| candidate.cross_peak_db(other) <= cross_peak_db)
        {
            kept.push((tried, candidate));
            eprint!("\r{} of 64 after {tried} seeds", kept.len());
        }
        tried += 1;
    }
    let seeds: Vec<u32> = kept.iter().map(|(seed, _)| *seed).collect();
    println!("\n{seeds:?}\ntried {tried}; {:?}", figures(&seeds));
}
