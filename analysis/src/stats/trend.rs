//! Straight lines through noisy values.

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

/// The slope of y over x by the median of all pairs' slopes (Theil 1950, Sen 1968), which 29 % of outliers do
/// not move. Above 300 points, pairs are taken a third of the series apart. `None` for fewer than 5 points.
pub fn theil_sen(x: &[f64], y: &[f64]) -> Option<Trend> {
    let count = x.len().min(y.len());
    if count < 5 {
        return None;
    }
    let slope_of = |a: usize, b: usize| (y[b] - y[a]) / (x[b] - x[a]);
    let slopes: Vec<f64> = if count <= 300 {
        (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).map(|(a, b)| slope_of(a, b)).collect()
    } else {
        (0..count - count / 3).map(|a| slope_of(a, a + count / 3)).collect()
    };
    let slopes: Vec<f64> = slopes.into_iter().filter(|slope| slope.is_finite()).collect();
    let slope = median(&slopes)?;
    let residuals: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - slope * x).collect();
    let mean = x[..count].iter().sum::<f64>() / count as f64;
    let spread: f64 = x[..count].iter().map(|x| (x - mean).powi(2)).sum();
    let sd = robust_sd(&residuals).filter(|sd| *sd > 0.0).or_else(|| plain_sd(&residuals))?;
    let fewer = count as f64 / effective_count(&residuals);
    Some(Trend { slope, slope_sd: sd * fewer.sqrt() / spread.sqrt() })
}

fn plain_sd(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
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
    fn too_few_points_give_no_line() {
        assert_eq!(theil_sen(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), None);
    }
}
