//! Mixing (MCU): every source is decoded once, every distinct mix is coded once, and each seat is sent a single stream:
//! a speaker everybody else, the audience one and the same.
//!
//! Sound is mixed in *rounds* of 20 ms. By arrival, a round is mixed as soon as all active sources have what it needs,
//! so that the last one waits for nobody; if somebody's packet is missing, when that somebody's next one comes, or when
//! the deadline has passed since the round's first packet came. By tick, rounds are mixed at multiples of 20 ms, as mixers with a clock of their own do,
//! and every packet waits for the next one.
//!
//! * A source is *active* from its first packet until it says that it pauses, or until some rounds have gone by
//!   without anything from it. Rounds wait for active sources only.
//! * It begins at the next round. From then on its timestamps say which round a packet belongs to.
//! * What is missing is concealed by the source's decoder. What comes after its round is dropped and counted; if that
//!   happens again and again, the source falls back by as much as it is late.
//! * At their deadlines rounds are mixed no more often than time passes, but for 200 ms at once: else speakers who stutter
//!   in turn would each be waited for in vain, and a mix of 20 s would last longer than 20 s.
//! * A source that is always a round too early leaves one out. So clocks that drift apart cost a frame now and then,
//!   and no queue grows.
//! * When nobody is active nothing is mixed; timestamps then go on by as much as time has passed.

mod output;
mod source;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::codec::{CodecConfig, FRAME_SAMPLES, RATE};
use jiho_proto::control::{Message, Talker};
use jiho_proto::engine::PeerId;
use jiho_proto::event::Event;
use jiho_proto::wire::rtp;

use self::output::Mix;
pub(crate) use self::output::Selection;
use self::source::{MAX_CONCEALED, Source};
use crate::made::Made;
use crate::name::MIX;
use crate::outbox::Outbox;
use crate::room::Room;
use crate::serving::Timing;
use crate::streams::Streams;

/// What is mixed at once.
const ROUND_SAMPLES: i64 = FRAME_SAMPLES as i64;
const ROUND: Nanos = Nanos::from_millis(20);
/// Rounds may be mixed at their deadlines so much sooner than one every [`ROUND`], …
const MOST_AHEAD: Nanos = Nanos::from_millis(200);
/// … of which each makes up for so much: by more than clocks' rates differ, so that fast speakers are not slowed down.
const PACE: Nanos = Nanos(ROUND.0 - 10_000);
/// How far a source's timestamps may disagree with the time that has passed in a pause: one second.
const PAUSE_TOLERANCE: i64 = 48_000;

/// What became of everything that was mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MixStats {
    pub(crate) decoded: u64,
    pub(crate) mixed: u64,
    pub(crate) encoded: u64,
    pub(crate) concealed: u64,
    pub(crate) late: u64,
    pub(crate) skipped: u64,
    pub(crate) undecodable: u64,
}

/// Mixes for the seats of some roles.
#[derive(Debug)]
pub(crate) struct Mixer {
    codec: CodecConfig,
    timing: Timing,
    sources: BTreeMap<u32, Source>,
    mixes: BTreeMap<Selection, Mix>,
    /// Which mix each seat was told to expect.
    told: BTreeMap<PeerId, u32>,
    /// The position of the next round's first sample.
    next: i64,
    /// When the last round was mixed, or nobody was active after it.
    last: Option<RunTime>,
    /// Before this no round is mixed at its deadline.
    earliest: RunTime,
    stats: MixStats,
    /// The sound of each source in a round, end to end.
    frames: Vec<f32>,
    sum: Vec<f32>,
}

impl Mixer {
    pub(crate) fn new(codec: CodecConfig, timing: Timing) -> Self {
        Self {
            codec,
            timing,
            sources: BTreeMap::new(),
            mixes: BTreeMap::new(),
            told: BTreeMap::new(),
            next: 0,
            last: None,
            earliest: RunTime::START,
            stats: MixStats::default(),
            frames: Vec::new(),
            sum: Vec::new(),
        }
    }

    /// Works out anew who hears which mix, tells them, and forgets sources that are gone.
    pub(crate) fn reroute(
        &mut self,
        now: RunTime,
        room: &Room,
        streams: &mut Streams,
        roles: &[Role],
        outbox: &mut Outbox,
    ) {
        self.sources.retain(|ssrc, source| streams.name(*ssrc).is_some_and(|name| name == source.name));
        for mix in self.mixes.values_mut() {
            mix.wanted = false;
            mix.destinations.clear();
        }
        self.told.retain(|peer, _| room.seat(*peer).is_some_and(|seat| roles.contains(&seat.role)));
        for (peer, seat) in room.seats().filter(|(_, seat)| roles.contains(&seat.role)) {
            let mix = match self.mixes.entry(seat.selection()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => match Mix::new(streams.reserve(), &self.codec) {
                    Ok(mix) => place.insert(mix),
                    Err(error) => {
                        outbox.note(now, Event::Failed { reason: format!("cannot mix for {}: {error}", seat.name) });
                        continue;
                    }
                },
            };
            mix.wanted = true;
            mix.destinations.extend(seat.open.then_some(seat.media));
            if self.told.insert(peer, mix.ssrc) != Some(mix.ssrc) {
                outbox.say(peer, Message::Talker(Talker { name: MIX.to_owned(), ssrc: mix.ssrc }));
            }
        }
        self.mixes.retain(|_, mix| {
            if !mix.wanted {
                streams.give_back(mix.ssrc);
            }
            mix.wanted
        });
    }

