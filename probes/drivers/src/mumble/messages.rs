//! Messages of the control connection, as far as we send or read them ("Mumble Protocol", chapter "Protocol stack (TCP)",
//! and `Mumble.proto`, version 1.3). What is not declared here is skipped.

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::MumbleError;

/// The longest message that is read: more than Mumble's own clients take.
const MAX_MESSAGE_BYTES: u32 = 0x7f_ffff;

/// Version 1.3.0: two bytes, one and one ("Establishing a connection", section "Version exchange"). To a client from 1.5
/// on a server would send voice in another format.
pub(super) const OUR_VERSION: u32 = 1 << 16 | 3 << 8;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Version {
    #[prost(uint32, optional, tag = "1")]
    pub version: Option<u32>,
    #[prost(string, optional, tag = "2")]
    pub release: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Authenticate {
    #[prost(string, optional, tag = "1")]
    pub username: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub password: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub opus: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Ping {
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "2")]
    pub good: Option<u32>,
    #[prost(uint32, optional, tag = "3")]
    pub late: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    pub lost: Option<u32>,
    #[prost(uint32, optional, tag = "5")]
    pub resync: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Reject {
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServerSync {
    #[prost(uint32, optional, tag = "1")]
    pub session: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub max_bandwidth: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ChannelRemove {
    #[prost(uint32, optional, tag = "1")]
    pub channel_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ChannelState {
    #[prost(uint32, optional, tag = "1")]
    pub channel_id: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserRemove {
    #[prost(uint32, optional, tag = "1")]
    pub session: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub reason: Option<String>,
    #[prost(bool, optional, tag = "4")]
    pub ban: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserState {
    #[prost(uint32, optional, tag = "1")]
    pub session: Option<u32>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(uint32, optional, tag = "5")]
    pub channel_id: Option<u32>,
    #[prost(bool, optional, tag = "6")]
    pub mute: Option<bool>,
    #[prost(bool, optional, tag = "8")]
    pub suppress: Option<bool>,
    #[prost(bool, optional, tag = "9")]
    pub self_mute: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PermissionDenied {
    #[prost(string, optional, tag = "4")]
    pub reason: Option<String>,
    #[prost(int32, optional, tag = "5")]
    pub kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CryptSetup {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub key: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub client_nonce: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub server_nonce: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CodecVersion {
    #[prost(bool, optional, tag = "4")]
    pub opus: Option<bool>,
}

/// What comes from the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Incoming {
    Version(Version),
    /// A voice packet that came this way.
    Tunnelled,
    Reject(Reject),
    ServerSync(ServerSync),
    ChannelRemove(ChannelRemove),
    ChannelState(ChannelState),
    UserRemove(UserRemove),
    UserState(UserState),
    PermissionDenied(PermissionDenied),
    CryptSetup(CryptSetup),
    CodecVersion(CodecVersion),
    /// An answer to a ping, and whatever means nothing to us.
    Other,
}

impl Version {
    /// The three numbers, or, from a server that counts otherwise, its own words.
    pub(super) fn words(&self) -> String {
        match (self.version, &self.release) {
            (Some(version), _) => format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff),
            (None, release) => release.clone().unwrap_or_default(),
        }
    }
}

/// What goes to the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outgoing {
    Version(Version),
    Authenticate(Authenticate),
    Ping(Ping),
    UserState(UserState),
    CryptSetup(CryptSetup),
}

impl Outgoing {
    fn to_bytes(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Version(message) => (0u16, message.encode_to_vec()),
            Self::Authenticate(message) => (2, message.encode_to_vec()),
            Self::Ping(message) => (3, message.encode_to_vec()),
            Self::UserState(message) => (9, message.encode_to_vec()),
            Self::CryptSetup(message) => (15, message.encode_to_vec()),
        };
        let mut bytes = kind.to_be_bytes().to_vec();
        // None of our messages is longer than a name and a password.
        bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Writes the message, whole.
    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        to.write_all(&self.to_bytes()).await?;
        to.flush().await
    }
}

impl Incoming {
    /// Reads one message, whole. `body` is room for it.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), body: &mut Vec<u8>) -> Result<Self, MumbleError> {
        let broken = |source| MumbleError::Ended { reason: format!("the connection broke: {source}") };
        let kind = match from.read_u16().await {
            Ok(kind) => kind,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(MumbleError::Ended { reason: "the server closed it".to_owned() });
            }
            Err(error) => return Err(broken(error)),
        };
        let length = from.read_u32().await.map_err(broken)?;
        if length > MAX_MESSAGE_BYTES {
            return Err(MumbleError::Malformed { what: format!("a message of {length} bytes") });
        }
        body.clear();
        // Room grows with what comes, not with what is announced.
        let read = from.take(length.into()).read_to_end(body).await.map_err(broken)?;
        if read < length as usize {
            return Err(MumbleError::Ended { reason: "the server closed it within a message".to_owned() });
        }
        Self::decode(kind, body)
            .map_err(|error| MumbleError::Malformed { what: format!("a message of type {kind}: {error}") })
    }

    fn decode(kind: u16, body: &[u8]) -> Result<Self, prost::DecodeError> {
        Ok(match kind {
            0 => Self::Version(Message::decode(body)?),
            1 => Self::Tunnelled,
            4 => Self::Reject(Message::decode(body)?),
            5 => Self::ServerSync(Message::decode(body)?),
            6 => Self::ChannelRemove(Message::decode(body)?),
            7 => Self::ChannelState(Message::decode(body)?),
            8 => Self::UserRemove(Message::decode(body)?),
            9 => Self::UserState(Message::decode(body)?),
            12 => Self::PermissionDenied(Message::decode(body)?),
            15 => Self::CryptSetup(Message::decode(body)?),
            21 => Self::CodecVersion(Message::decode(body)?),
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Incoming, MumbleError> {
        Incoming::read(&mut bytes, &mut Vec::new()).await
    }

    /// Laid out by hand: "Protocol stack (TCP)" for the prefix, the protocol buffers' encoding for the rest.
    #[tokio::test]
    async fn messages_are_laid_out_as_the_documentation_has_it() {
        let version = Version { version: Some(OUR_VERSION), release: Some("jiho".to_owned()) };
        let bytes = [0, 0, 0, 0, 0, 10, 0x08, 0x80, 0x86, 0x04, 0x12, 4, b'j', b'i', b'h', b'o'];
        assert_eq!(Outgoing::Version(version).to_bytes(), bytes);
        let sync = read(&[0, 5, 0, 0, 0, 2, 0x08, 7]).await.unwrap();
        assert_eq!(sync, Incoming::ServerSync(ServerSync { session: Some(7), max_bandwidth: None }));
        assert_eq!(read(&[0, 1, 0, 0, 0, 1, 0x80]).await.unwrap(), Incoming::Tunnelled);
        assert_eq!(read(&[0, 99, 0, 0, 0, 1, 0x80]).await.unwrap(), Incoming::Other, "unknown, and not looked into");
    }

    #[tokio::test]
    async fn what_cannot_be_a_message_is_named() {
        let words = |error: Result<Incoming, MumbleError>| error.unwrap_err().to_string();
        assert!(words(read(&[0, 5, 0xff, 0, 0, 0]).await).contains("4278190080 bytes"));
        assert!(words(read(&[0, 5, 0, 0, 0, 1, 0x08]).await).contains("type 5"));
        assert!(words(read(&[]).await).contains("the server closed it"));
        assert!(words(read(&[0, 5, 0, 0, 0, 9, 0x08]).await).contains("within a message"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in 0u16..30, body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Incoming::decode(kind, &body);
        }
    }
}
