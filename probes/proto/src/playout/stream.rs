//! One stream at one ear: places packets, decodes or conceals frames, and adds them to what the ear plays.

use jiho_analysis::units::{MediaTime, RunTime, SampleClock};

use super::buffer::{Arrival, Buffer, Waiting};
use super::{MAX_CONCEALED, MAX_JUMP_SAMPLES, MAX_MISORDER};
use crate::codec::{CodecConfig, CodecError, Decoder, FRAME_SAMPLES};
use crate::event::{Event, Playout, PlayoutAction};
use crate::outbox::Outbox;
use crate::wire::unwrap::Unwrapper;

/// A period of the ear: the samples that are decided together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period<'a> {
    pub(crate) ear: &'a SampleClock,
    pub(crate) first: MediaTime,
    /// When its samples are decided.
    pub(crate) deadline: RunTime,
}

#[derive(Debug)]
pub(crate) struct Stream {
    ssrc: u32,
    codec: CodecConfig,
    decoder: Decoder,
    buffer: Buffer,
    sequences: Unwrapper,
    timestamps: Unwrapper,
    /// Position at the ear minus media time; `None` before the first packet.
    offset: Option<i64>,
    /// How often the stream has been anchored, and how often it had been when the last frame came that was played.
    run: u64,
    played_run: u64,
    /// The position at the ear of the first sample that is not decided.
    cursor: i64,
    /// The frame before the cursor, of which `read` samples are played.
    pcm: Vec<f32>,
    read: usize,
    /// The sequence number of the frame at the cursor, if the sender paused nowhere.
    expected: u16,
    /// How long a concealed frame lasts.
    frame_samples: usize,
    concealed: u32,
    /// The frame before the cursor said that its sender pauses.
    pausing: bool,
    /// Nothing is concealed until a packet's turn comes.
    silent: bool,
}

impl Stream {
    /// A stream at an ear whose sample `next` is the first that is not decided.
    pub(crate) fn new(ssrc: u32, codec: &CodecConfig, next: MediaTime) -> Result<Self, CodecError> {
        Ok(Self {
            ssrc,
            codec: *codec,
            decoder: Decoder::new(codec)?,
            buffer: Buffer::default(),
            sequences: Unwrapper::default(),
            timestamps: Unwrapper::default(),
            offset: None,
            run: 0,
            played_run: 0,
            cursor: next.0,
            pcm: Vec::new(),
            read: 0,
            expected: 0,
            frame_samples: FRAME_SAMPLES,
            concealed: 0,
            pausing: false,
            silent: true,
        })
    }

    /// Takes a packet. `anchor` is where the ear would play it if the stream began with it.
    pub(crate) fn packet(&mut self, arrival: Arrival, anchor: MediaTime, payload: &[u8], out: &mut Outbox) {
        if let Err(dropped) = self.insert(arrival, anchor.0, payload) {
            out.event(arrival.received, Event::Playout(arrival.record(None, dropped)));
        }
    }

    /// Adds the stream's part of a period to it. Periods come one after the other, without gaps.
    pub(crate) fn mix(&mut self, period: Period<'_>, sum: &mut [f32], out: &mut Outbox) {
        let end = period.first.0 + sum.len() as i64;
        let mut rest = sum;
        loop {
            let decoded = &self.pcm[self.read..];
            let (head, tail) = rest.split_at_mut(decoded.len().min(rest.len()));
            head.iter_mut().zip(decoded).for_each(|(sum, sample)| *sum += sample);
            self.read += head.len();
            rest = tail;
            if rest.is_empty() {
                return;
            }
            if self.decide_frame(period, out) {
                self.read = 0;
                self.cursor += self.pcm.len() as i64;
            } else {
                let sound = self.buffer.first().map_or(end, |(due, _)| due.min(end));
                rest = rest.split_at_mut((sound - self.cursor) as usize).1;
                self.cursor = sound;
            }
        }
    }

