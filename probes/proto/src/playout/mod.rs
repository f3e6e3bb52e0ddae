//! The jitter buffer: from packets that come when they come to sound without a seam.
//!
//! Every stream (SSRC) has one. A frame's place on the stream's *time line* is `timestamp + offset`, fixed when the
//! stream is anchored; the ear plays it at that position plus a *shift*. The *policy* decides the offset and moves the
//! shift; the rest is the same for every policy. With a fixed delay the shift stays nothing. Whatever moves it is
//! recorded with the frame at which it happens ([`Playout::step_samples`](crate::event::Playout)), so that the steps of
//! a stream add up to how its delay has changed, sample by sample.
//!
//! * **Deadline.** An ear decides its samples a period at a time, at the period's start. A frame is decoded at the
//!   start of the period that holds its first sample; a packet that is not there by then is concealed, and recorded
//!   as late if it comes after all. A fixed delay of 40 ms thus tolerates 30 to 40 ms of jitter at an ear with periods
//!   of 10 ms, depending on where in a period the first packet fell.
//! * **Frames last** as long as their packets decode to, and a concealed one as long as the last that was decoded,
//!   20 ms at first, but never into a frame that is there.
//! * **Concealment ends** after [`MAX_CONCEALED`] frames in a row: the stream is silent and nothing is recorded until
//!   packets come. If the first of them is in time for the offset, the offset stays; else the stream is anchored anew,
//!   as at its first packet.
//! * **A pause** of the sender, a gap in timestamps without a gap in sequence numbers, is silence and not a loss, if
//!   the buffer knows by the time the gap is played.
//!   A payload without sound (Opus' discontinuous transmission) announces one: nothing is concealed after it.
//! * **Forward error correction**, where the codec is set for it, restores a frame from the packet after it, if that is
//!   there by the deadline of the one that is not; it is recorded as concealed.
//! * **A restart**, a packet more than [`MAX_JUMP_SAMPLES`] from where it was expected, anchors the stream anew. One
//!   that comes too early follows on those before it where a whole segment comes at once, and is no restart. A packet
//!   that is at most [`MAX_MISORDER`] behind the newest by its sequence number is a straggler and never does.
//! * **Order.** While timestamps go on, frames are played in the order of their timestamps, however often the stream has
//!   been anchored: a straggler from before what was played last is late, even where its place on the new time line is
//!   still to come.
//! * **An empty buffer** conceals in the frame's place and goes on; the adaptive policy does not give the frame up at once
//!   but conceals 10 ms at a time until a packet is there. If it is the very next one, the wait has made the delay
//!   greater (*merged*); if a later one, what was waited is taken for what is missing. The codec's decoder smooths the
//!   seam.
//! * **Duplicates** are known by sequence number and timestamp, among those that wait and the last [`REMEMBERED`] that
//!   were played.
//! * **Memory** is bounded: [`MAX_WAITING`] packets per stream. When as many wait, those that come are dropped and
//!   recorded as overflow: the ones that were there first are due first.

mod adaptive;
mod arrivals;
mod buffer;
mod simulated;
mod steering;
mod stream;
mod stretch;

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

pub use self::adaptive::{AdaptiveConfig, START_PACKETS};
pub use self::simulated::BuffersConfig;
use crate::codec::RATE;

pub(crate) use self::buffer::Arrival;
pub(crate) use self::stream::{Period, Stream};

/// Frames in a row that are concealed before a stream counts as stopped.
pub const MAX_CONCEALED: u32 = 5;
/// How far from its expected place a packet may be and still belong to the same run of a stream: 2 s.
pub const MAX_JUMP_SAMPLES: i64 = 96_000;
/// How far behind the newest packet a straggler may be, in packets (RFC 3550, appendix A.1: `MAX_MISORDER`).
pub const MAX_MISORDER: i64 = 100;
/// Played packets whose repetition would be noticed.
pub const REMEMBERED: usize = 64;
/// Packets of a stream that may wait: 2 s and more in frames of 5 ms.
pub const MAX_WAITING: usize = 512;

/// How a stream's delay at the ear is decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayoutPolicy {
    /// The first packet of a stream is played `delay` after it was received, rounded up to a whole sample of the ear;
    /// all others where they fall from there.
    Fixed {
        /// From the kernel's receive stamp to the ear.
        delay: Nanos,
    },
    /// A quantile of the packets' relative delays, approached by stretching, as NetEq has it.
    Adaptive(AdaptiveConfig),
    /// The smallest of several simulated buffers that loses few enough, reached by jumps, as Jamulus has it.
    Buffers(BuffersConfig),
}

/// A span in whole samples of the ear.
fn samples(span: Nanos) -> i64 {
    RATE.samples(span).round() as i64
}
