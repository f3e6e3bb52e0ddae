//! The harness: experiments as files, and the commands of the `jiho` binary.

pub mod bus;
pub mod cli;
pub mod compare;
pub mod exit;
pub mod experiment;
pub mod figures;
pub mod gates;
pub mod hearing;
pub mod live;
pub mod processes;
pub mod random_rooms;
pub mod report;
mod rooms;
pub mod run;
pub mod survey;
mod svg;
pub mod sweep;
pub mod takes;
pub mod tracking;
pub mod verify;
