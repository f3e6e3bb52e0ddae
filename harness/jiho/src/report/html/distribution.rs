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
const SHARES: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];

pub(super) fn section(room: &Room<'_>) -> Markup {
    html! {
        @for tier in tiers(room) {
            @if room.ears(tier).len() > CROWD { (crowd(room, tier)) }
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

/// One band per speaker over all ears.
fn crowd(room: &Room<'_>, tier: Relation) -> Markup {
    let shares: Vec<f64> = (0..=50).map(|n| f64::from(n) / 50.0).collect();
    let over_ears = |pairs: &[&Pair<'_>]| -> Vec<[f64; 3]> {
        let ears: Vec<Vec<f64>> = pairs.iter().map(|pair| pair.sorted_ms()).filter(|ms| !ms.is_empty()).collect();
        let at = |p: f64| {
            let delays = stats::sorted(&ears.iter().filter_map(|ms| stats::quantile(ms, p)).collect::<Vec<_>>());
            let quantile = |q| stats::quantile(&delays, q).unwrap_or(f64::NAN);
            [quantile(0.05), quantile(0.5), quantile(0.95)]
        };
        if ears.is_empty() { Vec::new() } else { shares.iter().map(|&p| at(p)).collect() }
    };
    let bands: Vec<(usize, usize, Vec<[f64; 3]>)> = room
        .by_speaker(tier)
        .into_iter()
        .map(|(speaker, pairs)| (speaker, pairs.len(), over_ears(&pairs)))
        .filter(|(_, _, band)| !band.is_empty())
        .collect();
    let frame = frame(bands.iter().flat_map(|(_, _, band)| band.iter().flatten().copied()));
    let line = |band: &[[f64; 3]], n: usize| -> Vec<(f64, f64)> {
        band.iter().zip(&shares).map(|(delays, &share)| (delays[n], share)).collect()
    };
    let content = html! {
        (frame.axes("delay in ms", "share"))
        @for (speaker, _, band) in &bands {
            (frame.band(*speaker, &line(band, 0), &line(band, 2)))
            (frame.line(*speaker, line(band, 1).into_iter()))
        }
    };
    let rows = bands.iter().flat_map(|(speaker, ears, band)| {
        let of = |(name, n): (&str, usize)| {
            let cells = SHARES.iter().map(|p| format!("{:.3}", band[(p * 50.0).round() as usize][n]));
            let names = [room.speakers[*speaker].to_owned(), format!("{name} of {ears} ears")];
            names.into_iter().chain(cells).collect::<Vec<_>>()
        };
        [("earliest 5 %", 0), ("middle", 1), ("latest 5 %", 2)].map(of)
    });
    let heads =
        ["speaker", "ears", "least", "about 5 %", "about 25 %", "median", "about 75 %", "about 95 %", "greatest"];
    let caption = "Delays in ms: so much of what an ear heard is lower".to_owned();
    let names = legend(bands.iter().map(|(speaker, _, _)| (*speaker, room.speakers[*speaker])));
    let figure = Figure {
        id: format!("ecdf-{}", super::relation_name(tier)),
        title: format!("{}, {} ears", tier_title(tier), room.ears(tier).len()),
        says: "Share of time signals that came within a delay: the line is the ear in the middle, the band holds nine of ten \
               ears."
            .to_owned(),
        picture: Picture { width: HALF, height: HEIGHT, content },
        table: Sheet { caption, heads: &heads, names: 2, rows: rows.collect() }.html(),
    };
    html! { (names) (figure.html()) }
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
