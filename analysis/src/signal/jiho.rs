//! The Japanese telephone time signal: 440 Hz for 100 ms at three, two and one seconds before the mark, and 880 Hz
//! from the mark on: one second steady, then fading linearly through two.

use std::f64::consts::TAU;

use crate::units::{Nanos, Rate};

pub(super) const BEFORE_MARK: Nanos = Nanos::from_secs(3);
pub(super) const AFTER_MARK: Nanos = Nanos::from_secs(3);
/// The 880 Hz tone before it fades: the end of what a matched filter looks for.
pub(super) const STEADY: Nanos = Nanos::from_secs(1);
/// A tone of −20 dBFS RMS.
const AMPLITUDE: f64 = 0.141_421_356;
const PIP_SECONDS: f64 = 0.1;

/// Adds the signal to `out`, whose first sample is `seconds` after the mark.
pub(super) fn add(seconds: f64, rate: Rate, out: &mut [f32]) {
    for (n, sample) in out.iter_mut().enumerate() {
        let t = seconds + n as f64 / rate.hz();
        if t < -BEFORE_MARK.as_secs_f64() {
            continue;
        }
        if t >= AFTER_MARK.as_secs_f64() {
            break;
        }
        let since_second = t - t.floor();
        let (hz, level) = if t >= 0.0 {
            (880.0, if t < 1.0 { 1.0 } else { (3.0 - t) / 2.0 })
        } else if since_second < PIP_SECONDS {
            (440.0, 1.0)
        } else {
            continue;
        };
        *sample += (AMPLITUDE * level * (TAU * hz * t).sin()) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sounds(samples: &[f32], from_ms: usize, to_ms: usize) -> bool {
        samples[from_ms * 48..to_ms * 48].iter().any(|x| x.abs() > 0.01)
    }

    #[test]
    fn three_pips_lead_to_a_long_tone_that_fades() {
        let mut samples = vec![0.0; 48_000 * 7];
        add(-3.5, Rate::OPUS, &mut samples);
        for (from_ms, to_ms, expected) in [
            (0, 499, false),
            (500, 600, true),
            (601, 1499, false),
            (1500, 1600, true),
            (2500, 2600, true),
            (2601, 3499, false),
            (3500, 3600, true),
            (6300, 6400, true),
            (6501, 7000, false),
        ] {
            assert_eq!(sounds(&samples, from_ms, to_ms), expected, "{from_ms}–{to_ms} ms");
        }
        let peak = |ms: usize| samples[ms * 48..(ms + 20) * 48].iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!((peak(4000) - 0.1414).abs() < 0.001, "steady for a second");
        assert!((peak(5500) - 0.0707).abs() < 0.002, "half-way down after two");
    }
}
