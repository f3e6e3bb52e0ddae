//! `delays.csv`: one row per expected beep and recorder, the missing included.

use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::metrics::Relation;
use serde::{Deserialize, Serialize};

use crate::run::codec_bias::BeepCoding;
use crate::run::measure::Findings;

/// One beep at one recorder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DelayRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) speaker: String,
    pub(crate) recorder: String,
    pub(crate) relation: Relation,
    pub(crate) beep: u32,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    /// Mouth-to-ear delay, and its 95 % interval.
    pub(crate) delay_ns: Option<i64>,
    pub(crate) low_ns: Option<i64>,
    pub(crate) high_ns: Option<i64>,
    /// Of the packet that carries the beep's start: from the capture of its last sample to its arrival at the ear.
    pub(crate) network_ns: Option<i64>,
    /// Of the same packet: its wait in the ear's jitter buffer.
    pub(crate) buffer_ns: Option<i64>,
    /// How Opus coded the packets that carry the beep.
    pub(crate) codec_mode: Option<BeepCoding>,
}

/// All rows, by recorder, speaker and beep.
pub fn rows(findings: &Findings) -> impl Iterator<Item = DelayRow> + '_ {
    findings.pairs().flat_map(move |(recorder, speaker, pair)| {
        pair.observations.iter().zip(&pair.paths).zip(&pair.codings).map(move |((observation, path), coding)| {
            DelayRow {
                run_id: findings.run_id.clone(),
                rep: findings.rep,
                speaker: speaker.name.clone(),
                recorder: recorder.name.clone(),
                relation: pair.relation,
                beep: observation.emission.beep,
                status: observation.status,
                reason: observation.reason,
                delay_ns: observation.delay.map(|d| d.value.0),
                low_ns: observation.delay.map(|d| d.low.0),
                high_ns: observation.delay.map(|d| d.high.0),
                network_ns: path.map(|p| p.network.0),
                buffer_ns: path.map(|p| p.buffer.0),
                codec_mode: *coding,
            }
        })
    })
}
