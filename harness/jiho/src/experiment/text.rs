//! Quantities as people write them: durations such as `20ms` or `1m30s`, shares such as `1%`.

use std::fmt;

use jiff::fmt::friendly::SpanParser;
use jiho_analysis::units::Nanos;
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// The longest duration that is accepted, and the longest run: a WAV file ends at 4 GiB, 12.4 h at 48 kHz and 16 bits.
/// Sums and products of accepted durations stay far from overflow.
pub const LONGEST: Nanos = Nanos::from_secs(12 * 60 * 60);

const DURATION_EXAMPLES: &str = "a duration with its unit, such as \"20ms\", \"2.5ms\", \"1 s\" or \"1m30s\"";
const PERCENT_EXAMPLES: &str = "a percentage from 0 to 100, such as \"1%\" or \"0.5 %\"";

/// Reads a duration: numbers with units from `ns` to `h`, as in `1m30s` or `2.5 ms`; 0 to 12 hours.
pub fn parse_duration(text: &str) -> Result<Nanos, String> {
    let no_duration = || format!("`{text}` is not a duration: expected {DURATION_EXAMPLES}");
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return Err(format!("`{text}` lacks a unit: expected {DURATION_EXAMPLES}"));
    }
    let span = SpanParser::new().parse_duration(text).map_err(|_| no_duration())?;
    if span.is_negative() {
        return Err(format!("`{text}` is negative: expected {DURATION_EXAMPLES}"));
    }
    match i64::try_from(span.as_nanos()) {
        Ok(nanos) if Nanos(nanos) <= LONGEST => Ok(Nanos(nanos)),
        _ => Err(format!(
            "`{text}` is longer than 12 hours, the longest that a recording can be: a WAV file ends at 4 GiB"
        )),
    }
}

/// Reads a duration that may have a sign, as in `-3ms` or `+20 us`.
pub(crate) fn parse_signed_duration(text: &str) -> Result<Nanos, String> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(span) => parse_duration(span).map(|span| -span),
        None => parse_duration(text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Writes a duration exactly, in the largest of `s`, `ms`, `us` and `ns` that needs no fraction.
pub fn duration_text(span: Nanos) -> String {
    let (divisor, unit) = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")]
        .into_iter()
        .find(|(divisor, _)| span.0 % divisor == 0)
        .unwrap_or((1, "ns"));
    format!("{}{unit}", span.0 / divisor)
}

/// Writes a duration that is at least this long as people say it: to the millisecond, as in `143ms` or `90.043s`.
pub(super) fn ample_text(span: Nanos) -> String {
    let millis = span.0.saturating_add(999_999) / 1_000_000;
    if millis < 1000 { format!("{millis}ms") } else { format!("{}s", millis as f64 / 1000.0) }
}

/// A share in percent, 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Reads a number with its percent sign.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(number) = text.trim().strip_suffix('%') else {
            return Err(format!("`{text}` lacks a percent sign: expected {PERCENT_EXAMPLES}"));
        };
        match number.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent)),
            _ => Err(format!("`{text}` is not {PERCENT_EXAMPLES}")),
        }
    }

    /// 100 %.
    pub(super) fn all() -> Self {
        Self(100.0)
    }

    /// A share from 0 to 1; what lies outside is brought to the nearer end.
    pub(super) fn of(fraction: f64) -> Self {
        // To a millionth of a percent, so that it is written as people would.
        Self((fraction.clamp(0.0, 1.0) * 1e8).round() / 1e6)
    }

    /// From 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let example = |_| "give it in percent and in quotes, as in \"1%\"".to_owned();
        deserializer.deserialize_any(Quantity { parse: Self::parse, expected: PERCENT_EXAMPLES, example })
    }
}

/// For serde's `with`: a duration as text.
pub(super) mod duration {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(span: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration_text(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nanos, D::Error> {
        let example = |number| format!("add a unit and quotes, as in \"{number}ms\" or \"{number}s\"");
        deserializer.deserialize_any(Quantity { parse: parse_duration, expected: DURATION_EXAMPLES, example })
    }

    pub(crate) fn serialize_some<S: Serializer>(span: &Option<Nanos>, serializer: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serialize(span, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// For a duration that may be left out; to be used with serde's `default`.
    pub(crate) fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Nanos>, D::Error> {
        deserialize(deserializer).map(Some)
    }
}

/// For serde's `with`: a duration that may have a sign.
pub(super) mod signed_duration {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(span: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
        duration::serialize(span, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nanos, D::Error> {
        let example = |number| format!("add a unit and quotes, as in \"{number}ms\" or \"{number}s\"");
        deserializer.deserialize_any(Quantity { parse: parse_signed_duration, expected: DURATION_EXAMPLES, example })
    }
}

/// Takes text, and answers a bare number with how to write it.
struct Quantity<T> {
    parse: fn(&str) -> Result<T, String>,
    expected: &'static str,
    example: fn(f64) -> String,
}

impl<T> Visitor<'_> for Quantity<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        if number.is_finite() {
            Err(E::custom(format!("`{number}` is a bare number: {}", (self.example)(number))))
        } else {
            Err(E::invalid_type(Unexpected::Float(number), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, nanos) in [
            ("20ms", 20_000_000),
            ("2.5ms", 2_500_000),
            ("1 s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("500us", 500_000),
            ("500µs", 500_000),
            ("7ns", 7),
            ("12h", 43_200_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_duration_is_said() {
        for (text, says) in [
            ("20", "lacks a unit"),
            ("-5ms", "negative"),
            ("13h", "12 hours"),
            ("20 parsecs", "not a duration"),
            ("", "not a duration"),
        ] {
            let message = parse_duration(text).unwrap_err();
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    #[test]
    fn a_share_needs_its_percent_sign() {
        assert_eq!(Percent::parse("1%").unwrap().fraction(), 0.01);
        assert_eq!(Percent::parse(" 0.5 % ").unwrap().fraction(), 0.005);
        for text in ["0.01", "101%", "-1%", "NaN%", "%", "one%"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_is_read_as_the_same(nanos in 0..=LONGEST.0) {
            prop_assert_eq!(parse_duration(&duration_text(Nanos(nanos))), Ok(Nanos(nanos)));
        }

        #[test]
        fn a_written_duration_with_a_sign_is_read_as_the_same(nanos in -LONGEST.0..=LONGEST.0) {
            prop_assert_eq!(parse_signed_duration(&duration_text(Nanos(nanos))), Ok(Nanos(nanos)));
        }

        #[test]
        fn an_ample_duration_suffices_and_exceeds_by_less_than_a_millisecond(nanos in 0..LONGEST.0 - 1_000_000) {
            let ample = parse_duration(&ample_text(Nanos(nanos))).unwrap();
            prop_assert!((0..1_000_000).contains(&(ample.0 - nanos)), "{}", ample_text(Nanos(nanos)));
        }

        #[test]
        fn a_written_share_is_read_as_the_same(percent in 0.0..=100.0f64) {
            prop_assert_eq!(Percent::parse(&Percent(percent).to_string()), Ok(Percent(percent)));
        }
    }
}
