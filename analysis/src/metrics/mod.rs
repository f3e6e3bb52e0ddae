//! What a run's observations amount to.

mod changes;
pub mod chorus;
mod delays;
mod gaps;
mod stack;
pub mod topology;

pub use changes::{RoleChange, Taken, role_changes};
pub use delays::{Distribution, PairDelays, Relation, Step, Tier, tier};
pub use gaps::{Gap, GapKind, Hearing, Side, Spoken, gaps};
pub use stack::{EXPLAINED, Piece, PlayedFrame, Stack, stack};
