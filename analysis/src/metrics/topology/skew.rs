//! Whether one speaker's sound moves against another's at all ears alike.
//!
//! Speakers' clocks drift apart, and somebody has to make up for it. Where sound is mixed, the mixer does, once for
//! all: which instants of two speakers sound together changes at the same instant and by the same amount at all ears.
//! Where it is not, every ear does for itself. Instants are counted by a speaker's own clock, the same one at all ears.

use std::collections::BTreeMap;

use super::Kind;
use super::outcome::{Outcome, amount, counted, share};
use super::series::{Room, ordered_pairs, together};
use crate::metrics::Relation;

/// Smaller moves of one speaker against another from one sighting to the next are drift, in ms.
const MOVE_MS: f64 = 1.5;
/// Moves are the same if they differ by less, in ms, …
const SAME_MS: f64 = 0.6;
/// … and lie within this time of each other, in ns of the speaker's clock.
const AT_ONCE_NS: i64 = 1_600_000_000;

/// When, in ns of the speaker's clock, and by how much, in ms.
type Move = (i64, f64);

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let mut of_pairs: BTreeMap<(&str, &str), Vec<Vec<Move>>> = BTreeMap::new();
    for (_, heard) in room.ears(tier) {
        for (a, b) in ordered_pairs(heard) {
            of_pairs.entry((a, b)).or_default().push(moves_of(&together(heard, a, b)));
        }
    }
    let (mut moves, mut alike) = (0, 0);
    for at_ears in of_pairs.values().filter(|at_ears| at_ears.len() >= 2) {
        for (n, own) in at_ears.iter().enumerate() {
            for (at, by) in own {
                let shared = |other: &Vec<Move>| {
                    other.iter().any(|(there, much)| (there - at).abs() < AT_ONCE_NS && (much - by).abs() < SAME_MS)
                };
                moves += 1;
                alike += usize::from(at_ears.iter().enumerate().all(|(m, other)| m == n || shared(other)));
            }
        }
    }
    if moves == 0 {
        return None;
    }
    let case = match share(alike, moves) {
        all if all >= 0.7 => "alike",
        all if all >= 0.2 => "mixed",
        _ => "apart",
    };
    let all = counted(moves, "time");
    let sentence = match case {
        "alike" => format!(
            "Of {all} that a speaker's sound moved against another's at an ear, {alike} were at all ears at once: one \
             mixer makes up for clocks and jitter."
        ),
        "apart" => format!(
            "Of {all} that a speaker's sound moved against another's at an ear, {alike} were at all ears at once: each \
             ear makes up for clocks and jitter by itself."
        ),
        _ => format!(
            "Of {all} that a speaker's sound moved against another's at an ear, {alike} were at all ears at once."
        ),
    };
    Some(Outcome { tier, kind: Kind::Skew, context: amount(moves), case, sentence })
}

fn moves_of(behind: &BTreeMap<i64, f64>) -> Vec<Move> {
    let later = behind.iter().skip(1);
    behind.iter().zip(later).map(|((_, a), (at, b))| (*at, b - a)).filter(|(_, by)| by.abs() > MOVE_MS).collect()
}
