//! A client: joins a room, speaks into it if it has a mouth, and hears it.

mod role;

use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{Nanos, RunTime};

use crate::card::SoundCard;
use crate::codec::{CodecConfig, CodecError, Encoder};
use crate::control::{Join, Joined, Message, Route, Talker};
use crate::drop_probe::{DropProbe, Dropper};
use crate::engine::{Engine, Input, Output, PeerId};
use crate::event::Event;
use crate::listener::Listener;
use crate::outbox::Outbox;
use crate::playout::PlayoutPolicy;
use crate::seal::{Seal, SealError, Sealer};
use crate::speaker::{Mouth, Speaker, StreamMarks};
use crate::wire::{self, rtp};
use role::Roles;

/// What an endpoint is.
#[derive(Debug)]
pub struct EndpointConfig {
    /// A name that nobody else in the room has.
    pub name: String,
    /// Stage or audience.
    pub role: Role,
    /// The room's secret.
    pub token: String,
    /// Where our media comes from and goes to, as [`Join::media`] has it.
    pub media: SocketAddr,
    /// The room's codec.
    pub codec: CodecConfig,
    /// How the jitter buffer delays what it plays.
    pub playout: PlayoutPolicy,
    /// Names of the speakers to hear; `None`: everybody else.
    pub subscribe: Option<Vec<String>>,
    /// In a room with end-to-end encryption: with which key, if any.
    pub seal: Option<Seal>,
    /// What the ear and the mouth count by.
    pub card: SoundCard,
    /// From [`Input::Start`] to the ear's sample 0: sound cards do not start in step.
    pub ear_phase: Nanos,
    /// What a speaker speaks with, or a listener that is promoted.
    pub mouth: Option<MouthConfig>,
    /// Which of its own packets it drops on purpose, if any.
    pub drop_probe: Option<DropProbe>,
}

/// How an endpoint speaks. RFC 3550 wants the three numbers random (section 5.1); whoever runs the endpoint draws
/// them.
#[derive(Debug)]
pub struct MouthConfig {
    /// The stream's identifier in RTP.
    pub ssrc: u32,
    /// The first packet's sequence number.
    pub first_sequence: u16,
    /// The first sample's timestamp.
    pub first_timestamp: u32,
    /// From [`Message::Joined`] to the mouth's sample 0.
    pub phase: Nanos,
    /// Where the sound comes from.
    pub mouth: Box<dyn Mouth>,
}

/// Why an endpoint cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The codec cannot be set like this.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The stream's key cannot be derived.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What is said in a sealed room must be sealed.
    #[error("{0} has no key to seal what it says: let it listen only, or give it the key")]
    Keyless(String),
}

/// A client of a room: a speaker if it has a mouth, and in any case a listener. The mouth of somebody in the audience
/// opens when the relay promotes them.
///
/// The ear opens at [`Input::Start`] and plays silence until there is something to hear; the mouth opens when the relay
/// has let us in. Media goes to and is taken from the relay's address only, until the relay names others
/// ([`Message::Route`]). When the relay refuses us or the control connection ends, [`Event::Failed`] says why and
/// [`Output::Done`] follows.
#[derive(Debug)]
pub struct Endpoint {
    join: Join,
    codec: CodecConfig,
    playout: PlayoutPolicy,
    seal: Option<Seal>,
    card: SoundCard,
    ear_phase: Nanos,
    /// Ready to speak, until the relay lets us in.
    mouth: Option<(MouthConfig, Encoder, Option<Sealer>)>,
    /// The relay's own address for media, once it has let us in.
    relay: Option<SocketAddr>,
    /// Where media goes to and comes from.
    route: Route,
    speaker: Option<Speaker>,
    listener: Option<Listener>,
    dropper: Option<Dropper>,
    roles: Roles,
    out: Outbox,
    done: bool,
}

