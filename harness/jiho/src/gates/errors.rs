//! How often a comparison is wrong: sides that are alike and are told apart, and sides that differ and are not.
//!
//! Repetitions are drawn from a pool of runs of one room, for either side; one side is made worse, or left as it is. What
//! the gate says of them is counted, two rounds included, and beside it what Student's t-test says.

use jiho_analysis::stats;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use super::judge::{self, Change};
use super::{Comparison, Measured};
use crate::figures::Sample;
use crate::report::gates::Verdict;

/// What is done to one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Harm {
    /// Nothing: whatever is found is a false alarm.
    None,
    /// Each sample of it is so much greater.
    Shift(f64),
    /// Of each repetition the greatest samples are so much greater: that share of them, and nothing else.
    Tail(f64, f64),
}

/// What came of pairs of sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many pairs.
    pub pairs: usize,
    /// By the gate.
    pub fail: usize,
    /// See `fail`.
    pub pass: usize,
    /// See `fail`.
    pub inconclusive: usize,
    /// By a t-test on all samples, as if they were independent, at the same error.
    pub t_of_samples: usize,
    /// By a t-test on repetitions' means.
    pub t_of_repetitions: usize,
}

/// Counts what comes of so many pairs of `repetitions` runs of the pool on each side. No run is on both sides of a pair.
pub fn tally(
    pool: &[Vec<Sample>],
    comparison: &Comparison,
    harm: Harm,
    pairs: usize,
    repetitions: usize,
    seed: u64,
) -> Tally {
    let mut rng = Pcg32::seed_from_u64(seed);
    let mut tally = Tally { pairs, ..Tally::default() };
    for _ in 0..pairs {
        let drawn = drawn(pool.len(), 4 * repetitions, &mut rng);
        let runs = |part: usize| -> Vec<Vec<Sample>> {
            let part = drawn.iter().skip(part * repetitions).take(repetitions);
            part.filter_map(|&n| pool.get(n).cloned()).collect()
        };
        let harmed = |runs: Vec<Vec<Sample>>| runs.into_iter().map(|run| harm.done_to(run)).collect::<Vec<_>>();
        let (from, to) = (runs(0), harmed(runs(1)));
        count_t_tests(&mut tally, comparison.error, &from, &to);
        match settled(comparison, [from, to], || [runs(2), harmed(runs(3))]).map(|change| change.verdict) {
            Some(Verdict::Fail) => tally.fail += 1,
            Some(Verdict::Pass) => tally.pass += 1,
            Some(Verdict::Inconclusive) | None => tally.inconclusive += 1,
        }
    }
    tally
}

/// What a comparison comes to by the gate's two rounds.
fn settled(
    comparison: &Comparison,
    first: [Vec<Vec<Sample>>; 2],
    again: impl FnOnce() -> [Vec<Vec<Sample>>; 2],
) -> Option<Change> {
    let measured = |side: Vec<Vec<Sample>>| Measured::from_samples(&comparison.figure, side);
    let [from, to] = first.clone().map(measured);
    let change = judge::change(comparison, &from, &to, None, false)?;
    if change.verdict == Verdict::Pass {
        return Some(change);
    }
    let fresh = again();
    let [mut from, mut to] = first;
    let [fresh_from, fresh_to] = fresh.clone().map(measured);
    let [more_from, more_to] = fresh;
    from.extend(more_from);
    to.extend(more_to);
    judge::change(comparison, &measured(from), &measured(to), Some((&fresh_from, &fresh_to)), false)
}

fn count_t_tests(tally: &mut Tally, error: f64, from: &[Vec<Sample>], to: &[Vec<Sample>]) {
    let all = |side: &[Vec<Sample>]| side.iter().flatten().map(|sample| sample.value).collect::<Vec<f64>>();
    let mean = |run: &Vec<Sample>| run.iter().map(|sample| sample.value).sum::<f64>() / run.len() as f64;
    let means = |side: &[Vec<Sample>]| side.iter().map(mean).collect::<Vec<f64>>();
    let found = |p: Option<f64>| usize::from(p.is_some_and(|p| p <= error));
    tally.t_of_samples += found(stats::t_test_above(&all(from), &all(to)));
    tally.t_of_repetitions += found(stats::t_test_above(&means(from), &means(to)));
}

