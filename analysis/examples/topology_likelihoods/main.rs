//! Counts, over random rooms of which the truth is known, how often each outcome comes about by each architecture, and
//! says how well what is said of other random rooms holds.
//!
//! `cargo run --release -p jiho-analysis --example topology_likelihoods -- 12000 3000 > counts.csv` counts over 12000 rooms
//! and, on stderr, reports on 3000 others. The counts are `analysis/src/metrics/topology/likelihoods.csv`.

// A program for people.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ear;
mod luck;
mod room;
mod score;
mod way;

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Counts, findings, outcomes};
use rayon::prelude::*;

use room::Room;
use score::Score;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (counted, reported) = (numbers.first().copied().unwrap_or(12_000), numbers.get(1).copied().unwrap_or(3000));
    let rooms: Vec<_> = (0..counted).into_par_iter().map(|seed| seen(&Room::random(seed))).collect();
    let mut counts = Counts::default();
    rooms.iter().flatten().for_each(|(outcome, truth)| counts.add(outcome, *truth));
    println!("# Rooms at random, seeds 0 to {}; made by the example topology_likelihoods.", counted.saturating_sub(1));
    print!("{}", counts.write());
    let judged: Vec<_> = (0..reported)
        .into_par_iter()
        .map(|seed| {
            let room = Room::random(1_000_000 + seed);
            (room.stage, room.audience, findings(&room.observations, &counts))
        })
        .collect();
    let mut score = Score::default();
    for (stage, audience, findings) in &judged {
        for finding in findings {
            score.add(finding, if finding.tier == Relation::Stage { *stage } else { *audience });
        }
    }
    eprint!("{score}");
}

fn seen(room: &Room) -> Vec<(jiho_analysis::metrics::topology::Outcome, jiho_analysis::metrics::topology::Hypothesis)> {
    let of = |tier, truth| outcomes(&room.observations, tier).into_iter().map(move |outcome| (outcome, truth));
    of(Relation::Stage, room.stage).chain(of(Relation::Audience, room.audience)).collect()
}
