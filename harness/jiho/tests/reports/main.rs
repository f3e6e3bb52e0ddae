//! `jiho report` as its users meet it: a run's folder goes in; reports come out that other programs can read.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod folder;
mod gates;
mod labels;
mod readers;
mod schemas;
#[path = "../support/skip.rs"]
mod skip;
mod snapshots;
mod summary;
