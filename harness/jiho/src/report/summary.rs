//! `summary.md`: the report as a comment on a pull request: the verdict first, then gates, stage and audience, the worst
//! pairs, gaps, what kind of room it was, and remarks. However many took part, it stays far below the 65 536 characters
//! that a comment on GitHub may have.

use jiho_analysis::metrics::{GapKind, Relation};

use super::gaps::GapRow;
use super::gates::{GateRow, Verdict};
use super::pairs::PairRow;
use super::prose::spoken;
use super::series::Series;
use super::tables::Tables;
use super::tiers::{self, TierRow};
use super::topology::{sentences_of_rows, tier_name};
use super::words::counted;
use super::{name_of, remarks, verdict};
use crate::exit::Exit;

/// Rows of a table, and sentences of a list, that are shown; the others are counted.
const MOST: usize = 20;
/// Pairs and gaps that are shown.
const WORST: usize = 8;
/// Longer texts are cut, in characters: no name may fill the comment.
const LONGEST: usize = 300;

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    let mut sections = vec![format!("## {}: {}\n", escaped(&series.experiment()), headline(series)?)];
    sections.push(table(&["gate", "verdict", "figure", "why"], &gates(&series.gates), MOST, "gates"));
    let said = match series.only() {
        Some(tables) => {
            sections.extend(of_run(tables)?);
            remarks::of(tables)?
        }
        None => {
            let head = ["repetition", "verdict", "stage: median ms", "audience: median ms", "beeps heard"];
            let rows = series.repetitions.iter().map(repetition).collect::<anyhow::Result<Vec<_>>>()?;
            sections.push(table(&head, &rows, MOST, "repetitions"));
            let said = series.repetitions.iter().map(remarks::of).collect::<anyhow::Result<Vec<_>>>()?;
            let mut said = said.concat();
            said.sort_unstable();
            said.dedup();
            said
        }
    };
    sections.push(list("Remarks", &said));
    sections.push(format!("Run: {}\n", escaped(&series.run_id())));
    sections.retain(|section| !section.is_empty());
    Ok(sections.join("\n"))
}

fn headline(series: &Series) -> anyhow::Result<String> {
    let count = |verdict| series.gates.iter().filter(|gate| gate.verdict == verdict).count();
    let passed = count(Verdict::Pass);
    let measured = match series.exit()? {
        Exit::Done => "measured",
        Exit::Inconclusive => "inconclusive",
        Exit::Nothing => "nothing was measured",
        Exit::GateFailed => "**failed**",
        Exit::Failed | Exit::Invalid => "the run failed",
    };
    Ok(match series.gates.len() {
        0 => measured.to_owned(),
        all if passed == all => format!("{measured}, {} passed", counted(all, "gate")),
        all => {
            let [failed, unsure] = [Verdict::Fail, Verdict::Inconclusive].map(count);
            format!("{measured}; of {} {passed} passed, {failed} failed, {unsure} inconclusive", counted(all, "gate"))
        }
    })
}

/// Those that failed first.
fn gates(gates: &[GateRow]) -> Vec<Vec<String>> {
    let mut gates: Vec<&GateRow> = gates.iter().collect();
    gates.sort_by_key(|gate| std::cmp::Reverse(gate.verdict));
    gates.into_iter().map(gate).collect()
}

fn gate(gate: &GateRow) -> Vec<String> {
    let verdict = match gate.verdict {
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Fail => "**fail**",
    };
    let interval = gate.low.zip(gate.high).map(|(low, high)| format!(" [{low:.2}–{high:.2}]")).unwrap_or_default();
    let figure = gate.value.map(|value| format!("{value:.2}{interval} {}", gate.unit)).unwrap_or("none".to_owned());
    vec![escaped(&gate.gate), verdict.to_owned(), escaped(figure.trim_end()), escaped(&gate.sentence)]
}

fn of_run(tables: &Tables) -> anyhow::Result<Vec<String>> {
    let tiers: Vec<Vec<String>> = tiers::rows(tables)?.iter().map(tier).collect();
    let pairs = worst_pairs(tables.pairs()?);
    let gaps = worst_gaps(tables.gaps()?);
    let pairs_head = ["worst pairs", "tier", "median ms", "p95 ms", "beeps heard"];
    Ok(vec![
        table(&["mouth to ear", "median ms", "p95 ms", "p99 ms", "pairs heard", "beeps heard"], &tiers, MOST, "tiers"),
        table(&pairs_head, &pairs, WORST, "pairs"),
        table(&["longest gaps", "whose sound at whom", "kind", "silent for", "never heard"], &gaps, WORST, "gaps"),
        list("What kind of room it was", &sentences_of_rows(tables.topology()?)),
    ])
}

