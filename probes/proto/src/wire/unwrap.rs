//! Counters that wrap on the wire, made whole again, in the spirit of RFC 3550, appendix A.1.

/// Extends a wrapping counter of 16 bits (RTP sequence numbers) or 32 bits (RTP timestamps) to one that never wraps.
///
/// Of all values that look alike on the wire the one nearest to the highest seen is taken: packets may come out of
/// order by up to half the counter's range. The first value stands for itself; what came before it is negative at
/// worst.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapper {
    newest: Option<i64>,
}

impl Unwrapper {
    /// The highest value so far.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Extends a sequence number.
    pub fn sequence(&mut self, wire: u16) -> i64 {
        let newest = self.newest.unwrap_or(i64::from(wire));
        self.note(newest, i64::from(wire.wrapping_sub(newest as u16).cast_signed()))
    }

    /// Extends a timestamp.
    pub fn timestamp(&mut self, wire: u32) -> i64 {
        let newest = self.newest.unwrap_or(i64::from(wire));
        self.note(newest, i64::from(wire.wrapping_sub(newest as u32).cast_signed()))
    }

    fn note(&mut self, newest: i64, step: i64) -> i64 {
        let extended = newest + step;
        self.newest = Some(newest.max(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_counter_goes_on_over_its_wrap() {
        let mut sequences = Unwrapper::default();
        assert_eq!([65_534, 65_535, 0, 1].map(|wire| sequences.sequence(wire)), [65_534, 65_535, 65_536, 65_537]);
        let mut timestamps = Unwrapper::default();
        assert_eq!(timestamps.timestamp(u32::MAX), i64::from(u32::MAX));
        assert_eq!(timestamps.timestamp(959), i64::from(u32::MAX) + 960);
    }

    #[test]
    fn a_straggler_from_before_the_first_is_below_it() {
        let mut sequences = Unwrapper::default();
        assert_eq!([0, 65_535, 1].map(|wire| sequences.sequence(wire)), [0, -1, 1]);
        assert_eq!(sequences.newest(), Some(1));
    }

    proptest! {
        #[test]
        fn any_walk_with_steps_below_half_the_range_is_followed(
            start: u32, steps in prop::collection::vec(-2_000_000_000i64..2_000_000_000, 1..50),
        ) {
            let mut timestamps = Unwrapper::default();
            let (mut at, mut newest) = (i64::from(start), i64::from(start));
            timestamps.timestamp(start);
            for step in steps {
                at = (at + step).clamp(newest - 2_000_000_000, newest + 2_000_000_000);
                newest = newest.max(at);
                prop_assert_eq!(timestamps.timestamp(at as u32), at);
            }
        }
    }
}
