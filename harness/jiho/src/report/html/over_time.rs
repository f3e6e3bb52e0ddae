//! Delays over time, with what jitter buffers did, what was lost, and when roles changed.

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;
use jiho_proto::event::{PlayoutAction, PlayoutDecision};
use maud::{Markup, html};

use super::marks::{Marks, RoleMark};
use super::parts::{Figure, Picture, Sheet};
use super::plot::{Frame, LEFT, RIGHT, WIDTH, legend, mark, series_class};
use crate::report::room::{CROWD, Heard, Pair, Room, tier_title, tiers};
use crate::report::table::TableError;
use crate::report::tables::Tables;
use crate::report::words::counted;
use crate::svg::px;

/// Of a pair no more points are drawn than this: then each stands for several.
const MOST_POINTS: usize = 300;
const TOP: f64 = 40.0;
const PLOT: f64 = 170.0;
const LANE: f64 = 16.0;

pub(super) fn section(tables: &Tables, room: &Room<'_>) -> Result<Markup, TableError> {
    let marks = Marks::read(tables, room)?;
    Ok(html! {
        p.faint {
            "One mark per time signal, or per stretch of many. Under them: what did not arrive (×), frames that the codec had to \
             conceal, and what the jitter buffer did (▲ later, ▼ earlier). Broken upright lines: somebody's role changed."
        }
        @for tier in tiers(room) {
            (legend(room.by_speaker(tier).iter().map(|(speaker, _)| (*speaker, room.speakers[*speaker]))))
            @if room.ears(tier).len() > CROWD {
                @for (speaker, pairs) in room.by_speaker(tier) { (crowd(room, tier, speaker, &pairs, &marks).html()) }
            } @else {
                @for (number, (ear, pairs)) in room.ears(tier).into_iter().enumerate() {
                    (at_ear(room, tier, number, ear, &pairs, &marks).html())
                }
            }
        }
    })
}

fn at_ear(room: &Room<'_>, tier: Relation, number: usize, ear: &str, pairs: &[&Pair<'_>], marks: &Marks) -> Figure {
    let thinned: Vec<(usize, Vec<Heard>)> = pairs.iter().map(|pair| (pair.speaker, thinned(&pair.heard))).collect();
    let bottom = TOP + PLOT;
    let frame =
        frame(marks.span_s, thinned.iter().flat_map(|(_, heard)| heard.iter().map(|heard| heard.delay_ms)), bottom);
    let own: Vec<_> = marks.buffer.iter().filter(|mark| mark.ear == ear).collect();
    let lanes = pairs.len() as f64;
    let content = html! {
        (frame.axes("time of the run in s", "delay in ms"))
        (roles(&frame, &marks.roles, bottom + LANE * lanes + 36.0))
        @for (speaker, heard) in &thinned {
            (frame.line(*speaker, heard.iter().map(|heard| (heard.sent_s, heard.delay_ms))))
            @for heard in heard {
                (mark(*speaker, frame.x.at(heard.sent_s), frame.y.at(heard.delay_ms),
                    &format!("{}: {:.3} ms at {:.3} s", room.speakers[*speaker], heard.delay_ms, heard.sent_s)))
            }
        }
        @for (lane, pair) in pairs.iter().enumerate() {
            @let y = bottom + 44.0 + LANE * lane as f64;
            text.tick x=(px(LEFT - 6.0)) y=(px(y + 3.5)) text-anchor="end" { (short(room.speakers[pair.speaker])) }
            line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y)) y2=(px(y)) {}
            @for at in places(&frame, pair.missing_s.iter().copied()) {
                path class=(format!("cross {}", series_class(pair.speaker))) d=(format!("M{:.1} {:.1}l6 6m0-6l-6 6", at - 3.0, y - 3.0)) {}
            }
            @for at in places(&frame, own.iter().filter(|m| m.speaker == pair.speaker && m.is_concealed()).map(|m| m.at_s)) {
                line class=(format!("tickmark {}", series_class(pair.speaker))) x1=(px(at)) x2=(px(at)) y1=(px(y - 6.0)) y2=(px(y + 6.0)) {}
            }
            @for step in own.iter().filter(|m| m.speaker == pair.speaker && m.step_ms != 0.0) {
                path class=(format!("mark {}", series_class(pair.speaker))) d=(arrow(frame.x.at(step.at_s), y, step.step_ms)) {
                    title { (format!("{}: {:+.2} ms at {:.3} s, {}", room.speakers[pair.speaker], step.step_ms, step.at_s, step.said())) }
                }
            }
        }
    };
    Figure {
        id: format!("time-{}-{number}", super::relation_name(tier)),
        title: format!("{}, at {ear}", tier_title(tier)),
        says: said(room, pairs, &own),
        picture: Picture { width: WIDTH, height: bottom + 50.0 + LANE * lanes, content },
        table: html! {
            (points_table(room, ear, &thinned))
            (marks_table(room, ear, pairs, &own, &marks.roles))
        },
    }
}

