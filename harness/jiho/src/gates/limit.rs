//! Limits as text: `FIGURE < VALUE`, such as `speaker_to_audience.p95 < 400ms`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::amount;
use crate::figures::{Figure, FigureError};

/// What a figure must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// As it was written.
    pub text: String,
    /// Which figure.
    pub figure: Figure,
    /// On which side of the bound it has to be.
    pub side: Side,
    /// In the figure's unit.
    pub bound: f64,
}

/// How a figure has to compare with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Side {
    /// Whether a value is on it.
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
        }
    }

    /// Whether less is better.
    pub const fn is_ceiling(self) -> bool {
        matches!(self, Self::Less | Self::AtMost)
    }
}

/// Why a text is no limit, and where in it that shows, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct LimitError {
    /// What is wrong.
    pub problem: LimitProblem,
    /// Where.
    pub at: Range<usize>,
}

/// What is wrong with a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitProblem {
    /// Nothing is compared.
    #[error("a limit compares a figure with a value, and `{text}` has no <, <=, > or >=")]
    NoComparison {
        /// What was written.
        text: String,
    },
    /// A pair begins and does not end.
    #[error("this bracket is never closed")]
    OpenBracket,
    /// What is compared is no figure.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// What it is compared with is no value of the figure's unit.
    #[error("{0}")]
    Value(String),
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let (operator, side) = operator(text)?;
        let (left, right) = (&text[..operator.start], &text[operator.end..]);
        let figure: Figure = left
            .parse()
            .map_err(|error: FigureError| LimitError { at: trimmed(error.span(left), left), problem: error.into() })?;
        let bound = amount::parse(right, figure.unit()).map_err(|problem| {
            let at = trimmed(0..right.len(), right);
            let from = operator.end;
            // An empty value is missing behind the operator.
            let at = if at.is_empty() { operator.clone() } else { from + at.start..from + at.end };
            LimitError { problem: LimitProblem::Value(problem), at }
        })?;
        Ok(Self { text: text.trim().to_owned(), figure, side, bound })
    }
}

/// Where the comparison is: not within a pair's brackets, whose arrow is none.
fn operator(text: &str) -> Result<(Range<usize>, Side), LimitError> {
    let mut open = None;
    for (at, c) in text.char_indices() {
        match c {
            '[' => open = open.or(Some(at)),
            ']' => open = None,
            '<' | '>' if open.is_none() => {
                let or_equal = text[at + 1..].starts_with('=');
                let side = match (c, or_equal) {
                    ('<', false) => Side::Less,
                    ('<', true) => Side::AtMost,
                    (_, false) => Side::Greater,
                    (_, true) => Side::AtLeast,
                };
                return Ok((at..at + 1 + usize::from(or_equal), side));
            }
            _ => {}
        }
    }
    Err(match open {
        Some(at) => LimitError { problem: LimitProblem::OpenBracket, at: at..at + 1 },
        None => {
            let problem = LimitProblem::NoComparison { text: text.trim().to_owned() };
            LimitError { problem, at: trimmed(0..text.len(), text) }
        }
    })
}

/// A stretch of a text without the blanks at its ends.
fn trimmed(range: Range<usize>, text: &str) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (String, Side, f64) {
        let limit: Limit = text.parse().unwrap();
        (limit.figure.to_string(), limit.side, limit.bound)
    }

    #[test]
    fn limits_are_written_as_a_user_would_say_them() {
        for (text, figure, side, bound) in [
            ("speaker_to_audience.p95 < 400ms", "speaker_to_audience.p95", Side::Less, 400.0),
            ("promotion.silence.p95 < 300ms", "promotion.silence.p95", Side::Less, 300.0),
            ("chorus.spread.p95<30ms", "chorus.spread.p95", Side::Less, 30.0),
            ("heard_ratio > 0.98", "heard_ratio", Side::Greater, 0.98),
            ("relay.residence.p99 <= 2ms", "relay.residence.p99", Side::AtMost, 2.0),
            ("heard_ratio[* -> lena] >= 98%", "heard_ratio[* -> lena]", Side::AtLeast, 0.98),
            ("delay_step.count < 3", "delay_step.count", Side::Less, 3.0),
        ] {
            assert_eq!(parsed(text), (figure.to_owned(), side, bound), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        for (text, part, says) in [
            ("speaker_to_audiense.p95 < 400ms", "speaker_to_audiense.p95", "did you mean speaker_to_audience.p95"),
            ("  delay.average < 4ms", "average", "no statistic"),
            ("delay[lena].p95 < 4ms", "lena", "names no pair"),
            ("delay[ana -> lena.p95 < 4ms", "[", "never closed"),
            ("delay.p95 < 400", "400", "lacks a unit"),
            ("heard_ratio > 98 parsecs ", "98 parsecs", "no share"),
            ("delay.p95 <", "<", "not a duration"),
            ("delay.p95 = 4ms", "delay.p95 = 4ms", "has no <"),
        ] {
            let error = text.parse::<Limit>().unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert_eq!(&text[error.at.clone()], part, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_errors_lie_within_it(text in "\\PC{0,40}|[a-z_.\\[\\]<>= *0-9%-]{0,40}") {
            if let Err(error) = text.parse::<Limit>() {
                prop_assert!(text.get(error.at.clone()).is_some(), "{error:?}");
            }
        }

        #[test]
        fn a_limit_on_a_duration_is_read_whatever_its_spacing(
            whole in 0..100_000u32, before in " {0,3}", after in " {0,3}", operator in "[<>]=?",
        ) {
            let text = format!("delay.p95{before}{operator}{after}{whole}us");
            let limit: Limit = text.parse().unwrap();
            prop_assert!((limit.bound - f64::from(whole) / 1e3).abs() < 1e-9);
            prop_assert_eq!(limit.side.is_ceiling(), operator.starts_with('<'));
        }
    }
}
