//! Segments: stretches in which a pilot sounds on one trail, with their edges and what lies between them.

use std::collections::VecDeque;
use std::ops::Range;

use super::input::dot;
use super::trail::Trail;
use super::voice::{Voice, Window};
use crate::signal::{Code, Pilot};
use crate::units::Nanos;

/// A stretch of a recording in which a pilot goes on without a break. Its times are counted from the recording's first
/// sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Whose pilot.
    pub code: Code,
    /// Where it begins.
    pub from: Edge,
    /// Where it ends. Of what goes on when the recording ends, the recording's end.
    pub to: Edge,
    /// The pilot's gain over −20 dBFS RMS, with its sign: negative if it came inverted.
    pub gain: f64,
    /// What sounded in the pilot's place since the segment before, relative to the pilot before; noise that was with that
    /// one is taken off. `None`: too short to say, or the first.
    pub gap_db: Option<f64>,
}

/// An end of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Where it is: the maximum of the running log-likelihood ratio.
    pub at: Nanos,
    /// The lag in the 40 ms next to it: how much later a sample of the recording is than the pilot that it holds, by
    /// the pilot's own time, from 0 to [`Pilot::PERIOD`].
    pub lag: Lag,
    /// The lag that was settled: from up to a second of the segment, without those 40 ms, carried on to the edge.
    pub settled: Lag,
}

/// How much later a recording's time is than its pilot's, with its standard deviation. Pilots repeat: so do lags.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// From 0 to [`Pilot::PERIOD`].
    pub value: Nanos,
    /// Standard deviation.
    pub sd: Nanos,
}

impl Lag {
    pub(super) fn of(seconds: f64, sd_seconds: f64) -> Self {
        let value = Nanos(Nanos::from_secs_f64(seconds.rem_euclid(Pilot::PERIOD.as_secs_f64())).0 % Pilot::PERIOD.0);
        Self { value, sd: Nanos::from_secs_f64(sd_seconds) }
    }

    /// How much more it is than an earlier one, by the shorter way round the period.
    pub fn step_from(&self, earlier: &Self) -> Nanos {
        let half = Pilot::PERIOD.0 / 2;
        Nanos((self.value.0 - earlier.value.0 + half).rem_euclid(Pilot::PERIOD.0) - half)
    }
}

/// The pilot in one hop, from the 40 ms around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    /// In samples at the rate of tracking.
    pub(super) lag: f64,
    pub(super) sd: f64,
    pub(super) gain: f64,
    pub(super) rho: f64,
}

/// Hops on each side of one from which its lag is taken.
const REACH: usize = 4;
/// Hops that an edge's own lag is taken from, and so many more next to the edge that are only partly of the segment.
const EDGE_HOPS: usize = 8;
const PARTLY: usize = 1;
/// Hops that a settled lag is taken from.
const SETTLED_HOPS: usize = 200;
/// The part of its gain with which a pilot begins, or more, and the log-likelihood ratio that chance makes of noise.
const FAINT: f64 = 0.3;
const MOST_CHANCE: f64 = 3.0;
/// What is so much fainter than the pilot (30 dB) for so many samples (5 ms) is silence.
const QUIET: f64 = 0.001;
const QUIET_SAMPLES: usize = 60;
/// Hops in which an edge is looked for, to each side of where the path changes.
const EDGE_REACH: usize = 6;

impl Local {
    /// The pilot around a hop of a voice that is on a trail there.
    pub(super) fn of(voice: &Voice, hop: usize, reach: usize) -> Option<Self> {
        let trail = voice.trail(voice.path[hop]?)?;
        let hops = voice.neighbours(hop, reach);
        let count = hops.len() as f64;
        let lag = hops.clone().map(|n| trail.lags[n]).sum::<f64>() / count;
        let sums = trail.sum(hops);
        let gain = sums.gain();
        let samples = (count * voice.table.hz * 0.005).max(1.0);
        // Neighbouring samples are not quite independent.
        let sd = 1.2 * (sums.rest() / samples / (gain * gain * sums.dd).max(1e-18)).sqrt();
        // A step of Gauss and Newton is right near its goal only.
        let late = sums.late().clamp(-1.0, 1.0);
        Some(Self { lag: lag + late, sd: sd.min(voice.table.hz), gain, rho: sums.rho().abs() })
    }

