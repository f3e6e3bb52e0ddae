//! Index against time: a device counts samples, and says of each buffer when it was captured or will be played.
//!
//! Samples that a device drops, or silence that it puts in, leave no trace in the count, and often no error either. They
//! show as a lasting jump of the stamps against the count. A single late stamp is none.

use std::collections::VecDeque;

use crate::stats::{median, robust_sd, theil_sen, theil_sen_in};
use crate::units::{MediaTime, Nanos, Ppb, Rate, RunTime, SampleClock};

/// What a device says of one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The count of the buffer's first sample.
    pub first: MediaTime,
    /// When that was captured, or will be played.
    pub at: RunTime,
}

/// Where a stream's time jumped against its count: an xrun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The count of the first sample of the first buffer after it.
    pub at: MediaTime,
    /// How many samples' time passed that the count does not have: dropped where sound is captured, silence where it is
    /// played. Negative: the count has more than there was time for.
    pub samples: i64,
}

/// A stream's count as run time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Maps positions, which are counts with the jumps before them added.
    pub clock: SampleClock,
    /// In order.
    pub jumps: Vec<Jump>,
    /// The robust standard deviation of the stamps about the line.
    pub stamp_sd: Nanos,
    /// Jumps of fewer samples would not have been seen.
    pub least_jump: i64,
    /// Stamps that were not on the line, and no jump.
    pub strays: u64,
}

impl Timeline {
    /// The position of a count.
    pub fn position(&self, count: f64) -> f64 {
        count + self.jumps.iter().take_while(|jump| jump.at.0 as f64 <= count).map(|j| j.samples as f64).sum::<f64>()
    }

    /// The run time of a count.
    pub fn time(&self, count: f64) -> RunTime {
        self.clock.time_at(self.position(count))
    }
}

/// The line is drawn through this many of the last stamps.
const WINDOW: usize = 128;
/// Nothing is said before this many have come: devices' first stamps are often wrong.
const WARM_UP: usize = 32;
/// A jump lasts: this many stamps in a row. Sound servers hand over several buffers at once, whose stamps are then off by
/// up to a buffer for a while.
const LASTING: usize = 32;
/// Of these so many have to be where the jump has them.
const MOST_OF_THEM: usize = 29;
/// The line is drawn anew after this many.
const REDRAW: usize = 16;
/// What scatters by less is not known to be a jump, as a multiple of the stamps' standard deviation.
const TIMES_SD: f64 = 8.0;
/// Sound servers' stamps wander by some tenths of a millisecond, for seconds, without any xrun.
const LEAST_JUMP_S: f64 = 0.001;
/// Of buffers that follow one another by less, the first one's stamp is enough: some servers hand over hundreds a second.
const APART_S: f64 = 0.008;
/// Cards are not further off. PulseAudio's null sink is, by up to a third of a percent: it counts whole microseconds.
const MOST_SKEW: f64 = 0.005;
/// How many stamps are kept for the line through all.
const HISTORY: usize = 8192;

/// Follows a stream as its stamps come.
#[derive(Debug)]
pub struct Timekeeper {
    rate: Rate,
    /// (position in seconds, stamp less that) of stamps that were believed.
    window: VecDeque<(f64, f64)>,
    line: Line,
    until_redraw: usize,
    /// Stamps before this count are left out.
    next: Option<MediaTime>,
    /// Not judged yet.
    pending: VecDeque<Stamp>,
    history: Vec<Stamp>,
    /// Of how many stamps one is kept.
    thinning: usize,
    judged: usize,
    jumps: Vec<Jump>,
    /// The sum of all jumps.
    shift: i64,
    strays: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    slope: f64,
    level: f64,
    sd: f64,
}

impl Line {
    /// `None` for no points.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let (x, y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let slope = theil_sen(&x, &y).map_or(0.0, |trend| trend.slope.clamp(-MOST_SKEW, MOST_SKEW));
        let straight: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
        Some(Self { slope, level: median(&straight)?, sd: robust_sd(&straight)? })
    }

    fn off(&self, (x, y): (f64, f64)) -> f64 {
        y - self.slope * x - self.level
    }

    fn least_jump_s(&self) -> f64 {
        (TIMES_SD * self.sd).max(LEAST_JUMP_S)
    }
}

