//! Somebody else's relay: its command is started, waited for until it is ready, watched, and stopped again whatever
//! happens. What it writes is kept in the run's folder.

mod ready;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::folder::Folder;
use super::interrupt::Interrupt;
use crate::exit::UsageError;
use crate::experiment::{External, duration_text};
use crate::processes::{Group, shell};

/// How soon its end, and that it is ready, is noticed.
const TICK: Duration = Duration::from_millis(20);
/// How much of what it wrote last is repeated in a message.
const LAST_LINES: usize = 5;

/// Why somebody else's relay does not serve the room, or no longer does.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    #[error("the relay ended ({status}) {when}{}", last_words(log))]
    Ended { status: ExitStatus, when: &'static str, log: PathBuf },
    #[error("the relay was not ready within {patience}: {lacking}{}", log.as_deref().map(last_words).unwrap_or_default())]
    NotReady { patience: String, lacking: String, log: Option<PathBuf> },
    #[error("stopped before the relay was ready")]
    Stopped,
}

/// What it wrote last, and where all of it is.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| format!("\n  | {line}"));
    let said = if lines.is_empty() { "it wrote nothing" } else { "it wrote last" };
    format!("; {said}, in {}{}", log.display(), last.collect::<String>())
}

/// A relay that was started. Dropping it stops it.
pub(super) struct ExternalRelay {
    /// `None`: it was started by somebody else, or has been stopped.
    process: Option<Process>,
    log: PathBuf,
    token: String,
    interrupt: Interrupt,
}

struct Process {
    child: Child,
    group: Group,
    stop: Duration,
}

impl fmt::Debug for ExternalRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalRelay").field("log", &self.log).finish_non_exhaustive()
    }
}

impl ExternalRelay {
    /// Starts it, if there is a command, and waits until it is ready. What it writes goes to `relay.log` of the run's
    /// folder, which is in its environment as `JIHO_RUN_FOLDER`; the room's token is there as `JIHO_TOKEN`.
    ///
    /// # Errors
    /// It cannot be started, ends at once, is not ready in time, or somebody wants the run to end before it is.
    pub(super) async fn ready(external: &External, folder: &Folder, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let token = token(external)?;
        let mut relay = Self { process: None, log: folder.relay_log(), token, interrupt: interrupt.clone() };
        if let Some(command) = &external.start {
            relay.process = Some(relay.start(external, command, folder.path())?);
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

    fn start(&self, external: &External, command: &str, folder: &Path) -> anyhow::Result<Process> {
        let cannot = || format!("cannot start the relay by `{command}`");
        let out = File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        let err = out.try_clone().with_context(cannot)?;
        let folder = std::path::absolute(folder).with_context(cannot)?;
        let mut shell = shell(command);
        shell.env("JIHO_TOKEN", &self.token).env("JIHO_RUN_FOLDER", folder).envs(&external.env);
        let child = shell.stdin(Stdio::null()).stdout(out).stderr(err).spawn().with_context(cannot)?;
        let group = Group::of(&child);
        self.interrupt.takes_along(group);
        Ok(Process { child, group, stop: external.stop.to_std() })
    }

    /// # Errors
    /// It was started, and has ended: `when` says in which part of the run.
    pub(super) fn check(&mut self, when: &'static str) -> Result<(), RelayError> {
        let ended = self.process.as_mut().and_then(|process| process.child.try_wait().ok().flatten());
        match ended {
            Some(status) => Err(RelayError::Ended { status, when, log: self.log.clone() }),
            None => Ok(()),
        }
    }

    /// Tells it to end; kills it, and all that it started, if it does not.
    pub(super) fn stop(&mut self) {
        let Some(Process { mut child, group, stop }) = self.process.take() else { return };
        group.terminate();
        let patience = Instant::now() + stop;
        // The shell may be gone while what it started is still there.
        while matches!(child.try_wait(), Ok(None)) || group.is_there() {
            if Instant::now() >= patience {
                group.kill();
                // Killed for certain: it cannot keep us waiting.
                let _ = child.wait();
                self.note(&format!("it did not end within {} s and was killed", stop.as_secs_f64()));
                break;
            }
            std::thread::sleep(TICK);
        }
        self.interrupt.leaves_behind(group);
    }

    /// Adds to what it wrote.
    fn note(&self, text: &str) {
        let log = File::options().append(true).open(&self.log);
        // What cannot be noted is no reason to fail.
        let _ = log.and_then(|mut log| std::io::Write::write_all(&mut log, format!("jiho: {text}\n").as_bytes()));
    }
}

impl Drop for ExternalRelay {
    fn drop(&mut self) {
        self.stop();
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
