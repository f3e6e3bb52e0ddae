//! One part of a room in a process of its own: the relay, a speaker, a listener, a seat for an outside tool, or a sound
//! device. In real time, on given addresses, until its time is over or somebody stops it.
//!
//! Each process counts run time from its own start and notes the wall clock's word for it, by which
//! [`measure`](crate::run::measure::measure) brings the folders of all of them onto one time line.

mod beats;
mod both;
pub mod command;
mod guest;
mod host_clock;
pub mod listen;
pub mod loopback;
pub mod part;
pub mod passed;
mod presence;
mod record;
pub mod relay;
mod relay_csv;
pub mod seat;
pub mod sound;
mod stall;
mod told;

use std::io::Write;

use crate::run::interrupt::Interrupt;

/// Writes a line with its time to standard error. Nothing can be done about one that cannot be written to.
pub(crate) fn say(line: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let _ = writeln!(std::io::stderr(), "{now} {line}");
}

/// Listens for Ctrl-C and says that it came.
fn interrupt() -> Interrupt {
    Interrupt::listen(|| say("stopping; Ctrl-C again to leave at once"))
}
