//! Arguments for a room that somebody else serves.

use crate::exit::UsageError;
use crate::experiment::{Experiment, Ready};

/// Whose relay, and how it is started.
#[derive(Debug, clap::Args)]
pub(super) struct RelayArgs {
    /// In a room that somebody else serves: the relay's control address. Its token is that of [relay.external], or
    /// JIHO_TOKEN of the environment.
    #[arg(long, value_name = "HOST:PORT")]
    relay: Option<String>,
    /// With --relay: start it by this command, for a shell, and stop it again.
    #[arg(long, value_name = "COMMAND", requires = "relay")]
    relay_start: Option<String>,
    /// With --relay: it is ready when it writes a line, takes connections at an address, or answers a GET: line=WORDS,
    /// tcp=HOST:PORT or http://HOST:PORT/PATH [default: when somebody listens at --relay]
    #[arg(long, value_name = "SIGN", requires = "relay", value_parser = Ready::parse)]
    relay_ready: Option<Ready>,
}

impl RelayArgs {
    /// The experiment in that room, if one was given.
    pub(super) fn served(&self, experiment: Experiment) -> Result<Experiment, UsageError> {
        let Some(relay) = &self.relay else { return Ok(experiment) };
        let served = experiment.served_at(relay, self.relay_start.as_ref(), self.relay_ready.as_ref());
        served.map_err(|problem| UsageError::say(format!("--relay: {problem}")))
    }
}
