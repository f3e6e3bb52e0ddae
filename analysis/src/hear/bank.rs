//! The matched-filter bank: one forward transform shared by all codes (overlap-save; Oppenheim & Schafer,
//! Discrete-Time Signal Processing, section 8.7.3).
//!
//! Two successive blocks are transformed at once, as the real and the imaginary part of one: templates are real, so
//! their correlations come out in the same two parts, and nothing has to be taken apart in between.
//!
//! A voice has nothing above 5.2 kHz, so only the lower bins of the spectrum are kept, and the correlations come out
//! at about 12 kHz whatever the recording's rate. Nothing is lost by that: sampled above twice their bandwidth, they
//! can be evaluated anywhere between their samples.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use crate::units::Rate;

/// The correlations come out at no less than this, in Hz.
const LEAST_RATE_HZ: u32 = 11_900;
/// A block is so many times as long as the template: longer ones overlap less and leave the processor's cache sooner.
const TEMPLATES_PER_BLOCK: f64 = 4.25;
const LEAST_BLOCK: usize = 4096;

/// Correlates recordings with templates, two blocks at a time.
pub(super) struct Bank {
    decimation: usize,
    template_len: usize,
    /// Per template, conjugated and scaled: its product with a block's spectrum gives `Σ x·t / ‖t‖`.
    templates: Vec<Spectrum>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// Of the last two blocks.
    spectrum: Spectrum,
    block: Vec<Complex32>,
    output: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// The bins that stand for frequencies below half of the decimated rate.
struct Spectrum {
    /// Of the frequencies from 0 up.
    rising: Vec<Complex32>,
    /// Of the negative frequencies, in the order of a transform's output: the lowest first.
    negative: Vec<Complex32>,
}

impl Bank {
    /// A bank for a recording at `rate`; all templates are rendered at that rate.
    pub(super) fn new(rate: Rate, templates: &[Vec<f32>]) -> Self {
        let least = |template_len: usize| (template_len as f64 * TEMPLATES_PER_BLOCK) as usize;
        Self::of_blocks(rate, templates, |template_len| smooth(least(template_len)).max(LEAST_BLOCK))
    }

    /// A bank for [`look_at`](Self::look_at), which gives at least so many values at a time.
    pub(super) fn prompt(rate: Rate, templates: &[Vec<f32>], values: usize) -> Self {
        Self::of_blocks(rate, templates, |template_len| smooth(template_len + values))
    }

    /// `block` says how long a block is, given a template's length, both at the decimated rate.
    fn of_blocks(rate: Rate, templates: &[Vec<f32>], block: impl Fn(usize) -> usize) -> Self {
        let decimation = Self::decimation_at(rate);
        let longest = templates.iter().map(Vec::len).max().unwrap_or(1);
        let template_len = longest.div_ceil(decimation);
        let decimated = block(template_len);
        let mut planner = FftPlanner::new();
        let forward = planner.plan_fft_forward(decimated * decimation);
        let inverse = planner.plan_fft_inverse(decimated);
        let scratch_len = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        let zero = Complex32::default();
        let mut bank = Self {
            decimation,
            template_len,
            templates: Vec::new(),
            spectrum: Spectrum { rising: vec![zero; decimated / 2], negative: vec![zero; decimated / 2 - 1] },
            block: vec![zero; forward.len()],
            output: vec![zero; decimated],
            scratch: vec![zero; scratch_len],
            forward,
            inverse,
        };
        for samples in templates {
            let energy: f64 = samples.iter().map(|&t| f64::from(t).powi(2)).sum();
            let scale = (1.0 / (bank.block.len() as f64 * energy.max(f64::MIN_POSITIVE).sqrt())) as f32;
            bank.block.fill(zero);
            bank.block.iter_mut().zip(samples).for_each(|(bin, &t)| bin.re = t);
            bank.transform();
            let template = |bins: &[Complex32]| bins.iter().map(|bin| bin.conj() * scale).collect();
            bank.templates.push(Spectrum {
                rising: template(&bank.spectrum.rising),
                negative: template(&bank.spectrum.negative),
            });
        }
        bank
    }

    /// How many samples of a recording at `rate` one value of a correlation stands for.
    pub(super) fn decimation_at(rate: Rate) -> usize {
        (rate.0 / LEAST_RATE_HZ).max(1) as usize
    }

    /// How many samples of the recording one value of a correlation stands for.
    pub(super) fn decimation(&self) -> usize {
        self.decimation
    }

    /// The template's length at the decimated rate, in samples: the number of terms under each coefficient.
    pub(super) fn template_len(&self) -> usize {
        self.template_len
    }

    /// How many templates there are.
    pub(super) fn templates(&self) -> usize {
        self.templates.len()
    }

    /// How many samples of the recording [`advance`](Self::advance) goes forward by.
    pub(super) fn step(&self) -> usize {
        2 * self.hop() * self.decimation
    }

    /// The lengths of the forward and of the inverse transform.
    pub(super) fn transforms(&self) -> (usize, usize) {
        (self.block.len(), self.output.len())
    }

    /// How many samples two blocks need.
    pub(super) fn needed(&self) -> usize {
        self.hop() * self.decimation + self.block.len()
    }

