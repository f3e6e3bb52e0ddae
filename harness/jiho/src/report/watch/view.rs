//! The matrix as it is drawn: as many lines as the terminal has, none wider than it is.

use console::{Style, measure_text_width, pad_str, truncate_str};
use jiho_analysis::arrivals::Role;
use jiho_analysis::stats;
use jiho_analysis::units::Nanos;

use super::matrix::{Matrix, Pair};
use crate::report::words::counted;

/// From the least recent delay of a strip to the greatest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Delays that differ by less are drawn alike.
const ALIKE: Nanos = Nanos::from_millis(2);
const STRIP: usize = 30;
/// Happenings that are shown where there is room.
const HAPPENINGS: usize = 8;
/// Below this share of beeps a pair is drawn as in trouble.
const WELL: f64 = 0.9;

/// Draws what is known by now, in `rows` lines of `columns` at most; in colours that the standard error may have.
pub fn view(matrix: &Matrix, rows: usize, columns: usize) -> String {
    let happenings = matrix.happenings.len().min(HAPPENINGS).min(rows / 3);
    let room = rows.saturating_sub(1 + if happenings > 0 { happenings + 1 } else { 0 });
    let mut lines = vec![header(matrix)];
    let tiers = [(Role::Speaker, "on stage"), (Role::Listener, "in the audience")]
        .map(|(role, title)| (matrix.tier(role), title))
        .into_iter()
        .filter(|(pairs, _)| !pairs.is_empty())
        .collect::<Vec<_>>();
    // A line for each pair and each title.
    let wanted: usize = tiers.iter().map(|(pairs, _)| pairs.len() + 1).sum();
    if tiers.is_empty() {
        lines.push(Style::new().for_stderr().dim().apply_to("nothing is heard yet").to_string());
    }
    for (pairs, title) in &tiers {
        lines.extend(if wanted <= room { each(matrix, pairs, title) } else { crowd(matrix, pairs, title) });
    }
    lines.truncate(room + 1);
    if happenings > 0 {
        lines.push(String::new());
        lines.extend(matrix.happenings.iter().skip(matrix.happenings.len() - happenings).map(|happening| {
            let words = format!("{:>9.2} s  {}", happening.at.since_start().as_secs_f64(), happening.words);
            let style = Style::new().for_stderr();
            if happening.grave { style.yellow() } else { style }.apply_to(words).to_string()
        }));
    }
    lines.iter().map(|line| truncate_str(line, columns, "…")).collect::<Vec<_>>().join("\n")
}

fn header(matrix: &Matrix) -> String {
    let begun = &matrix.begun;
    let rep = if begun.run.rep > 1 { format!(", repetition {}", begun.run.rep) } else { String::new() };
    let (reached, total) = (matrix.reached.since_start().as_secs_f64(), begun.total.as_secs_f64());
    let title = Style::new().for_stderr().bold().apply_to(format!("{} on {}{rep}", begun.experiment, begun.on));
    format!("{title}   {reached:.1} s of {total:.0} s")
}

fn each(matrix: &Matrix, pairs: &[((usize, usize), &Pair)], title: &str) -> Vec<String> {
    let mut rows = vec![titled(title, ["last", "median", "heard", "last beeps"])];
    for ((speaker, ear), pair) in pairs {
        rows.push([
            format!("{} → {}", matrix.name(*speaker), matrix.name(*ear)),
            ms(pair.last_ms()),
            ms(pair.median_ms()),
            heard(pair.heard, pair.heard + pair.missed),
            strip(pair),
        ]);
    }
    aligned(&rows)
}

/// One line per speaker.
fn crowd(matrix: &Matrix, pairs: &[((usize, usize), &Pair)], title: &str) -> Vec<String> {
    let mut rows = vec![titled(title, ["least median", "middle", "greatest", "heard"])];
    for of_speaker in pairs.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let mut medians: Vec<f64> = of_speaker.iter().filter_map(|(_, pair)| pair.median_ms()).collect();
        medians.sort_by(f64::total_cmp);
        let sum = |count: fn(&Pair) -> u64| of_speaker.iter().map(|(_, pair)| count(pair)).sum::<u64>();
        rows.push([
            format!("{} → {}", matrix.name(of_speaker[0].0.0), counted(of_speaker.len(), "ear")),
            ms(medians.first().copied()),
            ms(stats::median(&medians)),
            ms(medians.last().copied()),
            heard(sum(|pair| pair.heard), sum(|pair| pair.heard + pair.missed)),
        ]);
    }
    aligned(&rows)
}

fn titled(title: &str, columns: [&str; 4]) -> [String; 5] {
    let dim = Style::new().for_stderr().dim();
    let [a, b, c, d] = columns.map(|column| dim.apply_to(column).to_string());
    [Style::new().for_stderr().bold().apply_to(title).to_string(), a, b, c, d]
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2} ms"))
}

fn heard(heard: u64, expected: u64) -> String {
    let style = Style::new().for_stderr();
    let style = if (heard as f64) < WELL * expected as f64 { style.red() } else { style };
    style.apply_to(format!("{heard}/{expected}")).to_string()
}

/// A bar for each of the last beeps, the higher the later it came; a dot for one that was missed.
fn strip(pair: &Pair) -> String {
    let beeps = || pair.recent.values().rev().take(STRIP).rev();
    let (least, most) = beeps()
        .flatten()
        .fold((Nanos(i64::MAX), Nanos(i64::MIN)), |(least, most), delay| (least.min(*delay), most.max(*delay)));
    let bar = |delay: Nanos| {
        if most - least < ALIKE {
            return BARS[BARS.len() / 2];
        }
        let share = (delay - least).as_secs_f64() / (most - least).as_secs_f64();
        BARS[(share * (BARS.len() - 1) as f64).round() as usize]
    };
    beeps().map(|beep| beep.map_or('·', bar)).collect()
}

/// The first and the last column to the left, figures to the right.
fn aligned(rows: &[[String; 5]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let cell = |row: &[String; 5], column: usize| {
        let side = if (1..4).contains(&column) { console::Alignment::Right } else { console::Alignment::Left };
        pad_str(&row[column], widths[column], side, None).into_owned()
    };
    rows.iter().map(|row| std::array::from_fn::<String, 5, _>(|column| cell(row, column)).join("   ")).collect()
}

#[cfg(test)]
mod tests;
