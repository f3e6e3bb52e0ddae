//! What packets say of a beep's way, to stand beside what was heard of it.

use std::collections::BTreeMap;
use std::path::Path;

use jiho_analysis::arrivals::{Observation, Reason};
use jiho_analysis::units::{Nanos, Rate, RunTime};
use jiho_proto::codec::{FRAME_SAMPLES, Toc};
use jiho_proto::event::PlayoutAction;

use crate::report::packets::{PacketRow, Tap};
use crate::report::table::{Table, TableError};

/// The way of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePath {
    /// From the capture of its last sample to its arrival at the ear, by the kernel's stamp.
    pub network: Nanos,
    /// From there to the instant at which its first sample was played.
    pub buffer: Nanos,
    /// What it waits between the clients and their devices, before the one and after the other.
    pub devices: Nanos,
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
    /// How long sound waits between a client and a device.
    waits: Nanos,
    /// When packets came that could not be opened, by the same.
    sealed: BTreeMap<(String, String, u16), Vec<RunTime>>,
}

#[derive(Debug)]
struct Sent {
    /// Of its last sample.
    captured: RunTime,
    sequence: u16,
    toc: Option<u8>,
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
                    let sent = Sent { captured: time(at), sequence: row.sequence, toc: row.toc };
                    self.sent.entry(row.speaker).or_default().push(sent);
                }
                (Tap::Received, Some(at), Some(played)) => {
                    let played = Played { received: time(at), played: time(played) };
                    self.played.entry((row.endpoint, row.speaker, row.sequence)).or_default().push(played);
                }
                (Tap::Received, Some(at), None) if row.action == Some(PlayoutAction::Sealed) => {
                    self.sealed.entry((row.endpoint, row.speaker, row.sequence)).or_default().push(time(at));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The way of the frame that carries what `speaker` said at `at` to `recorder`.
    pub fn of(&self, speaker: &str, recorder: &str, at: RunTime) -> Option<FramePath> {
        let frame = self.frame(speaker, at)?;
        let key = (recorder.to_owned(), speaker.to_owned(), frame.sequence);
        // Sequence numbers come again after 22 minutes: the nearest in time is meant, and if it was lost,
        // none of those that bear its number.
        let apart = |played: &Played| (played.received - frame.captured).abs();
        let played = self.played.get(&key)?.iter().min_by_key(|played| apart(played))?;
        if apart(played) > HALF_A_WRAP {
            return None;
        }
        Some(FramePath {
            network: played.received - frame.captured,
            buffer: played.played - played.received,
            devices: self.waits + self.waits,
        })
    }

    /// Says of the beeps that were not found because `recorder` could not open the packets that came: it has no key.
    pub fn explain_sealed(&self, speaker: &str, recorder: &str, observations: &mut [Observation]) {
        if self.sealed.is_empty() {
            return;
        }
        let came_sealed = |at: RunTime| -> Option<bool> {
            let frame = self.frame(speaker, at)?;
            let sealed = self.sealed.get(&(recorder.to_owned(), speaker.to_owned(), frame.sequence))?;
            Some(sealed.iter().any(|received| (*received - frame.captured).abs() <= HALF_A_WRAP))
        };
        for observation in observations.iter_mut().filter(|observation| observation.reason == Some(Reason::NotFound)) {
            if came_sealed(observation.emission.at) == Some(true) {
                observation.reason = Some(Reason::NoKey);
            }
        }
    }

    /// Between a client and a device, either way, sound waits for so long.
    pub fn wait(&mut self, waits: Nanos) {
        self.waits = waits;
    }

    /// The frame that carries what `speaker` said at `at`.
    fn frame(&self, speaker: &str, at: RunTime) -> Option<&Sent> {
        let at = at + self.waits;
        let sent = self.sent.get(speaker)?;
        let frame = sent.get(sent.partition_point(|frame| frame.captured <= at))?;
        let first_sample = frame.captured - Rate::OPUS.span(FRAME_SAMPLES as i64);
        (first_sample <= at + Rate::OPUS.span(1)).then_some(frame)
    }
}

