//! What a run's observations amount to.

mod delays;

pub use delays::{Distribution, PairDelays, Relation, Step, Tier, tier};
