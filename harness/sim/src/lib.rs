//! Virtual time: a deterministic world of links and nodes that drives the same engines as the UDP driver does.
//!
//! The same seed and the same calls give the same run to the byte, as fast as the machine can. Random numbers come
//! from the seed alone; only the last bits of logarithm and cosine are the platform's.

mod queue;
mod world;

pub use world::{NodeId, SimError, World, WorldStats};
