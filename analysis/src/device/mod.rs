//! What a sound device does to time and to sound: its buffers' stamps become a clock with the places where it stumbled
//! (`timeline`), and what came back from a loop-back becomes a round trip and findings (`loopback`).

mod loopback;
mod timeline;

pub use loopback::{Finding, Heard, Looped, Measured, Played, measure};
pub use timeline::{Jump, Stamp, Timekeeper, Timeline};
