//! Outcomes: each kind of observation, brought down to one of a few cases. How likely each case is by each hypothesis
//! is counted over simulated rooms.

use super::series::Room;
use super::{Kind, Observations, additive, classes, frames, holes, skew, tetrads, wander, ways};
use crate::metrics::Relation;

/// What one kind of observation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Stage or audience.
    pub tier: Relation,
    /// What kind of observation.
    pub kind: Kind,
    /// How much there was to observe: cases are counted among rooms alike in that.
    pub context: &'static str,
    /// Which case it is.
    pub case: &'static str,
    /// What was observed, in plain words.
    pub sentence: String,
}

/// All outcomes that there are for a tier. A kind that had nothing to observe has none.
pub fn outcomes(observations: &Observations, tier: Relation) -> Vec<Outcome> {
    of_room(&Room::new(observations), tier)
}

pub(super) fn of_room(room: &Room<'_>, tier: Relation) -> Vec<Outcome> {
    let looks = [
        frames::look,
        additive::look,
        additive::servers,
        wander::look,
        skew::look,
        holes::at_ear,
        holes::of_speaker,
        classes::look,
        ways::look,
        tetrads::look,
    ];
    looks.iter().filter_map(|look| look(room, tier)).collect()
}

/// Few, some or many: how much an outcome rests on.
pub(super) fn amount(events: usize) -> &'static str {
    match events {
        0..=3 => "few",
        4..=15 => "some",
        _ => "many",
    }
}

/// `1 hole`, `2 holes`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What share one number is of another.
pub(super) fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}
