//! The delay matrix as a heat map: a table whose cells are coloured by their medians. Of a crowd one row per speaker.

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;
use maud::{Markup, html};

use super::parts::{Sheet, or_empty};
use crate::report::pairs::PairRow;
use crate::report::room::{CROWD, Room, tier_title, tiers};
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// More pairs than this are left to `pairs.csv`.
const MOST_PAIRS: usize = 10_000;

pub(super) fn section(tables: &Tables, room: &Room<'_>) -> Result<Markup, TableError> {
    let rows = tables.pairs()?;
    let medians: Vec<f64> = rows.iter().filter_map(|row| row.median_ms).collect();
    let colours = Colours::over(&medians);
    Ok(html! {
        p { "Mouth-to-ear delay in ms: median, its 95 % interval, and how many time signals were heard of those expected. "
            (colours.legend()) }
        @for tier in tiers(room) { (self::tier(rows, tier, &colours)) }
        details open[rows.len() <= 30] {
            summary { "All pairs, with all their figures" }
            (all(rows))
        }
    })
}

fn tier(rows: &[PairRow], tier: Relation, colours: &Colours) -> Markup {
    let rows: Vec<&PairRow> = rows.iter().filter(|row| row.relation == tier).collect();
    let mut ears: Vec<&str> = rows.iter().map(|row| row.recorder.as_str()).collect();
    ears.dedup();
    let mut speakers: Vec<&str> = rows.iter().map(|row| row.speaker.as_str()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    if ears.len() > CROWD {
        return crowd(&rows, tier, &speakers, ears.len(), colours);
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(tier_title(tier)) {
            table.heat {
                caption { (tier_title(tier)) }
                thead { tr { td {} @for ear in &ears { th scope="col" { "at " (ear) } } } }
                tbody {
                    @for speaker in &speakers {
                        tr {
                            th scope="row" { "from " (speaker) }
                            @for ear in &ears {
                                (cell(rows.iter().find(|row| row.speaker == *speaker && row.recorder == *ear), colours))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(row: Option<&&PairRow>, colours: &Colours) -> Markup {
    let Some(row) = row else { return html! { td.none { span.faint { "–" } } } };
    let counts =
        html! { small { (row.heard) "/" (row.expected) @if row.ambiguous > 0 { ", " (row.ambiguous) " ambiguous" } } };
    let (id, ear) = (&row.speaker, &row.recorder);
    let Some(median) = row.median_ms else {
        return html! { td.none data-speaker=(id) data-ear=(ear) { "not heard" (counts) } };
    };
    html! {
        td style=(colours.style(median)) data-speaker=(id) data-ear=(ear) data-median-ms=(median)
            data-low-ms=[row.median_low_ms] data-high-ms=[row.median_high_ms] {
            b { (format!("{median:.2}")) }
            small { (interval(row)) }
            (counts)
        }
    }
}

fn interval(row: &PairRow) -> String {
    match (row.median_low_ms, row.median_high_ms) {
        (Some(low), Some(high)) => format!("{low:.2}–{high:.2}"),
        _ => "too few".to_owned(),
    }
}

/// One row per speaker: between which medians its ears lie, and whose they are.
fn crowd(rows: &[&PairRow], tier: Relation, speakers: &[&str], ears: usize, colours: &Colours) -> Markup {
    let parts = [("5 % of ears", 0.05), ("a quarter", 0.25), ("half", 0.5), ("three quarters", 0.75), ("95 %", 0.95)];
    html! {
        div.scroll tabindex="0" role="region" aria-label=(tier_title(tier)) {
            table.heat.crowd {
                caption { (tier_title(tier)) ": medians at " (ears) " ears; the least, the greatest, and what this share of ears \
                    is below" }
                thead {
                    tr {
                        td {}
                        th scope="col" { "least" }
                        @for (name, _) in parts { th scope="col" { (name) } }
                        th scope="col" { "greatest" }
                        th scope="col" { "heard" }
                    }
                }
                tbody {
                    @for speaker in speakers {
                        @let own = || rows.iter().filter(|row| row.speaker == *speaker);
                        @let medians = stats::sorted(&own().filter_map(|row| row.median_ms).collect::<Vec<_>>());
                        @let at = |p: f64| stats::quantile(&medians, p);
                        @let whose = |p: f64| own().find(|row| row.median_ms.is_some() && row.median_ms == at(p));
                        tr {
                            th scope="row" { "from " (speaker) }
                            (extreme(whose(0.0), colours))
                            @for (_, p) in parts {
                                @if let Some(ms) = at(p) { td style=(colours.style(ms)) { b { (format!("{ms:.2}")) } } }
                                @else { td.none { "–" } }
                            }
                            (extreme(whose(1.0), colours))
                            td { (own().map(|row| row.heard).sum::<usize>()) "/" (own().map(|row| row.expected).sum::<usize>()) }
                        }
                    }
                }
            }
        }
    }
}

fn extreme(row: Option<&&PairRow>, colours: &Colours) -> Markup {
    let Some((row, ms)) = row.and_then(|row| Some((row, row.median_ms?))) else { return html! { td.none { "–" } } };
    html! {
        td style=(colours.style(ms)) data-speaker=(row.speaker) data-ear=(row.recorder) data-median-ms=(ms) {
            b { (format!("{ms:.2}")) } small { "at " (row.recorder) }
        }
    }
}

/// As `pairs.csv` has it.
fn all(rows: &[PairRow]) -> Markup {
    let heads = [
        "speaker",
        "ear",
        "tier",
        "expected",
        "heard",
        "heard ratio",
        "min",
        "p05",
        "median",
        "low",
        "high",
        "p95",
        "p99",
        "max",
        "IQR",
        "drift (ppm)",
        "steps",
        "weak",
        "ambiguous",
        "network",
        "buffer",
    ];
    let row = |row: &PairRow| {
        vec![
            row.speaker.clone(),
            row.recorder.clone(),
            super::relation_name(row.relation).to_owned(),
            row.expected.to_string(),
            row.heard.to_string(),
            or_empty(row.heard_ratio),
            or_empty(row.min_ms),
            or_empty(row.p05_ms),
            or_empty(row.median_ms),
            or_empty(row.median_low_ms),
            or_empty(row.median_high_ms),
            or_empty(row.p95_ms),
            or_empty(row.p99_ms),
            or_empty(row.max_ms),
            or_empty(row.iqr_ms),
            or_empty(row.drift_ppm),
            row.steps.to_string(),
            row.weak.to_string(),
            row.ambiguous.to_string(),
            or_empty(row.network_median_ms),
            or_empty(row.buffer_median_ms),
        ]
    };
    let left = match rows.len() {
        many if many > MOST_PAIRS => format!("; the first {MOST_PAIRS} of {many}, pairs.csv has all"),
        _ => String::new(),
    };
    let caption = format!("Pairs: delays in ms{left}");
    let rows = rows.iter().take(MOST_PAIRS).map(row).collect();
    html! {
        div id="pairs" { (Sheet { caption, heads: &heads, names: 2, rows }.searchable()) }
    }
}

/// From the least delay to the greatest: dark to bright, so that neither colour-blindness nor grey print hide it.
struct Colours {
    least: f64,
    greatest: f64,
}

/// Stops of cividis (Nuñez, Anderton & Renslow 2018), which looks alike with and without colour vision.
const CIVIDIS: [[f64; 3]; 6] = [
    [26.0, 56.0, 111.0],
    [67.0, 78.0, 108.0],
    [103.0, 104.0, 112.0],
    [140.0, 131.0, 118.0],
    [184.0, 163.0, 105.0],
    [235.0, 203.0, 76.0],
];

impl Colours {
    fn over(values: &[f64]) -> Self {
        Self {
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    fn style(&self, ms: f64) -> String {
        let span = self.greatest - self.least;
        self.at(if span > 0.0 { (ms - self.least) / span } else { 0.0 })
    }

    fn at(&self, share: f64) -> String {
        let place = share.clamp(0.0, 1.0) * (CIVIDIS.len() - 1) as f64;
        let low = (place.floor() as usize).min(CIVIDIS.len() - 2);
        let mixed = |n: usize| CIVIDIS[low][n] + (CIVIDIS[low + 1][n] - CIVIDIS[low][n]) * (place - low as f64);
        let [r, g, b] = [mixed(0), mixed(1), mixed(2)];
        // Whichever of black and white stands out more (WCAG 2.2, contrast ratio).
        let text = if luminance([r, g, b]) > 0.179 { "#000" } else { "#fff" };
        format!("background:#{:02x}{:02x}{:02x};color:{text}", r as u8, g as u8, b as u8)
    }

    fn legend(&self) -> Markup {
        html! {
            @if self.greatest > self.least {
                span.scale {
                    (format!("{:.1}", self.least)) " "
                    @for n in 0..=10 { i style=(self.at(f64::from(n) / 10.0)) aria-hidden="true" {} }
                    " " (format!("{:.1} ms", self.greatest))
                }
            }
        }
    }
}

/// Relative luminance (WCAG 2.2).
fn luminance(rgb: [f64; 3]) -> f64 {
    let linear = rgb.map(|value| match value / 255.0 {
        dark if dark <= 0.04045 => dark / 12.92,
        bright => ((bright + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_out_from_every_colour() {
        let colours = Colours { least: 0.0, greatest: 1.0 };
        for n in 0..=100 {
            let style = colours.at(f64::from(n) / 100.0);
            let channel = |from: usize| f64::from(u8::from_str_radix(&style[from..from + 2], 16).unwrap());
            let ground = luminance([channel(12), channel(14), channel(16)]);
            let text = if style.ends_with("#000") { 0.0 } else { 1.0 };
            let (light, dark) = if text > ground { (text, ground) } else { (ground, text) };
            // WCAG 2.2, success criterion 1.4.3.
            assert!((light + 0.05) / (dark + 0.05) >= 4.5, "{style}");
        }
    }
}
