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
/// The same of a mix's holes: 11 % in simulated rooms. A mixer whose frames begin anywhere may happen to begin them where a
/// speaker does, and then always does: it is all of one speaker's holes at an ear, or few of them.
const MIXED: &[f64] = &[0.03, 0.1, 0.1, 0.97];
/// The same where look-ahead is so short that frames that are coded twice begin where they did.
const MIXED_AT_ONCE: &[f64] = &[0.1, 0.45, 0.97];
const SHORT_MS: f64 = 4.0;
/// Withheld packets that left holes, without which it is not known where frames begin.
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
    // A packet that several ears miss is concealed at all of them alike: it counts once.
    let withheld: Vec<f64> = probe
        .drops
        .iter()
        .filter(|drop| drop.direction == Direction::Out)
        .filter_map(|drop| {
            let ears = probe.pairs().filter(|(ear, speaker)| *speaker == drop.client && *ear != drop.client);
            about(&ears.flat_map(|pair| begin(probe, drop, pair)).collect::<Vec<_>>())
        })
        .collect();
    let Some(own_ms) = about(&withheld).filter(|_| withheld.len() >= LEAST) else { return Grid::default() };
    let mixed = if own_ms.abs() < SHORT_MS { MIXED_AT_ONCE } else { MIXED };
    let mut grid = Grid::default();
    for pair in probe.pairs().filter(|(ear, speaker)| ear != speaker && probe.is_of(ear, tier)) {
        let kept_out = probe.drops.iter().filter(|drop| drop.direction == Direction::In && drop.client == pair.0);
        let begin: Vec<f64> = kept_out.flat_map(|drop| begin(probe, drop, pair)).collect();
        let on = begin.iter().filter(|ms| (ON_FROM_MS..ON_TO_MS).contains(&within_a_frame(*ms - own_ms))).count();
        let off = begin.len() - on;
        let log = |share: f64| on as f64 * share.ln() + off as f64 * (1.0 - share).ln();
        grid.forwarded += averaged(OWN, log);
        grid.mixed += averaged(mixed, log);
        grid.on += on;
        grid.off += off;
    }
    grid
}

/// Where in the speaker's frames the holes begin that a drop made in a pair's sound, in ms.
fn begin(probe: &Probe<'_>, drop: &Drop, pair: (&str, &str)) -> Vec<f64> {
    let made = probe.made_by(drop, pair);
    made.iter().filter_map(|hole| begins_ms(hole, probe.sightings(pair))).collect()
}

/// How far within its speaker's frame a hole begins, in ms from -10 to 10.
fn begins_ms(hole: &Hole, sightings: &[&Sighting]) -> Option<f64> {
    let nearest = sightings.iter().min_by_key(|sighting| (sighting.captured - hole.captured).abs())?;
    let since = (hole.captured - nearest.captured).as_millis_f64();
    Some(within_a_frame(nearest.position?.0 as f64 / SAMPLES_PER_MS + since))
}

/// Where most begin: the median about the mean, round the circle that a frame is; `None` for none.
fn about(holes: &[f64]) -> Option<f64> {
    let turn = std::f64::consts::TAU / FRAME_MS;
    let (sine, cosine) = holes.iter().fold((0.0, 0.0), |(s, c), ms| (s + (turn * ms).sin(), c + (turn * ms).cos()));
    let mean = sine.atan2(cosine) / turn;
    let about: Vec<f64> = holes.iter().map(|ms| within_a_frame(ms - mean)).collect();
    Some(within_a_frame(mean + stats::median(&about)?))
}

fn within_a_frame(ms: f64) -> f64 {
    (ms + 0.5 * FRAME_MS).rem_euclid(FRAME_MS) - 0.5 * FRAME_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_most_holes_begin_is_found_across_a_frames_end() {
        let begin = about(&[9.5, -9.7, 9.8, -9.9, 3.0]).unwrap();
        assert!((begin - 9.8).abs() < 0.4, "{begin}");
        assert_eq!(about(&[]), None);
    }
}
