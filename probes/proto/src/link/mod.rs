//! What lies between a participant and the core of the network, as a state machine: delay and its changes, jitter,
//! loss, a bottleneck with its queue, outages, duplicates.
//!
//! A [`Lane`] carries datagrams one way. It has no clock and no thread: it is told when a datagram enters and says when
//! it leaves, if at all. So the same impairments act in virtual time, where the simulator asks the lanes, and in real
//! time, where [`Impaired`] puts them round an engine.
//!
//! What happens to a datagram on its way, in this order: an outage swallows it; it is lost; it waits for the bottleneck,
//! whose queue may be full; it takes the base delay of the moment and its jitter; it is doubled. Each has luck of its
//! own, drawn for every datagram whatever becomes of it: other jitter loses the same datagrams, and another bottleneck
//! does not change the jitter.

mod bottleneck;
mod direction;
mod flow;
mod geography;
mod impaired;
mod jitter;
mod lane;
mod loss;
mod luck;

pub use bottleneck::{Bottleneck, HEADER_BYTES, QueueLimit};
pub use direction::{Direction, Link, Outage, RouteChange};
pub use flow::Flow;
pub use geography::Geography;
pub use impaired::Impaired;
pub use jitter::{Draws, Empirical, Gamma, Jitter, Wander};
pub use lane::{Lane, LaneStats, Passage};
pub use loss::Loss;
pub(crate) use luck::Luck;
