//! What an endpoint does, by behaviour. The relay is the test itself: it feeds packets and messages straight.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers, too, fail a test by panicking"
)]

mod any_network;
mod joining;
mod pauses;
mod playing;
mod sealing;
mod sending;
mod steered;
mod stopping;
mod support;
