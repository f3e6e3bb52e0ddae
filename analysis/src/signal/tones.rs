//! Time signals of tones, as people know them from telephone and radio: pips a second apart, and a longer tone that
//! begins at the mark. They carry no code.

use std::f64::consts::TAU;

use crate::units::{Nanos, Rate};

/// A time signal of tones.
#[derive(Debug)]
pub struct Tones {
    /// How many pips lead to the mark, one at each full second.
    pips: u32,
    pip_hz: f64,
    mark_hz: f64,
    /// From the mark on, this long at one level: the end of what a matched filter looks for …
    pub(super) steady: Nanos,
    /// … and then fading linearly to nothing.
    fade: Nanos,
}

/// The Japanese telephone time signal.
pub(super) static JIHO: Tones =
    Tones { pips: 3, pip_hz: 440.0, mark_hz: 880.0, steady: Nanos::from_secs(1), fade: Nanos::from_secs(2) };

/// The Greenwich pips of the BBC.
pub(super) static BBC: Tones =
    Tones { pips: 5, pip_hz: 1000.0, mark_hz: 1000.0, steady: Nanos::from_millis(500), fade: Nanos::ZERO };

/// A tone of −20 dBFS RMS.
const AMPLITUDE: f64 = 0.141_421_356;
const PIP_SECONDS: f64 = 0.1;

impl Tones {
    pub(super) fn before_mark(&self) -> Nanos {
        Nanos::from_secs(i64::from(self.pips))
    }

    pub(super) fn after_mark(&self) -> Nanos {
        self.steady + self.fade
    }

    /// Adds the signal to `out`, whose first sample is `seconds` after the mark.
    pub(super) fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        let (steady, end) = (self.steady.as_secs_f64(), self.after_mark().as_secs_f64());
        for (n, sample) in out.iter_mut().enumerate() {
            let t = seconds + n as f64 / rate.hz();
            if t < -f64::from(self.pips) {
                continue;
            }
            if t >= end {
                break;
            }
            let since_second = t - t.floor();
            let (hz, level) = if t >= 0.0 {
                (self.mark_hz, if t < steady { 1.0 } else { (end - t) / (end - steady) })
            } else if since_second < PIP_SECONDS {
                (self.pip_hz, 1.0)
            } else {
                continue;
            };
            *sample += (AMPLITUDE * level * (TAU * hz * t).sin()) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(tones: &Tones) -> Vec<f32> {
        let mut samples = vec![0.0; 48_000 * 10];
        tones.add(-6.0, Rate::OPUS, &mut samples);
        samples
    }

    /// Whether a signal sounds somewhere in a stretch; times in ms after the mark.
    fn sounds(samples: &[f32], from_ms: i64, to_ms: i64) -> bool {
        samples[(from_ms + 6000) as usize * 48..(to_ms + 6000) as usize * 48].iter().any(|x| x.abs() > 0.01)
    }

    /// Cycles begun within a stretch.
    fn cycles(samples: &[f32], from_ms: i64, to_ms: i64) -> i64 {
        let stretch = &samples[(from_ms + 6000) as usize * 48..(to_ms + 6000) as usize * 48];
        stretch.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count() as i64
    }

    #[test]
    fn three_pips_lead_to_a_long_tone_that_fades() {
        let samples = rendered(&JIHO);
        for (from_ms, to_ms, expected) in [
            (-6000, -3001, false),
            (-3000, -2900, true),
            (-2899, -2001, false),
            (-2000, -1900, true),
            (-1000, -900, true),
            (-899, -1, false),
            (0, 100, true),
            (2800, 2850, true),
            (3001, 4000, false),
        ] {
            assert_eq!(sounds(&samples, from_ms, to_ms), expected, "{from_ms} to {to_ms} ms");
        }
        let peak = |ms: usize| samples[(ms + 6000) * 48..(ms + 6020) * 48].iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!((peak(500) - 0.1414).abs() < 0.001, "steady for a second");
        assert!((peak(2000) - 0.0707).abs() < 0.002, "half-way down after two");
        assert!((cycles(&samples, -2999, -2901) - 43).abs() <= 1 && (cycles(&samples, 0, 1000) - 880).abs() <= 1);
    }

    #[test]
    fn five_short_pips_lead_to_a_long_one() {
        let samples = rendered(&BBC);
        for second in -5..0 {
            let at = second * 1000;
            assert!(sounds(&samples, at, at + 3) && sounds(&samples, at + 97, at + 100), "a pip at {second} s");
            assert!(!sounds(&samples, at + 101, at + 999), "100 ms long at {second} s");
        }
        assert!(!sounds(&samples, -6000, -5001) && !sounds(&samples, 501, 4000));
        assert!((cycles(&samples, -4999, -4901) - 98).abs() <= 1 && (cycles(&samples, 0, 500) - 500).abs() <= 1);
    }
}
