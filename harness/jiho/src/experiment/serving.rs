//! The parts of an experiment that say how the room is served: what stands between mouths and ears.

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::External;
use super::one_of;
use super::text::duration;

/// `[stage.*]`, `[audience.*]`: how sound reaches the stage, or the audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// Every speaker sends to each hearer directly, and each ear mixes for itself; the relay carries signalling only.
    Mesh {},
    /// The relay forwards each speaker's packets as they are (an SFU).
    Forward {},
    /// The relay mixes (an MCU): for each speaker everybody else, for all of the audience one and the same.
    Mix(Mix),
    /// Several relays, each of which forwards to its own seats.
    Cascade(Cascade),
    /// What the relay forwards or mixes is held back.
    Tier(Tier),
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Forward {}
    }
}

impl Architecture {
    /// The longest that it keeps a packet, without the relay's link.
    pub(super) fn longest_hold(&self) -> Nanos {
        match self {
            Self::Mesh {} | Self::Forward {} | Self::Cascade(_) => Nanos::ZERO,
            Self::Mix(mix) => mix.timing.longest_wait(),
            Self::Tier(tier) => {
                let mixing = match &tier.through {
                    Through::Forward {} => Nanos::ZERO,
                    Through::Mix(mix) => mix.timing.longest_wait(),
                };
                let segment = tier.segments.as_ref().map(|segments| segments.length);
                tier.delay_line.or(segment).unwrap_or_default() + mixing
            }
        }
    }

    /// The keys that say that it mixes, if it does.
    pub(super) fn mixes_by(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Mix(_) => Some(&["mix"]),
            Self::Tier(Tier { through: Through::Mix(_), .. }) => Some(&["tier", "through", "mix"]),
            _ => None,
        }
    }

    /// The edges that it names.
    pub(super) fn edges(&self) -> &[Edge] {
        match self {
            Self::Cascade(cascade) => &cascade.edges,
            _ => &[],
        }
    }
}

/// `[stage.mix]`, `[audience.mix]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mix {
    /// When a round of 20 ms is mixed.
    #[serde(deserialize_with = "one_of::deserialize")]
    pub timing: Timing,
}

/// `timing.*` of a mixer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Timing {
    /// When the last active speaker's packet has come.
    Arrival(Arrival),
    /// At each multiple of 20 ms.
    Tick {},
}

impl Default for Timing {
    fn default() -> Self {
        Self::Arrival(Arrival::default())
    }
}

impl Timing {
    fn longest_wait(&self) -> Nanos {
        match self {
            Self::Arrival(arrival) => arrival.deadline,
            Self::Tick {} => Nanos::from_millis(20),
        }
    }
}

/// `timing.arrival`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arrival {
    /// A round is mixed without what has not come so long after the round's first packet.
    #[serde(with = "duration")]
    pub deadline: Nanos,
}

impl Default for Arrival {
    fn default() -> Self {
        Self { deadline: Nanos::from_millis(20) }
    }
}

/// `[stage.cascade]`, `[audience.cascade]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    /// The relays, each after the one whose edge it is. None: those of the stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
}

/// One relay of a cascade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Unique among edges.
    pub name: String,
    /// Whose edge it is; `None`: the first one's, or, if it is that, nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The trunk to that one, a key of the experiment's links: `up` leads there. `None`: a trunk without delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// A key of the experiment's places; `None`: nobody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// `[audience.tier]`, `[stage.tier]`: one of `delay_line` and `segments`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tier {
    /// Each packet is held back this long.
    #[serde(
        deserialize_with = "duration::some",
        serialize_with = "duration::serialize_some",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay_line: Option<Nanos>,
    /// Packets are held back until their segment is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Segments>,
    /// What is held back.
    #[serde(deserialize_with = "one_of::deserialize")]
    pub through: Through,
}

/// `segments` of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// Of each of them.
    #[serde(with = "duration")]
    pub length: Nanos,
}

/// `through.*` of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Through {
    /// Each speaker's packets.
    Forward {},
    /// One mix for all.
    Mix(Mix),
}

impl Default for Through {
    fn default() -> Self {
        Self::Forward {}
    }
}

/// `[relay]`: the relay itself, or each one of a cascade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayPart {
    /// Its way to the network and back, a key of the experiment's links; `None`: it sits in the network's core, and
    /// all delay is the participants'. Trunks have links of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// A key of the experiment's places; `None`: nobody has one, or each relay of a cascade has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// In simulation, what each packet that it sends takes it: copies leave one after the other.
    #[serde(with = "duration")]
    pub cost_per_packet: Nanos,
    /// Somebody else's, in real time; `None`: ours. What is said of stage and audience is then what it is held to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}
