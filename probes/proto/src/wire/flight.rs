//! A flight of a promotion's handshake: one datagram that says which flight of which change it is, as long as the real
//! protocol's would be. It stands for the real one's time and size, and carries no keys.
//!
//! Its first byte is one that RFC 7983, section 7, leaves to nobody, so that it is never taken for media.

/// The first byte of a flight.
pub const FIRST_BYTE: u8 = 4;
/// What a flight says: its first byte, its number in the handshake, and the number of the change.
pub const HEADER_BYTES: usize = 6;

/// A checked view of a flight's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a>([u8; HEADER_BYTES], &'a [u8]);

impl<'a> Packet<'a> {
    /// A view of a datagram; `None` if it is no flight.
    pub fn new_checked(datagram: &'a [u8]) -> Option<Self> {
        let header = *datagram.first_chunk::<HEADER_BYTES>()?;
        (header[0] == FIRST_BYTE).then_some(Self(header, datagram))
    }

    /// Which flight of the handshake it is, from 0.
    pub fn flight(&self) -> u8 {
        self.0[1]
    }

    /// The relay's number for the change.
    pub fn change(&self) -> u32 {
        let [_, _, number @ ..] = self.0;
        u32::from_be_bytes(number)
    }

    /// How long it is, all in all.
    pub fn len_bytes(&self) -> usize {
        self.1.len()
    }
}

/// A flight to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    /// Which flight of the handshake, from 0.
    pub flight: u8,
    /// The relay's number for the change.
    pub change: u32,
    /// How long it shall be, all in all; at least [`HEADER_BYTES`].
    pub size_bytes: usize,
}

impl Repr {
    /// Appends the datagram.
    pub fn emit(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.extend_from_slice(&[FIRST_BYTE, self.flight]);
        buffer.extend_from_slice(&self.change.to_be_bytes());
        buffer.resize(start + self.size_bytes.max(HEADER_BYTES), 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Kind, classify};

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_is_no_media(flight: u8, change: u32, size_bytes in HEADER_BYTES..1200) {
            let mut bytes = Vec::new();
            Repr { flight, change, size_bytes }.emit(&mut bytes);
            prop_assert_eq!(classify(&bytes), Kind::Flight);
            let packet = Packet::new_checked(&bytes).unwrap();
            prop_assert_eq!((packet.flight(), packet.change(), packet.len_bytes()), (flight, change, size_bytes));
        }

        #[test]
        fn no_datagram_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let read = Packet::new_checked(&bytes).is_some();
            prop_assert_eq!(read, bytes.len() >= HEADER_BYTES && bytes[0] == FIRST_BYTE);
        }
    }
}
