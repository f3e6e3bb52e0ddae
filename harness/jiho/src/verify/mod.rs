//! How good is this instrument? Known truth against what was measured, cell by cell.
//!
//! A cell is a way that sound takes, for a family of time signals. It has takes: beeps are rendered at known instants
//! between samples, sent along the way, heard as any recording is heard, and held against the truth, which comes from
//! construction alone. [`alarms`] listens where no beep of ours is.

pub mod alarms;
mod biases;
mod bound;
pub mod calibration;
mod cells;
mod figures;
pub mod picture;
pub mod pilot;
pub mod tables;
mod take;
mod ways;

use jiho_analysis::signal::Family;
use jiho_analysis::units::Nanos;
use rayon::prelude::*;
use serde::Serialize;

pub use cells::{all, quick};
pub use figures::Figures;
pub use ways::{Stage, Way};

use biases::Biases;
use take::Take;

/// One way to be verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The family of time signals.
    pub family: Family,
    /// The way that sound takes.
    pub way: Way,
    /// How many recordings, each with other codes.
    pub takes: u32,
    /// How many beeps of each speaker in a recording.
    pub beeps: u32,
    /// Silence after each beep, besides what its random instant leaves.
    pub pause: Nanos,
    /// Of its noise and luck.
    pub seed: u32,
    /// What must hold.
    pub goal: Goal,
}

/// What must hold of a cell. No beep may ever be wrong, and nothing surely found that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// Of all beeps, so many must be heard.
    pub heard_ratio: f64,
    /// The bias must be within this, in µs; `None`, here and below: any.
    pub bias_us: Option<f64>,
    /// The errors' standard deviation must be within this, in µs.
    pub spread_us: Option<f64>,
    /// Every error must be within this, in µs.
    pub worst_us: Option<f64>,
    /// Every error of somebody who does not know the codec's mode must be within this, in µs.
    pub unknown_worst_us: Option<f64>,
    /// The errors' standard deviation among beeps coded in the same mode must be within this, in µs.
    pub within_mode_us: Option<f64>,
    /// The root mean square of error over Cramér–Rao bound must be within this.
    pub over_bound: Option<f64>,
    /// Every pair's drift must be given, and be within this of the truth, in ppm.
    pub drift_ppm: Option<f64>,
}

impl Goal {
    /// Nothing but that no beep is wrong.
    pub const NONE: Self = Self {
        heard_ratio: 0.0,
        bias_us: None,
        spread_us: None,
        worst_us: None,
        unknown_worst_us: None,
        within_mode_us: None,
        over_bound: None,
        drift_ppm: None,
    };
}

/// Verifies cells on all processors; `done` is called after each take.
pub fn verify(cells: &[Cell], done: &(dyn Fn() + Sync)) -> anyhow::Result<Vec<Figures>> {
    let biases = Biases::of(cells)?;
    cells.par_iter().map(|cell| cell.figures(&biases, done)).collect()
}

impl Cell {
    fn figures(&self, biases: &Biases, done: &(dyn Fn() + Sync)) -> anyhow::Result<Figures> {
        let way = self.way.to_string();
        if let Some(reason) = self.way.lacking() {
            return Ok(Figures::not_run(self.family, way, self.goal, reason));
        }
        let take = |index| {
            let take = self.take(index, biases);
            done();
            take
        };
        let takes = (0..self.takes).into_par_iter().map(take).collect::<anyhow::Result<Vec<Take>>>()?;
        Ok(Figures::of(self.family, way, self.goal, &takes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(mix: &[Stage], goal: Goal) -> Figures {
        let cell =
            Cell { family: Family::Voiced, way: Way::of(mix), takes: 1, beeps: 6, pause: Nanos::ZERO, seed: 0, goal };
        figures_of(cell)
    }

    fn figures_of(cell: Cell) -> Figures {
        verify(&[cell], &|| {}).unwrap().remove(0)
    }

    #[test]
    fn a_way_that_is_later_than_it_says_is_found_out() {
        let goal = Goal { heard_ratio: 1.0, bias_us: Some(35.0), ..Goal::NONE };
        let clear = figures(&[Stage::Noise { snr_db: 20.0 }], goal);
        assert!(clear.passed() && clear.bias_us.unwrap().abs() < 1.0, "{clear:?}");
        let drowned = figures(&[Stage::Room { reverberation_ms: 200, direct_db: -20.0 }], goal);
        assert!(!drowned.passed(), "a room that drowns the direct sound must not pass");
    }

    #[test]
    fn drift_is_found_in_the_cell_that_has_it() {
        let way = Way { clock_ppm: 200.0, ..Way::of(&[]) };
        let goal = Goal { drift_ppm: Some(0.5), worst_us: Some(5.0), ..Goal::NONE };
        let pause = Nanos::from_millis(500);
        let cell = Cell { family: Family::Voiced, way, takes: 1, beeps: 60, pause, seed: 0, goal };
        let figures = figures_of(cell);
        assert!(figures.passed(), "{figures:?}");
    }
}
