//! A process that a run starts: watched, and stopped again whatever happens, with all that it started. What it writes is
//! kept in the run's folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::interrupt::Interrupt;
use crate::processes::Group;

/// How soon its end is noticed.
const TICK: Duration = Duration::from_millis(20);
/// How much of what it wrote last is repeated in a message.
const LAST_LINES: usize = 5;

/// It is not there any more, though nobody stopped it.
#[derive(Debug, thiserror::Error)]
#[error("{what} ended ({status}) {when}{}", last_words(log))]
pub(crate) struct Ended {
    what: String,
    status: ExitStatus,
    when: &'static str,
    log: PathBuf,
}

/// What a process wrote last, and where all of it is.
pub(crate) fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| format!("\n  | {line}"));
    let said = if lines.is_empty() { "it wrote nothing" } else { "it wrote last" };
    format!("; {said}, in {}{}", log.display(), last.collect::<String>())
}

/// A process that was started. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Started {
    /// For messages, such as "the relay".
    what: String,
    /// `None`: it has been stopped.
    child: Option<Child>,
    group: Group,
    /// How long it may take to end by itself.
    stop: Duration,
    log: PathBuf,
    interrupt: Interrupt,
}

impl Started {
    /// Starts it; `command` has to lead a group of its own. What it writes goes to `log`.
    ///
    /// # Errors
    /// It cannot be started, or its log cannot be written.
    pub(crate) fn start(
        what: &str,
        mut command: Command,
        log: PathBuf,
        stop: Duration,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let cannot = || format!("cannot start {what}");
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let err = out.try_clone().with_context(cannot)?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().with_context(cannot)?;
        let group = Group::of(&child);
        interrupt.takes_along(group);
        Ok(Self { what: what.to_owned(), child: Some(child), group, stop, log, interrupt: interrupt.clone() })
    }

    /// What it is called in messages.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// # Errors
    /// It has ended: `when` says in which part of the run.
    pub(crate) fn check(&mut self, when: &'static str) -> Result<(), Ended> {
        match self.ended() {
            Some(status) => Err(Ended { what: self.what.clone(), status, when, log: self.log.clone() }),
            None => Ok(()),
        }
    }

    /// Tells it to end; kills it, and all that it started, if it does not.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.group.terminate();
        let patience = Instant::now() + self.stop;
        // The one that was started may be gone while what it started is still there.
        while matches!(child.try_wait(), Ok(None)) || self.group.is_there() {
            if Instant::now() >= patience {
                self.group.kill();
                // Killed for certain: it cannot keep us waiting.
                let _ = child.wait();
                self.note(&format!("it did not end within {} s and was killed", self.stop.as_secs_f64()));
                break;
            }
            std::thread::sleep(TICK);
        }
        self.interrupt.leaves_behind(self.group);
    }

    /// Adds to what it wrote.
    fn note(&self, text: &str) {
        let log = File::options().append(true).open(&self.log);
        // What cannot be noted is no reason to fail.
        let _ = log.and_then(|mut log| std::io::Write::write_all(&mut log, format!("jiho: {text}\n").as_bytes()));
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.stop();
    }
}
