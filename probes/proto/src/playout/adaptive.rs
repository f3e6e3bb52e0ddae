//! A delay that follows the network, as WebRTC's NetEq has it: the target is a quantile of the packets' relative delays,
//! kept in a histogram that forgets; whenever the delay leaves a band round the target, single pitch periods are taken
//! out or put in until it is back.
//!
//! The defaults are those of WebRTC's `DelayManager` and `DecisionLogic`: buckets of 20 ms, quantile 0.95, forget factor
//! 0.983 a packet, a band from three quarters of the target (85 ms below it at most) to 20 ms above that, or to the
//! target where that is more. Unlike NetEq, which estimates the delay by what its buffer holds and smooths that, this one
//! knows it exactly: from the receive stamp of the fastest packet of the last 2 s to the ear.

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::samples;

/// How the adaptive policy is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptiveConfig {
    /// The share of packets that are to be there in time, 0 to 1.
    pub quantile: f64,
    /// The least delay.
    pub min: Nanos,
    /// The greatest delay, up to a frame of 20 ms; at most 2 s, where the histogram ends.
    pub max: Nanos,
    /// The target until [`START_PACKETS`] have come.
    pub start: Nanos,
}

impl Default for AdaptiveConfig {
    fn default() -> Self {
        Self {
            quantile: 0.95,
            min: Nanos::from_millis(20),
            max: Nanos::from_millis(500),
            start: Nanos::from_millis(60),
        }
    }
}

/// Packets of a stream before its delays are believed: half a second.
pub const START_PACKETS: u32 = 25;

const BUCKET: i64 = 960;
const BUCKETS: usize = 100;
const FORGET: f64 = 0.983;
/// The first packets weigh more: the histogram forgets what `n` packets said by 1 − 2 / (n + 1).
const START_WEIGHT: f64 = 2.0;

/// What is to be done to the delay, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adjust {
    /// Take a pitch period out; `fast`: even where sound hardly repeats.
    Accelerate { fast: bool },
    /// Put a pitch period in.
    Expand,
    /// Go over to a delay that is greater by so many samples, at once.
    Jump(i64),
}

#[derive(Debug)]
pub(super) struct Adaptive {
    quantile: f64,
    min: i64,
    max: i64,
    start: i64,
    histogram: Box<[f64; BUCKETS]>,
    packets: u32,
}

impl Adaptive {
    pub(super) fn new(config: &AdaptiveConfig) -> Self {
        let [min, max, start] = [config.min, config.max, config.start].map(samples);
        let max = max.min(BUCKET * BUCKETS as i64);
        let histogram = Box::new([0.0; BUCKETS]);
        Self { quantile: config.quantile, min: min.min(max), max, start, histogram, packets: 0 }
    }

    /// Takes a packet's relative delay.
    pub(super) fn note(&mut self, relative: i64) {
        self.packets = self.packets.saturating_add(1);
        let forget = FORGET.min(1.0 - START_WEIGHT / f64::from(self.packets.saturating_add(1))).max(0.0);
        self.histogram.iter_mut().for_each(|share| *share *= forget);
        let bucket = usize::try_from(relative / BUCKET).unwrap_or(0).min(BUCKETS - 1);
        self.histogram[bucket] += 1.0 - forget;
    }

    /// The delay to aim at, in samples.
    pub(super) fn target(&self) -> i64 {
        let wanted = if self.packets < START_PACKETS { self.start } else { self.quantile() };
        wanted.clamp(self.min, self.max)
    }

    /// What is to be done with this delay.
    pub(super) fn adjust(&self, delay: i64) -> Option<Adjust> {
        let target = self.target();
        let low = (target * 3 / 4).max(target - 85 * 48).max(self.min);
        let high = target.max(low + BUCKET);
        if delay > self.max + BUCKET {
            Some(Adjust::Jump(self.max - delay))
        } else if delay >= high {
            Some(Adjust::Accelerate { fast: delay >= 4 * high })
        } else if delay < low {
            Some(Adjust::Expand)
        } else {
            None
        }
    }

    /// Whether the delay may grow still further while a packet is awaited.
    pub(super) fn may_wait(&self, delay: i64) -> bool {
        delay < self.max
    }

    /// The upper end of the bucket below which the wanted share of packets lies.
    fn quantile(&self) -> i64 {
        let mut below = 0.0;
        let bucket = self.histogram.iter().position(|share| {
            below += share;
            below >= self.quantile
        });
        BUCKET * (bucket.unwrap_or(BUCKETS - 1) as i64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adaptive() -> Adaptive {
        Adaptive::new(&AdaptiveConfig::default())
    }

    const MS: i64 = 48;

    #[test]
    fn the_target_is_the_start_until_enough_is_known() {
        let mut adaptive = adaptive();
        for _ in 1..START_PACKETS {
            adaptive.note(0);
            assert_eq!(adaptive.target(), 60 * MS);
        }
        adaptive.note(0);
        assert_eq!(adaptive.target(), 20 * MS);
    }

    #[test]
    fn the_target_is_the_upper_end_of_the_quantile_s_bucket() {
        let mut adaptive = adaptive();
        // Nine of ten within 20 ms, and one of ten 70 ms late: the last twentieth begins among these.
        for n in 0..1000 {
            adaptive.note(if n % 10 == 0 { 70 * MS } else { 5 * MS });
        }
        assert_eq!(adaptive.target(), 80 * MS);
        // One of fifty is beyond it.
        for n in 0..1000 {
            adaptive.note(if n % 50 == 0 { 70 * MS } else { 5 * MS });
        }
        assert_eq!(adaptive.target(), 20 * MS);
    }

    #[test]
    fn what_the_network_did_is_forgotten_as_the_forget_factor_says() {
        let mut adaptive = adaptive();
        (0..1000).for_each(|_| adaptive.note(190 * MS));
        assert_eq!(adaptive.target(), 200 * MS);
        let forgotten = (1..).find(|_| {
            adaptive.note(0);
            adaptive.target() < 200 * MS
        });
        // Until 0.983^n falls to a twentieth.
        assert_eq!(forgotten, Some((0.05f64.ln() / FORGET.ln()).ceil() as i64));
    }

    #[test]
    fn a_delay_within_the_band_stays() {
        let mut adaptive = adaptive();
        (0..1000).for_each(|_| adaptive.note(110 * MS));
        assert_eq!(adaptive.target(), 120 * MS);
        assert_eq!(adaptive.adjust(90 * MS - 1), Some(Adjust::Expand));
        assert_eq!(adaptive.adjust(90 * MS), None);
        assert_eq!(adaptive.adjust(120 * MS - 1), None);
        assert_eq!(adaptive.adjust(120 * MS), Some(Adjust::Accelerate { fast: false }));
        assert_eq!(adaptive.adjust(480 * MS), Some(Adjust::Accelerate { fast: true }));
        assert_eq!(adaptive.adjust(521 * MS), Some(Adjust::Jump(-21 * MS)));
    }

    #[test]
    fn the_target_stays_within_its_bounds() {
        let mut adaptive = Adaptive::new(&AdaptiveConfig {
            min: Nanos::from_millis(30),
            max: Nanos::from_millis(100),
            ..AdaptiveConfig::default()
        });
        (0..100).for_each(|_| adaptive.note(0));
        assert_eq!(adaptive.target(), 30 * MS);
        (0..1000).for_each(|_| adaptive.note(i64::MAX));
        assert_eq!(adaptive.target(), 100 * MS);
    }
}
