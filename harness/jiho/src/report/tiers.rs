//! Stage and audience as a whole: what `pairs.csv` has pair by pair.

use jiho_analysis::metrics::Relation;
use schemars::JsonSchema;
use serde::Serialize;

use super::ms;
use super::table::TableError;
use super::tables::Tables;
use crate::figures::{Figure, Metric, Pairs, Stat};

/// All pairs of one relation together.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TierRow {
    /// `stage`, `audience`, or `self` for what speakers hear of themselves.
    pub relation: Relation,
    /// How many pairs.
    pub pairs: usize,
    /// Of these how many were heard at all.
    pub pairs_heard: usize,
    /// Beeps.
    pub expected: usize,
    /// Of these heard, the weak included.
    pub heard: usize,
    /// Not among those heard.
    pub ambiguous: usize,
    /// Median mouth-to-ear delay of all beeps that were heard, in ms.
    pub median_ms: Option<f64>,
    /// 95 of 100 beeps come no later.
    pub p95_ms: Option<f64>,
    /// 99 of 100 beeps come no later.
    pub p99_ms: Option<f64>,
    /// The median of the fastest pair.
    pub least_median_ms: Option<f64>,
    /// The median of the slowest pair.
    pub greatest_median_ms: Option<f64>,
}

/// The tiers that a run has.
///
/// # Errors
/// A table is damaged.
pub fn rows(tables: &Tables) -> Result<Vec<TierRow>, TableError> {
    let relations = [Relation::Stage, Relation::Audience, Relation::Own];
    let rows = relations.into_iter().map(|relation| row(tables, relation));
    rows.filter_map(Result::transpose).collect()
}

fn row(tables: &Tables, relation: Relation) -> Result<Option<TierRow>, TableError> {
    let pairs: Vec<_> = tables.pairs()?.iter().filter(|row| row.relation == relation).collect();
    if pairs.is_empty() {
        return Ok(None);
    }
    let delay = |stat| -> Result<Option<f64>, TableError> {
        let figure = Figure { metric: Metric::Delay(Some(relation)), pairs: Pairs::default(), stat };
        Ok(figure.of(tables)?.map(|found| ms(found.value)))
    };
    let medians = || pairs.iter().filter_map(|row| row.median_ms);
    Ok(Some(TierRow {
        relation,
        pairs: pairs.len(),
        pairs_heard: pairs.iter().filter(|row| row.heard > 0).count(),
        expected: pairs.iter().map(|row| row.expected).sum(),
        heard: pairs.iter().map(|row| row.heard).sum(),
        ambiguous: pairs.iter().map(|row| row.ambiguous).sum(),
        median_ms: delay(Stat::Quantile(0.5))?,
        p95_ms: delay(Stat::Quantile(0.95))?,
        p99_ms: delay(Stat::Quantile(0.99))?,
        least_median_ms: medians().reduce(f64::min),
        greatest_median_ms: medians().reduce(f64::max),
    }))
}
