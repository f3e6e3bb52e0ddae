//! The reference relay as a sans-IO engine: it takes packets and control messages with the time, and gives packets
//! and control messages.
//!
//! `room` knows who is there and who wants to hear whom, `streams` which stream is whose, `outbox` what waits to
//! be fetched by the driver. None of them knows how sound is distributed: that is one module per architecture (`mesh`,
//! `forward`, `mix`, `tier`), chosen for stage and audience each (`serving`) and put to work by a `server`. `cascade`
//! joins relays into one room. `relay` puts all together.

mod cascade;
mod forward;
mod made;
mod mesh;
mod mix;
mod name;
mod outbox;
mod relay;
mod room;
mod server;
mod serving;
mod stats;
mod streams;
mod tier;

pub use name::{MAX_NAME_BYTES, MIX, NameError, check_name};
pub use relay::{Relay, RelayConfig};
pub use serving::{Hold, Serving, Through, Timing};
pub use stats::RelayStats;
