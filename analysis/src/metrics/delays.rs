//! The delay matrix: one summary per speaker and recorder, and one per tier.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::arrivals::{Observation, Role, Status};
use crate::stats::{self, Interval};
use crate::units::RunTime;

/// What a recorder is to a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Another speaker.
    Stage,
    /// A listener.
    Audience,
    /// The speaker itself.
    #[serde(rename = "self")]
    Own,
}

impl Relation {
    /// What `recorder`, in its role, is to `speaker`.
    pub fn of(speaker: &str, recorder: &str, role: Role) -> Self {
        match role {
            _ if speaker == recorder => Self::Own,
            Role::Speaker => Self::Stage,
            Role::Listener => Self::Audience,
        }
    }
}

/// The delays of one speaker at one recorder, in milliseconds. Figures over beeps that were heard, the weak included;
/// over ambiguous ones where there is nothing better.
#[derive(Clone, Debug, PartialEq)]
pub struct PairDelays {
    /// Beeps emitted.
    pub expected: usize,
    /// Beeps found, surely or weakly.
    pub heard: usize,
    /// Of those found, the weak ones.
    pub weak: usize,
    /// Beeps that fit at several delays: not counted as heard.
    pub ambiguous: usize,
    /// The distribution; `None` if nothing was found.
    pub distribution: Option<Distribution>,
    /// The drift of the delay in ppm; `None` where noise or too short a time would make it a guess.
    pub drift_ppm: Option<f64>,
    /// Where the delay jumped by 1 ms or more, in order of time.
    pub steps: Vec<Step>,
}

/// A sudden change of a delay: a jitter buffer that cut or put in sound, or another way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// When the first beep on the new level was sent.
    pub at: RunTime,
    /// The median delay from the step before until this one.
    pub before_ms: f64,
    /// The median delay from this step until the next.
    pub after_ms: f64,
}

/// A distribution of delays, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Ascending.
    pub sorted_ms: Vec<f64>,
    /// 95 % interval of the median: from the spread of beeps, and what may be wrong with all of them alike; `None` for
    /// fewer than [`stats::LEAST_FOR_INTERVAL`] beeps.
    pub median_interval_ms: Option<Interval>,
}

impl Distribution {
    /// The quantile `p`, 0 to 1.
    pub fn quantile_ms(&self, p: f64) -> f64 {
        stats::quantile(&self.sorted_ms, p).unwrap_or(f64::NAN)
    }

    /// The inter-quartile range.
    pub fn iqr_ms(&self) -> f64 {
        self.quantile_ms(0.75) - self.quantile_ms(0.25)
    }
}

/// Drift is given only if it is known to this, in ppm (95 %).
const DRIFT_WITHIN_PPM: f64 = 5.0;
/// Smaller changes are not called steps, in milliseconds.
const LEAST_STEP_MS: f64 = 1.0;

impl PairDelays {
    /// Summarises the observations of one speaker at one recorder, in order of time.
    pub fn of(observations: &[Observation]) -> Self {
        let count = |status: Status| observations.iter().filter(|o| o.status == status).count();
        let (sure, weak, ambiguous) = (count(Status::Heard), count(Status::Weak), count(Status::Ambiguous));
        let used = |o: &&Observation| match o.status {
            Status::Heard | Status::Weak => true,
            Status::Ambiguous => sure + weak == 0,
            Status::Missing => false,
        };
        let used: Vec<&Observation> = observations.iter().filter(used).collect();
        let at: Vec<f64> = used.iter().map(|o| o.emission.at.since_start().as_secs_f64()).collect();
        let ms: Vec<f64> = used.iter().filter_map(|o| Some(o.delay?.value.as_millis_f64())).collect();
        let steps = stats::steps(&ms, LEAST_STEP_MS);
        let ends: Vec<usize> =
            std::iter::once(0).chain(steps.iter().copied()).chain(std::iter::once(ms.len())).collect();
        let stretches: Vec<Range<usize>> = ends.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let levels: Vec<f64> = stretches.iter().filter_map(|stretch| stats::median(&ms[stretch.clone()])).collect();
        let steps = steps.iter().zip(levels.windows(2)).map(|(&first, levels)| Step {
            at: used[first].emission.at,
            before_ms: levels[0],
            after_ms: levels[1],
        });
        Self {
            expected: observations.len(),
            heard: sure + weak,
            weak,
            ambiguous,
            distribution: distribution(&ms, &used),
            steps: steps.collect(),
            drift_ppm: drift_ppm(&at, &ms, &stretches),
        }
    }

    /// Heard over expected; `None` if nothing was expected.
    pub fn heard_ratio(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.heard as f64 / self.expected as f64)
    }
}

fn distribution(ms: &[f64], used: &[&Observation]) -> Option<Distribution> {
    let sorted_ms = stats::sorted(ms);
    sorted_ms.first()?;
    // The codec's and the clock's share of a beep's interval is common to all beeps: their spread does not show it.
    let half: Vec<f64> =
        used.iter().filter_map(|o| Some((o.delay?.high - o.delay?.low).as_millis_f64() / 2.0)).collect();
    let common = stats::median(&half)?;
    let median_interval_ms =
        stats::median_interval(ms).map(|spread| Interval { low: spread.low - common, high: spread.high + common });
    Some(Distribution { sorted_ms, median_interval_ms })
}

