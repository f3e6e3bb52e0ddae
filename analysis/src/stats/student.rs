//! Student's t, for figures that scatter normally enough: means, and medians of many.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// What one more value of a sample should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FurtherValue {
    /// The values' mean.
    pub mean: f64,
    /// How far from it the next one lies at most, to either side.
    pub margin: f64,
}

/// Of fewer values nobody can say where the next one will be.
const LEAST: usize = 5;

/// Where one more value will be, if it is like those at hand; it is beyond either end with the probability `error`: the
/// prediction interval of the normal distribution, t sd √(1 + 1/n). `None` for fewer than 5 values.
pub fn further_value(values: &[f64], error: f64) -> Option<FurtherValue> {
    if values.len() < LEAST {
        return None;
    }
    let (mean, variance) = moments(values);
    let count = values.len() as f64;
    let student = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
    let margin = student.inverse_cdf(1.0 - error) * (variance * (1.0 + 1.0 / count)).sqrt();
    Some(FurtherValue { mean, margin })
}

/// How often chance alone would put the mean of `to` so far above that of `from` (Welch 1947). `None` for fewer than two
/// values on a side.
pub fn t_test_above(from: &[f64], to: &[f64]) -> Option<f64> {
    if from.len() < 2 || to.len() < 2 {
        return None;
    }
    let ((a, va), (b, vb)) = (moments(from), moments(to));
    let (na, nb) = (from.len() as f64, to.len() as f64);
    let (ea, eb) = (va / na, vb / nb);
    if ea + eb == 0.0 {
        return Some(if b > a { 0.0 } else { 1.0 });
    }
    let freedom = (ea + eb).powi(2) / (ea * ea / (na - 1.0) + eb * eb / (nb - 1.0));
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(student.sf((b - a) / (ea + eb).sqrt()))
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (values.len() as f64 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_scipy() {
        // scipy.stats.ttest_ind(to, from, equal_var=False, alternative="greater").pvalue
        let from = [10.1, 12.3, 11.7, 15.2, 9.9, 13.0, 10.8, 12.9];
        let to = [12.0, 14.1, 16.3, 13.7, 15.9, 11.1, 17.2, 13.3];
        let p = t_test_above(&from, &to).unwrap();
        assert!((p - 0.02032575395489644).abs() < 1e-9, "{p}");
        assert_eq!(t_test_above(&[1.0], &to), None);
    }

    #[test]
    fn one_more_value_lies_where_a_table_says() {
        // t of 9 degrees of freedom at 99.5 %: 3.2498 (any table); the sample's sd is 3.02765.
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let further = further_value(&values, 0.005).unwrap();
        assert!((further.mean - 5.5).abs() < 1e-12);
        assert!((further.margin - 3.249_836 * 3.027_650_354 * 1.1_f64.sqrt()).abs() < 1e-4, "{further:?}");
        assert_eq!(further_value(&values[..4], 0.005), None);
    }
}
