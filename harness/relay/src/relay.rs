//! The relay: lets people into the room, and passes on what they send.

mod promotion;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::RunTime;
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Join, Joined, Message, Talker, Trunk};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::handshake::Promotion;
use jiho_proto::sdp;
use jiho_proto::wire::{self, rtp};

use self::promotion::Changes;
use crate::cascade::{MAX_STREAMS_PER_TRUNK, Trunks};
use crate::mesh::Mesh;
use crate::outbox::Outbox;
use crate::room::{Refusal, Room};
use crate::server::{Incoming, Server};
use crate::serving::Serving;
use crate::stats::RelayStats;
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
    /// Whether this relay is an edge of another one, to which [`PeerId::RELAY`] is the connection.
    pub uplink: bool,
    /// Of the numbers that our own streams have.
    pub seed: u32,
    /// Whether each packet that is passed on is noted ([`Event::Relayed`]).
    pub note_packets: bool,
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
            uplink: false,
            seed: 0,
            note_packets: false,
        }
    }
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
    trunks: Trunks,
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
            vec![Server::new(vec![Role::Speaker, Role::Listener], config.stage, config.codec)]
        } else {
            [stage, audience].map(|(role, serving)| Server::new(vec![role], serving, config.codec)).into()
        };
        let meshed = [stage, audience].into_iter().filter(|(_, serving)| *serving == Serving::Mesh);
        let mesh = Mesh::new(config.media, meshed.map(|(role, _)| role).collect());
        Self {
            room: Room::new(config.media, config.token.clone(), config.token_expires, mesh.most_seats()),
            trunks: Trunks::default(),
            streams: Streams::new(config.seed),
            config,
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
        self.servers.iter().fold(self.stats, |stats, server| stats.with(server))
    }

    fn control(&mut self, now: RunTime, peer: PeerId, message: &Message) {
        if self.refused.contains(&peer) {
            return;
        }
        if self.config.uplink && peer == PeerId::RELAY {
            return self.uplink(now, message);
        }
        match message {
            Message::Join(join) => match self.admit(now, peer, join) {
                Ok(()) => self.welcome(now, peer, join),
                Err(refusal) => self.refuse(now, peer, &join.name, &refusal.to_string()),
            },
            Message::Trunk(trunk) => match self.check_trunk(now, peer, trunk) {
                Ok(()) => self.join_edge(now, peer, trunk.media),
                Err(refusal) => self.refuse(now, peer, &edge_name(trunk.media), &refusal.to_string()),
            },
            Message::Leave => self.let_go(now, peer),
            Message::Talker(talker) => self.told_of(now, peer, talker),
            Message::Command(command) => self.command(now, peer, command),
            Message::Offer { number } => self.offered(now, peer, *number),
            Message::Ready { number, speaks } => self.ready(now, peer, *number, *speaks),
            Message::Cannot { number, reason } => self.cannot(now, peer, *number, reason),
            Message::Noted { number } => self.noted(now, peer, *number),
            Message::Joined(_)
            | Message::Refused { .. }
            | Message::Route(_)
            | Message::Outcome(_)
            | Message::Grant(_)
            | Message::Answer { .. }
            | Message::Notice(_) => {
                let name = self.room.seat(peer).map(|seat| seat.name.clone()).unwrap_or_default();
                self.refuse(now, peer, &name, "only a relay says that");
            }
        }
    }

    /// What the relay says whose edge we are.
    fn uplink(&mut self, now: RunTime, message: &Message) {
        match message {
            Message::Joined(joined) if joined.payload_type != self.config.codec.payload_type() => {
                let reason = "the relay whose edge this is has another codec: give both the same";
                self.outbox.note(now, Event::Failed { reason: reason.to_owned() });
                self.outbox.say(PeerId::RELAY, Message::Leave);
            }
            Message::Joined(joined) => {
                self.outbox.note(now, Event::Joined);
                self.join_trunk(PeerId::RELAY, joined.media);
            }
            Message::Refused { reason } => {
                let reason = format!("the relay whose edge this is refused it: {reason}");
                self.outbox.note(now, Event::Failed { reason });
            }
            Message::Talker(talker) => self.told_of(now, PeerId::RELAY, talker),
            // The rest is for seats.
            _ => {}
        }
    }

    fn admit(&mut self, now: RunTime, peer: PeerId, join: &Join) -> Result<(), Refusal> {
        self.room.allows(now, &join.token)?;
        if join.sealed && (self.config.stage.mixes() || self.config.audience.mixes()) {
            return Err(Refusal::Sealed);
        }
        self.room.admit(now, peer, join)
    }

    fn check_trunk(&self, now: RunTime, peer: PeerId, trunk: &Trunk) -> Result<(), Refusal> {
        self.room.allows(now, &trunk.token)?;
        if self.room.seat(peer).is_some() || self.trunks.has(peer) {
            return Err(Refusal::Seated);
        }
        if [self.config.stage, self.config.audience].contains(&Serving::Mesh) {
            return Err(Refusal::NoEdges);
        }
        if self.trunks.at(trunk.media).is_some() {
            return Err(Refusal::AddressTaken(trunk.media));
        }
        self.room.check_address(trunk.media)
    }

    fn join_edge(&mut self, now: RunTime, peer: PeerId, media: SocketAddr) {
        let name = edge_name(media);
        let joined = self.joined(&name, media);
        self.outbox.note(now, Event::Admitted { name });
        self.outbox.say(peer, Message::Joined(joined));
        self.join_trunk(peer, media);
    }

    fn join_trunk(&mut self, peer: PeerId, media: SocketAddr) {
        self.trunks.add(peer, media);
        for (ssrc, stream) in self.streams.iter().filter(|(_, stream)| stream.owner != peer) {
            self.outbox.say(peer, Message::Talker(Talker { name: stream.name.clone(), ssrc }));
        }
    }

    fn welcome(&mut self, now: RunTime, peer: PeerId, join: &Join) {
        self.outbox.note(now, Event::Admitted { name: join.name.clone() });
        self.outbox.say(peer, Message::Joined(self.joined(&join.name, join.media)));
        let Some(newcomer) = self.room.seat(peer) else { return };
        for (ssrc, stream) in self.streams.iter().filter(|(_, stream)| newcomer.hears(&stream.name)) {
            self.outbox.say(peer, Message::Talker(Talker { name: stream.name.clone(), ssrc }));
        }
        self.reroute();
    }

    fn joined(&self, name: &str, media: SocketAddr) -> Joined {
        Joined {
            media: self.config.media,
            payload_type: self.config.codec.payload_type(),
            sdp: sdp::describe(name, media, &self.config.codec),
        }
    }

    /// A stream is announced: by an edge, or by a speaker whose packets do not come here. A listener has none.
    fn told_of(&mut self, now: RunTime, peer: PeerId, talker: &Talker) {
        if self.trunks.has(peer) {
            let known = self.streams.name(talker.ssrc).is_some();
            if self.begins(peer, talker.ssrc, &talker.name) && known && self.streams.rename(talker.ssrc, &talker.name) {
                self.announce(peer, talker);
                self.reroute();
            }
        } else if let Some(seat) = self.room.seat(peer).filter(|seat| seat.role == Role::Speaker) {
            let name = seat.name.clone();
            self.arrives_elsewhere(now, peer, talker.ssrc);
            self.begins(peer, talker.ssrc, &name);
        }
    }

    /// Takes a stream as a peer's, and tells everybody if it has just begun; false: it cannot be the peer's.
    fn begins(&mut self, peer: PeerId, ssrc: u32, name: &str) -> bool {
        let most = if self.trunks.has(peer) { MAX_STREAMS_PER_TRUNK } else { MAX_STREAMS_PER_SEAT };
        match self.streams.claim(ssrc, peer, name, most) {
            Claim::Known => true,
            Claim::Refused => false,
            Claim::New => {
                self.announce(peer, &Talker { name: name.to_owned(), ssrc });
                self.reroute();
                true
            }
        }
    }

    /// Tells everybody but the peer that it came from of a stream, if it has a name.
    fn announce(&mut self, source: PeerId, talker: &Talker) {
        if talker.name.is_empty() {
            return;
        }
        let hearers = self.room.seats().filter(|(_, seat)| seat.hears(&talker.name)).map(|(peer, _)| peer);
        for peer in hearers.chain(self.trunks.others(source).map(|(peer, _)| peer)) {
            self.outbox.say(peer, Message::Talker(talker.clone()));
        }
    }

    fn reroute(&mut self) {
        self.mesh.reroute(&self.room, &mut self.outbox);
        for server in &mut self.servers {
            server.reroute(self.now, &self.room, &mut self.streams, &mut self.outbox);
        }
    }

    fn refuse(&mut self, now: RunTime, peer: PeerId, name: &str, reason: &str) {
        let name = name.chars().filter(|c| !c.is_control()).take(NOTED_NAME_CHARS).collect();
        self.outbox.note(now, Event::Refused { name, reason: reason.to_owned() });
        self.outbox.say(peer, Message::Refused { reason: reason.to_owned() });
        self.let_go(now, peer);
        self.refused.insert(peer);
    }

    /// Gives up a peer's seat or trunk, if it has one.
    fn let_go(&mut self, now: RunTime, peer: PeerId) {
        let seat = self.room.leave(peer);
        let name = seat.as_ref().map(|seat| seat.name.clone());
        if let Some(name) = name.or_else(|| self.trunks.remove(peer).map(edge_name)) {
            self.streams.release(peer);
            if let Some(seat) = seat {
                self.changes_without(now, peer, &seat);
            }
            self.reroute();
            self.outbox.note(now, Event::Left { name });
        }
    }

    fn closed(&mut self, now: RunTime, peer: PeerId, reason: &str) {
        self.let_go(now, peer);
        self.refused.remove(&peer);
        if self.config.uplink && peer == PeerId::RELAY {
            let reason = format!("the connection to the relay whose edge this is has ended: {reason}");
            self.outbox.note(now, Event::Failed { reason });
        }
    }

    fn packet(&mut self, now: RunTime, from: SocketAddr, received: RunTime, data: &[u8]) {
        let stats = &mut self.stats;
        stats.received += 1;
        let seat = self.room.at(from).map(|(peer, seat)| (peer, Some(seat)));
        let Some((peer, seat)) = seat.or_else(|| Some((self.trunks.at(from)?, None))) else {
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
        if seat.is_some_and(|seat| seat.role != Role::Speaker) {
            stats.from_listeners += 1;
            return;
        }
        if seat.is_some_and(|seat| seat.muted) {
            stats.from_muted += 1;
            return;
        }
        let ssrc = packet.ssrc();
        if !self.streams.owns(peer, ssrc) {
            let name = seat.map(|seat| seat.name.clone()).unwrap_or_default();
            if !self.begins(peer, ssrc, &name) {
                self.stats.wrong_stream += 1;
                return;
            }
        }
        self.arrived(now, peer, ssrc);
        self.stats.forwarded += 1;
        let name = self.streams.name(ssrc).unwrap_or_default();
        for server in &mut self.servers {
            server.packet(Incoming { packet, data, received }, name, &mut self.outbox);
        }
        self.stats.copies += self.outbox.pass(data, received, self.trunks.others(peer).map(|(_, media)| media));
    }

    fn due(&self) -> Option<RunTime> {
        self.servers.iter().filter_map(Server::due).min()
    }

    /// Does, in order, what was due at the instants that `is_due` names.
    fn catch_up(&mut self, is_due: impl Fn(RunTime) -> bool) {
        while let Some(at) = self.due().filter(|at| is_due(*at)) {
            for server in self.servers.iter_mut().filter(|server| server.due() == Some(at)) {
                server.on_due(at, &mut self.outbox);
            }
        }
    }
}

