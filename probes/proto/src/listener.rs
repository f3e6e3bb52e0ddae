//! An ear: pulls one period after the other out of the streams' jitter buffers and mixes them.

use std::collections::BTreeMap;

use jiho_analysis::units::{MediaTime, RunTime, SampleClock};

use crate::card::SoundCard;
use crate::codec::CodecConfig;
use crate::event::{Event, PlayoutAction};
use crate::outbox::Outbox;
use crate::playout::{Arrival, Period, PlayoutPolicy, Stream};
use crate::seal::{Lock, Seal};
use crate::speaker::Speaker;
use crate::wire::rtp;

/// What an ear decides at once unless its card has another period: 10 ms.
pub const PERIOD_SAMPLES: usize = SoundCard::PERIOD_SAMPLES as usize;
/// Streams that an ear keeps apart; packets of further ones are recorded as overflow.
pub const MAX_STREAMS: usize = 1024;

/// Hears all streams together: their sum, which may go beyond full scale. Whoever keeps or plays it cuts and counts.
#[derive(Debug)]
pub(crate) struct Listener {
    clock: SampleClock,
    codec: CodecConfig,
    policy: PlayoutPolicy,
    seal: Option<Seal>,
    /// Who speaks in which stream: a stream's key is its speaker's.
    talkers: BTreeMap<u32, String>,
    streams: BTreeMap<u32, Stream>,
    /// The streams of an old path, which play on until what has taken their place sounds.
    old: BTreeMap<u32, Stream>,
    next: MediaTime,
    period: Vec<f32>,
}

impl Listener {
    /// An ear that opens at an instant.
    pub(crate) fn new(
        card: SoundCard,
        start: RunTime,
        codec: CodecConfig,
        policy: PlayoutPolicy,
        seal: Option<Seal>,
    ) -> Self {
        let (clock, period) = (card.clock(start), vec![0.0; card.period_samples.max(1) as usize]);
        let (talkers, streams, old) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { clock, codec, policy, seal, talkers, streams, old, next: MediaTime(0), period }
    }

    /// Maps positions in what it plays to run time.
    pub(crate) fn clock(&self) -> SampleClock {
        self.clock
    }

    /// Takes note of who speaks in a stream.
    pub(crate) fn talker(&mut self, name: &str, ssrc: u32) {
        if self.seal.is_none() || (self.talkers.len() >= MAX_STREAMS && !self.talkers.contains_key(&ssrc)) {
            return;
        }
        self.talkers.insert(ssrc, name.to_owned());
        let lock = self.lock(ssrc);
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            stream.unlock(lock);
        }
    }

    /// What stands between a stream's packets and its decoder.
    fn lock(&self, ssrc: u32) -> Lock {
        let Some(seal) = &self.seal else { return Lock::Open };
        let talker = seal.passphrase().zip(self.talkers.get(&ssrc));
        let opener = talker.and_then(|(passphrase, name)| passphrase.opener(name, ssrc).ok());
        opener.map_or(Lock::Shut, Lock::Keyed)
    }

    /// When the next period is decided: what was received until then, counts.
    pub(crate) fn deadline(&self) -> RunTime {
        self.clock.time(self.next)
    }

    /// Plays all periods whose deadlines `is_due` names; whoever speaks at the same endpoint hears them.
    pub(crate) fn play_while(
        &mut self,
        is_due: impl Fn(RunTime) -> bool,
        mut speaker: Option<&mut Speaker>,
        out: &mut Outbox,
    ) {
        let clock = self.clock;
        while is_due(self.deadline()) {
            let period = Period { ear: &clock, first: self.next, deadline: self.deadline() };
            self.period.fill(0.0);
            for stream in self.streams.values_mut() {
                stream.mix(period, &mut self.period, out);
            }
            self.play_old_path(period, out);
            if let Some(speaker) = &mut speaker {
                speaker.hear(&clock, self.next, &self.period);
            }
            out.ear(self.next, &self.period);
            self.next = self.next + self.period.len() as i64;
        }
    }

    /// Lets go of all jitter buffers with what waits in them: the next packet of each stream begins anew.
    pub(crate) fn forget_streams(&mut self) {
        self.streams.clear();
        self.old.clear();
    }

    /// What comes from now on is of another path, and has jitter buffers of its own. What waits in those that there are
    /// is played until the new path sounds.
    pub(crate) fn hand_over_streams(&mut self) {
        self.old = std::mem::take(&mut self.streams);
    }

    /// Adds to a period what is left of the old path: each stream up to where its successor begins or, where none has
    /// come, as for a mix whose speakers come one by one from now on, the first of all.
    fn play_old_path(&mut self, period: Period<'_>, out: &mut Outbox) {
        let first = self.streams.values().filter_map(Stream::begins).min();
        let (streams, sum) = (&self.streams, &mut self.period);
        self.old.retain(|ssrc, stream| {
            let ends = streams.get(ssrc).map_or(first, Stream::begins);
            let room = ends.map_or(sum.len(), |at| (at - period.first).clamp(0, sum.len() as i64) as usize);
            stream.mix(period, &mut sum[..room], out);
            room == sum.len()
        });
    }

    /// Takes a packet; all deadlines before `received` must have been played.
    pub(crate) fn packet(&mut self, packet: &rtp::Packet<'_>, received: RunTime, size_bytes: usize, out: &mut Outbox) {
        let arrival = Arrival::new(packet, received, size_bytes);
        let clock = self.clock;
        match self.stream(packet) {
            Ok(stream) => stream.packet(arrival, &clock, packet.payload(), out),
            Err(dropped) => out.event(received, Event::Playout(arrival.record(None, dropped))),
        }
    }

    fn stream(&mut self, packet: &rtp::Packet<'_>) -> Result<&mut Stream, PlayoutAction> {
        if packet.payload_type() != self.codec.payload_type() {
            return Err(PlayoutAction::Undecodable);
        }
        let ssrc = packet.ssrc();
        if !self.streams.contains_key(&ssrc) {
            if self.streams.len() >= MAX_STREAMS {
                return Err(PlayoutAction::Overflow);
            }
            let lock = self.lock(ssrc);
            let stream = Stream::new(ssrc, &self.codec, lock, &self.policy, self.period.len(), self.next);
            self.streams.insert(ssrc, stream.map_err(|_| PlayoutAction::Undecodable)?);
        }
        self.streams.get_mut(&ssrc).ok_or(PlayoutAction::Overflow)
    }
}
