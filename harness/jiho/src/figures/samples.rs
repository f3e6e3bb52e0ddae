//! From a run's tables to the samples of a metric.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Role, Status};
use jiho_analysis::metrics::{GapKind, Relation, Side, chorus};
use jiho_analysis::roles::Change;
use jiho_analysis::stats;
use jiho_proto::event::PlayoutAction;

use super::metric::{Metric, Part};
use crate::report::chorus::BeatRow;
use crate::report::delays::DelayRow;
use crate::report::gaps::GapRow;
use crate::report::packets::Tap;
use crate::report::pairs::PairRow;
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Whose sound; empty if it is several people's.
    pub speaker: String,
    /// At whose ear; empty if it was at none.
    pub ear: String,
    /// In the metric's unit.
    pub value: f64,
}

impl Metric {
    /// All samples that a run has, in the order of its tables.
    pub(super) fn samples(self, tables: &Tables) -> Result<Vec<Sample>, TableError> {
        Ok(match self {
            Self::Delay(relation) => delays(tables.delays()?, relation),
            Self::Jitter => jitter(tables.delays()?),
            Self::TierOffset => tier_offset(tables.pairs()?),
            Self::Heard => heard(tables.delays()?),
            Self::Concealed => concealed(tables)?,
            Self::Step => {
                let step = |row: &crate::report::steps::StepRow| sample(&row.speaker, &row.recorder, row.step_ms.abs());
                tables.steps()?.iter().map(step).collect()
            }
            Self::Gap(change, part) => tables.gaps()?.iter().filter_map(|row| gap(row, change, part)).collect(),
            Self::Spread(role) => spreads(tables.beats()?, role),
            Self::Tempo => tempos(tables.beats()?),
            Self::Residence => {
                tables.relay()?.iter().map(|row| sample(&row.speaker, "", ms(row.residence_ns))).collect()
            }
        })
    }
}

fn sample(speaker: &str, ear: &str, value: f64) -> Sample {
    Sample { speaker: speaker.to_owned(), ear: ear.to_owned(), value }
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}

fn is_heard(row: &DelayRow) -> bool {
    matches!(row.status, Status::Heard | Status::Weak)
}

fn delays(rows: &[DelayRow], relation: Option<Relation>) -> Vec<Sample> {
    // What speakers hear of themselves is a delay of its own kind.
    let wanted = |row: &&DelayRow| match relation {
        Some(relation) => row.relation == relation,
        None => row.relation != Relation::Own,
    };
    let heard = rows.iter().filter(wanted).filter(|row| is_heard(row));
    heard.filter_map(|row| Some(sample(&row.speaker, &row.recorder, ms(row.delay_ns?)))).collect()
}

fn jitter(rows: &[DelayRow]) -> Vec<Sample> {
    let mut samples = delays(rows, None);
    let mut least: BTreeMap<(String, String), f64> = BTreeMap::new();
    for Sample { speaker, ear, value } in &samples {
        let least = least.entry((speaker.clone(), ear.clone())).or_insert(f64::INFINITY);
        *least = least.min(*value);
    }
    for Sample { speaker, ear, value } in &mut samples {
        *value -= least.get(&(speaker.clone(), ear.clone())).copied().unwrap_or_default();
    }
    samples
}

fn tier_offset(rows: &[PairRow]) -> Vec<Sample> {
    let of = |relation| rows.iter().filter(move |row| row.relation == relation);
    let stage: Vec<f64> = of(Relation::Stage).filter_map(|row| row.median_ms).collect();
    let Some(stage) = stats::median(&stage) else { return Vec::new() };
    of(Relation::Audience).filter_map(|row| Some(sample(&row.speaker, &row.recorder, row.median_ms? - stage))).collect()
}

/// Beeps that were due while the ear did not record are no loss of the room's.
fn heard(rows: &[DelayRow]) -> Vec<Sample> {
    use jiho_analysis::arrivals::Reason::{NoKey, NotRecorded, RoleChange};
    let asked = |row: &&DelayRow| {
        row.relation != Relation::Own && !matches!(row.reason, Some(NotRecorded | RoleChange | NoKey))
    };
    let heard = |row: &DelayRow| sample(&row.speaker, &row.recorder, f64::from(u8::from(is_heard(row))));
    rows.iter().filter(asked).map(heard).collect()
}

fn concealed(tables: &Tables) -> Result<Vec<Sample>, TableError> {
    let received = tables.packets()?.iter().filter(|row| row.tap == Tap::Received);
    let framed = received.filter_map(|row| {
        let concealed = match row.action? {
            PlayoutAction::Played => 0.0,
            PlayoutAction::Concealed => 1.0,
            _ => return None,
        };
        Some(sample(&row.speaker, &row.endpoint, concealed))
    });
    Ok(framed.collect())
}

fn gap(row: &GapRow, change: Change, part: Part) -> Option<Sample> {
    let side = match part {
        Part::Heard | Part::WordsLost => Side::Mouth,
        _ => Side::Ear,
    };
    if row.event != change || row.side != side {
        return None;
    }
    // Whoever should have been heard again and was not is silent for good.
    let unheard = (row.kind == GapKind::Unheard).then_some(f64::INFINITY);
    let none = (!matches!(row.kind, GapKind::Begins | GapKind::Ends | GapKind::Unheard)).then_some(0.0);
    let value = match part {
        Part::Silence => row.silence_ns.map(ms).map(|silence| silence.max(0.0)).or(unheard).or(none),
        Part::Lost | Part::WordsLost => row.lost_ns.map(ms).or(none),
        Part::Repeated => row.repeated_ns.map(ms).or(none),
        Part::FirstAudio | Part::Heard => row.first_audio_ns.map(ms).or(unheard),
        Part::Steady => row.steady_ns.map(ms).or(unheard),
    }?;
    Some(sample(&row.speaker, &row.endpoint, value))
}

/// Of the beats in which all voices were heard, once singers had found together.
fn spreads(rows: &[BeatRow], role: Option<Role>) -> Vec<Sample> {
    let ears = rows.chunk_by(|a, b| a.recorder == b.recorder).map(chorus::settled);
    let mut samples = Vec::new();
    for beats in ears {
        let most = beats.iter().map(|row| row.voices).max().unwrap_or_default();
        let whole = beats.iter().filter(|row| row.voices == most && role.is_none_or(|role| row.role == role));
        samples.extend(whole.filter_map(|row| Some(sample("", &row.recorder, ms(row.spread_ns?)))));
    }
    samples
}

fn tempos(rows: &[BeatRow]) -> Vec<Sample> {
    let ears = rows.chunk_by(|a, b| a.recorder == b.recorder).flat_map(chorus::settled);
    ears.filter_map(|row| Some(sample("", &row.recorder, row.tempo_bpm?))).collect()
}
