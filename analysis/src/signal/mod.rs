//! What is played: families of time signals, when they sound, and how they are rendered.
//!
//! Every waveform is a function of continuous time, so that a beep can begin between two samples of any clock.

mod book;
mod jiho;
mod programme;
mod schedule;
mod voiced;

pub use book::{BOOK, BookFigures, Candidate, figures};
pub use programme::{Programme, Signal};
pub use schedule::{Emission, Schedule};
pub use voiced::Voiced;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Rate};

/// Which member of a family of signals: it identifies a speaker by sound alone. 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Code(u8);

/// A number that is no code's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no code {0}: codes go from 0 to {last}", last = Code::COUNT - 1)]
pub struct NoSuchCode(pub u8);

impl Code {
    /// How many codes there are.
    pub const COUNT: u8 = BOOK.len() as u8;

    /// The code of a number, if there is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// All codes in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// 0 to 63.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Code {
    type Error = NoSuchCode;

    fn try_from(number: u8) -> Result<Self, NoSuchCode> {
        Self::new(number).ok_or(NoSuchCode(number))
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A family of time signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A coded voice: 200 ms of harmonics on a pitch that wanders as the code says. Codecs, noise suppression and
    /// DTX take it for speech.
    Voiced,
    /// The Japanese telephone time signal: three pips of 440 Hz, then 880 Hz. It sounds right to a person and is a
    /// poor ruler: it carries no code, and its correlation has near-equal peaks every 1.1 ms.
    Jiho,
}

impl Family {
    /// Whether its members tell speakers apart, and correlate with themselves at one delay only. Speakers of a family
    /// without codes take turns, and its delays are ambiguous.
    pub const fn is_coded(self) -> bool {
        match self {
            Self::Voiced => true,
            Self::Jiho => false,
        }
    }
}

/// One beep's waveform.
#[derive(Clone, Debug)]
pub enum Waveform {
    /// See [`Family::Voiced`].
    Voiced(Box<Voiced>),
    /// See [`Family::Jiho`].
    Jiho,
}

impl Waveform {
    /// The waveform of a family's code; the Japanese time signal has but one.
    pub fn new(family: Family, code: Code) -> Self {
        match family {
            Family::Voiced => Self::Voiced(Box::new(Voiced::of_code(code))),
            Family::Jiho => Self::Jiho,
        }
    }

    /// How long it sounds before its mark: the instant that a beep's time speaks of.
    pub fn before_mark(&self) -> Nanos {
        match self {
            Self::Voiced(_) => Nanos::ZERO,
            Self::Jiho => jiho::BEFORE_MARK,
        }
    }

    /// How long it sounds from its mark on.
    pub fn after_mark(&self) -> Nanos {
        match self {
            Self::Voiced(_) => voiced::LENGTH,
            Self::Jiho => jiho::AFTER_MARK,
        }
    }

    /// Adds the waveform to `out`, whose first sample is `seconds` after the mark and the others follow at `rate`.
    pub fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        match self {
            Self::Voiced(voiced) => voiced.add(seconds, rate, out),
            Self::Jiho => jiho::add(seconds, rate, out),
        }
    }

    /// The part that a matched filter looks for, and how far into it the mark is.
    pub(crate) fn template(&self, rate: Rate) -> (Vec<f32>, Nanos) {
        let (before, after) = match self {
            Self::Voiced(_) => (Nanos::ZERO, voiced::LENGTH),
            Self::Jiho => (jiho::BEFORE_MARK, jiho::STEADY),
        };
        let mut samples = vec![0.0; rate.samples(before + after).ceil() as usize];
        self.add(-before.as_secs_f64(), rate, &mut samples);
        (samples, before)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn a_code_is_read_only_from_a_number_that_is_one() {
        let read = |number: u8| Code::deserialize(IntoDeserializer::<Error>::into_deserializer(number));
        assert_eq!(read(63).map(Code::number), Ok(63));
        assert_eq!(read(64).unwrap_err().to_string(), "there is no code 64: codes go from 0 to 63");
    }
}
