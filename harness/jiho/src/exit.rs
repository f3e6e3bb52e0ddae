//! Exit codes: "could not measure" never looks like "fine", nor like "worse".

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::Serialize;

use crate::experiment::ExperimentError;

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
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
    fn anything_else_is_a_failure() {
        let error = anyhow::Error::from(std::io::Error::other("disk full")).context("recording");
        assert_eq!(Exit::of(&error), Exit::Failed);
    }
}
