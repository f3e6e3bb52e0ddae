//! Where parts of one recording are found in the other, to about a tenth of a millisecond.
//!
//! The shorter recording is cut into stretches, and each is correlated with all of the longer one, block by block
//! (overlap-save; Oppenheim & Schafer, Discrete-Time Signal Processing, section 8.7.3), below 4 kHz. Stretches are
//! short enough that clocks that drift apart by hundreds of ppm blur their peaks little, and long enough that each
//! still stands out of noise twenty times as strong.

use rayon::prelude::*;
use realfft::num_complex::Complex32;

use super::grid::{Forward, Inverse, Span, smooth};
use super::{Recording, Weighting, read_padded, seconds};
use crate::stats;

/// What is above says little more about where to look.
const HIGHEST_HZ: f64 = 4000.0;
/// What is below is mains hum, rumble and offset.
pub(super) const LOWEST_HZ: f64 = 20.0;
/// The longest stretch.
const STRETCH_S: f64 = 8.0;
/// How many stretches a recording gives at least, where each can have [`LEAST_STRETCH_S`].
const STRETCHES: f64 = 8.0;
const LEAST_STRETCH_S: f64 = 1.0;
/// A block of the longer recording holds so many stretches.
const STRETCHES_PER_BLOCK: f64 = 4.0;
/// Stretch against block so often at most: some seconds of work. Where all stretches would be more, they are taken at
/// even distances.
const MOST_CORRELATIONS: usize = 4000;
/// Of peaks nearer than this to each other the highest counts: drift blurs them by as much.
pub(super) const APART_S: f64 = 0.0025;
/// Lags are looked at so far out in any case: it takes many that are not the one to tell what stands out.
const LEAST_REACH_S: f64 = 5.0;
/// Fewer values tell nothing of how far the highest are out by chance.
const LEAST_FOR_TAIL: usize = 400;
/// Peaks kept per stretch.
const PEAKS: usize = 24;
/// How finely a spectrum's shape is known when it is flattened.
const SMOOTHING_HZ: f64 = 10.0;

/// A place where a stretch of the shorter recording fits the longer one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak {
    /// Which stretch, in order of time.
    pub(super) stretch: usize,
    /// The stretch's middle, in seconds of A.
    pub(super) at_s: f64,
    /// How much later it is in B.
    pub(super) lag_s: f64,
    /// The correlation coefficient, with its sign.
    pub(super) correlation: f64,
    /// Its size over the [`noise`] of all the stretch's correlation coefficients.
    pub(super) score: f64,
}

/// What a search gives.
#[derive(Debug)]
pub(super) struct Search {
    /// Peaks above [`Search::chance`].
    pub(super) peaks: Vec<Peak>,
    /// The score that the highest of as many values of Gaussian noise as were looked at hardly reaches.
    pub(super) chance: f64,
    /// How many stretches were looked for.
    pub(super) stretches: usize,
    /// What part of a stretch its neighbours do not hold.
    pub(super) news: f64,
    /// Whether anything at all sounds in A, and in B. What was not looked at may.
    pub(super) sounds: [bool; 2],
}

/// Looks for A in B, or for B in A if it is the shorter, at lags up to ± `most_s`.
pub(super) fn search<A, B>(a: &mut A, b: &mut B, weighting: Weighting, most_s: f64) -> Result<Search, A::Error>
where
    A: Recording,
    B: Recording<Error = A::Error>,
{
    let reach_s = most_s.max(LEAST_REACH_S);
    let swapped = seconds(a) > seconds(b);
    let mut found = if swapped { look_for(b, a, weighting, reach_s)? } else { look_for(a, b, weighting, reach_s)? };
    found.peaks.retain(|peak| peak.lag_s.abs() <= most_s + APART_S);
    if swapped {
        for peak in &mut found.peaks {
            (peak.at_s, peak.lag_s) = (peak.at_s + peak.lag_s, -peak.lag_s);
        }
        found.sounds.reverse();
    }
    Ok(found)
}

struct Stretch {
    start_s: f64,
    /// Weighted; times the block's it is the cross spectrum.
    spectrum: Vec<Complex32>,
    /// Lag and coefficient, unsorted.
    peaks: Vec<(f64, f32)>,
    /// Every so many of its coefficients, to tell their spread.
    sample: Vec<f64>,
    /// The greatest size in every so many spans of [`APART_S`], to tell how far the highest are out.
    maxima: Vec<f64>,
}

