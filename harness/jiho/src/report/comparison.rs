//! A comparison on a terminal: per tier and pair the shift of the median, its interval, and what only one side has.

use std::fmt::Write;

use super::topology::tier_name;
use crate::compare::{Basis, Comparison, Difference, Side};

/// More pairs of a tier than this are not all listed: those that differ most are.
const MOST: usize = 24;

/// The text.
pub fn text(sides: [&Side; 2], comparison: &Comparison) -> String {
    let mut text = String::from(
        "Mouth-to-ear delay of B less that of A, in ms: shift of the median [95 % interval], both medians\n",
    );
    for (letter, side) in ["A", "B"].into_iter().zip(sides) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {letter}: {} ({})", side.path.display(), side.described());
    }
    for tier in comparison.differences.chunk_by(|a, b| a.tier == b.tier) {
        let Some((whole, pairs)) = tier.split_first() else { continue };
        let mut shown: Vec<&Difference> = pairs.iter().collect();
        let left = shown.len().saturating_sub(MOST);
        if left > 0 {
            shown.sort_by(|a, b| b.shift.estimate.abs().total_cmp(&a.shift.estimate.abs()));
            shown.truncate(MOST);
        }
        let names: Vec<String> = shown.iter().map(|difference| name(difference)).collect();
        let title = format!("{}, all pairs", tier_name(whole.tier));
        let width = names.iter().chain([&title]).map(|name| name.chars().count()).max().unwrap_or(0);
        let _ = writeln!(text, "\n{title:<width$}  {}", row(whole));
        for (name, difference) in names.iter().zip(shown) {
            let _ = writeln!(text, "{name:<width$}  {}", row(difference));
        }
        if left > 0 {
            let _ = writeln!(text, "… and {left} pairs that differ less; --html FILE has all.");
        }
    }
    text.push('\n');
    for (letter, only) in ["A", "B"].into_iter().zip(&comparison.only).filter(|(_, only)| !only.is_empty()) {
        let names: Vec<String> = only.iter().take(MOST).map(|(speaker, ear)| format!("{speaker} at {ear}")).collect();
        let more = if only.len() > MOST { format!(" and {} more", only.len() - MOST) } else { String::new() };
        let _ = writeln!(text, "Heard in {letter} only: {}{more}.", names.join(", "));
    }
    text.push_str(basis(comparison));
    text.push('\n');
    text
}

/// What the intervals rest on, in a sentence.
pub(super) fn basis(comparison: &Comparison) -> &'static str {
    match comparison.basis {
        Basis::Repetitions => "Intervals rest on the repetitions of both sides.",
        Basis::Blocks => {
            "Intervals rest on blocks of time signals within the runs: what differs from run to run is not in them. It is \
             where both are repeated (repeat in [run])."
        }
    }
}

/// Whose sound at whose ear.
pub(super) fn name(difference: &Difference) -> String {
    match &difference.pair {
        Some((speaker, ear)) => format!("{speaker} at {ear}"),
        None => format!("{}, all pairs", tier_name(difference.tier)),
    }
}

/// The interval, where there are enough values for one.
pub(super) fn interval(difference: &Difference) -> String {
    if !difference.has_interval() {
        return "too few".to_owned();
    }
    format!("{:+.2} to {:+.2}", difference.shift.low, difference.shift.high)
}

/// What that says.
pub(super) fn verdict(difference: &Difference) -> &'static str {
    match difference.shift.estimate {
        _ if difference.is_open() => "no difference shown",
        later if later > 0.0 => "B later",
        _ => "B earlier",
    }
}

fn row(difference: &Difference) -> String {
    let [from, to] = difference.medians_ms;
    format!(
        "{:>+8.2} [{}]  {from:.2} → {to:.2}  {}",
        difference.shift.estimate,
        interval(difference),
        verdict(difference)
    )
}
