//! Mumble's voice channel, as clients and servers of versions 1.2 to 1.4 speak it and later servers still understand
//! it: packets ([`voice`]), how they are encrypted ([`crypt`]), and an engine that takes RTP to such a server and back
//! ([`Mumble`]).
//!
//! Sources: "Mumble Protocol", chapters "Voice data" and "Establishing a connection" (`docs/dev/network-protocol` of
//! the Mumble project).

mod client;
pub mod crypt;
mod line;
mod varint;
pub mod voice;

pub use client::Mumble;
pub use line::{VoiceLine, VoiceTraffic};
