//! Stretches of time that are whole numbers of samples at two rates at once. Their Fourier transforms have the same
//! frequencies bin by bin, so recordings at different rates are compared without resampling either.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::units::Rate;

/// A stretch of time that is a whole number of samples at both rates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    units: u64,
    units_per_second: u32,
}

impl Span {
    /// The shortest span of at least `seconds` that transforms fast. Both rates are above zero.
    pub(super) fn at_least(seconds: f64, a: Rate, b: Rate) -> Self {
        let units_per_second = greatest_common_divisor(a.0, b.0);
        let units = (seconds * f64::from(units_per_second)).ceil().max(1.0) as u64;
        Self { units: smooth(units), units_per_second }
    }

    pub(super) fn seconds(self) -> f64 {
        self.units as f64 / f64::from(self.units_per_second)
    }

    /// How many samples it has at one of the two rates.
    pub(super) fn samples(self, rate: Rate) -> usize {
        (self.units * u64::from(rate.0 / self.units_per_second)) as usize
    }
}

/// The least even number from `least` on that has no prime factors above 5.
pub(super) fn smooth(least: u64) -> u64 {
    let is_smooth = |mut n: u64| {
        for factor in [2, 3, 5] {
            while n.is_multiple_of(factor) {
                n /= factor;
            }
        }
        n == 1
    };
    let even = least.max(2).next_multiple_of(2);
    (even..).step_by(2).find(|&n| is_smooth(n)).unwrap_or(even)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A forward transform of a fixed length, with its buffers.
pub(super) struct Forward {
    fft: Arc<dyn RealToComplex<f32>>,
    input: Vec<f32>,
    output: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Forward {
    pub(super) fn new(samples: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(samples);
        Self { input: fft.make_input_vec(), output: fft.make_output_vec(), scratch: fft.make_scratch_vec(), fft }
    }

    /// The spectrum of samples, zero-padded to the transform's length.
    pub(super) fn transform(&mut self, samples: &[f32]) -> &[Complex32] {
        let length = samples.len().min(self.input.len());
        self.input[..length].copy_from_slice(&samples[..length]);
        self.input[length..].fill(0.0);
        // All lengths are the plan's own: the only error that it knows cannot happen.
        let _ = self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch);
        &self.output
    }
}

/// An inverse transform of a fixed length, without the factor 1/length.
#[derive(Clone)]
pub(super) struct Inverse {
    fft: Arc<dyn ComplexToReal<f32>>,
    /// The spectrum to transform, from 0 Hz on; is overwritten.
    pub(super) input: Vec<Complex32>,
    output: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl Inverse {
    pub(super) fn new(samples: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_inverse(samples);
        Self { input: fft.make_input_vec(), output: fft.make_output_vec(), scratch: fft.make_scratch_vec(), fft }
    }

    /// Transforms `input`.
    pub(super) fn transform(&mut self) -> &[f32] {
        // A real signal's spectrum is real at both ends.
        for end in [0, self.input.len() - 1] {
            self.input[end].im = 0.0;
        }
        let _ = self.fft.process_with_scratch(&mut self.input, &mut self.output, &mut self.scratch);
        &self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_span_is_a_whole_number_of_samples_at_both_rates(
            seconds in 0.0f64..10.0, a in 1u32..200_000, b in 1u32..200_000,
        ) {
            let span = Span::at_least(seconds, Rate(a), Rate(b));
            prop_assert!(span.seconds() >= seconds);
            for rate in [a, b] {
                let samples = span.samples(Rate(rate)) as f64;
                prop_assert!((samples - span.seconds() * f64::from(rate)).abs() < 1e-6 * samples);
            }
        }
    }

    #[test]
    fn lengths_are_such_as_transform_fast() {
        assert_eq!([1, 7, 11, 97, 1_000_001].map(smooth), [2, 8, 12, 100, 1_012_500]);
    }
}
