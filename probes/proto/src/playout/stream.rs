//! One stream at one ear: places packets, decodes or conceals frames, and adds them to what the ear plays.

use jiho_analysis::units::{MediaTime, RunTime, SampleClock};

use super::buffer::{Arrival, Buffer, Waiting};
use super::steering::Steering;
use super::{MAX_CONCEALED, MAX_JUMP_SAMPLES, MAX_MISORDER, PlayoutPolicy};
use crate::codec::{CodecConfig, CodecError, Decoder, FRAME_SAMPLES};
use crate::event::{Event, Playout, PlayoutAction, PlayoutDecision};
use crate::listener::PERIOD_SAMPLES;
use crate::outbox::Outbox;
use crate::seal::Lock;
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
    lock: Lock,
    /// Room for what is opened.
    opened: Vec<u8>,
    decoder: Decoder,
    buffer: Buffer,
    steering: Steering,
    sequences: Unwrapper,
    timestamps: Unwrapper,
    /// Position on the time line minus media time; `None` before the first packet.
    offset: Option<i64>,
    /// How often the stream has been anchored, and how often it had been when the last frame came that was played.
    run: u64,
    played_run: u64,
    /// By how much the delay jumped when the stream was last anchored; `None`: its timestamps began anew too.
    anchored_step: Option<i64>,
    /// Where on the time line the frame would begin that was played last before the stream was anchored anew and its
    /// timestamps went on; what lies there or before is over.
    played_to: Option<i64>,
    /// The position on the time line of the first sample that is not decided.
    cursor: i64,
    /// Position at the ear minus position on the time line.
    shift: i64,
    /// How much is concealed already while the packet at the cursor is awaited.
    waited: i64,
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
    /// Position at the ear of the first frame that was played.
    begins: Option<MediaTime>,
}

impl Stream {
    /// A stream at an ear that decides `period` samples at once, and whose sample `next` is the first that is not
    /// decided.
    pub(crate) fn new(
        ssrc: u32,
        codec: &CodecConfig,
        lock: Lock,
        policy: &PlayoutPolicy,
        period: usize,
        next: MediaTime,
    ) -> Result<Self, CodecError> {
        Ok(Self {
            ssrc,
            codec: *codec,
            lock,
            opened: Vec::new(),
            decoder: Decoder::new(codec)?,
            buffer: Buffer::default(),
            steering: Steering::new(policy, period as i64),
            sequences: Unwrapper::default(),
            timestamps: Unwrapper::default(),
            offset: None,
            run: 0,
            played_run: 0,
            anchored_step: None,
            played_to: None,
            cursor: next.0,
            shift: 0,
            waited: 0,
            pcm: Vec::new(),
            read: 0,
            expected: 0,
            frame_samples: FRAME_SAMPLES,
            concealed: 0,
            pausing: false,
            silent: true,
            begins: None,
        })
    }

    /// Changes what opens the packets that have not been played yet.
    pub(crate) fn unlock(&mut self, lock: Lock) {
        self.lock = lock;
    }

    /// Where at the ear the first frame is that was played, if there is one.
    pub(crate) fn begins(&self) -> Option<MediaTime> {
        self.begins
    }

    /// Takes a packet.
    pub(crate) fn packet(&mut self, arrival: Arrival, ear: &SampleClock, payload: &[u8], out: &mut Outbox) {
        if let Err(dropped) = self.insert(arrival, ear, payload) {
            let target = Some(self.steering.target());
            out.event(arrival.received, Event::Playout(Playout { target, ..arrival.record(None, dropped) }));
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
            self.read = 0;
            if self.decide_frame(period, out) {
                self.steering.played(&self.pcm);
            } else {
                // What a failed decoder left behind is not to be played.
                self.pcm.clear();
                self.steering.silent();
                let line_end = end - self.shift - self.waited;
                let sound = self.buffer.first().map_or(line_end, |(due, _)| due.min(line_end));
                rest = rest.split_at_mut((sound - self.cursor) as usize).1;
                self.cursor = sound;
            }
        }
    }

