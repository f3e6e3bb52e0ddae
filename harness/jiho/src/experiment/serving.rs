//! The parts of an experiment that say how the room is served: what stands between mouths and ears.

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::text::duration;

/// `[stage.*]`, `[audience.*]`: how sound reaches the stage, or the audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// Every speaker sends to each hearer directly, and each ear mixes for itself; the relay carries signalling only.
    Mesh {},
    /// The relay forwards each speaker's packets as they are (an SFU).
    Forward {},
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Forward {}
    }
}

/// `[relay]`: the relay itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayPart {
    /// Its way to the network and back, a key of the experiment's links; `None`: it sits in the network's core, and
    /// all delay is the participants'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// In simulation, what each packet that it sends takes it: copies leave one after the other.
    #[serde(with = "duration")]
    pub cost_per_packet: Nanos,
}
