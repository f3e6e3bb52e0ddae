//! Where a sampled correlation peaks, between its samples.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Samples on either side that the interpolation needs.
pub(crate) const REACH: usize = 24;
/// Kaiser window's shape: 80 dB of stop band, so that interpolation adds no error that the ear's noise does not cover.
const BETA: f64 = 7.86;
/// The interpolated grid before the parabola: fine enough that a parabola through it has no bias.
const GRID: usize = 16;

/// A peak between samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Peak {
    /// Its position, in samples.
    pub(crate) position: f64,
    /// Its value, with its sign.
    pub(crate) value: f64,
    /// How sharp it is: −value″ / value, per squared sample.
    pub(crate) sharpness: f64,
}

/// Refines a local maximum of |values| at `index`: windowed-sinc interpolation on a grid of 1/16 sample, then a
/// parabola. `values` must reach [`REACH`] + 1 samples to both sides; else the sample itself is the answer.
pub(crate) fn refine(values: &[f32], index: usize) -> Peak {
    let value = f64::from(values[index]);
    if index <= REACH || index + REACH + 1 >= values.len() {
        return Peak { position: index as f64, value, sharpness: 0.0 };
    }
    let sign = value.signum();
    let at = |step: isize| sign * interpolate(values, index, step);
    // There is one peak within a sample to either side: narrowing down finds it.
    let (mut best, mut top, mut stride) = (0, at(0), GRID as isize / 2);
    while stride > 0 {
        for step in [best - stride, best + stride] {
            let value = at(step);
            (best, top) = if value > top { (step, value) } else { (best, top) };
        }
        stride /= 2;
    }
    let (before, after) = (at(best - 1), at(best + 1));
    let curvature = before - 2.0 * top + after;
    let vertex = if curvature < 0.0 { (0.5 * (before - after) / curvature).clamp(-0.5, 0.5) } else { 0.0 };
    Peak {
        position: index as f64 + (best as f64 + vertex) / GRID as f64,
        value: sign * (top - 0.25 * (before - after) * vertex),
        sharpness: -curvature * (GRID * GRID) as f64 / top,
    }
}

/// The value `step`/16 samples after `index`.
fn interpolate(values: &[f32], index: usize, step: isize) -> f64 {
    let grid = GRID as isize;
    let index = (index as isize + step.div_euclid(grid)) as usize;
    let taps = &TAPS[step.rem_euclid(grid) as usize];
    let window = &values[(index + 1).saturating_sub(REACH)..(index + 1 + REACH).min(values.len())];
    window.iter().zip(taps).map(|(&v, tap)| f64::from(v) * tap).sum()
}

static TAPS: LazyLock<[[f64; 2 * REACH]; GRID]> =
    LazyLock::new(|| std::array::from_fn(|step| taps(step as f64 / GRID as f64)));

/// The weights of the samples from `1 − REACH` to `REACH` that interpolate at `fraction`, 0 to 1.
pub(crate) fn taps(fraction: f64) -> [f64; 2 * REACH] {
    windowed_sinc(fraction, BETA)
}

/// Samples on either side that [`coarse_taps`] weigh.
pub(super) const COARSE_REACH: usize = 12;
/// 50 dB of stop band.
const COARSE_BETA: f64 = 4.55;
/// Steps of [`coarse_taps`]: half a step away, a value in the voice's band is right to 0.3 %.
const COARSE: usize = 512;

/// What [`taps`] are for, shorter and from a table: what is interpolated so is 15 dB below what matters.
pub(super) fn coarse_taps(fraction: f64) -> &'static [f32; 2 * COARSE_REACH] {
    static TABLE: LazyLock<Vec<[f32; 2 * COARSE_REACH]>> = LazyLock::new(|| {
        (0..=COARSE).map(|n| windowed_sinc(n as f64 / COARSE as f64, COARSE_BETA).map(|tap| tap as f32)).collect()
    });
    &TABLE[(fraction * COARSE as f64).round() as usize]
}

/// The ideal interpolator's weights, cut off by a Kaiser window of shape `beta`.
fn windowed_sinc<const TAPS: usize>(fraction: f64, beta: f64) -> [f64; TAPS] {
    let reach = (TAPS / 2) as f64;
    std::array::from_fn(|tap| {
        let x = tap as f64 + 1.0 - reach - fraction;
        let sinc = if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let window = bessel_i0(beta * (1.0 - (x / reach).powi(2)).max(0.0).sqrt()) / bessel_i0(beta);
        sinc * window
    })
}

/// The modified Bessel function of order zero, by its power series (Abramowitz & Stegun 9.6.12).
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_band_limited_peak_is_found_to_a_thousandth_of_a_sample(
            shift in -0.5f64..0.5, band in 0.1f64..0.85, sign in prop_oneof![Just(1.0), Just(-1.0)],
        ) {
            let values: Vec<f32> = (0..101).map(|n| {
                let x = PI * band * (f64::from(n) - 50.0 - shift);
                (sign * if x == 0.0 { 1.0 } else { x.sin() / x }) as f32
            }).collect();
            let index = if shift.abs() > 0.499 { 50 } else { (50.0 + shift).round() as usize };
            let peak = refine(&values, index);
            prop_assert!((peak.position - 50.0 - shift).abs() < 1e-3, "{peak:?}");
            prop_assert!((peak.value - sign).abs() < 1e-3);
        }
    }

    #[test]
    fn a_peak_at_the_edge_is_left_at_its_sample() {
        assert_eq!(refine(&[0.0, 1.0, 0.5], 1), Peak { position: 1.0, value: 1.0, sharpness: 0.0 });
    }
}