    pub(super) fn around(voice: &Voice, hop: usize) -> Option<Self> {
        Self::of(voice, hop, REACH)
    }
}

/// A segment that goes on.
#[derive(Debug)]
struct Open {
    from: f64,
    first: VecDeque<(f64, f64)>,
    last: VecDeque<(f64, f64)>,
    first_lag: Local,
    last_lag: Local,
    gap_db: Option<f64>,
    gains: Vec<f64>,
    hops: usize,
}

/// Writes one voice's segments as hops are decided on.
#[derive(Debug, Default)]
pub(super) struct Writer {
    open: Option<Open>,
    /// Of the last segment.
    last: Option<Ended>,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    at: f64,
    /// Powers per sample: of the pilot, and of what was with it.
    pilot: f64,
    noise: f64,
    /// Where the next segment begins, if that follows so closely that both edges were found together.
    next: Option<f64>,
}

impl Writer {
    /// Takes a hop of the window, in order. Gives the segment that ends there.
    pub(super) fn hop(&mut self, voice: &Voice, window: &Window, own: &[f32], n: usize) -> Option<Segment> {
        let before = n.checked_sub(1).and_then(|n| voice.path[n]);
        let ended = if before != voice.path[n] { self.end(voice, window, own, n) } else { None };
        if before != voice.path[n] || self.open.is_none() {
            self.begin(voice, window, own, n);
        }
        if let (Some(open), Some(local)) = (&mut self.open, Local::around(voice, n)) {
            open.add((window.first + (n * window.hop) as i64) as f64, &local);
        }
        ended
    }

    /// Ends what goes on, with the recording.
    pub(super) fn finish(&mut self, voice: &Voice, window: &Window) -> Option<Segment> {
        let end = (window.first + window.rest.len() as i64) as f64;
        let open = self.open.take()?;
        Some(open.close(voice, end))
    }

    fn begin(&mut self, voice: &Voice, window: &Window, own: &[f32], n: usize) {
        let Some(trail) = voice.path[n].and_then(|id| voice.trail(id)) else { return };
        let run = n..voice.neighbours(n, EDGE_HOPS + PARTLY).end;
        let from = self.last.and_then(|last| last.next).unwrap_or_else(|| {
            let hops = n.saturating_sub(EDGE_REACH)..(n + EDGE_REACH).min(run.end);
            // What is before the edge counts against the pilot, what is after it for it.
            let (_, edge) = edges(&[], &trail.scores(own, hops.clone()).collect::<Vec<_>>());
            let first = hops.start * window.hop;
            (window.first + faint_from(trail, own, first..first + edge) as i64) as f64
        });
        let middle = (n + PARTLY + EDGE_HOPS / 2).min(run.end - 1);
        let Some(first_lag) = Local::of(voice, middle, EDGE_HOPS / 2) else { return };
        self.open = Some(Open {
            from,
            first: VecDeque::new(),
            last: VecDeque::new(),
            first_lag,
            last_lag: first_lag,
            gap_db: self.last.and_then(|last| last.gap_db(window, own, from)),
            gains: Vec::new(),
            hops: 0,
        });
    }

