//! What serves an experiment's room: the relay as the experiment wants it, the same in every world.

use std::net::SocketAddr;

use jiho_analysis::units::RunTime;
use jiho_proto::link::Link;
use jiho_relay::{Relay, RelayConfig, Serving};

use super::cast;
use crate::experiment::{Architecture, Experiment};

/// The relay, at its address for media.
pub(super) fn relay(experiment: &Experiment, media: SocketAddr, token: &str) -> Relay {
    Relay::new(RelayConfig {
        media,
        token: token.to_owned(),
        token_expires: None,
        promotion: (&experiment.promotion).into(),
        codec: cast::codec(&experiment.media.codec),
        stage: serving(&experiment.stage),
        audience: serving(&experiment.audience),
    })
}

/// The relay's own way to the network and back.
pub(super) fn link(experiment: &Experiment) -> Link {
    let beeps = RunTime::START + experiment.run.warmup;
    let link = experiment.relay.link.as_ref().and_then(|name| experiment.links.get(name));
    link.map(|link| link.model(beeps)).unwrap_or_default()
}

fn serving(architecture: &Architecture) -> Serving {
    match architecture {
        Architecture::Mesh {} => Serving::Mesh,
        Architecture::Forward {} => Serving::Forward,
    }
}
