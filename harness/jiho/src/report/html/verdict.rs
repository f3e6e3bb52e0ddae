//! What a run came to: its gates if it had any, else what it could measure.

use jiho_analysis::metrics::Relation;
use maud::{Markup, html};

use super::parts::{list, or_empty};
use super::relation_name;
use crate::report::explain;
use crate::report::gates::{GateRow, Verdict};
use crate::report::pairs::PairRow;
use crate::report::tables::Tables;

pub(super) fn section(tables: &Tables) -> anyhow::Result<Markup> {
    let gates = tables.gates()?;
    Ok(html! {
        @if gates.is_empty() { (measured(tables.pairs()?)) } @else { (gated(gates)) }
        (list(&explain::heard(tables.folder())?))
    })
}

fn gated(gates: &[GateRow]) -> Markup {
    let worst = gates.iter().map(|gate| gate.verdict).max().unwrap_or(Verdict::Pass);
    let count = |verdict| gates.iter().filter(|gate| gate.verdict == verdict).count();
    html! {
        p.verdict.{ (worst.name()) } {
            strong { (sign(worst)) " " (worst.name()) } " "
            (count(Verdict::Pass)) " of " (gates.len()) " gates passed, " (count(Verdict::Fail)) " failed, "
            (count(Verdict::Inconclusive)) " inconclusive."
        }
        div.scroll tabindex="0" role="region" aria-label="Gates" {
            table.sheet {
                caption { "Gates" }
                thead { tr {
                    @for head in ["gate", "verdict", "value", "unit", "low", "high", "limit", "baseline", "change", "why"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for gate in gates {
                        tr.{ (gate.verdict.name()) } {
                            th scope="row" { (gate.gate) }
                            td.verdict { (sign(gate.verdict)) " " (gate.verdict.name()) }
                            td.n { (or_empty(gate.value)) }
                            td { (gate.unit) }
                            @for figure in [gate.low, gate.high, gate.limit, gate.baseline, gate.change] {
                                td.n { (or_empty(figure)) }
                            }
                            td.why { (gate.sentence) }
                        }
                    }
                }
            }
        }
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "✗",
    }
}

/// How much was heard of what was expected.
fn measured(pairs: &[PairRow]) -> Markup {
    let sum = |relation: Relation, count: fn(&PairRow) -> usize| -> usize {
        pairs.iter().filter(|row| row.relation == relation).map(count).sum()
    };
    let silent: Vec<&PairRow> =
        pairs.iter().filter(|row| row.relation != Relation::Own && row.expected > 0 && row.heard == 0).collect();
    let nothing = pairs.iter().all(|row| row.median_ms.is_none());
    html! {
        p.verdict.{ (if nothing { "fail" } else if silent.is_empty() { "pass" } else { "inconclusive" }) } {
            @if nothing { strong { "✗ nothing was measured" } " No time signal was heard anywhere." }
            @else if silent.is_empty() { strong { "✓ measured" } " Every pair was heard. There were no gates." }
            @else {
                strong { "? measured in part" } " " (silent.len()) " of " (pairs.len()) " pairs were never heard. There were no \
                gates."
            }
        }
        ul.counts {
            @for tier in [Relation::Stage, Relation::Audience] {
                @let expected = sum(tier, |row| row.expected);
                @if expected > 0 {
                    li {
                        strong data-tier=(relation_name(tier)) { (sum(tier, |row| row.heard)) " of " (expected) }
                        " time signals were heard " (if tier == Relation::Stage { "on stage" } else { "in the audience" })
                    }
                }
            }
        }
    }
}
