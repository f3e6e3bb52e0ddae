//! `breaks.csv`: one row per break in a pilot.

use std::collections::BTreeMap;

use jiho_analysis::signal::Code;
use jiho_analysis::track::{Break, BreakKind, began, delay};
use jiho_analysis::units::{Nanos, SampleClock};
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::run::measure::Findings;

/// A break in a pilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakRow {
    pub(crate) run_id: Option<String>,
    pub(crate) rep: Option<u32>,
    pub(crate) recorder: String,
    pub(crate) speaker: Option<String>,
    pub(crate) code: Code,
    pub(crate) kind: BreakKind,
    /// Since the run's start; in anybody's recordings since their own start.
    pub(crate) last_before_ns: i64,
    pub(crate) first_after_ns: i64,
    pub(crate) silence_ns: i64,
    pub(crate) lost_ns: i64,
    pub(crate) step_ns: i64,
    pub(crate) closure_ns: i64,
    /// Bound of the error of `silence_ns` and `lost_ns`.
    pub(crate) edge_error_ns: i64,
    pub(crate) lag_before_ns: i64,
    pub(crate) lag_after_ns: i64,
    pub(crate) delay_before_ns: Option<i64>,
    pub(crate) delay_after_ns: Option<i64>,
    pub(crate) steps: u32,
    pub(crate) slope_percent: Option<f64>,
    pub(crate) filled_db: Option<f64>,
}

impl BreakRow {
    /// What the recording alone tells, of which the clock is known.
    pub(crate) fn found(recorder: String, found: &Break, clock: &SampleClock) -> Self {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            run_id: None,
            rep: None,
            recorder,
            speaker: None,
            code: found.code,
            kind: found.kind,
            last_before_ns: (clock.start + found.last_before).0,
            first_after_ns: (clock.start + found.first_after).0,
            silence_ns: found.silence.0,
            lost_ns: found.lost.0,
            step_ns: found.step.0,
            closure_ns: found.closure().0,
            edge_error_ns: found.edge_error.0,
            lag_before_ns: found.before.value.0,
            lag_after_ns: found.after.value.0,
            delay_before_ns: None,
            delay_after_ns: None,
            steps: found.steps,
            slope_percent: found.slope().map(|slope| round(100.0 * slope)),
            filled_db: found.filled_db.map(round),
        }
    }
}

/// All rows of a run, by recorder, speaker and time.
pub fn rows(findings: &Findings) -> impl Iterator<Item = BreakRow> + '_ {
    findings.recorders.iter().flat_map(move |recorder| {
        recorder.pilots.iter().flat_map(move |heard| {
            let speaker = &findings.speakers[heard.speaker];
            let began = began(&speaker.emissions);
            heard.breaks.iter().map(move |found| {
                let late = |lag| delay(lag, &heard.clock, began?).map(|late| late.0);
                BreakRow {
                    run_id: Some(findings.run_id.clone()),
                    rep: Some(findings.rep),
                    speaker: Some(speaker.name.clone()),
                    delay_before_ns: late(&found.before),
                    delay_after_ns: late(&found.after),
                    ..BreakRow::found(recorder.name.clone(), found, &heard.clock)
                }
            })
        })
    })
}

/// A run's breaks in sentences, one for each pair that has any.
pub fn sentences(findings: &Findings) -> Vec<String> {
    let pairs =
        findings.recorders.iter().flat_map(|recorder| recorder.pilots.iter().map(move |heard| (recorder, heard)));
    pairs
        .filter(|(_, heard)| !heard.breaks.is_empty())
        .map(|(recorder, heard)| {
            let speaker = &findings.speakers[heard.speaker].name;
            format!("{}'s pilot broke off at {}: {}.", speaker, recorder.name, summary(&heard.breaks))
        })
        .collect()
}

/// How many breaks of each kind, and how much was silent and lost in them.
pub fn summary(breaks: &[Break]) -> String {
    let mut kinds: BTreeMap<BreakKind, Vec<&Break>> = BTreeMap::new();
    breaks.iter().for_each(|found| kinds.entry(found.kind).or_default().push(found));
    let sum =
        |breaks: &[&Break], part: fn(&Break) -> Nanos| breaks.iter().map(|b| part(b).as_millis_f64()).sum::<f64>();
    let words = kinds.into_iter().map(|(kind, breaks)| {
        let (silent, lost, step) = (sum(&breaks, |b| b.silence), sum(&breaks, |b| b.lost), sum(&breaks, |b| b.step));
        let count = counted(breaks.len(), "break");
        format!("{count} of kind {} ({silent:.0} ms silent, {lost:.0} ms lost, steps of {step:+.1} ms)", kind.name())
    });
    words.collect::<Vec<_>>().join("; ")
}