    fn end(&mut self, voice: &Voice, window: &Window, own: &[f32], n: usize) -> Option<Segment> {
        let mut open = self.open.take()?;
        let trail = voice.trail(voice.path[n - 1]?)?;
        let gap = (n..voice.path.len()).take_while(|&m| voice.path[m].is_none()).count();
        let run = voice.neighbours(n - 1, EDGE_REACH);
        let next =
            voice.path.get(n + gap).copied().flatten().and_then(|id| voice.trail(id)).filter(|_| gap <= 2 * EDGE_REACH);
        let ahead = gap + if next.is_some() { voice.neighbours(n + gap, EDGE_REACH).end - n - gap } else { 0 };
        let hops = run.start..(n + ahead.clamp(1, 3 * EDGE_REACH)).min(voice.path.len());
        let scores = |trail: &Trail| trail.scores(own, hops.clone()).collect::<Vec<_>>();
        let (to, from) = edges(&scores(trail), &next.map(scores).unwrap_or_default());
        let first = hops.start * window.hop;
        // Concealment ends without silence, and is no beginning.
        let gap = first + to..first + from;
        let from = match next {
            Some(next) if falls_silent(next, own, gap.clone()) => faint_from(next, own, gap) - first,
            _ => from,
        };
        let at = |sample: usize| (window.first + (first + sample) as i64) as f64;
        let middle = (n - 1).saturating_sub(PARTLY + EDGE_HOPS / 2).max(voice.neighbours(n - 1, 2 * EDGE_HOPS).start);
        open.last_lag = Local::of(voice, middle, EDGE_HOPS / 2).unwrap_or(open.last_lag);
        let sums = trail.sum(run.clone());
        let pilot = trail.gain.powi(2) * sums.ss / (run.len() * window.hop) as f64;
        self.last = Some(Ended { at: at(to), pilot, noise: trail.noise, next: next.map(|_| at(from)) });
        Some(open.close(voice, at(to)))
    }
}

impl Ended {
    /// The level of what sounds in the place of the pilot up to a sample, relative to the pilot: on top of what was
    /// with it before, unless even that is gone. Nothing is said of a few samples.
    fn gap_db(&self, window: &Window, own: &[f32], to: f64) -> Option<f64> {
        // Edges are smeared, and filters ring.
        let inside = |at: f64| ((at as i64 - window.first).max(0) as usize).min(own.len());
        let gap = own.get(inside(self.at) + window.hop / 4..inside(to).saturating_sub(window.hop / 4))?;
        if gap.len() < window.hop {
            return None;
        }
        let mut powers: Vec<f64> = gap
            .chunks(window.hop / 2)
            .map(|part| part.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / part.len() as f64)
            .collect();
        powers.sort_by(f64::total_cmp);
        let power = powers[powers.len() / 2];
        Some(decibels(if power > self.noise { power - self.noise } else { power } / self.pilot.max(1e-12)))
    }
}

/// Where the pilot begins that was found to be there from the end of `before` on: a decoder that begins amid a stream is
/// fainter at first (of Opus' transform layer, 4 to 10 dB in its first frame), so that this much counts as the pilot too.
fn faint_from(trail: &Trail, own: &[f32], before: Range<usize>) -> usize {
    if before.is_empty() {
        return before.end;
    }
    let (x, s) = (&own[before.clone()], trail.pilot_in(before.clone()));
    let faint = FAINT * trail.gain;
    let (xs, ss, xx) = (product(x, s), product(s, s), product(x, x));
    let noise = (xx - xs * xs / ss.max(1e-12)).max(0.0) / x.len().max(1) as f64;
    let (mut sum, mut best) = (0.0, (MOST_CHANCE * noise, before.end));
    for n in (0..x.len()).rev() {
        let pilot = faint * f64::from(s[n]);
        sum += pilot * (f64::from(x[n]) - 0.5 * pilot);
        if sum > best.0 {
            best = (sum, before.start + n);
        }
    }
    best.1
}

/// Whether there is silence somewhere in a gap: for some samples hardly anything in comparison with the pilot.
fn falls_silent(trail: &Trail, own: &[f32], gap: Range<usize>) -> bool {
    let pilot = trail.pilot_in(gap.clone());
    let power = trail.gain.powi(2) * product(pilot, pilot) / pilot.len().max(1) as f64;
    own[gap].chunks_exact(QUIET_SAMPLES).any(|x| product(x, x) < QUIET * power * QUIET_SAMPLES as f64)
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    f64::from(dot(a, b))
}

