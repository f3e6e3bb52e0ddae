//! How a room is served: an architecture for the stage, and one for the audience.

use jiho_analysis::units::Nanos;

/// How sound reaches the stage, or the audience.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serving {
    /// Every speaker sends to each hearer directly; the relay carries signalling only.
    Mesh,
    /// The relay passes on each packet as it is (an SFU).
    #[default]
    Forward,
    /// The relay decodes, mixes and codes anew (an MCU).
    Mix(Timing),
    /// What is forwarded or mixed is held back.
    Tier {
        /// For how long.
        hold: Hold,
        /// What is held back.
        through: Through,
    },
}

impl Serving {
    /// Whether the relay decodes what it serves.
    pub fn mixes(&self) -> bool {
        matches!(self, Self::Mix(_) | Self::Tier { through: Through::Mix(_), .. })
    }
}

/// When a mixer mixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// As soon as every active speaker's packet has come, or when `deadline` has passed since the first one came.
    Arrival {
        /// The longest that one speaker's packet waits for another's.
        deadline: Nanos,
    },
    /// At each multiple of 20 ms, whatever has come by then.
    Tick,
}

/// How a tier is delayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Each packet for itself, by this much.
    DelayLine(Nanos),
    /// Until its segment, of this length, is complete. Greater than nothing.
    Segments(Nanos),
}

/// What a delayed tier delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Through {
    /// Each speaker's packets.
    #[default]
    Forward,
    /// Mixes.
    Mix(Timing),
}
