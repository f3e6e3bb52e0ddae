//! One code's pilot in a window of the recording: on which trail it is, hop by hop.

use std::ops::Range;
use std::sync::LazyLock;

use super::input::dot;
use super::path::likeliest;
use super::search::{self, Find};
use super::table::Shared;
use super::trail::Trail;
use crate::signal::Code;

/// A run of hops on one trail that is shorter than this (35 ms) is held to be chance, or the concealment of a loss.
const SHORTEST_RUN: usize = 7;
/// A run is believed if chance makes as much of noise in none of some thousand million cases.
const RUN_SIGMAS: f64 = 7.0;
/// The same of a run on the trail that the pilot was on before: between two lost packets it is 20 ms long.
const SHORTEST_RETURN: usize = 3;
const RETURN_SIGMAS: f64 = 4.0;
/// Hops that a search near the last lag looks at, and how far it reaches.
const NEAR_HOPS: usize = 8;
const NEAR_SECONDS: f64 = 0.02;
/// The same for a search around it.
const AROUND_HOPS: usize = 20;
const AROUND_SECONDS: f64 = 0.6;
/// An echo that sounds on for longer (0.6 s) is a path of its own.
const LONGEST_ECHO: usize = 120;
/// A run is the pilot without doubt if it is so long (0.6 s), or has such a coefficient.
const FIRM_RUN: usize = 120;
const FIRM_RHO: f64 = 0.7;
/// What adds less than this part of the power of all sound there (−40 dB) is what taking out the other pilots leaves.
const LEAST_PART: f64 = 1e-4;
/// Trails at one time, and for how many steps one is kept that the pilot is not on.
const MOST_TRAILS: usize = 48;
const UNUSED_STEPS: u32 = 2;
/// Rounds of search in a step: what one round finds can show what is left.
const ROUNDS: usize = 3;

/// What all voices share: the recording from some hops before what is decided on, at the rate of tracking.
pub(super) struct Window {
    /// Samples of a hop.
    pub(super) hop: usize,
    /// Which sample of the stream the window begins with.
    pub(super) first: i64,
    /// The recording.
    pub(super) sound: Vec<f32>,
    /// The recording without any pilot.
    pub(super) rest: Vec<f32>,
}

impl Window {
    pub(super) fn hops(&self) -> usize {
        self.rest.len() / self.hop
    }
}

/// One code's pilot.
pub(super) struct Voice {
    pub(super) code: Code,
    pub(super) table: Shared,
    pub(super) trails: Vec<Trail>,
    /// The trail at each hop of the window.
    pub(super) path: Vec<Option<u32>>,
    /// What it adds to the window's sound.
    added: Vec<f32>,
    /// The trail that it was on last, to which it may return.
    last_on: Option<u32>,
    /// By trail: for how many steps the pilot has not been on it.
    unused: Vec<(u32, u32)>,
    next_id: u32,
    /// Hops of the window that have been searched near the last lag, and around it.
    searched: [usize; 2],
}

impl Voice {
    pub(super) fn new(code: Code, table: Shared) -> Self {
        let (trails, path, added, unused) = Default::default();
        Self { code, table, trails, path, added, last_on: None, unused, next_id: 0, searched: [0; 2] }
    }

    /// Makes its table, if nobody has yet.
    pub(super) fn prepare(&self) {
        LazyLock::force(&self.table);
    }

    /// Goes on over new hops as it went on until there.
    pub(super) fn extend(&mut self, window: &Window) {
        let hops = window.hops();
        for trail in &mut self.trails {
            trail.extend(&self.table, window.first, hops);
        }
        self.path.resize(hops, self.path.last().copied().flatten());
        self.added.resize(hops * window.hop, 0.0);
    }

    /// Measures its gain anew, hop by hop, and takes that out of the sound. All voices in turn, and again, come to the
    /// joint least squares (Gauss and Seidel).
    pub(super) fn cancel(&mut self, window: &mut Window) {
        let own = self.own(window);
        self.trails.iter_mut().for_each(|trail| trail.measure_all(&own));
        self.take_out(window, &own);
    }

