//! What was heard where packets were dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::{Direction, Drop};
use crate::arrivals::Role;
use crate::metrics::Relation;
use crate::metrics::topology::{Hole, Observations, Sighting};
use crate::units::{Nanos, RunTime};

/// Edges of a hole are this far from where they should be, at most.
const REACH: Nanos = Nanos::from_millis(30);
/// Where it is not known when a packet would have been played: no jitter buffer holds it longer.
const LONGEST_BUFFER: Nanos = Nanos::from_millis(500);
/// Sound that is sighted so often or oftener is there all the time.
const APART: Nanos = Nanos::from_millis(2500);
/// More ears of stage or audience add much work and little evidence. Products over so many do not vanish either.
const ENOUGH_EARS: usize = 32;

/// What drops are held against: a speaker's sound at an ear is a *pair*, ear first.
pub(super) struct Probe<'o> {
    pub(super) drops: &'o [Drop],
    roles: BTreeMap<&'o str, Role>,
    sightings: BTreeMap<Pair<'o>, Vec<&'o Sighting>>,
    holes: BTreeMap<Pair<'o>, Vec<&'o Hole>>,
    /// Holes per nanosecond that come about by themselves.
    rates: BTreeMap<Pair<'o>, f64>,
    /// Ears that ever hear that somebody else's packet is missing. Some buffers hide it.
    noticing: BTreeSet<&'o str>,
}

type Pair<'o> = (&'o str, &'o str);

impl<'o> Probe<'o> {
    pub(super) fn new(observations: &'o Observations) -> Self {
        let mut probe = Self {
            drops: &observations.drops,
            roles: observations.ears.iter().map(|ear| (ear.name.as_str(), ear.role)).collect(),
            sightings: BTreeMap::new(),
            holes: BTreeMap::new(),
            rates: BTreeMap::new(),
            noticing: BTreeSet::new(),
        };
        if observations.drops.is_empty() {
            return probe;
        }
        let taken = taken(observations);
        for sighting in observations.sightings.iter().filter(|s| taken.contains(s.recorder.as_str())) {
            probe.sightings.entry((&sighting.recorder, &sighting.speaker)).or_default().push(sighting);
        }
        for hole in observations.holes.iter().filter(|hole| taken.contains(hole.recorder.as_str())) {
            let pair = (hole.recorder.as_str(), hole.speaker.as_str());
            probe.holes.entry(pair).or_default().push(hole);
            if probe.drops.iter().any(|drop| drop.direction == Direction::Out && explains(drop, hole)) {
                probe.noticing.insert(&hole.recorder);
            }
        }
        probe.rates = probe.sightings.iter().map(|(pair, heard)| (*pair, probe.rate(*pair, heard))).collect();
        probe
    }

    /// Half a hole is taken to have been there besides those that no drop explains.
    fn rate(&self, pair: Pair<'o>, heard: &[&'o Sighting]) -> f64 {
        let explained = |hole: &Hole| self.drops.iter().any(|drop| explains(drop, hole));
        let unexplained = self.holes(pair).filter(|hole| !explained(hole)).count();
        let between = heard.windows(2).map(|pair| pair[1].captured - pair[0].captured);
        let long: i64 = between.filter(|between| *between <= APART).map(|between| between.0).sum();
        (unexplained as f64 + 0.5) / long.max(1_000_000_000) as f64
    }

    pub(super) fn is_of(&self, name: &str, tier: Relation) -> bool {
        let role = match tier {
            Relation::Stage => Role::Speaker,
            Relation::Audience => Role::Listener,
            Relation::Own => return false,
        };
        self.roles.get(name) == Some(&role)
    }

    /// All pairs that were heard.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair<'o>> + '_ {
        self.sightings.keys().copied()
    }

    /// A pair's sightings.
    pub(super) fn sightings(&self, pair: Pair<'o>) -> &[&'o Sighting] {
        self.sightings.get(&pair).map_or(&[], Vec::as_slice)
    }

    fn holes(&self, pair: Pair<'o>) -> impl Iterator<Item = &'o Hole> {
        self.holes.get(&pair).into_iter().flatten().copied()
    }

    /// A pair's holes that one drop would have made, and no other.
    pub(super) fn made_by(&self, drop: &Drop, pair: Pair<'o>) -> Vec<&'o Hole> {
        let others = |hole: &Hole| self.drops.iter().any(|other| other != drop && explains(other, hole));
        self.holes(pair).filter(|hole| explains(drop, hole) && !others(hole)).collect()
    }

    /// Whether a pair was heard before and after a drop, so that a hole would have been heard too. Who had not come yet, was
    /// muted or had gone misses nothing.
    pub(super) fn is_heard_about(&self, drop: &Drop, pair: Pair<'o>) -> bool {
        let (from, to) = when_heard(drop);
        let at = |sighting: &Sighting| match drop.direction {
            Direction::In => sighting.captured + sighting.delay,
            Direction::Out => sighting.captured,
        };
        let within = |low: RunTime, high: RunTime| self.sightings(pair).iter().any(|s| low <= at(s) && at(s) <= high);
        within(from - APART, from) && within(to, to + APART)
    }

    /// Whether a pair's sound has a hole where a drop would have made it, and how likely one is there by itself. `None`:
    /// another drop would have made the same.
    pub(super) fn at(&self, pair: Pair<'o>, drop: &Drop) -> Option<(bool, f64)> {
        let there = self.holes(pair).filter(|hole| explains(drop, hole)).count();
        if there > self.made_by(drop, pair).len() {
            return None;
        }
        let (from, to) = when_heard(drop);
        let rate = self.rates.get(&pair).copied().unwrap_or_default();
        Some((there > 0, -f64::exp_m1(-rate * (to - from).0 as f64)))
    }

    /// Whether an ear ever hears that somebody else's packet is missing.
    pub(super) fn notices(&self, ear: &str) -> bool {
        self.noticing.contains(ear)
    }
}

/// Ears of stage and audience, as many as are enough, those first that dropped something themselves.
fn taken(observations: &Observations) -> BTreeSet<&str> {
    let droppers: BTreeSet<&str> = observations.drops.iter().map(|drop| drop.client.as_str()).collect();
    let of = |role: Role| {
        let ears = || observations.ears.iter().filter(move |ear| ear.role == role).map(|ear| ear.name.as_str());
        let (own, others): (Vec<_>, Vec<_>) = ears().partition(|ear| droppers.contains(ear));
        own.into_iter().chain(others).take(ENOUGH_EARS).collect::<Vec<_>>()
    };
    [Role::Speaker, Role::Listener].into_iter().flat_map(of).collect()
}

/// When its hole is to be heard: coming, by the time of the client's ear; going, by that of the client's mouth.
fn when_heard(drop: &Drop) -> (RunTime, RunTime) {
    match (drop.direction, drop.played) {
        (Direction::In, Some(played)) => (played - REACH, played + REACH),
        (Direction::In, None) => (drop.at - REACH, drop.at + LONGEST_BUFFER),
        (Direction::Out, _) => (drop.at - REACH, drop.at + REACH),
    }
}

/// Whether a hole is where a drop would have made it.
fn explains(drop: &Drop, hole: &Hole) -> bool {
    let (from, to) = when_heard(drop);
    let (client, at) = match drop.direction {
        Direction::In => (&hole.recorder, hole.at),
        Direction::Out => (&hole.speaker, hole.captured),
    };
    *client == drop.client && from <= at && at <= to
}
