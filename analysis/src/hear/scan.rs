//! Peaks of one code's correlation: candidates for arrivals.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::peak::{self, REACH};
use super::splice::Splice;
use crate::signal::Code;

/// Weaker than this is noise: with 2400 terms, noise alone has a standard deviation of 0.02.
const LEAST_SCORE: f32 = 0.10;
/// How far from a peak a rival is looked for.
const RIVAL_SECONDS: f64 = 0.150;
/// A peak's own main lobe, in which there is no rival.
const MAIN_LOBE_SECONDS: f64 = 0.001;
/// A lesser peak beside a greater one is listed (an echo, a second path) if it has this score …
const ECHO_SCORE: f32 = 0.30;
/// … and this part of the greater one's height.
const ECHO_HEIGHT: f32 = 0.5;
/// Tones have no echoes that could be told from their own side lobes, but side lobes nearly as high as the peak:
/// between two samples, 1 kHz at 12 kHz hides 3.4 % of a height, so that only the refined heights tell which is which.
const NEARLY_EQUAL: f32 = 0.96;
/// Values kept on either side of a peak for its refinement.
pub(super) const MARGIN: usize = REACH + 16;

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
    /// Its height over that of the highest other peak within 150 ms. Below 1: this is the lesser one, an echo.
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

/// A peak before the other codes are taken out.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// Its lag, at the decimated rate.
    pub index: usize,
    /// The correlation around it: `MARGIN` values to both sides.
    pub values: Vec<f32>,
    /// The signal's energy under the template.
    pub energy: f32,
    /// The height of the highest other peak near by.
    pub rival: f32,
    /// How many lags behind it that peak is.
    pub rival_lags: i64,
}

/// A peak refined, at the decimated rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub position: f64,
    /// `Σ x·t / ‖t‖`, with its sign.
    pub value: f64,
    /// What is left of the energy without the other codes.
    pub energy: f64,
    pub rival: f64,
    pub rival_lags: f64,
    /// β² of the Cramér–Rao bound, per squared decimated sample.
    pub sharpness: f64,
}

impl Heard {
    pub(super) fn of(candidate: &Candidate, values: &[f32], energy: f64) -> Self {
        let window = MARGIN - 4..=MARGIN + 4;
        let sign = values[MARGIN].signum();
        let top = window.max_by(|&a, &b| (sign * values[a]).total_cmp(&(sign * values[b]))).unwrap_or(MARGIN);
        let peak = peak::refine(values, top);
        Self {
            position: candidate.index as f64 + peak.position - MARGIN as f64,
            value: peak.value,
            energy,
            rival: f64::from(candidate.rival),
            rival_lags: candidate.rival_lags as f64,
            sharpness: peak.sharpness.max(f64::MIN_POSITIVE),
        }
    }

    pub(super) fn detection(self, code: Code, decimation: f64, mark: f64, terms: f64) -> Detection {
        let score = (self.value.abs() / self.energy.sqrt()).min(1.0);
        let explained = (score * score).clamp(1e-9, 1.0 - 1e-9);
        let snr = explained / (1.0 - explained);
        Detection {
            code,
            position: self.position * decimation + mark,
            score,
            peak_ratio: self.value.abs() / self.rival.max(f64::MIN_POSITIVE),
            rival_samples: self.rival_lags * decimation,
            snr_db: 10.0 * snr.log10(),
            // var(τ) ≥ 1 / (2E/N₀ · β²) (Kay, Fundamentals of Statistical Signal Processing, vol. I, section 3.11),
            // with 2E/N₀ = terms · SNR for noise that is white in the decimated band.
            position_sd: decimation / (terms * snr * self.sharpness).sqrt(),
            inverted: self.value < 0.0,
            splice: None,
        }
    }
}

/// Scans one code's correlation as it comes.
pub(super) struct Scanner {
    is_coded: bool,
    rival_reach: usize,
    main_lobe: usize,
    values: Vec<f32>,
    energy: Vec<f32>,
    /// The highest |value| of each [`STRIDE`] values.
    heights: Vec<f32>,
    /// The lag of `values[0]`, minus the padding in front of lag 0.
    dropped: usize,
}

impl Scanner {
    pub(super) fn new(decimated_hz: f64, is_coded: bool) -> Self {
        // Of every candidate MARGIN values are kept to both sides, however low the rate.
        let rival_reach = ((RIVAL_SECONDS * decimated_hz) as usize).max(MARGIN + 1);
        Self {
            is_coded,
            rival_reach,
            main_lobe: (MAIN_LOBE_SECONDS * decimated_hz).ceil() as usize,
            // Before the recording there was silence.
            values: vec![0.0; rival_reach],
            energy: vec![0.0; rival_reach],
            heights: Vec::new(),
            dropped: 0,
        }
    }

