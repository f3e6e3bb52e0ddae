//! What serves an experiment's room: the relay as the experiment wants it, the same in every world.

use std::net::SocketAddr;

use jiho_relay::{Relay, RelayConfig, Serving};

use super::cast;
use crate::experiment::{Architecture, Experiment};

/// The relay, at its address for media.
pub(super) fn relay(experiment: &Experiment, media: SocketAddr, token: &str) -> Relay {
    Relay::new(RelayConfig {
        media,
        token: token.to_owned(),
        codec: cast::codec(&experiment.media.codec),
        stage: serving(&experiment.stage),
        audience: serving(&experiment.audience),
    })
}

fn serving(architecture: &Architecture) -> Serving {
    match architecture {
        Architecture::Mesh {} => Serving::Mesh,
        Architecture::Forward {} => Serving::Forward,
    }
}
