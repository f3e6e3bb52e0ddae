//! Two runs, or two series, on the same axes.

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;
use maud::{Markup, html};

use super::distribution::{HEIGHT, curve, frame, quantiles};
use super::parts::{Figure, Picture, Sheet};
use super::plot::{Frame, HALF, RIGHT, WIDTH, legend, series_class};
use super::{Section, document};
use crate::compare::{Comparison, Difference, Side};
use crate::report::comparison::{basis, interval, name, verdict};
use crate::report::room::Room;
use crate::report::topology::tier_name;
use crate::svg::{Scale, px};

/// More pairs of a tier than this are not drawn one by one: those that differ most are.
const MOST: usize = 16;
const ROW: f64 = 20.0;
const NAMES: f64 = 230.0;

/// The page.
///
/// # Errors
/// A table is damaged.
pub fn comparison(sides: [&Side; 2], comparison: &Comparison) -> anyhow::Result<String> {
    let rooms = [rooms(sides[0])?, rooms(sides[1])?];
    let tiers: Vec<&[Difference]> = comparison.differences.chunk_by(|a, b| a.tier == b.tier).collect();
    let sections = vec![
        Section::new("shifts", "Differences", shifts(sides, comparison, &tiers)),
        Section::new("distributions", "Distributions", distributions(&rooms, &tiers)),
    ];
    let paths = sides.map(|side| side.path.display().to_string());
    let subtitle = format!("A: {} ({}) · B: {} ({})", paths[0], sides[0].described(), paths[1], sides[1].described());
    Ok(document("A and B compared", &subtitle, sections))
}

fn rooms(side: &Side) -> anyhow::Result<Vec<Room<'_>>> {
    side.runs.iter().map(|run| Ok(Room::of(run)?)).collect()
}

fn shifts(sides: [&Side; 2], comparison: &Comparison, tiers: &[&[Difference]]) -> Markup {
    html! {
        p { "By how much later B is heard than A: the shift of the median, in ms, with its 95 % interval. " (basis(comparison)) }
        @if tiers.is_empty() { p { "They have no pair in common." } }
        @for tier in tiers { (forest(tier).html()) }
        @for (letter, (side, only)) in ["A", "B"].into_iter().zip(sides.iter().zip(&comparison.only)) {
            @if !only.is_empty() {
                details {
                    summary { "Heard in " (letter) " only: " (only.len()) " pairs" }
                    p.faint { (side.path.display()) }
                    ul { @for (speaker, ear) in only { li { (speaker) " at " (ear) } } }
                }
            }
        }
    }
}

/// The tier as a whole, and of its pairs those that differ most.
fn drawn(tier: &[Difference]) -> Vec<&Difference> {
    let Some((whole, pairs)) = tier.split_first() else { return Vec::new() };
    let mut pairs: Vec<&Difference> = pairs.iter().collect();
    if pairs.len() > MOST {
        pairs.sort_by(|a, b| b.shift.estimate.abs().total_cmp(&a.shift.estimate.abs()));
        pairs.truncate(MOST);
    }
    std::iter::once(whole).chain(pairs).collect()
}

