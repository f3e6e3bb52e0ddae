//! `bencher.json`: figures for Bencher, in its Bencher Metric Format: a benchmark has measures, a measure a value and
//! perhaps the ends of an interval (<https://bencher.dev/docs/reference/bencher-metric-format>, for its `json` adapter).
//!
//! Benchmarks are the experiment as a whole, and each pair of a speaker and an ear. Measures are named by slugs of the
//! figure's name with the unit at their end, as the format has no field for it: `speaker-to-audience-p95-ms`. The format
//! does not say whether less is better; thresholds in Bencher do. JSON has no infinity: a figure of something that never
//! was heard again is left out.

use std::collections::BTreeMap;

use jiho_analysis::stats::Interval;
use serde::Serialize;

use super::estimates::{self, Estimate};
use super::series::Series;
use crate::figures::{Figure, Pairs, Unit};

/// A benchmark's measures, by name.
type Measures = BTreeMap<String, Metric>;

/// One measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Metric {
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper_value: Option<f64>,
}

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    let mut benchmarks: BTreeMap<String, Measures> = BTreeMap::new();
    for Estimate { figure, value, interval, .. } in estimates::of(series)? {
        if !value.is_finite() {
            continue;
        }
        let (lower_value, upper_value) = interval.map(|Interval { low, high }| (low, high)).unzip();
        let metric = Metric { value, lower_value, upper_value };
        benchmarks.entry(benchmark(series, &figure.pairs)).or_default().insert(measure(&figure), metric);
    }
    super::json::pretty(&benchmarks)
}

fn benchmark(series: &Series, pairs: &Pairs) -> String {
    match (&pairs.speaker, &pairs.ear) {
        (Some(speaker), Some(ear)) => format!("{}: {speaker} to {ear}", series.experiment()),
        _ => series.experiment(),
    }
}

fn measure(figure: &Figure) -> String {
    let unit = match figure.metric.unit() {
        Unit::Ratio | Unit::Count => String::new(),
        unit => format!("-{}", unit.name()),
    };
    let figure = Figure { pairs: Pairs::default(), ..figure.clone() };
    figure.to_string().replace(['.', '_'], "-") + &unit
}
