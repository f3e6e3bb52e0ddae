//! `gates.csv`: one row per gate, beside the run or the series that it judges.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prose::wrapped;
use super::words::counted;

/// What a gate came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The figure is as it should be.
    Pass,
    /// Too little was measured, or too differently from repetition to repetition, to say.
    Inconclusive,
    /// The figure is not as it should be.
    Fail,
}

impl Verdict {
    /// As files call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

/// A gate and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRow {
    pub(crate) run_id: String,
    /// How many repetitions it rests on.
    pub(crate) repetitions: usize,
    /// The gate as it was written.
    pub(crate) gate: String,
    /// The figure's name without pair and statistic.
    pub(crate) metric: String,
    pub(crate) stat: String,
    /// Of which pairs; empty: of all.
    pub(crate) selector: String,
    /// Of all repetitions together; empty if there is none.
    pub(crate) value: Option<f64>,
    /// Its interval over repetitions; empty if there are too few.
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) unit: String,
    /// What the value is held against; empty if it is only held against a baseline.
    pub(crate) limit: Option<f64>,
    /// The same figure of what it is compared with.
    pub(crate) baseline: Option<f64>,
    /// By how much it lies above that, and the interval of it.
    pub(crate) change: Option<f64>,
    pub(crate) change_low: Option<f64>,
    pub(crate) change_high: Option<f64>,
    /// How often chance alone would change it for the worse by as much.
    pub(crate) p_value: Option<f64>,
    pub(crate) verdict: Verdict,
    /// The verdict with its reason, in words.
    pub(crate) sentence: String,
}

impl GateRow {
    /// The figure over all repetitions, if there is one.
    pub const fn value(&self) -> Option<f64> {
        self.value
    }

    /// What is in its unit, as the columns are called.
    pub(crate) const fn figures(&self) -> [(&'static str, Option<f64>); 8] {
        [
            ("value", self.value),
            ("low", self.low),
            ("high", self.high),
            ("limit", self.limit),
            ("baseline", self.baseline),
            ("change", self.change),
            ("change_low", self.change_low),
            ("change_high", self.change_high),
        ]
    }
}

/// Gates for a terminal: each verdict with its reason, and how many there are of each.
pub fn text(rows: &[GateRow]) -> String {
    let mut text = String::new();
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}\n{}", row.verdict.name().to_uppercase(), row.gate, wrapped(&row.sentence));
    }
    let counts: Vec<String> = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]
        .into_iter()
        .filter(|verdict| count(*verdict) > 0)
        .map(|verdict| format!("{} {}", count(verdict), verdict.name()))
        .collect();
    let _ = writeln!(text, "{}: {}.", counted(rows.len(), "gate"), counts.join(", "));
    text
}
