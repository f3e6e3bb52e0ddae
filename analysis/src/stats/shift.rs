//! By how much one set of values lies above another, without an assumption on their shape.
//!
//! Delays out of jitter buffers are quantised and have several modes: a mean with its standard deviation describes
//! none of them. What is compared are ranks, of values that are independent of each other: one figure per repetition.

use std::f64::consts::SQRT_2;

use statrs::function::erf::erfc;

use super::{quantile, sorted};

/// How far one set of values lies above another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of the differences of all pairs (Hodges & Lehmann 1963).
    pub estimate: f64,
    /// The bounds of its interval (Bauer 1972); infinite if there are too few values for one.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// How often chance alone would put the second set so far above the first (Mann & Whitney 1947), exactly; ties
    /// count against it.
    pub p_above: f64,
}

/// By how much `to` lies above `from`. The shift is outside of the interval on either side with a probability of `error`
/// each at most, if the values of each set are independent and of one distribution. `None` if a set is empty.
pub fn shift(from: &[f64], to: &[f64], error: f64) -> Option<Shift> {
    let differences = sorted(&to.iter().flat_map(|b| from.iter().map(move |a| b - a)).collect::<Vec<f64>>());
    let estimate = quantile(&differences, 0.5)?;
    let tail = Tail::of(from.len(), to.len());
    // The interval leaves out so many differences on either side.
    let out = (0..differences.len()).take_while(|&out| tail.at_most(out) <= error).count();
    let (low, high) = match out.checked_sub(1) {
        Some(out) => (differences[out], differences[differences.len() - 1 - out]),
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let not_above = differences.iter().filter(|difference| **difference <= 0.0).count();
    Some(Shift { estimate, low, high, p_above: tail.at_most(not_above) })
}

/// The distribution of Mann and Whitney's U if two sets have one distribution.
struct Tail {
    /// P(U ≤ u) for every u, of sets that are small enough …
    exact: Vec<f64>,
    /// … and else the normal distribution's: mean and standard deviation.
    mean: f64,
    sd: f64,
}

/// Up to this product of counts the distribution is computed exactly.
const EXACT_PAIRS: usize = 2500;

impl Tail {
    fn of(n: usize, m: usize) -> Self {
        let (pairs, all) = ((n * m) as f64, (n + m) as f64);
        let (mean, sd) = (pairs / 2.0, (pairs * (all + 1.0) / 12.0).sqrt());
        let exact = if n * m <= EXACT_PAIRS { cumulated(&frequencies(n, m)) } else { Vec::new() };
        Self { exact, mean, sd }
    }

    /// P(U ≤ u).
    fn at_most(&self, u: usize) -> f64 {
        match (self.exact.get(u), self.exact.is_empty()) {
            (Some(p), _) => *p,
            (None, false) => 1.0,
            (None, true) => 0.5 * erfc((self.mean - u as f64 - 0.5) / self.sd / SQRT_2),
        }
    }
}

/// How often each U comes about among all orders of n and m values, relative to how many there are: the coefficients of
/// the Gaussian binomial ∏ (1 − q^(m+i)) / (1 − q^i), i = 1 … n.
fn frequencies(n: usize, m: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n * m + 1];
    counts[0] = 1.0;
    for i in 1..=n {
        // Divided by how many orders there are on the way, lest they grow beyond all bounds.
        for u in (m + i..counts.len()).rev() {
            counts[u] -= counts[u - m - i];
        }
        for u in i..counts.len() {
            counts[u] += counts[u - i];
        }
        let orders = (m + i) as f64 / i as f64;
        counts.iter_mut().for_each(|count| *count /= orders);
    }
    counts
}

fn cumulated(frequencies: &[f64]) -> Vec<f64> {
    let sums = frequencies.iter().scan(0.0, |sum, frequency| {
        *sum += frequency;
        Some(*sum)
    });
    sums.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg32;

    #[test]
    fn probabilities_are_those_of_scipy() {
        // scipy.stats.mannwhitneyu(to, from, alternative="greater", method="exact").pvalue
        let from = [10.1, 12.3, 11.7, 15.2, 9.9, 13.0, 10.8, 12.9];
        let to = [12.0, 14.1, 16.3, 13.7, 15.9, 11.1, 17.2, 13.3];
        let shift = shift(&from, &to, 0.025).unwrap();
        assert!((shift.p_above - 0.018958818958818957).abs() < 1e-12, "{shift:?}");
        assert!((shift.estimate - 2.05).abs() < 1e-12, "{shift:?}");
    }

    #[test]
    fn many_values_go_by_the_normal_distribution_which_is_near_the_exact_one() {
        let exact = Tail::of(50, 50);
        let normal = Tail { exact: Vec::new(), ..Tail::of(50, 50) };
        for u in [700, 900, 1000, 1250, 1600] {
            assert!((exact.at_most(u) - normal.at_most(u)).abs() < 1e-3, "{u}");
        }
    }

    #[test]
    fn three_a_side_have_no_interval_at_half_a_percent() {
        let few = shift(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 0.005).unwrap();
        assert_eq!((few.low, few.high), (f64::NEG_INFINITY, f64::INFINITY));
        assert!((few.p_above - 0.05).abs() < 1e-12);
        assert_eq!(shift(&[], &[1.0], 0.005), None);
    }

    /// Delays of two modes 10 ms apart, quantised to half a millisecond.
    fn bimodal(rng: &mut Pcg32) -> f64 {
        let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let mode = if uniform() < 0.3 { 70.0 } else { 60.0 };
        mode + (4.0 * uniform()).round() / 2.0
    }

    #[test]
    fn the_interval_misses_the_shift_no_more_often_than_it_says() {
        let mut rng = Pcg32::seed_from_u64(1);
        let (mut below, mut above) = (0, 0);
        for _ in 0..4000 {
            let from: Vec<f64> = (0..10).map(|_| bimodal(&mut rng)).collect();
            let to: Vec<f64> = (0..10).map(|_| bimodal(&mut rng) + 3.0).collect();
            let shift = shift(&from, &to, 0.025).unwrap();
            below += usize::from(shift.low > 3.0);
            above += usize::from(shift.high < 3.0);
        }
        assert!(below <= 120 && above <= 120, "{below} and {above} of 4000");
    }

    proptest! {
        #[test]
        fn what_is_added_to_one_set_is_what_the_shift_grows_by(
            from in prop::collection::vec(0.0..100.0, 1..20), to in prop::collection::vec(0.0..100.0, 1..20),
            added in -50.0..50.0f64,
        ) {
            let (one, other) = (shift(&from, &to, 0.05), shift(&from, &to.iter().map(|x| x + added).collect::<Vec<_>>(), 0.05));
            let (one, other) = (one.unwrap(), other.unwrap());
            prop_assert!((other.estimate - one.estimate - added).abs() < 1e-9);
            prop_assert!(one.low <= one.estimate && one.estimate <= one.high);
            prop_assert!(added < 0.0 || other.p_above <= one.p_above);
        }
    }
}
