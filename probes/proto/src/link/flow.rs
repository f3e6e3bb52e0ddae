//! Which datagrams belong together.

use std::net::SocketAddr;

use crate::wire::rtp;

/// Datagrams that keep their order among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    from: SocketAddr,
    to: SocketAddr,
    /// Whose stream, if it is RTP: a relay sends everybody's from one address.
    ssrc: Option<u32>,
}

impl Flow {
    /// The flow to which a datagram belongs.
    pub fn of(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Self {
        Self { from, to, ssrc: rtp::Packet::new_checked(data).ok().map(|packet| packet.ssrc()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_that_a_relay_sends_from_one_address_are_flows_of_their_own() {
        let rtp = |ssrc, sequence| {
            let (marker, payload_type, timestamp, payload) = (false, 96, 0, &[1, 2][..]);
            let mut bytes = Vec::new();
            rtp::Repr { marker, payload_type, sequence, timestamp, ssrc, payload }.emit(&mut bytes);
            bytes
        };
        let (relay, listener) = (SocketAddr::from(([10, 0, 0, 1], 4000)), SocketAddr::from(([10, 0, 0, 2], 4000)));
        let of = |data: &[u8]| Flow::of(relay, listener, data);
        assert_eq!(of(&rtp(1, 6)), of(&rtp(1, 5)));
        assert_ne!(of(&rtp(2, 5)), of(&rtp(1, 5)));
        assert_eq!(of(b"not RTP").ssrc, None);
        assert_ne!(Flow::of(listener, relay, b""), of(b""));
    }
}
