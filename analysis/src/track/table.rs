//! A pilot as it is compared with a recording: rendered once, at the rate of tracking.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::input::{EMPHASIS, decimated};
use crate::hear::peak::{REACH, taps};
use crate::signal::{Code, Family, Pilot, Waveform};
use crate::units::Rate;

/// The table goes on around its period by this much, so that no stretch that is looked at falls apart at its ends.
const BEFORE_SECONDS: f64 = 0.75;
const AFTER_SECONDS: f64 = 1.75;
/// A search of the whole period works with every fourth sample …
pub(super) const COARSE: usize = 4;
/// … of a block of so many of them (0.7 s) …
pub(super) const COARSE_BLOCK: usize = 2048;
/// … by transforms of this length.
const TRANSFORM: usize = 8192;

/// One code's pilot.
pub(super) struct Table {
    samples: Vec<f32>,
    before: usize,
    /// Samples in a second.
    pub(super) hz: f64,
    /// Samples in a period.
    pub(super) period: f64,
    coarse: Coarse,
}

struct Coarse {
    /// From each position on, 1 by the norm of a block.
    scale: Vec<f32>,
    /// Of pieces that overlap by a block.
    spectra: Vec<Vec<Complex32>>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// A table that several use; the first who looks at it makes it.
pub(super) type Shared = Arc<LazyLock<Table, Box<dyn FnOnce() -> Table + Send>>>;

/// The pilot of a code, for a recording at `rate` of which one in `ratio` samples is kept: one for all who track it at the
/// same time, since it takes longer to make than to track a minute with.
pub(super) fn shared(code: Code, rate: Rate, ratio: usize) -> Shared {
    type Tables = BTreeMap<(Code, u32, usize), Weak<LazyLock<Table, Box<dyn FnOnce() -> Table + Send>>>>;
    static TABLES: Mutex<Tables> = Mutex::new(Tables::new());
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    tables.retain(|_, table| table.strong_count() > 0);
    let key = (code, rate.0, ratio);
    tables.get(&key).and_then(Weak::upgrade).unwrap_or_else(|| {
        let table: Shared = Arc::new(LazyLock::new(Box::new(move || Table::new(code, rate, ratio))));
        tables.insert(key, Arc::downgrade(&table));
        table
    })
}

impl Table {
    fn new(code: Code, rate: Rate, ratio: usize) -> Self {
        let hz = rate.hz() / ratio as f64;
        let period = Pilot::PERIOD.as_secs_f64() * hz;
        let before = (BEFORE_SECONDS * hz) as usize;
        let mut samples = vec![0.0; before + period.ceil() as usize + (AFTER_SECONDS * hz) as usize];
        let band = Rate(hz as u32);
        if let Waveform::Pilot(pilot) = Waveform::new(Family::Pilot, code) {
            pilot.endless(-(before as f64 + 1.0) / hz, hz, band, &mut samples);
        }
        for n in 1..samples.len() {
            samples[n - 1] = samples[n] - EMPHASIS * samples[n - 1];
        }
        samples.pop();
        let coarse = Coarse::new(decimated(&samples[before..], COARSE), period);
        Self { samples, before, hz, period, coarse }
    }

    /// The pilot from a position on, in samples since its beginning, and its slope per sample.
    pub(super) fn at(&self, position: f64, out: &mut [f32], slope: &mut [f32]) {
        let position = position.rem_euclid(self.period);
        let fraction = position.fract();
        let (low, high) = ((fraction - 1.0 / 32.0).max(0.0), (fraction + 1.0 / 32.0).min(1.0));
        let (taps, low_taps, high_taps) = (tabled(fraction), tabled(low), tabled(high));
        let rise: [f32; 2 * REACH] = std::array::from_fn(|n| (high_taps[n] - low_taps[n]) / (high - low) as f32);
        let first = self.before + position as usize + 1 - REACH;
        for (n, (value, slope)) in out.iter_mut().zip(slope).enumerate() {
            let Some(window) = self.samples.get(first + n..first + n + 2 * REACH) else { break };
            let (mut sums, mut slopes) = ([0.0f32; 8], [0.0f32; 8]);
            for (chunk, (taps, rises)) in window.chunks_exact(8).zip(taps.chunks_exact(8).zip(rise.chunks_exact(8))) {
                for lane in 0..8 {
                    sums[lane] += chunk[lane] * taps[lane];
                    slopes[lane] += chunk[lane] * rises[lane];
                }
            }
            (*value, *slope) = (sums.iter().sum(), slopes.iter().sum());
        }
    }

    /// Whole samples from a position on, which may be up to 0.75 s before the beginning of the period.
    pub(super) fn stretch(&self, position: i64, length: usize) -> &[f32] {
        let from = usize::try_from(position + self.before as i64).unwrap_or(0).min(self.samples.len());
        &self.samples[from..(from + length).min(self.samples.len())]
    }

