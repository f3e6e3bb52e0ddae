//! How late packets are, relative to the fastest of the last seconds.

use std::collections::VecDeque;

/// For how long the fastest packet is remembered, in samples: 2 s, as NetEq's packet arrival history has it.
const WINDOW: i64 = 96_000;
/// Packets that may be remembered: a flood of ever slower ones must not take all memory.
const MOST: usize = 512;

/// Lags of packets: position at the ear when they were received, minus position on the stream's time line.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When each was received, and its lag; those that a later one was faster than are forgotten, so that lags rise.
    fastest: VecDeque<(i64, i64)>,
}

impl Arrivals {
    /// Takes a packet's reception; gives its relative delay, how much later it came than the fastest, in samples.
    pub(super) fn note(&mut self, received: i64, lag: i64) -> i64 {
        while self.fastest.front().is_some_and(|(at, _)| received - at > WINDOW) {
            self.fastest.pop_front();
        }
        while self.fastest.back().is_some_and(|(_, other)| *other >= lag) {
            self.fastest.pop_back();
        }
        if self.fastest.len() < MOST {
            self.fastest.push_back((received, lag));
        }
        lag - self.fastest().unwrap_or(lag)
    }

    /// The lag of the fastest packet; `None` before the first.
    pub(super) fn fastest(&self) -> Option<i64> {
        self.fastest.front().map(|(_, lag)| *lag)
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        self.fastest.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_relative_delay_is_counted_from_the_fastest_of_two_seconds(
            packets in prop::collection::vec((0..20_000i64, -5_000..5_000i64), 1..60),
        ) {
            let (mut arrivals, mut received, mut so_far) = (Arrivals::default(), 0, Vec::new());
            for (after, lag) in packets {
                received += after;
                so_far.push((received, lag));
                let recent = so_far.iter().filter(|(at, _)| received - at <= WINDOW);
                let fastest = recent.map(|(_, lag)| *lag).min().unwrap();
                prop_assert_eq!(arrivals.note(received, lag), lag - fastest);
            }
        }
    }

    #[test]
    fn a_flood_of_ever_slower_packets_takes_no_more_memory() {
        let mut arrivals = Arrivals::default();
        for n in 0..10_000 {
            assert_eq!(arrivals.note(n, n), n);
        }
        assert!(arrivals.fastest.len() <= MOST);
    }
}
