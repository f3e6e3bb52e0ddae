//! How late a thread wakes: the instrument's own timer error, reported with what it measured.

use hdrhistogram::Histogram;
use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

/// A minute: whoever wakes later than that has been suspended.
const LONGEST_NS: u64 = 60_000_000_000;

/// How late a thread woke for its deadlines. Quantiles are exact to 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeUps {
    /// Deadlines slept for.
    pub count: u64,
    /// Half of them were met better than this.
    pub median: Nanos,
    /// 99 of 100 were met better than this.
    pub p99: Nanos,
    /// The worst.
    pub max: Nanos,
}

/// Collects lateness; constant memory, however long the run.
#[derive(Debug)]
pub(crate) struct Lateness {
    histogram: Option<Histogram<u64>>,
    max: Nanos,
}

impl Default for Lateness {
    fn default() -> Self {
        // The bounds are constants that the histogram accepts.
        Self { histogram: Histogram::new_with_bounds(1, LONGEST_NS, 2).ok(), max: Nanos::ZERO }
    }
}

impl Lateness {
    pub(crate) fn record(&mut self, late: Nanos) {
        self.max = self.max.max(late);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(late.0.max(0).cast_unsigned());
        }
    }

    pub(crate) fn summary(&self) -> WakeUps {
        let Some(histogram) = &self.histogram else { return WakeUps::default() };
        let quantile = |q| Nanos(histogram.value_at_quantile(q).cast_signed()).min(self.max);
        WakeUps { count: histogram.len(), median: quantile(0.5), p99: quantile(0.99), max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_percent_and_the_maximum_is_exact() {
        let mut lateness = Lateness::default();
        for micros in 1..=1000 {
            lateness.record(Nanos::from_micros(micros));
        }
        let wakeups = lateness.summary();
        assert_eq!((wakeups.count, wakeups.max), (1000, Nanos::from_micros(1000)));
        assert!((wakeups.median.0 - 500_000).abs() <= 5_000, "{}", wakeups.median);
        assert!((wakeups.p99.0 - 990_000).abs() <= 9_900, "{}", wakeups.p99);
    }

    #[test]
    fn without_deadlines_there_is_nothing_to_report() {
        assert_eq!(Lateness::default().summary(), WakeUps::default());
    }
}
