//! Signalling over TCP: lines of JSON between sockets and an engine's thread.
//!
//! [`serve`] is the relay's side, [`connect`] an endpoint's; [`serve_edge`] is both, for an edge of a cascade. Both give a [`ControlLink`], through which the engine's
//! thread exchanges messages without ever waiting for the network.

use jiho_proto::control::Message;
use jiho_proto::engine::PeerId;
use tokio::sync::mpsc;

use crate::udp::Waker;

mod client;
mod connection;
mod server;

pub use client::{CONNECT_TIMEOUT, ConnectError, ControlClient, connect};
pub use server::{ControlServer, JOIN_DEADLINE, MAX_CONNECTIONS, ServeError, serve, serve_edge};

/// Messages that may wait for the engine before their senders are held up.
const INPUT_QUEUE: usize = 256;

/// An engine's end of its control connections.
#[derive(Debug)]
pub struct ControlLink {
    inputs: mpsc::Receiver<ControlInput>,
    outputs: mpsc::UnboundedSender<(PeerId, Message)>,
}

/// What came in on a control connection.
#[derive(Debug)]
pub(crate) enum ControlInput {
    Message { peer: PeerId, message: Message },
    Closed { peer: PeerId, reason: String },
}

/// The connections' end of a [`ControlLink`].
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) inputs: Inputs,
    pub(crate) outputs: mpsc::UnboundedReceiver<(PeerId, Message)>,
}

/// Hands input to the engine's thread and wakes it.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    sender: mpsc::Sender<ControlInput>,
    waker: Waker,
}

impl ControlLink {
    /// A link without connections, for an engine that needs no signalling: nothing comes in, what goes out is lost.
    pub fn none() -> Self {
        Self { inputs: mpsc::channel(1).1, outputs: mpsc::unbounded_channel().0 }
    }

    pub(crate) fn new(waker: Waker) -> (Self, Wires) {
        let (input_sender, inputs) = mpsc::channel(INPUT_QUEUE);
        let (outputs, output_receiver) = mpsc::unbounded_channel();
        let wires = Wires { inputs: Inputs { sender: input_sender, waker }, outputs: output_receiver };
        (Self { inputs, outputs }, wires)
    }

    pub(crate) fn next_input(&mut self) -> Option<ControlInput> {
        self.inputs.try_recv().ok()
    }

    pub(crate) fn send(&self, peer: PeerId, message: Message) {
        // Without connections there is nobody to be told; the engine has been told that they ended.
        let _ = self.outputs.send((peer, message));
    }
}

impl Inputs {
    pub(crate) async fn give(&self, input: ControlInput) {
        // An engine that has finished takes no more input.
        let _ = self.sender.send(input).await;
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests;
