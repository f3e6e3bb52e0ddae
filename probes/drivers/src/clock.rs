//! The run's reference clock: this host's monotonic clock, counted from the start of the run.

use std::time::{Duration, Instant, SystemTime};

use jiho_analysis::units::{Nanos, RunTime};

/// How often both clocks are read for one [`Bridge`]; the narrowest reading is kept.
const BRIDGE_READINGS: usize = 3;

/// Tells run time. Clones share the origin, so that all threads of a process agree to the nanosecond.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    origin: Instant,
    started_unix_ns: i64,
}

impl RunClock {
    /// A run that begins now.
    pub fn start() -> Self {
        let reading = Reading::narrowest();
        Self { origin: reading.monotonic, started_unix_ns: reading.unix_ns }
    }

    /// The run time of now.
    pub fn now(&self) -> RunTime {
        self.at(Instant::now())
    }

    /// The run time of an instant; negative before the run.
    pub fn at(&self, instant: Instant) -> RunTime {
        match instant.checked_duration_since(self.origin) {
            Some(since) => RunTime::START + Nanos::from(since),
            None => RunTime::START - Nanos::from(self.origin.duration_since(instant)),
        }
    }

    /// The instant of a run time.
    pub fn instant(&self, at: RunTime) -> Instant {
        let since = at.since_start();
        match since.0 {
            0.. => self.origin + since.to_std(),
            // An instant before the host's clock began is not to be had, and nobody asks for one.
            _ => self.origin.checked_sub((-since).to_std()).unwrap_or(self.origin),
        }
    }

    /// What the wall clock said when the run began, in nanoseconds since 1970: for people, for file headers, and to put
    /// the run times of several processes onto one time line. Within a process nothing is computed from it.
    pub fn started_unix_ns(&self) -> i64 {
        self.started_unix_ns
    }

    /// By how much more the wall clock has moved than this one since the run began: it is slewed, and now and then set.
    pub fn wall_ahead(&self) -> Nanos {
        let reading = Reading::narrowest();
        Nanos(reading.unix_ns - self.started_unix_ns) - self.at(reading.monotonic).since_start()
    }

    /// How the wall clock stands to the run clock at this moment. Take a fresh one for every batch of kernel stamps:
    /// then a step of the wall clock disturbs only stamps taken between the step and the batch.
    pub fn bridge(&self) -> Bridge {
        let reading = Reading::narrowest();
        Bridge { run: self.at(reading.monotonic), unix_ns: reading.unix_ns, error: reading.error }
    }
}

/// The wall clock and the run clock, read together.
#[derive(Clone, Copy, Debug)]
pub struct Bridge {
    run: RunTime,
    unix_ns: i64,
    error: Nanos,
}

impl Bridge {
    /// The run time of a wall-clock stamp (`CLOCK_REALTIME`), given in time since 1970.
    pub fn from_unix(&self, stamp: Duration) -> RunTime {
        self.run + (Nanos::from(stamp) - Nanos(self.unix_ns))
    }

    /// At most this much is [`from_unix`](Self::from_unix) off, as long as the wall clock does not step.
    pub fn error(&self) -> Nanos {
        self.error
    }
}

/// One reading of the wall clock between two of the monotonic one.
struct Reading {
    monotonic: Instant,
    unix_ns: i64,
    error: Nanos,
}

impl Reading {
    fn narrowest() -> Self {
        let mut best = Self::take();
        for _ in 1..BRIDGE_READINGS {
            let next = Self::take();
            if next.error < best.error {
                best = next;
            }
        }
        best
    }

    fn take() -> Self {
        let before = Instant::now();
        let wall = SystemTime::now();
        let half = before.elapsed() / 2;
        let unix = match wall.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Nanos::from(since),
            Err(earlier) => -Nanos::from(earlier.duration()),
        };
        // One nanosecond for the halving, one for the clocks' own resolution.
        Self { monotonic: before + half, unix_ns: unix.0, error: Nanos::from(half) + Nanos(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_origin() {
        let clock = RunClock::start();
        let clone = clock;
        let instant = Instant::now();
        assert_eq!(clock.at(instant), clone.at(instant));
    }

    #[test]
    fn an_instant_before_the_run_is_negative() {
        let before = Instant::now();
        let clock = RunClock::start();
        assert!(clock.at(before) <= RunTime::START);
        assert!(clock.now() >= RunTime::START);
    }

    #[test]
    fn a_wall_clock_stamp_is_mapped_within_the_stated_error() {
        let clock = RunClock::start();
        let before = clock.now();
        let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let after = clock.now();
        let bridge = clock.bridge();
        // Slewing (at most 500 ppm) moves the wall clock against the monotonic one while we look.
        let slack = bridge.error() + Nanos((clock.now() - before).0 / 1000);
        let mapped = bridge.from_unix(stamp);
        assert!(before - slack <= mapped && mapped <= after + slack, "{before:?} {mapped:?} {after:?} ± {slack}");
    }

    #[test]
    fn the_wall_clock_keeps_to_the_run_clock_but_for_what_it_is_slewed() {
        let clock = RunClock::start();
        let slack = Nanos::from_micros(200) + Nanos((clock.now() - RunTime::START).0 / 1000);
        assert!(clock.wall_ahead().abs() <= slack, "{}", clock.wall_ahead());
    }

    #[test]
    fn a_wall_clock_step_between_two_batches_changes_nothing() {
        let hour = Nanos::from_secs(3600);
        let before = Bridge { run: RunTime(5_000), unix_ns: 1_000_000, error: Nanos(2) };
        let after = Bridge { run: RunTime(9_000), unix_ns: 1_004_000 + hour.0, error: Nanos(2) };
        assert_eq!(before.from_unix(Duration::from_nanos(999_000)), RunTime(4_000));
        assert_eq!(after.from_unix(Duration::from_nanos(1_003_000) + hour.to_std()), RunTime(8_000));
    }
}
