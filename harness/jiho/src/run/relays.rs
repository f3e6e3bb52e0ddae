//! What serves an experiment's room: one relay, or those of a cascade, the same in every world.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::RunTime;
use jiho_proto::link::Link;
use jiho_relay::{Hold, Relay, RelayConfig, Serving, Through, Timing};

use super::cast;
use crate::experiment::{self, Architecture, Experiment};

/// A relay before it has an address.
#[derive(Debug)]
pub(super) struct Station<'e> {
    /// For events and errors.
    pub(super) name: &'e str,
    /// Which one's edge it is, by its place in [`stations`].
    pub(super) of: Option<usize>,
    /// The link to that one, in simulation.
    pub(super) trunk: Option<&'e str>,
    /// Where it is.
    pub(super) place: Option<&'e String>,
}

/// All relays, each after the one whose edge it is.
pub(super) fn stations(experiment: &Experiment) -> Vec<Station<'_>> {
    let edges = experiment.edges();
    if edges.is_empty() {
        return vec![Station { name: "relay", of: None, trunk: None, place: experiment.relay.place.as_ref() }];
    }
    let place = |name: &String| edges.iter().position(|edge| edge.name == *name);
    edges
        .iter()
        .map(|edge| Station {
            name: &edge.name,
            of: edge.of.as_ref().and_then(place),
            trunk: edge.link.as_deref(),
            place: edge.place.as_ref(),
        })
        .collect()
}

/// At which of the [`stations`] everybody is, in the order of the members: speakers, then listeners.
pub(super) fn places(experiment: &Experiment) -> Vec<usize> {
    let edges: BTreeMap<&str, usize> =
        (0usize..).zip(experiment.edges()).map(|(n, edge)| (edge.name.as_str(), n)).collect();
    let speakers = experiment.speakers.iter().map(|speaker| &speaker.edge);
    let all = speakers.chain(experiment.listeners.iter().map(|listener| &listener.edge));
    all.map(|edge| edge.as_deref().and_then(|name| edges.get(name).copied()).unwrap_or_default()).collect()
}

/// The `index`-th relay, at its address for media.
pub(super) fn relay(experiment: &Experiment, index: usize, uplink: bool, media: SocketAddr, token: &str) -> Relay {
    Relay::new(RelayConfig {
        media,
        token: token.to_owned(),
        token_expires: None,
        promotion: (&experiment.promotion).into(),
        codec: cast::codec(&experiment.media.codec),
        stage: serving(&experiment.stage),
        audience: serving(&experiment.audience),
        uplink,
        seed: experiment.run.seed.wrapping_mul(1 << 16).wrapping_add(index as u32),
        note_packets: experiment.run.relay_csv,
    })
}

/// Each relay's own way to the network and back.
pub(super) fn link(experiment: &Experiment) -> Link {
    model(experiment, experiment.relay.link.as_deref())
}

/// The link between a relay and the one whose edge it is.
pub(super) fn trunk(experiment: &Experiment, station: &Station<'_>) -> Link {
    model(experiment, station.trunk)
}

fn model(experiment: &Experiment, name: Option<&str>) -> Link {
    let beeps = RunTime::START + experiment.run.warmup;
    let link = name.and_then(|name| experiment.links.get(name));
    link.map(|link| link.model(beeps)).unwrap_or_default()
}

fn serving(architecture: &Architecture) -> Serving {
    match architecture {
        Architecture::Mesh {} => Serving::Mesh,
        // Each relay of a cascade forwards to its own seats; trunks bring it what others say.
        Architecture::Forward {} | Architecture::Cascade(_) => Serving::Forward,
        Architecture::Mix(mix) => Serving::Mix(timing(mix)),
        Architecture::Tier(tier) => {
            let through = match &tier.through {
                experiment::Through::Forward {} => Through::Forward,
                experiment::Through::Mix(mix) => Through::Mix(timing(mix)),
            };
            let hold = match &tier.segments {
                Some(segments) => Hold::Segments(segments.length),
                None => Hold::DelayLine(tier.delay_line.unwrap_or_default()),
            };
            Serving::Tier { hold, through }
        }
    }
}

fn timing(mix: &experiment::Mix) -> Timing {
    match &mix.timing {
        experiment::Timing::Arrival(arrival) => Timing::Arrival { deadline: arrival.deadline },
        experiment::Timing::Tick {} => Timing::Tick,
    }
}
