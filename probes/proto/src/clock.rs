//! What a host's clock shows, and records kept by it.
//!
//! Engines are driven by the run's reference clock. A host whose clock is wrong does the same things at the same true
//! instants, as timers and sound cards do not care what the time of day is, but writes down other times. So a wrong clock
//! changes what is told and nothing that happens: one-way delays between two hosts are wrong by the difference of their
//! clocks, round trips and differences at one ear are right.

use jiho_analysis::metrics::topology::drops::Direction;
use jiho_analysis::units::{MediaTime, Nanos, Ppb, RunTime, SampleClock};

use crate::event::{DroppedPacket, Event, Playout, SentPacket};
use crate::link::Luck;
use crate::records::{KeepError, Records};
use crate::speaker::Mouth;

/// The distance of the points between which a clock wanders evenly.
const WALK_EVERY: Nanos = Nanos::from_secs(1);

/// How wrong a clock is. The default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClockError {
    /// What it shows too much at the start of the run.
    pub offset: Nanos,
    /// By how much it runs too fast.
    pub drift: Ppb,
    /// The standard deviation of how far it wanders by chance in a second, each second anew.
    pub walk: Nanos,
    /// When somebody sets it, in order of time.
    pub steps: Vec<ClockStep>,
}

/// Somebody sets a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// When, in truth.
    pub at: RunTime,
    /// How much later it shows from then on.
    pub by: Nanos,
}

/// A host's clock through a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalClock {
    error: ClockError,
    /// How far it has wandered, at each second of the run.
    walk: Vec<Nanos>,
    end: RunTime,
}

impl LocalClock {
    /// A clock from the start of the run to `end`; `luck` names its luck, and equal names wander equally.
    pub fn new(error: ClockError, end: RunTime, luck: &[u64]) -> Self {
        let mut luck = Luck::new(luck);
        let seconds = if error.walk == Nanos::ZERO { 0 } else { end.0.max(0) / WALK_EVERY.0 + 1 };
        let mut wandered = 0.0;
        let steps = (0..seconds).map(|_| {
            wandered += luck.normal() * error.walk.as_secs_f64();
            Nanos::from_secs_f64(wandered)
        });
        let walk = [Nanos::ZERO].into_iter().chain(steps).collect();
        Self { error, walk, end }
    }

    /// What it shows at an instant.
    pub fn read(&self, at: RunTime) -> RunTime {
        let set = self.error.steps.iter().take_while(|step| step.at <= at).fold(Nanos::ZERO, |sum, step| sum + step.by);
        at + self.error.offset + self.error.drift.of(at.since_start()) + self.wandered(at) + set
    }

    /// The most by which it is wrong at any time of the run.
    pub fn bound(&self) -> Nanos {
        let seconds = (0..).map(|n| RunTime(n * WALK_EVERY.0)).take(self.walk.len());
        let sets = self.error.steps.iter().flat_map(|step| [step.at, step.at - Nanos(1)]);
        let looks = seconds.chain(sets).chain([RunTime::START, self.end]).filter(|at| *at <= self.end);
        looks.map(|at| (self.read(at) - at).abs()).max().unwrap_or_default()
    }

    /// A stream's clock as the host sees it: begun when the local clock says, and as fast as the sound card is by a
    /// local clock that drifts. A sample count rules from there on, so that what the clock does later, being set or
    /// wandering, does not move samples.
    pub fn sample_clock(&self, clock: SampleClock) -> SampleClock {
        let (card, drift) = (i128::from(clock.skew.0), i128::from(self.error.drift.0));
        let billion = 1_000_000_000;
        let skew = ((billion + card) * billion + (billion + drift) / 2).div_euclid(billion + drift) - billion;
        SampleClock { start: self.read(clock.start), skew: Ppb(skew as i64), ..clock }
    }

