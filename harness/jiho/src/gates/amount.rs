//! What a figure is held against, as people write it: `400ms`, `98%`, `12`, `90bpm`.

use crate::experiment::{Percent, parse_signed_duration};
use crate::figures::Unit;

/// Reads a value of a figure's unit.
///
/// # Errors
/// It is no value, or one of another unit; in words, with examples.
pub fn parse(text: &str, unit: Unit) -> Result<f64, String> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    match unit {
        Unit::Milliseconds => parse_signed_duration(text).map(|span| span.as_secs_f64() * 1e3),
        Unit::Ratio if text.ends_with('%') => Percent::parse(text).map(Percent::fraction),
        Unit::Ratio => number(text)
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| format!("`{text}` is no share: expected one such as \"98%\" or \"0.98\"")),
        Unit::Count => number(text).ok_or_else(|| format!("`{text}` is no number: expected one such as \"3\"")),
        Unit::BeatsPerMinute => number(text.strip_suffix("bpm").unwrap_or(text))
            .ok_or_else(|| format!("`{text}` is no tempo: expected one such as \"90bpm\"")),
    }
}

/// Writes a value with its unit, as finely as anybody wants to know it.
pub fn shown(value: f64, unit: Unit) -> String {
    if value.is_infinite() || value.abs() >= super::measured::NEVER {
        return "without end".to_owned();
    }
    match unit {
        Unit::Milliseconds => format!("{} ms", rounded(value, 3)),
        Unit::Ratio => format!("{} %", rounded(100.0 * value, 3)),
        Unit::Count => rounded(value, 2),
        Unit::BeatsPerMinute => format!("{} bpm", rounded(value, 2)),
    }
}

/// Writes a value so that [`parse`] reads it.
pub fn written(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => format!("{value}ms"),
        Unit::Ratio | Unit::Count => format!("{value}"),
        Unit::BeatsPerMinute => format!("{value}bpm"),
    }
}

/// To so many decimals, without zeros at the end.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_figures_unit() {
        for (text, unit, value) in [
            ("400ms", Unit::Milliseconds, 400.0),
            ("1.5 s", Unit::Milliseconds, 1500.0),
            ("-3ms", Unit::Milliseconds, -3.0),
            ("98%", Unit::Ratio, 0.98),
            ("0.98", Unit::Ratio, 0.98),
            ("3", Unit::Count, 3.0),
            ("90.5 bpm", Unit::BeatsPerMinute, 90.5),
        ] {
            assert_eq!(parse(text, unit), Ok(value), "{text}");
            assert_eq!(parse(&written(value, unit), unit), Ok(value), "{text}");
        }
        for (text, unit, says) in [
            ("400", Unit::Milliseconds, "lacks a unit"),
            ("98", Unit::Ratio, "no share"),
            ("inf", Unit::Count, "no number"),
            ("fast", Unit::BeatsPerMinute, "no tempo"),
        ] {
            assert!(parse(text, unit).unwrap_err().contains(says), "{text}");
        }
    }

    #[test]
    fn values_are_written_with_their_unit_and_no_idle_zeros() {
        assert_eq!(shown(86.4, Unit::Milliseconds), "86.4 ms");
        assert_eq!(shown(-0.0001, Unit::Milliseconds), "0 ms");
        assert_eq!(shown(0.9875, Unit::Ratio), "98.75 %");
        assert_eq!(shown(100.0, Unit::Count), "100");
        assert_eq!(shown(f64::INFINITY, Unit::Milliseconds), "without end");
    }
}
