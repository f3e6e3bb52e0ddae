//! Two streams at once, one that plays and one that records: whether both go on.

use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::device::StreamStatus;

use super::presence::Presence;
use super::stall::Stall;

/// A device that has not started by then never will.
const PATIENCE: Nanos = Nanos::from_secs(6);

/// Watches both.
#[derive(Debug)]
pub(super) struct Both {
    begun: RunTime,
    stalls: [Stall; 2],
    presences: [Presence; 2],
}

const WHICH: [&str; 2] = ["playing", "recording"];

impl Both {
    /// Of streams that began then, at the devices that were asked for: what plays, and what records.
    pub(super) fn of(play: Option<&String>, record: Option<&String>, begun: RunTime) -> Self {
        let presences = [play, record].map(Presence::of);
        Self { begun, stalls: [Stall::default(), Stall::default()], presences }
    }

    /// Which one has ended before its time, if one has.
    ///
    /// # Errors
    /// A device does not run.
    pub(super) fn look(
        &mut self,
        playing: &StreamStatus,
        recording: &StreamStatus,
        now: RunTime,
    ) -> anyhow::Result<Option<&'static str>> {
        for (n, status) in [playing, recording].into_iter().enumerate() {
            if self.stalls[n].look(status, now) || status.ended || self.presences[n].is_over(now) {
                return Ok(Some(WHICH[n]));
            }
            if status.start().is_none() && now - self.begun > PATIENCE {
                anyhow::bail!(
                    "the {} device takes the stream and does not run it: try another device, rate or --buffer; on \
                     PulseAudio a sink that is suspended may need something else to play",
                    WHICH[n]
                );
            }
        }
        Ok(None)
    }
}