    /// Where a mix goes.
    pub(crate) fn destinations(&self, ssrc: u32) -> &[SocketAddr] {
        self.mixes.values().find(|mix| mix.ssrc == ssrc).map_or(&[], |mix| &mix.destinations)
    }

    /// Takes a packet of the stream of this name, and mixes if it was the last that was waited for. All that was due
    /// before it came must have been done.
    pub(crate) fn packet(&mut self, packet: &rtp::Packet<'_>, name: &str, received: RunTime, made: &mut Made) {
        if packet.payload_type() != self.codec.payload_type() {
            self.stats.undecodable += 1;
            return;
        }
        self.wake(packet, received);
        let source = match self.sources.entry(packet.ssrc()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match Source::new(name, &self.codec) {
                Ok(source) => place.insert(source),
                Err(_) => return,
            },
        };
        source.packet(packet, received, self.next, &mut self.stats);
        self.mix_what_is_ready(received, made);
    }

    /// When the next round is mixed at the latest.
    pub(crate) fn due(&self) -> Option<RunTime> {
        let active = || self.sources.values().filter(|source| source.is_active());
        match self.timing {
            Timing::Arrival { deadline } => {
                let deadline = active().filter_map(Source::since).min()? + deadline;
                Some(deadline.max(self.earliest))
            }
            Timing::Tick => {
                active().next()?;
                Some(tick_after(self.last?))
            }
        }
    }

    /// Mixes the round that is due.
    pub(crate) fn on_due(&mut self, at: RunTime, made: &mut Made) {
        self.mix(at, made);
        self.mix_what_is_ready(at, made);
    }

    pub(crate) fn stats(&self) -> MixStats {
        self.stats
    }

    /// After a silence nobody is active any more. Then positions go on by as much as has passed: by the source's own count if it can be trusted.
    fn wake(&mut self, packet: &rtp::Packet<'_>, received: RunTime) {
        let silence = Nanos((MAX_CONCEALED + 1) * ROUND.0);
        if self.sources.values().all(|source| source.since().is_none())
            && self.last.is_some_and(|last| received - last > silence)
        {
            self.sources.values_mut().for_each(Source::stop);
        }
        if self.sources.values().any(Source::is_active) {
            return;
        }
        let passed = self.last.map_or(0, |last| (RATE.samples(received - last) as i64 - ROUND_SAMPLES).max(0));
        let counted = self.sources.get(&packet.ssrc()).and_then(|source| source.expected(packet));
        let counted = counted.map(|position| position - self.next);
        let trusted = counted.filter(|gap| *gap >= 0 && (gap - passed).abs() <= PAUSE_TOLERANCE);
        self.next += trusted.unwrap_or(passed);
        self.last = Some(received - Nanos(1));
        self.mixes.values_mut().for_each(Mix::pause);
    }

    fn mix_what_is_ready(&mut self, now: RunTime, made: &mut Made) {
        if self.timing == Timing::Tick {
            return;
        }
        let active = |mixer: &Self| mixer.sources.values().any(Source::is_active);
        let ready = |mixer: &Self| mixer.sources.values().all(|source| source.is_ready() || !source.is_active());
        while active(self) && ready(self) {
            self.mix(now, made);
        }
    }

    fn mix(&mut self, now: RunTime, made: &mut Made) {
        self.frames.clear();
        let mut heard: Vec<(u32, &str)> = Vec::new();
        let mut last_received = None;
        for (ssrc, source) in &mut self.sources {
            if !source.is_active() {
                continue;
            }
            let start = self.frames.len();
            self.frames.resize(start + FRAME_SAMPLES, 0.0);
            last_received = last_received.max(source.take(&mut self.frames[start..], &mut self.stats));
            if source.is_active() {
                heard.push((*ssrc, &source.name));
            } else {
                self.frames.truncate(start);
            }
        }
        self.last = Some(now);
        self.earliest = (self.earliest.max(now + -MOST_AHEAD) + PACE).min(now + MOST_AHEAD);
        if heard.is_empty() {
            return;
        }
        self.stats.mixed += 1;
        for (selection, mix) in &mut self.mixes {
            self.sum.clear();
            self.sum.resize(FRAME_SAMPLES, 0.0);
            let mut csrc = Vec::new();
            for ((ssrc, name), frame) in heard.iter().zip(self.frames.chunks_exact(FRAME_SAMPLES)) {
                if selection.has(name) {
                    self.sum.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += sample);
                    csrc.push(*ssrc);
                }
            }
            self.sum.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            self.stats.encoded += 1;
            made.packet(mix.ssrc, last_received.unwrap_or(now), |bytes| mix.code(&self.sum, self.next, &csrc, bytes));
        }
        self.next += ROUND_SAMPLES;
    }
}

/// The first multiple of a round's length after an instant.
fn tick_after(at: RunTime) -> RunTime {
    RunTime((at.0.div_euclid(ROUND.0) + 1) * ROUND.0)
}
