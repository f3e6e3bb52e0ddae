//! Units and clocks. Ticks of one clock are never added to another's: they are different types.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A span of time in nanoseconds. Signed: a negative one-way delay is a finding about clocks, not an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000_000)
    }

    /// A span of whole microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros * 1_000)
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * NANOS_PER_SECOND)
    }

    /// Rounds to the nearest nanosecond.
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * NANOS_PER_SECOND as f64).round() as i64)
    }

    /// In seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// In milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The length of the span, whatever its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// For the clocks of the operating system, which count without a sign; a negative span becomes zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.max(0) as u64)
    }
}

impl From<std::time::Duration> for Nanos {
    fn from(span: std::time::Duration) -> Self {
        Self(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Add for Nanos {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Nanos {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.as_millis_f64())
    }
}

/// An instant on the run's reference clock: nanoseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunTime(pub i64);

impl RunTime {
    /// The instant at which the run began.
    pub const START: Self = Self(0);

    /// The time since the run began.
    pub const fn since_start(self) -> Nanos {
        Nanos(self.0)
    }
}

impl Add<Nanos> for RunTime {
    type Output = Self;
    fn add(self, span: Nanos) -> Self {
        Self(self.0 + span.0)
    }
}

impl Sub<Nanos> for RunTime {
    type Output = Self;
    fn sub(self, span: Nanos) -> Self {
        Self(self.0 - span.0)
    }
}

impl Sub for RunTime {
    type Output = Nanos;
    fn sub(self, earlier: Self) -> Nanos {
        Nanos(self.0 - earlier.0)
    }
}

/// A sampling rate in Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u32);

impl Rate {
    /// The rate of Opus' RTP clock (RFC 7587, section 4.1) and of everything inside jiho.
    pub const OPUS: Self = Self(48_000);

    /// In samples per second.
    pub fn hz(self) -> f64 {
        f64::from(self.0)
    }

    /// How long `samples` last, rounded to the nearest nanosecond.
    pub fn span(self, samples: i64) -> Nanos {
        let wide = i128::from(samples) * i128::from(NANOS_PER_SECOND);
        let rate = i128::from(self.0);
        Nanos((wide + rate / 2).div_euclid(rate) as i64)
    }

    /// How many samples fit into `span`, fractions included.
    pub fn samples(self, span: Nanos) -> f64 {
        span.as_secs_f64() * self.hz()
    }
}

/// By how many parts per billion a clock runs faster than it should; negative: slower.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ppb(pub i64);

impl Ppb {
    /// As fast as it should.
    pub const ZERO: Self = Self(0);

    /// Out of parts per million, rounded to the nearest part per billion.
    pub fn from_ppm(ppm: f64) -> Self {
        Self((ppm * 1e3).round() as i64)
    }

    /// In parts per million.
    pub fn as_ppm(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// How much longer the span is by this clock, rounded to the nearest nanosecond.
    pub fn of(self, span: Nanos) -> Nanos {
        let wide = i128::from(span.0) * i128::from(self.0);
        Nanos((wide + 500_000_000).div_euclid(1_000_000_000) as i64)
    }
}

/// A position in a stream: the count of samples before it, at the stream's rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(pub i64);

impl Add<i64> for MediaTime {
    type Output = Self;
    fn add(self, samples: i64) -> Self {
        Self(self.0 + samples)
    }
}

impl Sub for MediaTime {
    type Output = i64;
    fn sub(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

/// Which run time each sample of a mouth or an ear belongs to. Sample counts are the primary clock of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleClock {
    /// The instant of sample 0.
    pub start: RunTime,
    /// Samples per second of run time, as the sound card claims.
    pub rate: Rate,
    /// By how much the card counts faster than that.
    #[serde(default, skip_serializing_if = "Ppb::is_zero")]
    pub skew: Ppb,
}

impl SampleClock {
    /// A clock that counts exactly as fast as it claims.
    pub const fn new(start: RunTime, rate: Rate) -> Self {
        Self { start, rate, skew: Ppb::ZERO }
    }

    /// Samples per second of run time, in truth.
    pub fn hz(&self) -> f64 {
        self.rate.hz() * (1.0 + self.skew.0 as f64 * 1e-9)
    }

    /// The instant of a sample, rounded to the nearest nanosecond.
    pub fn time(&self, at: MediaTime) -> RunTime {
        let billions = NANOS_PER_SECOND + self.skew.0;
        if self.skew.is_zero() || billions <= 0 {
            return self.start + self.rate.span(at.0);
        }
        let wide = i128::from(at.0) * i128::from(NANOS_PER_SECOND) * i128::from(NANOS_PER_SECOND);
        let per_second = i128::from(self.rate.0) * i128::from(billions);
        self.start + Nanos((wide + per_second / 2).div_euclid(per_second) as i64)
    }

    /// The instant of a position between samples, rounded to the nearest nanosecond.
    pub fn time_at(&self, position: f64) -> RunTime {
        let whole = position.floor();
        self.time(MediaTime(whole as i64)) + Nanos::from_secs_f64((position - whole) / self.hz())
    }

    /// The position of an instant, between samples.
    pub fn position(&self, at: RunTime) -> f64 {
        (at - self.start).as_secs_f64() * self.hz()
    }

    /// The first sample at or after an instant.
    pub fn first_sample_from(&self, at: RunTime) -> MediaTime {
        let mut sample = MediaTime(self.position(at).floor() as i64 - 1);
        while self.time(sample) < at {
            sample = sample + 1;
        }
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_clock_maps_there_and_back() {
        let clock = SampleClock::new(RunTime(123_456_789), Rate(44_100));
        for sample in [0, 1, 44_099, 44_100, 1_000_000_007] {
            let at = clock.time(MediaTime(sample));
            assert_eq!(clock.first_sample_from(at), MediaTime(sample));
            assert!((clock.position(at) - sample as f64).abs() < 1e-4);
        }
    }

    #[test]
    fn a_card_that_counts_too_fast_has_its_samples_sooner() {
        let clock = SampleClock { skew: Ppb::from_ppm(50.0), ..SampleClock::new(RunTime(7), Rate::OPUS) };
        assert_eq!(clock.hz(), 48_002.4);
        // In 1000 s it counts 2400 samples more than it claims.
        assert_eq!(clock.time(MediaTime(48_002_400)), RunTime(7) + Nanos::from_secs(1000));
        for sample in [-1, 0, 1, 960, 48_000_000_000] {
            let at = clock.time(MediaTime(sample));
            assert_eq!(clock.first_sample_from(at), MediaTime(sample));
        }
    }

    #[test]
    fn a_skewed_clock_gains_its_parts_per_billion() {
        assert_eq!(Ppb::from_ppm(-20.0).of(Nanos::from_secs(10)), Nanos::from_micros(-200));
        assert_eq!(Ppb(3).of(Nanos::from_secs(1)), Nanos(3));
    }

    #[test]
    fn rounding_is_to_the_nearest_nanosecond() {
        assert_eq!(Rate(48_000).span(1), Nanos(20_833));
        assert_eq!(Rate(48_000).span(2), Nanos(41_667));
        assert_eq!(Rate(48_000).span(-1), Nanos(-20_833));
        assert_eq!(Rate(48_000).span(48_000 * 3600), Nanos::from_secs(3600));
    }
}