fn forest(tier: &[Difference]) -> Figure {
    let drawn = drawn(tier);
    let ends = drawn.iter().flat_map(|d| [d.shift.estimate, d.shift.low, d.shift.high]).filter(|ms| ms.is_finite());
    let (least, greatest) = ends.fold((-0.5f64, 0.5f64), |(low, high), ms| (low.min(ms), high.max(ms)));
    let margin = 0.06 * (greatest - least);
    let x = Scale::new((least - margin, greatest + margin), (NAMES, WIDTH - RIGHT));
    let bottom = 10.0 + ROW * drawn.len() as f64;
    let content = html! {
        @for ms in x.ticks(10) {
            line class=(if ms == 0.0 { "zero" } else { "grid" }) x1=(px(x.at(ms))) x2=(px(x.at(ms))) y1="4" y2=(px(bottom)) {}
            text.tick x=(px(x.at(ms))) y=(px(bottom + 14.0)) text-anchor="middle" { (x.label(ms)) }
        }
        @for (n, difference) in drawn.iter().enumerate() {
            @let y = 10.0 + ROW * (n as f64 + 0.5);
            @let weight = if difference.pair.is_none() { "700" } else { "400" };
            text x=(px(NAMES - 10.0)) y=(px(y + 4.0)) text-anchor="end" font-weight=(weight) { (name(difference)) }
            @if difference.has_interval() {
                line class=(format!("line {}", series_class(0))) x1=(px(x.at(difference.shift.low))) x2=(px(x.at(difference.shift.high)))
                    y1=(px(y)) y2=(px(y)) {}
            }
            circle class=(format!("mark {}", series_class(0))) cx=(px(x.at(difference.shift.estimate))) cy=(px(y)) r="4" {
                title { (format!("{}: {:+.3} ms [{}]", name(difference), difference.shift.estimate, interval(difference))) }
            }
        }
    };
    let rows = tier.iter().map(|difference| {
        let [from, to] = difference.medians_ms;
        vec![
            name(difference),
            format!("{:.4}", difference.shift.estimate),
            interval(difference),
            format!("{from:.4}"),
            format!("{to:.4}"),
            format!("{} and {}", difference.values[0], difference.values[1]),
            verdict(difference).to_owned(),
        ]
    });
    let heads = ["pair", "shift (ms)", "95 % interval (ms)", "median of A (ms)", "median of B (ms)", "values", "says"];
    let which = tier.first().map_or("", |whole| tier_name(whole.tier));
    let left = tier.len().saturating_sub(drawn.len());
    let more = if left > 0 { format!(" {left} pairs that differ less are in the table.") } else { String::new() };
    Figure {
        id: format!("shift-{which}"),
        title: format!("The {which}"),
        says: format!("Right of zero: B is later. A dot with its interval for the tier and for each pair.{more}"),
        picture: Picture { width: WIDTH, height: bottom + 22.0, content },
        table: Sheet { caption: format!("Differences, {which}"), heads: &heads, names: 1, rows: rows.collect() }
            .searchable(),
    }
}

fn distributions(rooms: &[Vec<Room<'_>>; 2], tiers: &[&[Difference]]) -> Markup {
    html! {
        (legend([(0, "A"), (1, "B")].into_iter()))
        div.pairs {
            @for (number, difference) in tiers.iter().flat_map(|tier| drawn(tier)).enumerate() {
                @if let Some((speaker, ear)) = &difference.pair {
                    (distribution(rooms, number, difference.tier, speaker, ear).html())
                }
            }
        }
    }
}

fn distribution(rooms: &[Vec<Room<'_>>; 2], number: usize, tier: Relation, speaker: &str, ear: &str) -> Figure {
    let delays = rooms.each_ref().map(|rooms| {
        let pairs = rooms.iter().flat_map(|room| room.pairs.iter().map(move |pair| (room, pair)));
        let own =
            pairs.filter(|(room, pair)| (pair.relation, room.speakers[pair.speaker], pair.ear) == (tier, speaker, ear));
        stats::sorted(&own.flat_map(|(_, pair)| pair.heard.iter().map(|heard| heard.delay_ms)).collect::<Vec<_>>())
    });
    let frame: Frame = frame(delays.iter().flat_map(|ms| [ms.first(), ms.last()]).flatten().copied());
    let content = html! {
        (frame.axes("delay in ms", "share"))
        @for (side, ms) in delays.iter().enumerate() { (frame.line(side, curve(ms).into_iter())) }
    };
    let caption = format!("Delays of {speaker} at {ear} in ms: so much of them is lower");
    Figure {
        id: format!("both-{number}"),
        title: format!("{speaker} at {ear}"),
        says: "Share of time signals that came within a delay, A and B on the same axes.".to_owned(),
        picture: Picture { width: HALF, height: HEIGHT, content },
        table: quantiles(caption, "side", ["A", "B"].into_iter().zip(delays.iter().map(Vec::as_slice))),
    }
}
