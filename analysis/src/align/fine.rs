//! The lag between samples: generalised cross-correlation of short windows that follow a line, at the full rate.
//!
//! Windows are a quarter of a second, so that clocks that drift apart do not blur them; their spectra are turned to the
//! line's lag before they are averaged. Twice: the second time along the line that the first has found.

use realfft::num_complex::{Complex32, Complex64};

use super::agree::Line;
use super::grid::{Forward, Inverse, Span, smooth};
use super::search::LOWEST_HZ;
use super::weighting::{Coherence, Spectra, hann, turn, worth_s};
use super::{Recording, Weighting, read_padded, seconds};
use crate::hear::peak::{self, Peak, REACH};
use crate::stats;

const WINDOW_S: f64 = 0.25;
/// The recordings' time in common is divided into so many parts, each of which has a lag of its own.
const PARTS: usize = 40;
const LEAST_WINDOWS_PER_PART: usize = 4;
/// Of a longer part, its middle.
const MOST_WINDOWS_PER_PART: usize = 100;
/// Coherence is averaged over so many bins to either side: 64 Hz.
const HALF: usize = 8;
/// How far from a line that is known a peak may be, and how much further for every second of an unknown drift.
const WITHIN_S: f64 = 0.001;
const UNKNOWN_DRIFT: f64 = 300e-6;
/// A part's peak that is less clear than this does not count.
const CLEAR: f64 = 6.0;
/// A drift that is less exactly known is noise.
pub(super) const DRIFT_WITHIN_PPM: f64 = 10.0;
/// Interpolation is no better than this, in samples.
const LEAST_SD_SAMPLES: f64 = 0.001;
/// Correlation is looked for other peaks so far away: beyond, the search has found them.
const ASIDE_S: f64 = 0.0025;
/// Lower ones are a band's own side lobes.
const LEAST_ASIDE: f64 = 0.5;

/// A lag between samples.
#[derive(Clone, Debug)]
pub(super) struct Fine {
    /// At the middle of the time in common.
    pub(super) line: Line,
    pub(super) sd_s: f64,
    /// 1.96 of it bound the slope; `None` if too few parts count.
    pub(super) slope_sd: Option<f64>,
    pub(super) inverted: bool,
    pub(super) weighting: Weighting,
    pub(super) coherence: Coherence,
    pub(super) common_s: f64,
    /// Other peaks near by: how much later, their height over the highest one's, and whether they are of the other
    /// sign than it.
    pub(super) aside: Vec<(f64, f64, bool)>,
}

/// Refines a line. `None` if the recordings have too little in common there.
pub(super) fn refine<A, B>(
    a: &mut A,
    b: &mut B,
    line: Line,
    sloped: bool,
    weighting: Option<Weighting>,
) -> Result<Option<Fine>, A::Error>
where
    A: Recording,
    B: Recording<Error = A::Error>,
{
    let Some(plan) = Plan::new(a, b, &line) else { return Ok(None) };
    let margin_s = if sloped { 0.0 } else { UNKNOWN_DRIFT * plan.common_s / 2.0 };
    let first = plan.gather(a, b, &line)?.look(WITHIN_S + margin_s, weighting);
    let line = first.line(&line, plan.middle_s);
    let gathered = plan.gather(a, b, &line)?;
    Ok(gathered.look(WITHIN_S, weighting).fine(&line, &plan))
}

/// Which windows are looked at.
struct Plan {
    span: Span,
    window_s: f64,
    /// First sample in A and number of windows of each part.
    parts: Vec<(u64, usize)>,
    /// Samples of A from one window to the next.
    hop: usize,
    common_s: f64,
    middle_s: f64,
}

impl Plan {
    fn new(a: &impl Recording, b: &impl Recording, line: &Line) -> Option<Self> {
        let from_s = (-line.lag_s).max(0.0);
        let common_s = seconds(a).min(seconds(b) - line.lag_s) - from_s;
        let window_s = WINDOW_S.min(common_s);
        let hop = (0.5 * window_s * a.rate().hz()) as usize;
        // Less than that cannot be interpolated.
        if hop < 2 * REACH || window_s * b.rate().hz() < 2.0 * REACH as f64 {
            return None;
        }
        let from = (from_s * a.rate().hz()) as u64;
        let windows = (((common_s - window_s) * a.rate().hz()) as usize / hop) + 1;
        let count = (windows / LEAST_WINDOWS_PER_PART).clamp(1, PARTS);
        let part = |n: usize| {
            let (first, end) = (n * windows / count, (n + 1) * windows / count);
            let taken = (end - first).min(MOST_WINDOWS_PER_PART);
            (from + ((first + (end - first - taken) / 2) * hop) as u64, taken)
        };
        Some(Self {
            span: Span::at_least(window_s, a.rate(), b.rate()),
            window_s,
            parts: (0..count).map(part).collect(),
            hop,
            common_s,
            middle_s: from_s + common_s / 2.0,
        })
    }