impl Endpoint {
    /// Errors if the codec cannot be set like this.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        let EndpointConfig {
            name,
            role,
            token,
            media,
            codec,
            playout,
            subscribe,
            seal,
            card,
            ear_phase,
            mouth,
            drop_probe,
        } = config;
        let prepared = |mouth: MouthConfig| -> Result<_, EndpointError> {
            let sealer = match &seal {
                None => None,
                Some(Seal::Keyed(passphrase)) => Some(passphrase.sealer(&name, mouth.ssrc)?),
                Some(Seal::Keyless) => return Err(EndpointError::Keyless(name.clone())),
            };
            Ok((mouth, Encoder::new(&codec)?, sealer))
        };
        let mouth = mouth.map(prepared).transpose()?;
        Ok(Self {
            join: Join { name, role, token, media, subscribe, sealed: seal.is_some() },
            codec,
            playout,
            seal,
            card,
            ear_phase,
            mouth,
            relay: None,
            route: Route { send_to: Vec::new(), hear_from: Vec::new() },
            speaker: None,
            listener: None,
            dropper: drop_probe.map(Dropper::new),
            roles: Roles::default(),
            out: Outbox::default(),
            done: false,
        })
    }

    fn start(&mut self, now: RunTime) {
        let listener = Listener::new(self.card, now + self.ear_phase, self.codec, self.playout, self.seal.clone());
        self.out.event(now, Event::EarOpened { clock: listener.clock() });
        self.listener = Some(listener);
        self.comes(now);
        self.out.control(PeerId::RELAY, Message::Join(self.join.clone()));
    }

    fn joined(&mut self, now: RunTime, joined: &Joined) {
        if self.relay.is_some() {
            return;
        }
        let (theirs, ours) = (joined.payload_type, self.codec.payload_type());
        if theirs != ours {
            let reason = format!(
                "the room's codec has RTP payload type {theirs}, ours ({}) has {ours}: give both the same codec",
                self.codec.rtpmap()
            );
            return self.fail(now, reason);
        }
        self.relay = Some(joined.media);
        self.route = Route { send_to: vec![joined.media], hear_from: vec![joined.media] };
        self.out.event(now, Event::Joined);
        if self.join.role == Role::Speaker {
            self.begin_to_speak(now, now);
        }
        self.came(now);
    }

    /// Opens the mouth, if there is one: its sample 0 is captured its phase after `from`.
    fn begin_to_speak(&mut self, now: RunTime, from: RunTime) {
        let Some((config, encoder, sealer)) = self.mouth.take() else { return };
        let MouthConfig { ssrc, first_sequence, first_timestamp, phase, mouth } = config;
        let marks = StreamMarks { ssrc, payload_type: self.codec.payload_type(), first_sequence, first_timestamp };
        let speaker = Speaker::new(mouth, self.codec, encoder, sealer, self.card, from + phase, marks);
        self.out.event(now, Event::MouthOpened { clock: speaker.clock(), ssrc });
        self.speaker = Some(speaker);
        self.tell_of_stream();
    }

    fn reroute(&mut self, route: &Route) {
        if self.relay.is_some() {
            self.route = route.clone();
            self.tell_of_stream();
        }
    }

    /// Where a speaker's packets do not pass the relay, the relay learns of the stream in words.
    fn tell_of_stream(&mut self) {
        if let (Some(speaker), Some(relay)) = (&self.speaker, &self.relay)
            && !self.route.send_to.contains(relay)
        {
            let talker = Talker { name: self.join.name.clone(), ssrc: speaker.ssrc() };
            self.out.control(PeerId::RELAY, Message::Talker(talker));
        }
    }

    fn control(&mut self, now: RunTime, message: &Message) {
        match message {
            Message::Joined(joined) => self.joined(now, joined),
            Message::Refused { reason } => self.fail(now, format!("the relay refused us: {reason}")),
            Message::Talker(talker) => {
                if let Some(listener) = &mut self.listener {
                    listener.talker(&talker.name, talker.ssrc);
                }
                self.out.event(now, Event::Talker { name: talker.name.clone(), ssrc: talker.ssrc });
            }
            Message::Route(route) => self.reroute(route),
            Message::Grant(grant) => self.granted(now, grant),
            Message::Answer { number } => self.answered(now, *number),
            Message::Notice(notice) => self.noticed(now, notice),
            // These go to relays and to moderators.
            Message::Join(_)
            | Message::Trunk(_)
            | Message::Leave
            | Message::Command(_)
            | Message::Outcome(_)
            | Message::Offer { .. }
            | Message::Ready { .. }
            | Message::Cannot { .. }
            | Message::Noted { .. } => {}
        }
    }

    fn packet(&mut self, now: RunTime, from: SocketAddr, received: RunTime, data: &[u8]) {
        let Some(listener) = &mut self.listener else { return };
        listener.play_while(|deadline| deadline < received, self.speaker.as_mut(), &mut self.out);
        match wire::classify(data) {
            wire::Kind::Flight => self.flight(now, from, data),
            wire::Kind::Rtp if self.roles.hears() && self.route.hear_from.contains(&from) => {
                if let Ok(packet) = rtp::Packet::new_checked(data) {
                    if let Some(dropper) = &mut self.dropper
                        && dropper.drops(received, packet.ssrc(), packet.sequence(), &mut self.out)
                    {
                        return;
                    }
                    self.roles.packet(received, &packet, &mut self.out);
                    listener.packet(&packet, received, data.len(), &mut self.out);
                }
            }
            _ => {}
        }
    }

    fn play_until(&mut self, now: RunTime) {
        if let Some(listener) = &mut self.listener {
            listener.play_while(|deadline| deadline <= now, self.speaker.as_mut(), &mut self.out);
        }
    }

    fn send_due(&mut self, now: RunTime) {
        if let Some(speaker) = &mut self.speaker
            && let Err(error) = speaker.send_due(now, &self.route.send_to, self.dropper.as_mut(), &mut self.out)
        {
            self.fail(now, error.to_string());
        }
    }

    fn fail(&mut self, now: RunTime, reason: String) {
        self.play_until(now);
        self.change_ends(now, &reason);
        self.out.event(now, Event::Failed { reason });
        self.done = true;
    }

    fn stop(&mut self, now: RunTime) {
        self.play_until(now);
        self.leaves(now);
        self.out.control(PeerId::RELAY, Message::Leave);
        self.done = true;
    }

    fn wake_at(&self) -> Option<RunTime> {
        let ear = self.listener.as_ref().map(Listener::deadline);
        let mouth = self.speaker.as_ref().map(Speaker::due);
        ear.into_iter().chain(mouth).chain(self.roles.wake_at()).min()
    }
}

impl Engine for Endpoint {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.out.reclaim();
        if !self.done {
            self.send_due(now);
            self.changes_due(now);
        }
        if self.done {
            return;
        }
        match input {
            Input::Start => self.start(now),
            Input::Timer => self.play_until(now),
            Input::Packet { from, received, data } => self.packet(now, from, received, data),
            Input::Control { message, .. } => self.control(now, message),
            Input::ControlClosed { reason, .. } => {
                self.fail(now, format!("the connection to the relay is gone: {reason}"));
            }
            Input::Stop => self.stop(now),
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.roles.look_at_next(&self.join.name, &mut self.out);
        let wait = if self.done { Output::Done } else { Output::Wait(self.wake_at()) };
        self.out.fetch().unwrap_or(wait)
    }
}
