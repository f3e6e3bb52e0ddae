//! The parts of an experiment that mean the same in the file and in its effective form.

use jiho_analysis::signal::{Cadence, Family, Signal as Rhythm};
use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::one_of;
use super::text::duration;

/// `[run]`: how long, and from which seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// Everybody joins, before the first beep. At least [`Run::SHORTEST_WARMUP`].
    #[serde(with = "duration")]
    pub warmup: Nanos,
    /// The beeps sound within this time.
    #[serde(with = "duration")]
    pub duration: Nanos,
    /// Listening goes on, for what is still under way.
    #[serde(with = "duration")]
    pub drain: Nanos,
    /// Of all random numbers; each further repetition has the next one.
    pub seed: u32,
    /// How often it is run.
    #[serde(skip_serializing_if = "is_once")]
    pub repeat: u32,
    /// Whose ears are recorded, by name; absent: everybody's. What the others hear is found as it plays, and not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recordings: Option<Vec<String>>,
    /// Whether `relay.csv` is written: a row for each packet that a relay passes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub relay_csv: bool,
}

// As serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_once(repeat: &u32) -> bool {
    *repeat == 1
}

impl Run {
    /// Less would not let everybody in before the first beep.
    pub const SHORTEST_WARMUP: Nanos = Nanos::from_millis(500);

    /// Whether somebody's ear is recorded.
    pub fn records(&self, name: &str) -> bool {
        self.recordings.as_ref().is_none_or(|names| names.iter().any(|recorded| recorded == name))
    }

    /// From the first join to the end of listening.
    pub fn total(&self) -> Nanos {
        self.warmup + self.duration + self.drain
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            warmup: Nanos::from_secs(1),
            duration: Nanos::from_secs(20),
            drain: Nanos::from_secs(1),
            seed: 1,
            repeat: 1,
            recordings: None,
            relay_csv: false,
        }
    }
}

/// `[signal.*]`: which time signal speakers play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A coded voice, with a code per speaker.
    Voiced(CodedSignal),
    /// A coded voice of twice the length.
    VoicedRobust(CodedSignal),
    /// A coded noise.
    Noise(CodedSignal),
    /// A coded noise of twice the length.
    NoiseRobust(CodedSignal),
    /// The Japanese telephone time signal; speakers take turns, since it carries no code.
    Jiho(TonesSignal),
    /// The Greenwich pips; speakers take turns, since they carry no code.
    Bbc(TonesSignal),
    /// A coded voice without ends, with a code per speaker.
    Pilot(PilotSignal),
}

impl Signal {
    /// A family's time signal in its default rhythm.
    pub fn of(family: Family) -> Self {
        match family {
            Family::Voiced => Self::Voiced(CodedSignal::default()),
            Family::VoicedRobust => Self::VoicedRobust(CodedSignal::default()),
            Family::Noise => Self::Noise(CodedSignal::default()),
            Family::NoiseRobust => Self::NoiseRobust(CodedSignal::default()),
            Family::Jiho => Self::Jiho(TonesSignal::default()),
            Family::Bbc => Self::Bbc(TonesSignal::default()),
            Family::Pilot => Self::Pilot(PilotSignal {}),
        }
    }

    /// The family of time signals, which is also the key's name.
    pub fn family(&self) -> Family {
        match self {
            Self::Voiced(_) => Family::Voiced,
            Self::VoicedRobust(_) => Family::VoicedRobust,
            Self::Noise(_) => Family::Noise,
            Self::NoiseRobust(_) => Family::NoiseRobust,
            Self::Jiho(_) => Family::Jiho,
            Self::Bbc(_) => Family::Bbc,
            Self::Pilot(_) => Family::Pilot,
        }
    }
}

impl Default for Signal {
    fn default() -> Self {
        Self::of(Family::Voiced)
    }
}

impl From<&Signal> for Rhythm {
    fn from(signal: &Signal) -> Self {
        let family = signal.family();
        match signal {
            Signal::Voiced(coded) | Signal::VoicedRobust(coded) | Signal::Noise(coded) | Signal::NoiseRobust(coded) => {
                let CodedSignal { period, spread, together, cadence } = *coded;
                Self { family, period, spread, together, cadence }
            }
            Signal::Jiho(tones) | Signal::Bbc(tones) => {
                Self { family, period: tones.cycle, spread: Nanos::ZERO, together: false, ..Self::VOICED }
            }
            Signal::Pilot(PilotSignal {}) => Self::PILOT,
        }
    }
}

/// `[signal.voiced]` and the other families whose members are told apart by code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodedSignal {
    /// One beep in each period.
    #[serde(with = "duration")]
    pub period: Nanos,
    /// Beeps begin within this time of their period's start.
    #[serde(with = "duration")]
    pub spread: Nanos,
    /// All speakers sound at the same instants.
    pub together: bool,
    /// Which periods have a beep: every one, or, as the Japanese time signal has it, the last three and the first of ten.
    pub cadence: Cadence,
}

impl Default for CodedSignal {
    fn default() -> Self {
        let Rhythm { period, spread, together, cadence, .. } = Rhythm::VOICED;
        Self { period, spread, together, cadence }
    }
}

/// `[signal.jiho]` and `[signal.bbc]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TonesSignal {
    /// From one mark to the next. The telephone's is a minute and the BBC's an hour; a shorter one holds several marks in a short run.
    #[serde(with = "duration")]
    pub cycle: Nanos,
}

impl Default for TonesSignal {
    fn default() -> Self {
        Self { cycle: Nanos::from_secs(10) }
    }
}

/// `[signal.pilot]`: there is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PilotSignal {}

/// `[media]`: how sound travels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// What every endpoint sends and receives.
    #[serde(deserialize_with = "one_of::deserialize")]
    pub codec: Codec,
    /// How it is encrypted end to end, if at all.
    #[serde(default, deserialize_with = "one_of::some", skip_serializing_if = "Option::is_none")]
    pub seal: Option<Sealing>,
}

/// `seal.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sealing {
    /// SFrame (RFC 9605), with a key per speaker's stream.
    Sframe(Sframe),
}

/// `seal.sframe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sframe {
    /// What all keys are derived from. It stands in the file, in the effective form and in the run's folder for all to
    /// read: a test secret.
    pub passphrase: String,
}

/// `codec.*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Codec {
    /// Opus (RFC 6716) at a constant bit rate.
    Opus(Opus),
    /// Linear PCM of 16 bits (RFC 3551, section 4.5.11).
    L16 {},
}

impl Default for Codec {
    fn default() -> Self {
        Self::Opus(Opus::default())
    }
}

/// `codec.opus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Opus {
    /// 6 000 to 510 000 bits per second (RFC 6716, section 2.1.1).
    pub bitrate_bps: u32,
    /// What the encoder is tuned for.
    pub application: Application,
    /// Discontinuous transmission: no packets in pauses.
    pub dtx: bool,
    /// In-band forward error correction.
    pub fec: bool,
    /// How many of 100 packets the encoder expects to be lost, where there is forward error correction.
    pub expected_loss_percent: u8,
}

impl Default for Opus {
    fn default() -> Self {
        Self { bitrate_bps: 32_000, application: Application::Voip, dtx: false, fec: false, expected_loss_percent: 10 }
    }
}

/// What an Opus encoder is tuned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Application {
    /// Speech.
    Voip,
    /// Any sound.
    Audio,
    /// Restricted low delay: CELT only, with a shorter look-ahead.
    LowDelay,
}