fn look_for<S, L>(short: &mut S, long: &mut L, weighting: Weighting, most_s: f64) -> Result<Search, S::Error>
where
    S: Recording,
    L: Recording<Error = S::Error>,
{
    let (short_s, long_s) = (seconds(short), seconds(long));
    let stretch_s = (short_s / STRETCHES).clamp(LEAST_STRETCH_S.min(short_s), STRETCH_S);
    let span = Span::at_least(stretch_s * STRETCHES_PER_BLOCK, short.rate(), long.rate());
    let hop_s = span.seconds() - stretch_s;
    let blocks = ((long_s + stretch_s) / hop_s).ceil().max(1.0);

    // Both spectra are cut at one bin; the correlation comes out at the rate that this asks for.
    let samples = [span.samples(short.rate()), span.samples(long.rate())];
    let highest_hz = HIGHEST_HZ.min(0.45 * short.rate().hz()).min(0.45 * long.rate().hz());
    let bins = smooth((highest_hz * span.seconds()).ceil() as u64) as usize;
    let bins = bins.min(samples[0] / 2).min(samples[1] / 2).max(1);
    let weigh = Weigh { weighting, lowest: (LOWEST_HZ * span.seconds()).ceil() as usize, half: smoothing(span) };
    let inverse = Inverse::new(2 * bins);
    let lag_hz = 2.0 * bins as f64 / span.seconds();
    let stretch_len = ((stretch_s * lag_hz) as usize).clamp(1, 2 * bins - 1);

    let mut stretches = Vec::new();
    let mut forward = Forward::new(samples[0]);
    let mut buffer = vec![0.0; ((stretch_s * short.rate().hz()) as usize).clamp(1, samples[0])];
    let mut sounds = [false, true];
    let starts = starts(short.samples(), buffer.len(), blocks);
    let news = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / buffer.len() as f64).fold(1.0, f64::min);
    for first in starts {
        read_padded(short, first, &mut buffer)?;
        if !centre(&mut buffer) {
            continue;
        }
        sounds[0] = true;
        taper(&mut buffer);
        let mut spectrum = forward.transform(&buffer)[..=bins].to_vec();
        weigh.apply(&mut spectrum);
        let energy: f64 = spectrum.iter().map(|bin| f64::from(bin.norm_sqr())).sum::<f64>() / bins as f64;
        let scale = (1.0 / energy.max(f64::MIN_POSITIVE).sqrt()) as f32;
        spectrum.iter_mut().for_each(|bin| *bin = bin.conj() * scale);
        let start_s = first as f64 / short.rate().hz();
        stretches.push(Stretch { start_s, spectrum, peaks: Vec::new(), sample: vec![], maxima: vec![] });
    }

    let lags = ((long_s + stretch_s).min(2.0 * most_s) * lag_hz).max(1.0);
    let cells = Cells {
        lag_hz,
        stretch_len,
        stride: (lags / 20_000.0).ceil() as usize,
        // Lower ones are not above chance in the end.
        least: (4.0 / (2.0 * (bins as f64 / span.seconds()) * stretch_s).sqrt()) as f32,
    };
    let mut forward = Forward::new(samples[1]);
    let mut buffer = vec![0.0; samples[1]];
    let hop = (hop_s * long.rate().hz()) as usize;
    let mut blocks_heard = Vec::new();
    let mut first = -((stretch_s * long.rate().hz()) as i64);
    while first < long.samples() as i64 && !stretches.is_empty() {
        let start_s = first as f64 / long.rate().hz();
        // Where in the block a stretch's lags are allowed.
        let allowed = |stretch: &Stretch| {
            let from = stretch.start_s - start_s - most_s;
            let of = |s: f64| (s * lag_hz).ceil().clamp(0.0, (2 * bins - stretch_len) as f64) as usize;
            of(from.max(0.0))..of((from + 2.0 * most_s).min(hop_s).max(0.0))
        };
        if stretches.iter().any(|stretch| !allowed(stretch).is_empty()) {
            read_padded(long, first, &mut buffer)?;
            let filled = (-first).max(0) as usize..((long.samples() as i64 - first) as usize).min(buffer.len());
            let heard = centre(&mut buffer[filled]);
            blocks_heard.push(heard);
            if heard {
                let mut spectrum = forward.transform(&buffer)[..=bins].to_vec();
                weigh.apply(&mut spectrum);
                let energies = energies(&spectrum, &mut inverse.clone(), stretch_len);
                stretches.par_iter_mut().for_each_init(
                    || inverse.clone(),
                    |inverse, stretch| {
                        let allowed = allowed(stretch);
                        if !allowed.is_empty() {
                            cells.collect(stretch, &spectrum, &energies, inverse, allowed, start_s);
                        }
                    },
                );
            }
        }
        first += hop.max(1) as i64;
    }
    sounds[1] = blocks_heard.is_empty() || blocks_heard.contains(&true);
    let chance = (2.0 * lags.ln()).max(0.0).sqrt() + 0.5;
    let count = stretches.len();
    let peaks = stretches.into_iter().enumerate().flat_map(|(n, s)| highest(n, s, stretch_s, &cells, chance)).collect();
    Ok(Search { peaks, chance, stretches: count, news, sounds })
}

