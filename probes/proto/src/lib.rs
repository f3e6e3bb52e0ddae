//! Sans-IO protocol engines: state machines that take the time, packets and control messages, and give packets,
//! control messages and sound. Nothing here asks a clock or opens a socket.

pub mod card;
pub mod clock;
pub mod codec;
pub mod control;
pub mod drop_probe;
pub mod endpoint;
pub mod engine;
pub mod event;
pub mod handshake;
pub mod link;
pub mod listener;
pub mod moderator;
#[cfg(feature = "mumble")]
pub mod mumble;
mod outbox;
pub mod playout;
pub mod records;
pub mod sdp;
pub mod seal;
pub mod singer;
pub mod speaker;
pub mod wire;
