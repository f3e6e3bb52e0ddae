//! What is said of a time signal that was found.

use serde::{Deserialize, Serialize};

use super::splice::Splice;
use crate::signal::Code;

/// A time signal found in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Whose.
    pub code: Code,
    /// The position of its mark, in samples of the recording.
    pub position: f64,
    /// The normalised correlation coefficient ρ, 0 to 1, once the other codes that sound at the same time are taken
    /// out.
    pub score: f64,
    /// Its height over that of the highest other peak within 150 ms, once the other codes are taken out if they make it
    /// less than 3. Below 1: this is the lesser one, an echo.
    pub peak_ratio: f64,
    /// How far behind it that other peak is, in samples of the recording; negative: before it.
    pub rival_samples: f64,
    /// Level of the signal against all that is not the signal, in its band, in dB.
    pub snr_db: f64,
    /// The Cramér–Rao bound of the position's standard deviation, in samples of the recording.
    pub position_sd: f64,
    /// The signal came with its polarity reversed.
    pub inverted: bool,
    /// Sound was cut out or repeated within it: its parts arrived with different delays.
    pub splice: Option<Splice>,
}

impl Detection {
    /// Sure by itself, whatever its neighbours say.
    pub fn is_sure(&self) -> bool {
        self.score >= 0.30 && self.peak_ratio >= 2.0
    }

    /// Believable if its neighbours agree.
    pub fn is_possible(&self) -> bool {
        self.score >= 0.10 && self.peak_ratio >= 1.5
    }

    /// Whether it may be a time signal at all. What is fainter, or one peak among equals, comes from any sound.
    pub fn is_credible(&self) -> bool {
        self.is_possible() || self.score >= 0.30
    }

    /// The highest other peak within 150 ms, in dB relative to this one.
    pub fn second_peak_db(&self) -> f64 {
        -20.0 * self.peak_ratio.log10()
    }
}
