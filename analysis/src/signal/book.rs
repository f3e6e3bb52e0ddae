//! The code books: which seeds are used, and how well their beeps are told apart.
//!
//! Books are part of the format: recordings made with one book cannot be read with another. Each was found by the
//! program `analysis/examples/search_codes.rs`, with the arguments given. Figures are those of the signals at 48 kHz; side
//! lobes are counted from 1 ms on.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::{Code, Family, Waveform};
use crate::units::{Nanos, Rate};

type Book = [u32; Code::COUNT as usize];

/// `search_codes voiced 12000 -13.5 -16.5 0`. Worst cross-peak −15.7 dB, worst own side lobe −13.2 dB, of 9006 seeds.
pub(super) const VOICED: Book = [
    0, 1, 2, 5, 7, 12, 14, 17, 19, 21, 24, 28, 29, 35, 37, 41, 48, 62, 71, 93, 110, 119, 122, 123, 132, 140, 199, 230,
    250, 349, 369, 382, 426, 464, 518, 544, 608, 617, 623, 629, 633, 677, 776, 819, 877, 1016, 1169, 1179, 1207, 1214,
    1273, 1356, 1683, 2038, 2438, 2514, 2525, 2649, 3118, 3133, 3458, 3545, 6176, 9005,
];

/// `search_codes voiced_robust 48000 -16.5 -19.4 10000`. Worst cross-peak −19.4 dB, worst own side lobe −17.2 dB, of 1076
/// seeds: others than [`VOICED`] has, so that no robust voice begins as a shorter one does.
pub(super) const VOICED_ROBUST: Book = [
    10000, 10001, 10002, 10003, 10005, 10006, 10009, 10010, 10011, 10013, 10014, 10015, 10019, 10020, 10022, 10028,
    10029, 10033, 10044, 10052, 10054, 10059, 10062, 10071, 10077, 10078, 10079, 10090, 10099, 10116, 10152, 10168,
    10172, 10180, 10191, 10194, 10217, 10271, 10274, 10314, 10327, 10361, 10365, 10373, 10409, 10420, 10451, 10464,
    10493, 10515, 10579, 10598, 10662, 10677, 10682, 10695, 10737, 10795, 10887, 10923, 10942, 11002, 11015, 11075,
];

/// `search_codes noise 48000 -20 -19 0`. Worst cross-peak −19.0 dB, worst own side lobe −20.0 dB, of 1793 seeds.
pub(super) const NOISE: Book = [
    0, 1, 2, 4, 5, 7, 11, 14, 17, 21, 22, 26, 27, 33, 37, 41, 44, 48, 50, 51, 66, 69, 71, 73, 85, 87, 96, 104, 114,
    123, 125, 132, 140, 144, 146, 151, 168, 215, 230, 236, 238, 273, 292, 301, 330, 339, 361, 390, 416, 534, 626, 726,
    764, 767, 864, 1012, 1063, 1131, 1183, 1481, 1722, 1738, 1773, 1792,
];

/// `search_codes noise_robust 48000 -20.5 -21.8 0`. Worst cross-peak −21.8 dB, worst own side lobe −20.6 dB, of 4649
/// seeds.
pub(super) const NOISE_ROBUST: Book = [
    0, 1, 2, 4, 7, 9, 13, 14, 15, 17, 18, 20, 23, 32, 33, 35, 44, 52, 53, 72, 76, 84, 92, 126, 150, 154, 183, 190, 191,
    217, 230, 298, 320, 348, 387, 436, 438, 445, 496, 526, 788, 821, 834, 864, 937, 1002, 1058, 1114, 1279, 1296, 1377,
    1549, 1875, 2205, 2337, 2371, 2641, 2764, 3047, 3225, 3294, 3513, 4610, 4648,
];

/// Not searched: of 128 s each, no two are more alike than others.
pub(super) const PILOT: Book = {
    let mut seeds = [0; Code::COUNT as usize];
    let mut code = 0;
    while code < seeds.len() {
        seeds[code] = 20_000 + code as u32;
        code += 1;
    }
    seeds
};

/// What limits a code book.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookFigures {
    /// The highest peak of the correlation of two different codes, relative to a code with itself, in dB.
    pub worst_cross_peak_db: f64,
    /// The highest value of a code's correlation with itself more than 1 ms from its peak, in dB.
    pub worst_side_lobe_db: f64,
}

/// A beep's own main lobe, in which there is no side lobe.
const MAIN_LOBE: Nanos = Nanos::from_millis(1);

