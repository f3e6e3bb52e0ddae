//! What a run must have measured, by construction.

use std::collections::BTreeMap;

use crate::room::{Packet, Ran};

/// A frame, in samples and in nanoseconds: packetisation delays every sample by as much.
pub(crate) const FRAME_SAMPLES: i64 = 960;
pub(crate) const FRAME_NS: i64 = 20_000_000;
/// What Opus adds at 48 kHz in its VOIP and AUDIO modes.
pub(crate) const OPUS_LOOKAHEAD_NS: i64 = 312 * 1_000_000_000 / 48_000;
/// How long a coded voice sounds.
const BEEP_NS: i64 = 200_000_000;

pub(crate) const fn ms(ms: f64) -> i64 {
    (ms * 1e6) as i64
}

/// The instant of a sample, to the nearest nanosecond.
fn span_ns(samples: i64) -> i64 {
    ((i128::from(samples) * 1_000_000_000 + 24_000).div_euclid(48_000)) as i64
}

/// The whole samples that `ns` needs, rounded up.
fn samples_up(ns: i64) -> i64 {
    let wide = i128::from(ns) * 48_000;
    (wide + 999_999_999).div_euclid(1_000_000_000) as i64
}

/// When a speaker's mouth opened: a frame before the first one was captured.
pub(crate) fn mouth_start_ns(packets: &[Packet], speaker: &str) -> i64 {
    let first = packets.iter().find(|p| p.tap == "sent" && p.speaker == speaker).unwrap();
    assert_eq!(first.media_time, Some(0));
    first.at_ns.unwrap() - FRAME_NS
}

/// The mouth-to-ear delay over links of constant delay, without what the codec adds: `path_ns` is the way up and down,
/// `playout_ns` the jitter buffer's fixed delay. A stream's first sample is played that long after its packet came,
/// rounded up to a whole sample of the ear, and everything else follows it.
pub(crate) fn constant_delay_ns(mouth_start_ns: i64, ear_start_ns: i64, path_ns: i64, playout_ns: i64) -> i64 {
    let arrives = mouth_start_ns + FRAME_NS + path_ns;
    let at_ear = samples_up(arrives + playout_ns - ear_start_ns);
    ear_start_ns + span_ns(at_ear) - mouth_start_ns
}

/// What became of a frame at an ear.
struct Frame {
    played_ns: i64,
    concealed: bool,
}

/// What packets say of all beeps' ways.
pub(crate) struct Ways {
    mouths: BTreeMap<String, (i64, u16)>,
    /// By recorder, speaker and sequence number.
    frames: BTreeMap<(String, String, u16), Frame>,
}

/// What packets say of one beep's way to one ear.
#[derive(Debug)]
pub(crate) struct Way {
    /// The least and the greatest delay of its frames that were played, without what the codec adds; none if all were
    /// lost.
    pub(crate) delay_ns: Option<(i64, i64)>,
    /// How many of its frames were played, and how many there are.
    pub(crate) played: usize,
    pub(crate) frames: usize,
    /// No frame of it, nor of the 100 ms before, was concealed or absent.
    pub(crate) whole: bool,
}

impl Ways {
    /// Reads them from a run of less than 22 minutes, in which no sequence number comes twice.
    pub(crate) fn of(ran: &Ran) -> Self {
        let packets = ran.packets();
        let (mut mouths, mut frames) = (BTreeMap::new(), BTreeMap::new());
        for packet in packets.iter().filter(|p| p.tap == "sent" && p.media_time == Some(0)) {
            let start = mouth_start_ns(&packets, &packet.speaker);
            mouths.insert(packet.speaker.clone(), (start, packet.sequence));
        }
        for packet in packets.into_iter().filter(|p| p.tap == "received") {
            let Some(played_ns) = packet.played_ns else { continue };
            let concealed = packet.action.as_deref() != Some("played");
            let key = (packet.endpoint, packet.speaker, packet.sequence);
            assert!(frames.insert(key, Frame { played_ns, concealed }).is_none(), "a frame is played once");
        }
        Self { mouths, frames }
    }

    /// The way of what `speaker` said from `sent_ns` on.
    pub(crate) fn of_beep(&self, speaker: &str, recorder: &str, sent_ns: i64) -> Way {
        let (mouth_start, first_sequence) = self.mouths[speaker];
        let frame_at = |ns: i64| (ns - mouth_start).div_euclid(FRAME_NS);
        let frames = frame_at(sent_ns)..=frame_at(sent_ns + BEEP_NS);
        let frame = |n: i64| {
            let sequence = first_sequence.wrapping_add(n as u16);
            self.frames.get(&(recorder.to_owned(), speaker.to_owned(), sequence)).filter(|frame| !frame.concealed)
        };
        let delays: Vec<i64> = frames
            .clone()
            .filter_map(|n| Some(frame(n)?.played_ns - mouth_start - span_ns(n * FRAME_SAMPLES)))
            .collect();
        Way {
            delay_ns: delays.iter().min().copied().zip(delays.iter().max().copied()),
            played: delays.len(),
            frames: frames.clone().count(),
            whole: (frames.start() - 5..=*frames.end()).all(|n| frame(n).is_some()),
        }
    }
}
