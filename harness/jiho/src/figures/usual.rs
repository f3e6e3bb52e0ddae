//! The figures that a run is known by, where nobody asks for certain ones.

use super::{Figure, Metric, Pairs, Stat, Value};
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// With more pairs than this packets are millions, and are not read to count those that had to be concealed.
const CROWD: usize = 500;

const MEDIAN: Stat = Stat::Quantile(0.5);
const P95: Stat = Stat::Quantile(0.95);
const P99: Stat = Stat::Quantile(0.99);
const MAX: Stat = Stat::Quantile(1.0);

/// What is usually made of a metric's samples.
const fn stats(metric: Metric) -> &'static [Stat] {
    match metric {
        // Stage and audience are two things; all delays together are none.
        Metric::Delay(None) | Metric::Spread(None) => &[],
        Metric::Delay(Some(_)) => &[MEDIAN, P95, P99],
        Metric::Jitter => &[P95],
        Metric::TierOffset | Metric::Tempo => &[MEDIAN],
        Metric::Heard | Metric::Concealed => &[Stat::Mean],
        Metric::Step => &[MAX],
        Metric::Spread(Some(_)) => &[MEDIAN, P95],
        Metric::Gap(..) => &[MEDIAN, MAX],
        Metric::Residence => &[MEDIAN, P99],
    }
}

/// Those of a run that it has anything to compute from, over all pairs, with their values.
///
/// # Errors
/// A table is damaged.
pub fn usual(tables: &Tables) -> Result<Vec<(Figure, Value)>, TableError> {
    let is_crowd = tables.pairs()?.len() > CROWD;
    let mut found = Vec::new();
    for metric in Metric::all() {
        if stats(metric).is_empty() || (metric == Metric::Concealed && is_crowd) {
            continue;
        }
        let samples: Vec<f64> = metric.samples(tables)?.into_iter().map(|sample| sample.value).collect();
        if samples.is_empty() {
            continue;
        }
        found.extend(stats(metric).iter().filter_map(|&stat| {
            let value = Value { value: stat.of(&samples)?, samples: samples.len() };
            Some((Figure { metric, pairs: Pairs::default(), stat }, value))
        }));
    }
    Ok(found)
}
