//! Intervals by resampling.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use super::median;

const RESAMPLES: usize = 999;

/// The bounds of a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The 2.5 % bound.
    pub low: f64,
    /// The 97.5 % bound.
    pub high: f64,
}

/// A 95 % interval of the median of values in order of time, by the circular block bootstrap (Politis & Romano 1992):
/// neighbouring beeps go through the same jitter buffer and are correlated, so blocks of about the cube root of their
/// number are drawn, not single values. `None` for fewer than 5 values. The same values give the same interval.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let count = values.len();
    if count < 5 {
        return None;
    }
    let block = (count as f64).cbrt().round() as usize;
    let mut rng = Pcg32::seed_from_u64(count as u64);
    let mut resample = Vec::with_capacity(count + block);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.clear();
            while resample.len() < count {
                let start = ((u64::from(rng.next_u32()) * count as u64) >> 32) as usize;
                resample.extend((0..block).map(|n| values[(start + n) % count]));
            }
            resample.truncate(count);
            median(&resample).unwrap_or(f64::NAN)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let bound = |p: f64| medians[((RESAMPLES + 1) as f64 * p) as usize - 1];
    Some(Interval { low: bound(0.025), high: bound(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(rng: &mut Pcg32) -> f64 {
        f64::from(rng.next_u32()) / f64::from(u32::MAX)
    }

    #[test]
    fn the_interval_holds_the_true_median_about_as_often_as_it_says() {
        let mut rng = Pcg32::seed_from_u64(1);
        let held = (0..400)
            .filter(|_| {
                let values: Vec<f64> = (0..40).map(|_| uniform(&mut rng)).collect();
                let interval = median_interval(&values).unwrap();
                (interval.low..=interval.high).contains(&0.5)
            })
            .count();
        assert!((360..=396).contains(&held), "{held} of 400");
    }

    #[test]
    fn correlated_values_get_a_wider_interval_than_independent_ones() {
        let mut rng = Pcg32::seed_from_u64(2);
        let independent: Vec<f64> = (0..64).map(|_| uniform(&mut rng)).collect();
        let correlated: Vec<f64> = (0..64).map(|n| independent[n / 8 * 8]).collect();
        let width = |values: &[f64]| median_interval(values).map(|i| i.high - i.low).unwrap();
        assert!(width(&correlated) > 1.3 * width(&independent));
    }
}
