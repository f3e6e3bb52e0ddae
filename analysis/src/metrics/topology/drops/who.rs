//! Who missed what was dropped.

use std::collections::BTreeSet;

use super::Direction;
use super::heard::Probe;
use super::pattern::{HEARD_ALONE, HEARD_MIXED, Pattern, averaged, log_sum};
use crate::metrics::Relation;

/// Before anything is seen, how often stage or audience is taken to be a mesh while the other tier is asked about.
const MESH_STAGE: f64 = 0.5;
const MESH_AUDIENCE: f64 = 0.1;

/// What all drops of one direction say: logarithms of likelihoods, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// If each is missing from one speaker's sound, or at one ear.
    pub(super) one: f64,
    /// If each is missing from everybody's sound, or at all ears.
    pub(super) all: f64,
    pub(super) drops: usize,
    /// As it was heard.
    pub(super) in_one: usize,
    pub(super) in_all: usize,
    pub(super) in_none: usize,
}

/// What packets say that clients of a tier did not let in.
pub(super) fn coming(probe: &Probe<'_>, tier: Relation) -> Said {
    let (mut said, mut patterns) = (Said::default(), Vec::new());
    for drop in probe.drops.iter().filter(|drop| drop.direction == Direction::In && probe.is_of(&drop.client, tier)) {
        let pairs = probe.pairs().filter(|pair| pair.0 == drop.client && probe.is_heard_about(drop, *pair));
        let pattern = Pattern::of(pairs.map(|pair| probe.at(pair, drop)));
        // One speaker alone is one and everybody.
        if pattern.len() < 2.0 {
            continue;
        }
        pattern.count(&mut said);
        patterns.push(pattern);
    }
    said.one = averaged(HEARD_ALONE, |heard| {
        patterns.iter().map(|pattern| pattern.log(pattern.by_each(heard) / pattern.len())).sum()
    });
    said.all = averaged(HEARD_MIXED, |heard| patterns.iter().map(|pattern| pattern.log(pattern.by_all(heard))).sum());
    said
}

/// What packets say that speakers kept from one destination, by the ears of a tier.
pub(super) fn going(probe: &Probe<'_>, tier: Relation) -> Said {
    let (mut said, mut patterns) = (Said::default(), Vec::new());
    let own = |drop: &&super::Drop| drop.direction == Direction::Out && drop.destination.is_some();
    for drop in probe.drops.iter().filter(own) {
        let pairs = probe.pairs().filter(|pair| pair.1 == drop.client && probe.is_heard_about(drop, *pair));
        let ears: BTreeSet<&str> = pairs.map(|(ear, _)| ear).collect();
        let (here, there): (Vec<&str>, Vec<&str>) =
            ears.into_iter().filter(|ear| *ear != drop.client).partition(|ear| probe.is_of(ear, tier));
        if here.is_empty() {
            continue;
        }
        let seen = |ear: &&str| probe.notices(ear).then(|| probe.at((ear, &drop.client), drop)).flatten();
        let pattern = Pattern::of(here.iter().map(seen));
        pattern.count(&mut said);
        patterns.push((pattern, there.len() as f64));
    }
    // A server is one destination, whomever it serves; in a mesh each ear is one. So it matters who serves the others.
    let mesh_there = if tier == Relation::Stage { MESH_AUDIENCE } else { MESH_STAGE };
    let either = |no: f64, yes: f64| log_sum([(1.0 - mesh_there).ln() + no, mesh_there.ln() + yes]);
    let sum = |log: &dyn Fn(&Pattern, f64) -> f64| {
        patterns.iter().map(|(pattern, others)| pattern.log(log(pattern, *others))).sum::<f64>()
    };
    said.all = either(
        sum(&|pattern, _| pattern.by_all_alike()),
        sum(&|pattern, others| (pattern.by_all_alike() + others * pattern.by_none()) / (1.0 + others)),
    );
    said.one = averaged(HEARD_ALONE, |heard| {
        let mesh = |pattern: &Pattern, others: f64| {
            (others * pattern.by_none() + pattern.by_each(heard)) / (others + pattern.len())
        };
        either(
            sum(&|pattern, others| mesh(pattern, f64::from(u8::from(others > 0.0)))),
            sum(&|pattern, others| mesh(pattern, others)),
        )
    });
    said
}