    /// Averages the windows' spectra, with B's turned to the line.
    fn gather<A, B>(&self, a: &mut A, b: &mut B, line: &Line) -> Result<Gathered, A::Error>
    where
        A: Recording,
        B: Recording<Error = A::Error>,
    {
        let (rate_a, rate_b) = (a.rate(), b.rate());
        let lengths = [self.span.samples(rate_a), self.span.samples(rate_b)];
        let bins = lengths[0].min(lengths[1]) / 2 + 1;
        let bin_hz = 1.0 / self.span.seconds();
        let windows = [rate_a, rate_b].map(|rate| hann((self.window_s * rate.hz()) as usize));
        let mut forwards = lengths.map(Forward::new);
        let mut sums = Spectra {
            bin_hz,
            a: vec![0.0; bins],
            b: vec![0.0; bins],
            cross: vec![Complex64::ZERO; bins],
            averaged: 0.0,
            observed_s: 0.0,
        };
        let mut parts = Vec::new();
        let (mut buffer_a, mut buffer_b) = (Vec::new(), Vec::new());
        let mut windowed = Vec::new();
        let mut spectrum_a: Vec<Complex32> = Vec::new();
        for &(first, count) in &self.parts {
            buffer_a.resize(self.hop * (count - 1) + windows[0].len(), 0.0);
            read_padded(a, first as i64, &mut buffer_a)?;
            let start_s = first as f64 / rate_a.hz();
            let first_b = ((start_s + line.lag_s(start_s)) * rate_b.hz()).floor() as i64 - 2;
            let part_s = buffer_a.len() as f64 / rate_a.hz() * (1.0 + line.slope.abs());
            buffer_b.resize((part_s * rate_b.hz()) as usize + 8, 0.0);
            read_padded(b, first_b, &mut buffer_b)?;
            let mut cross = vec![Complex64::ZERO; bins];
            for n in 0..count {
                let offset_a = n * self.hop;
                let begin_s = (first as f64 + offset_a as f64) / rate_a.hz();
                let lag_s = line.lag_s(begin_s + self.window_s / 2.0);
                let begin_b = (((begin_s + lag_s) * rate_b.hz()).round() as i64 - first_b).max(0) as usize;
                let begin_b = begin_b.min(buffer_b.len().saturating_sub(windows[1].len()));
                // B's window begins this much later than the line has it.
                let late_s = (first_b + begin_b as i64) as f64 / rate_b.hz() - begin_s - lag_s;
                window(&buffer_a[offset_a..], &windows[0], &mut windowed);
                spectrum_a.clear();
                spectrum_a.extend_from_slice(forwards[0].transform(&windowed));
                window(&buffer_b[begin_b..], &windows[1], &mut windowed);
                let spectrum_b = forwards[1].transform(&windowed);
                let step = turn(bin_hz, late_s);
                let mut phase = Complex64::new(1.0, 0.0);
                for bin in 0..bins {
                    let x = Complex64::new(spectrum_a[bin].re.into(), spectrum_a[bin].im.into());
                    let y = Complex64::new(spectrum_b[bin].re.into(), spectrum_b[bin].im.into());
                    sums.a[bin] += x.norm_sqr();
                    sums.b[bin] += y.norm_sqr();
                    cross[bin] += x.conj() * y * phase;
                    phase *= step;
                }
            }
            for (sum, part) in sums.cross.iter_mut().zip(&cross) {
                *sum += part;
            }
            parts.push((start_s + 0.5 * buffer_a.len() as f64 / rate_a.hz(), cross));
        }
        let count: usize = self.parts.iter().map(|(_, count)| count).sum();
        sums.observed_s = worth_s(count, self.window_s);
        // As many independent spectra as the time-bandwidth product of what is averaged.
        sums.averaged = (sums.observed_s * bin_hz * (2 * HALF + 1) as f64).max(1.0);
        Ok(Gathered { spectra: sums, parts })
    }
}

