//! How much each frequency counts in a generalised cross-correlation, and how exact a delay it then gives.
//!
//! Knapp & Carter, The Generalized Correlation Method for Estimation of Time Delay, IEEE Transactions on Acoustics,
//! Speech, and Signal Processing 24 (1976); Carter, Coherence and Time Delay Estimation, Proceedings of the IEEE 75
//! (1987).

use std::f64::consts::{PI, TAU};

use realfft::num_complex::Complex64;

use super::Weighting;

/// Powers below this part of the greatest are rounding.
const LEAST_POWER: f64 = 1e-9;
/// How probably two unrelated signals look coherent at a frequency.
const BY_CHANCE: f64 = 0.01;

/// Averaged auto and cross spectra of two aligned recordings, bin by bin from 0 Hz.
#[derive(Clone, Debug)]
pub(super) struct Spectra {
    pub(super) bin_hz: f64,
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    pub(super) cross: Vec<Complex64>,
    /// How many independent spectra went into each bin.
    pub(super) averaged: f64,
    /// How long the recordings were looked at, in seconds, less what windows take.
    pub(super) observed_s: f64,
}

/// What is known about the coherence of two recordings.
#[derive(Clone, Debug)]
pub(super) struct Coherence {
    bin_hz: f64,
    observed_s: f64,
    /// Geometric mean of both powers.
    power: Vec<f64>,
    /// Size of the averaged cross spectrum.
    cross: Vec<f64>,
    /// Magnitude-squared coherence without its bias; 0 where it may be chance.
    squared: Vec<f64>,
}

impl Coherence {
    /// From spectra, averaged over `half` bins to either side as well. What is below `lowest_hz` does not count.
    pub(super) fn of(spectra: &Spectra, half: usize, lowest_hz: f64) -> Self {
        let averaged = spectra.averaged.max(1.0);
        // The estimate's distribution when there is no coherence (Carter, Knapp & Nuttall 1973).
        let chance = if averaged > 1.0 { 1.0 - BY_CHANCE.powf(1.0 / (averaged - 1.0)) } else { 1.0 };
        let (a, b) = (moving_mean(&spectra.a, half), moving_mean(&spectra.b, half));
        let re = moving_mean(&spectra.cross.iter().map(|bin| bin.re).collect::<Vec<_>>(), half);
        let im = moving_mean(&spectra.cross.iter().map(|bin| bin.im).collect::<Vec<_>>(), half);
        let power: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a * b).sqrt()).collect();
        let cross: Vec<f64> = re.iter().zip(&im).map(|(re, im)| re.hypot(*im)).collect();
        let least = LEAST_POWER * power.iter().copied().fold(0.0, f64::max);
        let squared = power.iter().zip(&cross).enumerate().map(|(bin, (&power, &cross))| {
            if power <= least || (bin as f64) * spectra.bin_hz < lowest_hz {
                return 0.0;
            }
            let estimate = (cross / power).powi(2).min(1.0);
            if estimate <= chance { 0.0 } else { (estimate - 1.0 / averaged) / (1.0 - 1.0 / averaged) }
        });
        let squared = squared.collect();
        Self { bin_hz: spectra.bin_hz, observed_s: spectra.observed_s, power, cross, squared }
    }

    /// The weight of each bin's cross spectrum; 0 where there is no coherence. If there is none at all, every bin
    /// with power counts.
    pub(super) fn weights(&self, weighting: Weighting) -> Vec<f64> {
        let none = self.squared.iter().all(|&squared| squared == 0.0);
        let least = LEAST_POWER * self.power.iter().copied().fold(0.0, f64::max) + f64::MIN_POSITIVE;
        let weight = |bin: usize| {
            let counts = if none { self.power[bin] > least } else { self.squared[bin] > 0.0 };
            match weighting {
                _ if !counts => 0.0,
                Weighting::Plain => 1.0,
                Weighting::Scot => 1.0 / self.power[bin],
                Weighting::Phat => 1.0 / self.cross[bin].max(least),
            }
        };
        (0..self.power.len()).map(weight).collect()
    }

    /// The standard deviation of the delay at the peak of a weighted correlation, in seconds: the variance
    /// of Knapp & Carter 1976 for any weighting near the true delay. Infinite if nothing is coherent.
    pub(super) fn delay_sd_s(&self, weighting: Weighting) -> f64 {
        let weights = self.weights(weighting);
        let (mut noise, mut slope) = (0.0, 0.0);
        for (bin, weight) in weights.iter().enumerate() {
            let omega_squared = (TAU * bin as f64 * self.bin_hz).powi(2);
            let (power, squared) = (self.power[bin], self.squared[bin]);
            noise += weight.powi(2) * omega_squared * power.powi(2) * (1.0 - squared);
            slope += weight * omega_squared * power * squared.sqrt();
        }
        (noise / (2.0 * self.observed_s * self.bin_hz)).sqrt() / slope
    }

    /// The weighting with the least predicted error.
    pub(super) fn best(&self) -> Weighting {
        // The first of equals: what whitens has one peak where what does not may have many.
        let all = [Weighting::Scot, Weighting::Phat, Weighting::Plain];
        all.into_iter().min_by(|x, y| self.delay_sd_s(*x).total_cmp(&self.delay_sd_s(*y))).unwrap_or(Weighting::Scot)
    }

    /// The mean magnitude-squared coherence over the frequencies that have any, and the lowest and the highest of
    /// them in Hz, but for a hundredth of them at each end. `None` if there is none.
    pub(super) fn summary(&self) -> Option<(f64, [f64; 2])> {
        let coherent: Vec<usize> = (0..self.squared.len()).filter(|&bin| self.squared[bin] > 0.0).collect();
        let mean = coherent.iter().map(|&bin| self.squared[bin]).sum::<f64>() / coherent.len() as f64;
        let end = coherent.len() / 100;
        let (low, high) = (coherent.get(end)?, coherent.get(coherent.len() - 1 - end)?);
        Some((mean, [*low as f64 * self.bin_hz, *high as f64 * self.bin_hz]))
    }
}

