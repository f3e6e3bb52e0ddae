//! A moderator in a process of its own: gives a relay one command, and waits for what became of it.

use std::time::Duration;

use anyhow::Context;
use jiho_analysis::roles::Step;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_proto::control::Action;
use jiho_proto::event::{Event, StepTaken};
use jiho_proto::moderator::Moderator;

use super::guest::Way;
use super::interrupt;
use crate::run::unkept::Unkept;

/// Longer than all of a handshake's timers together.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{change} {subject}: {reason}")]
    Refused { change: &'static str, subject: String, reason: String },
    #[error("relay {relay}: {reason}")]
    Ended { relay: String, reason: String },
    #[error("relay {relay}: no word on what became of the command within {} s; is it `jiho relay`?", PATIENCE.as_secs())]
    NoAnswer { relay: String },
    #[error("relay {relay}: stopped before it had answered; what was commanded may be done all the same")]
    Stopped { relay: String },
}

/// Gives one command to the relay at `host:port`; how long it took to be carried out.
///
/// # Errors
/// The relay cannot be reached, refuses, goes away, or cannot carry it out.
pub fn give(relay: &str, token: &str, action: Action) -> anyhow::Result<Nanos> {
    crate::run::block_on(async {
        let interrupt = interrupt();
        let way = Way::to(relay, None, &interrupt).await?;
        let moderator = Moderator::new(token.to_owned(), vec![(RunTime::START, action)]).brief();
        let clock = RunClock::start();
        let mut guest = way.enter("moderator", Box::new(moderator), clock, Box::new(Unkept))?;
        let relay = || relay.to_owned();
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(PATIENCE, outcome(&mut guest.news)) => {
                outcome.unwrap_or_else(|_| Err(CommandError::NoAnswer { relay: relay() }))
            }
            () = interrupt.comes() => Err(CommandError::Stopped { relay: relay() }),
        };
        let took = clock.now().since_start();
        guest.leave().await?.outcome.context("the moderator's thread")?;
        match outcome {
            Ok(()) => Ok(took),
            Err(CommandError::Ended { reason, .. }) => Err(CommandError::Ended { relay: relay(), reason }.into()),
            Err(error) => Err(error.into()),
        }
    })
}

async fn outcome(news: &mut tokio::sync::mpsc::UnboundedReceiver<Event>) -> Result<(), CommandError> {
    let mut refused = None;
    while let Some(event) = news.recv().await {
        match event {
            Event::Step(StepTaken { step: Step::Done, .. }) => return Ok(()),
            Event::Step(StepTaken { step: Step::Failed, change, subject, detail, .. }) => {
                refused = Some(CommandError::Refused { change: change.name(), subject, reason: detail });
                // If the relay went away, its reason follows.
                if news.is_empty() {
                    break;
                }
            }
            Event::Failed { reason } => return Err(CommandError::Ended { relay: String::new(), reason }),
            _ => {}
        }
    }
    let gone = || CommandError::Ended { relay: String::new(), reason: "ended without a word".to_owned() };
    Err(refused.unwrap_or_else(gone))
}
