//! The drop probe: what our own clients dropped on purpose.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, RunTime};

/// A packet that one of our own clients dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Whose client.
    pub client: String,
    /// Coming or going.
    pub direction: Direction,
    /// Coming: when it came, by the client's clock. Going: when its first sample was captured.
    pub at: RunTime,
    /// How much sound was in it.
    pub length: Nanos,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the client: it would have been played.
    In,
    /// From the client: it would have been sent.
    Out,
}