/// The slope that the stretches between steps share.
fn drift_ppm(at: &[f64], ms: &[f64], stretches: &[Range<usize>]) -> Option<f64> {
    let trend = stats::theil_sen_in(at, ms, stretches)?;
    // A millisecond per second is a thousand parts in a million.
    (1.96 * trend.slope_sd * 1000.0 <= DRIFT_WITHIN_PPM).then_some(trend.slope * 1000.0)
}

/// The pairs of one relation together.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// How many pairs.
    pub pairs: usize,
    /// Beeps emitted, over all pairs.
    pub expected: usize,
    /// Beeps found, over all pairs.
    pub heard: usize,
    /// Beeps that fit at several delays, over all pairs.
    pub ambiguous: usize,
    /// The median over all beeps of all pairs, in milliseconds; `None` if nothing was found.
    pub median_ms: Option<f64>,
    /// The lowest and the highest median of a pair, in milliseconds.
    pub medians_ms: Option<(f64, f64)>,
}

/// Sums up the pairs of one relation.
pub fn tier<'a>(pairs: impl IntoIterator<Item = &'a PairDelays>) -> Tier {
    let pairs: Vec<&PairDelays> = pairs.into_iter().collect();
    let all: Vec<f64> =
        pairs.iter().filter_map(|p| p.distribution.as_ref()).flat_map(|d| d.sorted_ms.iter().copied()).collect();
    let medians: Vec<f64> = pairs.iter().filter_map(|p| p.distribution.as_ref()).map(|d| d.quantile_ms(0.5)).collect();
    let medians = stats::sorted(&medians);
    Tier {
        pairs: pairs.len(),
        expected: pairs.iter().map(|p| p.expected).sum(),
        heard: pairs.iter().map(|p| p.heard).sum(),
        ambiguous: pairs.iter().map(|p| p.ambiguous).sum(),
        median_ms: stats::median(&all),
        medians_ms: medians.first().copied().zip(medians.last().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Delay;
    use crate::signal::Emission;
    use crate::units::Nanos;

    fn observations(delays_ms: &[Option<f64>]) -> Vec<Observation> {
        (0u32..)
            .zip(delays_ms)
            .map(|(beep, ms)| {
                let delay = ms.map(|ms| {
                    let value = Nanos((ms * 1e6) as i64);
                    Delay { value, low: value - Nanos(70_000), high: value + Nanos(70_000) }
                });
                Observation {
                    emission: Emission { beep, at: RunTime(i64::from(beep) * 1_000_000_000) },
                    status: if ms.is_some() { Status::Heard } else { Status::Missing },
                    reason: None,
                    delay,
                    detection: None,
                }
            })
            .collect()
    }

    #[test]
    fn a_figure_never_stands_without_its_counts_and_interval() {
        let delays = [61.0, 62.0, 60.0, 61.0, 62.0, 60.0].map(Some);
        let pair = PairDelays::of(&observations(&[&delays[..], &[None, None]].concat()));
        assert_eq!((pair.expected, pair.heard), (8, 6));
        let distribution = pair.distribution.unwrap();
        assert!((distribution.quantile_ms(0.5) - 61.0).abs() < 1e-9);
        let interval = distribution.median_interval_ms.unwrap();
        assert!(interval.low <= 60.93 && interval.high >= 61.07, "{interval:?}");
        let few = PairDelays::of(&observations(&delays[..5]));
        assert_eq!(few.distribution.unwrap().median_interval_ms, None, "five beeps bound nothing at 95 %");
    }

    #[test]
    fn nothing_heard_gives_counts_and_no_figures() {
        let pair = PairDelays::of(&observations(&[None, None]));
        assert_eq!((pair.expected, pair.heard, pair.distribution), (2, 0, None));
    }

    #[test]
    fn a_drifting_card_is_told_from_a_stepping_buffer() {
        let drifting: Vec<_> = (0..60).map(|n| Some(60.0 + 0.05 * f64::from(n))).collect();
        let pair = PairDelays::of(&observations(&drifting));
        assert!((pair.drift_ppm.unwrap() - 50.0).abs() < 0.5);
        assert_eq!(pair.steps, []);
        let stepping: Vec<_> = (0..60).map(|n| Some(if n < 30 { 60.0 } else { 80.0 })).collect();
        let pair = PairDelays::of(&observations(&stepping));
        assert!(pair.drift_ppm.unwrap().abs() < 0.5);
        assert_eq!(pair.steps, [Step { at: RunTime(30_000_000_000), before_ms: 60.0, after_ms: 80.0 }]);
    }

    #[test]
    fn drift_is_told_although_the_buffer_steps_ever_so_often() {
        let delays: Vec<_> = (0..60).map(|n| Some(60.0 + 0.05 * f64::from(n) + 20.0 * f64::from(n / 6 % 2))).collect();
        let pair = PairDelays::of(&observations(&delays));
        assert_eq!(pair.steps.len(), 9);
        assert!((pair.drift_ppm.unwrap() - 50.0).abs() < 0.5, "{:?}", pair.drift_ppm);
    }

    #[test]
    fn drift_is_refused_where_it_would_be_noise() {
        let noisy: Vec<_> = (0..20).map(|n| Some(60.0 + 3.0 * f64::from(n * 7 % 11))).collect();
        assert_eq!(PairDelays::of(&observations(&noisy)).drift_ppm, None);
    }
}
