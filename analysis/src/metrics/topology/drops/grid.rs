//! On whose frames holes lie.
//!
//! What a speaker's client withholds is a hole that begins where a frame of the speaker's does, but for the codec's
//! look-ahead. So does what an ear does not let in, if the speaker's own packets came to it. A mix is coded again: its
//! frames begin elsewhere in the speaker's sound, a look-ahead later where the mixer adds whole frames, and anywhere where
//! it does not. Where in the speaker's frames a hole begins is known by the mouth's stamps, and compared with nothing but
//! other holes' beginnings. So it takes one speaker at an ear alone to tell a mix.

use super::heard::Probe;
use super::pattern::averaged;
use super::{Direction, Drop};
use crate::metrics::Relation;
use crate::metrics::topology::{Hole, Sighting};
use crate::stats;

const FRAME_MS: f64 = 20.0;
const SAMPLES_PER_MS: f64 = 48.0;
/// Holes of the speakers' own frames begin so much before and after where most of those do that speakers withheld:
/// concealment is good at first, so that a hole is rather heard too late. In simulated rooms 97 % of them do.
const ON_FROM_MS: f64 = -2.5;
const ON_TO_MS: f64 = 6.0;
/// How many of the speakers' own frames' holes begin there: some values, each as likely as the others in a room.
const OWN: &[f64] = &[0.8, 0.9, 0.97];
/// The same of a mix's holes: 11 % in simulated rooms; if a mixer's frames begin anywhere, as many as there is room for.
const MIXED: &[f64] = &[0.1, 0.2, 0.45];
/// The same where look-ahead is so short that frames that are coded twice begin where they did.
const MIXED_AT_ONCE: &[f64] = &[0.1, 0.45, 0.97];
const SHORT_MS: f64 = 4.0;
/// Holes that speakers made, without which it is not known where frames begin.
const LEAST: usize = 3;

/// What holes say that ears made by what they did not let in: logarithms of likelihoods, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Grid {
    pub(super) forwarded: f64,
    pub(super) mixed: f64,
    /// On the speakers' own frames, or not.
    pub(super) on: usize,
    pub(super) off: usize,
}

impl Grid {
    pub(super) fn holes(&self) -> usize {
        self.on + self.off
    }
}

pub(super) fn look(probe: &Probe<'_>, tier: Relation) -> Grid {
    let Some(own_ms) = begin_ms(&holes(probe, Direction::Out, |_| true)) else { return Grid::default() };
    let begin: Vec<f64> = holes(probe, Direction::In, |drop| probe.is_of(&drop.client, tier));
    let on = begin.iter().filter(|ms| (ON_FROM_MS..ON_TO_MS).contains(&within_a_frame(*ms - own_ms))).count();
    let off = begin.len() - on;
    let log = |share: f64| on as f64 * share.ln() + off as f64 * (1.0 - share).ln();
    let mixed = if own_ms.abs() < SHORT_MS { MIXED_AT_ONCE } else { MIXED };
    Grid { forwarded: averaged(OWN, log), mixed: averaged(mixed, log), on, off }
}

/// Where in the speakers' frames holes begin that such drops made, in ms.
fn holes(probe: &Probe<'_>, direction: Direction, wanted: impl Fn(&Drop) -> bool) -> Vec<f64> {
    let drops = probe.drops.iter().filter(|drop| drop.direction == direction && wanted(drop));
    let mut begin = Vec::new();
    for drop in drops {
        for (ear, speaker) in probe.pairs() {
            let (own, other) = if direction == Direction::In { (ear, speaker) } else { (speaker, ear) };
            if own == drop.client && other != drop.client {
                let made = probe.made_by(drop, (ear, speaker));
                begin.extend(made.iter().filter_map(|hole| begins_ms(hole, probe.sightings((ear, speaker)))));
            }
        }
    }
    begin
}

/// How far within its speaker's frame a hole begins, in ms from -10 to 10.
fn begins_ms(hole: &Hole, sightings: &[&Sighting]) -> Option<f64> {
    let nearest = sightings.iter().min_by_key(|sighting| (sighting.captured - hole.captured).abs())?;
    let since = (hole.captured - nearest.captured).as_millis_f64();
    Some(within_a_frame(nearest.position?.0 as f64 / SAMPLES_PER_MS + since))
}

/// Where most begin: the median about the mean, round the circle that a frame is.
fn begin_ms(holes: &[f64]) -> Option<f64> {
    let turn = std::f64::consts::TAU / FRAME_MS;
    let (sine, cosine) = holes.iter().fold((0.0, 0.0), |(s, c), ms| (s + (turn * ms).sin(), c + (turn * ms).cos()));
    let mean = sine.atan2(cosine) / turn;
    let about: Vec<f64> = holes.iter().map(|ms| within_a_frame(ms - mean)).collect();
    (holes.len() >= LEAST).then_some(within_a_frame(mean + stats::median(&about)?))
}

fn within_a_frame(ms: f64) -> f64 {
    (ms + 0.5 * FRAME_MS).rem_euclid(FRAME_MS) - 0.5 * FRAME_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_most_holes_begin_is_found_across_a_frames_end() {
        let begin = begin_ms(&[9.5, -9.7, 9.8, -9.9, 3.0]).unwrap();
        assert!((begin - 9.8).abs() < 0.4, "{begin}");
        assert_eq!(begin_ms(&[1.0, 2.0]), None);
    }
}
