//! Exit codes: "could not measure" never looks like "fine", nor like "worse".

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use crate::experiment::ExperimentError;

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// Measured, and all gates pass; or done what was asked for.
    #[serde(rename = "measured")]
    Done = 0,
    /// An unexpected failure, such as a full disk or a port in use.
    Failed = 1,
    /// Wrong usage, an invalid experiment, or input that is not what it should be: the user has to change something.
    Invalid = 2,
    /// Measured, but inconclusive: too little was heard, or clocks or noise leave too much room.
    Inconclusive = 3,
    /// Nothing was measured.
    Nothing = 4,
    /// A gate failed.
    GateFailed = 5,
}

impl Exit {
    /// The exit code of an error: [`Exit::Invalid`] where a [`UsageError`] or an [`ExperimentError`] is its cause,
    /// else [`Exit::Failed`].
    pub fn of(error: &anyhow::Error) -> Self {
        let theirs = error.chain().any(|cause| cause.is::<UsageError>() || cause.is::<ExperimentError>());
        if theirs { Self::Invalid } else { Self::Failed }
    }

    /// The exit code of several together: the one that calls loudest for somebody to look. What failed is not hidden by
    /// what could not be told. Of none it is [`Exit::Done`].
    pub fn worst(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().max_by_key(|exit| exit.severity()).unwrap_or(Self::Done)
    }

    /// The codes themselves are in no order.
    const fn severity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Inconclusive => 1,
            Self::Nothing => 2,
            Self::GateFailed => 3,
            Self::Invalid => 4,
            Self::Failed => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Marks an error as one that the user can mend by giving something else. It reads as the error that it wraps.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UsageError(anyhow::Error);

impl UsageError {
    /// For errors of libraries: `.map_err(UsageError::new)`, before any context is added.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self(error.into())
    }

    /// From a message.
    pub fn say(message: impl Into<String>) -> Self {
        Self(anyhow::Error::msg(message.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn what_the_user_can_mend_is_invalid_however_deep_it_lies() {
        let error =
            Err::<(), _>(UsageError::say("no such channel")).context("take.wav").context("analysing").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Invalid);
        assert_eq!(format!("{error:#}"), "analysing: take.wav: no such channel");
    }

    #[test]
    fn of_several_a_failure_is_told_before_what_is_open() {
        for (all, worst) in [
            (&[][..], Exit::Done),
            (&[Exit::Done, Exit::Inconclusive, Exit::Done], Exit::Inconclusive),
            (&[Exit::Inconclusive, Exit::Failed, Exit::Nothing], Exit::Failed),
            (&[Exit::GateFailed, Exit::Failed, Exit::Done], Exit::Failed),
            (&[Exit::Nothing, Exit::GateFailed, Exit::Inconclusive], Exit::GateFailed),
        ] {
            assert_eq!(Exit::worst(all.iter().copied()), worst, "{all:?}");
        }
    }

    #[test]
    fn anything_else_is_a_failure() {
        let error = anyhow::Error::from(std::io::Error::other("disk full")).context("recording");
        assert_eq!(Exit::of(&error), Exit::Failed);
    }
}
