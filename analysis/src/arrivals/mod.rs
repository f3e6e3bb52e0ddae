//! From what was emitted and what was heard to observations: exactly one per beep and recorder.

mod observe;
mod track;

use serde::{Deserialize, Serialize};

use crate::hear::Detection;
use crate::signal::Emission;
use crate::units::{Nanos, RunTime, SampleClock};

pub use observe::{observe, observe_through};

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On the stage: sends and hears.
    Speaker,
    /// In the audience: hears.
    Listener,
}

/// What is known about a beep at a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Found, and sure by itself.
    Heard,
    /// Found faintly, and believed because its neighbours came with the same delay.
    Weak,
    /// Found, but its signal fits at several delays nearly as well: see the interval.
    Ambiguous,
    /// Not found.
    Missing,
}

/// Why a beep is missing or in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The recording does not cover the instant at which it was due.
    NotRecorded,
    /// Nothing was found.
    NotFound,
    /// Something faint was found, but with a delay that no neighbour shares.
    NotSupported,
    /// Its correlation has a second peak nearly as high as the first.
    SecondPeak,
    /// Sound was cut out or repeated within it: it has two delays, and the interval holds both.
    Splice,
    /// It was said while the speaker's or the hearer's role changed, on no path that led from the one to the other.
    RoleChange,
    /// Its packet came sealed end to end, and the recorder had no key that opens it.
    NoKey,
}

/// A delay with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The estimate.
    pub value: Nanos,
    /// The interval's lower bound.
    pub low: Nanos,
    /// The interval's upper bound.
    pub high: Nanos,
}

/// One beep at one recorder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// What was emitted.
    pub emission: Emission,
    /// What is known.
    pub status: Status,
    /// Why it is missing or in doubt.
    pub reason: Option<Reason>,
    /// Mouth-to-ear delay; none if missing.
    pub delay: Option<Delay>,
    /// The index of its detection.
    pub detection: Option<usize>,
}

/// A detection and what it was found to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// What was detected.
    pub detection: Detection,
    /// When, by the recorder's clock.
    pub at: RunTime,
    /// The beep that it is an arrival of.
    pub beep: Option<u32>,
    /// 1 for a beep's arrival, 2 and more for further arrivals of the same beep; 0 for an arrival of no beep.
    pub rank: u32,
}

/// What a detection was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalKind {
    /// A beep.
    Beep,
    /// A further arrival of a beep: an echo, a second path, or a copy.
    Echo,
    /// Sure by itself, and of no beep that was sent.
    Stranger,
    /// Faint or ambiguous, and of no beep: no neighbour shares its delay. Noise, the shadow that a damaged signal of
    /// another code throws, or a beep of which too little is left: which of them is not known.
    Unsupported,
}

impl Arrival {
    /// What it was found to be.
    pub fn kind(&self) -> ArrivalKind {
        match self.rank {
            0 if self.detection.is_sure() => ArrivalKind::Stranger,
            0 => ArrivalKind::Unsupported,
            1 => ArrivalKind::Beep,
            _ => ArrivalKind::Echo,
        }
    }
}

/// A recording, as far as matching needs it.
#[derive(Clone, Copy, Debug)]
pub struct Recorder {
    /// Maps its samples to run time.
    pub clock: SampleClock,
    /// Bound of how far its clock is from the one that the beeps' times are by.
    pub clock_error: Nanos,
    /// Its length.
    pub samples: i64,
    /// Standard deviation of what the codec adds to a delay: its look-ahead depends on the mode that the encoder
    /// chose.
    pub codec_sd: Nanos,
}

/// By how much a codec makes a beep later than its stated look-ahead does, and how well that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecLag {
    /// To be subtracted from a delay; negative where the codec gives the beep early.
    pub bias: Nanos,
    /// Its standard deviation, beyond what noise does.
    pub sd: Nanos,
}

impl CodecLag {
    /// Anywhere between two values: the middle, and a 95 % interval that holds both.
    pub fn between(low: Nanos, high: Nanos) -> Self {
        let half = (high - low).0 as f64 / 2.0;
        Self { bias: Nanos((low.0 + high.0) / 2), sd: Nanos((half / 1.96).ceil() as i64) }
    }
}

/// One codec after another, as where a mixer encodes again.
impl std::ops::Add for CodecLag {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let sd = (self.sd.0 as f64).hypot(other.sd.0 as f64).round() as i64;
        Self { bias: self.bias + other.bias, sd: Nanos(sd) }
    }
}

/// A codec whose mode is not known moves a beep by this much (standard deviation).
pub const UNKNOWN_CODEC_SD: Nanos = Nanos::from_micros(35);
