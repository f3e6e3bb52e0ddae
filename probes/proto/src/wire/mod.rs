//! What is on the wire. Every format is a view of bytes (`Packet`) and a representation (`Repr`).
//!
//! Nothing here panics, whatever the bytes: `new_checked` looks at all lengths once, and a checked view stays within
//! them.

pub mod flight;
pub mod rtp;
pub mod unwrap;

/// What a datagram on a media port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A media packet; [`rtp::Packet::new_checked`] looks closer.
    Rtp,
    /// A control packet on the media port (RFC 5761).
    Rtcp,
    /// A connectivity check (RFC 8489).
    Stun,
    /// A key exchange or encrypted data (RFC 9147).
    Dtls,
    /// A flight of a promotion's handshake, of our own: [`flight::Packet::new_checked`] looks closer.
    Flight,
    /// Nothing that belongs on a media port.
    Other,
}

/// Tells by its first two bytes what a datagram is: RFC 7983, section 7, for the first, RFC 5761, section 4, for
/// RTP against RTCP. The latter makes RTP payload types 64 to 95 unusable with the marker bit set.
pub fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        [0..=3, ..] => Kind::Stun,
        [flight::FIRST_BYTE, ..] => Kind::Flight,
        [20..=63, ..] => Kind::Dtls,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_told_apart_by_their_first_two_bytes() {
        assert_eq!(classify(&[0x80, 111]), Kind::Rtp);
        assert_eq!(classify(&[0x80, 0x80 | 111]), Kind::Rtp, "the marker bit does not matter");
        assert_eq!(classify(&[0x81, 200]), Kind::Rtcp, "a sender report");
        assert_eq!(classify(&[0x81, 201]), Kind::Rtcp, "a receiver report");
        assert_eq!(classify(&[0x00, 0x01]), Kind::Stun, "a binding request");
        assert_eq!(classify(&[22, 254]), Kind::Dtls, "a handshake");
        assert_eq!(classify(&[0x80]), Kind::Other);
        assert_eq!(classify(&[]), Kind::Other);
        assert_eq!(classify(b"GET /"), Kind::Other);
    }
}
