//! The chorus: each voice's onsets at each ear, against what is known of ensembles.

use maud::{Markup, html};

use super::parts::{Figure, Picture, Sheet, list, ns_as_ms, or_empty};
use super::word;
use crate::report::chorus_picture::Strip;
use crate::report::explain;
use crate::report::room::Room;
use crate::report::tables::Tables;

pub(super) fn section(tables: &Tables, room: &Room<'_>) -> anyhow::Result<Markup> {
    let Some(strip) = Strip::of(tables, room)? else { return Ok(html! {}) };
    let pairs = tables.asynchrony()?.iter().map(|row| {
        let names = vec![row.recorder.clone(), row.voice.clone(), row.other.clone()];
        let figures = vec![
            row.beats.to_string(),
            row.median_ms.to_string(),
            row.sd_ms.to_string(),
            or_empty(row.predicted_ms),
            or_empty(row.cured_ms),
        ];
        [names, figures].concat()
    });
    let heads = [
        "ear",
        "voice",
        "other",
        "beats",
        "other is later by",
        "standard deviation",
        "by delays alone",
        "with the cure",
    ];
    let caption = "How much later one voice is than another, in ms".to_owned();
    let (width, height) = strip.size();
    let figure = Figure {
        id: "chorus-strip".to_owned(),
        title: "How much later than the first voice of a beat each one began, in ms".to_owned(),
        says: "A dot for each beat, as each ear heard it, the singer's own voice included; upright stroke: by the delays alone. \
               Broken lines: up to such a delay one way ensembles hold time, at most hold it, hold a steady tempo, and people \
               talk."
            .to_owned(),
        picture: Picture { width, height, content: strip.draw() },
        table: Sheet { caption, heads: &heads, names: 3, rows: pairs.collect() }.html(),
    };
    Ok(html! {
        (list(&explain::chorus(tables.folder())?))
        (figure.html())
        details {
            summary { "Beat by beat, and who could hold time" }
            (beats(tables)?)
            (holds(tables)?)
            (cure(tables)?)
        }
    })
}

fn beats(tables: &Tables) -> anyhow::Result<Markup> {
    let rows = tables.beats()?.iter().map(|row| {
        let spread = row.spread_ns.map(ns_as_ms).unwrap_or_default();
        let names = vec![row.recorder.clone(), row.beat.to_string()];
        let rest = vec![
            row.voices.to_string(),
            spread,
            row.first_voice.clone(),
            row.last_voice.clone(),
            or_empty(row.tempo_bpm),
        ];
        [names, rest].concat()
    });
    let heads = ["ear", "beat", "voices", "spread (ms)", "first voice", "last voice", "tempo (beats per minute)"];
    Ok(Sheet { caption: "Beats".to_owned(), heads: &heads, names: 2, rows: rows.collect() }.searchable())
}

fn holds(tables: &Tables) -> anyhow::Result<Markup> {
    let row = |row: &crate::report::chorus::HoldRow| {
        vec![
            row.singer.clone(),
            row.other.clone(),
            row.one_way_ms.to_string(),
            word(&row.grade),
            row.delay_impairment.to_string(),
        ]
    };
    let heads = ["singer", "other", "one way (ms)", "lets them", "impairment of talk (Idd)"];
    let rows = tables.holds()?.iter().map(row).collect();
    Ok(Sheet { caption: "Who could hold time".to_owned(), heads: &heads, names: 2, rows }.html())
}

fn cure(tables: &Tables) -> anyhow::Result<Markup> {
    let row = |row: &crate::report::chorus::CureRow| {
        vec![row.singer.clone(), word(&row.sings), row.advance_ms.to_string(), or_empty(row.cure_ms)]
    };
    let heads = ["singer", "sings", "was ahead by (ms)", "would have to be (ms)"];
    let rows = tables.cure()?.iter().map(row).collect();
    Ok(Sheet { caption: "What would bring it together for the audience".to_owned(), heads: &heads, names: 1, rows }
        .html())
}
