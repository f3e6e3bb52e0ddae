//! Speakers' voice packets as streams of RTP.

use std::collections::BTreeMap;

use jiho_analysis::units::{Nanos, RunTime};

use crate::mumble::voice::{UNIT_SAMPLES, Voice, units};
use crate::wire::rtp::Repr;

/// Who goes back in their count after so long a silence has begun it anew. Mumble's own clients do after 5 s; no packet
/// is on its way that long while others of its stream have stopped coming.
const RESTART_AFTER: Nanos = Nanos::from_secs(1);
const UNIT: Nanos = Nanos::from_millis(10);

/// The streams of all speakers, by session.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<u32, Stream>);

#[derive(Debug)]
struct Stream {
    /// What is added to its sequence numbers, as it has begun to count anew.
    shift: i64,
    /// The highest sequence number, with the shift.
    newest: i64,
    received: RunTime,
    /// The newest packet was the last before a pause.
    paused: bool,
}

impl Streams {
    /// A voice packet in RTP; `None`: it carries no sound, or nobody's.
    pub(super) fn packet<'a>(&mut self, voice: &Voice<'a>, received: RunTime, payload_type: u8) -> Option<Repr<'a>> {
        let session = voice.session?;
        let sequence = i64::try_from(voice.sequence).ok()?;
        let length = units(voice.payload) as i64;
        let mut first = false;
        let stream = self.0.entry(session).or_insert_with(|| {
            first = true;
            Stream { shift: 0, newest: sequence, received, paused: false }
        });
        let at = stream.place(sequence, length, received);
        let newest = first || at > stream.newest;
        let marker = first || (newest && stream.paused && !voice.payload.is_empty());
        stream.newest = stream.newest.max(at);
        stream.received = stream.received.max(received);
        if newest {
            stream.paused = voice.terminator || (stream.paused && voice.payload.is_empty());
        }
        (!voice.payload.is_empty()).then_some(Repr {
            marker,
            payload_type,
            sequence: at.div_euclid(length) as u16,
            timestamp: at.wrapping_mul(UNIT_SAMPLES.into()) as u32,
            ssrc: session,
            payload: voice.payload,
        })
    }
}

impl Stream {
    /// Where on the stream's own count a packet is.
    fn place(&mut self, sequence: i64, length: i64, received: RunTime) -> i64 {
        let silent = Nanos(received.0.saturating_sub(self.received.0));
        let at = sequence.saturating_add(self.shift);
        if at >= self.newest || silent < RESTART_AFTER {
            return at;
        }
        // It goes on by as much as time has passed, and by whole packets, so that these are counted without a gap.
        let passed = silent.0 / UNIT.0;
        let ahead = self.newest.saturating_add(passed).saturating_sub(at);
        self.shift =
            self.shift.saturating_add(ahead.saturating_add(length - 1).div_euclid(length).saturating_mul(length));
        sequence.saturating_add(self.shift)
    }
}
