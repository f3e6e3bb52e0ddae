//! `[host.*]`: the machine that a participant sits at.

use jiho_analysis::units::{Nanos, Ppb, RunTime};
use jiho_proto::card::SoundCard;
use jiho_proto::clock::{ClockError, ClockStep as ModelStep, LocalClock};
use jiho_proto::codec::RATE;
use serde::{Deserialize, Serialize};

use super::link::Jitter;
use super::one_of;
use super::text::{duration, signed_duration};

/// A machine: its clock, its sound card, and how promptly it does what is due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Host {
    /// How wrong its clock is.
    pub clock: Clock,
    /// What it hears and speaks with.
    pub card: Card,
    /// How late it wakes up for what is due, in simulation; `None`: at once.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "one_of::some")]
    pub wake_up: Option<Jitter>,
}

/// How wrong a clock is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// What it shows too much when the run begins.
    #[serde(with = "signed_duration")]
    pub offset: Nanos,
    /// By how many parts per million it runs too fast.
    pub drift_ppm: f64,
    /// How far it wanders by chance within a second, as a standard deviation; four times as long, twice as far.
    #[serde(with = "duration")]
    pub walk: Nanos,
    /// When somebody sets it, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub step: Vec<ClockStep>,
}

/// Somebody sets a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// After the start of the beeps.
    #[serde(with = "duration")]
    pub at: Nanos,
    /// How much later it shows from then on.
    #[serde(with = "signed_duration")]
    pub by: Nanos,
}

/// A sound card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Card {
    /// By how many parts per million it counts too fast.
    pub ppm: f64,
    /// What it takes at once.
    #[serde(with = "duration")]
    pub period: Nanos,
    /// How long it takes to start.
    #[serde(with = "duration")]
    pub start: Nanos,
}

impl Default for Card {
    fn default() -> Self {
        let period = RATE.span(SoundCard::PERIOD_SAMPLES.into());
        Self { ppm: 0.0, period, start: Nanos::ZERO }
    }
}

impl Card {
    /// As endpoints have it; the period in whole samples, at least one.
    pub fn model(&self) -> SoundCard {
        let period_samples = RATE.samples(self.period).round().max(1.0) as u32;
        SoundCard { skew: Ppb::from_ppm(self.ppm), period_samples }
    }
}

impl Clock {
    /// Whether it is never wrong.
    pub fn is_exact(&self) -> bool {
        *self == Self::default()
    }

    /// As it goes from the run's beginning to its end, when the first beep may sound at `beeps`. `luck` tells it from
    /// other clocks that wander.
    pub fn model(&self, beeps: RunTime, end: RunTime, luck: &[u64]) -> LocalClock {
        let error = ClockError {
            offset: self.offset,
            drift: Ppb::from_ppm(self.drift_ppm),
            walk: self.walk,
            steps: self.step.iter().map(|step| ModelStep { at: beeps + step.at, by: step.by }).collect(),
        };
        LocalClock::new(error, end, luck)
    }
}
