//! From what was emitted and what was heard to observations: exactly one per beep and recorder.

use serde::{Deserialize, Serialize};

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On the stage: sends and hears.
    Speaker,
    /// In the audience: hears.
    Listener,
}
