//! The code book: which voices are used, and how well they are told apart.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex32;

use super::Voiced;
use crate::units::Rate;

/// Seeds of the voices, by code. Chosen by the program `analysis/examples/search_codes.rs` (worst cross-peak −16.5 dB,
/// worst own side lobe beyond 1 ms −13.5 dB, from 9006 seeds). The book is part of the format:
/// recordings made with one book cannot be read with another.
pub const BOOK: [u32; 64] = [
    0, 1, 2, 5, 7, 12, 14, 17, 19, 21, 24, 28, 29, 35, 37, 41, 48, 62, 71, 93, 110, 119, 122, 123, 132, 140, 199, 230,
    250, 349, 369, 382, 426, 464, 518, 544, 608, 617, 623, 629, 633, 677, 776, 819, 877, 1016, 1169, 1179, 1207, 1214,
    1273, 1356, 1683, 2038, 2438, 2514, 2525, 2649, 3118, 3133, 3458, 3545, 6176, 9005,
];

/// What limits a code book.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BookFigures {
    /// The highest peak of the correlation of two different codes, relative to a code with itself, in dB.
    pub worst_cross_peak_db: f64,
    /// The highest value of a code's correlation with itself more than 1 ms from its peak, in dB.
    pub worst_side_lobe_db: f64,
}

/// 12 kHz holds the whole band of a voice.
const RATE: Rate = Rate(12_000);
const FFT: usize = 8192;
/// 1 ms.
const MAIN_LOBE: usize = 12;

/// A voice, ready to be compared with others.
pub struct Candidate {
    spectrum: Vec<Complex32>,
    energy: f32,
}

impl Candidate {
    /// The voice of a seed.
    pub fn new(seed: u32) -> Self {
        let mut samples = vec![0.0; FFT];
        Voiced::of_seed(seed).add(0.0, RATE, &mut samples);
        let energy = samples.iter().map(|x| x * x).sum();
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        let mut spectrum = fft.make_output_vec();
        // The lengths are the plan's own, so the transform cannot fail.
        let _ = fft.process(&mut samples, &mut spectrum);
        Self { spectrum, energy }
    }

    /// The highest side lobe beyond 1 ms, in dB.
    pub fn side_lobe_db(&self) -> f64 {
        let correlation = self.correlation(self);
        peak_db(&correlation[MAIN_LOBE + 1..FFT - MAIN_LOBE])
    }

    /// The highest peak of the correlation with another voice, in dB.
    pub fn cross_peak_db(&self, other: &Self) -> f64 {
        peak_db(&self.correlation(other))
    }

    fn correlation(&self, other: &Self) -> Vec<f32> {
        let scale = 1.0 / (FFT as f32 * (self.energy * other.energy).sqrt());
        let mut product: Vec<_> =
            self.spectrum.iter().zip(&other.spectrum).map(|(a, b)| a * b.conj() * scale).collect();
        let fft = RealFftPlanner::new().plan_fft_inverse(FFT);
        let mut correlation = fft.make_output_vec();
        // The ends of a product of two real signals' spectra are real but for rounding.
        product[0].im = 0.0;
        product[FFT / 2].im = 0.0;
        let _ = fft.process(&mut product, &mut correlation);
        correlation
    }
}

fn peak_db(values: &[f32]) -> f64 {
    20.0 * f64::from(values.iter().fold(0.0f32, |peak, v| peak.max(v.abs()))).log10()
}

/// Measures a book: every code against itself and against every other.
pub fn figures(seeds: &[u32]) -> BookFigures {
    let voices: Vec<_> = seeds.iter().map(|&seed| Candidate::new(seed)).collect();
    let mut figures = BookFigures { worst_cross_peak_db: f64::NEG_INFINITY, worst_side_lobe_db: f64::NEG_INFINITY };
    for (n, voice) in voices.iter().enumerate() {
        figures.worst_side_lobe_db = figures.worst_side_lobe_db.max(voice.side_lobe_db());
        for other in &voices[..n] {
            figures.worst_cross_peak_db = figures.worst_cross_peak_db.max(voice.cross_peak_db(other));
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_15_db_and_have_one_peak_by_12_db() {
        let figures = figures(&BOOK);
        assert!(figures.worst_cross_peak_db <= -15.0, "{figures:?}");
        assert!(figures.worst_side_lobe_db <= -12.0, "{figures:?}");
    }
}
