//! `stack.csv`: one row per step that a silence, or a wait for the first sound, is made of.

use jiho_analysis::metrics::Side;
use jiho_analysis::roles::{Change, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gaps::GapRow;
use crate::run::measure::Findings;

/// A step between the old path's last sample and the new path's first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) change: Option<u32>,
    pub(crate) event: Change,
    pub(crate) subject: String,
    pub(crate) side: Side,
    /// Whose ear.
    pub(crate) endpoint: String,
    pub(crate) speaker: String,
    /// From 1.
    pub(crate) order: usize,
    /// What it ends with, by whose stamp.
    pub(crate) step: Step,
    pub(crate) node: String,
    pub(crate) detail: String,
    pub(crate) from_ns: i64,
    pub(crate) to_ns: i64,
    pub(crate) length_ns: i64,
}

impl StackRow {
    /// Whether it is a step of a gap's silence.
    pub(super) fn is_of(&self, gap: &GapRow) -> bool {
        (self.change, self.event, &self.subject, self.side, &self.endpoint, &self.speaker)
            == (gap.change, gap.event, &gap.subject, gap.side, &gap.endpoint, &gap.speaker)
    }
}

/// All rows: those of a gap in order of time, the gaps as in `gaps.csv`.
pub fn rows(findings: &Findings) -> impl Iterator<Item = StackRow> + '_ {
    findings.changes.gaps.iter().flat_map(move |(gap, stack)| {
        let change = &findings.changes.changes[gap.change].0;
        stack.iter().flat_map(|stack| &stack.pieces).enumerate().map(move |(index, piece)| StackRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            change: change.number,
            event: change.change,
            subject: change.subject.clone(),
            side: gap.side,
            endpoint: gap.recorder.clone(),
            speaker: gap.speaker.clone(),
            order: index + 1,
            step: piece.step,
            node: piece.node.clone(),
            detail: piece.detail.clone(),
            from_ns: piece.from.0,
            to_ns: piece.to.0,
            length_ns: piece.length().0,
        })
    })
}