    /// Decides where the pilot is from the hop `decided` on; `new` hops have not been followed yet.
    pub(super) fn update(&mut self, window: &mut Window, decided: usize, new: usize) {
        let own = self.own(window);
        for trail in &mut self.trails {
            trail.follow(&self.table, window.first, &own, new..window.hops());
            trail.measure_all(&own);
        }
        self.learn(new);
        for _ in 0..ROUNDS {
            self.decide(decided, window, &own);
            if !self.search(window, &own, decided) {
                break;
            }
        }
        self.searched = [NEAR_HOPS, AROUND_HOPS].map(|length| window.hops().saturating_sub(3 * length / 2));
        self.decide(decided, window, &own);
        self.drop_unused(decided);
        self.take_out(window, &own);
    }

    /// Drops hops that have left the window.
    pub(super) fn forget(&mut self, hops: usize, hop: usize) {
        self.trails.iter_mut().for_each(|trail| trail.forget(hops));
        self.path.drain(..hops);
        self.added.drain(..hops * hop);
        self.searched = self.searched.map(|searched| searched.saturating_sub(hops));
    }

    /// The window's sound without the other pilots.
    pub(super) fn own(&self, window: &Window) -> Vec<f32> {
        window.rest.iter().zip(&self.added).map(|(rest, added)| rest + added).collect()
    }

    pub(super) fn trail(&self, id: u32) -> Option<&Trail> {
        self.trails.iter().find(|trail| trail.id == id)
    }

    /// The hops around one that are on the same trail, at most `reach` to each side.
    pub(super) fn neighbours(&self, hop: usize, reach: usize) -> Range<usize> {
        let same = |n: usize| self.path[n] == self.path[hop];
        let from = (hop.saturating_sub(reach)..hop).rev().take_while(|&n| same(n)).last().unwrap_or(hop);
        let to = (hop + 1..(hop + reach + 1).min(self.path.len())).take_while(|&n| same(n)).last().unwrap_or(hop);
        from..to + 1
    }

    fn take_out(&mut self, window: &mut Window, own: &[f32]) {
        let hop = window.hop;
        for n in 0..self.path.len() {
            let added = &mut self.added[n * hop..(n + 1) * hop];
            added.fill(0.0);
            if let Some(trail) = self.path[n].and_then(|id| self.trails.iter().find(|trail| trail.id == id)) {
                let same = |m: &usize| self.path[*m] == self.path[n];
                let around = n.saturating_sub(2)..(n + 3).min(self.path.len());
                let gain = trail.sum(around.filter(same)).gain() as f32;
                added.iter_mut().zip(trail.pilot(n)).for_each(|(added, pilot)| *added = gain * pilot);
            }
        }
        for (rest, (own, added)) in window.rest.iter_mut().zip(own.iter().zip(&self.added)) {
            *rest = own - added;
        }
    }

    /// Learns from hops that have been looked at.
    fn learn(&mut self, end: usize) {
        for trail in &mut self.trails {
            let hops: Vec<usize> = (0..end).filter(|&n| self.path[n] == Some(trail.id)).collect();
            if hops.len() >= 5 * NEAR_HOPS {
                trail.learn(&hops);
            }
        }
    }

    fn decide(&mut self, decided: usize, window: &Window, own: &[f32]) {
        let hops = self.path.len();
        let scores: Vec<Vec<f64>> =
            self.trails.iter().map(|trail| (decided..hops).map(|n| trail.score(n)).collect()).collect();
        let before = decided.checked_sub(1).and_then(|n| self.path[n]);
        let first = before.and_then(|id| self.trails.iter().position(|trail| trail.id == id));
        let path = likeliest(&scores, first);
        for (n, state) in (decided..).zip(path) {
            self.path[n] = state.map(|index| self.trails[index].id);
        }
        // What is too short or too faint to be sure of.
        let mut n = decided;
        while n < hops {
            let run = n..(n..hops).take_while(|&m| self.path[m] == self.path[n]).last().map_or(n + 1, |last| last + 1);
            n = run.end;
            let goes_on = run.start == decided && before == self.path[run.start] || run.end == hops;
            let Some(trail) = self.path[run.start].and_then(|id| self.trail(id)) else { continue };
            let samples = run.len() as f64 * self.table.hz * 0.004;
            let (shortest, sigmas) =
                if self.is_known(&run) { (SHORTEST_RETURN, RETURN_SIGMAS) } else { (SHORTEST_RUN, RUN_SIGMAS) };
            let sums = trail.sum(run.clone());
            let sure = sums.rho().abs() * samples.sqrt() >= sigmas;
            let sound = &window.sound[run.start * window.hop..run.end * window.hop];
            let residue = sums.xs * sums.gain() < LEAST_PART * f64::from(dot(sound, sound));
            if !goes_on && (run.len() < shortest || !sure || residue || self.is_echo(&run, own)) {
                self.path[run].fill(None);
            }
        }
    }

