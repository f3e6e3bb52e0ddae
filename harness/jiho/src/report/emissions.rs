//! `emissions.csv`: one row per beep sent, written as it is sent.

use jiho_analysis::signal::Code;
use serde::{Deserialize, Serialize};

/// A beep as it left its mouth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmissionRow {
    /// The run.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    pub rep: u32,
    /// Who spoke.
    pub speaker: String,
    /// Which of the speaker's beeps, from 0.
    pub beep: u32,
    /// The speaker's code.
    pub code: Code,
    /// When it was planned.
    pub planned_ns: i64,
    /// When it left the mouth, by the mouth's clock.
    pub sent_ns: i64,
    /// Bound of `sent_ns`' error.
    pub sent_error_ns: i64,
    /// The position of its first whole sample in the mouth's stream, at 48 kHz.
    pub media_time: i64,
}
