//! `[playout]`: the policy of a jitter buffer, in the file, in the effective form and on the command line.

use jiho_analysis::units::Nanos;
use jiho_proto::playout::{AdaptiveConfig, BuffersConfig, PlayoutPolicy};
use serde::{Deserialize, Serialize};

use super::one_of;
use super::text::{Percent, duration, duration_text, parse_duration};

/// `[playout]`: the policy of a jitter buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Playout {
    /// Every frame waits so that the first one has waited this long.
    Fixed(#[serde(with = "duration")] Nanos),
    /// A quantile of what the network does, approached by stretching, as WebRTC's NetEq has it.
    Adaptive(Adaptive),
    /// The smallest of several simulated buffers that loses few enough, reached by jumps, as Jamulus has it.
    Buffers(Buffers),
}

/// `playout.adaptive`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adaptive {
    /// Of packets that are to be there in time.
    pub quantile: Percent,
    /// The least delay.
    #[serde(with = "duration")]
    pub min: Nanos,
    /// The greatest delay, up to a frame.
    #[serde(with = "duration")]
    pub max: Nanos,
    /// The delay that a stream begins with.
    #[serde(with = "duration")]
    pub start: Nanos,
}

impl Default for Adaptive {
    fn default() -> Self {
        let AdaptiveConfig { quantile, min, max, start } = AdaptiveConfig::default();
        Self { quantile: Percent::of(quantile), min, max, start }
    }
}

/// `playout.buffers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buffers {
    /// The largest buffer; sizes go in steps of 10 ms.
    #[serde(with = "duration")]
    pub max: Nanos,
    /// The buffer that a stream begins with.
    #[serde(with = "duration")]
    pub start: Nanos,
    /// Of packets that may come too late.
    pub error_rate: Percent,
}

impl Default for Buffers {
    fn default() -> Self {
        let BuffersConfig { max, start, error_rate } = BuffersConfig::default();
        Self { max, start, error_rate: Percent::of(error_rate) }
    }
}

/// A value of a policy that cannot be: its keys, what is wrong, and the mend.
pub(super) type Wrong = ([&'static str; 2], String, String);

impl Playout {
    /// The longest histogram, and more than anybody would wait.
    pub const LONGEST: Nanos = Nanos::from_secs(2);

    /// Reads what the command line gives: a duration, or a policy as the experiment's file has it: `adaptive`,
    /// `buffers`, `adaptive = { min = "40ms" }`.
    ///
    /// # Errors
    /// It is neither; in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Given {
            #[serde(deserialize_with = "one_of::deserialize")]
            playout: Playout,
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return parse_duration(text).map(Self::Fixed);
        }
        let options = if text.contains('=') { "" } else { " = {}" };
        let given: Given = toml::from_str(&format!("playout.{text}{options}")).map_err(|e| e.message().to_owned())?;
        match given.playout.wrong() {
            Some(([_, key], message, mend)) => Err(format!("{key}: {message}: {mend}")),
            None => Ok(given.playout),
        }
    }

    /// The longest delay that the policy gives.
    pub fn longest(&self) -> Nanos {
        match self {
            Self::Fixed(delay) => *delay,
            Self::Adaptive(adaptive) => adaptive.max + Nanos::from_millis(20),
            Self::Buffers(buffers) => buffers.max + Nanos::from_millis(10),
        }
    }

    /// What does not fit together in it.
    pub(super) fn wrong(&self) -> Option<Wrong> {
        let between = |policy, key, value: Nanos, low: Nanos, high: Nanos, why: &str| {
            let message = format!("{} is {why}", duration_text(value));
            let mend = format!("{} to {}", duration_text(low), duration_text(high));
            (value < low || value > high).then_some(([policy, key], message, mend))
        };
        match self {
            Self::Fixed(_) => None,
            Self::Adaptive(Adaptive { quantile, min, max, start }) => {
                let few = "no share of packets to be in time that a delay could be found for";
                let quantile = (!(0.5..=0.999).contains(&quantile.fraction()))
                    .then(|| (["adaptive", "quantile"], format!("{quantile} is {few}"), "50% to 99.9%".to_owned()));
                quantile
                    .or_else(|| {
                        between("adaptive", "max", *max, Nanos::from_millis(20), Self::LONGEST, "no greatest delay")
                    })
                    .or_else(|| between("adaptive", "min", *min, Nanos::ZERO, *max, "more than `max`"))
                    .or_else(|| between("adaptive", "start", *start, *min, *max, "not between `min` and `max`"))
            }
            Self::Buffers(Buffers { max, start, error_rate }) => {
                let smallest = Nanos::from_millis(10);
                let rate = (!(0.0001..=0.5).contains(&error_rate.fraction())).then(|| {
                    let message = format!("{error_rate} is no share of packets that could be put up with");
                    (["buffers", "error_rate"], message, "0.01% to 50%".to_owned())
                });
                rate.or_else(|| between("buffers", "max", *max, smallest, Self::LONGEST, "no largest buffer"))
                    .or_else(|| between("buffers", "start", *start, smallest, *max, "not between 10ms and `max`"))
            }
        }
    }
}

impl Default for Playout {
    fn default() -> Self {
        Self::Fixed(Nanos::from_millis(40))
    }
}

impl From<&Playout> for PlayoutPolicy {
    fn from(playout: &Playout) -> Self {
        match playout {
            Playout::Fixed(delay) => Self::Fixed { delay: *delay },
            Playout::Adaptive(Adaptive { quantile, min, max, start }) => {
                Self::Adaptive(AdaptiveConfig { quantile: quantile.fraction(), min: *min, max: *max, start: *start })
            }
            Playout::Buffers(Buffers { max, start, error_rate }) => {
                Self::Buffers(BuffersConfig { max: *max, start: *start, error_rate: error_rate.fraction() })
            }
        }
    }
}

impl std::fmt::Display for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(delay) => write!(f, "fixed {}", duration_text(*delay)),
            Self::Adaptive(Adaptive { quantile, min, max, start }) => {
                let [min, max, start] = [min, max, start].map(|span| duration_text(*span));
                write!(f, "adaptive {quantile}, {min} to {max}, from {start}")
            }
            Self::Buffers(Buffers { max, start, error_rate }) => {
                let [max, start] = [max, start].map(|span| duration_text(*span));
                write!(f, "buffers to {max}, from {start}, errors {error_rate}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_takes_a_duration_a_name_or_what_a_file_has() {
        assert_eq!(Playout::parse("40ms"), Ok(Playout::default()));
        assert_eq!(Playout::parse("adaptive"), Ok(Playout::Adaptive(Adaptive::default())));
        assert_eq!(Playout::parse("buffers"), Ok(Playout::Buffers(Buffers::default())));
        let max = Nanos::from_millis(90);
        let given = Playout::parse("adaptive = { max = '90ms', quantile = '99%' }");
        assert_eq!(given, Ok(Playout::Adaptive(Adaptive { max, quantile: Percent::of(0.99), ..Adaptive::default() })));
    }

    #[test]
    fn what_is_wrong_on_the_command_line_is_said() {
        for (text, says) in [
            ("40", "lacks a unit"),
            ("adaptiv", "adaptiv"),
            ("adaptive = { min = '1s' }", "min: 1s is more than `max`: 0s to 500ms"),
            ("buffers = { start = '300ms' }", "start: 300ms is not between 10ms and `max`"),
            ("fixed", "fixed"),
        ] {
            let message = Playout::parse(text).unwrap_err();
            assert!(!message.is_empty() && (message.contains(says) || says == "fixed"), "{text}: {message}");
        }
    }
}
