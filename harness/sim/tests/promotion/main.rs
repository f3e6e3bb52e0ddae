//! Changes of roles in virtual time: endpoints, relay and moderator as they are, over links of known delay. Each step is
//! held against the instant at which it has to happen.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

mod against_a_real_stack;
mod changes;
mod house;
mod troubles;
