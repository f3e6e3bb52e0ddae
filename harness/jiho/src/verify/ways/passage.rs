//! How a codec on the way coded a beep.

use jiho_proto::codec::{CodecConfig, FRAME_SAMPLES, OpusConfig, Toc};

use super::codec::Frame;

/// What a codec on the way made of each frame.
pub(super) struct Passage {
    pub(super) opus: OpusConfig,
    /// How late the sound came to it.
    pub(super) late_samples: f64,
    /// By speaker, or one for all.
    pub(super) frames: Vec<Vec<Frame>>,
}

/// How a beep was coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) enum Coding {
    /// All of its frames in one mode (RFC 6716, section 3.1: the configuration, 0 to 31); with several codecs on the way
    /// their modes are the digits of a number to the base of 32.
    Mode(u32),
    /// In several modes.
    Changing,
    /// Some of it was lost.
    Damaged,
    /// By no codec, or not known.
    Unknown,
}

impl Passage {
    /// Of what lies between two positions of a speaker's sound.
    pub(super) fn coding(&self, speaker: usize, from: f64, to: f64) -> Coding {
        // What was lost leaves its mark on the frame after it.
        let before = (from - FRAME_SAMPLES as f64).max(0.0);
        if self.carrying(speaker, before, to).is_some_and(|frames| frames.iter().any(|frame| frame.lost)) {
            return Coding::Damaged;
        }
        match &self.packets(speaker, from, to)[..] {
            [] => Coding::Unknown,
            [first, others @ ..] if others.iter().all(|toc| toc.config() == first.config()) => {
                Coding::Mode(first.config().into())
            }
            _ => Coding::Changing,
        }
    }

    /// How the packets are coded that carry it; none, if that is not known of all.
    pub(super) fn packets(&self, speaker: usize, from: f64, to: f64) -> Vec<Toc> {
        let tocs = |frames: &[Frame]| frames.iter().map(|frame| frame.toc).collect::<Option<Vec<Toc>>>();
        self.carrying(speaker, from, to).and_then(tocs).unwrap_or_default()
    }

    fn carrying(&self, speaker: usize, from: f64, to: f64) -> Option<&[Frame]> {
        // A frame holds 20 ms that begin by the look-ahead earlier than what it was made from last.
        let lookahead = CodecConfig::Opus(self.opus).delay() as f64;
        let frame = |at: f64| (at + self.late_samples + lookahead).max(0.0) as usize / FRAME_SAMPLES;
        self.frames.get(speaker).or(self.frames.first())?.get(frame(from)..=frame(to))
    }
}
