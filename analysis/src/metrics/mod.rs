//! What a run's observations amount to.

mod delays;

pub use delays::{PairDelays, Relation, Tier, tier};
