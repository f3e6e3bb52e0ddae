//! From figures to verdicts.
//!
//! A figure passes or fails where its whole interval does; where the interval holds both, nothing is decided. That is as
//! true of a limit as of a change: a change fails if all of its interval lies above the floor, and passes if none of it
//! does. Changes are of one value per repetition: their shift by ranks, with its exact interval
//! ([`jiho_analysis::stats::shift`]).

use jiho_analysis::stats::{self, Shift};

use super::measured::NEVER;
use super::{Comparison, Limit, Measured, words};
use crate::figures::Figure;
use crate::report::gates::{GateRow, Verdict};

/// Who judges.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The run's name, for the rows.
    pub run_id: &'a str,
    /// The figures are what they are: of a simulation, which repeats to the byte.
    pub exact: bool,
}

/// What a run is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// A run that was.
    Baseline,
    /// Another build, whose repetitions were run in turn with this one's.
    OtherBuild,
    /// The last level of a history.
    History,
}

/// By how much a figure became worse, in the direction in which it is worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What comes of it.
    pub verdict: Verdict,
    /// Positive: worse.
    pub worse_by: f64,
    /// Its interval; `None` if it is exact, or nothing can be said.
    pub interval: Option<(f64, f64)>,
    /// How often chance alone would make it so much worse.
    pub p_value: Option<f64>,
    /// What was allowed.
    pub floor: f64,
    /// It would have failed, but for fresh repetitions that do not show it.
    pub unconfirmed: bool,
}

/// How a figure is compared, without the words. `fresh` are the repetitions that were run to confirm a first finding, and
/// are in `from` and `to` too. `None` if a side has no value.
pub fn change(
    comparison: &Comparison,
    from: &Measured,
    to: &Measured,
    fresh: Option<(&Measured, &Measured)>,
    exact: bool,
) -> Option<Change> {
    let worse = worse(&comparison.figure);
    let (baseline, value) = (from.value()?.min(NEVER), to.value()?.min(NEVER));
    let floor = comparison.floor(baseline, exact);
    if exact {
        let worse_by = worse * (value - baseline);
        let verdict = if worse_by > floor { Verdict::Fail } else { Verdict::Pass };
        return Some(Change { verdict, worse_by, interval: None, p_value: None, floor, unconfirmed: false });
    }
    let shift = |from: &Measured, to: &Measured| {
        let turned = |side: &Measured| side.per_part().iter().map(|value| worse * value).collect::<Vec<f64>>();
        stats::shift(&turned(from), &turned(to), comparison.error)
    };
    let Shift { estimate, low, high, p_above } = shift(from, to)?;
    let mut verdict = verdict(low > floor, high <= floor);
    let repeated = fresh.and_then(|(from, to)| shift(from, to));
    let unconfirmed = verdict == Verdict::Fail && repeated.is_some_and(|repeated| repeated.estimate <= floor);
    if unconfirmed {
        verdict = Verdict::Inconclusive;
    }
    let interval = (low.is_finite() && high.is_finite()).then_some((low, high));
    Some(Change { verdict, worse_by: estimate, interval, p_value: Some(p_above), floor, unconfirmed })
}

/// What a figure's new value is beside those of earlier runs, the last level of a history. It fails if it lies further
/// from their mean than one more value would by chance, and by more than the floor. `None` for fewer than 5 of them.
pub fn beside_level(comparison: &Comparison, level: &[f64], value: f64, exact: bool) -> Option<Change> {
    let worse = worse(&comparison.figure);
    if exact {
        let last = *level.last()?;
        let floor = comparison.floor(last, true);
        let worse_by = worse * (value - last);
        let verdict = if worse_by > floor { Verdict::Fail } else { Verdict::Pass };
        return Some(Change { verdict, worse_by, interval: None, p_value: None, floor, unconfirmed: false });
    }
    let further = stats::further_value(level, comparison.error)?;
    let floor = comparison.floor(further.mean, false);
    let worse_by = worse * (value.min(NEVER) - further.mean);
    let verdict = if worse_by > floor && worse_by > further.margin { Verdict::Fail } else { Verdict::Pass };
    let interval = Some((worse_by - further.margin, worse_by + further.margin));
    Some(Change { verdict, worse_by, interval, p_value: None, floor, unconfirmed: false })
}