    /// Where in the whole period a block of coarse samples fits: `most` positions with their coefficients ρ, the best
    /// first, at least a few samples apart. Positions are in samples.
    pub(super) fn search(&self, block: &[f32], most: usize) -> Vec<(f64, f32)> {
        self.coarse.search(block, most).into_iter().map(|(at, rho)| ((at * COARSE) as f64, rho)).collect()
    }
}

impl Coarse {
    fn new(mut samples: Vec<f32>, period: f64) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(TRANSFORM), planner.plan_fft_inverse(TRANSFORM));
        samples.truncate((period / COARSE as f64).ceil() as usize + COARSE_BLOCK);
        let mut spectra = Vec::new();
        for start in (0..samples.len() - COARSE_BLOCK).step_by(TRANSFORM - COARSE_BLOCK) {
            let mut piece = forward.make_input_vec();
            let end = (start + TRANSFORM).min(samples.len());
            piece[..end - start].copy_from_slice(&samples[start..end]);
            let mut spectrum = forward.make_output_vec();
            // The lengths are the plan's own, so the transform cannot fail.
            let _ = forward.process(&mut piece, &mut spectrum);
            spectra.push(spectrum);
        }
        Self { scale: scale(&samples), spectra, forward, inverse }
    }

    fn search(&self, block: &[f32], most: usize) -> Vec<(usize, f32)> {
        let mut padded = self.forward.make_input_vec();
        let length = block.len().min(COARSE_BLOCK);
        padded[..length].copy_from_slice(&block[..length]);
        let norm = block.iter().map(|x| x * x).sum::<f32>().sqrt() * TRANSFORM as f32;
        let mut own = self.forward.make_output_vec();
        let _ = self.forward.process(&mut padded, &mut own);
        let (mut product, mut lags) = (self.inverse.make_input_vec(), self.inverse.make_output_vec());
        let mut scratch = self.inverse.make_scratch_vec();
        let mut best = Best::of(most);
        let pieces = self.scale.chunks(TRANSFORM - COARSE_BLOCK).zip(&self.spectra);
        for (piece, (scale, spectrum)) in pieces.enumerate() {
            for (product, (a, b)) in product.iter_mut().zip(spectrum.iter().zip(&own)) {
                *product = a * b.conj();
            }
            product[0].im = 0.0;
            product[TRANSFORM / 2].im = 0.0;
            let _ = self.inverse.process_with_scratch(&mut product, &mut lags, &mut scratch);
            let start = piece * (TRANSFORM - COARSE_BLOCK);
            for (at, (value, scale)) in (start..).zip(lags.iter().zip(scale)) {
                best.offer(at, value * scale / norm);
            }
        }
        let mut best = best.found;
        best.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        best
    }
}

/// From each position on at which a block fits, 1 by the block's norm.
fn scale(samples: &[f32]) -> Vec<f32> {
    let power = |n: usize| f64::from(samples[n]).powi(2);
    let mut energy: f64 = (0..COARSE_BLOCK).map(power).sum();
    let positions = 0..samples.len() - COARSE_BLOCK;
    positions
        .map(|at| {
            let scale = 1.0 / energy.max(1e-12).sqrt();
            energy += power(at + COARSE_BLOCK) - power(at);
            scale as f32
        })
        .collect()
}

/// Steps of [`tabled`]: half a step away, a value in the voice's band is right to 0.3 %.
const STEPS: usize = 512;

/// [`taps`] from a table.
fn tabled(fraction: f64) -> &'static [f32; 2 * REACH] {
    static TABLE: LazyLock<Vec<[f32; 2 * REACH]>> =
        LazyLock::new(|| (0..=STEPS).map(|n| taps(n as f64 / STEPS as f64).map(|tap| tap as f32)).collect());
    &TABLE[(fraction * STEPS as f64).round() as usize]
}

/// Coarse samples between two peaks that are held to be two.
const APART: usize = 6;

/// The positions with the greatest |ρ|, so many of them.
struct Best {
    most: usize,
    found: Vec<(usize, f32)>,
    /// What the next must exceed.
    least: f32,
}

impl Best {
    fn of(most: usize) -> Self {
        Self { most, found: Vec::with_capacity(most), least: 0.0 }
    }

    fn offer(&mut self, at: usize, rho: f32) {
        // False for what is no number, too.
        if rho.abs() > self.least && rho.is_finite() {
            self.take(at, rho);
        }
    }

    fn take(&mut self, at: usize, rho: f32) {
        let (near, full) = (self.found.iter().position(|(other, _)| other.abs_diff(at) < APART), self.found.len());
        let lowest = (0..full).min_by(|&a, &b| self.found[a].1.abs().total_cmp(&self.found[b].1.abs()));
        match (near, lowest) {
            (Some(near), _) if rho.abs() > self.found[near].1.abs() => self.found[near] = (at, rho),
            (Some(_), _) => {}
            (None, Some(lowest)) if full >= self.most => self.found[lowest] = (at, rho),
            (None, _) => self.found.push((at, rho)),
        }
        if self.found.len() >= self.most {
            self.least = self.found.iter().map(|(_, rho)| rho.abs()).fold(f32::INFINITY, f32::min);
        }
    }
}