impl Paths {
    /// What the packets that carry `speaker`'s sound from `from` to `to` say of their coding, through a codec of that
    /// look-ahead: a packet holds 20 ms of sound that begin by the look-ahead earlier than what it was made from last.
    /// `None` unless all are known.
    pub fn coded(&self, speaker: &str, from: RunTime, to: RunTime, lookahead: Nanos) -> Option<Vec<Toc>> {
        let sent = self.sent.get(speaker)?;
        let (from, to) = (from + self.waits, to + self.waits);
        let frame = Rate::OPUS.span(FRAME_SAMPLES as i64);
        let first = sent.partition_point(|sent| sent.captured - lookahead <= from);
        let carrying: Vec<&Sent> =
            sent[first..].iter().take_while(|sent| sent.captured - frame - lookahead < to).collect();
        let begins = carrying.first()?.captured - frame - lookahead;
        let ends = carrying.last()?.captured - lookahead;
        let whole = begins <= from + Rate::OPUS.span(1) && ends + Rate::OPUS.span(1) >= to;
        whole.then(|| carrying.iter().map(|sent| sent.toc.map(Toc)).collect())?
    }
}

/// A little less than half the time in which sequence numbers come again. A packet may also seem to arrive before it
/// was sent: two hosts' clocks may disagree.
const HALF_A_WRAP: Nanos = Nanos::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Nanos = Nanos::from_millis(20);
    const NETWORK: Nanos = Nanos::from_millis(7);
    const WRAP: usize = 1 << 16;

    /// Ana speaks for one and a half rounds of sequence numbers; ben gets the n-th packet if `arrives` says so.
    fn long_talk(arrives: impl Fn(usize) -> bool) -> Paths {
        let mut paths = Paths::default();
        for n in 0..WRAP * 3 / 2 {
            let captured = RunTime::START + Nanos(FRAME.0 * (n as i64 + 1));
            let sequence = (n % WRAP) as u16;
            paths.sent.entry("ana".to_owned()).or_default().push(Sent {
                captured,
                sequence,
                toc: Some(if n < 10 { 31 << 3 } else { 15 << 3 }),
            });
            if arrives(n) {
                let received = captured + NETWORK;
                let played = Played { received, played: received + Nanos::from_millis(40) };
                paths.played.entry(("ben".to_owned(), "ana".to_owned(), sequence)).or_default().push(played);
            }
        }
        paths
    }

    fn network(paths: &Paths, n: usize) -> Option<Nanos> {
        let within = RunTime::START + Nanos(FRAME.0 * n as i64) + Nanos::from_millis(5);
        paths.of("ana", "ben", within).map(|path| path.network)
    }

    #[test]
    fn a_beeps_packets_are_those_whose_sound_it_is_once_the_look_ahead_is_counted() {
        let paths = long_talk(|_| true);
        let lookahead = Rate::OPUS.span(312);
        let coded = |from_us: i64, to_us: i64| {
            let at = |us| RunTime::START + Nanos::from_micros(us);
            paths.coded("ana", at(from_us), at(to_us), lookahead).map(|tocs| tocs.iter().map(|t| t.config()).collect())
        };
        // Packet 10, the first hybrid one, holds 200 − 6.5 ms to 220 − 6.5 ms.
        assert_eq!(coded(180_000, 193_400), Some(vec![31]));
        assert_eq!(coded(180_000, 193_600), Some(vec![31, 15]));
        assert_eq!(coded(193_600, 234_000), Some(vec![15, 15, 15]));
        assert_eq!(coded(-30_000, 10_000), None, "nothing was sent before the start");
        assert_eq!(paths.coded("ben", RunTime::START, RunTime::START, lookahead), None);
    }

    #[test]
    fn a_lost_packet_is_not_taken_for_the_one_that_bears_its_number_a_round_later_or_earlier() {
        let lost = [100, WRAP + 200];
        let paths = long_talk(|n| !lost.contains(&n));
        for n in lost {
            assert_eq!(network(&paths, n), None);
        }
        for n in [99, 200, WRAP - 1, WRAP, WRAP + 100] {
            assert_eq!(network(&paths, n), Some(NETWORK), "packet {n}");
        }
    }
}