impl Timekeeper {
    /// Of a stream whose card claims a rate.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            window: VecDeque::new(),
            line: Line::default(),
            until_redraw: 0,
            next: None,
            pending: VecDeque::new(),
            history: Vec::new(),
            thinning: 1,
            judged: 0,
            jumps: Vec::new(),
            shift: 0,
            strays: 0,
        }
    }

    /// Takes the next buffer's stamp.
    pub fn push(&mut self, stamp: Stamp) {
        if self.next.is_some_and(|next| stamp.first < next) {
            return;
        }
        self.next = Some(stamp.first + self.samples(APART_S));
        self.pending.push_back(stamp);
        if self.window.is_empty() {
            if self.pending.len() < WARM_UP + LASTING {
                return;
            }
            self.warm_up();
        }
        while self.pending.len() > LASTING {
            self.judge();
        }
    }

    /// Before this count all jumps are known. `None`: the stream has only begun.
    pub fn settled(&self) -> Option<MediaTime> {
        (!self.window.is_empty()).then(|| self.pending.front().map_or(MediaTime(0), |stamp| stamp.first))
    }

    /// The jumps so far.
    pub fn jumps(&self) -> &[Jump] {
        &self.jumps
    }

    /// The clock as the line through the last stamps has it. `None`: the stream has only begun.
    pub fn clock(&self) -> Option<SampleClock> {
        (!self.window.is_empty()).then(|| self.clock_of(self.line.slope, self.line.level))
    }

    /// The best that can be said of all stamps so far. `None`: there are too few.
    pub fn timeline(&self) -> Option<Timeline> {
        if self.window.is_empty() {
            return None;
        }
        let all = self.through(self.jumps.clone())?;
        // What seemed a jump at the time, and is none beside all that came later, was a wandering stamp.
        let real = |jump: &&Jump| 2 * jump.samples.abs() >= self.samples(LEAST_JUMP_S);
        let jumps: Vec<Jump> = all.jumps.iter().filter(real).copied().collect();
        if jumps.len() == all.jumps.len() { Some(all) } else { self.through(jumps) }
    }

    /// The timeline with jumps at given places.
    fn through(&self, mut jumps: Vec<Jump>) -> Option<Timeline> {
        let x: Vec<f64> = self.history.iter().map(|stamp| self.seconds(stamp.first.0)).collect();
        let y: Vec<f64> =
            self.history.iter().zip(&x).map(|(stamp, x)| stamp.at.since_start().as_secs_f64() - x).collect();
        let mut edges = vec![0];
        edges.extend(jumps.iter().map(|jump| self.history.partition_point(|stamp| stamp.first < jump.at)));
        edges.push(x.len());
        let stretches: Vec<_> = edges.windows(2).map(|edge| edge[0]..edge[1]).collect();
        let slope = theil_sen_in(&x, &y, &stretches).map_or(self.line.slope, |trend| trend.slope);
        let level = |stretch: &std::ops::Range<usize>| {
            median(&stretch.clone().map(|n| y[n] - slope * x[n]).collect::<Vec<_>>())
        };
        let first = stretches.first().and_then(level).unwrap_or(self.line.level);
        let mut before = Some(first);
        for (jump, stretch) in jumps.iter_mut().zip(&stretches[1..]) {
            let after = level(stretch);
            if let (Some(before), Some(after)) = (before, after) {
                // A jump moves positions too, which the slope then counts.
                jump.samples = self.samples((after - before) / (1.0 + slope));
            }
            before = after.or(before);
        }
        let clock = self.clock_of(slope, first);
        let mut timeline = Timeline { clock, jumps, stamp_sd: Nanos::ZERO, least_jump: 0, strays: self.strays };
        let off: Vec<f64> =
            self.history.iter().map(|stamp| (stamp.at - timeline.time(stamp.first.0 as f64)).as_secs_f64()).collect();
        timeline.stamp_sd = Nanos::from_secs_f64(robust_sd(&off).unwrap_or(0.0));
        timeline.least_jump = self.samples(self.line.least_jump_s());
        Some(timeline)
    }

    /// The first stamps: those that the most agree with.
    fn warm_up(&mut self) {
        let points: Vec<_> = self.pending.iter().map(|stamp| self.point(stamp)).collect();
        // Later ones are right; wrong ones would bend a line through so few.
        let late: Vec<f64> = points[points.len() / 2..].iter().map(|point| point.1).collect();
        let (level, sd) = (median(&late).unwrap_or(0.0), robust_sd(&late).unwrap_or(0.0));
        self.line = Line { slope: 0.0, level, sd };
        for _ in 0..WARM_UP {
            let Some(stamp) = self.pending.pop_front() else { break };
            let point = self.point(&stamp);
            if self.line.off(point).abs() <= self.line.least_jump_s() {
                self.believe(stamp, point);
            } else {
                self.strays += 1;
            }
        }
        self.redraw();
    }

    /// Judges the stamp that has waited longest by those behind it.
    fn judge(&mut self) {
        let least = self.line.least_jump_s();
        let off: Vec<f64> = self.pending.iter().take(LASTING).map(|stamp| self.line.off(self.point(stamp))).collect();
        let Some(stamp) = self.pending.pop_front() else { return };
        if off[0].abs() > least {
            let level = median(&off).unwrap_or(0.0);
            let there = off.iter().filter(|one| (**one * level.signum()) > least / 2.0).count();
            if level * off[0].signum() > least && there >= MOST_OF_THEM {
                let samples = self.samples(level);
                self.jumps.push(Jump { at: stamp.first, samples });
                self.shift += samples;
            } else {
                self.strays += 1;
            }
        }
        // Strays too: they are what stamps scatter by, and medians bear them.
        let point = self.point(&stamp);
        self.believe(stamp, point);
    }

    fn believe(&mut self, stamp: Stamp, point: (f64, f64)) {
        if self.judged.is_multiple_of(self.thinning) {
            self.history.push(stamp);
        }
        if self.history.len() >= HISTORY {
            let mut nth = 0;
            self.history.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.thinning *= 2;
        }
        self.judged += 1;
        self.window.push_back(point);
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        if self.until_redraw == 0 {
            self.redraw();
        }
        self.until_redraw -= 1;
    }

    fn redraw(&mut self) {
        let points: Vec<_> = self.window.iter().copied().collect();
        self.line = Line::through(&points).unwrap_or(self.line);
        self.until_redraw = REDRAW;
    }

    fn point(&self, stamp: &Stamp) -> (f64, f64) {
        let x = self.seconds(stamp.first.0 + self.shift);
        (x, stamp.at.since_start().as_secs_f64() - x)
    }

    fn seconds(&self, samples: i64) -> f64 {
        samples as f64 / self.rate.hz()
    }

    fn samples(&self, seconds: f64) -> i64 {
        (seconds * self.rate.hz()).round() as i64
    }

    fn clock_of(&self, slope: f64, level: f64) -> SampleClock {
        // A stamp is level + x (1 + slope): so much longer the card's second is.
        let skew = Ppb::from_ppm(1e6 * (1.0 / (1.0 + slope) - 1.0));
        SampleClock { start: RunTime::START + Nanos::from_secs_f64(level), rate: self.rate, skew }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::Rng;
    use rand_pcg::Pcg32;

    use super::*;

    const PERIOD: i64 = 480;

    /// The stamps of a card of known skew that begins 1 s into the run; each `(buffer, samples)` of `xruns` is a jump
    /// before that buffer. Stamps are off by what `wrong` says.
    fn keep(skew: Ppb, buffers: i64, xruns: &[(i64, i64)], wrong: impl Fn(i64) -> Nanos) -> Timekeeper {
        let clock = SampleClock { skew, ..SampleClock::new(RunTime(1_000_000_000), Rate::OPUS) };
        let mut keeper = Timekeeper::new(Rate::OPUS);
        for n in 0..buffers {
            let first = MediaTime(n * PERIOD);
            let lost: i64 = xruns.iter().filter(|xrun| xrun.0 <= n).map(|xrun| xrun.1).sum();
            keeper.push(Stamp { first, at: clock.time(first + lost) + wrong(n) });
        }
        keeper
    }

    #[test]
    fn first_stamps_that_are_wrong_do_not_move_the_line() {
        let wrong = |n| if n < 5 { Nanos::from_millis(1800 - 300 * n) } else { Nanos::ZERO };
        let timeline = keep(Ppb::ZERO, 500, &[], wrong).timeline().unwrap();
        assert_eq!((timeline.jumps.len(), timeline.strays), (0, 5));
        assert!((timeline.clock.start - RunTime(1_000_000_000)).abs() < Nanos(100), "{timeline:?}");
    }

    #[test]
    fn a_late_stamp_is_no_jump_and_a_lasting_one_is() {
        let late = |n: i64| if n % 50 == 7 { Nanos::from_millis(20) } else { Nanos::ZERO };
        let timeline = keep(Ppb::ZERO, 600, &[(300, 480)], late).timeline().unwrap();
        assert_eq!(timeline.jumps, [Jump { at: MediaTime(300 * PERIOD), samples: 480 }]);
        assert_eq!(timeline.position(299.0 * 480.0), 299.0 * 480.0);
        assert_eq!(timeline.position(300.0 * 480.0), 301.0 * 480.0);
    }

    #[test]
    fn nothing_is_said_before_the_stream_has_run_for_a_while() {
        let keeper = keep(Ppb::ZERO, 60, &[], |_| Nanos::ZERO);
        assert_eq!((keeper.settled(), keeper.clock(), keeper.timeline()), (None, None, None));
    }

    #[test]
    fn memory_does_not_grow_for_ever_and_the_line_stays() {
        let keeper = keep(Ppb::from_ppm(120.0), 50_000, &[(40_000, 96)], |_| Nanos::ZERO);
        assert!(keeper.history.len() < HISTORY && keeper.window.len() <= WINDOW);
        let timeline = keeper.timeline().unwrap();
        assert_eq!(timeline.jumps, [Jump { at: MediaTime(40_000 * PERIOD), samples: 96 }]);
        assert!((timeline.clock.skew.as_ppm() - 120.0).abs() < 0.1, "{timeline:?}");
    }

    #[test]
    fn stamps_of_buffers_that_come_two_at_a_time_are_no_jumps() {
        // The second of each pair is stamped with the first, in spells of every length.
        let paired = |n: i64| if n % 2 == 1 && (n / 70) % 2 == 0 { Nanos::from_millis(-10) } else { Nanos::ZERO };
        let timeline = keep(Ppb::ZERO, 1500, &[], paired).timeline().unwrap();
        assert_eq!(timeline.jumps, []);
        let timeline = keep(Ppb::ZERO, 1500, &[(700, 9600)], paired).timeline().unwrap();
        assert_eq!(timeline.jumps.iter().map(|jump| jump.samples).sum::<i64>(), 9600, "{timeline:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Stamps scatter by up to a sample either way; jumps of either sign are found with their place and size, and no others.
        #[test]
        fn every_jump_is_found_and_none_invented(
            ppm in -200.0..200.0_f64,
            gaps in prop::collection::vec((40_i64..200, prop_oneof![-960_i64..=-72, 72_i64..=4800]), 0..6),
            seed: u64,
        ) {
            let mut at = 60;
            let xruns: Vec<(i64, i64)> = gaps.iter().map(|&(apart, samples)| { at += apart; (at, samples) }).collect();
            let mut rng = Pcg32::new(seed, 1);
            let dice: Vec<i64> = (0..1200).map(|_| i64::from(rng.next_u32() % 40_000) - 20_000).collect();
            let scatter = |n: i64| Nanos(dice[n as usize]);
            let timeline = keep(Ppb::from_ppm(ppm), 1200, &xruns, scatter).timeline().unwrap();
            prop_assert_eq!(timeline.jumps.len(), xruns.len(), "{:?} {:?}", timeline, xruns);
            for (jump, (buffer, samples)) in timeline.jumps.iter().zip(&xruns) {
                prop_assert_eq!(jump.at, MediaTime(buffer * PERIOD));
                prop_assert!((jump.samples - samples).abs() <= 1, "{:?} {:?}", timeline, xruns);
            }
            prop_assert!((timeline.clock.skew.as_ppm() - ppm).abs() < 5.0, "{:?}", timeline);
        }
    }
}