    /// Transforms the next two blocks of a recording, if all of their samples are there, and drops those that no later
    /// block needs.
    pub(super) fn advance(&mut self, input: &mut Vec<f32>) -> bool {
        if input.len() < self.needed() {
            return false;
        }
        let hop = self.hop() * self.decimation;
        for (bin, (&re, &im)) in self.block.iter_mut().zip(input.iter().zip(&input[hop..])) {
            *bin = Complex32 { re, im };
        }
        self.transform();
        input.drain(..2 * hop);
        true
    }

    /// The length of a block of the recording.
    pub(super) fn block_len(&self) -> usize {
        self.block.len()
    }

    /// Transforms one block alone: what its correlations and its signal are stands in their real parts.
    pub(super) fn look_at(&mut self, samples: impl Iterator<Item = f32>) {
        self.block.fill(Complex32::default());
        self.block.iter_mut().zip(samples).for_each(|(bin, re)| bin.re = re);
        self.transform();
    }

    /// The correlation of the two blocks with a template: `Σ x·t / ‖t‖` at as many lags of the first one (real parts)
    /// and of the second (imaginary parts) as no lag is left out between them.
    pub(super) fn correlation(&mut self, template: usize) -> &[Complex32] {
        multiply(&mut self.output, &self.spectrum, &self.templates[template]);
        self.inverse.process_with_scratch(&mut self.output, &mut self.scratch);
        &self.output[..self.hop()]
    }

    /// The two blocks at the decimated rate, scaled so that they keep their energy. All of their samples: they overlap
    /// by a template's length.
    pub(super) fn signal(&mut self) -> &[Complex32] {
        self.band_limited((self.decimation as f64).sqrt() as f32 / self.block.len() as f32)
    }

    /// The spectrum's signal at the decimated rate, times `scale`.
    fn band_limited(&mut self, scale: f32) -> &[Complex32] {
        let (rising, rest) = self.output.split_at_mut(self.spectrum.rising.len());
        rest[0] = Complex32::default();
        for (output, bin) in rising.iter_mut().zip(&self.spectrum.rising) {
            *output = bin * scale;
        }
        for (output, bin) in rest[1..].iter_mut().zip(&self.spectrum.negative) {
            *output = bin * scale;
        }
        self.inverse.process_with_scratch(&mut self.output, &mut self.scratch);
        &self.output
    }

    /// The correlation with a template of another one, of energy 1, at lags from −`template_len` to `template_len`.
    pub(super) fn cross(&mut self, template: usize, sounding: usize) -> impl Iterator<Item = f32> {
        let scale = self.block.len() as f32;
        let alone = |bins: &[Complex32]| bins.iter().map(|bin| bin.conj() * scale).collect();
        let Spectrum { rising, negative } = &self.templates[sounding];
        let x = Spectrum { rising: alone(rising), negative: alone(negative) };
        multiply(&mut self.output, &x, &self.templates[template]);
        self.inverse.process_with_scratch(&mut self.output, &mut self.scratch);
        let before = self.output.len() - self.template_len;
        self.output[before..].iter().chain(&self.output[..=self.template_len]).map(|value| value.re)
    }

    /// A template at the decimated rate, with energy 1.
    pub(super) fn template(&mut self, template: usize) -> Vec<f32> {
        let Spectrum { rising, negative } = &self.templates[template];
        let scale = (self.decimation as f64).sqrt() as f32;
        let bins = |bins: &[Complex32]| bins.iter().map(|bin| bin.conj() * scale).collect();
        self.spectrum = Spectrum { rising: bins(rising), negative: bins(negative) };
        let template_len = self.template_len;
        self.band_limited(1.0)[..template_len].iter().map(|sample| sample.re).collect()
    }

    /// Values that a block gives.
    pub(super) fn hop(&self) -> usize {
        self.output.len() - self.template_len
    }

    fn transform(&mut self) {
        self.forward.process_with_scratch(&mut self.block, &mut self.scratch);
        let Spectrum { rising, negative } = &mut self.spectrum;
        let first_negative = self.block.len() - negative.len();
        rising.iter_mut().zip(&self.block).for_each(|(to, bin)| *to = *bin);
        negative.copy_from_slice(&self.block[first_negative..]);
    }
}

/// The product of two spectra, as a transform's input. The bin at half the rate is nobody's.
fn multiply(output: &mut [Complex32], x: &Spectrum, t: &Spectrum) {
    let (rising, rest) = output.split_at_mut(x.rising.len());
    rest[0] = Complex32::default();
    for (output, x, t) in [(rising, &x.rising, &t.rising), (&mut rest[1..], &x.negative, &t.negative)] {
        for ((output, x), t) in output.iter_mut().zip(x).zip(t) {
            *output = x * t;
        }
    }
}

/// The least product of twos and threes from `least` on: those are transformed fastest. At least a half of it is even.
fn smooth(least: usize) -> usize {
    let powers_of_three = (0..5).map(|power| 3usize.pow(power));
    powers_of_three.map(|odd| odd * least.div_ceil(odd).max(2).next_power_of_two()).min().unwrap_or(least)
}
