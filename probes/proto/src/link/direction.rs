//! What a link does to datagrams, as settings.

use jiho_analysis::units::{Nanos, RunTime};

use super::{Bottleneck, Jitter, Loss};

/// A node's access to the network. A datagram travels its sender's `up`, then its receiver's `down`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// From the node.
    pub up: Direction,
    /// To the node.
    pub down: Direction,
}

impl Link {
    /// The same both ways, each with luck of its own.
    pub fn symmetric(direction: Direction) -> Self {
        Self { up: direction.clone(), down: direction }
    }
}

/// One direction of a link. The default is ideal: nothing is delayed, lost or changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Direction {
    /// The base delay of every datagram and control message, until a route change.
    pub delay: Nanos,
    /// When the base delay becomes another, in order of time.
    pub route_changes: Vec<RouteChange>,
    /// What a datagram's delay has beyond the base delay. The sum of both is never below zero.
    pub jitter: Jitter,
    /// How much of a datagram's jitter the next one of its flow has too, 0 to below 1: the correlation of their normal
    /// scores, see [`Wander`](super::Wander).
    pub correlation: f64,
    /// Which datagrams are lost.
    pub loss: Loss,
    /// Where datagrams wait for each other; `None`: all at once find room.
    pub bottleneck: Option<Bottleneck>,
    /// When nothing gets through.
    pub outages: Vec<Outage>,
    /// The probability that a datagram arrives twice, 0 to 1.
    pub duplication: f64,
    /// Whether jitter and route changes may let a datagram overtake another of its flow. Otherwise one that would do
    /// so arrives together with, and right after, the one before it, as in a queue.
    ///
    /// A flow is what goes from one address to another and, if it is RTP, with one SSRC: a relay's streams to one
    /// listener are as many flows. Flows wait for each other at a bottleneck only, so without one the delay does not
    /// depend on how many share the link. Within a flow, keeping order only ever makes a delay longer: the mean and the
    /// median of datagrams that follow each other closer than the jitter is wide lie above what the distribution says.
    /// Packets every 20 ms under normal jitter with an `sd` of 5 ms hardly notice: two in a thousand would have
    /// overtaken the one before.
    pub reorder: bool,
}

impl Direction {
    /// The base delay of what enters at an instant.
    pub fn delay_at(&self, enters: RunTime) -> Nanos {
        let last = self.route_changes.iter().rev().find(|change| change.at <= enters);
        last.map_or(self.delay, |change| change.delay).max(Nanos::ZERO)
    }

    /// The outage, if any, that meets what enters at an instant.
    pub fn outage_at(&self, enters: RunTime) -> Option<&Outage> {
        self.outages.iter().find(|outage| (outage.at..outage.end()).contains(&enters))
    }
}

/// A time during which nothing that enters gets through. What is under way already arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// From this instant on.
    pub at: RunTime,
    /// For so long.
    pub lasts: Nanos,
}

impl Outage {
    /// The first instant at which something gets through again.
    pub fn end(&self) -> RunTime {
        RunTime(self.at.0.saturating_add(self.lasts.0))
    }
}

/// Another way through the network: from an instant on the base delay is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// For what enters from here on.
    pub at: RunTime,
    /// The base delay from then on.
    pub delay: Nanos,
}
