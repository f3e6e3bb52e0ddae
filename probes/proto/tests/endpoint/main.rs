//! What an endpoint does, by behaviour. The relay is the test itself: it feeds packets and messages straight.

mod any_network;
mod joining;
mod pauses;
mod playing;
mod sending;
mod stopping;
mod support;
