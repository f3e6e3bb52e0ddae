//! From evidence to a ranking, and to what may be said.

use std::collections::BTreeSet;

use super::likelihoods::Counts;
use super::outcome;
use super::series::Room;
use super::{Evidence, Finding, Hypothesis, Kind, Observations, Ranked, drops, numbers, sealed};
use crate::metrics::Relation;

/// Logarithm of the odds from which on it is said that it was one of some hypotheses and none of the others: three
/// hundred to one.
pub const CONFIDENT: f64 = 5.7;
/// Kinds of evidence overlap: what one says, another says in part again. Their sum counts this much.
const OVERLAP: f64 = 0.85;
/// Hypotheses whose odds differ by less, as a logarithm, are credible together or not at all.
const ALIKE: f64 = 0.5;
/// A kind of evidence speaks for one hypothesis against another if it is so much likelier by it: a logarithm.
const SPEAKS: f64 = 0.7;

/// What may be said of stage and audience, of those that heard anybody.
pub fn findings(observations: &Observations, counts: &Counts) -> Vec<Finding> {
    let room = Room::new(observations);
    [Relation::Stage, Relation::Audience]
        .into_iter()
        .filter(|tier| room.ears(*tier).next().is_some())
        .map(|tier| {
            let counted = outcome::of_room(&room, tier);
            let mut evidence: Vec<Evidence> = counted.iter().map(|outcome| counts.evidence(outcome)).collect();
            evidence.extend(numbers::look(&room, tier));
            evidence.extend(sealed::look(&room, tier));
            evidence.extend(drops::look(observations, tier));
            Finding::of(tier, evidence)
        })
        .collect()
}

impl Finding {
    /// Weighs evidence. Before any, all hypotheses are alike.
    pub fn of(tier: Relation, evidence: Vec<Evidence>) -> Self {
        let sum = |hypothesis: Hypothesis| OVERLAP * evidence.iter().map(|e| e.of(hypothesis)).sum::<f64>();
        let mut sums: Vec<(Hypothesis, f64)> = Hypothesis::of(tier).iter().map(|h| (*h, sum(*h))).collect();
        sums.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let best = sums.first().map_or(0.0, |(_, sum)| *sum);
        let weights: Vec<f64> = sums.iter().map(|(_, sum)| (sum - best).exp()).collect();
        let all: f64 = weights.iter().sum();
        let odds = |weight: f64| (weight / (all - weight).max(f64::MIN_POSITIVE)).ln();
        let ranking: Vec<Ranked> = sums
            .iter()
            .zip(&weights)
            .map(|((hypothesis, _), weight)| Ranked { hypothesis: *hypothesis, log_odds: odds(*weight) })
            .collect();
        let is_said = |first: &usize| {
            let (within, beyond) = weights.split_at(*first);
            // Of two that are as likely one is not ruled out without the other.
            let cut = within.iter().copied().fold(f64::INFINITY, f64::min) / beyond.iter().copied().fold(0.0, f64::max);
            (within.iter().sum::<f64>() / beyond.iter().sum::<f64>()).ln() >= CONFIDENT
                && cut.ln() >= ALIKE
                && is_borne(&evidence, &ranking, *first)
        };
        let said = (1..ranking.len()).find(is_said).unwrap_or(ranking.len());
        let credible: Vec<Hypothesis> = ranking.iter().take(said).map(|ranked| ranked.hypothesis).collect();
        let would_decide = match credible[..] {
            [first, second, ..] => Some(deciding(first, second)),
            _ => None,
        };
        Self { tier, ranking, credible, evidence, would_decide }
    }
}

impl Evidence {
    /// How likely it is by a hypothesis, as a logarithm.
    pub fn of(&self, hypothesis: Hypothesis) -> f64 {
        self.log_likelihoods.iter().find(|(other, _)| *other == hypothesis).map_or(0.0, |(_, log)| *log)
    }

    /// Whether it speaks for one hypothesis against another.
    pub fn speaks(&self, hypothesis: Hypothesis, against: Hypothesis) -> bool {
        self.of(hypothesis) - self.of(against) >= SPEAKS
    }
}

/// Nothing is said by one kind of evidence alone, but by the drop probe: whether the first is borne against what comes
/// after so many.
fn is_borne(evidence: &[Evidence], ranking: &[Ranked], credible: usize) -> bool {
    let (Some(first), others) = (ranking.first(), &ranking[credible..]) else { return false };
    let speaks = |e: &&Evidence| others.iter().any(|other| e.speaks(first.hypothesis, other.hypothesis));
    let kinds: BTreeSet<Kind> = evidence.iter().filter(speaks).map(|e| e.kind).collect();
    kinds.len() >= 2 || kinds.contains(&Kind::Drops)
}

/// What would tell two hypotheses apart.
fn deciding(first: Hypothesis, second: Hypothesis) -> String {
    let mixes = |h: Hypothesis| matches!(h, Hypothesis::Mix | Hypothesis::DelayedMix);
    let delayed = |h: Hypothesis| matches!(h, Hypothesis::DelayedForward | Hypothesis::DelayedMix);
    let is = |h: Hypothesis| first == h || second == h;
    if mixes(first) != mixes(second) {
        "The drop probe: a client drops a packet that comes to it, and hears whether one speaker is missing or all are."
    } else if delayed(first) != delayed(second) {
        "A listener who is called up to the stage: the same ear, by the same clock, before and after."
    } else if is(Hypothesis::Mesh) {
        "The drop probe: a speaker's client drops one packet that it would send, and one ear misses it, or all do."
    } else {
        "Clients of our own, who know how long their greeting of the server took and when each packet came: through one \
         server packets take the ways of the greetings, between servers longer."
    }
    .to_owned()
}