/// What an edge is called in events.
fn edge_name(media: SocketAddr) -> String {
    format!("edge at {media}")
}

impl Engine for Relay {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        if self.stopped {
            return;
        }
        self.now = now;
        self.changes_due(now);
        if self.config.note_packets {
            self.outbox.note_packets(now);
        }
        match input {
            Input::Start if self.config.uplink => {
                let (token, media) = (self.config.token.clone(), self.config.media);
                self.outbox.say(PeerId::RELAY, Message::Trunk(Trunk { token, media }));
            }
            Input::Start => {}
            Input::Timer => self.catch_up(|due| due <= now),
            Input::Packet { from, received, data } => {
                self.catch_up(|due| due < received);
                self.packet(now, from, received, data);
            }
            Input::Control { peer, message } => self.control(now, peer, message),
            Input::ControlClosed { peer, reason } => self.closed(now, peer, reason),
            Input::Stop => {
                if self.config.uplink {
                    self.outbox.say(PeerId::RELAY, Message::Leave);
                }
                for peer in self.room.peers() {
                    self.let_go(now, peer);
                }
                self.stopped = true;
            }
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.look_at_next(self.now);
        let wake = self.due().into_iter().chain(self.changes.wake_at()).min();
        let idle = if self.stopped { Output::Done } else { Output::Wait(wake) };
        self.outbox.pop().unwrap_or(idle)
    }
}
