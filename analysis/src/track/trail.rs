//! A trail: the pilot as it would be in the recording if it came with a certain lag, followed from hop to hop.

use super::input::dot;
use super::table::Table;

/// Of a 20 ms neighbourhood's estimate of how far the lag is off, so much is believed at each hop of 5 ms: a time
/// constant of 60 ms.
const LOOP_GAIN: f64 = 0.08;
/// What is remembered from hop to hop.
const MEMORY: f64 = 0.85;
/// The lag moves at most by so many samples a hop: 0.1 % and more of drift.
const FASTEST: f64 = 0.1;
/// It is followed only where the pilot is clear by this coefficient.
const CLEAR: f64 = 0.2;
/// Present is what has more than this part of the pilot's usual gain.
pub(super) const PRESENT: f64 = 0.3;
/// Codecs bend a pilot: this part of its power, at least, is held to be noise.
const LEAST_NOISE: f64 = 0.05;
/// Hops that a gain is learned from at a time, …
const LEARN_HOPS: usize = 4;
/// … and the part of the highest coefficient among them that those have in which the pilot is held to be.
const CLEAREST_PART: f64 = 0.5;
/// One hop says no more than this for or against the pilot, so that no single one decides.
const MOST_SAID: f64 = 12.0;

/// Sums over the samples of a hop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Recording by pilot.
    pub(super) xs: f64,
    /// Pilot by pilot.
    pub(super) ss: f64,
    /// Recording by recording.
    pub(super) xx: f64,
    /// Recording by the pilot's slope.
    pub(super) xd: f64,
    /// Pilot by its slope.
    pub(super) sd: f64,
    /// Slope by slope.
    pub(super) dd: f64,
}

impl Sums {
    /// Sets what is of the pilot alone.
    fn of_pilot(&mut self, s: &[f32], d: &[f32]) {
        (self.ss, self.sd, self.dd) = (sum(s, s), sum(s, d), sum(d, d));
    }

    /// Sets what is of the recording too.
    fn of_recording(&mut self, x: &[f32], s: &[f32], d: &[f32]) {
        (self.xs, self.xx, self.xd) = (sum(x, s), sum(x, x), sum(x, d));
    }

    pub(super) fn add(&mut self, other: &Self, weight: f64) {
        self.xs += weight * other.xs;
        self.ss += weight * other.ss;
        self.xx += weight * other.xx;
        self.xd += weight * other.xd;
        self.sd += weight * other.sd;
        self.dd += weight * other.dd;
    }

    fn fade(&mut self) {
        let old = *self;
        *self = Self::default();
        self.add(&old, MEMORY);
    }

    /// The pilot's gain by least squares.
    pub(super) fn gain(&self) -> f64 {
        self.xs / self.ss.max(1e-12)
    }

    /// The normalised correlation coefficient, −1 to 1.
    pub(super) fn rho(&self) -> f64 {
        (self.xs / (self.xx * self.ss).max(1e-24).sqrt()).clamp(-1.0, 1.0)
    }

    /// What the pilot does not explain.
    pub(super) fn rest(&self) -> f64 {
        (self.xx - self.xs * self.xs / self.ss.max(1e-12)).max(0.0)
    }

    /// How much later than its trail the pilot is, in samples: one step of Gauss and Newton.
    pub(super) fn late(&self) -> f64 {
        let gain = self.gain();
        if gain == 0.0 { 0.0 } else { -(self.xd - gain * self.sd) / (gain * self.dd.max(1e-12)) }
    }
}

fn sum(a: &[f32], b: &[f32]) -> f64 {
    f64::from(dot(a, b))
}

/// One hypothesis, hop by hop over the window.
pub(super) struct Trail {
    pub(super) id: u32,
    /// The pilot's usual gain, with its sign.
    pub(super) gain: f64,
    /// Power of a sample of what is not the pilot.
    pub(super) noise: f64,
    pub(super) lags: Vec<f64>,
    pub(super) sums: Vec<Sums>,
    pilot: Vec<f32>,
    slope: Vec<f32>,
    state: Sums,
    hop: usize,
}

impl Trail {
    /// A trail along a window of `hops` that begins at sample `first`, through `lag` at one of them; `own` is the
    /// window's sound without the other pilots.
    pub(super) fn new(id: u32, table: &Table, hop: usize, first: i64, own: &[f32], through: (usize, f64)) -> Self {
        let hops = own.len() / hop;
        let mut trail = Self {
            id,
            gain: 0.0,
            noise: 0.0,
            lags: vec![through.1; hops],
            sums: vec![Sums::default(); hops],
            pilot: vec![0.0; hops * hop],
            slope: vec![0.0; hops * hop],
            state: Sums::default(),
            hop,
        };
        let at = through.0.min(hops);
        // Back from there, and then on from there with what was learned.
        trail.follow(table, first, own, (0..at).rev());
        trail.state = Sums::default();
        trail.follow(table, first, own, at..hops);
        trail
    }

