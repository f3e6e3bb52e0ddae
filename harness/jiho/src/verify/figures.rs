//! What was found in a cell, and whether it meets its goal.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Status;
use jiho_analysis::signal::Family;
use jiho_analysis::stats;
use serde::Serialize;

use super::Goal;
use super::calibration::{self, LEVELS};
use super::take::{Beep, Take};
use super::ways::Coding;

/// A figure is wrong if it is this far from the truth, in µs …
const WRONG_US: f64 = 100.0;
/// … unless its interval says that it lies across a splice or fits in several places, and holds the truth.
const WIDE_US: f64 = 1000.0;
/// Fewer beeps in a mode say nothing about it.
const LEAST_IN_MODE: usize = 5;

/// What was found in a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The family of time signals.
    pub family: Family,
    /// The way, in words.
    pub way: String,
    /// Why there are no figures: something is missing here.
    pub not_run: Option<String>,
    /// Beeps sent.
    pub beeps: usize,
    /// Beeps found, surely or weakly.
    pub heard: usize,
    /// Beeps found that fit at several delays: not counted as heard.
    pub ambiguous: usize,
    /// Beeps that were given a delay more than 0.1 ms from the truth, and no wide interval that holds the truth.
    pub wrong: usize,
    /// Sure detections where no beep was.
    pub strangers: usize,
    /// The median error, in µs. All errors are over beeps that were heard.
    pub bias_us: Option<f64>,
    /// The errors' standard deviation, in µs.
    pub spread_us: Option<f64>,
    /// The greatest error, in µs, whatever its sign.
    pub worst_us: Option<f64>,
    /// The same for somebody who has not seen how the packets are coded.
    pub unknown_worst_us: Option<f64>,
    /// The errors' standard deviation among beeps whose packets all came and were coded in the same mode, in µs.
    pub within_mode_us: Option<f64>,
    /// Root mean square of error over Cramér–Rao bound, where white noise is all that disturbs.
    pub over_bound: Option<f64>,
    /// The greatest error of a pair's drift, in ppm, where drift is what is measured.
    pub drift_ppm: Option<f64>,
    /// How many heard beeps' intervals hold the truth, by level as in [`LEVELS`].
    pub within: [usize; LEVELS.len()],
    /// What had to hold.
    pub goal: Goal,
    /// What does not, in words.
    pub missed: Vec<String>,
}

impl Figures {
    /// A cell that could not be run.
    pub(super) fn not_run(family: Family, way: String, goal: Goal, reason: &str) -> Self {
        Self { not_run: Some(reason.to_owned()), missed: Vec::new(), ..Self::of(family, way, goal, &[]) }
    }

    pub(super) fn of(family: Family, way: String, goal: Goal, takes: &[Take]) -> Self {
        let beeps = || takes.iter().flat_map(|take| &take.beeps);
        let heard: Vec<&Beep> = beeps().filter(|b| matches!(b.status, Status::Heard | Status::Weak)).collect();
        let errors: Vec<f64> = heard.iter().filter_map(|beep| beep.error_us).collect();
        let relative: Vec<f64> =
            heard.iter().filter_map(|beep| Some((beep.error_us? / beep.bound_us?).powi(2))).collect();
        let modes = ByMode::of(&heard);
        let drifts = takes.iter().flat_map(|take| &take.drift_errors_ppm);
        let mut figures = Self {
            family,
            way,
            not_run: None,
            beeps: beeps().count(),
            heard: heard.len(),
            ambiguous: beeps().filter(|beep| beep.status == Status::Ambiguous).count(),
            wrong: beeps().filter(|beep| beep.is_wrong()).count(),
            strangers: takes.iter().map(|take| take.strangers).sum(),
            bias_us: stats::median(&errors),
            spread_us: spread(&[&errors]),
            worst_us: greatest(errors.iter().copied()),
            unknown_worst_us: greatest(heard.iter().filter_map(|beep| beep.unknown_us)),
            within_mode_us: modes.spread_us(),
            over_bound: mean(&relative).map(f64::sqrt),
            // A drift that is not given where it is what is asked for is no better than a wrong one.
            drift_ppm: goal.drift_ppm.and_then(|_| greatest(drifts.map(|error| error.unwrap_or(f64::INFINITY)))),
            within: calibration::counts(heard.iter().copied()),
            goal,
            missed: Vec::new(),
        };
        figures.missed = figures.misses(&goal);
        figures
    }

    /// The share of heard beeps whose interval, scaled to a level of [`LEVELS`], holds the truth.
    pub fn covered(&self, level: usize) -> Option<f64> {
        (self.heard > 0).then(|| self.within[level] as f64 / self.heard as f64)
    }

    /// Whether it was run and meets its goal.
    pub fn passed(&self) -> bool {
        self.not_run.is_none() && self.missed.is_empty()
    }