/// So many different numbers below `count`, in any order; with repeats only if there are not enough.
fn drawn(count: usize, wanted: usize, rng: &mut Pcg32) -> Vec<usize> {
    let mut below = |count: usize| ((u64::from(rng.next_u32()) * count as u64) >> 32) as usize;
    let mut numbers: Vec<usize> = (0..count).collect();
    let mut drawn = Vec::with_capacity(wanted);
    while drawn.len() < wanted && count > 0 {
        if numbers.is_empty() {
            numbers = (0..count).collect();
        }
        let at = below(numbers.len());
        drawn.push(numbers.swap_remove(at));
    }
    drawn
}

impl Harm {
    fn done_to(self, mut run: Vec<Sample>) -> Vec<Sample> {
        match self {
            Self::None => {}
            Self::Shift(by) => run.iter_mut().for_each(|sample| sample.value += by),
            Self::Tail(share, by) => {
                let sorted = stats::sorted(&run.iter().map(|sample| sample.value).collect::<Vec<f64>>());
                let edge = stats::quantile(&sorted, 1.0 - share).unwrap_or(f64::INFINITY);
                run.iter_mut().filter(|sample| sample.value >= edge).for_each(|sample| sample.value += by);
            }
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles at 0, 10, 25, 50, 75, 90 and 100 % of the median delay to the audience in 140 runs of a room over the
    /// loopback of a busy machine, in ms; the greatest, in which the machine stood still, left out.
    const MEDIANS_MS: [(f64, f64); 7] =
        [(0.0, 66.97), (0.1, 67.11), (0.25, 67.25), (0.5, 67.40), (0.75, 68.18), (0.9, 69.46), (1.0, 73.0)];

    /// Runs as loopback has them: a level for each run, by those quantiles; for each of four pairs how it was anchored, in
    /// steps of half a millisecond; one pair in ten behind a buffer that is 10 ms longer; beeps of which few come late.
    fn loopback_like(runs: usize, seed: u64) -> Vec<Vec<Sample>> {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut uniform = || f64::from(rng.next_u32()) / 4_294_967_296.0;
        let run = |_| {
            let p = uniform();
            let above = MEDIANS_MS.iter().position(|(at, _)| *at > p).unwrap_or(6);
            let ((p0, low), (p1, high)) = (MEDIANS_MS[above - 1], MEDIANS_MS[above]);
            let level = low + (high - low) * (p - p0) / (p1 - p0);
            let mut samples = Vec::new();
            for ear in ["lena", "mei", "omar", "kim"] {
                let anchored = level + 0.5 * (2.0 * uniform()).floor() + if uniform() < 0.1 { 10.0 } else { 0.0 };
                for _ in 0..10 {
                    let late = if uniform() < 0.05 { 4.0 * uniform() } else { 0.1 * uniform() };
                    samples.push(Sample { speaker: "ana".to_owned(), ear: ear.to_owned(), value: anchored + late });
                }
            }
            samples
        };
        (0..runs).map(run).collect()
    }

    fn counted(figure: &str, harm: Harm) -> Tally {
        let comparison = Comparison::of(figure.parse().unwrap());
        tally(&loopback_like(400, 1), &comparison, harm, 500, super::super::REPETITIONS as usize, 7)
    }

    #[test]
    fn runs_that_are_alike_are_told_apart_in_less_than_one_case_of_a_hundred() {
        for figure in ["delay.median", "delay.p95"] {
            let tally = counted(figure, Harm::None);
            assert!(tally.fail <= 5, "{figure}: {tally:?}");
            assert!(tally.pass > 250, "and it says so: {figure}: {tally:?}");
            // Beeps of one run are not independent: whoever takes them for it is wrong again and again.
            assert!(tally.t_of_samples > 25, "{figure}: {tally:?}");
        }
    }

    #[test]
    fn two_milliseconds_more_are_found() {
        let tally = counted("delay.median", Harm::Shift(2.0));
        assert!(tally.fail >= 475 && tally.pass <= 5, "{tally:?}");
    }

    #[test]
    fn a_tail_that_grew_alone_is_found_by_its_quantile() {
        let tally = counted("delay.p90", Harm::Tail(0.15, 5.0));
        assert!(tally.fail >= 400 && tally.pass <= 5, "{tally:?}");
        assert!(tally.t_of_repetitions < tally.fail / 2, "means hide it: {tally:?}");
        // The median is as it was, and nobody says otherwise.
        assert!(counted("delay.median", Harm::Tail(0.15, 5.0)).fail <= 5);
    }
}
