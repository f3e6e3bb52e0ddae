//! `arrivals.csv`: one row per detection in a recording, echoes and strangers too.

use jiho_analysis::arrivals::{Arrival, Role};
use serde::Serialize;

use super::ms;
use crate::run::measure::Findings;

/// A time signal found in a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrivalRow<'a> {
    run_id: &'a str,
    rep: u32,
    recorder: &'a str,
    role: Role,
    /// Empty for a stranger: a code that nobody in the run has.
    speaker: Option<&'a str>,
    /// Empty for a detection that belongs to no beep.
    beep: Option<u32>,
    arrival_ns: i64,
    /// The position in the recording, between samples.
    arrival_sample: f64,
    /// The normalised correlation coefficient.
    score: f64,
    snr_db: f64,
    /// The highest other peak within 150 ms, relative to this one.
    second_peak_db: f64,
    /// 1: the beep's arrival; 2 and more: further arrivals of the same beep; 0: of no beep.
    rank: u32,
}

/// All rows, in the order of recorders and of time.
pub fn rows(findings: &Findings) -> impl Iterator<Item = ArrivalRow<'_>> {
    findings.recorders.iter().flat_map(move |recorder| {
        recorder.arrivals.iter().map(move |(speaker, arrival)| {
            let Arrival { detection, at, beep, rank } = arrival;
            ArrivalRow {
                run_id: &findings.run_id,
                rep: findings.rep,
                recorder: &recorder.name,
                role: recorder.role,
                speaker: speaker.map(|index| findings.speakers[index].name.as_str()),
                beep: *beep,
                arrival_ns: at.0,
                arrival_sample: ms(detection.position),
                score: ms(detection.score),
                snr_db: (detection.snr_db * 100.0).round() / 100.0,
                second_peak_db: (detection.second_peak_db() * 100.0).round() / 100.0,
                rank: *rank,
            }
        })
    })
}
