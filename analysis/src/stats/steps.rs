//! Sudden changes of a level.

use super::{median, robust_sd};

/// A step is told from noise by this many values on either side of it.
const SIDE: usize = 3;

/// Where a series of values changes its level by at least `least` and by six times its noise: the index of the first
/// value on the new level. A slope is not a step.
pub fn steps(values: &[f64], least: f64) -> Vec<usize> {
    let differences: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The noise of a difference, not of the values, whose spread the steps themselves would widen.
    let noise = robust_sd(&differences).unwrap_or(0.0);
    let threshold = least.max(6.0 * noise);
    let change = |at: usize| {
        let level = |range: std::ops::Range<usize>| median(&values[range]).unwrap_or(0.0);
        level(at..(at + SIDE).min(values.len())) - level(at.saturating_sub(SIDE)..at)
    };
    let mut found: Vec<usize> = Vec::new();
    for at in SIDE..values.len().saturating_sub(SIDE - 1) {
        if change(at).abs() < threshold {
            continue;
        }
        match found.last_mut() {
            // A step moves the medians of its neighbourhood too: the sharpest single difference is its place.
            Some(last) if at - *last < SIDE => {
                if differences[at - 1].abs() > differences[*last - 1].abs() {
                    *last = at;
                }
            }
            _ => found.push(at),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_where_it_is() {
        let values: Vec<f64> = (0..30).map(|n| if n < 12 { 60.0 } else { 80.0 } + 0.01 * f64::from(n % 3)).collect();
        assert_eq!(steps(&values, 1.0), vec![12]);
    }

    #[test]
    fn two_steps_are_two() {
        let values: Vec<f64> =
            (0..30).map(|n| if (10..20).contains(&n) { 80.0 } else { 60.0 } + 0.1 * f64::from(n % 2)).collect();
        assert_eq!(steps(&values, 1.0), vec![10, 20]);
    }

    #[test]
    fn a_single_outlier_noise_and_a_slope_are_not_steps() {
        let mut values: Vec<f64> = (0..40).map(|n| 60.0 + 0.3 * f64::from(n * 7 % 5) + 0.05 * f64::from(n)).collect();
        values[17] = 95.0;
        assert_eq!(steps(&values, 1.0), Vec::<usize>::new());
    }
}
