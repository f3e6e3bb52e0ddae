//! Verdicts in words: which figure, of whom, how much, and how sure that is.

use super::amount::shown;
use super::judge::{Against, Change, worse};
use super::measured::NEVER;
use super::{Comparison, Limit, Measured};
use crate::figures::{Figure, Stat, Unit};
use crate::report::gates::{GateRow, Verdict};
use crate::report::words::counted;

/// Of a limit.
pub(super) fn limit(limit: &Limit, measured: &Measured, row: &GateRow) -> String {
    let Some(value) = row.value else { return nothing(&limit.figure) };
    let unit = limit.figure.unit();
    let verdict = match (row.verdict, row.low) {
        (Verdict::Pass, _) => {
            let side = if limit.side.is_ceiling() { "within" } else { "above" };
            format!("{side} the limit of {}", shown(limit.bound, unit))
        }
        (Verdict::Fail, _) => {
            let side = if limit.side.is_ceiling() { "above" } else { "below" };
            format!("{side} the limit of {}", shown(limit.bound, unit))
        }
        (Verdict::Inconclusive, Some(_)) => {
            format!("and the interval lies on both sides of the limit of {}", shown(limit.bound, unit))
        }
        (Verdict::Inconclusive, None) => {
            format!("too little to say whether it keeps to the limit of {}; repeat the run", shown(limit.bound, unit))
        }
    };
    let mut pairs: Vec<_> = measured.pairs().into_iter().collect();
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let worst = if limit.side.is_ceiling() { pairs.last() } else { pairs.first() };
    // Of a share of nothing at all, and of whatever is alike everywhere, nobody is the worst.
    let worst = worst.filter(|_| pairs.first().map(|pair| pair.1) != pairs.last().map(|pair| pair.1));
    let worst = worst.map(|(pair, value)| format!("; the worst is {pair} with {}", shown(*value, unit)));
    format!(
        "{} is {}{} over {}, {verdict}{}.",
        subject(&limit.figure),
        shown(value, unit),
        interval(row.low.zip(row.high), unit),
        counted(row.repetitions, "repetition"),
        worst.unwrap_or_default()
    )
}

/// Of a comparison; `most` says where the change is greatest.
pub(super) fn comparison(
    comparison: &Comparison,
    row: &GateRow,
    change: Change,
    against: Against,
    most: &str,
) -> String {
    let (figure, unit) = (&comparison.figure, comparison.figure.unit());
    let size = format!("{}{}", shown(change.worse_by, unit), interval(change.interval, unit));
    let allowed = match shown(change.floor, unit) {
        none if none.starts_with("0 ") => "no change is allowed".to_owned(),
        some => format!("{some} is allowed"),
    };
    let value = |value: Option<f64>| value.map(|value| shown(value, unit)).unwrap_or_default();
    let (here, there) = (value(row.value), value(row.baseline));
    let from = format!("{here} in place of {there}, over {}", counted(row.repetitions, "repetition"));
    let (subject, whose) = (subject(figure), against.name());
    let chance = change.p_value.map(|p| format!(" (p = {})", probability(p))).unwrap_or_default();
    match change.verdict {
        Verdict::Fail => {
            let than = if against == Against::History { "the last level of the history" } else { whose };
            format!("{subject} is worse than {than} by {size}: {from}{most}; {allowed}{chance}.")
        }
        Verdict::Pass if change.worse_by < -change.floor && change.interval.is_none_or(|(_, high)| high < 0.0) => {
            let better = change.interval.map(|(low, high)| (-high, -low));
            let size = format!("{}{}", shown(-change.worse_by, unit), interval(better, unit));
            format!("{subject} is better than {whose} by {size}: {from}{most}.")
        }
        Verdict::Pass => format!("{subject} is as {whose} has it: {from}, worse by {size}; {allowed}."),
        Verdict::Inconclusive if change.unconfirmed => format!(
            "{subject} seemed to be worse than {whose} by {size}: {from}{most}. Repeated once more it was not; \
             {allowed}{chance}."
        ),
        Verdict::Inconclusive if change.interval.is_some() => {
            format!("{subject} may be worse than {whose}, or not: {from}, worse by {size}{most}; {allowed}.")
        }
        Verdict::Inconclusive => format!(
            "{subject} cannot be told from {whose} by so few repetitions: {from}, worse by {size}. Repeat the runs."
        ),
    }
}

/// A figure that one side does not have.
pub(super) fn nothing_to_compare(figure: &Figure, here: bool, against: Against) -> String {
    if here { nothing(figure) } else { format!("{} is not known of {}.", subject(figure), against.name()) }
}

/// A history that has just begun.
pub(super) fn short_history(figure: &Figure, runs: usize, simulated: bool) -> String {
    let needed = if simulated { "1 is" } else { "5 are" };
    let level = "like this one on the last level of its history, too few to judge by";
    format!(
        "{} has {} {level}: {needed} needed, which further runs with --record bring.",
        subject(figure),
        counted(runs, "run")
    )
}

/// Where a figure of several pairs became worse most; with a comma before it.
pub(super) fn most_changed(from: &Measured, to: &Measured) -> String {
    let (before, unit, worse) = (from.pairs(), to.figure.unit(), worse(&to.figure));
    let changes = to.pairs().into_iter().filter_map(|(pair, value)| {
        let change = value.min(NEVER) - before.get(&pair)?.min(NEVER);
        Some((pair, change))
    });
    let most = changes.max_by(|a, b| (worse * a.1).total_cmp(&(worse * b.1)));
    most.map(|(pair, change)| {
        let sign = if change >= 0.0 { "+" } else { "−" };
        format!("; most at {pair}: {sign}{}", shown(change.abs(), unit))
    })
    .unwrap_or_default()
}

fn nothing(figure: &Figure) -> String {
    format!("{}: nothing was measured that it could be made of.", subject(figure))
}

/// A figure as the subject of a sentence, with its name.
fn subject(figure: &Figure) -> String {
    let words = figure.metric.described();
    match figure.stat {
        Stat::Mean if figure.metric.unit() == Unit::Ratio => format!("The {words} ({figure})"),
        Stat::Count => format!("How many there are of the {words} ({figure})"),
        stat => format!("The {stat} of the {words} ({figure})"),
    }
}

fn interval(ends: Option<(f64, f64)>, unit: Unit) -> String {
    ends.map(|(low, high)| format!(" [{} to {}]", shown(low, unit), shown(high, unit))).unwrap_or_default()
}

/// A probability, however small.
fn probability(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.0e}") }
}
