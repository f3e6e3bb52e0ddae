//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): WebRTC by one HTTP request.
//!
//! [`Door`] is a relay's: whoever comes by WebRTC is a guest, whose far side is the connection and whose near side is a seat at
//! the relay like anybody's, packets passing through undecoded. [`Client`] asks anybody's door.

mod client;
mod door;
mod far;
mod guest;
mod http;

pub use client::{Client, ClientError, Session};
pub use door::{Door, DoorError, Settings};
