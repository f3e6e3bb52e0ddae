//! The relay: lets people into the room, and passes on what they send.

mod promotion;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::RunTime;
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Join, Joined, Message, Talker};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::handshake::Promotion;
use jiho_proto::sdp;
use jiho_proto::wire::{self, rtp};

use self::promotion::Changes;
use crate::mesh::Mesh;
use crate::outbox::Outbox;
use crate::room::Room;
use crate::server::Server;
use crate::serving::Serving;
use crate::streams::{Claim, MAX_STREAMS_PER_SEAT, Streams};

/// How many characters of a refused name are noted.
const NOTED_NAME_CHARS: usize = 64;

/// What a relay must know.
#[derive(Clone, Debug)]
pub struct RelayConfig {
    /// Where clients send media, as they see it.
    pub media: SocketAddr,
    /// The room's secret. If it is empty nobody is let in.
    pub token: String,
    /// From when on the token is worth nothing: nobody else is let in, and no more commands are taken.
    pub token_expires: Option<RunTime>,
    /// What speakers are asked to send.
    pub codec: CodecConfig,
    /// How sound reaches the stage.
    pub stage: Serving,
    /// How sound reaches the audience.
    pub audience: Serving,
    /// How somebody comes from the audience to the stage.
    pub promotion: Promotion,
}

impl RelayConfig {
    /// A relay that forwards to everybody.
    pub fn forwarding(media: SocketAddr, token: String, codec: CodecConfig) -> Self {
        Self {
            media,
            token,
            token_expires: None,
            codec,
            stage: Serving::Forward,
            audience: Serving::Forward,
            promotion: Promotion::default(),
        }
    }
}

/// What became of the datagrams that came in: each is counted as received and under exactly one of the others,
/// `copies` excepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Datagrams that came in.
    pub received: u64,
    /// Passed on to whoever wants to hear the speaker, be it nobody.
    pub forwarded: u64,
    /// Datagrams that went out.
    pub copies: u64,
    /// From an address that belongs to no seat.
    pub from_strangers: u64,
    /// From a seat in the audience.
    pub from_listeners: u64,
    /// From a seat that is muted.
    pub from_muted: u64,
    /// Flights of handshakes, which end at the relay.
    pub flights: u64,
    /// RTCP, which ends at the relay.
    pub rtcp: u64,
    /// Neither RTP nor RTCP.
    pub malformed: u64,
    /// Of a stream that is another seat's, or of one too many of a seat.
    pub wrong_stream: u64,
}

/// The reference relay as an [`Engine`].
///
/// Its driver numbers the control connections by [`PeerId`], replaces an unspecified IP in [`Join::media`] by the one
/// at the other end of the connection, and closes a connection once it has sent [`Message::Refused`]. Nothing more is
/// accepted on such a connection, nor on one that says what only a relay may say.
#[derive(Debug)]
pub struct Relay {
    config: RelayConfig,
    room: Room,
    streams: Streams,
    mesh: Mesh,
    /// One for both roles if they are served alike.
    servers: Vec<Server>,
    /// Connections that were refused and are not closed yet.
    refused: BTreeSet<PeerId>,
    changes: Changes,
    now: RunTime,
    outbox: Outbox,
    stats: RelayStats,
    stopped: bool,
}