    fn misses(&self, goal: &Goal) -> Vec<String> {
        let mut missed = Vec::new();
        if self.wrong > 0 {
            missed.push(format!("{} wrong", self.wrong));
        }
        if self.strangers > 0 {
            missed.push(format!("{} of no beep", self.strangers));
        }
        if (self.heard as f64) < goal.heard_ratio * self.beeps as f64 {
            missed.push(format!("{} of {} heard", self.heard, self.beeps));
        }
        for (name, figure, limit) in [
            ("bias in µs", self.bias_us, goal.bias_us),
            ("spread in µs", self.spread_us, goal.spread_us),
            ("worst in µs", self.worst_us, goal.worst_us),
            ("worst in µs without the mode", self.unknown_worst_us, goal.unknown_worst_us),
            ("spread within a mode in µs", self.within_mode_us, goal.within_mode_us),
            ("over the bound", self.over_bound, goal.over_bound),
            ("drift in ppm", self.drift_ppm, goal.drift_ppm),
        ] {
            match (figure, limit) {
                (Some(figure), Some(limit)) if figure.abs() > limit => {
                    missed.push(format!("{name} {figure:.2}, goal {limit:.2}"));
                }
                (None, Some(_)) => missed.push(format!("{name}: no figure")),
                _ => {}
            }
        }
        missed
    }
}

impl Beep {
    fn is_wrong(&self) -> bool {
        let said_so = self.half_us > WIDE_US && self.off_us <= self.half_us;
        self.error_us.is_some() && self.off_us > WRONG_US && !said_so
    }
}

/// Errors of beeps that were coded in one mode throughout and came whole, by mode.
struct ByMode(Vec<Vec<f64>>);

impl ByMode {
    fn of(heard: &[&Beep]) -> Self {
        let mut modes: BTreeMap<Coding, Vec<f64>> = BTreeMap::new();
        for beep in heard.iter().filter(|beep| matches!(beep.coding, Coding::Mode(_))) {
            modes.entry(beep.coding).or_default().extend(beep.error_us);
        }
        Self(modes.into_values().filter(|errors| errors.len() >= LEAST_IN_MODE).collect())
    }

    fn spread_us(&self) -> Option<f64> {
        spread(&self.0.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn greatest(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.map(f64::abs).reduce(f64::max)
}

/// The standard deviation within groups, pooled.
fn spread(groups: &[impl AsRef<[f64]>]) -> Option<f64> {
    let count: usize = groups.iter().map(|group| group.as_ref().len()).sum();
    let squares: f64 = groups
        .iter()
        .filter_map(|group| {
            let mean = mean(group.as_ref())?;
            Some(group.as_ref().iter().map(|value| (value - mean).powi(2)).sum::<f64>())
        })
        .sum();
    (count > groups.len()).then(|| (squares / (count - groups.len()) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal = Goal { heard_ratio: 0.99, bias_us: Some(20.0), spread_us: Some(10.0), ..Goal::NONE };

    fn beep(error_us: f64) -> Beep {
        let (status, coding, error_us, unknown_us) =
            (Status::Heard, Coding::Mode(9), Some(error_us), Some(error_us + 25.0));
        let off_us = error_us.map_or(0.0, f64::abs);
        Beep { status, coding, error_us, unknown_us, off_us, half_us: 10.0, bound_us: None }
    }

    fn figures(beeps: Vec<Beep>, strangers: usize) -> Figures {
        Figures::of(Family::Voiced, String::new(), GOAL, &[Take { beeps, strangers, drift_errors_ppm: Vec::new() }])
    }

    fn good() -> Vec<Beep> {
        (0..100).map(|n| beep(f64::from(n % 5) - 12.0)).collect()
    }

    #[test]
    fn figures_are_those_of_the_errors() {
        let figures = figures(good(), 0);
        assert_eq!((figures.beeps, figures.heard, figures.wrong), (100, 100, 0));
        assert_eq!((figures.bias_us, figures.worst_us), (Some(-10.0), Some(12.0)));
        assert_eq!(figures.unknown_worst_us, Some(17.0));
        assert!((figures.spread_us.unwrap() - 2f64.sqrt()).abs() < 0.02, "{figures:?}");
        // Errors of −12 to −8 µs against half widths of 3.4, 6.5, 8.4, 10 and 13.1 µs.
        assert_eq!(figures.within, [0, 0, 20, 60, 100]);
        assert!(figures.passed(), "{:?}", figures.missed);
    }

    #[test]
    fn a_goal_is_missed_by_any_of_its_figures() {
        let change = |n: usize, new: fn() -> Beep| {
            let mut beeps = good();
            beeps.iter_mut().take(n).for_each(|beep| *beep = new());
            beeps
        };
        let missing = || Beep::MISSING;
        assert!(figures(change(1, missing), 0).passed());
        for (worse, why) in [
            (figures(change(2, missing), 0), "98 of 100 heard"),
            (figures(change(1, || beep(101.0)), 0), "1 wrong"),
            (figures(good(), 1), "1 of no beep"),
            (figures(change(60, || beep(-25.0)), 0), "bias in µs -25.00"),
            (figures(change(40, || beep(15.0)), 0), "spread in µs 1"),
        ] {
            assert!(!worse.passed() && worse.missed.iter().any(|missed| missed.contains(why)), "{:?}", worse.missed);
        }
        assert!(!figures(Vec::new(), 0).passed(), "a figure that is missing meets no limit");
    }

    #[test]
    fn what_is_said_to_be_ambiguous_is_not_wrong_if_its_interval_holds_the_truth() {
        let far = |half_us: f64| figures(vec![Beep { half_us, ..beep(3000.0) }], 0).wrong;
        assert_eq!((far(4000.0), far(2000.0), far(10.0)), (0, 1, 1));
    }
}
