//! What packets say of a beep's way, to stand beside what was heard of it.

use std::collections::BTreeMap;
use std::path::Path;

use jiho_analysis::units::{Nanos, Rate, RunTime};
use jiho_proto::codec::FRAME_SAMPLES;

use crate::report::packets::{PacketRow, Tap};
use crate::report::table::{Table, TableError};

/// The way of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePath {
    /// From the capture of its last sample to its arrival at the ear, by the kernel's stamp.
    pub network: Nanos,
    /// From there to the instant at which its first sample was played.
    pub buffer: Nanos,
}

impl FramePath {
    /// From the capture of a sample to its playing: a frame can leave only when its last sample is there.
    /// Without what the codec adds.
    pub fn mouth_to_ear(&self) -> Nanos {
        Rate::OPUS.span(FRAME_SAMPLES as i64) + self.network + self.buffer
    }
}

/// All frames' ways.
#[derive(Debug, Default)]
pub struct Paths {
    /// By speaker, in order of time.
    sent: BTreeMap<String, Vec<Sent>>,
    /// By recorder, speaker and sequence number, in order of time.
    played: BTreeMap<(String, String, u16), Vec<Played>>,
}

#[derive(Debug)]
struct Sent {
    /// Of its last sample.
    captured: RunTime,
    sequence: u16,
}

#[derive(Debug)]
struct Played {
    received: RunTime,
    played: RunTime,
}

impl Paths {
    /// Adds what a `packets.csv` says, with its run times moved by `shift`. A file that is not there says nothing.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn add(&mut self, path: &Path, shift: Nanos) -> Result<(), TableError> {
        if !path.exists() {
            return Ok(());
        }
        let time = |ns| RunTime(ns) + shift;
        for row in Table::<PacketRow>::read(path)? {
            match (row.tap, row.at_ns, row.played_ns) {
                (Tap::Sent, Some(at), _) => {
                    let sent = Sent { captured: time(at), sequence: row.sequence };
                    self.sent.entry(row.speaker).or_default().push(sent);
                }
                (Tap::Received, Some(at), Some(played)) => {
                    let played = Played { received: time(at), played: time(played) };
                    self.played.entry((row.endpoint, row.speaker, row.sequence)).or_default().push(played);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The way of the frame that carries what `speaker` said at `at` to `recorder`.
    pub fn of(&self, speaker: &str, recorder: &str, at: RunTime) -> Option<FramePath> {
        let sent = self.sent.get(speaker)?;
        let frame = sent.get(sent.partition_point(|frame| frame.captured <= at))?;
        let first_sample = frame.captured - Rate::OPUS.span(FRAME_SAMPLES as i64);
        if first_sample > at + Rate::OPUS.span(1) {
            return None;
        }
        let key = (recorder.to_owned(), speaker.to_owned(), frame.sequence);
        // Sequence numbers come again after 22 minutes: the one that is meant is the first to arrive after it was sent.
        let heard = self.played.get(&key)?;
        let played = heard.get(heard.partition_point(|p| p.received < frame.captured - CLOCKS))?;
        Some(FramePath { network: played.received - frame.captured, buffer: played.played - played.received })
    }
}

/// Two hosts' clocks may disagree: a packet may seem to arrive before it was sent.
const CLOCKS: Nanos = Nanos::from_secs(60);
