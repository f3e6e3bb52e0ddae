//! The delay matrix for a terminal: stage and audience apart, every figure with its interval and its counts.

use std::fmt::Write;

use jiho_analysis::metrics::{PairDelays, Relation};

use super::words::counted;
use crate::run::measure::{Findings, PairHeard, RecorderHeard};

/// Lines are no longer than this, in columns of a terminal.
const WIDEST: usize = 120;
const INDENT: &str = "  ";
const GAP: &str = "   ";
/// More ears than this are summed up: `pairs.csv` has each.
const CROWD: usize = 16;

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
    if recorders.len() > CROWD {
        crowd(findings, &recorders, relation, title, text);
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
    text.push_str(&blocks(&rows).join("\n"));
}

/// One line per speaker in place of one cell per ear.
fn crowd(findings: &Findings, ears: &[&RecorderHeard], relation: Relation, title: &str, text: &mut String) {
    let mut rows = vec![vec![
        title.to_owned(),
        format!("medians at {} ears: least", ears.len()),
        "half of them".to_owned(),
        "greatest".to_owned(),
        "beeps heard".to_owned(),
    ]];
    for (index, speaker) in findings.speakers.iter().enumerate() {
        let pairs = ears.iter().flat_map(|ear| ear.pairs.iter().map(|pair| (ear.name.as_str(), pair)));
        let delays: Vec<(&str, &PairDelays)> = pairs
            .filter(|(_, pair)| pair.speaker == index && pair.relation == relation)
            .map(|(name, pair)| (name, &pair.delays))
            .collect();
        let mut medians: Vec<(f64, &str)> = delays
            .iter()
            .filter_map(|(name, delays)| Some((delays.distribution.as_ref()?.quantile_ms(0.5), *name)))
            .collect();
        medians.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |place: usize| medians.get(place).map_or("–".to_owned(), |(ms, name)| format!("{ms:.2} at {name}"));
        let sum = |count: fn(&PairDelays) -> usize| delays.iter().map(|(_, delays)| count(delays)).sum::<usize>();
        let quarter = |part: usize| medians.get(medians.len() * part / 4).map_or(f64::NAN, |(ms, _)| *ms);
        let middle =
            if medians.is_empty() { "–".to_owned() } else { format!("{:.2}–{:.2}", quarter(1), quarter(3)) };
        rows.push(vec![
            format!("from {}", speaker.name),
            at(0),
            middle,
            at(medians.len().saturating_sub(1)),
            format!("{}/{}", sum(|delays| delays.heard), sum(|delays| delays.expected)),
        ]);
    }
    text.push('\n');
    text.push_str(&blocks(&rows).join("\n"));
}

/// The table's columns, as many beside each other as fit; the titles of the rows stand in front of each block.
pub(super) fn blocks(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width_of = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let mut blocks = Vec::new();
    let mut from = 1;
    while from < columns {
        let mut to = from + 1;
        let width =
            |to: usize| INDENT.len() + widths[0] + widths[from..to].iter().map(|w| GAP.len() + w).sum::<usize>();
        while to < columns && width(to + 1) <= WIDEST {
            to += 1;
        }
        let mut block = String::new();
        for row in rows {
            let cells = std::iter::once(0).chain(from..to).map(|n| format!("{:<width$}", row[n], width = widths[n]));
            // Writing to a string cannot fail.
            let _ = writeln!(block, "{INDENT}{}", cells.collect::<Vec<_>>().join(GAP).trim_end());
        }
        blocks.push(block);
        from = to;
    }
    blocks
}

fn cell(pair: &PairHeard) -> String {
    let delays = &pair.delays;
    let counts = format!("{}/{}", delays.heard, delays.expected);
    let Some(distribution) = &delays.distribution else { return format!("not heard  {counts}") };
    let mut cell = format!("{}  {counts}", super::median_text(distribution, 2));
    for (count, mark) in [(delays.weak, "weak"), (delays.ambiguous, "ambiguous")] {
        if count > 0 {
            let _ = write!(cell, ", {count} {mark}");
        }
    }
    if !delays.steps.is_empty() {
        let _ = write!(cell, ", {}", counted(delays.steps.len(), "step"));
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_matrix_is_broken_into_blocks_that_fit_with_the_titles_in_each() {
        let ears = 12;
        let row = |title: &str, cell: &dyn Fn(usize) -> String| -> Vec<String> {
            std::iter::once(title.to_owned()).chain((0..ears).map(cell)).collect()
        };
        let rows = [
            row("audience", &|n| format!("at ear-{n}.")),
            row("from ana", &|n| format!("1{n}.00 [66.83–66.96]  20/20")),
        ];
        let blocks = blocks(&rows);
        assert!(blocks.len() > 1);
        for block in &blocks {
            let lines: Vec<&str> = block.lines().collect();
            assert!(lines.iter().all(|line| line.chars().count() <= 120), "{block}");
            assert!(lines[0].starts_with("  audience   at ear-") && lines[1].starts_with("  from ana   1"), "{block}");
        }
        // Every column once, in order.
        let all = blocks.concat();
        let places: Vec<usize> = (0..ears).map(|n| all.find(&format!("at ear-{n}.")).unwrap()).collect();
        assert!(places.is_sorted());
        assert_eq!(all.matches("at ear-").count(), ears);
    }

    #[test]
    fn a_column_wider_than_the_terminal_stands_alone() {
        let rows = [vec!["audience".to_owned(), "x".repeat(200), "y".to_owned()]];
        assert_eq!(blocks(&rows).len(), 2);
    }
}
