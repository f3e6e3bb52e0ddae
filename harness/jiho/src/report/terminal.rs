//! The delay matrix for a terminal: stage and audience apart, every figure with its interval and its counts.

use std::fmt::Write;

use jiho_analysis::metrics::Relation;

use crate::run::measure::{Findings, PairHeard};

/// Writes the matrices.
pub fn matrix(findings: &Findings) -> String {
    let mut text = String::from("Mouth-to-ear delay in ms: median [95 % interval], beeps heard of those expected\n");
    for (relation, title) in
        [(Relation::Stage, "stage"), (Relation::Audience, "audience"), (Relation::Own, "own voice")]
    {
        tier(findings, relation, title, &mut text);
    }
    text
}

fn tier(findings: &Findings, relation: Relation, title: &str, text: &mut String) {
    let recorders: Vec<_> =
        findings.recorders.iter().filter(|r| r.pairs.iter().any(|p| p.relation == relation)).collect();
    if recorders.is_empty() {
        return;
    }
    let mut rows = vec![vec![title.to_owned()]];
    rows[0].extend(recorders.iter().map(|recorder| format!("at {}", recorder.name)));
    for (index, speaker) in findings.speakers.iter().enumerate() {
        let cells: Vec<String> = recorders
            .iter()
            .map(|recorder| {
                let pair = recorder.pairs.iter().find(|p| p.speaker == index && p.relation == relation);
                pair.map_or_else(|| "–".to_owned(), cell)
            })
            .collect();
        if cells.iter().any(|cell| cell != "–") {
            rows.push(std::iter::once(format!("from {}", speaker.name)).chain(cells).collect());
        }
    }
    text.push('\n');
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0)).collect();
    for row in rows {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}", padded.join("   ").trim_end());
    }
}

fn cell(pair: &PairHeard) -> String {
    let delays = &pair.delays;
    let counts = format!("{}/{}", delays.heard, delays.expected);
    let Some(distribution) = &delays.distribution else { return format!("not heard  {counts}") };
    let mut cell = format!("{}  {counts}", super::median_text(distribution, 2));
    for (count, mark) in [(delays.weak, "weak"), (delays.ambiguous, "ambiguous"), (delays.steps, "steps")] {
        if count > 0 {
            let _ = write!(cell, ", {count} {mark}");
        }
    }
    cell
}
