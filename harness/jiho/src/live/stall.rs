//! Streams that stand still though nobody said that they ended: a sound server that was killed, a device that hangs.

use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_drivers::device::StreamStatus;

/// An idle PulseAudio null sink takes 2 s of sound at a time.
const LONGEST_BUFFER: Nanos = Nanos::from_secs(3);

/// Watches whether buffers come.
#[derive(Debug, Default)]
pub(super) struct Stall {
    newest: Option<MediaTime>,
    /// When that had come.
    since: RunTime,
}

impl Stall {
    /// Whether a stream that ran has brought nothing for too long.
    pub(super) fn look(&mut self, status: &StreamStatus, now: RunTime) -> bool {
        if status.newest != self.newest {
            self.newest = status.newest;
            self.since = now;
        }
        self.newest.is_some() && now - self.since > LONGEST_BUFFER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(newest: i64) -> StreamStatus {
        StreamStatus { newest: Some(MediaTime(newest)), ..StreamStatus::default() }
    }

    #[test]
    fn a_stream_stands_still_when_no_buffer_came_for_longer_than_any_buffer_lasts() {
        let mut stall = Stall::default();
        let at = |ms: i64| RunTime::START + Nanos::from_millis(ms);
        assert!(!stall.look(&StreamStatus::default(), at(9000)), "one that has not begun does not stand still");
        assert!(!stall.look(&status(0), at(9010)));
        assert!(!stall.look(&status(480), at(12_000)));
        assert!(!stall.look(&status(480), at(15_000)));
        assert!(stall.look(&status(480), at(15_001)));
        assert!(!stall.look(&status(960), at(15_002)), "it goes on");
    }
}
