//! A chorus: who sounds when at which ear, what the delays alone make of it, and what would mend it.
//!
//! All times are those of each ear's and each mouth's own clock. What is compared lies at one ear, or goes round in a
//! circle, so that clocks that disagree change nothing (but see [`Steady::clock_free`]).

mod beats;
mod cure;
mod grades;
mod steady;

pub use beats::{Beat, Ear, Pair, Spread, Tempo, beats, pairs, settled, spread, tempo};
pub use cure::{Cure, cure};
pub use grades::{Grade, Hold, Thresholds, delay_impairment, holds};
pub use steady::{Matrix, Singer, Steady, Way};

use crate::units::Nanos;

/// A song, as all singers know it: from one beat to the next the period, but for a rhythm that says where within the
/// period each beat is.
#[derive(Clone, Debug, PartialEq)]
pub struct Song {
    /// From one beat to the next on average.
    pub period: Nanos,
    /// When each beat is due, by its number.
    pub due: std::collections::BTreeMap<u32, crate::units::RunTime>,
}

/// Beats per minute.
pub fn bpm(period: Nanos) -> f64 {
    60.0 / period.as_secs_f64()
}
