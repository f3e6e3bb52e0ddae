//! A beep across a splice: where a jitter buffer cut sound out or repeated some, what came before it and what came after
//! it have different delays, and the beep has two.

use serde::{Deserialize, Serialize};

use super::heard::Heard;
use super::stream::Stream;

/// Where a beep's mark would be if all of it had arrived like its first part, and like its last part; both in samples
/// of the recording, as [`Detection::position`](super::Detection::position).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Splice {
    /// By what sounded before the splice.
    pub first_part: f64,
    /// By what sounded after it: later than `first_part` if sound was repeated or put in, earlier if it was cut out.
    pub last_part: f64,
}

impl Splice {
    /// From lags to samples of the recording: `decimation` of them to a lag, the mark `mark` behind a beep's first one.
    pub(super) fn scaled(self, decimation: f64, mark: f64) -> Self {
        Self { first_part: self.first_part * decimation + mark, last_part: self.last_part * decimation + mark }
    }
}

/// The parts that a template is divided into: of 20 ms, if it is 200 ms long.
const PARTS: usize = 10;
/// A splice is looked for after so many parts and before as many: with less there is nothing to be sure of.
const LEAST_PARTS: usize = 2;
/// How much sound may be cut out or put in.
const REACH_SECONDS: f64 = 0.060;
/// Less is a peak's own width.
const LEAST_SECONDS: f64 = 0.001;
/// A beep that fits so well is whole.
const WHOLE_SCORE: f64 = 0.95;
/// A splice makes a second peak: the fifth part of a beep elsewhere makes one of a quarter of the height. So clear a beep
/// is whole …
const LONE_RATIO: f64 = 5.0;
/// … and among others who sound at once, where they disturb a part of a beep more than all of it, so clear a one.
const CROWD_RATIO: f64 = 2.5;
/// A beep whose parts fit at one delay with gains that differ by less than this is whole.
const ALIKE: f32 = 0.6;
/// Each part must fit at its own delay so many times as well as at the other's: a voice also fits, less well, one cycle
/// away.
const CLEARLY: f32 = 1.5;
/// What fits a faint part best among all delays may be noise. With two delays a beep must fit so many times as well as
/// with one.
const BETTER: f32 = 1.1;

/// Looks for splices.
pub(super) struct Splicing {
    /// At the decimated rate, with energy 1.
    templates: Vec<Vec<f32>>,
    reach: i64,
    least: i64,
}

impl Splicing {
    pub(super) fn new(decimated_hz: f64, templates: Vec<Vec<f32>>) -> Self {
        let samples = |seconds: f64| (seconds * decimated_hz).ceil() as i64;
        Self { templates, reach: samples(REACH_SECONDS), least: samples(LEAST_SECONDS) }
    }

    /// How many samples before a beep are looked at.
    pub(super) fn reach(&self) -> i64 {
        self.reach
    }

    /// Whether a beep has two delays, and which, in lags.
    ///
    /// The template is cut in two at each of several places; each piece is moved to where it fits best, and of all
    /// these templates with a splice the one that fits best is compared with the one without.
    pub(super) fn find(&self, code: usize, heard: &Heard, stream: &Stream) -> Option<Splice> {
        let template = &self.templates[code];
        let lag = heard.position.round() as i64;
        let samples = stream.samples().slice(lag - self.reach..lag + self.reach + template.len() as i64);
        if samples.len() != template.len() + 2 * self.reach as usize
            || heard.value.powi(2) > WHOLE_SCORE.powi(2) * heard.energy
        {
            return None;
        }
        if heard.peak_ratio() > if heard.share > 0.5 { LONE_RATIO } else { CROWD_RATIO } {
            return None;
        }
        let sign = heard.value.signum() as f32;
        let middle = self.reach as usize;
        let parts = Parts::of(template);
        let fit_here: [f32; PARTS] = std::array::from_fn(|part| sign * parts.fit(part, &samples[middle..]));
        if parts.are_alike(&fit_here) {
            return None;
        }
        let fits: [Vec<f32>; PARTS] =
            std::array::from_fn(|part| (0..=2 * middle).map(|lag| sign * parts.fit(part, &samples[lag..])).collect());
        let best = (LEAST_PARTS..=PARTS - LEAST_PARTS)
            .map(|cut| Cut::at(cut, &fits))
            .max_by(|a, b| a.fit().total_cmp(&b.fit()))?;
        let is_clear = (best.first.0 - best.last.0).abs() >= self.least
            && best.first.1 >= CLEARLY * best.first_at_last
            && best.last.1 >= CLEARLY * best.last_at_first
            && best.fit() >= BETTER * fit_here.iter().sum::<f32>();
        let position = |place: i64| (lag - self.reach + place) as f64;
        is_clear.then(|| Splice { first_part: position(best.first.0), last_part: position(best.last.0) })
    }
}

/// A template in parts.
struct Parts<'a> {
    template: &'a [f32],
    len: usize,
}

impl<'a> Parts<'a> {
    fn of(template: &'a [f32]) -> Self {
        Self { template, len: template.len().div_ceil(PARTS).max(1) }
    }

    fn part(&self, part: usize) -> &[f32] {
        let at = |part: usize| (part * self.len).min(self.template.len());
        &self.template[at(part)..at(part + 1)]
    }

    /// The correlation of a part with its place in samples that begin where the template does.
    fn fit(&self, part: usize, samples: &[f32]) -> f32 {
        let from = (part * self.len).min(self.template.len());
        dot(self.part(part), &samples[from..])
    }

    /// Whether wherever the beep is cut in two, both pieces fit with about the same gain.
    fn are_alike(&self, fits: &[f32; PARTS]) -> bool {
        let gain = |range: std::ops::Range<usize>| {
            let energy: f32 = range.clone().map(|part| dot(self.part(part), self.part(part))).sum();
            fits[range].iter().sum::<f32>() / energy.max(f32::MIN_POSITIVE)
        };
        (LEAST_PARTS..=PARTS - LEAST_PARTS).all(|cut| {
            let (before, after) = (gain(0..cut), gain(cut..PARTS));
            before.min(after) >= ALIKE * before.max(after)
        })
    }
}

/// A template cut in two: where each piece fits best and how well, and how well it fits where the other does.
struct Cut {
    first: (i64, f32),
    last: (i64, f32),
    first_at_last: f32,
    last_at_first: f32,
}

impl Cut {
    fn at(cut: usize, fits: &[Vec<f32>; PARTS]) -> Self {
        let sum = |parts: &[Vec<f32>], lag: usize| parts.iter().map(|fits| fits[lag]).sum::<f32>();
        let (before, after) = fits.split_at(cut);
        let best = |parts: &[Vec<f32>]| {
            let heights = (0..fits[0].len()).map(|lag| (lag, sum(parts, lag)));
            heights.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
        };
        let (first, last) = (best(before), best(after));
        Self {
            first: (first.0 as i64, first.1),
            last: (last.0 as i64, last.1),
            first_at_last: sum(before, last.0),
            last_at_first: sum(after, first.0),
        }
    }

    fn fit(&self) -> f32 {
        self.first.1 + self.last.1
    }
}

/// The sum of products, in eight lanes that the processor can take at once: a plain sum has to be taken in order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let mut chunks = a.chunks_exact(8).zip(b.chunks_exact(8));
    for (a, b) in &mut chunks {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest = a.len() - a.len() % 8;
    lanes.iter().sum::<f32>() + a[rest..].iter().zip(&b[rest..]).map(|(a, b)| a * b).sum::<f32>()
}
