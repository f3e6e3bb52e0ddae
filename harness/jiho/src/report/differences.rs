//! `differences.csv`: one row per signal in one place against the same or another in another place.

use serde::{Deserialize, Serialize};

use super::ms;
use crate::takes::{Difference, Take};

/// A signal in one place against a signal in another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    pub(crate) from: String,
    pub(crate) from_code: u8,
    pub(crate) to: String,
    pub(crate) to_code: u8,
    pub(crate) expected: usize,
    pub(crate) heard: usize,
    pub(crate) min_ms: Option<f64>,
    pub(crate) median_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) iqr_ms: Option<f64>,
    pub(crate) median_low_ms: Option<f64>,
    pub(crate) median_high_ms: Option<f64>,
    pub(crate) drift_ppm: Option<f64>,
    pub(crate) steps: usize,
    pub(crate) ambiguous: usize,
}

/// All differences.
pub fn rows<'a>(takes: &'a [Take], found: &'a [Difference]) -> impl Iterator<Item = DifferenceRow> + 'a {
    found.iter().map(|difference| {
        let delays = &difference.delays;
        let distribution = delays.distribution.as_ref();
        let interval = distribution.and_then(|d| d.median_interval_ms);
        let quantile = |p: f64| distribution.map(|d| ms(d.quantile_ms(p)));
        DifferenceRow {
            from: takes[difference.from.0].name(),
            from_code: difference.from.1.number(),
            to: takes[difference.to.0].name(),
            to_code: difference.to.1.number(),
            expected: delays.expected,
            heard: delays.heard,
            min_ms: quantile(0.0),
            median_ms: quantile(0.5),
            max_ms: quantile(1.0),
            iqr_ms: distribution.map(|d| ms(d.iqr_ms())),
            median_low_ms: interval.map(|i| ms(i.low)),
            median_high_ms: interval.map(|i| ms(i.high)),
            drift_ppm: delays.drift_ppm.map(|ppm| (ppm * 100.0).round() / 100.0),
            steps: delays.steps.len(),
            ambiguous: delays.ambiguous,
        }
    })
}