fn tier(row: &TierRow) -> Vec<String> {
    vec![
        tier_name(row.relation).to_owned(),
        ms(row.median_ms),
        ms(row.p95_ms),
        ms(row.p99_ms),
        format!("{} of {}", row.pairs_heard, row.pairs),
        format!("{} of {}", row.heard, row.expected),
    ]
}

fn repetition(tables: &Tables) -> anyhow::Result<Vec<String>> {
    let tiers = tiers::rows(tables)?;
    let median = |relation| ms(tiers.iter().find(|tier| tier.relation == relation).and_then(|tier| tier.median_ms));
    let sum = |count: fn(&TierRow) -> usize| {
        tiers.iter().filter(|tier| tier.relation != Relation::Own).map(count).sum::<usize>()
    };
    Ok(vec![
        tables.name().rep.to_string(),
        name_of(&verdict::of_tables(tables)?),
        median(Relation::Stage),
        median(Relation::Audience),
        format!("{} of {}", sum(|tier| tier.heard), sum(|tier| tier.expected)),
    ])
}

/// Those that nothing was heard of first, then those that came latest.
fn worst_pairs(rows: &[PairRow]) -> Vec<Vec<String>> {
    let mut rows: Vec<&PairRow> = rows.iter().filter(|row| row.relation != Relation::Own).collect();
    let lateness = |row: &PairRow| row.p95_ms.unwrap_or(f64::INFINITY);
    rows.sort_by(|a, b| lateness(b).total_cmp(&lateness(a)));
    let shown = rows.into_iter().map(|row| {
        vec![
            escaped(&format!("{} to {}", row.speaker, row.recorder)),
            tier_name(row.relation).to_owned(),
            ms(row.median_ms),
            ms(row.p95_ms),
            format!("{} of {}", row.heard, row.expected),
        ]
    });
    shown.collect()
}

/// Those that did not end first, then the longest; what goes on without a gap is none, nor is what is meant to end.
fn worst_gaps(rows: &[GapRow]) -> Vec<Vec<String>> {
    let mut rows: Vec<&GapRow> = rows.iter().filter(|row| !matches!(row.kind, GapKind::None | GapKind::Ends)).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.kind == GapKind::Unheard, silence_ns(row), row.lost_ns)));
    let span = |ns: Option<i64>| ns.map_or("–".to_owned(), |ns| spoken(ns as f64 / 1e6));
    let shown = rows.into_iter().map(|row| {
        vec![
            escaped(&format!("{} {}", row.event.name(), row.subject)),
            escaped(&format!("{} at {}", row.speaker, row.endpoint)),
            name_of(&row.kind).replace('_', " "),
            if row.kind == GapKind::Unheard { "good".to_owned() } else { span(silence_ns(row)) },
            span(row.lost_ns),
        ]
    });
    shown.collect()
}

/// Of what begins, since the command.
fn silence_ns(row: &GapRow) -> Option<i64> {
    if row.kind == GapKind::Begins { row.first_audio_ns } else { row.silence_ns }
}

fn ms(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |ms| format!("{ms:.1}"))
}

/// Nothing, if it has no rows.
fn table(head: &[&str], rows: &[Vec<String>], most: usize, things: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let mut text = line(&head) + &"|---".repeat(head.len()) + "|\n";
    text.extend(rows.iter().take(most).map(|cells| line(cells)));
    text + &others(rows.len(), most, things)
}

/// Nothing, if there are no sentences.
fn list(title: &str, sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items: String = sentences.iter().take(MOST).map(|said| format!("- {}\n", escaped(said))).collect();
    format!("**{title}**\n\n{items}{}", others(sentences.len(), MOST, "remarks"))
}

fn others(all: usize, most: usize, things: &str) -> String {
    if all > most { format!("\n… and {} more {things}.\n", all - most) } else { String::new() }
}

/// As text that Markdown leaves as it is, on one line; nobody is told that somebody spoke of them.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars().take(LONGEST) {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => escaped.extend(['\\', letter]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // Followed by something that has no width, it calls nobody.
            '@' => escaped.push_str("@\u{200b}"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    if text.chars().count() > LONGEST { escaped + "…" } else { escaped }
}
