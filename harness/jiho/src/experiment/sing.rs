//! The parts of an experiment that make a chorus of its speakers.

use jiho_analysis::metrics::chorus::Thresholds;
use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::text::{duration, signed_duration};

/// `sing.*` of a speaker: on what it sings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sing {
    /// On a clock that all singers share, whatever their hosts' clocks show.
    Grid(GridPart),
    /// On the beat of another speaker as it is heard.
    Follow(FollowPart),
    /// By an inner timekeeper, corrected by what is heard of others.
    Together(TogetherPart),
}

/// `sing.grid`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridPart {
    /// So much before the grid's beat.
    #[serde(with = "signed_duration")]
    pub advance: Nanos,
    /// Standard deviation of by how much each beat misses its instant.
    #[serde(with = "duration")]
    pub motor_noise: Nanos,
}

/// `sing.follow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowPart {
    /// Whom.
    pub leader: String,
    /// So much before the leader's beat as it is heard.
    #[serde(default, with = "signed_duration")]
    pub advance: Nanos,
    /// As of the grid.
    #[serde(default, with = "duration")]
    pub motor_noise: Nanos,
}

/// `sing.together`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TogetherPart {
    /// With whom; in the file `None` is everybody else, in an experiment it is never `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<Vec<String>>,
    /// Which part of the asynchrony to each of them is made up for at the next beat; in an experiment it is never `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<f64>,
    /// So much before their beats as they are heard.
    #[serde(with = "signed_duration")]
    pub advance: Nanos,
    /// As of the grid.
    #[serde(with = "duration")]
    pub motor_noise: Nanos,
}

impl TogetherPart {
    /// What leaves the least asynchrony among as many as these: 1/4 in a quartet, about which string quartets are found
    /// to be (Wing, Endo, Bradbury and Vorberg 2014).
    pub(super) fn best_correction(others: usize) -> f64 {
        1.0 / (others + 1) as f64
    }
}

impl Sing {
    /// So much earlier than what it sings on.
    pub fn advance(&self) -> Nanos {
        match self {
            Self::Grid(part) => part.advance,
            Self::Follow(part) => part.advance,
            Self::Together(part) => part.advance,
        }
    }

    /// Standard deviation of by how much each beat misses its instant.
    pub fn motor_noise(&self) -> Nanos {
        match self {
            Self::Grid(part) => part.motor_noise,
            Self::Follow(part) => part.motor_noise,
            Self::Together(part) => part.motor_noise,
        }
    }

    /// The key's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Grid(_) => "grid",
            Self::Follow(_) => "follow",
            Self::Together(_) => "together",
        }
    }
}

/// `[chorus]`: the speakers are a chorus, whether they `sing` or play what is planned; and by which delays between two of
/// them it is graded. [`Thresholds`] has their sources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChorusPart {
    /// Up to here a tempo rushes, from here on it drags.
    #[serde(with = "duration")]
    pub natural: Nanos,
    /// Up to here ensembles play together.
    #[serde(with = "duration")]
    pub ensemble: Nanos,
    /// From here on they do not.
    #[serde(with = "duration")]
    pub ensemble_limit: Nanos,
    /// Up to here a tempo is steady.
    #[serde(with = "duration")]
    pub steady: Nanos,
    /// Up to here a conversation is not impaired.
    #[serde(with = "duration")]
    pub conversation: Nanos,
}

impl Default for ChorusPart {
    fn default() -> Self {
        let Thresholds { natural, ensemble, ensemble_limit, steady, conversation } = Thresholds::default();
        Self { natural, ensemble, ensemble_limit, steady, conversation }
    }
}

impl From<&ChorusPart> for Thresholds {
    fn from(part: &ChorusPart) -> Self {
        let ChorusPart { natural, ensemble, ensemble_limit, steady, conversation } = *part;
        Self { natural, ensemble, ensemble_limit, steady, conversation }
    }
}
