//! Delays of pairs as functions of time, and what they say without any clock: which instants of two speakers sound
//! together at an ear.

use std::collections::BTreeMap;

use super::routes::{Route, routes};
use super::{Hole, Observations, Sighting};
use crate::arrivals::Role;
use crate::metrics::Relation;
use crate::stats;

/// What was observed, by tier, ear and speaker.
#[derive(Debug)]
pub(super) struct Room<'o> {
    pub(super) observations: &'o Observations,
    /// What packets took, of all pairs.
    pub(super) routes: Vec<Route<'o>>,
    ears: BTreeMap<&'o str, Heard<'o>>,
}

/// What one ear heard.
#[derive(Debug)]
pub(super) struct Heard<'o> {
    tier: Relation,
    /// By speaker; the ear's owner is not among them.
    pub(super) series: BTreeMap<&'o str, Vec<&'o Sighting>>,
    /// In order of time at the ear.
    pub(super) holes: Vec<&'o Hole>,
}

/// Sightings that a pair needs to be looked at.
const LEAST_SIGHTINGS: usize = 3;
/// Each ear is compared with each other one: more than these of a tier add much work and little evidence.
const ENOUGH_EARS: usize = 32;
/// Sightings are a second apart: a delay between two that are further apart is not known.
const APART_MS: f64 = 2500.0;
/// So is one that moves by more from one sighting to the next, in ms: a buffer moved, nobody knows when. Clocks that differ
/// by 200 ppm move it by that much in 2.5 s.
const STILL_MS: f64 = 0.5;

impl<'o> Room<'o> {
    pub(super) fn new(observations: &'o Observations) -> Self {
        let heard = |role| Heard { tier: tier_of(role), series: BTreeMap::new(), holes: Vec::new() };
        let mut ears: BTreeMap<&str, Heard<'_>> =
            observations.ears.iter().map(|ear| (ear.name.as_str(), heard(ear.role))).collect();
        for sighting in observations.sightings.iter().filter(|sighting| sighting.speaker != sighting.recorder) {
            if let Some(ear) = ears.get_mut(sighting.recorder.as_str()) {
                ear.series.entry(&sighting.speaker).or_default().push(sighting);
            }
        }
        for hole in observations.holes.iter().filter(|hole| hole.speaker != hole.recorder) {
            if let Some(ear) = ears.get_mut(hole.recorder.as_str()) {
                ear.holes.push(hole);
            }
        }
        for ear in ears.values_mut() {
            ear.series.retain(|_, series| series.len() >= LEAST_SIGHTINGS);
            ear.series.values_mut().for_each(|series| series.sort_by_key(|sighting| sighting.captured));
            ear.holes.retain(|hole| ear.series.contains_key(hole.speaker.as_str()));
            ear.holes.sort_by_key(|hole| hole.at);
        }
        for tier in [Relation::Stage, Relation::Audience] {
            thin_out(&mut ears, tier);
        }
        Self { observations, routes: routes(observations), ears }
    }

    /// The ears of a tier that heard anybody, by name.
    pub(super) fn ears(&self, tier: Relation) -> impl Iterator<Item = (&'o str, &Heard<'o>)> + Clone {
        let of_tier = move |(_, heard): &(&&'o str, &Heard<'o>)| heard.tier == tier && !heard.series.is_empty();
        self.ears.iter().filter(of_tier).map(|(name, heard)| (*name, heard))
    }
}

/// In which tier an ear is.
pub(super) fn tier_of(role: Role) -> Relation {
    if role == Role::Speaker { Relation::Stage } else { Relation::Audience }
}

/// Leaves a crowd's tier as many ears as are enough, from all over it.
fn thin_out(ears: &mut BTreeMap<&str, Heard<'_>>, tier: Relation) {
    let of_tier = |heard: &Heard<'_>| heard.tier == tier && !heard.series.is_empty();
    let all = ears.values().filter(|heard| of_tier(heard)).count();
    let mut place = 0;
    ears.retain(|_, heard| {
        if !of_tier(heard) {
            return true;
        }
        place += 1;
        all <= ENOUGH_EARS || place * ENOUGH_EARS / all > (place - 1) * ENOUGH_EARS / all
    });
}

/// A sighting's delay, in ms.
pub(super) fn delay_ms(sighting: &Sighting) -> f64 {
    sighting.delay.as_millis_f64()
}

/// When a sighting was at the ear, in ms of the ear's clock.
pub(super) fn heard_ms(sighting: &Sighting) -> f64 {
    (sighting.captured + sighting.delay).since_start().as_millis_f64()
}

/// The delay of a series at an instant of the ear's clock, in ms: on the line between the two sightings around it, if
/// it keeps still between them.
pub(super) fn delay_at(series: &[&Sighting], at_ms: f64) -> Option<f64> {
    let after = series.partition_point(|sighting| heard_ms(sighting) < at_ms);
    let (before, after) = (series.get(after.checked_sub(1)?)?, series.get(after)?);
    let (from, to) = (heard_ms(before), heard_ms(after));
    let part = (at_ms - from) / (to - from);
    let moved = delay_ms(after) - delay_ms(before);
    (to - from < APART_MS && moved.abs() < STILL_MS).then(|| delay_ms(before) + part * moved)
}

/// All pairs of speakers at an ear, each both ways round: the one's sightings are at other instants than the other's.
pub(super) fn ordered_pairs<'o>(heard: &Heard<'o>) -> Vec<(&'o str, &'o str)> {
    let speakers = || heard.series.keys().copied();
    speakers().flat_map(|a| speakers().filter(move |b| *b != a).map(move |b| (a, b))).collect()
}

/// By how much `other` is later than `speaker` at one ear, for each of the speaker's sightings there, in ms: the ear's
/// clock is in neither.
pub(super) fn together<'s>(heard: &Heard<'s>, speaker: &str, other: &str) -> BTreeMap<i64, f64> {
    let (Some(own), Some(others)) = (heard.series.get(speaker), heard.series.get(other)) else {
        return BTreeMap::new();
    };
    let behind =
        |sighting: &&&Sighting| Some((sighting.captured.0, delay_at(others, heard_ms(sighting))? - delay_ms(sighting)));
    own.iter().filter_map(|sighting| behind(&sighting)).collect()
}

/// How `together` differs between two ears, instant by instant of the speaker's clock, in ms: no clock is in it.
pub(super) fn tetrad(one: &BTreeMap<i64, f64>, other: &BTreeMap<i64, f64>) -> Vec<f64> {
    one.iter().filter_map(|(captured, behind)| Some(behind - other.get(captured)?)).collect()
}

/// The median of a series' delays, in ms.
pub(super) fn median_ms(series: &[&Sighting]) -> f64 {
    let delays: Vec<f64> = series.iter().map(|sighting| delay_ms(sighting)).collect();
    stats::median(&delays).unwrap_or_default()
}