    /// The lag up to which all candidates have been given.
    pub(super) fn scanned(&self) -> usize {
        self.dropped
    }

    pub(super) fn push(&mut self, values: &[f32], energy: &[f32], found: &mut impl FnMut(Candidate)) {
        self.values.extend_from_slice(values);
        self.energy.extend_from_slice(energy);
        let reach = self.rival_reach;
        if self.values.len() <= 2 * reach {
            return;
        }
        self.heights.clear();
        self.heights.extend(self.values.chunks(STRIDE).map(height_of));
        let end = self.values.len() - reach;
        let mut from = reach;
        while from < end {
            let to = (from + STRIDE).min(end);
            if self.stands_out(from..to) {
                (from..to).filter_map(|index| self.candidate(index)).for_each(&mut *found);
            }
            from = to;
        }
        self.values.drain(..end - reach);
        self.energy.drain(..end - reach);
        self.dropped += end - reach;
    }

    pub(super) fn finish(&mut self, found: &mut impl FnMut(Candidate)) {
        let silence = vec![0.0; self.rival_reach];
        self.push(&silence, &silence, found);
    }

    /// Whether any value in a range is above the noise; without a branch, so that many are looked at at once.
    fn stands_out(&self, range: Range<usize>) -> bool {
        let (values, energy) = (&self.values[range.clone()], &self.energy[range]);
        values.iter().zip(energy).fold(false, |any, (value, energy)| any | above_noise(*value, *energy))
    }

    fn candidate(&self, index: usize) -> Option<Candidate> {
        let height = self.values[index].abs();
        // Below −100 dBFS there is nothing but rounding.
        let energy = self.energy[index];
        if !above_noise(height, energy) || energy < 1e-7 || !self.is_local_peak(index) {
            return None;
        }
        let lobe = index - self.main_lobe..=index + self.main_lobe;
        if self.is_coded && self.values[lobe].iter().any(|v| v.abs() > height) {
            return None;
        }
        let (rival_index, rival) = self.rival(index);
        let is_listed = if self.is_coded {
            height >= rival || (height * height >= ECHO_SCORE * ECHO_SCORE * energy && height >= ECHO_HEIGHT * rival)
        } else {
            height >= NEARLY_EQUAL * rival
        };
        if !is_listed {
            return None;
        }
        Some(Candidate {
            index: index - self.rival_reach + self.dropped,
            values: self.values[index - MARGIN..=index + MARGIN].to_vec(),
            energy,
            rival,
            rival_lags: rival_index as i64 - index as i64,
        })
    }

    fn is_local_peak(&self, index: usize) -> bool {
        let height = self.values[index].abs();
        height > self.values[index - 1].abs() && height >= self.values[index + 1].abs()
    }

    fn rival(&self, index: usize) -> (usize, f32) {
        let before = index - self.rival_reach + 1..index - self.main_lobe;
        let after = index + self.main_lobe + 1..(index + self.rival_reach).min(self.values.len() - 1);
        let mut best = (index, 0.0);
        for mut range in [before, after] {
            while !range.is_empty() {
                let block = range.start / STRIDE;
                let stretch = range.start..((block + 1) * STRIDE).min(range.end);
                range.start = stretch.end;
                if self.heights[block] > best.1 {
                    let peaks = stretch.filter(|&other| self.is_local_peak(other));
                    best = peaks.map(|other| (other, self.values[other].abs())).fold(best, higher);
                }
            }
        }
        best
    }
}

/// Values that are looked at together.
const STRIDE: usize = 64;

fn above_noise(value: f32, energy: f32) -> bool {
    value * value >= LEAST_SCORE * LEAST_SCORE * energy
}

fn height_of(values: &[f32]) -> f32 {
    values.iter().map(|value| value.abs()).fold(0.0, |highest, height| if height > highest { height } else { highest })
}

fn higher(best: (usize, f32), other: (usize, f32)) -> (usize, f32) {
    if other.1 > best.1 { other } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_however_low_a_rate_a_peak_is_kept_with_all_its_neighbours() {
        for hz in 1..1_000 {
            let mut scanner = Scanner::new(f64::from(hz), true);
            let mut found = 0;
            let mut check = |candidate: Candidate| {
                assert_eq!(candidate.values.len(), 2 * MARGIN + 1, "{hz} Hz");
                found += 1;
            };
            // One peak at the very start and one at the very end.
            let mut values = [0.0; 100];
            values[0] = 1.0;
            values[99] = 1.0;
            scanner.push(&values, &[1.0; 100], &mut check);
            scanner.finish(&mut check);
            assert_eq!(found, 2, "{hz} Hz");
        }
    }
}
