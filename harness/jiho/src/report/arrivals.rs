//! `arrivals.csv`: one row per detection in a recording, echoes and strangers too.

use jiho_analysis::arrivals::{ArrivalKind, Role};
use jiho_analysis::hear::Detection;
use jiho_analysis::signal::Code;
use jiho_analysis::units::RunTime;
use serde::{Deserialize, Serialize};

use super::ms;
use crate::run::measure::Findings;
use crate::takes::Take;

/// A time signal found in a recording.
///
/// Whatever may be a time signal has a row, so that nothing that was recorded is lost; `kind` says what to make of it.
/// In anybody's recordings, of which nothing is known but their sound, rows are of codes that were surely found, and
/// what only a run can tell is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArrivalRow {
    pub(crate) run_id: Option<String>,
    pub(crate) rep: Option<u32>,
    pub(crate) recorder: String,
    pub(crate) role: Option<Role>,
    /// Whose beep it is; empty for a detection that belongs to no beep.
    pub(crate) speaker: Option<String>,
    /// Empty for a detection that belongs to no beep.
    pub(crate) beep: Option<u32>,
    /// Since the run's start; in anybody's recordings since their own start, unless a sidecar places them.
    pub(crate) arrival_ns: i64,
    /// The position in the recording, between samples.
    pub(crate) arrival_sample: f64,
    /// The normalised correlation coefficient.
    pub(crate) score: f64,
    pub(crate) snr_db: f64,
    /// The highest other peak within 150 ms, relative to this one.
    pub(crate) second_peak_db: f64,
    /// 1: the beep's arrival; 2 and more: further arrivals of the same beep; 0: of no beep.
    pub(crate) rank: Option<u32>,
    /// The code that was found; empty in families without codes.
    pub(crate) code: Option<Code>,
    /// `beep`; `echo`, a further arrival of one; `stranger`, sure by itself and of no beep; or `unsupported`, faint or
    /// ambiguous and of no beep, such as the shadow of a damaged signal of another code, or a beep that `delays.csv`
    /// calls missing because `not_supported`.
    pub(crate) kind: Option<ArrivalKind>,
}

impl ArrivalRow {
    /// What the recording alone tells.
    pub(crate) fn found(recorder: String, detection: &Detection, at: RunTime, code: Option<Code>) -> Self {
        Self {
            run_id: None,
            rep: None,
            recorder,
            role: None,
            speaker: None,
            beep: None,
            arrival_ns: at.0,
            arrival_sample: ms(detection.position),
            score: ms(detection.score),
            snr_db: (detection.snr_db * 100.0).round() / 100.0,
            second_peak_db: (detection.second_peak_db() * 100.0).round() / 100.0,
            rank: None,
            code,
            kind: None,
        }
    }
}

/// All rows of a run, in the order of recorders and of time.
pub fn of_run(findings: &Findings) -> impl Iterator<Item = ArrivalRow> + '_ {
    findings.recorders.iter().flat_map(move |recorder| {
        recorder.arrivals.iter().map(move |(speaker, arrival)| {
            let code = findings.family.is_coded().then_some(arrival.detection.code);
            ArrivalRow {
                run_id: Some(findings.run_id.clone()),
                rep: Some(findings.rep),
                role: Some(recorder.role),
                speaker: speaker.map(|index| findings.speakers[index].name.clone()),
                beep: arrival.beep,
                rank: Some(arrival.rank),
                kind: Some(arrival.kind()),
                ..ArrivalRow::found(recorder.name.clone(), &arrival.detection, arrival.at, code)
            }
        })
    })
}

/// All rows of anybody's recordings, by take, code and time.
pub fn of_takes(takes: &[Take]) -> impl Iterator<Item = ArrivalRow> + '_ {
    takes.iter().flat_map(|take| {
        take.voices.iter().flat_map(|(_, detections)| detections).map(|detection| {
            let at = take.recorder.clock.time_at(detection.position);
            let code = take.family.is_coded().then_some(detection.code);
            ArrivalRow::found(take.name(), detection, at, code)
        })
    })
}