    /// Whether a run is on the trail that the pilot was on before the gap before it, or is on after the gap after it.
    fn is_known(&self, run: &Range<usize>) -> bool {
        let own = self.path[run.start];
        let before = self.path[..run.start].iter().rev().find(|state| state.is_some());
        let after = self.path[run.end..].iter().find(|state| state.is_some());
        [before, after].into_iter().flatten().any(|&other| other == own)
    }

    /// Whether a run is but the echo of the one before, which sounds on when that has ended: it is fainter, and was there
    /// with it.
    fn is_echo(&self, run: &Range<usize>, own: &[f32]) -> bool {
        let before = run.start.checked_sub(1).and_then(|n| self.trail(self.path[n]?));
        let (Some(first), Some(echo)) = (before, self.path[run.start].and_then(|id| self.trail(id))) else {
            return false;
        };
        let with = self.neighbours(run.start - 1, AROUND_HOPS);
        if run.len() > LONGEST_ECHO || echo.gain.abs() > 0.9 * first.gain.abs() || with.end > run.start {
            return false;
        }
        let (gain, hop) = (first.sum(with.clone()).gain() as f32, own.len() / self.path.len().max(1));
        let (mut xs, mut ss) = (0.0, 0.0);
        for n in with {
            let rest = own[n * hop..].iter().zip(first.pilot(n)).map(|(x, s)| x - gain * s);
            xs += rest.zip(echo.pilot(n)).map(|(x, s)| f64::from(x * s)).sum::<f64>();
            ss += echo.sums[n].ss;
        }
        xs / ss.max(1e-12) / echo.gain > 0.5
    }

    /// Looks for the pilot where it is on no trail; whether it has found one.
    fn search(&mut self, window: &Window, own: &[f32], decided: usize) -> bool {
        let (hop, hops) = (window.hop, self.path.len());
        let mut found: Vec<(usize, usize, Find)> = Vec::new();
        let absent = |stretch: &Range<usize>| stretch.end > decided && self.path[stretch.start].is_none();
        let stretches: Vec<_> = self.runs().into_iter().filter(absent).collect();
        for stretch in stretches {
            let sides = [stretch.start.checked_sub(1), (stretch.end < hops).then_some(stretch.end)];
            let mut lags: Vec<f64> =
                sides.into_iter().flatten().filter_map(|n| Some(self.trail(self.path[n]?)?.lags[n])).collect();
            if lags.is_empty() {
                lags.extend(self.last_on.and_then(|id| Some(self.trail(id)?.lags[stretch.start])));
            }
            for (kind, length, seconds) in [(0, NEAR_HOPS, NEAR_SECONDS), (1, AROUND_HOPS, AROUND_SECONDS)] {
                let from = stretch.start.max(self.searched[kind]);
                for at in (from..hops.saturating_sub(length))
                    .step_by(length / 2)
                    .take_while(|&at| at + 3 * length / 4 <= stretch.end)
                {
                    let piece = &own[at * hop..(at + length) * hop];
                    let (first, reach) = (window.first + (at * hop) as i64, (seconds * self.table.hz) as usize);
                    let find = if kind == 0 { search::near } else { search::around };
                    let finds =
                        lags.iter().filter_map(|&lag| find(&self.table, piece, first, lag, reach).into_iter().next());
                    found.extend(finds.map(|find| (at, length, find)));
                }
            }
        }
        found.extend(self.search_anywhere(window, own, decided));
        found.sort_by(|a, b| (b.2.rho.abs() * (b.1 as f64).sqrt()).total_cmp(&(a.2.rho.abs() * (a.1 as f64).sqrt())));
        let before = self.trails.len();
        for (at, length, find) in found {
            self.begin(window, own, at..at + length, find);
        }
        self.trails.len() > before
    }

