//! Peer to peer: every speaker sends to each hearer, and every ear mixes for itself. The relay lets people in and tells
//! them of each other; packets pass it only where somebody is served by another architecture.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_proto::control::{Message, Route};
use jiho_proto::engine::PeerId;

use crate::outbox::Outbox;
use crate::room::{Room, Seat};

/// How many seats a room with a mesh can have: all their addresses fit into one line of signalling.
const MAX_SEATS: usize = 128;

/// Who sends to whom without the relay.
#[derive(Debug)]
pub(crate) struct Mesh {
    relay: SocketAddr,
    /// The roles whose seats hear speakers directly.
    roles: Vec<Role>,
    /// What seats have been told, where it is not to use the relay alone.
    told: BTreeMap<PeerId, Route>,
}

impl Mesh {
    /// A mesh of the seats of these roles.
    pub(crate) fn new(relay: SocketAddr, roles: Vec<Role>) -> Self {
        Self { relay, roles, told: BTreeMap::new() }
    }

    /// How many seats the room can have.
    pub(crate) fn most_seats(&self) -> usize {
        if self.roles.is_empty() { usize::MAX } else { MAX_SEATS }
    }

    /// Tells everybody whose routes have changed.
    pub(crate) fn reroute(&mut self, room: &Room, outbox: &mut Outbox) {
        if self.roles.is_empty() {
            return;
        }
        let usual = Route { send_to: vec![self.relay], hear_from: vec![self.relay] };
        self.told.retain(|peer, _| room.seat(*peer).is_some());
        for (peer, seat) in room.seats() {
            let route = Route { send_to: self.send_to(room, seat), hear_from: self.hear_from(room, seat) };
            if self.told.get(&peer).unwrap_or(&usual) != &route {
                outbox.say(peer, Message::Route(route.clone()));
                self.told.insert(peer, route);
            }
        }
    }

    /// The relay, if it has to serve somebody with what the seat says, and all who are served directly.
    fn send_to(&self, room: &Room, speaker: &Seat) -> Vec<SocketAddr> {
        if speaker.role != Role::Speaker {
            return vec![self.relay];
        }
        let hearers = || room.seats().map(|(_, seat)| seat).filter(|seat| seat.hears(&speaker.name));
        let relay = hearers().any(|seat| !self.serves(seat)).then_some(self.relay);
        relay.into_iter().chain(hearers().filter(|seat| self.serves(seat)).map(|seat| seat.media)).collect()
    }

    fn hear_from(&self, room: &Room, hearer: &Seat) -> Vec<SocketAddr> {
        if !self.serves(hearer) {
            return vec![self.relay];
        }
        let speakers = room.seats().map(|(_, seat)| seat).filter(|seat| seat.role == Role::Speaker);
        speakers.filter(|speaker| hearer.hears(&speaker.name)).map(|speaker| speaker.media).collect()
    }

    fn serves(&self, seat: &Seat) -> bool {
        self.roles.contains(&seat.role)
    }
}