impl Judge<'_> {
    /// Holds a figure against its limit.
    pub fn limit(self, limit: &Limit, measured: &Measured) -> GateRow {
        let mut row = self.row(limit.text.clone(), measured);
        row.limit = Some(limit.bound);
        let holds = |value: f64| limit.side.holds(value, limit.bound);
        row.verdict = match (row.value, row.low, row.high) {
            (None, ..) => Verdict::Inconclusive,
            (Some(value), ..) if self.exact => verdict(!holds(value), holds(value)),
            (_, Some(low), Some(high)) => verdict(!holds(low) && !holds(high), holds(low) && holds(high)),
            _ => Verdict::Inconclusive,
        };
        row.sentence = words::limit(limit, measured, &row);
        row
    }

    /// Compares a figure with what it is elsewhere.
    pub fn comparison(
        self,
        comparison: &Comparison,
        from: &Measured,
        to: &Measured,
        fresh: Option<(&Measured, &Measured)>,
        against: Against,
    ) -> GateRow {
        let change = change(comparison, from, to, fresh, self.exact);
        let mut row = self.compared(comparison, from.value(), to, change, against);
        row.sentence = match change {
            Some(change) => words::comparison(comparison, &row, change, against, &words::most_changed(from, to)),
            None => words::nothing_to_compare(&comparison.figure, row.value.is_none(), against),
        };
        row
    }

    /// Compares a figure with its level in a history.
    pub fn history(self, comparison: &Comparison, level: &[f64], measured: &Measured) -> GateRow {
        let change = measured.value().and_then(|value| beside_level(comparison, level, value, self.exact));
        let mean = level.iter().sum::<f64>() / level.len() as f64;
        let usual = if self.exact { level.last().copied() } else { (!level.is_empty()).then_some(mean) };
        let mut row = self.compared(comparison, usual, measured, change, Against::History);
        row.sentence = match (change, row.value) {
            (Some(change), _) => words::comparison(comparison, &row, change, Against::History, ""),
            (None, None) => words::nothing_to_compare(&comparison.figure, true, Against::History),
            (None, Some(_)) => words::short_history(&comparison.figure, level.len()),
        };
        row
    }

    fn compared(
        self,
        comparison: &Comparison,
        baseline: Option<f64>,
        to: &Measured,
        change: Option<Change>,
        against: Against,
    ) -> GateRow {
        let mut row = self.row(format!("{} against {}", comparison.figure, against.name()), to);
        row.baseline = baseline;
        let Some(change) = change else { return row };
        let worse = worse(&comparison.figure);
        row.change = Some(worse * change.worse_by);
        let ends = change.interval.map(|(low, high)| if worse > 0.0 { (low, high) } else { (-high, -low) });
        (row.change_low, row.change_high) = (ends.map(|ends| ends.0), ends.map(|ends| ends.1));
        row.p_value = change.p_value;
        row.verdict = change.verdict;
        row
    }

    /// All but what it is held against.
    fn row(self, gate: String, measured: &Measured) -> GateRow {
        let Figure { metric, pairs, stat } = &measured.figure;
        let value = measured.value();
        let interval = if self.exact { None } else { measured.interval() };
        GateRow {
            run_id: self.run_id.to_owned(),
            repetitions: measured.repetitions,
            gate,
            metric: metric.name(),
            stat: stat.to_string(),
            selector: pairs.to_string().trim_matches(['[', ']']).to_owned(),
            value,
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            unit: measured.figure.unit().name().to_owned(),
            limit: None,
            baseline: None,
            change: None,
            change_low: None,
            change_high: None,
            p_value: None,
            verdict: Verdict::Inconclusive,
            sentence: String::new(),
        }
    }
}

impl Against {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "the baseline",
            Self::OtherBuild => "the other build",
            Self::History => "the history",
        }
    }
}

/// 1 if more is worse, else −1.
pub(super) const fn worse(figure: &Figure) -> f64 {
    if figure.metric.is_cost() { 1.0 } else { -1.0 }
}

const fn verdict(fails: bool, passes: bool) -> Verdict {
    match (fails, passes) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Inconclusive,
    }
}