    /// Looks for the pilot in its whole period where it is on no trail, or on one that is not sure to be it: other parts of
    /// a pilot sound like it for a while, and must not keep it from being found.
    fn search_anywhere(&mut self, window: &Window, own: &[f32], decided: usize) -> Option<(usize, usize, Find)> {
        let length = search::block_samples().div_ceil(window.hop);
        let mut doubtful = 0..0;
        for run in self.runs().into_iter().filter(|run| !self.is_firm(run)) {
            if run.start > doubtful.end {
                doubtful.start = run.start;
            }
            doubtful.end = run.end;
        }
        let at = doubtful.end.checked_sub(length).filter(|&at| at >= doubtful.start && doubtful.end > decided)?;
        let piece = &own[at * window.hop..][..search::block_samples()];
        let find = search::anywhere(&self.table, piece, window.first + (at * window.hop) as i64)?;
        Some((at, length, find))
    }

    /// Whether a run is the pilot without doubt: nothing else goes on so long, or is so much like it.
    fn is_firm(&self, run: &Range<usize>) -> bool {
        let trail = self.path[run.start].and_then(|id| self.trail(id));
        trail.is_some_and(|trail| run.len() >= FIRM_RUN || trail.sum(run.clone()).rho().abs() >= FIRM_RHO)
    }

    /// Stretches on one trail, or on none.
    fn runs(&self) -> Vec<Range<usize>> {
        let runs = self.path.chunk_by(|a, b| a == b).scan(0, |at, run| {
            let stretch = *at..*at + run.len();
            *at = stretch.end;
            Some(stretch)
        });
        runs.collect()
    }

    /// Begins a trail, unless there is one like it.
    fn begin(&mut self, window: &Window, own: &[f32], hops: Range<usize>, find: Find) {
        let middle = usize::midpoint(hops.start, hops.end);
        let same_lag = |trail: &&Trail| {
            let apart = (trail.lags[middle] - find.lag).rem_euclid(self.table.period);
            apart.min(self.table.period - apart) < 1.0
        };
        let gain_there = |trail: &Trail| trail.sum(hops.clone()).gain();
        let like = |trail: &&Trail| (0.5..2.0).contains(&(gain_there(trail) / trail.gain));
        if self.trails.len() >= MOST_TRAILS || self.trails.iter().filter(same_lag).any(|trail| like(&trail)) {
            return;
        }
        let mut trail = Trail::new(self.next_id, &self.table, window.hop, window.first, own, (middle, find.lag));
        trail.learn_where_clear(&hops.collect::<Vec<_>>());
        self.next_id += 1;
        self.trails.push(trail);
    }

    fn drop_unused(&mut self, decided: usize) {
        self.last_on = self.path.iter().rev().find_map(|&state| state).or(self.last_on);
        let used: Vec<u32> =
            self.path[decided.saturating_sub(1)..].iter().copied().flatten().chain(self.last_on).collect();
        // What left the window still has to be known where the window begins.
        let begun: Vec<u32> = self.path.iter().copied().flatten().collect();
        let mut unused = std::mem::take(&mut self.unused);
        self.trails.retain(|trail| {
            if used.contains(&trail.id) || begun.contains(&trail.id) {
                unused.retain(|(id, _)| *id != trail.id);
                return true;
            }
            match unused.iter_mut().find(|(id, _)| *id == trail.id) {
                Some((_, steps)) => {
                    *steps += 1;
                    *steps < UNUSED_STEPS
                }
                None => {
                    unused.push((trail.id, 0));
                    true
                }
            }
        });
        unused.retain(|(id, _)| self.trails.iter().any(|trail| trail.id == *id));
        self.unused = unused;
    }
}
