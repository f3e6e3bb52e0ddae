//! `track.csv`: one row per tenth of a second, recording and pilot.

use jiho_analysis::signal::Code;
use jiho_analysis::track::{Point, delay};
use jiho_analysis::units::{RunTime, SampleClock};
use serde::{Deserialize, Serialize};

use crate::run::measure::Findings;

/// A pilot in a tenth of a second of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackRow {
    pub(crate) run_id: Option<String>,
    pub(crate) rep: Option<u32>,
    pub(crate) recorder: String,
    pub(crate) speaker: Option<String>,
    pub(crate) code: Code,
    /// Since the run's start; in anybody's recordings since their own start.
    pub(crate) at_ns: i64,
    /// In how much of it the pilot is.
    pub(crate) present: f64,
    /// Which instant of the pilot sounds at `at_ns`.
    pub(crate) media_ns: Option<i64>,
    /// How much later the recording's time is than the pilot's.
    pub(crate) lag_ns: Option<i64>,
    pub(crate) lag_sd_ns: Option<i64>,
    /// Mouth-to-ear delay.
    pub(crate) delay_ns: Option<i64>,
    pub(crate) gain_db: Option<f64>,
    pub(crate) rho: Option<f64>,
    pub(crate) level_db: f64,
    pub(crate) rest_db: f64,
}

impl TrackRow {
    /// What the recording alone tells, of which the clock is known.
    pub(crate) fn found(recorder: String, point: &Point, clock: &SampleClock) -> Self {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            run_id: None,
            rep: None,
            recorder,
            speaker: None,
            code: point.code,
            at_ns: (clock.start + point.at).0,
            present: point.present,
            media_ns: point.media().map(|media| media.0),
            lag_ns: point.pilot.map(|pilot| pilot.lag.value.0),
            lag_sd_ns: point.pilot.map(|pilot| pilot.lag.sd.0),
            delay_ns: None,
            gain_db: point.pilot.map(|pilot| round(20.0 * pilot.gain.abs().max(1e-6).log10())),
            rho: point.pilot.map(|pilot| round(pilot.rho)),
            level_db: round(point.level_db),
            rest_db: round(point.rest_db),
        }
    }

    fn of_run(self, findings: &Findings, speaker: String, delay_ns: Option<i64>) -> Self {
        let (run_id, rep) = (Some(findings.run_id.clone()), Some(findings.rep));
        Self { run_id, rep, speaker: Some(speaker), delay_ns, ..self }
    }
}

/// All rows of a run, by recorder, speaker and time.
pub fn rows(findings: &Findings) -> impl Iterator<Item = TrackRow> + '_ {
    findings.recorders.iter().flat_map(move |recorder| {
        recorder.pilots.iter().flat_map(move |heard| {
            let speaker = &findings.speakers[heard.speaker];
            let began: Option<RunTime> = jiho_analysis::track::began(&speaker.emissions);
            heard.points.iter().map(move |point| {
                let late = point.pilot.and_then(|pilot| delay(&pilot.lag, &heard.clock, began?));
                let row = TrackRow::found(recorder.name.clone(), point, &heard.clock);
                row.of_run(findings, speaker.name.clone(), late.map(|late| late.0))
            })
        })
    })
}