    fn insert(&mut self, arrival: Arrival, ear: &SampleClock, payload: &[u8]) -> Result<(), PlayoutAction> {
        if self.buffer.was_played(&arrival) {
            return Err(PlayoutAction::Duplicate);
        }
        let due = self.place(&arrival, ear).ok_or(PlayoutAction::Late)?;
        self.buffer.insert(due, arrival, self.run, payload)
    }

    /// The position of a packet's first sample on the time line; `None` if its turn is over. Anchors the stream if need
    /// be.
    fn place(&mut self, arrival: &Arrival, ear: &SampleClock) -> Option<i64> {
        let newest = self.sequences.newest();
        let newest_media = self.timestamps.newest();
        let sequence = self.sequences.sequence(arrival.sequence);
        let media = self.timestamps.timestamp(arrival.timestamp);
        let anchor = self.steering.anchor(ear, arrival.received).0;
        let received = ear.first_sample_from(arrival.received).0;
        let mut anchored_from = None;
        if let Some(offset) = self.offset {
            let due = media + offset;
            let late = due < self.cursor || self.played_to.is_some_and(|played| due <= played);
            // In a burst packets come long before their turn, each right behind the one before it.
            let follows = newest_media.is_some_and(|newest| (media - newest).abs() <= MAX_JUMP_SAMPLES);
            let early = due + self.shift - anchor;
            let jumped = early.abs() > MAX_JUMP_SAMPLES && !(follows && early > 0);
            let restarted = jumped || (late && self.silent);
            if !restarted {
                self.steering.note(received, due);
                return (!late).then_some(due);
            }
            if newest.is_some_and(|newest| (0..=MAX_MISORDER).contains(&(newest - sequence))) {
                return None;
            }
            anchored_from = (!jumped).then_some(due + self.shift);
        }
        (self.sequences, self.timestamps) = Default::default();
        self.sequences.sequence(arrival.sequence);
        let media = self.timestamps.timestamp(arrival.timestamp);
        let at = anchor.max(self.cursor + self.shift + self.waited);
        let due = at - self.shift;
        self.offset = Some(due - media);
        self.run += 1;
        self.anchored_step = anchored_from.map(|from| at - from);
        let since = |played: u32| i64::from(arrival.timestamp.wrapping_sub(played).cast_signed());
        let since_played = self.buffer.last_played().filter(|_| anchored_from.is_some()).map(since);
        self.played_to = since_played.filter(|since| *since > 0).map(|since| due - since);
        self.steering.anchored();
        self.steering.note(received, due);
        Some(due)
    }

    /// Puts what follows the cursor into `pcm`: a frame decoded or concealed, or a part of one; false: there is none, but
    /// silence up to the next packet or the end of the period.
    fn decide_frame(&mut self, period: Period<'_>, out: &mut Outbox) -> bool {
        while let Some((due, packet)) = self.buffer.take_due(self.cursor) {
            // One before the cursor: a longer frame than expected has taken its place.
            let decoded = if due < self.cursor { Err(PlayoutAction::Late) } else { self.decode(&packet.payload) };
            let record = match decoded {
                Ok(pausing) => self.play(&packet, pausing, period),
                Err(dropped) => packet.arrival.record(None, dropped),
            };
            let record = Playout { target: Some(self.steering.target()), ..record };
            let was_played = record.action == PlayoutAction::Played;
            out.event(period.deadline, Event::Playout(record));
            self.buffer.recycle(packet.payload);
            if was_played {
                return true;
            }
        }
        let next = self.buffer.first().map(|(due, packet)| (due, packet.run, packet.arrival.sequence));
        let paused = next.is_some_and(|(_, run, sequence)| run != self.played_run || sequence == self.expected);
        self.silent |= paused || self.pausing || self.concealed == MAX_CONCEALED;
        let room = next.map_or(i64::MAX, |(due, ..)| due - self.cursor);
        if self.silent {
            let silence = self.waited.min(room);
            self.cursor += silence;
            self.waited -= silence;
            return false;
        }
        if next.is_none() && self.may_wait() {
            self.waited += PERIOD_SAMPLES as i64;
            self.decoder.conceal(PERIOD_SAMPLES, &mut self.pcm);
        } else {
            let record = self.conceal(room, period);
            out.event(period.deadline, Event::Playout(record));
        }
        true
    }

