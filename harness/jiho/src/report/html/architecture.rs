//! What kind of room it was by its sound: what was named, ruled out, left open, and the evidence for and against.

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Hypothesis, Kind};
use maud::{Markup, html};

use super::parts::list;
use crate::report::explain;
use crate::report::tables::Tables;
use crate::report::topology::{self, RowVerdict, TopologyRow, described, percent, tier_name};

pub(super) fn section(tables: &Tables) -> anyhow::Result<Markup> {
    let rows = tables.topology()?;
    if rows.is_empty() {
        return Ok(html! { p { "Nothing can be said: nothing was heard that would tell." } });
    }
    Ok(html! {
        (list(&sentences(tables, rows)?))
        @for tier in [Relation::Stage, Relation::Audience] { (table(rows, tier)) }
        p.faint {
            "Numbers are natural logarithms of how much less likely an observation is by a hypothesis than by the one that it \
             suits best: 0 speaks for it, −7 is a thousand to one against it. Nothing is named on one piece of evidence."
        }
    })
}

/// The evidence in words, where this folder alone holds all that the verdict rests on; else the verdict.
fn sentences(tables: &Tables, rows: &[TopologyRow]) -> anyhow::Result<Vec<String>> {
    let name = tables.name();
    let findings = crate::run::architecture(std::slice::from_ref(tables.folder()))?;
    if topology::rows(&name.run_id, name.rep, &findings).eq(rows.iter().cloned()) {
        return Ok(explain::served(&findings));
    }
    let verdict = |row: &TopologyRow| {
        let what = match row.verdict {
            RowVerdict::Named => "was served by",
            RowVerdict::Open => "may have been served by",
            RowVerdict::RuledOut => return None,
        };
        let (tier, who) = (tier_name(row.tier), described(row.hypothesis));
        Some(format!("The {tier} {what} {who} ({}).", percent(row.log_odds)))
    };
    Ok(rows.iter().filter_map(verdict).collect())
}

fn table(rows: &[TopologyRow], tier: Relation) -> Markup {
    let rows: Vec<&TopologyRow> = rows.iter().filter(|row| row.tier == tier).collect();
    let has = |kind: &Kind| rows.iter().any(|row| value(&row.evidence, kind.name()).is_some());
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(has).collect();
    html! {
        @if !rows.is_empty() {
            div.scroll tabindex="0" role="region" aria-label=(format!("Who may have served the {}", tier_name(tier))) {
                table.sheet.evidence {
                    caption { "Who may have served the " (tier_name(tier)) }
                    thead {
                        tr {
                            th scope="col" { "hypothesis" }
                            th scope="col" { "verdict" }
                            th scope="col" { "probability" }
                            th scope="col" { "log odds" }
                            @for kind in &kinds { th scope="col" { (kind.described()) } }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr class=(class(row.verdict)) {
                                th scope="row" { (name(row.hypothesis)) }
                                td { (verdict(row.verdict)) }
                                td.n { (percent(row.log_odds)) }
                                td.n { (row.log_odds) }
                                @for kind in &kinds { (cell(value(&row.evidence, kind.name()))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(value: Option<&str>) -> Markup {
    let Some(value) = value else { return html! { td.n {} } };
    // As strong as three to one, and a thousand to one.
    let class = match value.parse::<f64>() {
        Ok(weight) if weight < -6.9 => "n strong",
        Ok(weight) if weight < -1.1 => "n some",
        _ => "n",
    };
    html! { td class=(class) { (value) } }
}

/// The weight of a kind of evidence in a row's list of them.
fn value<'e>(evidence: &'e str, kind: &str) -> Option<&'e str> {
    evidence.split("; ").find_map(|one| one.strip_prefix(kind)?.strip_prefix(' '))
}

fn name(hypothesis: Hypothesis) -> &'static str {
    described(hypothesis).trim_start_matches("a ")
}

fn verdict(verdict: RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Named => "● it was this",
        RowVerdict::Open => "○ open",
        RowVerdict::RuledOut => "× ruled out",
    }
}

fn class(verdict: RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Named => "named",
        RowVerdict::Open => "open",
        RowVerdict::RuledOut => "out",
    }
}