/// Where one trail ends and where the next one begins, at most together: so many samples belong to the first, and so
/// many do not belong to the second. `first` and `second` are each sample's log-likelihood ratio; of either there may be
/// none.
fn edges(first: &[f64], second: &[f64]) -> (usize, usize) {
    let length = first.len().max(second.len());
    let total: f64 = second.iter().sum();
    let (mut before, mut after) = (0.0, total);
    // The best end of the first so far, and the best of both.
    let (mut end, mut best) = ((0.0, 0), (total, 0, 0));
    for n in 1..=length {
        before += first.get(n - 1).copied().unwrap_or(0.0);
        after -= second.get(n - 1).copied().unwrap_or(0.0);
        if before > end.0 {
            end = (before, n);
        }
        if end.0 + after > best.0 {
            best = (end.0 + after, end.1, n);
        }
    }
    (best.1, best.2)
}

impl Open {
    fn add(&mut self, at: f64, local: &Local) {
        if self.hops >= EDGE_HOPS + PARTLY && self.first.len() < SETTLED_HOPS {
            self.first.push_back((at, local.lag));
        }
        self.last.push_back((at, local.lag));
        if self.last.len() > SETTLED_HOPS + EDGE_HOPS + PARTLY {
            self.last.pop_front();
        }
        if self.hops.is_multiple_of(20) && self.gains.len() < 500 {
            self.gains.push(local.gain);
        }
        self.last_lag = *local;
        self.hops += 1;
    }

    fn close(self, voice: &Voice, to: f64) -> Segment {
        let hz = voice.table.hz;
        let lag = |local: &Local| Lag::of(local.lag / hz, local.sd / hz);
        let last: Vec<_> = self.last.iter().copied().take(self.last.len().saturating_sub(EDGE_HOPS + PARTLY)).collect();
        let first: Vec<_> = self.first.into_iter().collect();
        let settled = |points: &[(f64, f64)], at: f64, local: &Local| {
            line(points, at).map_or(lag(local), |(lag, sd)| Lag::of(lag / hz, sd / hz))
        };
        let edge = |at: f64, local: &Local, points: &[(f64, f64)]| Edge {
            at: Nanos::from_secs_f64(at / hz),
            lag: lag(local),
            settled: settled(points, at, local),
        };
        Segment {
            code: voice.code,
            from: edge(self.from, &self.first_lag, &first),
            to: edge(to, &self.last_lag, &last),
            gain: crate::stats::median(&self.gains).unwrap_or(self.first_lag.gain),
            gap_db: self.gap_db,
        }
    }
}

/// The least-squares line through points, at a place, with its standard deviation there: neighbouring points share
/// most of what they are taken from, so that only every eighth counts. A short row of points has no slope worth the
/// name: its mean stands for it.
fn line(points: &[(f64, f64)], at: f64) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    if points.len() < 2 * REACH {
        return None;
    }
    let mean = |part: fn(&(f64, f64)) -> f64| points.iter().map(part).sum::<f64>() / count;
    let (x0, y0) = (mean(|p| p.0), mean(|p| p.1));
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in points {
        xx += (x - x0).powi(2);
        xy += (x - x0) * (y - y0);
    }
    let slope = if points.len() >= SETTLED_HOPS / 2 { xy / xx.max(1e-9) } else { 0.0 };
    let spread = points.iter().map(|(x, y)| (y - y0 - slope * (x - x0)).powi(2)).sum::<f64>() / count;
    let carried = if slope == 0.0 { 0.0 } else { (at - x0).powi(2) / xx.max(1e-9) };
    let sd = (spread * 8.0 * (1.0 / count + carried)).sqrt();
    Some((y0 + slope * (at - x0), sd))
}

pub(super) fn decibels(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10()
}
