//! An interval of the median, for values that are correlated in time.

use super::quantile;

/// The bounds of a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The 2.5 % bound.
    pub low: f64,
    /// The 97.5 % bound.
    pub high: f64,
}

/// Below this even the range from the lowest to the highest of independent values holds the median less often than
/// 95 % of the time.
pub const LEAST_FOR_INTERVAL: usize = 6;

/// A 95 % interval of the median of values in order of time; `None` for fewer than [`LEAST_FOR_INTERVAL`].
///
/// Without an assumption on the distribution: the quantiles at ½ ± 0.98/√n (Woodruff 1952), where n is the number of
/// independent values that those at hand are worth: neighbouring beeps go through the same jitter buffer. Values that
/// are worth too few give the whole range.
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    if values.len() < LEAST_FOR_INTERVAL {
        return None;
    }
    let count = values.len() as f64;
    let half = 0.98 / effective_count(values).sqrt() + 0.5 / count;
    let sorted = super::sorted(values);
    // Outwards to whole ranks: between them nothing is known.
    let rank = |p: f64| p.clamp(0.0, 1.0) * (count - 1.0);
    let low = quantile(&sorted, rank(0.5 - half).floor() / (count - 1.0))?;
    let high = quantile(&sorted, rank(0.5 + half).ceil() / (count - 1.0))?;
    Some(Interval { low, high })
}

/// How many independent values those given, in order of time, are worth for a mean or a median, if each depends on the
/// one before: n (1 − r) / (1 + r) (Bartlett 1946), with the correlation of neighbours' ranks, which an outlier does
/// not hide, and its bias in short series corrected (Kendall 1954).
pub fn effective_count(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let ranks = ranks(values);
    let mean = (count - 1.0) / 2.0;
    let variance: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    if variance == 0.0 {
        return count;
    }
    let covariance: f64 = ranks.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let raw = covariance / variance;
    let correlation = (raw + (1.0 + 4.0 * raw) / count).clamp(0.0, 0.98);
    (count * (1.0 - correlation) / (1.0 + correlation)).max(1.0)
}

/// Ranks from 0; equal values share their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&n| values[n].total_cmp(&values[tied[0]]).is_lt());
        tied.iter().for_each(|&n| ranks[n] = first as f64 + (tied.len() - 1) as f64 / 2.0);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg32;

    fn normal(rng: &mut Pcg32) -> f64 {
        (0..12).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
    }

    /// How often the interval holds the true median 0 of a first-order autoregressive process.
    fn coverage(correlation: f64, count: usize) -> f64 {
        let mut rng = Pcg32::seed_from_u64(1);
        let held = (0..1000).filter(|_| {
            let mut value = normal(&mut rng);
            let values: Vec<f64> = (0..count)
                .map(|_| {
                    value = correlation * value + (1.0 - correlation * correlation).sqrt() * normal(&mut rng);
                    value
                })
                .collect();
            let interval = median_interval(&values).unwrap();
            (interval.low..=interval.high).contains(&0.0)
        });
        held.count() as f64 / 1000.0
    }

    #[test]
    fn the_interval_holds_the_true_median_about_as_often_as_it_says() {
        for (correlation, count, least) in [
            (0.0, 6, 0.93),
            (0.0, 20, 0.93),
            (0.0, 60, 0.93),
            (0.6, 20, 0.90),
            (0.6, 60, 0.92),
            (0.9, 60, 0.85),
            (0.9, 300, 0.90),
        ] {
            let coverage = coverage(correlation, count);
            assert!(coverage >= least, "correlation {correlation}, {count} values: {coverage}");
        }
    }

    #[test]
    fn it_is_no_wider_than_it_has_to_be() {
        let mut rng = Pcg32::seed_from_u64(3);
        let values: Vec<f64> = (0..400).map(|_| normal(&mut rng)).collect();
        let interval = median_interval(&values).unwrap();
        // 2 × 1.96 × 1.2533 σ/√n for the median of a normal distribution.
        assert!(interval.high - interval.low < 1.5 * 0.2456, "{interval:?}");
    }

    #[test]
    fn too_few_values_give_none_and_equal_values_a_point() {
        assert_eq!(median_interval(&[1.0; 5]), None);
        assert_eq!(median_interval(&[1.0; 6]), Some(Interval { low: 1.0, high: 1.0 }));
    }
}
