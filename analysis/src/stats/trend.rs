//! Straight lines through noisy values.

use std::ops::Range;

use super::{effective_count, median, robust_sd};

/// A slope and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Per unit of x.
    pub slope: f64,
    /// The slope's standard deviation: as of a least-squares line through as many independent values as the residuals
    /// are worth, with their robust spread; with their plain one where more than half of them are equal.
    pub slope_sd: f64,
}

/// Of fewer points nothing is said.
const LEAST: usize = 5;
/// Of more points in a stretch, only pairs a third of it apart are taken.
const ALL_PAIRS: usize = 300;

/// As [`theil_sen_in`], of one stretch.
pub fn theil_sen(x: &[f64], y: &[f64]) -> Option<Trend> {
    theil_sen_in(x, y, std::slice::from_ref(&(0..x.len().min(y.len()))))
}

/// The slope of y over x that stretches of points share, whatever the level of each: the median of the slopes of pairs
/// within a stretch (Theil 1950, Sen 1968), which 29 % of outliers do not move, each counted by how far its points lie
/// apart (Sievers 1978), so that it is as good as many long pairs and not as bad as many short ones. `None` for fewer
/// than 5 points. Near-linear in their number.
pub fn theil_sen_in(x: &[f64], y: &[f64], stretches: &[Range<usize>]) -> Option<Trend> {
    let count: usize = stretches.iter().map(ExactSizeIterator::len).sum();
    if count < LEAST {
        return None;
    }
    let mut slopes: Vec<(f64, f64)> = Vec::new();
    for stretch in stretches {
        let mut add = |a: usize, b: usize| {
            let apart = x[b] - x[a];
            if apart > 0.0 {
                slopes.push(((y[b] - y[a]) / apart, apart));
            }
        };
        let third = stretch.len() / 3;
        if stretch.len() <= ALL_PAIRS {
            stretch.clone().for_each(|a| (a + 1..stretch.end).for_each(|b| add(a, b)));
        } else {
            (stretch.start..stretch.end - third).for_each(|a| add(a, a + third));
        }
    }
    let slope = weighted_median(&mut slopes)?;
    let (mut residuals, mut spread) = (Vec::with_capacity(count), 0.0);
    for stretch in stretches {
        let straight: Vec<f64> = stretch.clone().map(|n| y[n] - slope * x[n]).collect();
        let Some(level) = median(&straight) else { continue };
        residuals.extend(straight.iter().map(|y| y - level));
        let mean = x[stretch.clone()].iter().sum::<f64>() / stretch.len() as f64;
        spread += x[stretch.clone()].iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    }
    let sd = robust_sd(&residuals).filter(|sd| *sd > 0.0).or_else(|| plain_sd(&residuals))?;
    let fewer = count as f64 / effective_count(&residuals);
    Some(Trend { slope, slope_sd: sd * fewer.sqrt() / spread.sqrt() })
}

/// The value with half of the weight on either side. `None` if there is no weight.
fn weighted_median(values: &mut [(f64, f64)]) -> Option<f64> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let found = values.iter().find(|(_, weight)| {
        below += weight;
        below >= half
    });
    found.map(|(value, _)| *value)
}

fn plain_sd(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg32;

    use super::*;

    #[test]
    fn a_line_is_found_among_outliers() {
        for count in [20, 400] {
            let x: Vec<f64> = (0..count).map(f64::from).collect();
            let y: Vec<f64> = x.iter().map(|x| 3.0 + 0.25 * x + if *x as i32 % 5 == 0 { 100.0 } else { 0.0 }).collect();
            let trend = theil_sen(&x, &y).unwrap();
            assert!((trend.slope - 0.25).abs() < 1e-9, "{trend:?}");
        }
    }

    #[test]
    fn stretches_on_different_levels_share_one_slope() {
        let x: Vec<f64> = (0..60).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| 0.25 * x + if *x < 20.0 { 0.0 } else { 50.0 }).collect();
        let trend = theil_sen_in(&x, &y, &[0..20, 20..60]).unwrap();
        assert!((trend.slope - 0.25).abs() < 1e-12, "{trend:?}");
        // As well known as by all points, but for the level of one more stretch.
        let mut rng = Pcg32::seed_from_u64(5);
        let errors: Vec<f64> = (0..200)
            .map(|_| {
                let noisy: Vec<f64> = y.iter().map(|y| y + f64::from(rng.next_u32()) / f64::from(u32::MAX)).collect();
                let trend = theil_sen_in(&x, &noisy, &[0..20, 20..60]).unwrap();
                (trend.slope - 0.25) / trend.slope_sd
            })
            .collect();
        let rms = (errors.iter().map(|error| error * error).sum::<f64>() / 200.0).sqrt();
        assert!((0.6..1.4).contains(&rms), "the error is {rms} times what is stated");
    }

    #[test]
    fn too_few_points_give_no_line() {
        assert_eq!(theil_sen(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), None);
    }
}