    /// An instant that was worked out by a stream's clock, which began at `start`.
    fn by_stream(&self, start: RunTime, at: RunTime) -> RunTime {
        self.read(start) + (at - start) + self.error.drift.of(at - start)
    }

    fn wandered(&self, at: RunTime) -> Nanos {
        let last = self.walk.len() - 1;
        let before = at.0.clamp(0, last as i64 * WALK_EVERY.0) / WALK_EVERY.0;
        let (from, to) = (self.walk[before as usize], self.walk[(before as usize + 1).min(last)]);
        let part = (at.0 - before * WALK_EVERY.0).clamp(0, WALK_EVERY.0);
        from + Nanos((i128::from((to - from).0) * i128::from(part) / i128::from(WALK_EVERY.0)) as i64)
    }
}

/// Records that are kept by a host's own clock.
pub struct LocalRecords {
    clock: LocalClock,
    records: Box<dyn Records>,
    /// When, in truth, the ear and the mouth opened.
    ear: RunTime,
    mouth: RunTime,
}

impl LocalRecords {
    /// Hands everything on to `records`, with the times that `clock` shows.
    pub fn new(clock: LocalClock, records: Box<dyn Records>) -> Self {
        Self { clock, records, ear: RunTime::START, mouth: RunTime::START }
    }

    fn local(&mut self, event: Event) -> Event {
        match event {
            Event::EarOpened { clock } => {
                self.ear = clock.start;
                Event::EarOpened { clock: self.clock.sample_clock(clock) }
            }
            Event::MouthOpened { clock, ssrc } => {
                self.mouth = clock.start;
                Event::MouthOpened { clock: self.clock.sample_clock(clock), ssrc }
            }
            Event::Sung { beep, at } => Event::Sung { beep, at: self.clock.by_stream(self.mouth, at) },
            Event::Sent(sent) => {
                Event::Sent(SentPacket { captured: self.clock.by_stream(self.mouth, sent.captured), ..sent })
            }
            Event::Dropped(dropped) => Event::Dropped(DroppedPacket {
                at: match dropped.direction {
                    Direction::In => self.clock.read(dropped.at),
                    Direction::Out => self.clock.by_stream(self.mouth, dropped.at),
                },
                ..dropped
            }),
            Event::Playout(playout) => Event::Playout(Playout {
                received: playout.received.map(|at| self.clock.read(at)),
                played: playout.played.map(|at| self.clock.by_stream(self.ear, at)),
                ..playout
            }),
            timeless => timeless,
        }
    }
}

impl Records for LocalRecords {
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.records.ear(first, samples)
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        let event = self.local(event);
        self.records.event(self.clock.read(at), event)
    }
}

/// A mouth that sounds when its host's clock says that it is time.
#[derive(Debug)]
pub struct LocalMouth {
    clock: LocalClock,
    mouth: Box<dyn Mouth>,
}

impl LocalMouth {
    /// What `mouth` plays by the times that `clock` shows.
    pub fn new(clock: LocalClock, mouth: Box<dyn Mouth>) -> Self {
        Self { clock, mouth }
    }
}

impl Mouth for LocalMouth {
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        self.mouth.fill(&self.clock.sample_clock(*clock), first, out);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use jiho_analysis::units::Rate;

    use super::*;
    use crate::event::PlayoutAction;

    const MS: fn(i64) -> Nanos = Nanos::from_millis;

    fn at(millis: i64) -> RunTime {
        RunTime::START + MS(millis)
    }

    fn clock(error: ClockError) -> LocalClock {
        LocalClock::new(error, at(100_000), &[1])
    }

    fn wrong() -> ClockError {
        let steps = vec![ClockStep { at: at(10_000), by: MS(-5) }];
        ClockError { offset: MS(3), drift: Ppb::from_ppm(20.0), walk: Nanos::ZERO, steps }
    }

