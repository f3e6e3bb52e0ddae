//! `steps.csv`: one row per sudden change of a delay.

use jiho_analysis::metrics::Relation;
use serde::{Deserialize, Serialize};

use super::ms;
use crate::run::measure::Findings;

/// One step of one speaker's delay at one recorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) speaker: String,
    pub(crate) recorder: String,
    pub(crate) relation: Relation,
    /// When the first beep with the delay after it was sent.
    pub(crate) at_ns: i64,
    /// Median delays from the step before, and until the step after.
    pub(crate) before_ms: f64,
    pub(crate) after_ms: f64,
    pub(crate) step_ms: f64,
}

/// All rows, by recorder, speaker and time.
pub fn rows(findings: &Findings) -> impl Iterator<Item = StepRow> + '_ {
    findings.pairs().flat_map(move |(recorder, speaker, pair)| {
        pair.delays.steps.iter().map(move |step| StepRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            speaker: speaker.name.clone(),
            recorder: recorder.name.clone(),
            relation: pair.relation,
            at_ns: step.at.0,
            before_ms: ms(step.before_ms),
            after_ms: ms(step.after_ms),
            step_ms: ms(step.after_ms - step.before_ms),
        })
    })
}
