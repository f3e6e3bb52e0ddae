//! Statistics: from samples to one number.

use std::fmt;
use std::str::FromStr;

use jiho_analysis::stats;

/// What is made of samples.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Stat {
    /// A quantile, 0 to 1 (type 7 of Hyndman & Fan 1996): `min`, `p05`, `median`, `p99.9`, `max` …
    Quantile(f64),
    /// From the lower quartile to the upper one.
    Iqr,
    /// The arithmetic mean: of ratios their sum over what was expected.
    Mean,
    /// All together.
    Sum,
    /// How many.
    Count,
}

impl Stat {
    /// `None` of no samples, unless they are counted.
    pub fn of(self, samples: &[f64]) -> Option<f64> {
        let sorted = || stats::sorted(samples);
        let sum = || samples.iter().sum::<f64>();
        match self {
            Self::Count => Some(samples.len() as f64),
            _ if samples.is_empty() => None,
            Self::Quantile(p) => quantile(&sorted(), p),
            Self::Iqr => Some(quantile(&sorted(), 0.75)? - quantile(&sorted(), 0.25)?),
            Self::Mean => Some(sum() / samples.len() as f64),
            Self::Sum => Some(sum()),
        }
    }
}

/// Between a number and infinity lies infinity, and not what is no number.
fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let position = p * (sorted.len().checked_sub(1)? as f64);
    let above = sorted[position.ceil() as usize];
    if above.is_infinite() || position.fract() == 0.0 { Some(above) } else { stats::quantile(sorted, p) }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Quantile(0.0) => f.write_str("min"),
            Self::Quantile(0.5) => f.write_str("median"),
            Self::Quantile(1.0) => f.write_str("max"),
            // Rounded, lest 0.07 × 100 be seen not to be 7.
            Self::Quantile(p) => {
                let percent = (p * 1e8).round() / 1e6;
                if percent < 10.0 { write!(f, "p0{percent}") } else { write!(f, "p{percent}") }
            }
            Self::Iqr => f.write_str("iqr"),
            Self::Mean => f.write_str("mean"),
            Self::Sum => f.write_str("sum"),
            Self::Count => f.write_str("count"),
        }
    }
}

impl FromStr for Stat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "min" => Ok(Self::Quantile(0.0)),
            "median" => Ok(Self::Quantile(0.5)),
            "max" => Ok(Self::Quantile(1.0)),
            "iqr" => Ok(Self::Iqr),
            "mean" => Ok(Self::Mean),
            "sum" => Ok(Self::Sum),
            "count" => Ok(Self::Count),
            _ => {
                let percent = text.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
                let percent: f64 = percent.and_then(|digits| digits.parse().ok()).ok_or(())?;
                if percent <= 100.0 { Ok(Self::Quantile(percent / 100.0)) } else { Err(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_written_as_they_are_read() {
        for name in ["min", "p05", "p25", "median", "p95", "p99", "p99.9", "max", "iqr", "mean", "sum", "count"] {
            assert_eq!(name.parse::<Stat>().unwrap().to_string(), name);
        }
        assert_eq!("p50".parse(), Ok(Stat::Quantile(0.5)));
        assert_eq!("p5".parse::<Stat>().unwrap().to_string(), "p05");
        for wrong in ["p", "p101", "pinf", "p-1", "P95", "average"] {
            assert!(wrong.parse::<Stat>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_never_was_heard_again_is_later_than_any_delay() {
        let silences = [10.0, 20.0, f64::INFINITY];
        assert_eq!(Stat::Quantile(0.5).of(&silences), Some(20.0));
        assert_eq!(Stat::Quantile(0.95).of(&silences), Some(f64::INFINITY));
        assert_eq!(Stat::Quantile(1.0).of(&silences), Some(f64::INFINITY));
        assert_eq!((Stat::Mean.of(&[]), Stat::Count.of(&[])), (None, Some(0.0)));
    }
}
