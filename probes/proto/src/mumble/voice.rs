//! Voice packets ("Voice data", section "Packet format"): what is encrypted, and sent in a datagram.

use crate::codec::Toc;

use super::varint;

/// How much sound a sequence number counts: 10 ms.
pub const UNIT_SAMPLES: u32 = 480;
/// The longest voice packet; encryption adds four bytes ("Packet format").
pub const MAX_PACKET_BYTES: usize = 1020;
/// To everybody in the channel.
pub const TARGET_NORMAL: u8 = 0;
/// Back to whoever sends it.
pub const TARGET_LOOPBACK: u8 = 31;

const TYPE_PING: u8 = 1;
const TYPE_OPUS: u8 = 4;
const TARGET_MASK: u8 = 0x1f;
/// How much a payload may hold at most, as its length is written.
const MAX_PAYLOAD_BYTES: usize = 0x1fff;
const TERMINATOR: u64 = 0x2000;
/// An Opus packet lasts 120 ms at most (RFC 6716, section 3.2).
const MAX_UNITS: u64 = 12;

/// Who has sent a packet: a server's packets say whose voice they carry, a client's need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client.
    Client,
    /// The server.
    Server,
}

/// A packet of the voice channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Somebody's voice.
    Voice(Voice<'a>),
    /// Asks whether datagrams get through; it comes back as it is (section "Ping packet").
    Ping {
        /// Means something to its sender only.
        timestamp: u64,
    },
}

/// An Opus packet on its way (section "Encoded audio data packet").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice<'a> {
    /// To whom, 0 to 31: [`TARGET_NORMAL`], [`TARGET_LOOPBACK`], or a whisper; of eight bits the lower five are sent.
    pub target: u8,
    /// Whose voice it is; `None` from a client, who speaks for itself.
    pub session: Option<u32>,
    /// The position of the first sample, in units of 10 ms.
    pub sequence: u64,
    /// The last packet before a pause.
    pub terminator: bool,
    /// The Opus packet, up to 8191 bytes. An empty one carries the terminator alone.
    pub payload: &'a [u8],
    /// Where the speaker is in a game, as bytes: three numbers if anything.
    pub position: &'a [u8],
}

/// Why bytes are not a voice packet that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceError {
    /// A field is not there, or not to its end.
    #[error("a voice packet of {len} bytes is cut off in its {field}")]
    Truncated {
        /// The packet's length.
        len: usize,
        /// The field.
        field: &'static str,
    },
    /// A field has a value that it cannot have.
    #[error("a voice packet's {field} is {value}, where {max} is the most")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The greatest that is possible.
        max: u64,
    },
    /// CELT or Speex, or nothing that is known.
    #[error("a voice packet of type {0}, where only Opus (4) is understood: have all clients of the server use Opus")]
    Type(u8),
    /// The payload cannot be sent.
    #[error("an Opus packet of {0} bytes does not fit into a voice packet: choose a lower bit rate")]
    TooLong(usize),
}

impl<'a> Packet<'a> {
    /// Takes a whole decrypted datagram.
    ///
    /// # Errors
    /// The bytes contradict the format, or are of a codec other than Opus.
    pub fn parse(bytes: &'a [u8], sender: Sender) -> Result<Self, VoiceError> {
        let truncated = |field| VoiceError::Truncated { len: bytes.len(), field };
        let number = |rest, field| varint::parse(rest).ok_or(truncated(field));
        let (&header, rest) = bytes.split_first().ok_or(truncated("header"))?;
        match header >> 5 {
            TYPE_PING => {
                let (timestamp, _) = number(rest, "timestamp")?;
                return Ok(Self::Ping { timestamp });
            }
            TYPE_OPUS => {}
            other => return Err(VoiceError::Type(other)),
        }
        let (session, rest) = match sender {
            Sender::Client => (None, rest),
            Sender::Server => {
                let (value, rest) = number(rest, "session")?;
                let range = VoiceError::Range { field: "session", value, max: u32::MAX.into() };
                (Some(u32::try_from(value).map_err(|_| range)?), rest)
            }
        };
        let (sequence, rest) = number(rest, "sequence number")?;
        within("sequence number", sequence, i64::MAX as u64)?;
        let (length, rest) = number(rest, "payload's length")?;
        within("payload's length", length, TERMINATOR | MAX_PAYLOAD_BYTES as u64)?;
        let terminator = length & TERMINATOR != 0;
        let (payload, position) = rest.split_at_checked((length & !TERMINATOR) as usize).ok_or(truncated("payload"))?;
        let target = header & TARGET_MASK;
        Ok(Self::Voice(Voice { target, session, sequence, terminator, payload, position }))
    }

