//! Statistics that make no assumption about a distribution's shape: delays out of jitter buffers are quantised and
//! have several modes.

mod change_points;
mod interval;
mod shift;
mod steps;
mod student;
mod trend;

pub use change_points::{ChangePoint, Sought, change_points};
pub use interval::{Interval, LEAST_FOR_INTERVAL, effective_count, median_interval};
pub use shift::{Shift, shift};
pub use steps::steps;
pub use student::{FurtherValue, further_value, t_test_above};
pub use trend::{Trend, theil_sen, theil_sen_in};

/// The quantile `p`, 0 to 1, of sorted values, interpolated linearly (type 7 of Hyndman & Fan 1996).
/// `None` if there are no values.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = p.clamp(0.0, 1.0) * last as f64;
    let low = position.floor() as usize;
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * (position - low as f64))
}

/// The median; `None` if there are no values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// The values in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// A robust standard deviation: 1.4826 times the median absolute deviation; `None` if there are no values.
pub fn robust_sd(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|v| (v - centre).abs()).collect();
    Some(1.4826 * median(&deviations)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8, 16], [0.05, 0.5, 0.95]) → 1.2, 4.0, 14.4
        let values = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (p, expected) in [(0.0, 1.0), (0.05, 1.2), (0.5, 4.0), (0.95, 14.4), (1.0, 16.0)] {
            assert!((quantile(&values, p).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_robust_deviation_ignores_an_outlier() {
        let sd = robust_sd(&[1.0, 2.0, 3.0, 4.0, 1000.0]).unwrap();
        assert!((sd - 1.4826).abs() < 1e-9);
    }
}
