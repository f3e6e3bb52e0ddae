//! Selective forwarding (SFU): what a speaker sends goes unchanged to every other seat that wants to hear it. SSRC,
//! sequence numbers, timestamps and payload stay as they are, so end-to-end encryption is possible (RFC 7667,
//! section 3.7).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;

use crate::room::Room;
use crate::streams::Streams;

/// Where each stream's packets go, in the order in which the seats' connections were made.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    destinations: BTreeMap<u32, Vec<SocketAddr>>,
}

impl Forward {
    /// Works out all destinations among the seats of these roles anew: once when somebody comes or goes or a stream
    /// begins, so that nothing is left to do per packet.
    pub(crate) fn reroute(&mut self, room: &Room, streams: &Streams, roles: &[Role]) {
        let hearers = |name: &str| {
            let seats = room.seats().map(|(_, seat)| seat);
            seats.filter(|seat| roles.contains(&seat.role) && seat.hears(name)).map(|seat| seat.media).collect()
        };
        self.destinations = streams.iter().map(|(ssrc, stream)| (ssrc, hearers(&stream.name))).collect();
    }

    /// Where a packet of this stream goes.
    pub(crate) fn destinations(&self, ssrc: u32) -> &[SocketAddr] {
        self.destinations.get(&ssrc).map_or(&[], Vec::as_slice)
    }
}
