//! Figures as they are written: `METRIC[SPEAKER -> EAR].STATISTIC`, of which the pair and the statistic may be left out.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Metric, Pairs, Stat};

/// One number of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What is measured.
    pub metric: Metric,
    /// Of whom.
    pub pairs: Pairs,
    /// What is made of it.
    pub stat: Stat,
}

/// Why a text names no figure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FigureError {
    /// There is no such metric.
    #[error("there is no metric {name:?}{}", mend(.nearest))]
    Metric {
        /// As it was written.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// What follows the metric is no statistic.
    #[error("{name:?} is no statistic: there are min, p05, median, p95, p99.9, max, iqr, mean, sum and count")]
    Stat {
        /// As it was written.
        name: String,
    },
    /// What stands in brackets names no pair.
    #[error("[{text}] names no pair: write [ana -> lena], [ana -> *] or [* -> lena]")]
    Pairs {
        /// What stands there.
        text: String,
    },
}

impl FigureError {
    /// Which part of the figure's text it is about, in bytes.
    pub fn span(&self, text: &str) -> Range<usize> {
        let (Self::Metric { name: part, .. } | Self::Stat { name: part } | Self::Pairs { text: part }) = self;
        match text.find(part.as_str()) {
            Some(at) if !part.is_empty() => at..at + part.len(),
            _ => 0..text.len(),
        }
    }
}

fn mend(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(": did you mean {name}?")).unwrap_or_default()
}

impl FromStr for Figure {
    type Err = FigureError;

    fn from_str(text: &str) -> Result<Self, FigureError> {
        let text = text.trim();
        let (metric, pairs, stat) = match (text.find('['), text.rfind(']')) {
            (Some(open), Some(close)) if open < close => {
                let within = &text[open + 1..close];
                let pairs = Pairs::parse(within).ok_or_else(|| FigureError::Pairs { text: within.to_owned() })?;
                (&text[..open], pairs, text[close + 1..].trim())
            }
            (None, None) => (text, Pairs::default(), ""),
            _ => {
                return Err(FigureError::Pairs { text: text.trim_start_matches(|c| c != '[').replace(['[', ']'], "") });
            }
        };
        let stat = match stat {
            "" => None,
            stat => {
                let name = stat.strip_prefix('.').unwrap_or(stat);
                Some(name.parse().map_err(|()| FigureError::Stat { name: name.to_owned() })?)
            }
        };
        let metric = metric.trim();
        if let Some(metric) = metric_of(metric) {
            return Ok(Self { metric, pairs, stat: stat.unwrap_or(metric.usual_stat()) });
        }
        // Without brackets the statistic is the last of the names, or what follows the metric's: p99.9 has a point too.
        let stem = metric.match_indices('.').map(|(dot, _)| dot);
        let known = stem.filter_map(|dot| Some((metric_of(&metric[..dot])?, &metric[dot + 1..]))).next_back();
        match (known, stat) {
            (Some((known, name)), None) => {
                let stat = name.parse().map_err(|()| FigureError::Stat { name: name.to_owned() })?;
                Ok(Self { metric: known, pairs, stat })
            }
            _ => Err(FigureError::Metric { name: metric.to_owned(), nearest: nearest(metric) }),
        }
    }
}

fn metric_of(name: &str) -> Option<Metric> {
    Metric::all().into_iter().find(|metric| metric.name() == name)
}

/// What may have been meant, with the statistic that was written.
fn nearest(name: &str) -> Option<String> {
    let (stem, stat) = match name.rsplit_once('.') {
        Some((stem, stat)) if stat.parse::<Stat>().is_ok() => (stem, format!(".{stat}")),
        _ => (name, String::new()),
    };
    let names = Metric::all().into_iter().map(Metric::name);
    let near = names.map(|known| (strsim::damerau_levenshtein(&known, stem), known));
    let (distance, known) = near.min()?;
    (distance * 2 <= known.len()).then(|| known + &stat)
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, pairs, stat } = self;
        write!(f, "{}{pairs}", metric.name())?;
        if *stat == metric.usual_stat() && matches!(stat, Stat::Mean) { Ok(()) } else { write!(f, ".{stat}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> String {
        text.parse::<Figure>().map_or_else(|error| error.to_string(), |figure| figure.to_string())
    }

    #[test]
    fn figures_are_named_as_a_user_would_name_them() {
        for name in [
            "speaker_to_audience.p95",
            "promotion.silence.p95",
            "promotion.silence[ben -> lena].max",
            "chorus.spread.p95",
            "chorus.stage.spread.p95",
            "heard_ratio",
            "heard_ratio[* -> lena]",
            "relay.residence.p99",
            "relay.residence.p99.9",
            "delay_step.count",
        ] {
            assert_eq!(parsed(name), name);
        }
        assert_eq!(parsed("speaker_to_speaker"), "speaker_to_speaker.median");
        assert_eq!(parsed(" heard_ratio [ ana->lena ] .min"), "heard_ratio[ana -> lena].min");
    }

    #[test]
    fn what_is_no_figure_is_refused_with_its_mend() {
        for (text, says) in [
            ("speaker_to_audiense.p95", "did you mean speaker_to_audience.p95?"),
            ("promotion.silense", "did you mean promotion.silence?"),
            ("speaker_to_audience.average", "\"average\" is no statistic"),
            ("speaker_to_audience[lena].p95", "[lena] names no pair"),
            ("speaker_to_audience[ana -> lena", "names no pair"),
            ("loudness", "there is no metric \"loudness\""),
            ("", "there is no metric \"\""),
        ] {
            assert!(parsed(text).contains(says), "{text}: {}", parsed(text));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Figure>();
        }

        #[test]
        fn what_is_written_is_read_again(
            metric in prop::sample::select(Metric::all()), percent in 0.0..=100.0f64,
            speaker in prop::option::of("[a-z]{1,8}"), ear in prop::option::of("[a-z]{1,8}"),
        ) {
            let stat = Stat::Quantile((percent * 10.0).round() / 1000.0);
            let figure = Figure { metric, pairs: Pairs { speaker, ear }, stat };
            let again: Figure = figure.to_string().parse().unwrap();
            prop_assert_eq!(again.to_string(), figure.to_string());
        }
    }
}
