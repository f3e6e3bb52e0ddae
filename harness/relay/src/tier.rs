//! A delayed tier: what was made for it is held back, each packet for itself in a delay line, or in segments as
//! HTTP live streaming has them (RFC 8216): held until their segment is complete, then sent all at once.

use std::collections::VecDeque;

use jiho_analysis::units::{Nanos, RunTime};

use crate::serving::Hold;

/// What may be held: half an hour of three speakers. What comes when as much is there is dropped and counted.
const MAX_HELD_BYTES: usize = 64 << 20;

/// Packets that are held back.
#[derive(Debug)]
pub(crate) struct Line {
    hold: Hold,
    /// When the first segment began: with the first packet.
    began: Option<RunTime>,
    held: VecDeque<Held>,
    held_bytes: usize,
    spare: Vec<Vec<u8>>,
    dropped: u64,
}

/// A packet that is held back.
#[derive(Debug)]
pub(crate) struct Held {
    release: RunTime,
    pub(crate) ssrc: u32,
    pub(crate) received: RunTime,
    pub(crate) data: Vec<u8>,
}

impl Line {
    pub(crate) fn new(hold: Hold) -> Self {
        let (held, spare) = (VecDeque::new(), Vec::new());
        Self { hold, began: None, held, held_bytes: 0, spare, dropped: 0 }
    }

    /// Takes a packet that was there at `at`; instants never run backwards.
    pub(crate) fn push(&mut self, at: RunTime, ssrc: u32, received: RunTime, packet: &[u8]) {
        if self.held_bytes + packet.len() > MAX_HELD_BYTES {
            self.dropped += 1;
            return;
        }
        self.held_bytes += packet.len();
        let mut data = self.spare.pop().unwrap_or_default();
        data.extend_from_slice(packet);
        let release = self.release(at);
        self.held.push_back(Held { release, ssrc, received, data });
    }

    /// When the next packet goes out.
    pub(crate) fn due(&self) -> Option<RunTime> {
        self.held.front().map(|held| held.release)
    }

    /// The next packet that goes out at or before an instant.
    pub(crate) fn pop(&mut self, at: RunTime) -> Option<Held> {
        let held = self.held.pop_front_if(|held| held.release <= at)?;
        self.held_bytes -= held.data.len();
        Some(held)
    }

    /// Takes back a packet's memory.
    pub(crate) fn recycle(&mut self, mut data: Vec<u8>) {
        data.clear();
        self.spare.push(data);
    }

    /// How many packets found no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn release(&mut self, at: RunTime) -> RunTime {
        match self.hold {
            Hold::DelayLine(delay) => at + delay,
            Hold::Segments(length) => {
                let began = *self.began.get_or_insert(at);
                let complete = (at - began).0.div_euclid(length.0) + 1;
                began + Nanos(complete * length.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: i64) -> RunTime {
        RunTime::START + Nanos::from_millis(ms)
    }

    /// When packets that come every 300 ms from 1 s on go out.
    fn released(hold: Hold) -> Vec<RunTime> {
        let mut line = Line::new(hold);
        (0..8).for_each(|n| line.push(ms(1000 + 300 * n), 7, ms(0), &[n as u8]));
        let mut released = Vec::new();
        while let Some(at) = line.due() {
            assert!(line.pop(at + Nanos(-1)).is_none());
            let held = line.pop(at).unwrap();
            assert_eq!(held.data, [released.len() as u8], "in order");
            line.recycle(held.data);
            released.push(at);
        }
        assert_eq!(line.held_bytes, 0);
        released
    }

    #[test]
    fn a_delay_line_holds_every_packet_equally_long() {
        let expected: Vec<RunTime> = (0..8).map(|n| ms(6000 + 300 * n)).collect();
        assert_eq!(released(Hold::DelayLine(Nanos::from_secs(5))), expected);
    }

    #[test]
    fn a_segment_goes_out_when_it_is_complete() {
        let two = [ms(2000); 4].into_iter().chain([ms(3000); 3]).chain([ms(4000)]);
        assert_eq!(released(Hold::Segments(Nanos::from_secs(1))), two.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut line = Line::new(Hold::DelayLine(Nanos::from_secs(3600)));
        for _ in 0..=MAX_HELD_BYTES / 60_000 {
            line.push(ms(0), 7, ms(0), &[0; 60_000]);
        }
        assert_eq!((line.dropped(), line.held.len()), (1, MAX_HELD_BYTES / 60_000));
    }
}