/// The first samples of the stretches, half a stretch apart if that is not too much work.
fn starts(samples: u64, length: usize, blocks: f64) -> Vec<i64> {
    let room = (samples as i64 - length as i64).max(0);
    let most = (MOST_CORRELATIONS as f64 / blocks).max(STRETCHES) as i64;
    let count = (room / (length as i64 / 2).max(1)).min(most).max(0);
    (0..=count).map(|n| if count == 0 { 0 } else { (room as i128 * n as i128 / count as i128) as i64 }).collect()
}

/// Takes the mean out; says whether anything but a constant was there.
fn centre(samples: &mut [f32]) -> bool {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    samples.iter_mut().for_each(|x| *x -= mean as f32);
    let rms = (samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count).sqrt();
    rms > 1e-9 && rms > 1e-6 * mean.abs()
}

/// Raised cosines over a twentieth at both ends: an edge has a spectrum of its own.
fn taper(samples: &mut [f32]) {
    let ramp = samples.len() / 20;
    let last = samples.len() - 1;
    for n in 0..ramp {
        let gain = 0.5 - 0.5 * (std::f32::consts::PI * (n as f32 + 0.5) / ramp as f32).cos();
        samples[n] *= gain;
        samples[last - n] *= gain;
    }
}

fn smoothing(span: Span) -> usize {
    (0.5 * SMOOTHING_HZ * span.seconds()).ceil() as usize
}

/// How spectra are weighted before they are multiplied.
struct Weigh {
    weighting: Weighting,
    lowest: usize,
    half: usize,
}

impl Weigh {
    fn apply(&self, spectrum: &mut [Complex32]) {
        let lowest = self.lowest.min(spectrum.len());
        spectrum[..lowest].fill(Complex32::ZERO);
        match self.weighting {
            Weighting::Plain => {}
            Weighting::Phat => {
                let powers = spectrum.iter().map(|bin| f64::from(bin.norm_sqr())).collect();
                divide(spectrum, powers, 1e-12);
            }
            Weighting::Scot => {
                let smoothed = smooth_powers(spectrum, self.half);
                divide(spectrum, smoothed, 1e-6);
            }
        }
    }
}

/// Divides by the square root of powers; those below `floor` times the greatest are taken for that.
fn divide(spectrum: &mut [Complex32], powers: Vec<f64>, floor: f64) {
    let least = floor * powers.iter().copied().fold(0.0, f64::max) + f64::MIN_POSITIVE;
    for (bin, power) in spectrum.iter_mut().zip(powers) {
        *bin = Complex32::new(
            (f64::from(bin.re) / power.max(least).sqrt()) as f32,
            (f64::from(bin.im) / power.max(least).sqrt()) as f32,
        );
    }
}

/// The mean power over `half` bins to either side.
fn smooth_powers(spectrum: &[Complex32], half: usize) -> Vec<f64> {
    let mut sums = vec![0.0];
    for bin in spectrum {
        sums.push(sums[sums.len() - 1] + f64::from(bin.norm_sqr()));
    }
    let mean = |n: usize| {
        let (from, to) = (n.saturating_sub(half), (n + half + 1).min(spectrum.len()));
        (sums[to] - sums[from]) / (to - from) as f64
    };
    (0..spectrum.len()).map(mean).collect()
}

/// One over the root of the energy under a stretch at each lag, of the weighted block itself. Where it is next to
/// nothing, that of a hundredth of the block's mean.
fn energies(spectrum: &[Complex32], inverse: &mut Inverse, stretch_len: usize) -> Vec<f32> {
    inverse.input.copy_from_slice(spectrum);
    let samples = inverse.transform();
    let mut sums = vec![0.0];
    for &x in samples {
        sums.push(sums[sums.len() - 1] + f64::from(x).powi(2));
    }
    let whole = sums[samples.len()];
    let least = 0.01 * whole * stretch_len as f64 / samples.len() as f64 + f64::MIN_POSITIVE;
    (0..samples.len() - stretch_len)
        .map(|lag| (1.0 / (sums[lag + stretch_len] - sums[lag]).max(least).sqrt()) as f32)
        .collect()
}

