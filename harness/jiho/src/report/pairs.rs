//! `pairs.csv`: one row per speaker and recorder.

use jiho_analysis::metrics::{Distribution, Relation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ms;
use crate::run::measure::Findings;

/// One speaker at one recorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) speaker: String,
    pub(crate) recorder: String,
    pub(crate) relation: Relation,
    pub(crate) expected: usize,
    pub(crate) heard: usize,
    pub(crate) heard_ratio: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) p05_ms: Option<f64>,
    pub(crate) median_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) iqr_ms: Option<f64>,
    /// The 95 % interval of the median.
    pub(crate) median_low_ms: Option<f64>,
    pub(crate) median_high_ms: Option<f64>,
    /// Empty where noise or too short a run would make it a guess.
    pub(crate) drift_ppm: Option<f64>,
    /// Jumps of the delay by 1 ms or more.
    pub(crate) steps: usize,
    /// Of those heard.
    #[serde(default)]
    pub(crate) weak: usize,
    /// Not among those heard.
    #[serde(default)]
    pub(crate) ambiguous: usize,
    pub(crate) network_median_ms: Option<f64>,
    pub(crate) buffer_median_ms: Option<f64>,
}

/// All rows, by recorder and speaker.
pub fn rows(findings: &Findings) -> impl Iterator<Item = PairRow> + '_ {
    findings.pairs().map(move |(recorder, speaker, pair)| {
        let delays = &pair.delays;
        let distribution = delays.distribution.as_ref();
        let interval = distribution.and_then(|d| d.median_interval_ms);
        let quantile = |p: f64| distribution.map(|d| ms(d.quantile_ms(p)));
        PairRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            speaker: speaker.name.clone(),
            recorder: recorder.name.clone(),
            relation: pair.relation,
            expected: delays.expected,
            heard: delays.heard,
            heard_ratio: delays.heard_ratio().map(ms),
            min_ms: quantile(0.0),
            p05_ms: quantile(0.05),
            median_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            max_ms: quantile(1.0),
            iqr_ms: distribution.map(Distribution::iqr_ms).map(ms),
            median_low_ms: interval.map(|i| ms(i.low)),
            median_high_ms: interval.map(|i| ms(i.high)),
            drift_ppm: delays.drift_ppm.map(|ppm| (ppm * 100.0).round() / 100.0),
            steps: delays.steps.len(),
            weak: delays.weak,
            ambiguous: delays.ambiguous,
            network_median_ms: pair.path_median_ms(|path| path.network).map(ms),
            buffer_median_ms: pair.path_median_ms(|path| path.buffer).map(ms),
        }
    })
}
