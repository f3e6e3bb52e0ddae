//! Whether the delays of several speakers move together at one ear.
//!
//! A jitter buffer that moves to another delay takes along all that comes in its stream: of a mix everybody, of a
//! forwarded stream its speaker alone. Each ear's clock is compared with itself. A speaker is sighted once a second, each at
//! other instants: of a delay that never rests, each sees other moves. So only moves between two rests count.

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
        let all: Vec<Vec<Move>> = heard.series.values().map(|series| moves_of(series)).collect();
        for (n, own) in all.iter().enumerate() {
            for Move { at, by, .. } in own.iter().filter(|own| own.between_rests) {
                let shared = |other: &Vec<Move>| {
                    other.iter().any(|other| (other.at - at).abs() < AT_ONCE_MS && (other.by - by).abs() < SAME_MS)
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

/// A move of a delay, in ms.
struct Move {
    /// By the ear's clock.
    at: f64,
    by: f64,
    between_rests: bool,
}

fn moves_of(series: &[&Sighting]) -> Vec<Move> {
    let by: Vec<f64> = series.windows(2).map(|pair| delay_ms(pair[1]) - delay_ms(pair[0])).collect();
    let rests = |step: Option<usize>| step.and_then(|step| by.get(step)).is_none_or(|by| by.abs() <= MOVE_MS);
    let moves = (0..by.len()).filter(|step| by[*step].abs() > MOVE_MS);
    moves
        .map(|step| Move {
            at: heard_ms(series[step + 1]),
            by: by[step],
            between_rests: rests(step.checked_sub(1)) && rests(Some(step + 1)),
        })
        .collect()
}
