//! A peak looked at closely: its place between samples, its height against the noise.

use super::detection::Detection;
use super::peak;
use super::scan::{Candidate, MARGIN, MIDDLE, Rival};
use crate::signal::Code;

/// A peak refined, at the decimated rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Its lag.
    pub(super) position: f64,
    /// Its height, with its sign.
    pub(super) value: f64,
    /// The signal's energy under the template, without the other codes.
    pub(super) energy: f64,
    /// Its part of all energy there.
    pub(super) share: f64,
    pub(super) rival: Rival,
    /// β² of the Cramér–Rao bound, per squared decimated sample.
    sharpness: f64,
}

impl Heard {
    /// Refines a candidate: `values` are [`MARGIN`] to both sides of it.
    pub(super) fn of(candidate: &Candidate, values: &[f32; 2 * MARGIN + 1], energy: f64) -> Self {
        let middle = MARGIN - MIDDLE..=MARGIN + MIDDLE;
        let sign = values[MARGIN].signum();
        let top = middle.max_by(|&a, &b| (sign * values[a]).total_cmp(&(sign * values[b]))).unwrap_or(MARGIN);
        let peak = peak::refine(values, top);
        Self {
            position: candidate.index as f64 + peak.position - MARGIN as f64,
            value: peak.value,
            energy,
            share: energy / candidate.energy,
            rival: candidate.rival,
            sharpness: peak.sharpness.max(f64::MIN_POSITIVE),
        }
    }

    /// Its height over its rival's.
    pub(super) fn peak_ratio(&self) -> f64 {
        self.value.abs() / f64::from(self.rival.height).max(f64::MIN_POSITIVE)
    }

    /// In samples of the recording: `decimation` of them to a lag, the beep's mark `mark` behind its first one. `terms`
    /// is the number of terms under each coefficient.
    pub(super) fn detection(self, code: Code, decimation: f64, mark: f64, terms: f64) -> Detection {
        let score = (self.value.abs() / self.energy.sqrt()).min(1.0);
        let explained = (score * score).clamp(1e-9, 1.0 - 1e-9);
        let snr = explained / (1.0 - explained);
        Detection {
            code,
            position: self.position * decimation + mark,
            score,
            peak_ratio: self.peak_ratio(),
            rival_samples: self.rival.lags as f64 * decimation,
            snr_db: 10.0 * snr.log10(),
            // var(τ) ≥ 1 / (2E/N₀ · β²) (Kay, Fundamentals of Statistical Signal Processing, vol. I, section 3.11),
            // with 2E/N₀ = terms · SNR for noise that is white in the decimated band.
            position_sd: decimation / (terms * snr * self.sharpness).sqrt(),
            inverted: self.value < 0.0,
            splice: None,
        }
    }
}
