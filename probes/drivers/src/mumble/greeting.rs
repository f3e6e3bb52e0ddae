//! How a client comes in: version and name from us; keys, channels, users and our session from the server.

use std::io;
use std::net::SocketAddr;

use jiho_proto::mumble::crypt::{KEY_BYTES, Keys};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::client::TlsStream;

use super::error::MumbleError;
use super::messages::{Authenticate, CryptSetup, Incoming, OUR_VERSION, Outgoing, Version};
use super::roster::Roster;
use super::tls;

/// What is known once we are in.
pub(super) struct Greeted {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) address: SocketAddr,
    pub(super) session: u32,
    pub(super) server_version: String,
    pub(super) max_bandwidth_bps: Option<u32>,
    pub(super) keys: Keys,
    pub(super) roster: Roster,
}

pub(super) async fn greet(server: &str, name: &str, password: Option<&str>) -> Result<Greeted, MumbleError> {
    let unreachable = |source| MumbleError::Unreachable { server: server.to_owned(), source };
    let stream = open(server).await?;
    // Messages are single small packets; to hold them back for company would only make them late.
    stream.set_nodelay(true).map_err(unreachable)?;
    let address = stream.peer_addr().map_err(unreachable)?;
    let mut stream =
        tls::secure(stream, address).await.map_err(|source| MumbleError::Tls { server: server.to_owned(), source })?;

    let release = Some(concat!("jiho ", env!("CARGO_PKG_VERSION")).to_owned());
    let version = Outgoing::Version(Version { version: Some(OUR_VERSION), release });
    let (username, password) = (Some(name.to_owned()), password.map(ToOwned::to_owned));
    let authenticate = Outgoing::Authenticate(Authenticate { username, password, opus: Some(true) });
    for message in [version, authenticate] {
        message.write(&mut stream).await.map_err(unreachable)?;
    }

    let (mut roster, mut body, mut keys, mut server_version) = (Roster::default(), Vec::new(), None, String::new());
    loop {
        let message = Incoming::read(&mut stream, &mut body).await?;
        roster.note(&message);
        match message {
            Incoming::Reject(reject) => {
                let (server, name) = (server.to_owned(), name.to_owned());
                return Err(MumbleError::Refused { server, name, refusal: reject.into() });
            }
            Incoming::Version(version) => server_version = version.words(),
            Incoming::CryptSetup(setup) => keys = Some(keys_of(setup)?),
            Incoming::ServerSync(sync) => {
                let missing = |what: &str| MumbleError::Malformed { what: format!("a greeting without {what}") };
                return Ok(Greeted {
                    stream,
                    address,
                    session: sync.session.ok_or_else(|| missing("our session"))?,
                    server_version,
                    max_bandwidth_bps: sync.max_bandwidth,
                    keys: keys.ok_or_else(|| missing("keys"))?,
                    roster,
                });
            }
            _ => {}
        }
    }
}

/// A nonce, if it has the right length.
pub(super) fn nonce(bytes: Vec<u8>) -> Result<[u8; KEY_BYTES], MumbleError> {
    let length = bytes.len();
    bytes.try_into().map_err(|_| MumbleError::Malformed { what: format!("a key or nonce of {length} bytes") })
}

fn keys_of(setup: CryptSetup) -> Result<Keys, MumbleError> {
    let (key, client, server) = (setup.key, setup.client_nonce, setup.server_nonce);
    Ok(Keys {
        key: nonce(key.unwrap_or_default())?,
        client_nonce: nonce(client.unwrap_or_default())?,
        server_nonce: nonce(server.unwrap_or_default())?,
    })
}

async fn open(server: &str) -> Result<TcpStream, MumbleError> {
    let not_found = |source| MumbleError::NotFound { server: server.to_owned(), source };
    let mut last = not_found(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in lookup_host(server).await.map_err(not_found)? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => last = MumbleError::Unreachable { server: server.to_owned(), source },
        }
    }
    Err(last)
}
