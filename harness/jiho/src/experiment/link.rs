//! `[link.*]`: what a participant's way to the network and back does to packets.

use std::fmt;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::link as model;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::one_of;
use super::text::{Percent, duration};

/// A participant's way to the network and back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Link {
    /// From the participant.
    pub up: Direction,
    /// To the participant.
    pub down: Direction,
}

impl Link {
    /// As lanes have it, in a run whose first beep may sound at `beeps`: the file counts its times from there.
    pub fn model(&self, beeps: RunTime) -> model::Link {
        model::Link { up: self.up.model(beeps), down: self.down.model(beeps) }
    }
}

/// One direction of a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Direction {
    /// One way.
    #[serde(with = "duration")]
    pub delay: Nanos,
    /// Which packets are lost.
    pub loss: Loss,
    /// `None`: every packet takes the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// How much of a packet's jitter the next one of its stream has too; below 100 %.
    pub jitter_correlation: Percent,
    /// Of packets that arrive twice.
    pub duplication: Percent,
    /// Whether packets of one stream may overtake each other.
    pub reorder: bool,
    /// Where packets wait for each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Bottleneck>,
    /// When nothing gets through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outage: Vec<Outage>,
    /// When the delay becomes another, in order of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub route_change: Vec<RouteChange>,
}

impl Direction {
    /// What hardly a packet exceeds.
    pub(super) fn longest(&self) -> Nanos {
        let routes = self.route_change.iter().map(|change| change.delay);
        let delay = routes.chain([self.delay]).max().unwrap_or_default();
        let queue = self.bottleneck.map_or(Nanos::ZERO, |bottleneck| bottleneck.longest());
        // Four standard deviations, 3 packets in 100 000; long tails are not waited for as long.
        let score = match self.jitter {
            None | Some(Jitter::Normal(_) | Jitter::Uniform(_)) => 4.0,
            Some(_) => 3.0,
        };
        let jitter = self.jitter.as_ref().and_then(Jitter::model).map_or(Nanos::ZERO, |jitter| jitter.at(score));
        Nanos(delay.0.saturating_add(queue.0).saturating_add(jitter.0.max(0)))
    }

    fn model(&self, beeps: RunTime) -> model::Direction {
        model::Direction {
            delay: self.delay,
            route_changes: self
                .route_change
                .iter()
                .map(|change| model::RouteChange { at: beeps + change.at, delay: change.delay })
                .collect(),
            jitter: self.jitter.as_ref().and_then(Jitter::model).unwrap_or_default(),
            correlation: self.jitter_correlation.fraction(),
            loss: self.loss.model(),
            bottleneck: self.bottleneck.map(|bottleneck| bottleneck.model()),
            outages: self
                .outage
                .iter()
                .map(|outage| model::Outage { at: beeps + outage.at, lasts: outage.lasts })
                .collect(),
            duplication: self.duplication.fraction(),
            reorder: self.reorder,
        }
    }
}

/// What varies the delay from packet to packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Jitter {
    /// Normally distributed, with this standard deviation.
    Normal(#[serde(with = "duration")] Nanos),
    /// Uniformly distributed, from nothing to this much more.
    Uniform(#[serde(with = "duration")] Nanos),
    /// Log-normally distributed: never less than the base delay, with a long tail.
    LogNormal {
        /// Half of all packets take at most this much more.
        #[serde(with = "duration")]
        median: Nanos,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Gamma distributed: never less than the base delay, as behind queues.
    Gamma {
        /// On average.
        #[serde(with = "duration")]
        mean: Nanos,
        /// The standard deviation.
        #[serde(with = "duration")]
        sd: Nanos,
    },
    /// Pareto distributed (second kind): never less than the base delay, with the longest tail.
    Pareto {
        /// Half of all packets take at most this much more.
        #[serde(with = "duration")]
        median: Nanos,
        /// The tail's exponent; the larger, the shorter.
        shape: f64,
    },
    /// One of these values, each as likely as the others.
    Empirical(Empirical),
}

impl Jitter {
    /// As lanes have it; `None` where the values do not make a distribution, which no checked experiment has.
    pub fn model(&self) -> Option<model::Jitter> {
        Some(match self {
            Self::Normal(sd) => model::Jitter::Normal { sd: *sd },
            Self::Uniform(max) => model::Jitter::Uniform { max: *max },
            Self::LogNormal { median, sigma } => model::Jitter::LogNormal { median: *median, sigma: *sigma },
            Self::Gamma { mean, sd } => model::Jitter::Gamma(model::Gamma::new(*mean, *sd)?),
            Self::Pareto { median, shape } => model::Jitter::Pareto { median: *median, shape: *shape },
            Self::Empirical(empirical) => {
                let delays = empirical.delays.iter().map(|delay| delay.0).collect();
                model::Jitter::Empirical(model::Empirical::new(delays)?)
            }
        })
    }
}

/// `jitter.empirical`: delays that were measured somewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Empirical {
    /// A CSV file beside the experiment's with a column `delay_ms` or `delay_ns`. The effective form has its values.
    #[serde(skip_serializing)]
    pub file: Option<String>,
    /// The values themselves.
    pub delays: Vec<Measured>,
}

/// A delay that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Measured(#[serde(with = "duration")] pub Nanos);

/// Which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Loss {
    /// This share of all, each for itself.
    Each(Percent),
    /// In bursts.
    Bursts(BurstLoss),
}

