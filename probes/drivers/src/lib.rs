//! What engines may not touch: sockets with kernel time stamps, pacing, recordings on disk, sound devices.
//!
//! Everything here serves one trait, [`Engine`](jiho_proto::engine::Engine), in real time.

pub mod address;
pub mod clock;
pub mod control;
pub mod device;
pub mod ear_file;
mod lateness;
pub mod media;
#[cfg(feature = "mumble")]
pub mod mumble;
pub mod sidecar;
pub mod udp;
pub mod wav;
#[cfg(feature = "webrtc")]
pub mod webrtc;
#[cfg(feature = "webrtc")]
pub mod whip;
