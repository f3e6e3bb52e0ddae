//! The relay's side: any number of connections, each with a number of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::control::Message;
use jiho_proto::engine::PeerId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;

use super::client::{self, ConnectError};
use super::connection::{self, GOODBYE, Side};
use super::{ControlInput, ControlLink, Inputs, Wires};
use crate::address::{BindError, Transport};
use crate::udp::Waker;

/// Messages that may wait for a client to read them. Who lets more pile up is disconnected.
const OUTPUT_QUEUE: usize = 256;
/// How long a client may take from connecting to [`Message::Join`] before it is disconnected.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(5);
/// Connections at a time, seated or not. Further ones are told so and closed.
pub const MAX_CONNECTIONS: usize = 1024;
/// Pause after a connection could not be accepted, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running control server. It ends when the relay's thread has ended, by [`shutdown`](Self::shutdown), or, without
/// anybody waiting for its last words, when this handle is dropped.
#[derive(Debug)]
pub struct ControlServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ControlServer {
    /// The address that it listens on, with the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, sends what the relay has said so far, closes all and waits for that.
    pub async fn shutdown(self) {
        // If nobody takes the word, the task has ended already.
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if timeout(6 * GOODBYE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// What a server puts up with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) join_deadline: Duration,
    pub(super) connections: usize,
}

/// Listens for clients; port 0 stands for any free one. `waker` wakes the thread that will hold the link. A client
/// that does not join within [`JOIN_DEADLINE`] is disconnected, as is any beyond [`MAX_CONNECTIONS`].
pub async fn serve(address: SocketAddr, waker: Waker) -> Result<(ControlServer, ControlLink), BindError> {
    serve_within(Limits { join_deadline: JOIN_DEADLINE, connections: MAX_CONNECTIONS }, address, waker).await
}

/// Why an edge cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its own address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The relay whose edge it is cannot be reached.
    #[error(transparent)]
    Uplink(#[from] ConnectError),
}

/// As [`serve`], for a relay that is an edge of the one at `uplink`, given as `host:port`. The connection to that is
/// [`PeerId::RELAY`]; it ends with the server's.
pub async fn serve_edge(
    address: SocketAddr,
    uplink: &str,
    patience: Duration,
    waker: Waker,
) -> Result<(ControlServer, ControlLink), ServeError> {
    let stream = client::reach(uplink, patience).await?;
    let limits = Limits { join_deadline: JOIN_DEADLINE, connections: MAX_CONNECTIONS };
    Ok(start(limits, address, waker, Some(stream)).await?)
}

pub(super) async fn serve_within(
    limits: Limits,
    address: SocketAddr,
    waker: Waker,
) -> Result<(ControlServer, ControlLink), BindError> {
    start(limits, address, waker, None).await
}

async fn start(
    limits: Limits,
    address: SocketAddr,
    waker: Waker,
    uplink: Option<TcpStream>,
) -> Result<(ControlServer, ControlLink), BindError> {
    let failed = |reason| BindError { transport: Transport::Tcp, address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let (link, wires) = ControlLink::new(waker);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(run(limits, listener, wires, stopped, uplink));
    Ok((ControlServer { address: bound, stop, task }, link))
}

async fn run(
    limits: Limits,
    listener: TcpListener,
    mut wires: Wires,
    mut stopped: oneshot::Receiver<()>,
    uplink: Option<TcpStream>,
) {
    let mut clients = Clients::new(limits, wires.inputs);
    if let Some(uplink) = uplink {
        clients.talk(uplink, PeerId::RELAY, Side::Client);
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => clients.add(stream),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            said = wires.outputs.recv() => match said {
                Some((peer, message)) => clients.send(peer, message).await,
                None => break,
            },
            Some(ended) = clients.tasks.join_next() => clients.forget(ended.ok()),
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    while let Ok((peer, message)) = wires.outputs.try_recv() {
        clients.send(peer, message).await;
    }
    clients.close().await;
}

struct Clients {
    limits: Limits,
    inputs: Inputs,
    last: PeerId,
    senders: BTreeMap<PeerId, (mpsc::Sender<Message>, AbortHandle)>,
    tasks: JoinSet<PeerId>,
}

impl Clients {
    fn new(limits: Limits, inputs: Inputs) -> Self {
        Self { limits, inputs, last: PeerId::RELAY, senders: BTreeMap::new(), tasks: JoinSet::new() }
    }

    fn add(&mut self, stream: TcpStream) {
        if self.tasks.len() >= self.limits.connections {
            return turn_away(stream);
        }
        let peer = PeerId(self.last.0 + 1);
        self.last = peer;
        self.talk(stream, peer, Side::Relay { join_deadline: self.limits.join_deadline });
    }

    fn talk(&mut self, stream: TcpStream, peer: PeerId, side: Side) {
        let (sender, outgoing) = mpsc::channel(OUTPUT_QUEUE);
        let inputs = self.inputs.clone();
        let task = self.tasks.spawn(async move {
            connection::run(stream, side, peer, inputs, outgoing).await;
            peer
        });
        self.senders.insert(peer, (sender, task));
    }

    async fn send(&mut self, peer: PeerId, message: Message) {
        let Some((sender, task)) = self.senders.get(&peer) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = sender.try_send(message) {
            task.abort();
            self.senders.remove(&peer);
            let reason = "the client does not read what the relay says".to_owned();
            self.inputs.give(ControlInput::Closed { peer, reason }).await;
        }
    }

    fn forget(&mut self, peer: Option<PeerId>) {
        if let Some(peer) = peer {
            self.senders.remove(&peer);
        }
    }

    async fn close(mut self) {
        // Without a sender a connection writes what is queued, then closes.
        self.senders.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(4 * GOODBYE, all).await;
    }
}

/// Says why, as far as that can be said without waiting, and closes.
fn turn_away(stream: TcpStream) {
    let refusal = Message::Refused { reason: "the relay has all the connections that it can take".to_owned() };
    if let Ok(mut stream) = stream.into_std() {
        // Nothing has been sent on the connection yet, so there is room for a line.
        let _ = stream.write_all(refusal.to_line().as_bytes());
    }
}