impl Loss {
    /// Whether anything is ever lost.
    pub fn is_none(&self) -> bool {
        self.model().share() == 0.0
    }

    /// As lanes have it.
    pub fn model(&self) -> model::Loss {
        match *self {
            Self::Each(share) => model::Loss::Independent(share.fraction()),
            Self::Bursts(BurstLoss::Gilbert { good_to_bad, bad_to_good, in_good, in_bad }) => {
                model::Loss::GilbertElliott {
                    good_to_bad: good_to_bad.fraction(),
                    bad_to_good: bad_to_good.fraction(),
                    in_good: in_good.fraction(),
                    in_bad: in_bad.fraction(),
                }
            }
        }
    }
}

impl Default for Loss {
    fn default() -> Self {
        Self::Each(Percent::default())
    }
}

/// A model of loss in bursts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BurstLoss {
    /// Gilbert's and Elliott's: the link is good or bad, and may change before each packet.
    Gilbert {
        /// How often a good link becomes bad.
        good_to_bad: Percent,
        /// How often a bad link becomes good: bad stretches have 100 % / this packets on average.
        bad_to_good: Percent,
        /// Of packets that are lost while it is good.
        #[serde(default)]
        in_good: Percent,
        /// Of packets that are lost while it is bad.
        #[serde(default = "Percent::all")]
        in_bad: Percent,
    },
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShareOrModel)
    }
}

/// A share as text, or a table with a model; bare numbers get the advice that shares give.
struct ShareOrModel;

impl<'de> Visitor<'de> for ShareOrModel {
    type Value = Loss;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a percentage such as \"1%\", or loss.gilbert")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Loss, E> {
        Percent::deserialize(text.into_deserializer()).map(Loss::Each)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Loss, E> {
        Percent::deserialize(number.into_deserializer()).map(Loss::Each)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Loss, E> {
        Percent::deserialize(number.into_deserializer()).map(Loss::Each)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Loss, A::Error> {
        one_of::deserialize(MapAccessDeserializer::new(map)).map(Loss::Bursts)
    }
}

/// Where packets wait for each other. Without any limit the queue holds 200 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bottleneck {
    /// Headers of IP and UDP included: 28 bytes a packet.
    pub bytes_per_second: u32,
    /// A packet that would wait longer is dropped.
    #[serde(default, deserialize_with = "duration::some", serialize_with = "duration::serialize_some")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Nanos>,
    /// A packet that would make the queue hold more bytes is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_bytes: Option<u32>,
}

impl Bottleneck {
    pub(super) const DEFAULT_QUEUE: Nanos = Nanos::from_millis(200);

    fn longest(&self) -> Nanos {
        let span = |bytes: u32| Nanos::from_secs_f64(f64::from(bytes) / f64::from(self.bytes_per_second.max(1)));
        match (self.queue, self.queue_bytes) {
            (Some(longest), _) => longest,
            (None, Some(bytes)) => span(bytes),
            (None, None) => Self::DEFAULT_QUEUE,
        }
    }

    fn model(&self) -> model::Bottleneck {
        let limit = match self.queue_bytes {
            Some(bytes) => model::QueueLimit::Bytes(bytes.into()),
            None => model::QueueLimit::Wait(self.longest()),
        };
        model::Bottleneck { bytes_per_second: self.bytes_per_second.into(), limit }
    }
}

/// A time during which nothing that is sent gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// After the start of the beeps.
    #[serde(with = "duration")]
    pub at: Nanos,
    /// For so long.
    #[serde(rename = "for", with = "duration")]
    pub lasts: Nanos,
}

/// Another way through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteChange {
    /// After the start of the beeps.
    #[serde(with = "duration")]
    pub at: Nanos,
    /// The delay, one way, from then on.
    #[serde(with = "duration")]
    pub delay: Nanos,
}
