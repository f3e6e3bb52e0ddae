//! What a run's observations amount to.

mod delays;

pub use delays::{Distribution, PairDelays, Relation, Tier, tier};