/// What there is to see of an ear, in words.
fn said(room: &Room<'_>, pairs: &[&Pair<'_>], own: &[&super::marks::BufferMark]) -> String {
    let pair = |pair: &&Pair<'_>| {
        let sorted = pair.sorted_ms();
        let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else {
            return format!("{} was not heard", room.speakers[pair.speaker]);
        };
        format!("{} {least:.1} to {greatest:.1} ms", room.speakers[pair.speaker])
    };
    let concealed = own.iter().filter(|mark| mark.is_concealed()).count();
    let steps = own.iter().filter(|mark| mark.step_ms != 0.0).count();
    format!(
        "{}; {} of jitter buffers, {} concealed.",
        pairs.iter().map(pair).collect::<Vec<_>>().join(", "),
        counted(steps, "step"),
        counted(concealed, "frame")
    )
}

/// One speaker at very many ears: the band that holds nine of ten, and the ear in the middle.
fn crowd(room: &Room<'_>, tier: Relation, speaker: usize, pairs: &[&Pair<'_>], marks: &Marks) -> Figure {
    let (from, to) = room.span_s();
    let bins = 60.0;
    let width = (to - from).max(1e-9) / bins;
    let mut delays: Vec<Vec<f64>> = vec![Vec::new(); bins as usize];
    let mut missing = vec![0usize; bins as usize];
    let bin = |at: f64| (((at - from) / width) as usize).min(bins as usize - 1);
    for pair in pairs {
        pair.heard.iter().for_each(|heard| delays[bin(heard.sent_s)].push(heard.delay_ms));
        pair.missing_s.iter().for_each(|at| missing[bin(*at)] += 1);
    }
    let band: Vec<(f64, [f64; 3], usize, usize)> = delays
        .iter()
        .zip(&missing)
        .enumerate()
        .filter(|(_, (ms, _))| !ms.is_empty())
        .map(|(n, (ms, missing))| {
            let sorted = stats::sorted(ms);
            let at = |p| stats::quantile(&sorted, p).unwrap_or(f64::NAN);
            (from + width * (n as f64 + 0.5), [at(0.05), at(0.5), at(0.95)], ms.len(), *missing)
        })
        .collect();
    let bottom = TOP + PLOT;
    let frame = frame(marks.span_s, band.iter().flat_map(|(_, delays, _, _)| *delays), bottom);
    let line = |n: usize| band.iter().map(|(at, delays, _, _)| (*at, delays[n])).collect::<Vec<_>>();
    let content = html! {
        (frame.axes("time of the run in s", "delay in ms"))
        (roles(&frame, &marks.roles, bottom))
        (frame.band(speaker, &line(0), &line(2)))
        (frame.line(speaker, line(1).into_iter()))
    };
    let rows = band.iter().map(|(at, delays, heard, missing)| {
        let mut row = vec![format!("{at:.3}")];
        row.extend(delays.iter().map(|ms| format!("{ms:.3}")));
        row.extend([heard.to_string(), missing.to_string()]);
        row
    });
    let heads = ["at (s)", "earliest 5 % (ms)", "middle (ms)", "latest 5 % (ms)", "heard", "did not arrive"];
    let caption = format!("{} at {} ears, by time of sending", room.speakers[speaker], pairs.len());
    Figure {
        id: format!("time-{}-{speaker}", super::relation_name(tier)),
        title: format!("{} at {} ears", room.speakers[speaker], pairs.len()),
        says: "The line is the middle of all that was heard then, the band holds nine of ten delays.".to_owned(),
        picture: Picture { width: WIDTH, height: bottom + 34.0, content },
        table: Sheet { caption, heads: &heads, names: 1, rows: rows.collect() }.html(),
    }
}

