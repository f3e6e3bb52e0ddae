//! An experiment as its file gives it: what may be left out is optional, what refers to something else is a name.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::Nanos;
use serde::Deserialize;

use super::drop_probe::DropProbe;
use super::gates::{Baseline, GateEntry};
use super::geography::{Geography, Location};
use super::host::Host;
use super::link::{Bottleneck, Jitter, Loss, Outage, RouteChange};
use super::one_of;
use super::parts::{Media, Run, Signal};
use super::playout::Playout;
use super::roles::PromotionPart;
use super::room::Room;
use super::serving::{Architecture, RelayPart};
use super::sing::{ChorusPart, Sing};
use super::sweep::SweepPart;
use super::text::{Percent, duration};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) run: Run,
    #[serde(default, deserialize_with = "one_of::deserialize")]
    pub(super) signal: Signal,
    #[serde(default)]
    pub(super) media: Media,
    #[serde(default, deserialize_with = "one_of::deserialize")]
    pub(super) stage: Architecture,
    #[serde(default, deserialize_with = "one_of::deserialize")]
    pub(super) audience: Architecture,
    #[serde(default)]
    pub(super) relay: RelayPart,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) room: Option<Room>,
    #[serde(default, deserialize_with = "one_of::deserialize")]
    pub(super) playout: Playout,
    #[serde(default)]
    pub(super) link: BTreeMap<String, LinkEntry>,
    #[serde(default)]
    pub(super) place: BTreeMap<String, Location>,
    #[serde(default)]
    pub(super) geography: Geography,
    #[serde(default)]
    pub(super) host: BTreeMap<String, Host>,
    #[serde(default)]
    pub(super) speaker: Vec<SpeakerEntry>,
    #[serde(default)]
    pub(super) listener: Vec<ListenerEntry>,
    #[serde(default)]
    pub(super) event: Vec<EventEntry>,
    #[serde(default, deserialize_with = "one_of::deserialize")]
    pub(super) promotion: PromotionPart,
    pub(super) drop_probe: Option<DropProbe>,
    pub(super) chorus: Option<ChorusPart>,
    #[serde(default)]
    pub(super) gate: Vec<GateEntry>,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) baseline: Option<Baseline>,
    pub(super) sweep: Option<SweepPart>,
}

/// One of the names is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventEntry {
    #[serde(with = "duration")]
    pub(super) at: Nanos,
    pub(super) join: Option<String>,
    pub(super) leave: Option<String>,
    pub(super) promote: Option<String>,
    pub(super) demote: Option<String>,
    pub(super) mute: Option<String>,
    pub(super) unmute: Option<String>,
}

/// Both directions at once; `up` and `down` override single fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkEntry {
    #[serde(default, deserialize_with = "duration::some")]
    pub(super) delay: Option<Nanos>,
    pub(super) loss: Option<Loss>,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) jitter: Option<Jitter>,
    pub(super) jitter_correlation: Option<Percent>,
    pub(super) duplication: Option<Percent>,
    pub(super) reorder: Option<bool>,
    pub(super) bottleneck: Option<Bottleneck>,
    pub(super) outage: Option<Vec<Outage>>,
    pub(super) route_change: Option<Vec<RouteChange>>,
    #[serde(default)]
    pub(super) up: DirectionEntry,
    #[serde(default)]
    pub(super) down: DirectionEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectionEntry {
    #[serde(default, deserialize_with = "duration::some")]
    pub(super) delay: Option<Nanos>,
    pub(super) loss: Option<Loss>,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) jitter: Option<Jitter>,
    pub(super) jitter_correlation: Option<Percent>,
    pub(super) duplication: Option<Percent>,
    pub(super) reorder: Option<bool>,
    pub(super) bottleneck: Option<Bottleneck>,
    pub(super) outage: Option<Vec<Outage>>,
    pub(super) route_change: Option<Vec<RouteChange>>,
}

impl LinkEntry {
    /// What is said of both directions, of the way up, and of the way down.
    pub(super) fn split(self) -> [DirectionEntry; 3] {
        let Self {
            delay,
            loss,
            jitter,
            jitter_correlation,
            duplication,
            reorder,
            bottleneck,
            outage,
            route_change,
            up,
            down,
        } = self;
        let both = DirectionEntry {
            delay,
            loss,
            jitter,
            jitter_correlation,
            duplication,
            reorder,
            bottleneck,
            outage,
            route_change,
        };
        [both, up, down]
    }
}

impl ListenerEntry {
    /// The names of those that it stands for.
    pub(super) fn names(&self) -> Vec<String> {
        match self.count {
            Some(count) => (1..=count).map(|n| format!("{}-{n}", self.name)).collect(),
            None => vec![self.name.clone()],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpeakerEntry {
    pub(super) name: String,
    pub(super) code: Option<u32>,
    pub(super) link: Option<String>,
    pub(super) host: Option<String>,
    pub(super) edge: Option<String>,
    pub(super) place: Option<String>,
    pub(super) media: Option<SocketAddr>,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) sing: Option<Sing>,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) playout: Option<Playout>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenerEntry {
    pub(super) name: String,
    /// So many, named `NAME-1`, `NAME-2` and so on; absent: one of that very name.
    pub(super) count: Option<u32>,
    pub(super) code: Option<u32>,
    pub(super) link: Option<String>,
    pub(super) host: Option<String>,
    pub(super) edge: Option<String>,
    pub(super) place: Option<String>,
    pub(super) media: Option<SocketAddr>,
    #[serde(default)]
    pub(super) keyless: bool,
    #[serde(default, deserialize_with = "one_of::some")]
    pub(super) playout: Option<Playout>,
}
