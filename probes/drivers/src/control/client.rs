//! An endpoint's side: one connection, to the relay.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::control::Message;
use jiho_proto::engine::PeerId;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::{self, GOODBYE, Side};
use super::{ControlLink, Wires};
use crate::udp::Waker;

/// How long a relay may take to answer, unless the caller knows better.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection to the relay could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name does not stand for an address.
    #[error("relay {relay}: no such address ({source}); it is written host:port, such as 127.0.0.1:4000")]
    NotFound {
        /// As it was given.
        relay: String,
        /// What the system said.
        source: io::Error,
    },
    /// The host is there, but nobody listens.
    #[error("relay {relay}: nobody listens there; start it with `jiho relay`, or check the port")]
    Refused {
        /// As it was given.
        relay: String,
    },
    /// No answer came.
    #[error(
        "relay {relay}: no answer within {} s; check the address, and that no firewall drops TCP to it",
        after.as_secs_f64()
    )]
    TimedOut {
        /// As it was given.
        relay: String,
        /// How long we waited.
        after: Duration,
    },
    /// Something else.
    #[error("relay {relay}: cannot connect: {source}")]
    Other {
        /// As it was given.
        relay: String,
        /// What the system said.
        source: io::Error,
    },
}

/// The connection to the relay. It ends when the engine's thread has ended, or when the relay closes it.
#[derive(Debug)]
pub struct ControlClient {
    relay: SocketAddr,
    task: JoinHandle<()>,
}

impl ControlClient {
    /// The address that answered.
    pub fn relay_addr(&self) -> SocketAddr {
        self.relay
    }

    /// Waits until everything that the engine said has been sent and the connection is closed. To be called after
    /// the engine's thread has ended.
    pub async fn closed(self) {
        let abort = self.task.abort_handle();
        if timeout(3 * GOODBYE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// Connects to a relay, given as `host:port`. The engine hears of it as [`PeerId::RELAY`].
pub async fn connect(
    relay: &str,
    patience: Duration,
    waker: Waker,
) -> Result<(ControlClient, ControlLink), ConnectError> {
    let stream = reach(relay, patience).await?;
    let address = stream.peer_addr().map_err(|source| ConnectError::Other { relay: relay.to_owned(), source })?;
    let (link, wires) = ControlLink::new(waker);
    let task = tokio::spawn(run(stream, wires));
    Ok((ControlClient { relay: address, task }, link))
}

/// A connection to a relay, within a time.
pub(super) async fn reach(relay: &str, patience: Duration) -> Result<TcpStream, ConnectError> {
    match timeout(patience, open(relay)).await {
        Ok(stream) => stream,
        Err(_) => Err(ConnectError::TimedOut { relay: relay.to_owned(), after: patience }),
    }
}

async fn open(relay: &str) -> Result<TcpStream, ConnectError> {
    let not_found = |source| ConnectError::NotFound { relay: relay.to_owned(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut found = false;
    for address in lookup_host(relay).await.map_err(not_found)? {
        found = true;
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(match last.kind() {
        _ if !found => not_found(last),
        io::ErrorKind::ConnectionRefused => ConnectError::Refused { relay: relay.to_owned() },
        _ => ConnectError::Other { relay: relay.to_owned(), source: last },
    })
}

async fn run(stream: TcpStream, mut wires: Wires) {
    let (sender, outgoing) = mpsc::channel::<Message>(1);
    let forward = async {
        while let Some((_, message)) = wires.outputs.recv().await {
            if sender.send(message).await.is_err() {
                break;
            }
        }
        // The engine has finished: what it said last still goes out, then the connection closes.
        drop(sender);
    };
    tokio::join!(forward, connection::run(stream, Side::Client, PeerId::RELAY, wires.inputs, outgoing));
}