    /// Opens and decodes a payload into `pcm`; says whether its sender pauses after it.
    fn decode(&mut self, payload: &[u8]) -> Result<bool, PlayoutAction> {
        let payload = self.lock.open(payload, &mut self.opened).ok_or(PlayoutAction::Sealed)?;
        self.decoder.decode(payload, &mut self.pcm).map_err(|_| PlayoutAction::Undecodable)?;
        Ok(self.codec.is_pause(payload))
    }

    /// Plays the frame in `pcm`, which a packet brought.
    fn play(&mut self, packet: &Waiting, pausing: bool, period: Period<'_>) -> Playout {
        self.frame_samples = self.pcm.len();
        self.cursor += self.pcm.len() as i64;
        self.shift += self.waited;
        let waited = std::mem::take(&mut self.waited);
        let at = self.cursor + self.shift - self.pcm.len() as i64;
        self.begins.get_or_insert(MediaTime(at));
        let (decision, step_samples) = if packet.run != self.played_run {
            (PlayoutDecision::Anchored, self.anchored_step.map_or(0, |step| step + waited))
        } else if waited > 0 {
            (PlayoutDecision::Merged, waited)
        } else {
            let adjusted = self.steering.adjust(self.shift, at, &mut self.decoder, &mut self.pcm);
            self.shift += adjusted.1;
            adjusted
        };
        self.expected = packet.arrival.sequence.wrapping_add(1);
        self.played_run = packet.run;
        self.concealed = 0;
        self.pausing = pausing;
        self.silent = false;
        self.buffer.remember(&packet.arrival);
        let played = Some(period.ear.time(MediaTime(at)));
        Playout { decision: Some(decision), step_samples, ..packet.arrival.record(played, PlayoutAction::Played) }
    }

    /// Whether to go on waiting for the packet at the cursor: not longer than a stream may be concealed.
    fn may_wait(&self) -> bool {
        let frames = self.frame_samples as i64;
        self.waited + i64::from(self.concealed) * frames < i64::from(MAX_CONCEALED) * frames
            && self.steering.may_wait(self.shift + self.waited)
    }

    /// Puts what is not concealed yet of a frame that did not come into `pcm`; it has `room` until the next one.
    fn conceal(&mut self, room: i64, period: Period<'_>) -> Playout {
        let samples = (self.frame_samples as i64).min(room);
        let waited = self.waited.min(samples);
        let missing = (samples - waited) as usize;
        let restorable = self.codec.has_fec() && waited == 0 && room == self.frame_samples as i64;
        let after = |packet: &&Waiting| packet.arrival.sequence == self.expected.wrapping_add(1);
        let next = self.buffer.first().map(|(_, packet)| packet).filter(|_| restorable).filter(after);
        match next.and_then(|packet| self.lock.open(&packet.payload, &mut self.opened)) {
            Some(payload) => self.decoder.restore(payload, missing, &mut self.pcm),
            None if missing > 0 => self.decoder.conceal(missing, &mut self.pcm),
            None => self.pcm.clear(),
        }
        let record = Playout {
            ssrc: self.ssrc,
            sequence: self.expected,
            rtp_timestamp: (self.cursor - self.offset.unwrap_or_default()) as u32,
            size_bytes: None,
            received: None,
            played: Some(period.ear.time(MediaTime(self.cursor + self.shift))),
            action: PlayoutAction::Concealed,
            decision: None,
            step_samples: 0,
            target: Some(self.steering.target()),
        };
        self.cursor += samples;
        self.waited -= waited;
        self.expected = self.expected.wrapping_add(1);
        self.concealed += 1;
        record
    }
}