    /// Goes on over hops that are new in the window, at the last lag.
    pub(super) fn extend(&mut self, table: &Table, first: i64, hops: usize) {
        let lag = self.lags.last().copied().unwrap_or(0.0);
        for n in self.lags.len()..hops {
            self.lags.push(lag);
            self.sums.push(Sums::default());
            self.pilot.resize((n + 1) * self.hop, 0.0);
            self.slope.resize((n + 1) * self.hop, 0.0);
            self.render(table, first, n);
        }
    }

    /// Follows the lag over hops, in their order.
    pub(super) fn follow(&mut self, table: &Table, first: i64, own: &[f32], hops: impl Iterator<Item = usize>) {
        let mut lag = None;
        for n in hops {
            self.lags[n] = lag.unwrap_or(self.lags[n]);
            self.render(table, first, n);
            self.measure(own, n);
            self.state.fade();
            self.state.add(&self.sums[n], 1.0);
            let moved = if self.state.rho().abs() >= CLEAR { LOOP_GAIN * self.state.late() } else { 0.0 };
            lag = Some(self.lags[n] + moved.clamp(-FASTEST, FASTEST));
        }
    }

    /// Drops hops that have left the window.
    pub(super) fn forget(&mut self, hops: usize) {
        self.lags.drain(..hops);
        self.sums.drain(..hops);
        self.pilot.drain(..hops * self.hop);
        self.slope.drain(..hops * self.hop);
    }

    /// Compares the window's sound with the pilot again.
    pub(super) fn measure_all(&mut self, own: &[f32]) {
        (0..self.lags.len()).for_each(|n| self.measure(own, n));
    }

    fn render(&mut self, table: &Table, first: i64, n: usize) {
        let range = n * self.hop..(n + 1) * self.hop;
        let position = (first + range.start as i64) as f64 - self.lags[n];
        table.at(position, &mut self.pilot[range.clone()], &mut self.slope[range.clone()]);
        self.sums[n].of_pilot(&self.pilot[range.clone()], &self.slope[range]);
    }

    fn measure(&mut self, own: &[f32], n: usize) {
        let range = n * self.hop..(n + 1) * self.hop;
        self.sums[n].of_recording(&own[range.clone()], &self.pilot[range.clone()], &self.slope[range]);
    }

    pub(super) fn pilot(&self, n: usize) -> &[f32] {
        &self.pilot[n * self.hop..(n + 1) * self.hop]
    }

    /// The pilot in some samples of the window.
    pub(super) fn pilot_in(&self, samples: std::ops::Range<usize>) -> &[f32] {
        &self.pilot[samples]
    }

    /// All of some hops.
    pub(super) fn sum(&self, hops: impl Iterator<Item = usize>) -> Sums {
        let mut sum = Sums::default();
        hops.filter_map(|n| self.sums.get(n)).for_each(|hop| sum.add(hop, 1.0));
        sum
    }

    /// Learns the usual gain and the noise from hops in which the pilot is.
    pub(super) fn learn(&mut self, hops: &[usize]) {
        self.learn_of(&self.chunks(hops));
    }

    /// Learns the same from hops in some of which the pilot is: those in which it is as clear as anywhere in them.
    pub(super) fn learn_where_clear(&mut self, hops: &[usize]) {
        let all = self.chunks(hops);
        let sign = all.iter().map(|sums| sums.xs).sum::<f64>().signum();
        let clear = |sums: &Sums| sign * sums.rho();
        let highest = all.iter().map(clear).fold(0.0, f64::max);
        let some: Vec<Sums> = all.into_iter().filter(|sums| clear(sums) >= CLEAREST_PART * highest).collect();
        self.learn_of(&some);
    }

    fn chunks(&self, hops: &[usize]) -> Vec<Sums> {
        hops.chunks(LEARN_HOPS).map(|chunk| self.sum(chunk.iter().copied())).collect()
    }

    fn learn_of(&mut self, some: &[Sums]) {
        let middle = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let samples = (LEARN_HOPS * self.hop) as f64;
        let (gain, noise) =
            (middle(some.iter().map(Sums::gain).collect()), middle(some.iter().map(|s| s.rest() / samples).collect()));
        if let (Some(gain), Some(noise)) = (gain, noise) {
            let power = some.iter().map(|s| s.ss).sum::<f64>() / (some.len() as f64 * samples);
            (self.gain, self.noise) = (gain, noise.max(LEAST_NOISE * gain * gain * power).max(1e-12));
        }
    }

    /// The log-likelihood ratio of the pilot against none over a hop.
    pub(super) fn score(&self, n: usize) -> f64 {
        let Sums { xs, ss, .. } = self.sums[n];
        (self.gain * (xs - PRESENT * self.gain * ss) / self.noise.max(1e-12)).clamp(-MOST_SAID, MOST_SAID)
    }

    /// The same, sample by sample over some hops.
    pub(super) fn scores<'a>(&'a self, own: &'a [f32], hops: std::ops::Range<usize>) -> impl Iterator<Item = f64> + 'a {
        let range = hops.start * self.hop..hops.end * self.hop;
        own[range.clone()].iter().zip(&self.pilot[range]).map(|(&x, &s)| {
            let pilot = self.gain * f64::from(s);
            pilot * (f64::from(x) - PRESENT * pilot)
        })
    }
}