fn frame(span_s: (f64, f64), delays: impl Iterator<Item = f64> + Clone, bottom: f64) -> Frame {
    let least = delays.clone().fold(f64::INFINITY, f64::min);
    let greatest = delays.fold(f64::NEG_INFINITY, f64::max);
    let (least, greatest) = if least <= greatest { (least, greatest) } else { (0.0, 1.0) };
    // Steps of microseconds are noise, and must not look like steps.
    let margin = (0.08 * (greatest - least)).max(1.0);
    let (from, to) = span_s;
    Frame::new((from, to + 0.01 * (to - from)), (least - margin, greatest + margin), WIDTH, TOP, bottom)
}

fn roles(frame: &Frame, roles: &[RoleMark], bottom: f64) -> Markup {
    html! {
        @for (n, change) in roles.iter().enumerate() {
            @let x = frame.x.at(change.at_s);
            line.event x1=(px(x)) x2=(px(x)) y1=(px(TOP - 6.0)) y2=(px(bottom)) {}
            text.tick x=(px(x)) y=(px(TOP - 10.0 - 11.0 * (n % 2) as f64)) text-anchor="middle" { (change.said) }
        }
    }
}

/// Places that lie on the same pixel are one.
fn places(frame: &Frame, at_s: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut places: Vec<f64> = at_s.map(|at| frame.x.at(at).round()).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

fn arrow(x: f64, y: f64, step_ms: f64) -> String {
    if step_ms > 0.0 { format!("M{x:.1} {:.1}l4 7h-8z", y - 5.0) } else { format!("M{x:.1} {:.1}l4 -7h-8z", y + 5.0) }
}

fn short(name: &str) -> String {
    match name.chars().count() {
        long if long > 8 => name.chars().take(7).chain(['…']).collect(),
        _ => name.to_owned(),
    }
}

/// Of very many the median of each stretch.
fn thinned(heard: &[Heard]) -> Vec<Heard> {
    if heard.len() <= MOST_POINTS {
        return heard.to_vec();
    }
    let stretch = heard.len().div_ceil(MOST_POINTS);
    let middle = |part: &[Heard]| {
        let delay_ms = stats::median(&part.iter().map(|heard| heard.delay_ms).collect::<Vec<_>>())?;
        Some(Heard { delay_ms, ..*part.get(part.len() / 2)? })
    };
    heard.chunks(stretch).filter_map(middle).collect()
}

fn points_table(room: &Room<'_>, ear: &str, thinned: &[(usize, Vec<Heard>)]) -> Markup {
    let rows = thinned.iter().flat_map(|(speaker, heard)| {
        let name = room.speakers[*speaker];
        heard.iter().map(move |h| vec![name.to_owned(), format!("{:.4}", h.sent_s), format!("{:.6}", h.delay_ms)])
    });
    let caption = format!("What {ear} heard");
    Sheet { caption, heads: &["speaker", "sent at (s)", "delay (ms)"], names: 1, rows: rows.collect() }.html()
}

fn marks_table(
    room: &Room<'_>,
    ear: &str,
    pairs: &[&Pair<'_>],
    own: &[&super::marks::BufferMark],
    roles: &[RoleMark],
) -> Markup {
    let missing = pairs.iter().flat_map(|pair| {
        let row = |at: &f64| (*at, room.speakers[pair.speaker], "time signal did not arrive".to_owned());
        pair.missing_s.iter().map(row)
    });
    let buffer = own.iter().map(|mark| (mark.at_s, room.speakers[mark.speaker], mark.in_words()));
    let roles = roles.iter().map(|change| (change.at_s, "", change.said.clone()));
    let mut all: Vec<(f64, &str, String)> = missing.chain(buffer).chain(roles).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = all.into_iter().map(|(at, who, what)| vec![format!("{at:.4}"), who.to_owned(), what]);
    let caption = format!("Losses, steps and changes at {ear}");
    Sheet { caption, heads: &["at (s)", "speaker", "what"], names: 1, rows: rows.collect() }.html()
}

impl super::marks::BufferMark {
    fn is_concealed(&self) -> bool {
        self.action == PlayoutAction::Concealed
    }

    fn in_words(&self) -> String {
        if self.is_concealed() {
            return "frame concealed".to_owned();
        }
        format!("jitter buffer {}: {:+.3} ms", self.said(), self.step_ms)
    }

    fn said(&self) -> &'static str {
        match self.decision {
            Some(PlayoutDecision::Accelerated) => "accelerated",
            Some(PlayoutDecision::Expanded) => "expanded",
            Some(PlayoutDecision::Merged) => "was empty and merged",
            Some(PlayoutDecision::Rebased) => "re-based",
            Some(PlayoutDecision::Anchored) => "anchored anew",
            Some(PlayoutDecision::Normal) | None => "moved",
        }
    }
}
