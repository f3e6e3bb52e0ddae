//! How much later one recording is than another, without any signal of ours in them.
//!
//! search (stretches of one recording in the other) → agree (lags that stretches agree on, with drift) → fine (between
//! samples, weighted by coherence) → lags, the most plausible first.

mod agree;
mod fine;
mod grid;
mod search;
mod weighting;

use agree::Line;
use fine::Fine;

use crate::stats::Interval;
use crate::units::{Nanos, Rate};

/// One channel of a recording that can be read anywhere.
pub trait Recording {
    /// Why it cannot be read.
    type Error;

    /// Samples per second.
    fn rate(&self) -> Rate;

    /// How many samples there are.
    fn samples(&self) -> u64;

    /// Fills `out` with the samples from number `first` on. They are there.
    ///
    /// # Errors
    /// The recording cannot be read.
    fn read(&mut self, first: u64, out: &mut [f32]) -> Result<(), Self::Error>;
}

/// A recording in memory.
#[derive(Clone, Copy, Debug)]
pub struct InMemory<'a> {
    /// Its samples, −1 to 1.
    pub samples: &'a [f32],
    /// Samples per second.
    pub rate: Rate,
}

impl Recording for InMemory<'_> {
    type Error = std::convert::Infallible;

    fn rate(&self) -> Rate {
        self.rate
    }

    fn samples(&self) -> u64 {
        self.samples.len() as u64
    }

    fn read(&mut self, first: u64, out: &mut [f32]) -> Result<(), Self::Error> {
        out.copy_from_slice(&self.samples[first as usize..first as usize + out.len()]);
        Ok(())
    }
}

/// How much each frequency counts in a generalised cross-correlation (Knapp & Carter 1976).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// Phase transform: as much as any other.
    Phat,
    /// Smoothed coherence transform: by its coherence.
    Scot,
    /// By its power, as in plain cross-correlation.
    Plain,
}

impl Weighting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scot, Self::Phat, Self::Plain];
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// `None`: lags are searched for with SCOT, and refined with the weighting whose predicted error is least for the
    /// coherence found.
    pub weighting: Option<Weighting>,
    /// The greatest lag to look at, either way; `None`: wherever the recordings overlap.
    pub most: Option<Nanos>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Plausible lags, the highest score first. None if [`missing`](field@Self::missing) says why.
    pub lags: Vec<Lag>,
    /// Why there is no lag.
    pub missing: Option<Missing>,
    /// A lag with a lower score is not plausible: unrelated noise reaches half of it, unrelated speech at times more.
    pub least_score: f64,
    /// How many stretches of the shorter recording were looked for.
    pub stretches: usize,
}

impl Alignment {
    /// Whether the second lag is nearly as plausible as the first.
    pub fn is_ambiguous(&self) -> bool {
        matches!(&self.lags[..], [first, second, ..] if second.score >= AMBIGUOUS * first.score)
    }

    fn missing(why: Missing, least_score: f64, stretches: usize) -> Self {
        Self { lags: Vec::new(), missing: Some(why), least_score, stretches }
    }
}

/// Why there is no lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A recording has too few samples.
    TooShort,
    /// The first recording is silent, or constant.
    SilentA,
    /// The second one is.
    SilentB,
    /// No lag stands out.
    Unlike,
}

/// A plausible lag.
#[derive(Clone, Debug, PartialEq)]
pub struct Lag {
    /// How much later the second recording has what the first has, in seconds.
    pub lag_s: f64,
    /// 95 % interval of it, of whichever is more: what the coherence allows (Knapp & Carter 1976; the
    /// Cramér–Rao bound of Carter 1987 if the weighting fits), or the spread over parts of the recordings.
    pub interval_s: Interval,
    /// When: seconds of the first recording, the middle of the time that both have in common.
    pub at_s: f64,
    /// How long both have something in common at this lag, in seconds.
    pub common_s: f64,
    /// How far it stands out: over the stretches that agree on it, the root of the sum of their squared peaks, each
    /// in robust standard deviations of its stretch's correlation.
    pub score: f64,
    /// How many stretches agree.
    pub agreed: usize,
    /// Whether one recording is the other's negative.
    pub inverted: bool,
    /// How the lag changes; `None` where that would be noise.
    pub drift: Option<Drift>,
    /// How its place between samples was found.
    pub weighting: Weighting,
    /// Predicted standard deviation of the lag by each of [`Weighting::ALL`], in seconds; infinite without coherence.
    pub predicted_sd_s: [f64; 3],
    /// The two recordings' coherence at this lag.
    pub coherence: Option<Band>,
}

/// How the lag changes: positive if the second recording's clock counts more samples than its rate says, or the first
/// one's fewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// In parts in a million.
    pub ppm: f64,
    /// 95 % interval of it.
    pub interval_ppm: Interval,
}

/// Where two recordings are coherent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Mean magnitude-squared coherence over the frequencies that have any, 0 to 1.
    pub squared: f64,
    /// About the lowest of them.
    pub low_hz: f64,
    /// About the highest.
    pub high_hz: f64,
}

