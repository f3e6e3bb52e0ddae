//! Selective forwarding (SFU): what a speaker sends goes unchanged to every other seat that wants to hear it. SSRC,
//! sequence numbers, timestamps and payload stay as they are, so end-to-end encryption is possible (RFC 7667,
//! section 3.7).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_proto::engine::PeerId;

use crate::room::Room;

/// Where each speaker's packets go, in the order in which the seats' connections were made.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    destinations: BTreeMap<PeerId, Vec<SocketAddr>>,
}

impl Forward {
    /// Works out all destinations anew: once when somebody comes or goes, so that nothing is left to do per packet.
    pub(crate) fn reroute(&mut self, room: &Room) {
        let hearers = |speaker| room.seats().filter(move |(_, seat)| seat.hears(speaker)).map(|(_, seat)| seat.media);
        self.destinations = room.seats().map(|(peer, speaker)| (peer, hearers(speaker).collect())).collect();
    }

    /// Where a packet of this seat goes.
    pub(crate) fn destinations(&self, speaker: PeerId) -> &[SocketAddr] {
        self.destinations.get(&speaker).map_or(&[], Vec::as_slice)
    }
}
