//! The matched-filter bank: one forward transform a block, shared by all codes (overlap-save; Oppenheim & Schafer,
//! Discrete-Time Signal Processing, section 8.7.3).
//!
//! A voice has nothing above 5.2 kHz, so only the lower bins of the spectrum are kept, and the correlations come out
//! at about 12 kHz whatever the recording's rate. Nothing is lost by that: sampled above twice their bandwidth, they
//! can be evaluated anywhere between their samples.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::units::Rate;

/// The correlations come out at no less than this, in Hz.
const LEAST_RATE_HZ: u32 = 11_900;
/// The transform is this many times as long as the template, so that little of it is overlap.
const BLOCKS_PER_TEMPLATE: usize = 5;

/// Correlates a stream with templates, block by block.
pub(super) struct Bank {
    decimation: usize,
    /// Valid correlation values that a block gives.
    hop: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    templates: Vec<Template>,
    template_samples: usize,
    input: Vec<f32>,
    scratch: Scratch,
}

struct Template {
    /// Conjugated and scaled: the product with a block's spectrum gives `Σ x·t / ‖t‖`.
    spectrum: Vec<Complex32>,
}

struct Scratch {
    block: Vec<f32>,
    spectrum: Vec<Complex32>,
    product: Vec<Complex32>,
    output: Vec<f32>,
    forward: Vec<Complex32>,
    inverse: Vec<Complex32>,
}

/// What a block gives, at the decimated rate.
pub(super) struct Correlations<'a> {
    /// Per template: `Σ x·t / ‖t‖` at each lag.
    pub(super) values: &'a [Vec<f32>],
    /// The energy of the signal under the template at each lag: ρ = value / √energy.
    pub(super) energy: &'a [f32],
}

impl Bank {
    /// A bank for a recording at `rate`; all templates are rendered at that rate.
    pub(super) fn new(rate: Rate, templates: &[Vec<f32>]) -> Self {
        let decimation = (rate.0 / LEAST_RATE_HZ).max(1) as usize;
        let template_samples = templates.iter().map(Vec::len).max().unwrap_or(1);
        let decimated = (template_samples.div_ceil(decimation) * BLOCKS_PER_TEMPLATE).next_power_of_two().max(4096);
        let fft_samples = decimated * decimation;
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(fft_samples);
        let inverse = planner.plan_fft_inverse(decimated);
        let scratch = Scratch {
            block: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            product: inverse.make_input_vec(),
            output: inverse.make_output_vec(),
            forward: forward.make_scratch_vec(),
            inverse: inverse.make_scratch_vec(),
        };
        let mut bank = Self {
            decimation,
            hop: decimated - template_samples.div_ceil(decimation),
            forward,
            inverse,
            templates: Vec::new(),
            template_samples: template_samples.div_ceil(decimation) * decimation,
            input: Vec::new(),
            scratch,
        };
        for samples in templates {
            let energy: f64 = samples.iter().map(|&t| f64::from(t).powi(2)).sum();
            bank.load(samples);
            bank.transform();
            let scale = (1.0 / (fft_samples as f64 * energy.max(f64::MIN_POSITIVE).sqrt())) as f32;
            let bins = decimated / 2 + 1;
            let spectrum = bank.scratch.spectrum[..bins].iter().map(|bin| bin.conj() * scale).collect();
            bank.templates.push(Template { spectrum });
        }
        bank
    }

    /// How many samples of the recording one value of a correlation stands for.
    pub(super) fn decimation(&self) -> usize {
        self.decimation
    }

    /// The template's length at the decimated rate, in samples: the number of terms under each coefficient.
    pub(super) fn template_len(&self) -> usize {
        self.template_samples / self.decimation
    }

    /// Takes samples; calls `found` for each block of correlations that they complete, in order and without gaps.
    /// The first value of the first block is lag 0.
    pub(super) fn push(&mut self, samples: &[f32], found: &mut impl FnMut(Correlations<'_>)) {
        self.input.extend_from_slice(samples);
        let block = self.scratch.block.len();
        let hop = self.hop * self.decimation;
        let mut start = 0;
        while self.input.len() - start >= block {
            self.correlate(start, found);
            start += hop;
        }
        self.input.drain(..start);
    }

    /// Ends the stream, as if it went on in silence: every lag at which a whole template fits comes out.
    pub(super) fn finish(&mut self, found: &mut impl FnMut(Correlations<'_>)) {
        let block = self.scratch.block.len();
        let hop = self.hop * self.decimation;
        let mut start = 0;
        while start < self.input.len() {
            let end = start + block;
            if self.input.len() < end {
                self.input.resize(end, 0.0);
                self.correlate(start, found);
                break;
            }
            self.correlate(start, found);
            start += hop;
        }
        self.input.clear();
    }

    fn load(&mut self, samples: &[f32]) {
        self.scratch.block[..samples.len()].copy_from_slice(samples);
        self.scratch.block[samples.len()..].fill(0.0);
    }

    fn transform(&mut self) {
        let Scratch { block, spectrum, forward, .. } = &mut self.scratch;
        // All lengths are the plan's own: the only error that these calls know cannot happen.
        let _ = self.forward.process_with_scratch(block, spectrum, forward);
    }

    fn correlate(&mut self, start: usize, found: &mut impl FnMut(Correlations<'_>)) {
        let block = self.scratch.block.len();
        self.scratch.block.copy_from_slice(&self.input[start..start + block]);
        self.transform();
        let energy = self.energies();
        let mut values = Vec::with_capacity(self.templates.len());
        for template in &self.templates {
            let Scratch { spectrum, product, output, inverse, .. } = &mut self.scratch;
            for ((product, x), t) in product.iter_mut().zip(spectrum.iter()).zip(&template.spectrum) {
                *product = x * t;
            }
            invert(&*self.inverse, product, output, inverse);
            values.push(output[..self.hop].to_vec());
        }
        found(Correlations { values: &values, energy: &energy });
    }

    /// The energy under the template at each lag, from the band-limited signal itself.
    fn energies(&mut self) -> Vec<f32> {
        let Scratch { spectrum, product, output, inverse, block, .. } = &mut self.scratch;
        let scale = 1.0 / block.len() as f32;
        for (product, x) in product.iter_mut().zip(spectrum.iter()) {
            *product = x * scale;
        }
        invert(&*self.inverse, product, output, inverse);
        let terms = self.template_samples / self.decimation;
        // The forward transform's grid is finer by the decimation: so many samples stand under one term.
        let grid = self.decimation as f64;
        let square = |x: f32| f64::from(x).powi(2) * grid;
        let mut sum: f64 = output[..terms].iter().map(|&x| square(x)).sum();
        (0..self.hop)
            .map(|lag| {
                let energy = sum.max(0.0) as f32;
                if lag + terms < output.len() {
                    sum += square(output[lag + terms]) - square(output[lag]);
                }
                energy
            })
            .collect()
    }
}

fn invert(inverse: &dyn ComplexToReal<f32>, product: &mut [Complex32], output: &mut [f32], scratch: &mut [Complex32]) {
    // A real signal's spectrum is real at both ends; rounding and the cut at half the rate leave a rest.
    product[0].im = 0.0;
    if let Some(last) = product.last_mut() {
        last.im = 0.0;
    }
    let _ = inverse.process_with_scratch(product, output, scratch);
}
