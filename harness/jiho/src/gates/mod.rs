//! Gates: what a run's figures are held against, and what comes of it.
//!
//! A gate is a [`Limit`], or a [`Comparison`] with what was measured before or elsewhere. Both are judged on repetitions
//! ([`judge`]); delays out of jitter buffers are quantised and have several modes, so nothing here assumes a
//! distribution's shape. A simulation repeats to the byte, and is judged exactly.

pub mod amount;
pub mod errors;

pub mod held;
pub mod history;
pub mod host_class;
pub mod judge;
pub mod limit;
pub mod measured;
pub mod rounds;
mod words;

use crate::figures::{Figure, Stat, Unit};

pub use judge::Judge;
pub use limit::{Limit, LimitError, Side};
pub use measured::Measured;

/// How often a run that is judged is repeated on each side, where nobody says otherwise: enough to find a shift of 2 ms
/// in a median, or of 5 ms in a 95th percentile, in 95 of 100 cases.
pub const REPETITIONS: u32 = 15;

/// What a run is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// A figure has to be on one side of a value.
    Limit(Limit),
    /// A figure must not be worse than elsewhere.
    Comparison(Comparison),
}

impl Gate {
    /// Which figure it is about.
    pub const fn figure(&self) -> &Figure {
        match self {
            Self::Limit(limit) => &limit.figure,
            Self::Comparison(comparison) => &comparison.figure,
        }
    }
}

/// How much worse than elsewhere a figure may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Which figure.
    pub figure: Figure,
    /// In the figure's unit; `None`: as is usual, see [`Comparison::floor`].
    pub worse_by: Option<f64>,
    /// As a share of what it is elsewhere; `None`: as is usual.
    pub worse_by_share: Option<f64>,
    /// With which probability at most either end of the change's interval is wrong.
    pub error: f64,
}

impl Comparison {
    /// Each end of a change's interval is wrong once in 200 times at most.
    pub const ERROR: f64 = 0.005;

    /// A comparison with the usual floors.
    pub const fn of(figure: Figure) -> Self {
        Self { figure, worse_by: None, worse_by_share: None, error: Self::ERROR }
    }

    /// By how much a figure has to be worse, in its own unit, to count: by the absolute and by the relative floor, so by
    /// the greater of both. Usual are 1 ms, half a percent of beeps, one thing, or half a beat per minute, and a
    /// hundredth of times and counts. An exact figure has no other floors than those that were given.
    pub fn floor(&self, baseline: f64, exact: bool) -> f64 {
        let unit = self.figure.unit();
        let (usual, share) = match unit {
            _ if exact => (0.0, 0.0),
            Unit::Milliseconds => (1.0, 0.01),
            Unit::Ratio => (0.005, 0.0),
            Unit::Count => (1.0, 0.01),
            Unit::BeatsPerMinute => (0.5, 0.0),
        };
        let rounding = 1e-6 * baseline.abs().max(1.0);
        let relative = self.worse_by_share.unwrap_or(share) * baseline.abs();
        self.worse_by.unwrap_or(usual).max(relative).max(rounding)
    }
}

/// What is compared where nobody says what, and nothing has a limit.
pub fn usual_comparisons() -> Vec<Comparison> {
    use crate::figures::{Metric, Pairs};
    let all = |metric, stat| Comparison::of(Figure { metric, pairs: Pairs::default(), stat });
    vec![
        all(Metric::Delay(None), Stat::Quantile(0.5)),
        all(Metric::Delay(None), Stat::Quantile(0.95)),
        all(Metric::Heard, Stat::Mean),
    ]
}