/// The mean over `half` values to either side.
fn moving_mean(values: &[f64], half: usize) -> Vec<f64> {
    let mut sums = vec![0.0];
    for value in values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let mean = |n: usize| {
        let (from, to) = (n.saturating_sub(half), (n + half + 1).min(values.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    (0..values.len()).map(mean).collect()
}

/// The window of all spectra here (Harris 1978), over `length` samples.
pub(super) fn hann(length: usize) -> Vec<f32> {
    (0..length).map(|n| (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / length as f64).cos()) as f32).collect()
}

/// How much time `count` windows of `window_s` that overlap by half are worth: neighbouring bins of a windowed
/// spectrum are correlated (0.514 of them are independent), and so are neighbouring windows (1/6, squared twice).
pub(super) fn worth_s(count: usize, window_s: f64) -> f64 {
    let overlap = if count > 1 { 1.0 + 2.0 / 36.0 } else { 1.0 };
    0.514 * count as f64 * window_s / overlap
}

/// A phase of −2π·`hz`·`delay_s`.
pub(super) fn turn(hz: f64, delay_s: f64) -> Complex64 {
    Complex64::from_polar(1.0, -2.0 * PI * hz * delay_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Cramér–Rao bound for a flat spectrum between two frequencies with one coherence (Quazi, An Overview on the Time
    /// Delay Estimate in Active and Passive Systems, IEEE Transactions on Acoustics, Speech, and Signal Processing 29
    /// (1981)): the standard deviation in seconds. It is what predictions are held against.
    fn flat_bound_s(low_hz: f64, high_hz: f64, coherence_squared: f64, observed_s: f64) -> f64 {
        let omega_squared = (TAU.powi(2) / 3.0) * (high_hz.powi(3) - low_hz.powi(3));
        (2.0 * observed_s * omega_squared * coherence_squared / (1.0 - coherence_squared)).sqrt().recip()
    }

    /// Bins of 10 Hz up to 10 kHz.
    fn spectra(coherence_squared: impl Fn(usize) -> f64, power: impl Fn(usize) -> f64) -> Spectra {
        let powers: Vec<f64> = (0..=1000).map(power).collect();
        let cross = powers.iter().enumerate().map(|(n, p)| Complex64::new(p * coherence_squared(n).sqrt(), 0.0));
        Spectra { bin_hz: 10.0, cross: cross.collect(), a: powers.clone(), b: powers, averaged: 1e6, observed_s: 10.0 }
    }

    #[test]
    fn with_one_coherence_all_over_a_flat_band_every_weighting_reaches_the_bound() {
        let coherence = Coherence::of(&spectra(|n| if n >= 100 { 0.5 } else { 0.0 }, |_| 3.0), 0, 20.0);
        let bound = flat_bound_s(1000.0, 10_000.0, 0.5, 10.0);
        for weighting in [Weighting::Scot, Weighting::Phat, Weighting::Plain] {
            let ratio = coherence.delay_sd_s(weighting) / bound;
            assert!((ratio - 1.0).abs() < 0.01, "{weighting:?}: {ratio}");
        }
        let (mean, band) = coherence.summary().unwrap();
        assert!((mean - 0.5).abs() < 1e-3 && band[0] >= 1000.0 && band[1] <= 10_000.0);
    }

    #[test]
    fn coloured_sound_with_even_coherence_wants_whitening() {
        let coloured = spectra(|_| 0.9, |n| 1.0 / (1.0 + (n as f64 / 50.0).powi(2)));
        let coherence = Coherence::of(&coloured, 0, 20.0);
        assert_eq!(coherence.best(), Weighting::Scot);
        assert!(coherence.delay_sd_s(Weighting::Plain) > 2.0 * coherence.delay_sd_s(Weighting::Scot));
    }

    #[test]
    fn phat_is_not_chosen_where_part_of_the_band_is_mostly_noise() {
        let coherence = Coherence::of(&spectra(|n| if n < 400 { 0.9 } else { 0.01 }, |_| 1.0), 0, 20.0);
        assert_ne!(coherence.best(), Weighting::Phat);
        // With parts a = 0.4³ and b = 1 − a of the band's ω², by hand:
        // PHAT (a·0.1/0.9 + b·0.99/0.01) / (a + b)², SCOT (a·0.1 + b·0.99) / (a·√0.9 + b·0.1)².
        let ratio = coherence.delay_sd_s(Weighting::Phat) / coherence.delay_sd_s(Weighting::Scot);
        assert!((ratio - 1.539).abs() < 0.02, "{ratio}");
    }

    #[test]
    fn plain_correlation_is_chosen_where_only_what_is_loud_is_coherent() {
        // White noise in both recordings: coherence falls with the power, twice as fast as SCOT allows for.
        let power = |n: usize| 0.1 / (1.0 + (n as f64 / 200.0).powi(4));
        let noisy = spectra(|n| (power(n) / (power(n) + 1.0)).powi(2), |n| power(n) + 1.0);
        assert_eq!(Coherence::of(&noisy, 0, 20.0).best(), Weighting::Plain);
    }
}