/// Compares beeps of one family by their correlations at every lag.
pub struct Comparison {
    family: Family,
    rate: Rate,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// A beep, ready to be compared with others of its family.
pub struct Candidate {
    spectrum: Vec<Complex32>,
    energy: f32,
}

impl Comparison {
    /// Compares beeps of this family, rendered at `rate`. What lies between its samples is not seen: at 12 kHz, which
    /// holds the whole band of every coded family, a peak can be higher by 1.5 dB, at 48 kHz by 0.1 dB.
    pub fn new(family: Family, rate: Rate) -> Self {
        let (template, _) = Waveform::of_seed(family, 0).template(rate);
        // Twice a beep's length leaves room for every lag.
        let samples = (2 * template.len()).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(samples), planner.plan_fft_inverse(samples));
        Self { family, rate, forward, inverse }
    }

    /// The beep of a seed.
    pub fn candidate(&self, seed: u32) -> Candidate {
        let mut samples = self.forward.make_input_vec();
        let (template, _) = Waveform::of_seed(self.family, seed).template(self.rate);
        samples[..template.len()].copy_from_slice(&template);
        let energy = samples.iter().map(|x| x * x).sum();
        let mut spectrum = self.forward.make_output_vec();
        // The lengths are the plan's own, so the transform cannot fail.
        let _ = self.forward.process(&mut samples, &mut spectrum);
        Candidate { spectrum, energy }
    }

    /// The highest value of a beep's correlation with itself more than 1 ms from its peak: how far from the peak, in
    /// seconds, and how high relative to it, in dB.
    pub fn side_lobe(&self, candidate: &Candidate) -> (f64, f64) {
        let correlation = self.correlation(candidate, candidate);
        // It is symmetric: negative lags are those of the upper half.
        let lags = self.rate.samples(MAIN_LOBE) as usize + 1..correlation.len() / 2;
        let height = |lag: usize| correlation[lag].abs();
        let highest = lags.max_by(|&a, &b| height(a).total_cmp(&height(b))).unwrap_or(0);
        (highest as f64 / self.rate.hz(), decibels(height(highest)))
    }

    /// The highest peak of the correlation of two beeps, relative to a beep with itself, in dB.
    pub fn cross_peak_db(&self, a: &Candidate, b: &Candidate) -> f64 {
        decibels(self.correlation(a, b).iter().fold(0.0, |peak, v| peak.max(v.abs())))
    }

    /// Measures a book: every code against itself and against every other.
    pub fn figures(&self, seeds: &[u32]) -> BookFigures {
        let beeps: Vec<_> = seeds.iter().map(|&seed| self.candidate(seed)).collect();
        let mut figures = BookFigures { worst_cross_peak_db: f64::NEG_INFINITY, worst_side_lobe_db: f64::NEG_INFINITY };
        for (n, beep) in beeps.iter().enumerate() {
            figures.worst_side_lobe_db = figures.worst_side_lobe_db.max(self.side_lobe(beep).1);
            for other in &beeps[..n] {
                figures.worst_cross_peak_db = figures.worst_cross_peak_db.max(self.cross_peak_db(beep, other));
            }
        }
        figures
    }

    fn correlation(&self, a: &Candidate, b: &Candidate) -> Vec<f32> {
        let mut correlation = self.inverse.make_output_vec();
        let scale = 1.0 / (correlation.len() as f32 * (a.energy * b.energy).sqrt());
        let mut product: Vec<_> = a.spectrum.iter().zip(&b.spectrum).map(|(a, b)| a * b.conj() * scale).collect();
        // The ends of a product of two real signals' spectra are real but for rounding.
        for end in [0, product.len() - 1] {
            product[end].im = 0.0;
        }
        let _ = self.inverse.process(&mut product, &mut correlation);
        correlation
    }
}

fn decibels(ratio: f32) -> f64 {
    20.0 * f64::from(ratio).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_have_one_peak_each() {
        for (family, cross_peak_db, side_lobe_db) in [
            (Family::Voiced, -15.7, -13.2),
            (Family::VoicedRobust, -19.3, -17.2),
            (Family::Noise, -18.9, -20.0),
            (Family::NoiseRobust, -21.7, -20.6),
        ] {
            let figures = Comparison::new(family, Rate::OPUS).figures(family.book().unwrap());
            assert!(figures.worst_cross_peak_db <= cross_peak_db, "{family}: {figures:?}");
            assert!(figures.worst_side_lobe_db <= side_lobe_db, "{family}: {figures:?}");
        }
    }
}
