//! Reproducible luck: seeded streams of random numbers whose values never depend on a library's version.

use std::f64::consts::TAU;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Luck(Pcg64);

impl Luck {
    /// A stream of its own for every path of numbers: `[world seed, node, direction, purpose]`.
    pub(crate) fn new(path: &[u64]) -> Self {
        let mut state = path.iter().fold(0, |state, &part| split_mix(state ^ part));
        let mut seed = <Pcg64 as SeedableRng>::Seed::default();
        for word in seed.chunks_exact_mut(8) {
            state = split_mix(state);
            word.copy_from_slice(&state.to_le_bytes());
        }
        Self(Pcg64::from_seed(seed))
    }

    /// Uniform in [0, 1), in steps of 2⁻⁵³.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and standard deviation 1 (Box and Muller 1958). Always takes two numbers from the stream.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (TAU * self.uniform()).cos()
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014), which spreads neighbouring seeds over all bits.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 100_000;

    /// Mean and standard deviation.
    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let values: Vec<f64> = values.collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn split_mix_gives_its_published_first_value() {
        assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn uniform_numbers_fill_their_interval_evenly() {
        let mut luck = Luck::new(&[1]);
        let (mean, sd) = moments((0..N).map(|_| luck.uniform()));
        // Standard error of the mean: 0.289 / √N = 0.0009.
        assert!((mean - 0.5).abs() < 0.005, "mean {mean}");
        assert!((sd - (1.0_f64 / 12.0).sqrt()).abs() < 0.005, "standard deviation {sd}");
    }

    #[test]
    fn normal_numbers_have_the_moments_and_tails_of_the_normal_distribution() {
        let mut luck = Luck::new(&[2]);
        let values: Vec<f64> = (0..N).map(|_| luck.normal()).collect();
        let (mean, sd) = moments(values.iter().copied());
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((sd - 1.0).abs() < 0.02, "standard deviation {sd}");
        let beyond_two = values.iter().filter(|v| v.abs() > 2.0).count() as f64 / N as f64;
        assert!((beyond_two - 0.0455).abs() < 0.005, "{beyond_two} beyond two standard deviations");
    }

    #[test]
    fn neighbouring_paths_give_unrelated_streams() {
        let paths: [&[u64]; 4] = [&[1, 0, 0], &[1, 0, 1], &[1, 1, 0], &[2, 0, 0]];
        for (i, a) in paths.iter().enumerate() {
            for b in &paths[i + 1..] {
                let (mut a, mut b) = (Luck::new(a), Luck::new(b));
                let covariance = (0..N).map(|_| (a.uniform() - 0.5) * (b.uniform() - 0.5)).sum::<f64>() / N as f64;
                assert!((covariance * 12.0).abs() < 0.02, "correlation {}", covariance * 12.0);
            }
        }
    }
}