fn window(samples: &[f32], window: &[f32], into: &mut Vec<f32>) {
    into.clear();
    into.extend(samples.iter().zip(window).map(|(x, w)| x * w));
}

/// Averaged spectra: of everything, and each part's middle and cross spectrum.
struct Gathered {
    spectra: Spectra,
    parts: Vec<(f64, Vec<Complex64>)>,
}

impl Gathered {
    /// Finds the peaks within ± `within_s` of the line.
    fn look(self, within_s: f64, weighting: Option<Weighting>) -> Looked {
        let coherence = Coherence::of(&self.spectra, HALF, LOWEST_HZ);
        let judged = weighting.unwrap_or(Weighting::Scot);
        let weighting = weighting.unwrap_or_else(|| coherence.best());
        let mut correlator = Correlator::new(&self.spectra);
        let weights = coherence.weights(weighting);
        let whole = correlator.peak(&self.spectra.cross, &weights, within_s);
        let mut parts = Vec::new();
        for (at_s, cross) in &self.parts {
            let part = correlator.peak(cross, &weights, within_s);
            if part.clear >= CLEAR {
                parts.push((*at_s, part.late_s));
            }
        }
        let aside = correlator.aside(&self.spectra.cross, &coherence.weights(judged), whole.late_s);
        Looked { whole, parts, aside, weighting, coherence, step_s: correlator.step_s }
    }
}

/// The peaks of correlations, relative to a line.
struct Looked {
    whole: Found,
    /// Middle and lateness of the parts that have a clear peak.
    parts: Vec<(f64, f64)>,
    aside: Vec<(f64, f64, bool)>,
    weighting: Weighting,
    coherence: Coherence,
    step_s: f64,
}

impl Looked {
    /// The slope of the parts' lateness, and its standard deviation.
    fn trend(&self) -> Option<stats::Trend> {
        let (at, late): (Vec<f64>, Vec<f64>) = self.parts.iter().copied().unzip();
        stats::theil_sen(&at, &late)
    }

    /// The line that the peaks are on.
    fn line(&self, line: &Line, middle_s: f64) -> Line {
        let lag_s = line.lag_s(middle_s);
        if let Some(trend) = self.trend().filter(|trend| 1.96e6 * trend.slope_sd <= DRIFT_WITHIN_PPM) {
            let rest: Vec<f64> = self.parts.iter().map(|(at, late)| late - trend.slope * (at - middle_s)).collect();
            let late_s = stats::median(&rest).unwrap_or(self.whole.late_s);
            return Line { at_s: middle_s, lag_s: lag_s + late_s, slope: line.slope + trend.slope };
        }
        Line { at_s: middle_s, lag_s: lag_s + self.whole.late_s, slope: line.slope }
    }

    fn fine(self, line: &Line, plan: &Plan) -> Option<Fine> {
        if self.whole.clear < CLEAR {
            return None;
        }
        let trend = self.trend();
        let slope = trend.map_or(0.0, |trend| trend.slope);
        let least = LEAST_SD_SAMPLES * self.step_s / plan.common_s;
        let trend = trend.map(|trend| stats::Trend { slope_sd: trend.slope_sd.max(least), ..trend });
        let known = trend.filter(|trend| 1.96e6 * trend.slope_sd <= DRIFT_WITHIN_PPM);
        let rest: Vec<f64> = self.parts.iter().map(|(at, late)| late - slope * (at - plan.middle_s)).collect();
        // The spread of a median, if parts are Gaussian: 1.2533 times that of a mean.
        let spread_s = match stats::robust_sd(&rest) {
            Some(sd) if rest.len() >= 5 => 1.2533 * sd / (rest.len() as f64).sqrt(),
            _ => 0.0,
        };
        let predicted_s = self.coherence.delay_sd_s(self.weighting);
        // Without coherence that could be told from chance there is the peak's place and no more.
        let predicted_s = if predicted_s.is_finite() { predicted_s } else { WITHIN_S / 2.0 };
        Some(Fine {
            line: Line {
                at_s: plan.middle_s,
                lag_s: line.lag_s(plan.middle_s) + self.whole.late_s,
                slope: line.slope + known.map_or(0.0, |trend| trend.slope),
            },
            sd_s: predicted_s.max(spread_s).max(LEAST_SD_SAMPLES * self.step_s),
            slope_sd: known.map(|trend| trend.slope_sd),
            inverted: self.whole.value < 0.0,
            weighting: self.weighting,
            coherence: self.coherence,
            common_s: plan.common_s,
            aside: self.aside,
        })
    }
}

