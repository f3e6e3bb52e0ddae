//! A beep across a splice: where a jitter buffer cut sound out or repeated some, what came before it and what came after
//! it have different delays, and the beep has two.

use serde::{Deserialize, Serialize};

/// Where a beep's mark would be if all of it had arrived like its first part, and like its last part; both in samples
/// of the recording, as [`Detection::position`](super::Detection::position).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Splice {
    /// By what sounded before the splice.
    pub first_part: f64,
    /// By what sounded after it: later than `first_part` if sound was repeated or put in, earlier if it was cut out.
    pub last_part: f64,
}
