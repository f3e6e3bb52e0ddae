//! What is played: families of time signals, when they sound, and how they are rendered.
//!
//! Every waveform is a function of continuous time, so that a beep can begin between two samples of any clock.

mod beep;
mod book;
mod describe;
mod noise;
mod pilot;
mod programme;
mod schedule;
mod tones;
mod voiced;

pub use book::{BookFigures, Candidate, Comparison};
pub use describe::{CrossPeak, Description, SideLobe};
pub use noise::Noise;
pub use pilot::Pilot;
pub use programme::{Programme, Signal};
pub use schedule::{Cadence, Emission, Schedule};
pub use tones::Tones;
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
    pub const COUNT: u8 = 64;

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// A coded voice: 200 ms of harmonics on a pitch that wanders as the code says. Codecs, noise suppression and
    /// DTX take it for speech.
    Voiced,
    /// A coded voice of 400 ms: twice the energy, and codes that are told apart more clearly.
    VoicedRobust,
    /// A coded noise: 200 ms, flat from 300 to 3400 Hz. Its codes are told apart more clearly than voices, and
    /// nothing takes it for speech: noise suppression and DTX may remove it.
    Noise,
    /// A coded noise of 400 ms.
    NoiseRobust,
    /// The Japanese telephone time signal: three pips of 440 Hz, then 880 Hz. It sounds right to a person and is a
    /// poor ruler: it carries no code, and its correlation has near-equal peaks every 1.1 ms.
    Jiho,
    /// The Greenwich pips of the BBC: 1 kHz, five of 100 ms and, from the mark on, one of 500 ms. As poor a ruler.
    Bbc,
    /// A coded voice without ends: every short piece of it tells its time, so that gaps, skips and changes of the delay
    /// are measured as they happen. What counts as its beeps are the seconds of it that leave the mouth.
    Pilot,
}

impl Family {
    /// All families of beeps.
    pub const ALL: [Self; 6] =
        [Self::Voiced, Self::VoicedRobust, Self::Noise, Self::NoiseRobust, Self::Jiho, Self::Bbc];
    /// How long a coded beep lasts …
    pub(crate) const BEEP: Nanos = Nanos::from_millis(200);
    /// … and a robust one.
    pub(crate) const ROBUST_BEEP: Nanos = Nanos::from_millis(400);

    /// Whether its members tell speakers apart, and correlate with themselves at one delay only. Speakers of a family
    /// without codes take turns, and its delays are ambiguous.
    pub const fn is_coded(self) -> bool {
        self.book().is_some()
    }

    /// The seeds of its codes; `None`: it carries none.
    pub const fn book(self) -> Option<&'static [u32; Code::COUNT as usize]> {
        match self {
            Self::Voiced => Some(&book::VOICED),
            Self::VoicedRobust => Some(&book::VOICED_ROBUST),
            Self::Noise => Some(&book::NOISE),
            Self::NoiseRobust => Some(&book::NOISE_ROBUST),
            Self::Pilot => Some(&book::PILOT),
            Self::Jiho | Self::Bbc => None,
        }
    }

    /// As files and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voiced => "voiced",
            Self::VoicedRobust => "voiced_robust",
            Self::Noise => "noise",
            Self::NoiseRobust => "noise_robust",
            Self::Jiho => "jiho",
            Self::Bbc => "bbc",
            Self::Pilot => "pilot",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One beep's waveform.
#[derive(Clone, Debug)]
pub enum Waveform {
    /// See [`Family::Voiced`].
    Voiced(Voiced),
    /// See [`Family::Noise`].
    Noise(Noise),
    /// See [`Family::Jiho`] and [`Family::Bbc`].
    Tones(&'static Tones),
    /// See [`Family::Pilot`].
    Pilot(Pilot),
}

impl Waveform {
    /// The waveform of a family's code; families without codes have but one.
    pub fn new(family: Family, code: Code) -> Self {
        Self::of_seed(family, family.book().map_or(0, |seeds| seeds[usize::from(code.number())]))
    }

    /// The waveform of any seed: what the search of a code book chooses from.
    pub fn of_seed(family: Family, seed: u32) -> Self {
        match family {
            Family::Voiced => Self::Voiced(Voiced::new(seed, Family::BEEP)),
            Family::VoicedRobust => Self::Voiced(Voiced::new(seed, Family::ROBUST_BEEP)),
            Family::Noise => Self::Noise(Noise::new(seed, Family::BEEP)),
            Family::NoiseRobust => Self::Noise(Noise::new(seed, Family::ROBUST_BEEP)),
            Family::Jiho => Self::Tones(&tones::JIHO),
            Family::Bbc => Self::Tones(&tones::BBC),
            Family::Pilot => Self::Pilot(Pilot::new(seed)),
        }
    }

    /// How long it sounds before its mark: the instant that a beep's time speaks of.
    pub fn before_mark(&self) -> Nanos {
        match self {
            Self::Voiced(_) | Self::Noise(_) | Self::Pilot(_) => Nanos::ZERO,
            Self::Tones(tones) => tones.before_mark(),
        }
    }

    /// How long it sounds from its mark on; a pilot, until its next.
    pub fn after_mark(&self) -> Nanos {
        match self {
            Self::Voiced(voiced) => voiced.length(),
            Self::Noise(noise) => noise.length(),
            Self::Tones(tones) => tones.after_mark(),
            Self::Pilot(_) => Pilot::MARK_EVERY,
        }
    }

    /// Adds the waveform to `out`, whose first sample is `seconds` after the mark and the others follow at `rate`. A
    /// pilot sounds on from its first mark.
    pub fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        match self {
            Self::Voiced(voiced) => voiced.add(seconds, rate, out),
            Self::Noise(noise) => noise.add(seconds, rate, out),
            Self::Tones(tones) => tones.add(seconds, rate, out),
            Self::Pilot(pilot) => pilot.add(seconds, None, rate, out),
        }
    }

    /// The part that a matched filter looks for, and how far into it the mark is.
    pub(crate) fn template(&self, rate: Rate) -> (Vec<f32>, Nanos) {
        let after = match self {
            Self::Voiced(_) | Self::Noise(_) | Self::Pilot(_) => self.after_mark(),
            Self::Tones(tones) => tones.steady,
        };
        let before = self.before_mark();
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
