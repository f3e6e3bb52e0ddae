//! `chorus.csv`, `asynchrony.csv`, `cure.csv` and `holds.csv`: how a chorus sang together, what the delays alone make of
//! it, what would mend it, and who could hold time.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::chorus::{Grade, Way};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ms;
use crate::run::chorus::Chorus;
use crate::run::measure::Findings;

/// One beat at one ear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BeatRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) recorder: String,
    pub(crate) role: Role,
    pub(crate) beat: u32,
    /// How many were heard, the ear's owner included.
    pub(crate) voices: usize,
    /// From the first to the last; empty for less than two voices.
    pub(crate) spread_ns: Option<i64>,
    pub(crate) first_voice: String,
    pub(crate) last_voice: String,
    pub(crate) first_onset_ns: Option<i64>,
    /// Since the beat before.
    pub(crate) tempo_bpm: Option<f64>,
}

/// One voice against another at one ear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AsynchronyRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) recorder: String,
    pub(crate) role: Role,
    pub(crate) voice: String,
    pub(crate) other: String,
    /// In which both were heard, once singers had found together.
    pub(crate) beats: usize,
    /// So much later than `voice` is `other`.
    pub(crate) median_ms: f64,
    pub(crate) sd_ms: f64,
    pub(crate) predicted_ms: Option<f64>,
    pub(crate) cured_ms: Option<f64>,
}

/// One singer's part in the cure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CureRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) singer: String,
    pub(crate) sings: On,
    /// So much earlier than what it sang on it sang …
    pub(crate) advance_ms: f64,
    /// … and would have to.
    pub(crate) cure_ms: Option<f64>,
}

/// On what somebody sings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// On a clock that all share.
    Grid,
    /// On one other's beat.
    Follow,
    /// With others.
    Together,
}

/// Two singers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HoldRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) singer: String,
    pub(crate) other: String,
    /// Half of the way there and back.
    pub(crate) one_way_ms: f64,
    pub(crate) grade: Grade,
    /// Of a conversation, in points of the E-model's rating.
    pub(crate) delay_impairment: f64,
}

/// All beats, by recorder.
pub fn beats<'a>(findings: &'a Findings, chorus: &'a Chorus) -> impl Iterator<Item = BeatRow> + 'a {
    findings.recorders.iter().zip(&chorus.ears).flat_map(move |(recorder, ear)| {
        let tempo: BTreeMap<u32, f64> = ear.tempo.by_beat.iter().copied().collect();
        let name = |voice: Option<usize>| voice.map_or(String::new(), |voice| findings.speakers[voice].name.clone());
        ear.beats.iter().map(move |beat| BeatRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            recorder: recorder.name.clone(),
            role: recorder.role,
            beat: beat.number,
            voices: beat.voices(),
            spread_ns: beat.spread().map(|spread| spread.0),
            first_voice: name(beat.first().map(|(voice, _)| voice)),
            last_voice: name(beat.last().map(|(voice, _)| voice)),
            first_onset_ns: beat.first().map(|(_, at)| at.0),
            tempo_bpm: tempo.get(&beat.number).copied().map(ms),
        })
    })
}

/// All pairs of voices, by recorder.
pub fn asynchronies<'a>(findings: &'a Findings, chorus: &'a Chorus) -> impl Iterator<Item = AsynchronyRow> + 'a {
    findings.recorders.iter().zip(&chorus.ears).flat_map(move |(recorder, ear)| {
        ear.pairs.iter().map(move |pair| AsynchronyRow {
            run_id: findings.run_id.clone(),
            rep: findings.rep,
            recorder: recorder.name.clone(),
            role: recorder.role,
            voice: findings.speakers[pair.heard.voice].name.clone(),
            other: findings.speakers[pair.heard.other].name.clone(),
            beats: pair.heard.beats,
            median_ms: ms(pair.heard.median_ms),
            sd_ms: ms(pair.heard.sd_ms),
            predicted_ms: pair.predicted_ms.map(ms),
            cured_ms: pair.cured_ms.map(ms),
        })
    })
}

/// All singers.
pub fn cures<'a>(findings: &'a Findings, chorus: &'a Chorus) -> impl Iterator<Item = CureRow> + 'a {
    let advances = chorus.cure.as_ref().map(|cure| &cure.advances);
    findings.speakers.iter().zip(&chorus.singers).enumerate().map(move |(n, (speaker, singer))| CureRow {
        run_id: findings.run_id.clone(),
        rep: findings.rep,
        singer: speaker.name.clone(),
        sings: match singer.way {
            Way::Grid => On::Grid,
            Way::Follow(_) => On::Follow,
            Way::Together(_) => On::Together,
        },
        advance_ms: ms(singer.advance.as_millis_f64()),
        cure_ms: advances.and_then(|advances| Some(ms(advances.get(n)?.as_millis_f64()))),
    })
}

/// All pairs of singers who hear each other.
pub fn holds<'a>(findings: &'a Findings, chorus: &'a Chorus) -> impl Iterator<Item = HoldRow> + 'a {
    chorus.holds.iter().map(|hold| HoldRow {
        run_id: findings.run_id.clone(),
        rep: findings.rep,
        singer: findings.speakers[hold.singer].name.clone(),
        other: findings.speakers[hold.other].name.clone(),
        one_way_ms: ms(hold.one_way_ms),
        grade: hold.grade,
        delay_impairment: ms(hold.delay_impairment),
    })
}
