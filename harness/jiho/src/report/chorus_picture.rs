//! A chorus as a picture: for each ear, when each voice began each beat, against the first voice of that beat. Made of
//! the tables alone.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::chorus::Thresholds;
use jiho_analysis::stats;
use maud::{Markup, html};

use super::chorus::{AsynchronyRow, BeatRow};
use super::room::Room;
use super::table::TableError;
use super::tables::Tables;
use crate::svg::{self, Scale, px};

const LABELS: f64 = 150.0;
const AXIS: f64 = 640.0;
const ROW: f64 = 18.0;
const TITLE: f64 = 26.0;
/// Above the axis, for the thresholds' names.
const TOP: f64 = 26.0;
/// Below it, for its numbers.
const BOTTOM: f64 = 20.0;
/// Of a picture that stands alone: its title and what it means.
const HEAD: f64 = 46.0;
const FOOT: f64 = 20.0;
/// More ears than this would be no picture.
const CROWD: usize = 24;
/// The axis is no shorter than this, in ms, and no longer than the other: a beat apart is nothing to look at.
const REACH_MS: [f64; 2] = [50.0, 1000.0];

const STYLE: &str = "
  .threshold { stroke: #d1242f; stroke-dasharray: 4 3; } .voice { fill: #1f6feb; fill-opacity: 0.45; }
  .foretold { stroke: #1d2330; stroke-width: 1.5; } .tick { fill: #6b7482; font-size: 10px; }
  @media (prefers-color-scheme: dark) {
    .threshold { stroke: #ff7b72; } .voice { fill: #6cb2ff; } .foretold { stroke: #e6e9ef; } .tick { fill: #8b94a5; }
  }";

/// What is drawn of a chorus.
pub struct Strip {
    ears: Vec<Ear>,
    /// Ears that are too many to be drawn.
    left_out: usize,
    thresholds: Thresholds,
    reach_ms: f64,
}

struct Ear {
    name: String,
    tier: &'static str,
    voices: Vec<Voice>,
}

struct Voice {
    name: String,
    /// How much later than the first voice of a beat it began, beat by beat.
    late_ms: Vec<f64>,
    /// The same by the delays alone.
    foretold_ms: Option<f64>,
}

/// A picture that stands alone; `None` where there was no chorus.
///
/// # Errors
/// A table is damaged.
pub fn svg(tables: &Tables) -> Result<Option<String>, TableError> {
    Ok(Strip::of(tables, &Room::of(tables)?)?.map(|strip| strip.alone()))
}

impl Strip {
    /// `None` where there was no chorus.
    pub(super) fn of(tables: &Tables, room: &Room<'_>) -> Result<Option<Self>, TableError> {
        let beats = tables.beats()?;
        if beats.is_empty() {
            return Ok(None);
        }
        let mut sung: BTreeMap<(&str, u32), i64> = BTreeMap::new();
        for row in tables.emissions()? {
            sung.insert((&row.speaker, row.beep), row.sent_ns);
        }
        let by_ear: Vec<&[BeatRow]> = beats.chunk_by(|a, b| a.recorder == b.recorder).collect();
        let ears: Vec<Ear> =
            by_ear.iter().take(CROWD).filter_map(|beats| ear(beats, room, &sung, tables.asynchrony().ok()?)).collect();
        let spreads = by_ear.iter().map(|beats| {
            let spreads: Vec<f64> = beats.iter().filter_map(|beat| Some(beat.spread_ns? as f64 / 1e6)).collect();
            stats::quantile(&stats::sorted(&spreads), 0.95).unwrap_or(0.0)
        });
        let widest = spreads.take(CROWD).fold(0.0, f64::max);
        let singing = tables.run.as_ref().and_then(|run| run.singing.as_ref());
        Ok(Some(Self {
            left_out: by_ear.len() - ears.len(),
            ears,
            thresholds: singing.map(|singing| singing.thresholds).unwrap_or_default(),
            reach_ms: (1.1 * widest).clamp(REACH_MS[0], REACH_MS[1]),
        }))
    }

    /// Width and height of what [`Strip::draw`] draws.
    pub(super) fn size(&self) -> (f64, f64) {
        let rows: f64 = self.ears.iter().map(|ear| TITLE + ROW * ear.voices.len() as f64).sum();
        (LABELS + AXIS + 30.0, TOP + rows + BOTTOM)
    }

    pub(super) fn draw(&self) -> Markup {
        let x = Scale::new((0.0, self.reach_ms), (LABELS, LABELS + AXIS));
        let bottom = self.size().1 - BOTTOM;
        let tops = self.ears.iter().scan(TOP, |top, ear| {
            let here = *top;
            *top += TITLE + ROW * ear.voices.len() as f64;
            Some((here, ear))
        });
        html! {
            (self.axis(&x, bottom))
            @for (top, ear) in tops {
                text x="10" y=(px(top + 17.0)) font-weight="600" { "at " (ear.name) " (" (ear.tier) ")" }
                @for (n, voice) in ear.voices.iter().enumerate() {
                    @let y = top + TITLE + ROW * (n as f64 + 0.5);
                    text x="24" y=(px(y + 4.0)) { (voice.name) }
                    line.grid x1=(LABELS) x2=(LABELS + AXIS) y1=(px(y)) y2=(px(y)) {}
                    @for ms in voice.late_ms.iter().filter(|ms| **ms <= self.reach_ms) {
                        circle.voice cx=(px(x.at(*ms))) cy=(px(y)) r="3" {}
                    }
                    @if let Some(ms) = voice.foretold_ms.filter(|ms| *ms <= self.reach_ms) {
                        line.foretold x1=(px(x.at(ms))) x2=(px(x.at(ms))) y1=(px(y - 7.0)) y2=(px(y + 7.0)) {}
                    }
                }
            }
        }
    }

    /// The axis, and what is known of ensembles.
    fn axis(&self, x: &Scale, bottom: f64) -> Markup {
        let known = [
            (self.thresholds.ensemble, "ensembles"),
            (self.thresholds.ensemble_limit, "limit"),
            (self.thresholds.steady, "steady"),
            (self.thresholds.conversation, "talk"),
        ];
        let known = known.map(|(threshold, name)| (threshold.as_millis_f64(), name));
        html! {
            @for ms in x.ticks(12) {
                line.grid x1=(px(x.at(ms))) x2=(px(x.at(ms))) y1=(px(TOP)) y2=(px(bottom)) {}
                text.tick x=(px(x.at(ms))) y=(px(bottom + 13.0)) text-anchor="middle" { (x.label(ms)) }
            }
            @for (n, (ms, name)) in known.into_iter().enumerate().filter(|(_, (ms, _))| *ms <= self.reach_ms) {
                line.threshold x1=(px(x.at(ms))) x2=(px(x.at(ms))) y1=(px(TOP)) y2=(px(bottom)) {}
                text.tick x=(px(x.at(ms))) y=(px(TOP - 4.0 - 11.0 * (n % 2) as f64)) text-anchor="middle" { (name) }
            }
        }
    }

    fn alone(&self) -> String {
        let (width, height) = self.size();
        let foot = HEAD + height + FOOT - 8.0;
        let more = match self.left_out {
            0 => String::new(),
            many => format!("; {many} more ears are in chorus.csv"),
        };
        let content = html! {
            text x="10" y="20" font-size="15" font-weight="600" {
                "How much later than the first voice of a beat each one began, in ms"
            }
            text.faint x="10" y="38" {
                "a dot for each beat, as each ear heard it, the singer's own voice included; upright stroke: by the delays alone"
                (more)
            }
            g transform=(format!("translate(0 {HEAD})")) { (self.draw()) }
            text.tick x=(LABELS) y=(px(foot)) {
                "broken lines: up to such a delay one way ensembles hold time, at most hold it, hold a steady tempo, and people \
                 talk"
            }
        };
        format!("{}{}\n</svg>\n", svg::page("jiho chorus", width, HEAD + height + FOOT, STYLE), content.into_string())
    }
}

fn ear(beats: &[BeatRow], room: &Room<'_>, sung: &BTreeMap<(&str, u32), i64>, pairs: &[AsynchronyRow]) -> Option<Ear> {
    let first = beats.first()?;
    let name = &first.recorder;
    let voice = |speaker: usize| {
        let who = room.speakers[speaker];
        // A singer's own beats are heard as they are sung. Of another process' singer only the ends of a beat are known.
        let own = |beat: &BeatRow| {
            let ends = match who {
                _ if beat.first_voice == who => beat.first_onset_ns,
                _ if beat.last_voice == who => Some(beat.first_onset_ns? + beat.spread_ns?),
                _ => None,
            };
            sung.get(&(who, beat.beat)).copied().or(ends)
        };
        let of_pair = room.pairs.iter().filter(|pair| pair.speaker == speaker && pair.ear == name);
        let heard = of_pair.filter(|pair| pair.relation != Relation::Own).flat_map(|pair| &pair.heard);
        let heard: BTreeMap<u32, f64> = heard.map(|heard| (heard.beep, heard.sent_s * 1e3 + heard.delay_ms)).collect();
        let onset_ms = |beat: &BeatRow| {
            if who == name { Some(own(beat)? as f64 / 1e6) } else { heard.get(&beat.beat).copied() }
        };
        let late = |beat: &BeatRow| Some((onset_ms(beat)? - beat.first_onset_ns? as f64 / 1e6).max(0.0));
        Voice {
            name: who.to_owned(),
            late_ms: beats.iter().filter(|beat| beat.voices > 1).filter_map(late).collect(),
            foretold_ms: foretold(name, who, &room.speakers, pairs),
        }
    };
    let tier = if first.role == Role::Speaker { "stage" } else { "audience" };
    Some(Ear { name: name.clone(), tier, voices: (0..room.speakers.len()).map(voice).collect() })
}

/// By the delays alone, against the first voice by the delays alone.
fn foretold(ear: &str, voice: &str, voices: &[&str], pairs: &[AsynchronyRow]) -> Option<f64> {
    let against = |other: &str| {
        let pair = |a: &str, b: &str| {
            pairs.iter().find(|row| row.recorder == ear && row.voice == a && row.other == b)?.predicted_ms
        };
        if other == voice { Some(0.0) } else { pair(other, voice).or_else(|| pair(voice, other).map(|ms| -ms)) }
    };
    let against: Vec<f64> = voices.iter().filter_map(|other| against(other)).collect();
    (against.len() > 1).then(|| against.iter().copied().fold(0.0, f64::max))
}