    fn insert(&mut self, arrival: Arrival, anchor: i64, payload: &[u8]) -> Result<(), PlayoutAction> {
        if self.buffer.was_played(&arrival) {
            return Err(PlayoutAction::Duplicate);
        }
        let due = self.place(&arrival, anchor).ok_or(PlayoutAction::Late)?;
        self.buffer.insert(due, arrival, self.run, payload)
    }

    /// The position of a packet's first sample at the ear; `None` if its turn is over. Anchors the stream if need be.
    fn place(&mut self, arrival: &Arrival, anchor: i64) -> Option<i64> {
        let newest = self.sequences.newest();
        let sequence = self.sequences.sequence(arrival.sequence);
        let media = self.timestamps.timestamp(arrival.timestamp);
        if let Some(offset) = self.offset {
            let due = media + offset;
            let late = due < self.cursor;
            let restarted = (due - anchor).abs() > MAX_JUMP_SAMPLES || (late && self.silent);
            if !restarted {
                return (!late).then_some(due);
            }
            if newest.is_some_and(|newest| (0..=MAX_MISORDER).contains(&(newest - sequence))) {
                return None;
            }
        }
        (self.sequences, self.timestamps) = Default::default();
        self.sequences.sequence(arrival.sequence);
        let media = self.timestamps.timestamp(arrival.timestamp);
        let due = anchor.max(self.cursor);
        self.offset = Some(due - media);
        self.run += 1;
        Some(due)
    }

    /// Puts the frame at the cursor into `pcm`, decoded or concealed; false: there is none, but silence up to the next
    /// packet or the end of the period.
    fn decide_frame(&mut self, period: Period<'_>, out: &mut Outbox) -> bool {
        let played = Some(period.ear.time(MediaTime(self.cursor)));
        while let Some((due, packet)) = self.buffer.take_due(self.cursor) {
            let action = if due < self.cursor {
                // A longer frame than expected has taken its place.
                PlayoutAction::Late
            } else if self.decoder.decode(&packet.payload, &mut self.pcm).is_err() {
                PlayoutAction::Undecodable
            } else {
                self.expected = packet.arrival.sequence.wrapping_add(1);
                self.played_run = packet.run;
                self.frame_samples = self.pcm.len();
                self.concealed = 0;
                self.pausing = self.codec.is_pause(&packet.payload);
                self.silent = false;
                self.buffer.remember(&packet.arrival);
                PlayoutAction::Played
            };
            let was_played = action == PlayoutAction::Played;
            let record = packet.arrival.record(played.filter(|_| was_played), action);
            out.event(period.deadline, Event::Playout(record));
            self.buffer.recycle(packet.payload);
            if was_played {
                return true;
            }
        }
        let next = self.buffer.first();
        let paused =
            next.is_some_and(|(_, packet)| packet.run != self.played_run || packet.arrival.sequence == self.expected);
        self.silent |= paused || self.pausing || self.concealed == MAX_CONCEALED;
        if self.silent {
            // What a failed decoder left behind is not to be played.
            self.pcm.clear();
            self.read = 0;
            return false;
        }
        let room = next.map_or(i64::MAX, |(due, _)| due - self.cursor);
        let samples = self.frame_samples.min(room as usize);
        let after = |packet: &&Waiting| packet.arrival.sequence == self.expected.wrapping_add(1);
        match next.filter(|_| self.codec.has_fec() && room == self.frame_samples as i64) {
            Some((_, packet)) if after(&packet) => self.decoder.restore(&packet.payload, samples, &mut self.pcm),
            _ => self.decoder.conceal(samples, &mut self.pcm),
        }
        let record = Playout {
            ssrc: self.ssrc,
            sequence: self.expected,
            rtp_timestamp: (self.cursor - self.offset.unwrap_or_default()) as u32,
            size_bytes: None,
            received: None,
            played,
            action: PlayoutAction::Concealed,
        };
        out.event(period.deadline, Event::Playout(record));
        self.expected = self.expected.wrapping_add(1);
        self.concealed += 1;
        true
    }
}
