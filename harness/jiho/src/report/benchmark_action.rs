//! `benchmark-action.json`: figures for the GitHub action benchmark-action/github-action-benchmark, as its tool
//! `customSmallerIsBetter` reads them: a list of objects with `name`, `unit`, `value` and, for people only, `range` and
//! `extra` (<https://github.com/benchmark-action/github-action-benchmark>, "Custom benchmarks").
//!
//! That tool takes every increase for the worse. So the share of beeps that were heard is inverted, to the share that was
//! not: `unheard_ratio`. A tempo, of which neither more nor less is better, is left out; so is, as JSON has no infinity, a
//! figure of something that never was heard again.

use serde::Serialize;

use super::estimates::{self, Estimate};
use super::ms;
use super::series::Series;
use crate::figures::{Metric, Unit};

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    let experiment = series.experiment();
    let entries = estimates::of(series)?.into_iter().filter(|estimate| estimate.value.is_finite());
    super::json::pretty(&entries.filter_map(|estimate| entry(&experiment, &estimate)).collect::<Vec<_>>())
}

fn entry(experiment: &str, Estimate { figure, value, interval, samples }: &Estimate) -> Option<Entry> {
    let (name, value) = match figure.metric {
        Metric::Heard => (figure.to_string().replace("heard_ratio", "unheard_ratio"), ms(1.0 - value)),
        metric if metric.is_cost() => (figure.to_string(), *value),
        _ => return None,
    };
    let unit = match figure.metric.unit() {
        Unit::Ratio => "ratio",
        unit => unit.name(),
    };
    Some(Entry {
        name: format!("{experiment}: {name}"),
        unit,
        value,
        range: interval.map(|interval| format!("± {:.4}", (interval.high - interval.low) / 2.0)),
        extra: format!("{samples} samples"),
    })
}