    /// Appends the packet to a buffer, as the server sends it if it has a session, else as a client does.
    ///
    /// # Errors
    /// The payload is too long; nothing has been appended.
    pub fn emit(&self, buffer: &mut Vec<u8>) -> Result<(), VoiceError> {
        let voice = match self {
            Self::Voice(voice) => voice,
            Self::Ping { timestamp } => {
                buffer.push(TYPE_PING << 5);
                varint::emit(*timestamp, buffer);
                return Ok(());
            }
        };
        let start = buffer.len();
        buffer.push(TYPE_OPUS << 5 | voice.target & TARGET_MASK);
        if let Some(session) = voice.session {
            varint::emit(session.into(), buffer);
        }
        varint::emit(voice.sequence, buffer);
        varint::emit(voice.payload.len() as u64 | if voice.terminator { TERMINATOR } else { 0 }, buffer);
        buffer.extend_from_slice(voice.payload);
        buffer.extend_from_slice(voice.position);
        if voice.payload.len() > MAX_PAYLOAD_BYTES || buffer.len() - start > MAX_PACKET_BYTES {
            buffer.truncate(start);
            return Err(VoiceError::TooLong(voice.payload.len()));
        }
        Ok(())
    }
}

/// How many units of 10 ms an Opus packet lasts: frames by the code in its first byte or two, each as long as its
/// configuration says (RFC 6716, sections 3.1 and 3.2). At least one, as sequence numbers must go on.
pub fn units(payload: &[u8]) -> u64 {
    let Some(&toc) = payload.first() else { return 1 };
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(payload.get(1).map_or(1, |count| count & 0x3f)),
    };
    let samples = frames * Toc(toc).frame().0 * 48 / 1_000_000;
    (samples as u64 / u64::from(UNIT_SAMPLES)).clamp(1, MAX_UNITS)
}

