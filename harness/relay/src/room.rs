//! Who is in the room: seats, names, roles, addresses, and whom each seat wants to hear.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::RunTime;
use jiho_proto::control::Join;
use jiho_proto::engine::PeerId;

use crate::mix::Selection;
use crate::name::{NameError, check_name};

/// A place in the room. It lasts as long as its control connection, or until its owner leaves.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Where the seat's media comes from and goes to.
    pub(crate) media: SocketAddr,
    /// Names of the speakers to hear; `None`: all.
    subscribe: Option<BTreeSet<String>>,
    /// Whether media is sent to the seat: not between two paths.
    pub(crate) open: bool,
    /// Whether a moderator wants nothing of what it sends to be heard.
    pub(crate) muted: bool,
    /// Names of speakers that the seat is not ready to hear: it has not said so yet.
    pub(crate) awaits: BTreeSet<String>,
}

impl Seat {
    /// Whether the seat is to be sent what the speaker of this name says. Nobody is sent their own voice.
    pub(crate) fn hears(&self, speaker: &str) -> bool {
        self.open && self.wants(speaker) && !self.awaits.contains(speaker)
    }

    /// Whether the seat is to be sent what the speaker of this name says, once it is ready for it.
    pub(crate) fn wants(&self, speaker: &str) -> bool {
        let wanted = self.subscribe.as_ref().is_none_or(|names| names.contains(speaker));
        wanted && speaker != self.name
    }

    /// What a mix for the seat has in it: the same for all seats of the audience that want the same.
    pub(crate) fn selection(&self) -> Selection {
        let mut only = self.subscribe.clone();
        if let Some(names) = &mut only {
            names.remove(&self.name);
        }
        let without = (self.role == Role::Speaker && only.is_none()).then(|| self.name.clone());
        Selection { only, without }
    }
}

/// Why somebody is not let in, in words for that somebody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the token is not the room's")]
    Token,
    #[error("the token has expired: nobody else is let in")]
    Expired,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("somebody named {0} is in the room already")]
    NameTaken(String),
    #[error("{0} is no address to which media can be sent: give the IP and the port of your own media socket")]
    Address(SocketAddr),
    #[error("somebody else in the room has the media address {0}")]
    AddressTaken(SocketAddr),
    #[error("this connection has a seat already: one connection, one seat")]
    Seated,
    #[error("a mesh has no edges: its speakers' packets do not pass the relay")]
    NoEdges,
    #[error("the room's {0} seats are taken: a mesh, in which everybody sends to everybody, can have no more")]
    Full(usize),
    #[error("this relay mixes, and cannot decode what is sealed end to end: find one that forwards, or join unsealed")]
    Sealed,
}

/// All seats, in the order in which their connections were made.
#[derive(Debug)]
pub(crate) struct Room {
    token: String,
    /// From when on the token is worth nothing.
    token_expires: Option<RunTime>,
    /// The relay's own address, which no seat can have.
    media: SocketAddr,
    most: usize,
    seats: BTreeMap<PeerId, Seat>,
    addresses: BTreeMap<SocketAddr, PeerId>,
}

impl Room {
    /// A room of at most so many seats that lets in whoever knows `token` before it expires, or nobody if it is empty.
    pub(crate) fn new(media: SocketAddr, token: String, token_expires: Option<RunTime>, most: usize) -> Self {
        Self { token, token_expires, media, most, seats: BTreeMap::new(), addresses: BTreeMap::new() }
    }

    /// Whether somebody with this token may do anything at all.
    pub(crate) fn allows(&self, now: RunTime, token: &str) -> Result<(), Refusal> {
        if self.token.is_empty() || token != self.token {
            return Err(Refusal::Token);
        }
        if self.token_expires.is_some_and(|expires| expires <= now) {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// Errors unless media can be sent there, and nobody has the address.
    pub(crate) fn check_address(&self, media: SocketAddr) -> Result<(), Refusal> {
        if !is_usable(media) || media == self.media {
            return Err(Refusal::Address(media));
        }
        if self.addresses.contains_key(&media) { Err(Refusal::AddressTaken(media)) } else { Ok(()) }
    }

    /// Grants a seat, or says why not.
    pub(crate) fn admit(&mut self, now: RunTime, peer: PeerId, join: &Join) -> Result<(), Refusal> {
        self.allows(now, &join.token)?;
        if self.seats.contains_key(&peer) {
            return Err(Refusal::Seated);
        }
        if self.seats.len() >= self.most {
            return Err(Refusal::Full(self.most));
        }
        check_name(&join.name)?;
        if self.seats.values().any(|seat| seat.name == join.name) {
            return Err(Refusal::NameTaken(join.name.clone()));
        }
        self.check_address(join.media)?;
        let subscribe = join.subscribe.as_ref().map(|names| names.iter().cloned().collect());
        let seat = Seat {
            name: join.name.clone(),
            role: join.role,
            media: join.media,
            subscribe,
            open: true,
            muted: false,
            awaits: BTreeSet::new(),
        };
        self.addresses.insert(seat.media, peer);
        self.seats.insert(peer, seat);
        Ok(())
    }

    /// Frees a seat, if the peer has one.
    pub(crate) fn leave(&mut self, peer: PeerId) -> Option<Seat> {
        let seat = self.seats.remove(&peer)?;
        self.addresses.remove(&seat.media);
        Some(seat)
    }

    /// Whose packets come from an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<(PeerId, &Seat)> {
        let peer = *self.addresses.get(&address)?;
        Some((peer, self.seats.get(&peer)?))
    }

    pub(crate) fn seat(&self, peer: PeerId) -> Option<&Seat> {
        self.seats.get(&peer)
    }

    pub(crate) fn seat_mut(&mut self, peer: PeerId) -> Option<&mut Seat> {
        self.seats.get_mut(&peer)
    }

    /// Nobody is sent what this speaker says before they are ready for it.
    pub(crate) fn let_wait_for(&mut self, speaker: &str) {
        for seat in self.seats.values_mut().filter(|seat| seat.wants(speaker)) {
            seat.awaits.insert(speaker.to_owned());
        }
    }

    /// This speaker's stream is gone.
    pub(crate) fn forget_waiting_for(&mut self, speaker: &str) {
        for seat in self.seats.values_mut() {
            seat.awaits.remove(speaker);
        }
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = (PeerId, &Seat)> {
        self.seats.iter().map(|(peer, seat)| (*peer, seat))
    }

    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.seats.keys().copied().collect()
    }
}

/// Whether datagrams can be sent to one host there.
fn is_usable(address: SocketAddr) -> bool {
    let broadcast = matches!(address.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast() && !broadcast
}
