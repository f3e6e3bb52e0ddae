//! The sound card of an ear and a mouth: how fast it counts, and how many samples it takes at once.

use jiho_analysis::units::{MediaTime, Ppb, RunTime, SampleClock};

use crate::codec::RATE;

/// A sound card, real or made up. One card has the ear and the mouth: both count equally fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundCard {
    /// By how much it counts faster than it claims.
    pub skew: Ppb,
    /// How many samples it takes at once: an ear's are decided together, a mouth's are handed over together.
    pub period_samples: u32,
}

impl SoundCard {
    /// 10 ms.
    pub const PERIOD_SAMPLES: u32 = 480;

    /// A stream that opens at an instant.
    pub(crate) fn clock(&self, start: RunTime) -> SampleClock {
        SampleClock { skew: self.skew, ..SampleClock::new(start, RATE) }
    }

    /// The end of the period in which the sample before `position` is captured: when it is handed over.
    pub(crate) fn handed_over(&self, position: MediaTime) -> MediaTime {
        let period = i64::from(self.period_samples.max(1));
        MediaTime((position.0 + period - 1).div_euclid(period) * period)
    }
}

impl Default for SoundCard {
    fn default() -> Self {
        Self { skew: Ppb::ZERO, period_samples: Self::PERIOD_SAMPLES }
    }
}