fn within(field: &'static str, value: u64, max: u64) -> Result<(), VoiceError> {
    if value > max { Err(VoiceError::Range { field, value, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn emitted(packet: &Packet<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.emit(&mut bytes).unwrap();
        bytes
    }

    /// By hand from the tables of "Voice data".
    #[test]
    fn packets_are_laid_out_as_the_documentation_has_it() {
        let voice = Voice {
            target: TARGET_NORMAL,
            session: None,
            sequence: 300,
            terminator: false,
            payload: b"opus",
            position: &[],
        };
        assert_eq!(emitted(&Packet::Voice(voice)), b"\x80\x81\x2c\x04opus");
        let last =
            Voice { target: TARGET_LOOPBACK, session: Some(5), terminator: true, position: b"position", ..voice };
        assert_eq!(emitted(&Packet::Voice(last)), b"\x9f\x05\x81\x2c\xa0\x04opusposition");
        assert_eq!(emitted(&Packet::Ping { timestamp: 1 }), [0x20, 0x01]);
        assert_eq!(Packet::parse(b"\x80\x81\x2c\x04opus", Sender::Client), Ok(Packet::Voice(voice)));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = |bytes: &[u8]| Packet::parse(bytes, Sender::Server).unwrap_err();
        assert_eq!(error(&[]), VoiceError::Truncated { len: 0, field: "header" });
        assert_eq!(error(&[0x00, 1, 1]), VoiceError::Type(0));
        assert_eq!(error(&[0x80, 1, 1, 4, 0]), VoiceError::Truncated { len: 5, field: "payload" });
        assert!(error(&[0x80, 0xfc, 1, 0]).to_string().contains("session"));
        assert!(error(&[0x80, 1, 0xfc, 0]).to_string().contains("sequence number"));
        assert!(error(&[0x80, 1, 1, 0xc0, 0x40, 0]).to_string().contains("16384, where 16383 is the most"));
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let voice =
            Voice { target: 0, session: None, sequence: 0, terminator: false, payload: &[0; 1017], position: &[] };
        let mut bytes = vec![7];
        assert_eq!(Packet::Voice(voice).emit(&mut bytes), Err(VoiceError::TooLong(1017)));
        assert_eq!(bytes, [7]);
        let voice = Voice { payload: &[0; 1016], ..voice };
        assert_eq!(Packet::Voice(voice).emit(&mut bytes), Ok(()));
        assert_eq!(bytes.len(), 1 + MAX_PACKET_BYTES);
    }

    #[test]
    fn a_packet_lasts_as_long_as_its_frames() {
        // Configurations 31 (CELT, 20 ms), 30 (10 ms), 28 (2.5 ms), 3 (SILK, 60 ms).
        assert_eq!(units(&[31 << 3]), 2);
        assert_eq!(units(&[30 << 3]), 1);
        assert_eq!(units(&[31 << 3 | 1]), 4);
        assert_eq!(units(&[31 << 3 | 3, 3]), 6);
        assert_eq!(units(&[3 << 3 | 2]), 12);
        assert_eq!(units(&[28 << 3]), 1, "shorter than a unit");
        assert_eq!(units(&[31 << 3 | 3, 63]), 12, "longer than Opus allows");
        assert_eq!((units(&[]), units(&[31 << 3 | 3])), (1, 2));
    }

    proptest! {
        #[test]
        fn what_is_emitted_is_parsed_back(
            target in 0u8..32, session: Option<u32>, sequence in 0..=i64::MAX as u64, bits in 0u32..63, terminator: bool,
            payload in prop::collection::vec(any::<u8>(), 0..300), position in prop::collection::vec(any::<u8>(), 0..13),
        ) {
            let sequence = sequence >> bits;
            let voice = Voice { target, session, sequence, terminator, payload: &payload, position: &position };
            let sender = if session.is_some() { Sender::Server } else { Sender::Client };
            let bytes = emitted(&Packet::Voice(voice));
            prop_assert_eq!(Packet::parse(&bytes, sender), Ok(Packet::Voice(voice)));
            for len in 0..bytes.len() - position.len() {
                let cut = matches!(Packet::parse(&bytes[..len], sender), Err(VoiceError::Truncated { .. }));
                prop_assert!(cut, "{} bytes", len);
            }
        }

        #[test]
        fn a_ping_comes_back_as_it_went(timestamp: u64) {
            let ping = Packet::Ping { timestamp };
            for sender in [Sender::Client, Sender::Server] {
                let bytes = emitted(&ping);
                prop_assert_eq!(Packet::parse(&bytes, sender), Ok(ping));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            first in prop_oneof![Just(0x80u8), Just(0x20), any::<u8>()],
            rest in prop::collection::vec(prop_oneof![0xf0u8.., any::<u8>()], 0..60),
        ) {
            let bytes = [&[first][..], &rest].concat();
            for sender in [Sender::Client, Sender::Server] {
                if let Ok(Packet::Voice(voice)) = Packet::parse(&bytes, sender) {
                    prop_assert_eq!(voice.session.is_some(), sender == Sender::Server);
                    prop_assert!((1..=MAX_UNITS).contains(&units(voice.payload)));
                }
            }
        }
    }
}
