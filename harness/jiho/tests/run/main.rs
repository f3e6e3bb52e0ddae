//! `jiho run` as its users meet it: an experiment's file goes in; a folder, a report and an exit code come out.
//!
//! What is true is computed here, from the experiment and from the packets' stamps, without the code that measures.

// Helpers of tests are tests, and say what they found.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod bad_network;
mod chorus;
mod constant_links;
mod drifting_clocks;
mod drop_probe;
mod external;
mod gaps;
mod geography;
mod interrupted;
mod loopback;
mod lossy_links;
mod nothing_heard;
mod repeatable;
mod report_on_terminal;
mod roles;
mod room;
mod rooms;
mod rooms_of_others;
mod sealed;
#[path = "../support/skip.rs"]
mod skip;
mod steered;
mod sweeps;
mod time_signal;
mod topology;
mod truth;
mod unrecorded;
mod watched;
mod wrong_input;
