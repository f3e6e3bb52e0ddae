//! Which detections came along one path: a sequence of beeps whose delays follow one another.
//!
//! No delay is assumed. Every pair of a beep and a detection is the beginning of a possible path; a path goes on with the
//! next beep's detection at nearly the same delay, misses a beep, or steps to another delay. What each event is worth is
//! the logarithm of how much likelier it is on a path than by chance, so that a path which is not there gains e^g with a
//! probability of at most e^−g, however long it is looked for (Wald 1947, Sequential Analysis, section 3.2; Ville 1939):
//! beginnings and steps cost what makes the chance of a single false one in a whole recording one in a thousand. The
//! most likely sequence is found by dynamic programming (Viterbi 1967).

use std::ops::Range;

use crate::hear::Detection;
use crate::signal::Emission;
use crate::stats;
use crate::units::{Nanos, RunTime};

/// Delays that are looked for, besides what clocks may be off. Negative ones are findings about clocks.
const SEARCH: Range<Nanos> = Nanos::from_secs(-1)..Nanos::from_secs(60);
/// From one beep to the next, a constant path changes its delay by less than the first of these; with some unrest in its
/// buffer, by less than the others.
const RINGS: [Nanos; 3] = [Nanos::from_millis(1), Nanos::from_millis(5), Nanos::from_millis(15)];
/// Where a buffer stretches sound in time, a delay changes by less than this share of the time that passes.
const STRETCH: f64 = 0.1;
/// So far apart, or six times as far as usual, neighbours on a path are not alike.
const ALIKE: Nanos = Nanos::from_millis(1);
/// Steps of buffers: likelier than any other change of a delay.
pub(super) const STEP: Nanos = Nanos::from_millis(500);
/// How likely a path is to show the next beep within each of [`RINGS`] and in none before it.
const HIT: [f64; RINGS.len()] = [0.4, 0.2, 0.1];
/// The chance that a recording shows a path that is not there.
const FALSE_ALARM: f64 = 1e-3;
/// Beeps in strict rhythm meet any others in the same rhythm all the time: nothing tells their delays apart, and the
/// shortest is meant.
const MOST_CHANCE: f64 = 0.1;
/// With so few beeps nothing is certain: what fits best is believed.
const FEW: usize = 3;
/// More paths than this are not told apart.
const MOST: usize = 8;

/// One path: for each emission the detection that came along it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) hits: Vec<Option<usize>>,
    /// From its beginning to its end, beeps missed on the way included.
    pub(super) alive: Vec<bool>,
}

/// The paths of one speaker's beeps, most likely first. `times` are the detections' instants, in order; only those that
/// `is_credible` says count. The clocks of both ends may be `clock_error` apart.
pub(super) fn paths(
    emissions: &[Emission],
    detections: &[Detection],
    times: &[RunTime],
    clock_error: Nanos,
    is_credible: impl Fn(&Detection) -> bool,
) -> Vec<Path> {
    let mut free: Vec<usize> = (0..detections.len()).filter(|&d| is_credible(&detections[d])).collect();
    let mut found: Vec<Path> = Vec::new();
    while found.len() < MOST && !free.is_empty() {
        let delays = SEARCH.start - clock_error..SEARCH.end + clock_error;
        let search = Search { emissions, detections, times, delays, free: &free };
        let Some(path) = search.path(found.is_empty()) else { break };
        let mut taken = vec![false; detections.len()];
        path.hits.iter().flatten().for_each(|&d| taken[d] = true);
        free.retain(|&d| !taken[d]);
        found.push(path);
    }
    found
}

struct Search<'a> {
    emissions: &'a [Emission],
    detections: &'a [Detection],
    times: &'a [RunTime],
    /// Those that are looked for.
    delays: Range<Nanos>,
    /// The detections that are still nobody's.
    free: &'a [usize],
}

/// What events are worth, as logarithms of likelihood ratios.
#[derive(Clone, Copy, Debug)]
struct Odds {
    /// Within each of [`RINGS`], by [`class`].
    hit: [[f64; RINGS.len()]; 3],
    miss: f64,
    begin: f64,
    step: f64,
    /// Leaving a path and coming back to it takes two of these: together they cost as much as a step.
    stretch: f64,
}

/// How clear a detection is.
fn class(detection: &Detection) -> usize {
    match detection {
        _ if detection.is_sure() => 0,
        _ if detection.is_possible() => 1,
        _ => 2,
    }
}

/// A possible path, as far as it has come.
#[derive(Clone, Copy, Debug)]
struct State {
    delay: Nanos,
    /// When its last beep was sent.
    at: RunTime,
    worth: f64,
    node: usize,
}

