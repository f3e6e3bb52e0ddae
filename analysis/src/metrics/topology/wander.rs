//! Whether the delays of several speakers move together at one ear.
//!
//! A jitter buffer that moves to another delay takes along all that comes in its stream: of a mix everybody, of a
//! forwarded stream its speaker alone. Each ear's clock is compared with itself.

use super::outcome::{Outcome, amount, counted, share};
use super::series::{Room, delay_ms, heard_ms};
use super::{Kind, Sighting};
use crate::metrics::Relation;

/// Smaller moves of a delay from one sighting to the next are drift, in ms.
const MOVE_MS: f64 = 1.5;
/// Moves are the same if they differ by less, in ms, …
const SAME_MS: f64 = 0.6;
/// … and happen within this time of each other, at one ear.
const AT_ONCE_MS: f64 = 1600.0;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let (mut moves, mut together) = (0, 0);
    for (_, heard) in room.ears(tier).filter(|(_, heard)| heard.series.len() >= 2) {
        let all: Vec<Vec<(f64, f64)>> = heard.series.values().map(|series| moves_of(series)).collect();
        for (n, own) in all.iter().enumerate() {
            for (at, by) in own {
                let shared = |other: &Vec<(f64, f64)>| {
                    other.iter().any(|(there, much)| (there - at).abs() < AT_ONCE_MS && (much - by).abs() < SAME_MS)
                };
                moves += 1;
                together += usize::from(all.iter().enumerate().all(|(m, other)| m == n || shared(other)));
            }
        }
    }
    if moves == 0 {
        return None;
    }
    let case = match share(together, moves) {
        all if all >= 0.8 => "together",
        all if all >= 0.25 => "mixed",
        _ => "apart",
    };
    let all = counted(moves, "move");
    let sentence = match case {
        "together" => format!(
            "Of {all} of a delay at an ear, {together} took all speakers along by as much: they come in one stream."
        ),
        "apart" => format!(
            "Of {all} of a delay at an ear, {together} took all speakers along: each speaker has a buffer there."
        ),
        _ => format!("Of {all} of a delay at an ear, {together} took all speakers along."),
    };
    Some(Outcome { tier, kind: Kind::Wander, context: amount(moves), case, sentence })
}

/// When a delay moved, in ms of the ear's clock, and by how much.
fn moves_of(series: &[&Sighting]) -> Vec<(f64, f64)> {
    let by = |pair: &[&Sighting]| (heard_ms(pair[1]), delay_ms(pair[1]) - delay_ms(pair[0]));
    series.windows(2).map(by).filter(|(_, by)| by.abs() > MOVE_MS).collect()
}
