//! Cascades: relays joined by *trunks* into a tree. What a relay's own seats say goes to all trunks, what comes from a
//! trunk to all others; each relay serves its own seats with all of it, by whatever architecture. A packet crosses each
//! trunk once, however many hear it at the other end.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_proto::engine::PeerId;

/// How many streams may come through one trunk.
pub(crate) const MAX_STREAMS_PER_TRUNK: usize = 1024;

/// The relays next to this one, by the connection to each.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    media: BTreeMap<PeerId, SocketAddr>,
}

impl Trunks {
    pub(crate) fn add(&mut self, peer: PeerId, media: SocketAddr) {
        self.media.insert(peer, media);
    }

    /// Gives up a trunk, if the peer is one, and says where its media came from.
    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<SocketAddr> {
        self.media.remove(&peer)
    }

    /// Whose packets come from an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<PeerId> {
        self.media.iter().find(|(_, media)| **media == address).map(|(peer, _)| *peer)
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.media.contains_key(&peer)
    }

    /// All but the one that something came from.
    pub(crate) fn others(&self, source: PeerId) -> impl Iterator<Item = (PeerId, &SocketAddr)> {
        self.media.iter().filter(move |(peer, _)| **peer != source).map(|(peer, media)| (*peer, media))
    }
}