/// A beep on a possible path.
#[derive(Clone, Copy, Debug)]
struct Node {
    emission: usize,
    detection: usize,
    before: Option<usize>,
    /// Whether it goes on from the one before, rather than beginning anew.
    goes_on: bool,
}

impl Search<'_> {
    fn path(&self, first: bool) -> Option<Path> {
        let odds = self.odds(first);
        let path = self.most_likely(&odds)?;
        let missed = path.hits.iter().filter(|hit| hit.is_none()).count();
        if missed == 0 {
            return Some(path);
        }
        // A false step has to fall on beeps that the true path lost: that bounds how many there can be.
        let step = odds.begin.min(self.step(missed));
        self.most_likely(&Odds { step, stretch: odds.stretch.min(step / 2.0), ..odds })
    }

    /// What a step costs if it may fall on so many beeps.
    fn step(&self, beeps: usize) -> f64 {
        let chances = beeps as f64 * (self.free.len() as f64 / self.emissions.len() as f64).max(1.0);
        (chances / FALSE_ALARM).ln()
    }

    /// Whoever is heard in place of a lost beep lies near the path, but not on it: a hit that none of its neighbours on
    /// the path is like is taken out.
    fn without_lone_hits(&self, mut path: Path) -> Path {
        let hits: Vec<(usize, Nanos)> = path
            .hits
            .iter()
            .enumerate()
            .filter_map(|(n, hit)| Some((n, self.times[(*hit)?] - self.emissions[n].at)))
            .collect();
        let apart: Vec<Nanos> = hits.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect();
        if hits.len() <= FEW {
            return path;
        }
        let usual = stats::median(&apart.iter().map(|apart| apart.as_secs_f64()).collect::<Vec<_>>()).unwrap_or(0.0);
        let alike = ALIKE.max(Nanos::from_secs_f64(6.0 * usual));
        for (place, &(emission, _)) in hits.iter().enumerate() {
            let sides = [place.checked_sub(1).and_then(|before| apart.get(before)), apart.get(place)];
            if sides.iter().flatten().all(|apart| **apart > alike) {
                path.hits[emission] = None;
            }
        }
        path
    }

    fn odds(&self, first: bool) -> Odds {
        let beeps = self.emissions.len() as f64;
        // Beeps that are spread evenly over a time S differ in their intervals by a triangular distribution, half of
        // which lies within (1 − 1/√2) S.
        let intervals: Vec<f64> =
            self.emissions.windows(2).map(|pair| (pair[1].at - pair[0].at).as_secs_f64()).collect();
        let usual = stats::median(&intervals).unwrap_or(0.0);
        let off: Vec<f64> = intervals.iter().map(|interval| (interval - usual).abs()).collect();
        let spread = stats::median(&off).unwrap_or(0.0) / (1.0 - std::f64::consts::FRAC_1_SQRT_2);
        let mut counts = [0usize; 3];
        self.free.iter().for_each(|&d| counts[class(&self.detections[d])] += 1);
        // Another's beeps in the same rhythm meet these by chance once in so many slots; what has no rhythm, less often.
        let chance = counts.map(|count| {
            let density = (count as f64 / beeps).max(0.1) / spread.max(1e-9);
            let mut inner = Nanos::ZERO;
            RINGS.map(|ring| {
                let within = 2.0 * (ring - std::mem::replace(&mut inner, ring)).as_secs_f64();
                (within * density).clamp(0.0002, MOST_CHANCE)
            })
        });
        let any: f64 = chance.iter().flatten().sum();
        // How clear a path's beeps are is not known beforehand: as those are that there are, but no more than one a beep.
        let likely = counts.map(|count| count.min(self.emissions.len()) as f64 + 1.0);
        let worth = |k: usize| {
            let likely = likely[k] / likely.iter().sum::<f64>();
            std::array::from_fn(|ring| (likely * HIT[ring] / chance[k][ring]).ln())
        };
        let hit = [worth(0), worth(1), worth(2)];
        let pairs: usize = (0..self.emissions.len()).map(|n| self.candidates(n).len()).sum();
        let certain = (pairs as f64 / FALSE_ALARM).ln();
        // Of short runs the whole has to agree, or nearly.
        let most = (0..3).filter(|&k| counts[k] > 0).map(|k| hit[k][0]).fold(1.0, f64::max);
        let begin = match self.emissions.len() {
            ..=FEW if first => -1.0,
            _ => certain.min(0.75 * most * (beeps - 1.0)).max(most),
        };
        let miss = ((1.0 - HIT.iter().sum::<f64>()) / (1.0 - any.min(0.6))).ln();
        Odds { hit, miss, begin, step: begin, stretch: self.step(self.emissions.len()) / 2.0 }
    }

    /// The free detections that may be of an emission.
    fn candidates(&self, emission: usize) -> &[usize] {
        let at = self.emissions[emission].at;
        let from = self.free.partition_point(|&d| self.times[d] < at + self.delays.start);
        let count = self.free[from..].partition_point(|&d| self.times[d] < at + self.delays.end);
        &self.free[from..from + count]
    }

    fn most_likely(&self, odds: &Odds) -> Option<Path> {
        let mut nodes: Vec<Node> = Vec::new();
        // The worth of having no path, or none any more; and the last beep of those there were.
        let (mut idle, mut idle_node) = (0.0, None);
        let best_hit = odds.hit.iter().flatten().copied().fold(1.0, f64::max);
        let mut states: Vec<State> = Vec::new();
        for emission in 0..self.emissions.len() {
            // Whatever is worth less than a step from the best is never the best place to step from.
            let strong: Vec<State> =
                states.iter().filter(|s| s.worth - odds.step.min(odds.stretch) > idle - odds.begin).copied().collect();
            let mut next: Vec<State> = Vec::new();
            for &detection in self.candidates(emission) {
                let delay = self.times[detection] - self.emissions[emission].at;
                let hit = odds.hit[class(&self.detections[detection])];
                let mut best = (idle - odds.begin, idle_node, false);
                let mut offer = |worth: f64, state: &State| {
                    if worth > best.0 {
                        best = (worth, Some(state.node), true);
                    }
                };
                let widest = RINGS[RINGS.len() - 1];
                let near = states.partition_point(|state| state.delay < delay - widest);
                for state in states[near..].iter().take_while(|state| state.delay <= delay + widest) {
                    let apart = (state.delay - delay).abs();
                    let ring = RINGS.iter().position(|&ring| apart <= ring).unwrap_or(RINGS.len() - 1);
                    offer(state.worth + hit[ring], state);
                }
                for state in strong.iter().filter(|state| (state.delay - delay).abs() <= STEP) {
                    let passed = self.emissions[emission].at - state.at;
                    let stretched = (state.delay - delay).abs().as_secs_f64() <= STRETCH * passed.as_secs_f64();
                    offer(state.worth - if stretched { odds.stretch } else { odds.step }, state);
                }
                let (worth, before, goes_on) = best;
                nodes.push(Node { emission, detection, before, goes_on });
                let worth = worth - self.unlikeliness(detection, delay);
                next.push(State { delay, at: self.emissions[emission].at, worth, node: nodes.len() - 1 });
            }
            next.extend(states.iter().map(|state| State { worth: state.worth + odds.miss, ..*state }));
            if let Some(best) = next.iter().max_by(|a, b| a.worth.total_cmp(&b.worth)).filter(|b| b.worth > idle) {
                (idle, idle_node) = (best.worth, Some(best.node));
            }
            // A beep that is hit makes up for no more than its worth against a path that only begins with it.
            next.retain(|state| state.worth > idle - odds.begin.max(0.0) - best_hit);
            next.sort_by_key(|state| state.delay);
            states = next;
        }
        (idle > 0.0).then(|| self.without_lone_hits(self.traced(&nodes, idle_node)))
    }

    /// Of paths that are equally likely, the clearer and the shorter one is meant: next to nothing, but it decides. It only
    /// ever takes away, so that the bound on false paths holds.
    fn unlikeliness(&self, detection: usize, delay: Nanos) -> f64 {
        let Detection { score, peak_ratio, .. } = self.detections[detection];
        let early = if delay < Nanos::ZERO { 0.02 } else { 0.0 };
        // Whoever has a greater peak beside it is likely the echo.
        let lesser = 2.0 * (1.0 - peak_ratio).max(0.0);
        lesser + 0.1 * (1.0 - score) + 1e-3 * delay.abs().as_secs_f64() + early
    }

    fn traced(&self, nodes: &[Node], last: Option<usize>) -> Path {
        let mut path = Path { hits: vec![None; self.emissions.len()], alive: vec![false; self.emissions.len()] };
        let mut taken = vec![false; self.detections.len()];
        let mut at = last.and_then(|node| nodes.get(node));
        while let Some(node) = at {
            path.alive[node.emission] = true;
            if !std::mem::replace(&mut taken[node.detection], true) {
                path.hits[node.emission] = Some(node.detection);
            }
            let before = node.before.and_then(|before| nodes.get(before));
            if let Some(before) = before.filter(|_| node.goes_on) {
                path.alive[before.emission..node.emission].fill(true);
            }
            at = before;
        }
        path
    }
}
