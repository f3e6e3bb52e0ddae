//! A mouth: captures frames of 20 ms, codes them and sends them as RTP.

use std::fmt;
use std::net::SocketAddr;

use jiho_analysis::signal::{Emission, Programme};
use jiho_analysis::units::{MediaTime, RunTime, SampleClock};

use crate::card::SoundCard;
use crate::codec::{CodecConfig, CodecError, Encoder, FRAME_SAMPLES};
use crate::drop_probe::Dropper;
use crate::event::{Event, SentPacket};
use crate::outbox::Outbox;
use crate::seal::{SealError, Sealer};
use crate::wire::rtp;

/// Where a speaker's sound comes from.
pub trait Mouth: Send {
    /// Writes the samples from `first` on, mono, −1 to 1. `clock` says at what instant each of them is captured.
    /// Is called for one stretch after the other, without gaps.
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]);

    /// Takes what the same endpoint's ear plays from `first` on, by the ear's clock; for mouths that sing on what they
    /// hear. Is called for one stretch after the other, beginning when the mouth opens.
    fn hear(&mut self, _clock: &SampleClock, _first: MediaTime, _samples: &[f32]) {}

    /// A beep that began in what was filled last, if its instant was not known before: one after the other, until there
    /// is none.
    fn sung(&mut self) -> Option<Emission> {
        None
    }
}

impl Mouth for Programme {
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        self.render(clock, first, out);
    }
}

impl fmt::Debug for dyn Mouth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mouth")
    }
}

/// Why a frame was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpeakError {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// How a stream is marked in RTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamMarks {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) first_sequence: u16,
    pub(crate) first_timestamp: u32,
}

/// Packs what a mouth says. Sequence numbers and timestamps follow the count of samples, never a clock.
#[derive(Debug)]
pub(crate) struct Speaker {
    mouth: Box<dyn Mouth>,
    codec: CodecConfig,
    encoder: Encoder,
    sealer: Option<Sealer>,
    card: SoundCard,
    clock: SampleClock,
    marks: StreamMarks,
    frames: i64,
    packets_sent: i64,
    paused: bool,
    muted: bool,
    frame: [f32; FRAME_SAMPLES],
    payload: Vec<u8>,
    sealed: Vec<u8>,
}

impl Speaker {
    /// A mouth that opens at an instant.
    pub(crate) fn new(
        mouth: Box<dyn Mouth>,
        codec: CodecConfig,
        encoder: Encoder,
        sealer: Option<Sealer>,
        card: SoundCard,
        start: RunTime,
        marks: StreamMarks,
    ) -> Self {
        let (clock, frame, payload, sealed) = (card.clock(start), [0.0; FRAME_SAMPLES], Vec::new(), Vec::new());
        let (frames, packets_sent, paused, muted) = (0, 0, true, false);
        Self {
            mouth,
            codec,
            encoder,
            sealer,
            card,
            clock,
            marks,
            frames,
            packets_sent,
            paused,
            muted,
            frame,
            payload,
            sealed,
        }
    }

    /// Goes on capturing and sends nothing; false: it did so already.
    pub(crate) fn pause(&mut self) -> bool {
        !std::mem::replace(&mut self.muted, true)
    }

    /// Sends again, as the same stream: from which sample on.
    pub(crate) fn resume(&mut self) -> MediaTime {
        self.muted = false;
        self.position()
    }

    /// Maps media time of what it sends to run time.
    pub(crate) fn clock(&self) -> SampleClock {
        self.clock
    }

    /// Lets the mouth hear what the ear of the same endpoint plays.
    pub(crate) fn hear(&mut self, ear: &SampleClock, first: MediaTime, samples: &[f32]) {
        self.mouth.hear(ear, first, samples);
    }

    /// When the next frame's last sample has been captured and its period is over.
    pub(crate) fn due(&self) -> RunTime {
        self.clock.time(self.card.handed_over(self.position() + FRAME_SAMPLES as i64))
    }

    /// The stream's identifier in RTP.
    pub(crate) fn ssrc(&self) -> u32 {
        self.marks.ssrc
    }

    /// Sends all frames that are due to each destination, except what is withheld from some.
    pub(crate) fn send_due(
        &mut self,
        now: RunTime,
        to: &[SocketAddr],
        mut dropper: Option<&mut Dropper>,
        out: &mut Outbox,
    ) -> Result<(), SpeakError> {
        while self.due() <= now {
            self.send_frame(now, to, dropper.as_deref_mut(), out)?;
        }
        Ok(())
    }

    fn send_frame(
        &mut self,
        now: RunTime,
        to: &[SocketAddr],
        dropper: Option<&mut Dropper>,
        out: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let media_time = self.position();
        self.mouth.fill(&self.clock, media_time, &mut self.frame);
        while let Some(Emission { beep, at }) = self.mouth.sung() {
            if !self.muted {
                out.event(now, Event::Sung { beep, at });
            }
        }
        if self.muted {
            self.frames += 1;
            self.paused = true;
            return Ok(());
        }
        self.encoder.encode(&self.frame, &mut self.payload)?;
        self.frames += 1;
        // The first of a pause tells the decoder; the rest are not sent, as WebRTC has it (RFC 7587, section 3.1.3).
        let pause = self.codec.is_pause(&self.payload);
        if pause && self.paused {
            return Ok(());
        }
        let payload = match &mut self.sealer {
            Some(sealer) => {
                sealer.seal(&self.payload, &mut self.sealed)?;
                &self.sealed
            }
            None => &self.payload,
        };
        // Both counters wrap on the wire.
        let sequence = self.marks.first_sequence.wrapping_add(self.packets_sent as u16);
        let packet = rtp::Repr {
            marker: self.paused,
            payload_type: self.marks.payload_type,
            sequence,
            timestamp: self.marks.first_timestamp.wrapping_add(media_time.0 as u32),
            ssrc: self.marks.ssrc,
            payload,
        };
        let captured = self.clock.time(self.position());
        let rest = dropper.and_then(|dropper| dropper.withholds(captured, self.marks.ssrc, sequence, to, out));
        out.send(rest.as_deref().unwrap_or(to), |buffer| packet.emit(buffer));
        let sent = SentPacket {
            ssrc: self.marks.ssrc,
            sequence,
            media_time,
            captured,
            size_bytes: packet.len_bytes(),
            toc: self.encoder.toc(&self.payload),
            seal_bytes: payload.len() - self.payload.len(),
        };
        out.event(now, Event::Sent(sent));
        self.packets_sent += 1;
        self.paused = pause;
        Ok(())
    }

    fn position(&self) -> MediaTime {
        MediaTime(self.frames * FRAME_SAMPLES as i64)
    }
}
