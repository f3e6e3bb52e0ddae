//! Somebody else's relay: its command is started, waited for until it is ready, watched, and stopped again whatever
//! happens. What it writes is kept in the run's folder.

pub(crate) mod ready;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::folder::Folder;
use super::interrupt::Interrupt;
use super::started::{Ended, Started, last_words};
use crate::exit::UsageError;
use crate::experiment::{External, duration_text};
use crate::processes::shell;

/// How soon it is noticed that it is ready.
const TICK: Duration = Duration::from_millis(20);

/// Why somebody else's relay does not serve the room.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error(transparent)]
    Ended(#[from] Ended),
    #[error("the relay was not ready within {patience}: {lacking}{}", log.as_deref().map(last_words).unwrap_or_default())]
    NotReady { patience: String, lacking: String, log: Option<PathBuf> },
    #[error("stopped before the relay was ready")]
    Stopped,
}

/// A relay that was started. Dropping it stops it.
#[derive(Debug)]
pub(super) struct ExternalRelay {
    /// `None`: it was started by somebody else.
    process: Option<Started>,
    log: PathBuf,
    token: String,
}

impl ExternalRelay {
    /// Starts it, if there is a command, and waits until it is ready. What it writes goes to `relay.log` of the run's
    /// folder, which is in its environment as `JIHO_RUN_FOLDER`; the room's token is there as `JIHO_TOKEN`.
    ///
    /// # Errors
    /// It cannot be started, ends at once, is not ready in time, or somebody wants the run to end before it is.
    pub(super) async fn ready(external: &External, folder: &Folder, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let token = token(external)?;
        let mut relay = Self { process: None, log: folder.relay_log(), token };
        if let Some(command) = &external.start {
            relay.process = Some(relay.start(external, command, folder.path(), interrupt)?);
        }
        let Some(sign) = external.sign() else { return Ok(relay) };
        let patience = Instant::now() + external.patience.to_std();
        loop {
            relay.check("before it was ready")?;
            let lacking = match ready::lacking(&sign, &relay.log).await {
                None => return Ok(relay),
                Some(lacking) => lacking,
            };
            if interrupt.wanted() {
                return Err(RelayError::Stopped.into());
            }
            if Instant::now() >= patience {
                let log = relay.process.is_some().then(|| relay.log.clone());
                return Err(RelayError::NotReady { patience: duration_text(external.patience), lacking, log }.into());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The room's secret.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    fn start(
        &self,
        external: &External,
        command: &str,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Started> {
        let cannot = || format!("cannot start the relay by `{command}`");
        let folder = std::path::absolute(folder).with_context(cannot)?;
        let mut shell = shell(command);
        shell.env("JIHO_TOKEN", &self.token).env("JIHO_RUN_FOLDER", folder).envs(&external.env);
        Started::start("the relay", shell, self.log.clone(), external.stop.to_std(), interrupt).with_context(cannot)
    }

    /// # Errors
    /// It was started, and has ended: `when` says in which part of the run.
    pub(super) fn check(&mut self, when: &'static str) -> Result<(), Ended> {
        self.process.as_mut().map_or(Ok(()), |process| process.check(when))
    }
}

/// The room's secret: the file's, or the environment's.
///
/// # Errors
/// There is neither.
fn token(external: &External) -> Result<String, UsageError> {
    if external.rtp.is_some() {
        return Ok(String::new());
    }
    let given = external.token.clone().or_else(|| std::env::var("JIHO_TOKEN").ok());
    given.filter(|token| !token.is_empty()).ok_or_else(|| {
        UsageError::say(
            "the relay's token is not known: set JIHO_TOKEN in the environment, or `token` in [relay.external]",
        )
    })
}