/// A correlation's highest peak.
struct Found {
    late_s: f64,
    value: f64,
    /// Its size over the robust standard deviation of the whole correlation.
    clear: f64,
}

/// Weighted cross spectra to correlations, on a grid twice as fine as the lower rate's: what is between its values
/// can then be interpolated up to the highest frequency.
struct Correlator {
    inverse: Inverse,
    step_s: f64,
}

impl Correlator {
    fn new(spectra: &Spectra) -> Self {
        let length = smooth(4 * spectra.cross.len() as u64) as usize;
        Self { inverse: Inverse::new(length), step_s: 1.0 / (spectra.bin_hz * length as f64) }
    }

    /// The correlation from −`within_s` to +`within_s`, with what interpolation needs on both sides, and the spread of
    /// all its values.
    fn correlate(&mut self, cross: &[Complex64], weights: &[f64], within_s: f64) -> (Vec<f32>, usize, f64) {
        self.inverse.input.fill(Complex32::ZERO);
        // Single precision is enough once the greatest is about one.
        let greatest = cross.iter().zip(weights).map(|(x, w)| x.norm() * w).fold(f64::MIN_POSITIVE, f64::max);
        for ((product, x), weight) in self.inverse.input.iter_mut().zip(cross).zip(weights) {
            let x = x * (weight / greatest);
            *product = Complex32::new(x.re as f32, x.im as f32);
        }
        let values = self.inverse.transform();
        let half = ((within_s / self.step_s).ceil() as usize + REACH + 2).min(values.len() / 2 - 1);
        let near = values[values.len() - half..].iter().chain(&values[..=half]).copied().collect();
        let stride = (values.len() / 4000).max(1);
        let some: Vec<f64> = values.iter().step_by(stride).map(|&v| f64::from(v)).collect();
        (near, half, stats::robust_sd(&some).unwrap_or(0.0))
    }

    fn peak(&mut self, cross: &[Complex64], weights: &[f64], within_s: f64) -> Found {
        let (values, zero, sd) = self.correlate(cross, weights, within_s);
        let reach = (REACH + 1).min(zero);
        let highest = (reach..values.len() - reach).max_by(|&x, &y| values[x].abs().total_cmp(&values[y].abs()));
        let Peak { position, value, .. } = peak::refine(&values, highest.unwrap_or(zero));
        Found { late_s: (position - zero as f64) * self.step_s, value, clear: value.abs() / sd.max(f64::MIN_POSITIVE) }
    }

    /// Other peaks within [`ASIDE_S`] of the one at `late_s`.
    fn aside(&mut self, cross: &[Complex64], weights: &[f64], late_s: f64) -> Vec<(f64, f64, bool)> {
        let (values, zero, _) = self.correlate(cross, weights, ASIDE_S + late_s.abs());
        let own = (zero as f64 + late_s / self.step_s).round() as usize;
        let reach = (REACH + 1).min(zero);
        // The weights that judge may have their peak a little beside.
        let beside = own.saturating_sub(2).max(reach)..(own + 3).min(values.len() - reach);
        let Some(top) = beside.map(|n| values[n]).max_by(|x, y| x.abs().total_cmp(&y.abs())) else {
            return Vec::new();
        };
        let is_peak = |n: &usize| {
            let height = values[*n].abs();
            height >= LEAST_ASIDE as f32 * top.abs() && height > values[n - 1].abs() && height >= values[n + 1].abs()
        };
        (reach..values.len() - reach)
            .filter(|n| n.abs_diff(own) > 2)
            .filter(is_peak)
            .map(|n| {
                let peak = peak::refine(&values, n);
                let lateness = (peak.position - zero as f64) * self.step_s - late_s;
                (lateness, (peak.value / f64::from(top)).abs(), peak.value.signum() != f64::from(top).signum())
            })
            .collect()
    }
}
