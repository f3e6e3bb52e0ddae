//! The relay's side: any number of connections, each with a number of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::control::Message;
use jiho_proto::engine::PeerId;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;

use super::connection::{self, GOODBYE, Side};
use super::{ControlInput, ControlLink, Inputs, Wires};
use crate::address::{BindError, Transport};
use crate::udp::Waker;

/// Messages that may wait for a client to read them. Who lets more pile up is disconnected.
const OUTPUT_QUEUE: usize = 256;
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

/// Listens for clients; port 0 stands for any free one. `waker` wakes the thread that will hold the link.
pub async fn serve(address: SocketAddr, waker: Waker) -> Result<(ControlServer, ControlLink), BindError> {
    let failed = |reason| BindError { transport: Transport::Tcp, address, reason };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let (link, wires) = ControlLink::new(waker);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(run(listener, wires, stopped));
    Ok((ControlServer { address: bound, stop, task }, link))
}

async fn run(listener: TcpListener, mut wires: Wires, mut stopped: oneshot::Receiver<()>) {
    let mut clients = Clients::new(wires.inputs);
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
    inputs: Inputs,
    last: PeerId,
    senders: BTreeMap<PeerId, (mpsc::Sender<Message>, AbortHandle)>,
    tasks: JoinSet<PeerId>,
}

impl Clients {
    fn new(inputs: Inputs) -> Self {
        Self { inputs, last: PeerId::RELAY, senders: BTreeMap::new(), tasks: JoinSet::new() }
    }

    fn add(&mut self, stream: tokio::net::TcpStream) {
        let peer = PeerId(self.last.0 + 1);
        self.last = peer;
        let (sender, outgoing) = mpsc::channel(OUTPUT_QUEUE);
        let inputs = self.inputs.clone();
        let task = self.tasks.spawn(async move {
            connection::run(stream, Side::Relay, peer, inputs, outgoing).await;
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
