//! How delays are distributed: which share of a pair's time signals came within a delay.

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;
use maud::{Markup, html};

use super::parts::{Figure, Picture, Sheet};
use super::plot::{Frame, HALF, legend};
use crate::report::room::{CROWD, Pair, Room, tier_title, tiers};

/// A curve has no more points than this.
const MOST_POINTS: usize = 200;
pub(super) const HEIGHT: f64 = 230.0;
/// A band has so many parts.
const BAND: usize = 50;
const SHARES: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];

pub(super) fn section(room: &Room<'_>) -> Markup {
    html! {
        @for tier in tiers(room) {
            @if room.ears(tier).len() > CROWD {
                div.pairs {
                    @for (speaker, pairs) in room.by_speaker(tier) { (crowd(room, tier, speaker, &pairs).html()) }
                }
            }
            @else {
                (legend(room.by_speaker(tier).iter().map(|(speaker, _)| (*speaker, room.speakers[*speaker]))))
                div.pairs {
                    @for (number, (ear, pairs)) in room.ears(tier).into_iter().enumerate() {
                        (ear_figure(room, tier, number, ear, &pairs).html())
                    }
                }
            }
        }
    }
}

/// One curve per speaker at an ear.
fn ear_figure(room: &Room<'_>, tier: Relation, number: usize, ear: &str, pairs: &[&Pair<'_>]) -> Figure {
    let sorted: Vec<(usize, Vec<f64>)> = pairs.iter().map(|pair| (pair.speaker, pair.sorted_ms())).collect();
    let frame = frame(sorted.iter().flat_map(|(_, ms)| [ms.first(), ms.last()]).flatten().copied());
    let content = html! {
        (frame.axes("delay in ms", "share"))
        @for (speaker, ms) in &sorted { (frame.line(*speaker, curve(ms).into_iter())) }
    };
    let caption = format!("Delays at {ear} in ms: so much of them is lower");
    let rows = sorted.iter().map(|(speaker, ms)| (room.speakers[*speaker], ms.as_slice()));
    Figure {
        id: format!("ecdf-{}-{number}", super::relation_name(tier)),
        title: format!("{}, at {ear}", tier_title(tier)),
        says: "Share of time signals that came within a delay, one curve per speaker.".to_owned(),
        picture: Picture { width: HALF, height: HEIGHT, content },
        table: quantiles(caption, "speaker", rows),
    }
}

/// One speaker at very many ears: between which curves nine of ten ears lie, and the first and the last ear.
fn crowd(room: &Room<'_>, tier: Relation, speaker: usize, pairs: &[&Pair<'_>]) -> Figure {
    let mut ears: Vec<(&str, Vec<f64>)> = pairs.iter().map(|pair| (pair.ear, pair.sorted_ms())).collect();
    ears.retain(|(_, ms)| !ms.is_empty());
    let median = |ms: &[f64]| stats::quantile(ms, 0.5).unwrap_or(f64::NAN);
    ears.sort_by(|a, b| median(&a.1).total_cmp(&median(&b.1)));
    // At a share, the delay that this share of ears is below.
    let over_ears = |part: f64| -> Vec<f64> {
        let at = |n: usize| {
            let delays: Vec<f64> =
                ears.iter().filter_map(|(_, ms)| stats::quantile(ms, n as f64 / BAND as f64)).collect();
            stats::quantile(&stats::sorted(&delays), part)
        };
        (0..=BAND).filter_map(at).collect()
    };
    let [low, middle, high] = [0.05, 0.5, 0.95].map(over_ears);
    let ends = [ears.first(), ears.last()].map(|end| end.map(|(ear, ms)| (*ear, ms.as_slice())));
    let frame = frame(ends.iter().flatten().flat_map(|(_, ms)| [ms.first(), ms.last()]).flatten().copied());
    let places = |delays: &[f64]| -> Vec<(f64, f64)> {
        delays.iter().enumerate().map(|(n, ms)| (*ms, n as f64 / BAND as f64)).collect()
    };
    let content = html! {
        (frame.axes("delay in ms", "share"))
        (frame.band(speaker, &places(&low), &places(&high)))
        (frame.line(speaker, places(&middle).into_iter()))
        @for (_, ms) in ends.iter().flatten() { g.end { (frame.line(speaker, curve(ms).into_iter())) } }
    };
    let names = ends.map(|end| end.map_or("nobody", |(ear, _)| ear));
    let curves = [
        ("5 % of ears hear it earlier", low.as_slice()),
        ("the ear in the middle", &middle),
        ("5 % hear it later", &high),
    ];
    let ends = ends.iter().flatten().map(|(ear, ms)| (*ear, *ms));
    Figure {
        id: format!("ecdf-{}-{speaker}", super::relation_name(tier)),
        title: format!("{} at {} ears", room.speakers[speaker], ears.len()),
        says: format!(
            "Share of time signals that came within a delay. Line: the ear in the middle; band: nine of ten ears; thin lines: \
             {} hears it first, {} last.",
            names[0], names[1]
        ),
        picture: Picture { width: HALF, height: HEIGHT, content },
        table: quantiles(
            format!("Delays of {} in ms: so much of them is lower", room.speakers[speaker]),
            "ear",
            curves.into_iter().chain(ends),
        ),
    }
}

pub(super) fn frame(delays: impl Iterator<Item = f64> + Clone) -> Frame {
    let least = delays.clone().fold(f64::INFINITY, f64::min);
    let greatest = delays.fold(f64::NEG_INFINITY, f64::max);
    let (least, greatest) = if least <= greatest { (least, greatest) } else { (0.0, 1.0) };
    let room = (0.04 * (greatest - least)).max(0.5);
    Frame::new((least - room, greatest + room), (0.0, 1.0), HALF, 24.0, HEIGHT - 36.0)
}

/// A row per curve.
pub(super) fn quantiles<'n>(
    caption: String,
    whose: &str,
    curves: impl Iterator<Item = (&'n str, &'n [f64])>,
) -> Markup {
    let row = |(name, sorted): (&str, &[f64])| {
        let at = |p: &f64| stats::quantile(sorted, *p).map_or(String::new(), |ms| format!("{ms:.3}"));
        [name.to_owned(), sorted.len().to_string()].into_iter().chain(SHARES.iter().map(at)).collect()
    };
    let heads = [whose, "heard", "least", "5 %", "25 %", "median", "75 %", "95 %", "greatest"];
    Sheet { caption, heads: &heads, names: 1, rows: curves.map(row).collect() }.html()
}

/// The steps of the empirical distribution; of very many values, as many quantiles.
pub(super) fn curve(sorted: &[f64]) -> Vec<(f64, f64)> {
    let share = |n: usize| n as f64 / sorted.len() as f64;
    if sorted.len() > MOST_POINTS {
        let at = |n: usize| n as f64 / MOST_POINTS as f64;
        return (0..=MOST_POINTS).filter_map(|n| Some((stats::quantile(sorted, at(n))?, at(n)))).collect();
    }
    sorted.iter().enumerate().flat_map(|(n, &ms)| [(ms, share(n)), (ms, share(n + 1))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_steps_up_at_each_value_and_many_values_make_no_longer_one() {
        assert_eq!(curve(&[1.0, 3.0]), [(1.0, 0.0), (1.0, 0.5), (3.0, 0.5), (3.0, 1.0)]);
        let many: Vec<f64> = (0..=10_000).map(f64::from).collect();
        let curve = curve(&many);
        assert_eq!((curve.len(), curve[100]), (MOST_POINTS + 1, (5000.0, 0.5)));
    }
}
