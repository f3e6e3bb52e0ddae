//! RTP packets (RFC 3550, section 5.1). Header extensions (RFC 8285) are skipped.

/// The header without CSRC list and extension.
pub const HEADER_BYTES: usize = 12;

const VERSION: u8 = 2;
/// The most streams that a header can name as mixed.
const MAX_CSRC: usize = 15;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// The header, with the CSRC list and extension that it announces, is longer than the datagram.
    #[error("an RTP packet of {len} bytes is cut off: its header needs {need}")]
    Truncated {
        /// The datagram's length.
        len: usize,
        /// The header's length, as far as it could be read.
        need: usize,
    },
    /// Not version 2.
    #[error("RTP version {0} where 2 was expected")]
    Version(u8),
    /// The padding's length, its last byte, is zero or reaches into the header.
    #[error("RTP padding of {padding} bytes where 1 to {room} are possible")]
    Padding {
        /// The length that the last byte gives.
        padding: usize,
        /// What follows the header.
        room: usize,
    },
}

/// A view of an RTP packet. No method panics: [`Packet::new_checked`] has seen to all lengths.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: &'a [u8; HEADER_BYTES],
    csrc: &'a [u8],
    extension: Option<(u16, &'a [u8])>,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes a whole UDP payload. Errors where the bytes contradict RFC 3550; an unknown payload type is no error.
    pub fn new_checked(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let truncated = |need| RtpError::Truncated { len: bytes.len(), need };
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(truncated(HEADER_BYTES))?;
        let [first, ..] = *header;
        if first >> 6 != VERSION {
            return Err(RtpError::Version(first >> 6));
        }
        let mut need = HEADER_BYTES + usize::from(first & 0x0f) * 4;
        let (csrc, mut rest) = rest.split_at_checked(need - HEADER_BYTES).ok_or(truncated(need))?;
        let mut extension = None;
        if first & 0x10 != 0 {
            need += 4;
            let ([p0, p1, l0, l1], body) = rest.split_first_chunk::<4>().ok_or(truncated(need))?;
            let words = usize::from(u16::from_be_bytes([*l0, *l1]));
            need += words * 4;
            let (data, after) = body.split_at_checked(words * 4).ok_or(truncated(need))?;
            extension = Some((u16::from_be_bytes([*p0, *p1]), data));
            rest = after;
        }
        if first & 0x20 != 0 {
            let padding = rest.last().copied().map_or(0, usize::from);
            let bad = RtpError::Padding { padding, room: rest.len() };
            if padding == 0 {
                return Err(bad);
            }
            rest = rest.len().checked_sub(padding).and_then(|len| rest.get(..len)).ok_or(bad)?;
        }
        Ok(Self { header, csrc, extension, payload: rest })
    }

    /// Always 2.
    pub fn version(&self) -> u8 {
        self.header[0] >> 6
    }

    /// Whether padding followed the payload; it is not part of [`payload`](Self::payload).
    pub fn has_padding(&self) -> bool {
        self.header[0] & 0x20 != 0
    }

    /// The first event after a pause, by the profile for audio (RFC 3551, section 4.1).
    pub fn marker(&self) -> bool {
        self.header[1] & 0x80 != 0
    }

    /// Which codec, 0 to 127.
    pub fn payload_type(&self) -> u8 {
        self.header[1] & 0x7f
    }

    /// Counts packets, modulo 2¹⁶.
    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.header[2], self.header[3]])
    }

    /// The position of the first sample on the stream's clock, modulo 2³².
    pub fn timestamp(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The stream.
    pub fn ssrc(&self) -> u32 {
        let [.., a, b, c, d] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The streams that a mixer put into this one, at most 15.
    pub fn csrc(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrc.chunks_exact(4).map(|word| word.iter().fold(0, |id, byte| id << 8 | u32::from(*byte)))
    }

    /// The header extension: its profile word (0xBEDE: one-byte headers, RFC 8285) and its data.
    pub fn extension(&self) -> Option<(u16, &'a [u8])> {
        self.extension
    }

    /// What the codec made.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// What jiho puts into an RTP packet: no CSRC list, no extension, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr<'a> {
    /// The first packet after a pause.
    pub marker: bool,
    /// Which codec; of eight bits the lower seven are sent.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// The position of the first sample.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: u32,
    /// What the codec made.
    pub payload: &'a [u8],
}

impl<'a> Repr<'a> {
    /// Takes from a packet what a `Repr` holds; CSRC list and extension are left behind.
    pub fn parse(packet: &Packet<'a>) -> Self {
        Self {
            marker: packet.marker(),
            payload_type: packet.payload_type(),
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: packet.payload(),
        }
    }

    /// The length of what [`emit`](Self::emit) writes, without mixed streams.
    pub fn len_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// Appends the packet to a buffer.
    pub fn emit(&self, buffer: &mut Vec<u8>) {
        self.emit_mixed(&[], buffer);
    }

    /// Appends the packet of a mixer to a buffer, with the streams that are in it; of more than 15 the first 15.
    pub fn emit_mixed(&self, csrc: &[u32], buffer: &mut Vec<u8>) {
        let csrc = &csrc[..csrc.len().min(MAX_CSRC)];
        buffer.push(VERSION << 6 | csrc.len() as u8);
        buffer.push(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        buffer.extend_from_slice(&self.sequence.to_be_bytes());
        buffer.extend_from_slice(&self.timestamp.to_be_bytes());
        buffer.extend_from_slice(&self.ssrc.to_be_bytes());
        csrc.iter().for_each(|ssrc| buffer.extend_from_slice(&ssrc.to_be_bytes()));
        buffer.extend_from_slice(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written down by hand from the figure in RFC 3550, section 5.1: padding, extension and two CSRCs.
    const FULL: [u8; 36] = [
        0xb2, 0xef, 0x12, 0x34, 0x01, 0x02, 0x03, 0x04, 0xca, 0xfe, 0xba, 0xbe, // header
        0, 0, 0, 1, 0, 0, 1, 0, // CSRCs
        0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0, // extension of one word
        b'o', b'p', b'u', b's', // payload
        0, 0, 0, 4, // padding
    ];

    #[test]
    fn every_field_is_found_behind_csrcs_and_an_extension() {
        let packet = Packet::new_checked(&FULL).unwrap();
        assert_eq!((packet.version(), packet.has_padding(), packet.marker()), (2, true, true));
        assert_eq!((packet.payload_type(), packet.sequence()), (111, 0x1234));
        assert_eq!((packet.timestamp(), packet.ssrc()), (0x0102_0304, 0xcafe_babe));
        assert_eq!(packet.csrc().collect::<Vec<_>>(), [1, 256]);
        assert_eq!(packet.extension(), Some((0xbede, &[0x10, 0x55, 0, 0][..])));
        assert_eq!(packet.payload(), b"opus");
    }

    #[test]
    fn a_packet_cut_off_in_its_header_is_refused() {
        for len in 0..28 {
            assert!(matches!(Packet::new_checked(&FULL[..len]), Err(RtpError::Truncated { .. })), "{len} bytes");
        }
    }

    #[test]
    fn padding_longer_than_the_payload_is_refused() {
        let mut bytes = FULL;
        bytes[35] = 9;
        assert_eq!(Packet::new_checked(&bytes).unwrap_err(), RtpError::Padding { padding: 9, room: 8 });
        bytes[35] = 0;
        assert_eq!(Packet::new_checked(&bytes).unwrap_err(), RtpError::Padding { padding: 0, room: 8 });
    }

    #[test]
    fn another_version_is_refused() {
        let mut bytes = FULL;
        bytes[0] = 0x40;
        assert_eq!(Packet::new_checked(&bytes).unwrap_err(), RtpError::Version(1));
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed_back(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let sent = Repr { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
            let mut bytes = Vec::new();
            sent.emit(&mut bytes);
            prop_assert_eq!(bytes.len(), sent.len_bytes());
            prop_assert_eq!(Repr::parse(&Packet::new_checked(&bytes).unwrap()), sent);
        }

        #[test]
        fn no_bytes_make_it_panic(
            first in prop_oneof![Just(0x80u8), Just(0xbf), any::<u8>()],
            rest in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let bytes = [&[first][..], &rest].concat();
            super::super::classify(&bytes);
            if let Ok(packet) = Packet::new_checked(&bytes) {
                prop_assert_eq!(packet.csrc().count(), usize::from(first & 0x0f));
                prop_assert!(packet.payload().len() <= bytes.len() - HEADER_BYTES);
            }
        }
    }
}
