//! A run's tables brought together as figures want them: who heard whom when how late.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{ArrivalKind, Status};
use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;

use crate::report::delays::DelayRow;
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// More ears in a tier than this are summed up: nobody reads a thousand curves.
pub(crate) const CROWD: usize = 12;

/// Who heard whom.
pub(crate) struct Room<'t> {
    /// In order of their names.
    pub(crate) speakers: Vec<&'t str>,
    /// By tier, ear and speaker.
    pub(crate) pairs: Vec<Pair<'t>>,
}

/// A speaker at an ear.
pub(crate) struct Pair<'t> {
    /// The place among the room's speakers.
    pub(crate) speaker: usize,
    pub(crate) ear: &'t str,
    pub(crate) relation: Relation,
    /// Its delays, in order of time.
    pub(crate) heard: Vec<Heard>,
    /// When the time signals were sent that did not arrive, in seconds.
    pub(crate) missing_s: Vec<f64>,
}

/// A time signal that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) beep: u32,
    /// When it was sent.
    pub(crate) sent_s: f64,
    pub(crate) delay_ms: f64,
    /// It is known to this.
    pub(crate) error_ms: f64,
}

impl<'t> Room<'t> {
    pub(crate) fn of(tables: &'t Tables) -> Result<Self, TableError> {
        let delays = tables.delays()?;
        let mut speakers: Vec<&str> = delays.iter().map(|row| row.speaker.as_str()).collect();
        speakers.sort_unstable();
        speakers.dedup();
        let sent = sent(tables)?;
        let of_one =
            |a: &DelayRow, b: &DelayRow| (&a.recorder, &a.speaker, a.relation) == (&b.recorder, &b.speaker, b.relation);
        let pair = |rows: &'t [DelayRow]| {
            let first = rows.first()?;
            let mut pair = Pair {
                speaker: speakers.iter().position(|name| *name == first.speaker)?,
                ear: &first.recorder,
                relation: first.relation,
                heard: Vec::new(),
                missing_s: Vec::new(),
            };
            for row in rows {
                let Some(&sent_ns) = sent.get(&(row.speaker.as_str(), row.beep)) else { continue };
                let sent_s = sent_ns as f64 / 1e9;
                match (row.status, row.delay_ns) {
                    (Status::Heard | Status::Weak, Some(ns)) => {
                        let width_ns = row.high_ns.zip(row.low_ns).map_or(0, |(high, low)| high - low);
                        let (delay_ms, error_ms) = (ns as f64 / 1e6, width_ns as f64 / 2e6);
                        pair.heard.push(Heard { beep: row.beep, sent_s, delay_ms, error_ms });
                    }
                    (Status::Missing, _) => pair.missing_s.push(sent_s),
                    _ => {}
                }
            }
            Some(pair)
        };
        let mut pairs: Vec<Pair<'_>> = delays.chunk_by(of_one).filter_map(pair).collect();
        pairs.sort_by_key(|pair| (pair.relation, pair.ear, pair.speaker));
        Ok(Self { speakers, pairs })
    }

    /// The pairs of a tier, by ear.
    pub(crate) fn ears(&self, relation: Relation) -> Vec<(&'t str, Vec<&Pair<'t>>)> {
        let mut ears: Vec<(&str, Vec<&Pair<'_>>)> = Vec::new();
        for pair in self.pairs.iter().filter(|pair| pair.relation == relation) {
            match ears.last_mut() {
                Some((ear, pairs)) if *ear == pair.ear => pairs.push(pair),
                _ => ears.push((pair.ear, vec![pair])),
            }
        }
        ears
    }

    /// The pairs of a tier, by speaker.
    pub(crate) fn by_speaker(&self, relation: Relation) -> Vec<(usize, Vec<&Pair<'t>>)> {
        let of = |speaker| self.pairs.iter().filter(move |p| p.relation == relation && p.speaker == speaker).collect();
        let tiers = (0..self.speakers.len()).map(|speaker| (speaker, of(speaker)));
        tiers.filter(|(_, pairs): &(usize, Vec<_>)| !pairs.is_empty()).collect()
    }

    /// When the run began to be heard and when it ended, in seconds.
    pub(crate) fn span_s(&self) -> (f64, f64) {
        let times = || {
            let of = |pair: &'_ Pair<'_>| pair.heard.iter().map(|heard| heard.sent_s).collect::<Vec<_>>();
            self.pairs.iter().flat_map(of).chain(self.pairs.iter().flat_map(|pair| pair.missing_s.iter().copied()))
        };
        let (from, to) = (times().fold(f64::INFINITY, f64::min), times().fold(f64::NEG_INFINITY, f64::max));
        if from <= to { (from.min(0.0), to) } else { (0.0, 1.0) }
    }
}

impl Pair<'_> {
    pub(crate) fn sorted_ms(&self) -> Vec<f64> {
        stats::sorted(&self.heard.iter().map(|heard| heard.delay_ms).collect::<Vec<_>>())
    }
}

/// Stage, audience and what speakers hear of themselves, as far as there is any of it.
pub(crate) fn tiers(room: &Room<'_>) -> Vec<Relation> {
    let all = [Relation::Stage, Relation::Audience, Relation::Own];
    all.into_iter().filter(|tier| room.pairs.iter().any(|pair| pair.relation == *tier)).collect()
}

/// Of a place in a heading.
pub(crate) fn tier_title(tier: Relation) -> &'static str {
    match tier {
        Relation::Stage => "On stage",
        Relation::Audience => "In the audience",
        Relation::Own => "Own voice, heard back",
    }
}

/// When each time signal was sent: where its speaker's process has another folder, by when it arrived and how late.
fn sent(tables: &Tables) -> Result<BTreeMap<(&str, u32), i64>, TableError> {
    let mut sent: BTreeMap<(&str, u32), i64> = BTreeMap::new();
    for row in tables.emissions()? {
        sent.insert((&row.speaker, row.beep), row.sent_ns);
    }
    if sent.is_empty() {
        let mut arrived: BTreeMap<(&str, &str, u32), i64> = BTreeMap::new();
        for row in tables.arrivals()?.iter().filter(|row| row.kind == Some(ArrivalKind::Beep)) {
            let (Some(speaker), Some(beep)) = (&row.speaker, row.beep) else { continue };
            arrived.insert((&row.recorder, speaker, beep), row.arrival_ns);
        }
        for row in tables.delays()? {
            let at = arrived.get(&(row.recorder.as_str(), row.speaker.as_str(), row.beep));
            if let (Some(at), Some(delay)) = (at, row.delay_ns) {
                sent.insert((&row.speaker, row.beep), at - delay);
            }
        }
    }
    Ok(sent)
}