impl Relay {
    /// An empty room.
    pub fn new(config: RelayConfig) -> Self {
        let (stage, audience) = ((Role::Speaker, config.stage), (Role::Listener, config.audience));
        let servers = if config.stage == config.audience {
            vec![Server::new(vec![Role::Speaker, Role::Listener], config.stage)]
        } else {
            [stage, audience].map(|(role, serving)| Server::new(vec![role], serving)).into()
        };
        let meshed = [stage, audience].into_iter().filter(|(_, serving)| *serving == Serving::Mesh);
        let mesh = Mesh::new(config.media, meshed.map(|(role, _)| role).collect());
        Self {
            room: Room::new(config.media, config.token.clone(), config.token_expires, mesh.most_seats()),
            config,
            streams: Streams::default(),
            mesh,
            servers,
            refused: BTreeSet::new(),
            changes: Changes::default(),
            now: RunTime::START,
            outbox: Outbox::default(),
            stats: RelayStats::default(),
            stopped: false,
        }
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> RelayStats {
        self.stats
    }

    fn control(&mut self, now: RunTime, peer: PeerId, message: &Message) {
        if self.refused.contains(&peer) {
            return;
        }
        match message {
            Message::Join(join) => match self.room.admit(now, peer, join) {
                Ok(()) => self.welcome(now, peer, join),
                Err(refusal) => self.refuse(now, peer, &join.name, &refusal.to_string()),
            },
            Message::Leave => self.free_seat(now, peer),
            Message::Talker(talker) => {
                // Packets that do not come here cannot tell; a listener has none.
                if self.room.seat(peer).is_some_and(|seat| seat.role == Role::Speaker) {
                    self.arrives_elsewhere(now, peer, talker.ssrc);
                    self.begins(peer, talker.ssrc);
                }
            }
            Message::Command(command) => self.command(now, peer, command),
            Message::Offer { number } => self.offered(now, peer, *number),
            Message::Ready { number, speaks } => self.ready(now, peer, *number, *speaks),
            Message::Cannot { number, reason } => self.cannot(now, peer, *number, reason),
            Message::Noted { number } => self.noted(now, peer, *number),
            Message::Joined(_)
            | Message::Refused { .. }
            | Message::Route(_)
            | Message::Trunk(_)
            | Message::Outcome(_)
            | Message::Grant(_)
            | Message::Answer { .. }
            | Message::Notice(_) => {
                let name = self.room.seat(peer).map(|seat| seat.name.clone()).unwrap_or_default();
                self.refuse(now, peer, &name, "only a relay says that");
            }
        }
    }

    fn welcome(&mut self, now: RunTime, peer: PeerId, join: &Join) {
        self.outbox.note(now, Event::Admitted { name: join.name.clone() });
        let joined = Joined {
            media: self.config.media,
            payload_type: self.config.codec.payload_type(),
            sdp: sdp::describe(&join.name, join.media, &self.config.codec),
        };
        self.outbox.say(peer, Message::Joined(joined));
        let Some(newcomer) = self.room.seat(peer) else { return };
        for (ssrc, stream) in self.streams.iter().filter(|(_, stream)| newcomer.hears(&stream.name)) {
            self.outbox.say(peer, Message::Talker(Talker { name: stream.name.clone(), ssrc }));
        }
        self.reroute();
    }

    /// Takes a stream as a seat's, and tells everybody if it has just begun; false: it cannot be the seat's.
    fn begins(&mut self, peer: PeerId, ssrc: u32) -> bool {
        let Some(seat) = self.room.seat(peer) else { return false };
        match self.streams.claim(ssrc, peer, &seat.name, MAX_STREAMS_PER_SEAT) {
            Claim::Known => true,
            Claim::Refused => false,
            Claim::New => {
                let talker = Talker { name: seat.name.clone(), ssrc };
                for (hearer, _) in self.room.seats().filter(|(_, other)| other.hears(&talker.name)) {
                    self.outbox.say(hearer, Message::Talker(talker.clone()));
                }
                self.reroute();
                true
            }
        }
    }

    fn reroute(&mut self) {
        self.mesh.reroute(&self.room, &mut self.outbox);
        self.servers.iter_mut().for_each(|server| server.reroute(&self.room, &self.streams));
    }

    fn refuse(&mut self, now: RunTime, peer: PeerId, name: &str, reason: &str) {
        let name = name.chars().filter(|c| !c.is_control()).take(NOTED_NAME_CHARS).collect();
        self.outbox.note(now, Event::Refused { name, reason: reason.to_owned() });
        self.outbox.say(peer, Message::Refused { reason: reason.to_owned() });
        self.free_seat(now, peer);
        self.refused.insert(peer);
    }

    fn free_seat(&mut self, now: RunTime, peer: PeerId) {
        if let Some(seat) = self.room.leave(peer) {
            self.streams.release(peer);
            self.changes_without(now, peer, &seat);
            self.reroute();
            self.outbox.note(now, Event::Left { name: seat.name });
        }
    }

    fn packet(&mut self, now: RunTime, from: SocketAddr, data: &[u8]) {
        let stats = &mut self.stats;
        stats.received += 1;
        let Some((peer, seat)) = self.room.at(from) else {
            stats.from_strangers += 1;
            return;
        };
        let packet = match wire::classify(data) {
            wire::Kind::Rtp => rtp::Packet::new_checked(data).ok(),
            wire::Kind::Rtcp => {
                stats.rtcp += 1;
                return;
            }
            wire::Kind::Flight => {
                stats.flights += 1;
                return self.flight(now, peer, data);
            }
            _ => None,
        };
        let Some(packet) = packet else {
            stats.malformed += 1;
            return;
        };
        if seat.role != Role::Speaker {
            stats.from_listeners += 1;
            return;
        }
        if seat.muted {
            stats.from_muted += 1;
            return;
        }
        let ssrc = packet.ssrc();
        if !self.begins(peer, ssrc) {
            self.stats.wrong_stream += 1;
            return;
        }
        self.arrived(now, peer, ssrc);
        self.stats.forwarded += 1;
        for server in &mut self.servers {
            self.stats.copies += server.packet(ssrc, data, &mut self.outbox) as u64;
        }
    }
}

impl Engine for Relay {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        if self.stopped {
            return;
        }
        self.now = now;
        self.changes_due(now);
        match input {
            Input::Start | Input::Timer => {}
            Input::Packet { from, data, .. } => self.packet(now, from, data),
            Input::Control { peer, message } => self.control(now, peer, message),
            Input::ControlClosed { peer, .. } => {
                self.free_seat(now, peer);
                self.refused.remove(&peer);
            }
            Input::Stop => {
                for peer in self.room.peers() {
                    self.free_seat(now, peer);
                }
                self.stopped = true;
            }
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.look_at_next(self.now);
        let idle = if self.stopped { Output::Done } else { Output::Wait(self.changes.wake_at()) };
        self.outbox.pop().unwrap_or(idle)
    }
}