    #[test]
    fn a_clock_shows_its_offset_its_drift_and_its_steps() {
        let clock = clock(wrong());
        let errors = [0, 9_999, 10_000, 100_000].map(|ms| (clock.read(at(ms)) - at(ms)).0);
        assert_eq!(errors, [3_000_000, 3_199_980, -1_800_000, 0]);
        assert_eq!(clock.bound(), Nanos(3_200_000), "just before it is set");
    }

    #[test]
    fn an_exact_clock_changes_nothing() {
        let clock = clock(ClockError::default());
        assert_eq!((clock.read(at(77_777)), clock.bound()), (at(77_777), Nanos::ZERO));
        let stream = SampleClock { skew: Ppb(7), ..SampleClock::new(at(5), Rate::OPUS) };
        assert_eq!(clock.sample_clock(stream), stream);
    }

    #[test]
    fn a_clock_that_wanders_is_off_by_the_root_of_the_time() {
        let walk = Nanos::from_micros(10);
        let off = |seed| {
            let clock = LocalClock::new(ClockError { walk, ..ClockError::default() }, at(100_000), &[seed]);
            assert!(clock.bound() >= (clock.read(at(64_000)) - at(64_000)).abs());
            [1_000, 64_000].map(|ms| (clock.read(at(ms)) - at(ms)).as_secs_f64() * 1e6)
        };
        let all: Vec<[f64; 2]> = (0..2000).map(off).collect();
        let sd = |n: usize| (all.iter().map(|off| off[n] * off[n]).sum::<f64>() / all.len() as f64).sqrt();
        // 10 µs · √t; standard error 1/√4000 = 1.6 %.
        assert!((sd(0) / 10.0 - 1.0).abs() < 0.08 && (sd(1) / 80.0 - 1.0).abs() < 0.08, "{} {}", sd(0), sd(1));
    }

    #[test]
    fn a_stream_begins_by_the_local_clock_and_counts_against_its_drift() {
        let clock = clock(wrong());
        let stream = SampleClock { skew: Ppb::from_ppm(50.0), ..SampleClock::new(at(1_000), Rate::OPUS) };
        let local = clock.sample_clock(stream);
        assert_eq!(local.start, clock.read(at(1_000)));
        assert_eq!(local.skew, Ppb(29_999), "(1 + 50 ppm) / (1 + 20 ppm)");
        let sample = MediaTime(48_000 * 5);
        let seen = clock.by_stream(stream.start, stream.time(sample));
        assert!((seen - local.time(sample)).abs() <= Nanos(5), "{seen:?}");
    }

    #[test]
    fn records_are_kept_by_the_local_clock_and_sample_counts_outlast_its_steps() {
        #[derive(Clone, Default)]
        struct Shelf(Arc<Mutex<Vec<(RunTime, Event)>>>);
        impl Records for Shelf {
            fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
                Ok(())
            }
            fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
                self.0.lock().unwrap().push((at, event));
                Ok(())
            }
        }
        let shelf = Shelf::default();
        let error = ClockError { drift: Ppb::ZERO, ..wrong() };
        let mut records = LocalRecords::new(clock(error), Box::new(shelf.clone()));
        let ear = SampleClock::new(at(1_000), Rate::OPUS);
        records.event(at(990), Event::EarOpened { clock: ear }).unwrap();
        let playout = |received, played| Playout {
            ssrc: 1,
            sequence: 2,
            rtp_timestamp: 3,
            size_bytes: None,
            received: Some(at(received)),
            played: Some(at(played)),
            action: PlayoutAction::Played,
            decision: None,
            step_samples: 0,
            target: None,
        };
        records.event(at(20_000), Event::Playout(playout(20_000, 20_040))).unwrap();
        let kept = shelf.0.lock().unwrap().clone();
        let local_ear = SampleClock { start: at(1_003), ..ear };
        assert_eq!(kept[0], (at(993), Event::EarOpened { clock: local_ear }));
        assert_eq!(kept[1], (at(19_998), Event::Playout(playout(19_998, 20_043))));
    }
}
