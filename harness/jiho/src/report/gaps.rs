//! `gaps.csv`: one row per change of somebody's role, ear and speaker that it bears on.

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::{GapKind, Side};
use jiho_analysis::roles::Change;
use jiho_analysis::units::{Nanos, RunTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::run::measure::Findings;

/// What a change did to one speaker's sound at one ear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GapRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) event: Change,
    /// Whose ear.
    pub(crate) endpoint: String,
    /// Of the subject.
    pub(crate) from_role: Option<Role>,
    pub(crate) to_role: Option<Role>,
    pub(crate) side: Side,
    pub(crate) commanded_ns: i64,
    pub(crate) last_before_ns: Option<i64>,
    pub(crate) first_after_ns: Option<i64>,
    pub(crate) silence_ns: Option<i64>,
    pub(crate) lost_ns: Option<i64>,
    pub(crate) repeated_ns: Option<i64>,
    /// Since the command, as is the next.
    pub(crate) first_audio_ns: Option<i64>,
    pub(crate) steady_ns: Option<i64>,
    /// Bound of the error of both edges.
    pub(crate) resolution_ns: i64,
    pub(crate) kind: GapKind,
    pub(crate) change: Option<u32>,
    pub(crate) subject: String,
    pub(crate) speaker: String,
    pub(crate) far_end: FarEnd,
    pub(crate) delay_before_ns: Option<i64>,
    pub(crate) delay_after_ns: Option<i64>,
    pub(crate) steps_sum_ns: Option<i64>,
    pub(crate) unexplained_ns: Option<i64>,
}

/// Whether anybody but the subject sounded while its role changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FarEnd {
    /// Somebody did.
    Active,
    /// Nobody did.
    Silent,
}

/// All rows, by change, side, ear and speaker.
pub fn rows(findings: &Findings) -> impl Iterator<Item = GapRow> + '_ {
    let nanos = |span: Option<Nanos>| span.map(|span| span.0);
    let instant = |at: Option<RunTime>| at.map(|at| at.0);
    findings.changes.gaps.iter().map(move |(gap, stack)| {
        let (change, [from_role, to_role]) = &findings.changes.changes[gap.change];
        GapRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            event: change.change,
            endpoint: gap.recorder.clone(),
            from_role: *from_role,
            to_role: *to_role,
            side: gap.side,
            commanded_ns: change.commanded.0,
            last_before_ns: instant(gap.last_before),
            first_after_ns: instant(gap.first_after),
            silence_ns: nanos(gap.silence),
            lost_ns: nanos(gap.lost),
            repeated_ns: nanos(gap.repeated),
            first_audio_ns: nanos(gap.first_audio),
            steady_ns: nanos(gap.steady),
            resolution_ns: gap.resolution.0,
            kind: gap.kind,
            change: change.number,
            subject: change.subject.clone(),
            speaker: gap.speaker.clone(),
            far_end: if gap.far_end_active { FarEnd::Active } else { FarEnd::Silent },
            delay_before_ns: nanos(gap.delay_before),
            delay_after_ns: nanos(gap.delay_after),
            steps_sum_ns: stack.as_ref().map(|stack| stack.sum().0),
            unexplained_ns: stack.as_ref().map(|stack| stack.unexplained().0),
        }
    })
}
