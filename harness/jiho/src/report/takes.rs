//! `arrivals.csv` and `differences.csv` of anybody's recordings.

use serde::Serialize;

use super::ms;
use crate::takes::{Difference, Take};

/// A time signal found in a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakeArrivalRow {
    recorder: String,
    code: u8,
    /// Since the recording's start, or since the run's if a sidecar places the recording.
    arrival_ns: i64,
    arrival_sample: f64,
    score: f64,
    snr_db: f64,
    second_peak_db: f64,
}

/// A signal in one place against a signal in another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DifferenceRow {
    from: String,
    from_code: u8,
    to: String,
    to_code: u8,
    expected: usize,
    heard: usize,
    min_ms: Option<f64>,
    median_ms: Option<f64>,
    max_ms: Option<f64>,
    iqr_ms: Option<f64>,
    median_low_ms: Option<f64>,
    median_high_ms: Option<f64>,
    drift_ppm: Option<f64>,
    steps: usize,
    ambiguous: usize,
}

/// All detections, by take, code and time.
pub fn arrivals(takes: &[Take]) -> impl Iterator<Item = TakeArrivalRow> + '_ {
    takes.iter().flat_map(|take| {
        take.voices.iter().flat_map(|(_, detections)| detections).map(|detection| TakeArrivalRow {
            recorder: take.name(),
            code: detection.code.number(),
            arrival_ns: take.recorder.clock.time_at(detection.position).0,
            arrival_sample: ms(detection.position),
            score: ms(detection.score),
            snr_db: (detection.snr_db * 100.0).round() / 100.0,
            second_peak_db: (detection.second_peak_db() * 100.0).round() / 100.0,
        })
    })
}

/// All differences.
pub fn differences<'a>(takes: &'a [Take], found: &'a [Difference]) -> impl Iterator<Item = DifferenceRow> + 'a {
    found.iter().map(|difference| {
        let delays = &difference.delays;
        let distribution = delays.distribution.as_ref();
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
            median_low_ms: distribution.map(|d| ms(d.median_interval_ms.low)),
            median_high_ms: distribution.map(|d| ms(d.median_interval_ms.high)),
            drift_ppm: delays.drift_ppm.map(|ppm| (ppm * 100.0).round() / 100.0),
            steps: delays.steps,
            ambiguous: delays.ambiguous,
        }
    })
}
