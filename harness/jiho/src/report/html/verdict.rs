//! What a run came to: its gates if it had any, and whether it could be measured.

use jiho_analysis::metrics::Relation;
use maud::{Markup, html};

use super::parts::{list, or_empty};
use super::relation_name;
use crate::exit::Exit;
use crate::report::gates::{GateRow, Verdict};
use crate::report::pairs::PairRow;
use crate::report::room::CROWD;
use crate::report::tables::Tables;
use crate::report::{explain, verdict};

pub(super) fn section(tables: &Tables) -> anyhow::Result<Markup> {
    let gates = tables.gates()?;
    Ok(html! {
        @if !gates.is_empty() { (gated(gates)) }
        (measured(tables)?)
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
                    th scope="col" { "gate" }
                    th scope="col" { "verdict" }
                    @for (head, _) in gates.first().map(GateRow::figures).into_iter().flatten() {
                        th scope="col" { (head.replace('_', " ")) }
                    }
                    @for head in ["unit", "p-value", "why"] { th scope="col" { (head) } }
                } }
                tbody {
                    @for gate in gates {
                        tr.{ (gate.verdict.name()) } {
                            th scope="row" { (gate.gate) }
                            td.verdict { (sign(gate.verdict)) " " (gate.verdict.name()) }
                            @for (_, figure) in gate.figures() { td.n { (or_empty(figure)) } }
                            td { (gate.unit) }
                            td.n { (or_empty(gate.p_value)) }
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

/// Whether the run could be measured, as the exit code says it, and how much was heard of what was expected.
fn measured(tables: &Tables) -> anyhow::Result<Markup> {
    let exit = verdict::of_tables(tables)?;
    let (pairs, doubtful) = (tables.pairs()?, verdict::doubtful(tables)?);
    let (verdict, called) = match exit {
        Exit::Done => (Verdict::Pass, "measured"),
        Exit::Inconclusive => (Verdict::Inconclusive, "inconclusive"),
        Exit::Nothing => (Verdict::Fail, "nothing was measured"),
        Exit::Failed | Exit::Invalid | Exit::GateFailed => (Verdict::Fail, "the run failed"),
    };
    let failures = tables.run.as_ref().map(|run| run.failures.as_slice()).unwrap_or_default();
    let sum = |relation: Relation, count: fn(&PairRow) -> usize| -> usize {
        pairs.iter().filter(|row| row.relation == relation).map(count).sum()
    };
    Ok(html! {
        p.verdict.{ (verdict.name()) } {
            strong { (sign(verdict)) " " (called) } " "
            @match exit {
                Exit::Done => "Every pair was heard often enough.",
                Exit::Inconclusive | Exit::Nothing if doubtful.len() <= CROWD => {
                    "Heard too seldom, or too doubtfully: "
                    @for (n, pair) in doubtful.iter().enumerate() {
                        @if n > 0 { ", " }
                        (pair.speaker) " at " (pair.recorder) " (" (pair.heard) " of " (pair.expected) ")"
                    }
                    "."
                }
                Exit::Inconclusive | Exit::Nothing => {
                    (doubtful.len()) " of " (pairs.len()) " pairs were heard too seldom, or too doubtfully."
                }
                Exit::Failed | Exit::Invalid | Exit::GateFailed => (failures.join("; ")),
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
    })
}
