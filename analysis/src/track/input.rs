//! From a recording's samples to what is tracked: about 12 kHz, and as strong at high frequencies as at low ones.

use std::f64::consts::PI;

use crate::units::Rate;

/// Tracking works at no less than this, in Hz, if the recording has as much.
const LEAST_RATE_HZ: u32 = 11_900;
/// Taps on each side of the low pass, for each sample that it makes one of: a transition of a seventh of the new band.
const TAPS_PER_RATIO: usize = 18;
/// A voice falls by 3 dB an octave; x[n] − 0.7·x[n−1] evens it out to 3 dB from 500 Hz to 5 kHz. So every part of the
/// band counts alike, and neighbouring samples of noise shaped like a voice are nearly independent.
pub(super) const EMPHASIS: f32 = 0.7;
/// What no recording exceeds; damaged ones of floating-point samples may hold anything.
const HIGHEST: f32 = 64.0;

/// Makes one of every `ratio` samples of a stream; the first one lies at the stream's first sample.
#[derive(Debug)]
pub(super) struct Input {
    ratio: usize,
    taps: Vec<f32>,
    pending: Vec<f32>,
    before: f32,
}

impl Input {
    pub(super) fn new(rate: Rate) -> Self {
        let ratio = (rate.0 / LEAST_RATE_HZ).max(1) as usize;
        let taps = low_pass(ratio);
        // As if silence had gone before.
        Self { ratio, pending: vec![0.0; taps.len() / 2], taps, before: 0.0 }
    }

    /// How many samples of the recording one of its own stands for.
    pub(super) fn ratio(&self) -> usize {
        self.ratio
    }

    /// Takes samples, and appends what they complete to `out`.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let sane = |x: &f32| if x.is_finite() { x.clamp(-HIGHEST, HIGHEST) } else { 0.0 };
        self.pending.extend(samples.iter().map(sane));
        let mut start = 0;
        while self.pending.len() >= start + self.taps.len() {
            let value = dot(&self.pending[start..start + self.taps.len()], &self.taps);
            out.push(value - EMPHASIS * self.before);
            self.before = value;
            start += self.ratio;
        }
        self.pending.drain(..start);
    }

    /// Ends the stream, as if it went on in silence.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        let silence = vec![0.0; self.taps.len() / 2];
        self.push(&silence, out);
    }
}

/// One of every `ratio` of `samples`, beginning with the first; silence lies around them.
pub(super) fn decimated(samples: &[f32], ratio: usize) -> Vec<f32> {
    let taps = low_pass(ratio);
    let half = taps.len() / 2;
    (0..samples.len())
        .step_by(ratio)
        .map(|centre| {
            let from = centre.saturating_sub(half);
            let to = (centre + half + 1).min(samples.len());
            dot(&samples[from..to], &taps[from + half - centre..])
        })
        .collect()
}

/// A sinc in a Kaiser window, 70 dB down; a single 1 for a ratio of 1.
fn low_pass(ratio: usize) -> Vec<f32> {
    if ratio == 1 {
        return vec![1.0];
    }
    let half = (TAPS_PER_RATIO * ratio) as f64;
    let taps = (-half as i64..=half as i64).map(|n| {
        let x = n as f64 / ratio as f64;
        let sinc = if n == 0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        sinc * kaiser(n as f64 / (half + 1.0)) / ratio as f64
    });
    taps.map(|tap| tap as f32).collect()
}

fn kaiser(x: f64) -> f64 {
    const BETA: f64 = 6.76;
    let bessel_i0 = |x: f64| {
        let terms = (1..40).scan(1.0, |term, k| {
            *term *= (x / 2.0 / f64::from(k)).powi(2);
            Some(*term)
        });
        1.0 + terms.sum::<f64>()
    };
    bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel_i0(BETA)
}

/// The sum of products over the shorter of two, in eight lanes that the processor can take at once.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a, b) = (&a[..length], &b[..length]);
    let mut lanes = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let whole = length / 8 * 8;
    lanes.iter().sum::<f32>() + a[whole..].iter().zip(&b[whole..]).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_lies_where_it_was_and_is_the_same_however_it_is_cut() {
        let tone = |n: usize, hz: f64| (2.0 * PI * hz * n as f64 / 48_000.0).sin() as f32;
        let samples: Vec<f32> = (0..9600).map(|n| tone(n, 2000.0) + tone(n, 9000.0)).collect();
        let mut whole = Vec::new();
        let mut input = Input::new(Rate::OPUS);
        input.push(&samples, &mut whole);
        input.finish(&mut whole);
        assert_eq!((input.ratio(), whole.len()), (4, 2400));
        for (n, &found) in whole.iter().enumerate().take(2300).skip(100) {
            let expected = tone(4 * n, 2000.0) - EMPHASIS * tone(4 * (n - 1), 2000.0);
            assert!((found - expected).abs() < 2e-3, "{n}: {found} for {expected}");
        }
        let mut pieces = Vec::new();
        let mut input = Input::new(Rate::OPUS);
        samples.chunks(77).for_each(|piece| input.push(piece, &mut pieces));
        input.finish(&mut pieces);
        assert_eq!(whole, pieces);
    }
}
