//! Distributions of delay beyond the base delay, and how one datagram's leads to the next one's.

use std::f64::consts::SQRT_2;
use std::sync::Arc;

use jiho_analysis::units::Nanos;
use statrs::distribution::{ContinuousCDF, Gamma as GammaDistribution};
use statrs::function::erf::erfc;

use super::luck::Luck;

/// A distribution of delay beyond the base delay. Constant jitter is none: it belongs to the base delay.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Jitter {
    /// Always zero.
    #[default]
    None,
    /// Uniform from zero to `max`.
    Uniform {
        /// The largest value.
        max: Nanos,
    },
    /// Normal with mean zero: the base delay is then the mean delay, as long as it is several `sd`.
    Normal {
        /// The standard deviation.
        sd: Nanos,
    },
    /// Log-normal: never negative, with a long tail.
    LogNormal {
        /// The median.
        median: Nanos,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Gamma: never negative; what queues do to a packet comes close to it.
    Gamma(Gamma),
    /// Pareto's distribution from zero on (of the second kind, Lomax 1954): never negative, and the longest tail.
    Pareto {
        /// The median.
        median: Nanos,
        /// The tail's exponent: the larger, the shorter. There is a mean from above 1, a variance from above 2.
        shape: f64,
    },
    /// One of the values that were measured somewhere, each as likely as the others.
    Empirical(Empirical),
}

impl Jitter {
    /// The value that belongs to a normal score: as far into this distribution as `score` is into the normal one.
    pub fn at(&self, score: f64) -> Nanos {
        match self {
            Self::None => Nanos::ZERO,
            Self::Uniform { max } => times(*max, below(score)),
            Self::Normal { sd } => times(*sd, score),
            Self::LogNormal { median, sigma } => times(*median, (sigma * score).exp()),
            Self::Gamma(gamma) => gamma.at(score),
            Self::Pareto { median, shape } => {
                // Quantile of u: scale · ((1 − u)^(−1/shape) − 1).
                let tail = |rest: f64| rest.powf(-1.0 / shape) - 1.0;
                times(*median, tail(below(-score)) / tail(0.5))
            }
            Self::Empirical(empirical) => empirical.at(score),
        }
    }
}

/// A gamma distribution. Its quantiles have no closed form: they are worked out once, and shared by all clones.
#[derive(Clone, Debug, PartialEq)]
pub struct Gamma {
    mean: Nanos,
    sd: Nanos,
    /// In seconds, at the scores from −`LAST_SCORE` on, `PER_SCORE` to each unit.
    quantiles: Arc<[f64]>,
}

impl Gamma {
    const LAST_SCORE: f64 = 6.5;
    const PER_SCORE: f64 = 16.0;

    /// With this mean and standard deviation; `None` unless both are positive and their ratio is from 1:100 to 100:1.
    pub fn new(mean: Nanos, sd: Nanos) -> Option<Self> {
        let (m, s) = (mean.as_secs_f64(), sd.as_secs_f64());
        if mean.0 <= 0 || sd.0 <= 0 || !(0.01..=100.0).contains(&(m / s)) {
            return None;
        }
        // Of mean 1, so that its numbers are of a size that algorithms are made for.
        let shape = (m / s).powi(2);
        let distribution = GammaDistribution::new(shape, shape).ok()?;
        let points = (2.0 * Self::LAST_SCORE * Self::PER_SCORE) as usize;
        let score = |point: usize| point as f64 / Self::PER_SCORE - Self::LAST_SCORE;
        let quantiles = (0..=points).map(|point| m * distribution.inverse_cdf(below(score(point)))).collect();
        Some(Self { mean, sd, quantiles })
    }

    /// The mean.
    pub fn mean(&self) -> Nanos {
        self.mean
    }

    /// The standard deviation.
    pub fn sd(&self) -> Nanos {
        self.sd
    }

    fn at(&self, score: f64) -> Nanos {
        let position = (score + Self::LAST_SCORE) * Self::PER_SCORE;
        let position = position.clamp(0.0, (self.quantiles.len() - 1) as f64);
        let before = (position as usize).min(self.quantiles.len() - 2);
        let part = position - before as f64;
        Nanos::from_secs_f64(self.quantiles[before] * (1.0 - part) + self.quantiles[before + 1] * part)
    }
}

/// Delays that were measured, in order of size, shared by all clones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Empirical(Arc<[Nanos]>);

impl Empirical {
    /// Any order will do; `None` if there is none.
    pub fn new(mut delays: Vec<Nanos>) -> Option<Self> {
        delays.sort_unstable();
        (!delays.is_empty()).then(|| Self(delays.into()))
    }

    /// In order of size.
    pub fn delays(&self) -> &[Nanos] {
        &self.0
    }

    fn at(&self, score: f64) -> Nanos {
        let rank = (below(score) * self.0.len() as f64) as usize;
        self.0[rank.min(self.0.len() - 1)]
    }
}

/// Normal scores, each correlated with the one before: a first-order autoregression, whose every value has the standard
/// normal distribution.
///
/// A datagram's jitter is the quantile of its score, so every kind of jitter keeps its distribution exactly, however
/// much correlation there is (a Gaussian copula; Cario and Nelson 1996). The correlation of the delays themselves is
/// that of the scores for normal jitter, and slightly less for others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wander(Option<f64>);

impl Wander {
    /// The next score. `fresh` is a score drawn independently, `correlation` from 0 to 1.
    pub fn next(&mut self, correlation: f64, fresh: f64) -> f64 {
        let score = match self.0 {
            None => fresh,
            Some(last) => correlation * last + (1.0 - correlation * correlation).max(0.0).sqrt() * fresh,
        };
        self.0 = Some(score);
        score
    }
}

/// The share of a standard normal distribution below a score.
fn below(score: f64) -> f64 {
    erfc(-score / SQRT_2) / 2.0
}

/// Saturates where the product is beyond what a span can be.
fn times(span: Nanos, factor: f64) -> Nanos {
    Nanos::from_secs_f64(span.as_secs_f64() * factor)
}

/// Delays one after the other, without correlation, with luck of their own: for what is no link, such as a host that
/// wakes up late.
#[derive(Debug)]
pub struct Draws {
    jitter: Jitter,
    luck: Luck,
}

impl Draws {
    /// `path` names the stream of luck, as for [`Lane::new`](super::Lane::new).
    pub fn new(jitter: Jitter, path: &[u64]) -> Self {
        Self { jitter, luck: Luck::new(path) }
    }

    /// Never negative.
    pub fn next_delay(&mut self) -> Nanos {
        self.jitter.at(self.luck.normal()).max(Nanos::ZERO)
    }
}

#[cfg(test)]
mod tests;