/// How coefficients are looked through.
struct Cells {
    lag_hz: f64,
    stretch_len: usize,
    stride: usize,
    least: f32,
}

impl Cells {
    /// Correlates a stretch with a block, and keeps the highest coefficients, one per [`APART_S`].
    fn collect(
        &self,
        stretch: &mut Stretch,
        block: &[Complex32],
        energies: &[f32],
        inverse: &mut Inverse,
        allowed: std::ops::Range<usize>,
        block_s: f64,
    ) {
        for ((product, s), b) in inverse.input.iter_mut().zip(&stretch.spectrum).zip(block) {
            *product = s * b;
        }
        let values = inverse.transform();
        let end = allowed.end.min(energies.len()).min(values.len() - self.stretch_len + 1);
        let from = allowed.start.min(end);
        let coefficient = |lag: usize| values[lag] * energies[lag];
        stretch.sample.extend((from..end).step_by(self.stride).map(|lag| f64::from(coefficient(lag))));
        let cell = self.cell();
        let known = stretch.peaks.len();
        for (n, start) in (from..end).step_by(cell).enumerate() {
            let lags = start..(start + cell).min(end);
            let best = lags.max_by(|&x, &y| coefficient(x).abs().total_cmp(&coefficient(y).abs())).unwrap_or(start);
            if n % self.stride == 0 {
                stretch.maxima.push(f64::from(coefficient(best).abs()));
            }
            if coefficient(best).abs() > self.least {
                let lag_s = block_s + best as f64 / self.lag_hz - stretch.start_s;
                stretch.peaks.push((lag_s, coefficient(best)));
            }
        }
        let news = &mut stretch.peaks[known..];
        news.sort_by(|x, y| y.1.abs().total_cmp(&x.1.abs()));
        stretch.peaks.truncate(known + 4 * PEAKS);
    }

    fn cell(&self) -> usize {
        ((APART_S * self.lag_hz) as usize).max(1)
    }
}

/// The highest peaks of a stretch that are above chance and apart from each other.
fn highest(index: usize, mut stretch: Stretch, stretch_s: f64, cells: &Cells, chance: f64) -> Vec<Peak> {
    let noise = noise(&stretch, cells, chance);
    stretch.peaks.sort_by(|x, y| y.1.abs().total_cmp(&x.1.abs()));
    let mut kept: Vec<Peak> = Vec::new();
    for (lag_s, correlation) in stretch.peaks {
        let correlation = f64::from(correlation);
        let score = correlation.abs() / noise;
        if score < chance || kept.len() == PEAKS {
            break;
        }
        if kept.iter().all(|peak| (peak.lag_s - lag_s).abs() >= APART_S) {
            kept.push(Peak { stretch: index, at_s: stretch.start_s + stretch_s / 2.0, lag_s, correlation, score });
        }
    }
    kept
}

/// What a stretch's coefficients are measured by: their robust standard deviation; more, if their highest are further
/// out by chance than those of Gaussian noise. Syllables and notes that happen to be alike do that: the greatest of
/// many spans then follow an extreme-value distribution (Gumbel 1958) with a longer tail, which is fitted to their upper
/// tenth and carried on to as many spans as there are.
fn noise(stretch: &Stretch, cells: &Cells, chance: f64) -> f64 {
    // Independent noise of the band cannot spread less; a stretch of silence in the other recording can.
    let sd = stats::robust_sd(&stretch.sample).unwrap_or(0.0).max(f64::from(cells.least) / 4.0);
    let maxima = stats::sorted(&stretch.maxima);
    let (Some(high), Some(highest)) = (stats::quantile(&maxima, 0.9), stats::quantile(&maxima, 0.99)) else {
        return sd;
    };
    if maxima.len() < LEAST_FOR_TAIL {
        return sd;
    }
    // With location 0 and scale 1 these quantiles are 2.25 and 4.60; that of 1 − 0.05/n is ln n + 3.
    let scale = (highest - high) / (4.60 - 2.25);
    let spans = (maxima.len() * cells.stride) as f64;
    let by_chance = highest + scale * (spans.ln() + 3.0 - 4.60);
    sd.max(by_chance / chance)
}
