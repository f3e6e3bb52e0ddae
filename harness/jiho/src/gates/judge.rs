//! From figures to verdicts.
//!
//! A figure keeps to a limit, or does not, where its whole interval does; where the interval holds both, nothing is decided.
//! A change fails if it exceeds the floor and no part of its interval allows that nothing became worse; it passes if no
//! part of its interval is twice the floor. Anything between is inconclusive: a gate that wanted all of the interval above
//! the floor, or below it, would have to be repeated for hours to say anything at all. Changes are of one value per
//! repetition: their shift by ranks, with its exact interval ([`jiho_analysis::stats::shift`]).

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
    let mut verdict = verdict(low > 0.0 && estimate > floor, high <= 2.0 * floor);
    let repeated = fresh.and_then(|(from, to)| shift(from, to));
    let unconfirmed = verdict == Verdict::Fail && repeated.is_some_and(|repeated| repeated.estimate <= floor / 2.0);
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
            (None, Some(_)) => words::short_history(&comparison.figure, level.len(), self.exact),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Sample;

    const REAL: Judge<'_> = Judge { run_id: "run", exact: false };
    const EXACT: Judge<'_> = Judge { run_id: "run", exact: true };

    /// Repetitions of a figure: of each the values at lena's ear, and those 4 ms later at mei's.
    fn measured(figure: &str, repetitions: &[f64]) -> Measured {
        let sample = |ear: &str, value| Sample { speaker: "ana".to_owned(), ear: ear.to_owned(), value };
        let run = |value: &f64| vec![sample("lena", *value), sample("mei", value + 4.0)];
        Measured::from_samples(&figure.parse().unwrap(), repetitions.iter().map(run).collect())
    }

    /// Ten repetitions around a level, in the steps of a jitter buffer.
    fn around(level: f64) -> Vec<f64> {
        [0.0, 0.5, 0.0, 1.0, 0.0, 0.5, 0.0, 0.0, 1.0, 0.5].map(|above| level + above).to_vec()
    }

    fn limit(text: &str, repetitions: &[f64]) -> GateRow {
        let limit: Limit = text.parse().unwrap();
        REAL.limit(&limit, &measured(&limit.figure.to_string(), repetitions))
    }

    fn compared(figure: &str, from: &[f64], to: &[f64]) -> GateRow {
        let comparison = Comparison::of(figure.parse().unwrap());
        REAL.comparison(&comparison, &measured(figure, from), &measured(figure, to), None, Against::Baseline)
    }

    #[test]
    fn a_limit_is_kept_or_not_if_all_of_the_interval_says_so() {
        let row = limit("speaker_to_audience.max < 100ms", &around(60.0));
        assert_eq!((row.verdict, row.repetitions), (Verdict::Pass, 10), "{}", row.sentence);
        let row = limit("speaker_to_audience.median < 50ms", &around(60.0));
        assert_eq!(row.verdict, Verdict::Fail);
        assert!(
            row.sentence.contains("above the limit of 50 ms; the worst is [ana -> mei] with 64"),
            "{}",
            row.sentence
        );
        let row = limit("delay.median > 65ms", &[60.0, 66.0, 60.0, 66.0, 60.0, 66.0]);
        assert_eq!(row.verdict, Verdict::Inconclusive);
        assert!(row.sentence.contains("both sides of the limit"), "{}", row.sentence);
    }

    #[test]
    fn too_little_is_inconclusive_and_nothing_has_no_figure() {
        let row = limit("delay.p95 < 400ms", &[60.0, 61.0]);
        assert_eq!((row.verdict, row.low), (Verdict::Inconclusive, None));
        assert!(row.sentence.contains("repeat the run"), "{}", row.sentence);
        let row = limit("delay.p95 < 400ms", &[]);
        assert_eq!((row.verdict, row.value), (Verdict::Inconclusive, None));
        assert!(row.sentence.contains("nothing was measured"), "{}", row.sentence);
    }

    #[test]
    fn a_change_fails_with_its_pair_its_size_and_its_interval() {
        let row = compared("delay.median", &around(60.0), &around(63.0));
        assert_eq!(row.verdict, Verdict::Fail, "{}", row.sentence);
        assert!(row.change_low.unwrap() > 1.5 && row.change_high.unwrap() < 5.0, "{row:?}");
        for part in ["worse than the baseline by 3 ms [", "; most at [ana -> ", "p = "] {
            assert!(row.sentence.contains(part), "{part}: {}", row.sentence);
        }
        assert_eq!(compared("delay.median", &around(60.0), &around(60.0)).verdict, Verdict::Pass);
        let better = compared("delay.median", &around(63.0), &around(60.0));
        assert_eq!(better.verdict, Verdict::Pass);
        assert!(better.sentence.contains("is better than the baseline by 3 ms"), "{}", better.sentence);
    }

    #[test]
    fn less_is_worse_of_what_should_be_much() {
        let beeps = |share: f64| (0..10).map(|n| share - 0.001 * f64::from(n % 3)).collect::<Vec<f64>>();
        let row = compared("heard_ratio", &beeps(0.99), &beeps(0.95));
        assert_eq!(row.verdict, Verdict::Fail, "{}", row.sentence);
        assert!(
            row.change.unwrap() < -0.03 && row.change_low <= row.change && row.change <= row.change_high,
            "{row:?}"
        );
        assert_eq!(compared("heard_ratio", &beeps(0.95), &beeps(0.99)).verdict, Verdict::Pass);
    }

    #[test]
    fn both_floors_have_to_be_exceeded() {
        let verdict = |worse_by, worse_by_share| {
            let figure: Figure = "delay.median".parse().unwrap();
            let comparison = Comparison { worse_by, worse_by_share, ..Comparison::of(figure) };
            let (from, to) = (measured("delay.median", &around(60.0)), measured("delay.median", &around(64.0)));
            change(&comparison, &from, &to, None, false).unwrap().verdict
        };
        assert_eq!(verdict(Some(1.0), Some(0.02)), Verdict::Fail);
        assert_eq!(verdict(Some(10.0), Some(0.02)), Verdict::Pass, "too little in milliseconds");
        assert_eq!(verdict(Some(1.0), Some(0.2)), Verdict::Pass, "too little for its level");
    }

    #[test]
    fn what_fresh_repetitions_do_not_show_is_not_called_a_failure() {
        let comparison = Comparison::of("delay.median".parse().unwrap());
        let disturbed = [around(75.0), around(75.0), around(75.0), around(60.0)].concat();
        let (from, to) = (measured("delay.median", &around(60.0)), measured("delay.median", &disturbed));
        let judged = |fresh: &[f64]| {
            let fresh = measured("delay.median", fresh);
            REAL.comparison(&comparison, &from, &to, Some((&from, &fresh)), Against::OtherBuild)
        };
        assert_eq!(judged(&around(75.0)).verdict, Verdict::Fail);
        let row = judged(&around(60.0));
        assert_eq!(row.verdict, Verdict::Inconclusive);
        assert!(row.sentence.contains("Repeated once more it was not"), "{}", row.sentence);
    }

    #[test]
    fn a_simulation_changes_if_it_changes_at_all() {
        let compared = |worse_by, to: f64| {
            let comparison = Comparison { worse_by, ..Comparison::of("delay.median".parse().unwrap()) };
            let (from, to) = (measured("delay.median", &[60.0]), measured("delay.median", &[to]));
            EXACT.comparison(&comparison, &from, &to, None, Against::Baseline).verdict
        };
        assert_eq!(compared(None, 60.0), Verdict::Pass);
        assert_eq!(compared(None, 60.0 + 1e-9), Verdict::Pass, "rounding");
        assert_eq!(compared(None, 60.01), Verdict::Fail);
        assert_eq!(compared(Some(0.1), 60.01), Verdict::Pass);
        assert_eq!(compared(None, 59.0), Verdict::Pass, "better");
    }

    #[test]
    fn what_never_ends_is_a_change_for_the_worse() {
        let never = vec![f64::INFINITY; 10];
        let row = compared("promotion.silence.median", &around(300.0), &never);
        assert_eq!(row.verdict, Verdict::Fail);
        assert!(row.sentence.contains("without end"), "{}", row.sentence);
        assert_eq!(compared("promotion.silence.median", &never, &never).verdict, Verdict::Pass);
    }

    #[test]
    fn a_value_far_off_its_history_fails_and_one_among_it_does_not() {
        let comparison = Comparison::of("delay.median".parse().unwrap());
        let judged = |level: &[f64], now: f64| {
            let now = measured("delay.median", &around(now));
            REAL.history(&comparison, level, &now)
        };
        let level: Vec<f64> = around(62.0);
        assert_eq!(judged(&level, 60.0).verdict, Verdict::Pass);
        let row = judged(&level, 66.0);
        assert_eq!(row.verdict, Verdict::Fail);
        assert!(row.sentence.contains("worse than the last level of the history by"), "{}", row.sentence);
        let row = judged(&level[..4], 66.0);
        assert_eq!(row.verdict, Verdict::Inconclusive);
        assert!(row.sentence.contains("5 are needed"), "{}", row.sentence);
    }
}