/// At most so many lags are given.
const MOST_LAGS: usize = 8;
/// A lag with less than this part of the first one's score is not listed.
const LEAST_PART: f64 = 0.2;
/// A lag with more makes the first one ambiguous.
const AMBIGUOUS: f64 = 0.8;
/// How far above chance a score has to be: the same words, spoken by one synthesiser, reach 1.7.
const ABOVE_CHANCE: f64 = 2.0;
/// Nothing outside this is sound; more would overflow.
const LOUDEST: f32 = 1e6;

/// Finds how much later `b` is than `a`. Rates and lengths may differ; memory grows with neither, but for a megabyte
/// for each of at most some hundred stretches. Two recordings of above an hour are searched for stretches at even
/// distances; what they have in common should be longer than those.
///
/// # Errors
/// A recording cannot be read.
pub fn align<A, B>(a: &mut A, b: &mut B, request: &Request) -> Result<Alignment, A::Error>
where
    A: Recording,
    B: Recording<Error = A::Error>,
{
    if is_too_short(a) || is_too_short(b) {
        return Ok(Alignment::missing(Missing::TooShort, 0.0, 0));
    }
    let most_s = request.most.map_or(f64::INFINITY, |most| most.abs().as_secs_f64());
    let search = search::search(a, b, request.weighting.unwrap_or(Weighting::Scot), most_s)?;
    let least_score = ABOVE_CHANCE * search.chance;
    let missing = |why| Ok(Alignment::missing(why, least_score, search.stretches));
    match search.sounds {
        [false, _] => return missing(Missing::SilentA),
        [true, false] => return missing(Missing::SilentB),
        [true, true] => {}
    }
    let mut lags: Vec<Lag> = Vec::new();
    for candidate in agree::candidates(&search.peaks, search.news, MOST_LAGS) {
        let best = lags.first().map_or(0.0, |lag| lag.score);
        if candidate.score < least_score.max(LEAST_PART * best) {
            break;
        }
        if let Some(fine) = fine::refine(a, b, candidate.line, candidate.sloped, request.weighting)? {
            let lag = Lag::of(&fine, &fine.line, candidate.score, candidate.stretches, fine.inverted);
            lags.extend(fine.aside.iter().map(|&(later_s, part, other)| {
                let line = Line { lag_s: fine.line.lag_s + later_s, ..fine.line };
                Lag::of(&fine, &line, part * candidate.score, candidate.stretches, fine.inverted != other)
            }));
            lags.push(lag);
            lags.sort_by(|x, y| y.score.total_cmp(&x.score));
        }
    }
    if lags.is_empty() {
        return missing(Missing::Unlike);
    }
    let least = least_score.max(LEAST_PART * lags[0].score);
    lags.retain(|lag| lag.score >= least && lag.lag_s.abs() <= most_s);
    lags.truncate(MOST_LAGS);
    let missing = lags.is_empty().then_some(Missing::Unlike);
    Ok(Alignment { lags, missing, least_score, stretches: search.stretches })
}

impl Lag {
    fn of(fine: &Fine, line: &Line, score: f64, agreed: usize, inverted: bool) -> Self {
        let around = |value: f64, sd: f64| Interval { low: value - 1.96 * sd, high: value + 1.96 * sd };
        let ppm = 1e6 * line.slope;
        Self {
            lag_s: line.lag_s,
            interval_s: around(line.lag_s, fine.sd_s),
            at_s: line.at_s,
            common_s: fine.common_s,
            score,
            agreed,
            inverted,
            drift: fine.slope_sd.map(|sd| Drift { ppm, interval_ppm: around(ppm, 1e6 * sd) }),
            weighting: fine.weighting,
            predicted_sd_s: Weighting::ALL.map(|weighting| fine.coherence.delay_sd_s(weighting)),
            coherence: fine.coherence.summary().map(|(squared, [low_hz, high_hz])| Band { squared, low_hz, high_hz }),
        }
    }
}

/// Whether there is less than a hundredth of a second.
fn is_too_short(recording: &impl Recording) -> bool {
    let (rate, samples) = (u64::from(recording.rate().0), recording.samples());
    rate < 100 || samples < 100.max(rate / 100)
}

fn seconds(recording: &impl Recording) -> f64 {
    recording.samples() as f64 / recording.rate().hz()
}

/// Reads from anywhere: what lies outside of the recording is silent. What is no number, or far too great, is made
/// harmless.
fn read_padded<R: Recording>(recording: &mut R, first: i64, out: &mut [f32]) -> Result<(), R::Error> {
    let samples = recording.samples() as i64;
    let from = first.clamp(0, samples);
    let to = first.saturating_add(out.len() as i64).clamp(from, samples);
    out.fill(0.0);
    if to > from {
        let inside = &mut out[(from - first) as usize..(to - first) as usize];
        recording.read(from as u64, inside)?;
        for x in inside {
            *x = if x.is_nan() { 0.0 } else { x.clamp(-LOUDEST, LOUDEST) };
        }
    }
    Ok(())
}
