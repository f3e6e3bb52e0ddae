//! `report.html`: a run on one page that needs nothing besides itself, made from the tables in the run's folder.
//!
//! The page is complete without its script, which only adds searching and sorting of long tables and a play head.

mod architecture;
mod chorus;
mod clocks;
mod comparison;
mod distribution;
mod environment;
mod marks;
mod matrix;
mod over_time;
mod parts;
mod plot;
mod promotion;
mod recordings;
mod sound;
mod verdict;
mod waveform;

use jiho_analysis::metrics::Relation;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub use comparison::comparison;

use super::room::Room;
use super::tables::Tables;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing may be loaded from anywhere: what is on the page is all there is.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:; img-src data:";

/// The page of a run.
///
/// # Errors
/// A table or a recording's description is damaged.
pub fn page(tables: &Tables) -> anyhow::Result<String> {
    let room = Room::of(tables)?;
    let sections = [
        Section::new("verdict", "Verdict", verdict::section(tables)?),
        Section::new("matrix", "Delay matrix", matrix::section(tables, &room)?),
        Section::new("architecture", "What kind of room it was", architecture::section(tables)?),
        Section::new("distribution", "How delays are distributed", distribution::section(&room)),
        Section::new("time", "Delay over time", over_time::section(tables, &room)?),
        Section::new("promotion", "When roles changed", promotion::section(tables)?),
        Section::new("chorus", "The chorus", chorus::section(tables, &room)?),
        Section::new("recordings", "What the ears heard", recordings::section(tables, &room)?),
        Section::new("clocks", "Clocks and data quality", clocks::section(tables)?),
        Section::new("environment", "Environment", environment::environment(tables)),
        Section::new("reproduce", "To do it again", environment::reproduce(tables)),
    ];
    let name = tables.run.as_ref().map_or_else(|| tables.name().run_id, |run| run.experiment.clone());
    let (id, on) = (tables.name().run_id, tables.run.as_ref().map(|run| run.on.as_str()).unwrap_or_default());
    Ok(document(&name, &format!("{id} {on}"), sections.into_iter().filter(Section::says_something).collect()))
}

/// A part of a page, under its heading.
struct Section {
    id: &'static str,
    title: &'static str,
    content: Markup,
}

impl Section {
    fn new(id: &'static str, title: &'static str, content: Markup) -> Self {
        Self { id, title, content }
    }

    fn says_something(&self) -> bool {
        !self.content.0.is_empty()
    }
}

fn document(title: &str, subtitle: &str, sections: Vec<Section>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – jiho" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "To the results" }
                header {
                    h1 { (title) }
                    p.faint { (subtitle) }
                    nav aria-label="Contents" {
                        ol { @for section in &sections { li { a href=(format!("#{}", section.id)) { (section.title) } } } }
                    }
                }
                main id="main" {
                    @for section in &sections {
                        section id=(section.id) aria-labelledby=(format!("{}-heading", section.id)) {
                            h2 id=(format!("{}-heading", section.id)) { (section.title) }
                            (section.content)
                        }
                    }
                }
                footer { p.faint { "Made by jiho " (env!("CARGO_PKG_VERSION")) ", from the tables beside this page." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// As tables call it.
fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Stage => "stage",
        Relation::Audience => "audience",
        Relation::Own => "self",
    }
}

/// As tables call it, with spaces.
fn word<T: serde::Serialize>(value: &T) -> String {
    let name = serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned()));
    name.unwrap_or_default().replace('_', " ")
}
