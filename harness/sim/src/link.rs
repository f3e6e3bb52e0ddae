//! What lies between a node and the core of the network: delay, jitter and loss, each way.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::wire::rtp;
use serde::{Deserialize, Serialize};

use crate::random::Luck;

/// A node's access to the network. A datagram travels its sender's `up`, then its receiver's `down`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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

/// One direction of a link. The default is ideal: no delay, no jitter, no loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Direction {
    /// The base delay of every datagram and control message.
    pub delay: Nanos,
    /// What a datagram's delay has beyond the base delay. The sum of both is never below zero.
    pub jitter: Jitter,
    /// The probability that a datagram is lost, 0 to 1, each one independently.
    pub loss: f64,
    /// Whether jitter may let a datagram overtake another of its flow. Otherwise one that would do so arrives together
    /// with, and right after, the one before it, as in a queue.
    ///
    /// A flow is what goes from one address to another and, if it is RTP, with one SSRC: a relay's streams to one
    /// listener are as many flows. Flows never wait for each other, so the delay does not depend on how many share
    /// the link. Within a flow, keeping order only ever makes a delay longer: the mean and the median of datagrams that
    /// follow each other closer than the jitter is wide lie above what the distribution says. Packets every 20 ms
    /// under normal jitter with an `sd` of 5 ms hardly notice: two in a thousand would have overtaken the one before.
    pub reorder: bool,
}

/// A distribution of delay beyond the base delay, drawn for each datagram independently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
}

impl Jitter {
    fn draw(&self, luck: &mut Luck) -> Nanos {
        match *self {
            Self::None => Nanos::ZERO,
            Self::Uniform { max } => Nanos::from_secs_f64(max.as_secs_f64() * luck.uniform()),
            Self::Normal { sd } => Nanos::from_secs_f64(sd.as_secs_f64() * luck.normal()),
            Self::LogNormal { median, sigma } => {
                Nanos::from_secs_f64(median.as_secs_f64() * (sigma * luck.normal()).exp())
            }
        }
    }
}

/// Datagrams that keep their order among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow {
    from: SocketAddr,
    to: SocketAddr,
    /// Whose stream, if it is RTP: a relay sends everybody's from one address.
    ssrc: Option<u32>,
}

impl Flow {
    /// The flow to which a datagram belongs.
    pub(crate) fn of(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Self {
        Self { from, to, ssrc: rtp::Packet::new_checked(data).ok().map(|packet| packet.ssrc()) }
    }
}

/// One direction of one node's link while it carries datagrams. Loss and jitter have streams of luck of their own,
/// so that other jitter loses the same datagrams.
#[derive(Debug)]
pub(crate) struct Lane {
    direction: Direction,
    loss: Luck,
    jitter: Luck,
    /// When the last datagram of each flow leaves, where order is kept.
    last_exits: BTreeMap<Flow, RunTime>,
}

impl Lane {
    /// `path` names the lane within the world: seed, node, direction.
    pub(crate) fn new(direction: Direction, path: [u64; 3]) -> Self {
        let [seed, node, way] = path;
        Self {
            direction,
            loss: Luck::new(&[seed, node, way, 0]),
            jitter: Luck::new(&[seed, node, way, 1]),
            last_exits: BTreeMap::new(),
        }
    }

    pub(crate) fn base_delay(&self) -> Nanos {
        self.direction.delay.max(Nanos::ZERO)
    }

    /// When a datagram that enters the lane at `enters` leaves it, or `None` if it is lost.
    /// Datagrams must be given in the order in which they enter.
    pub(crate) fn pass(&mut self, flow: Flow, enters: RunTime) -> Option<RunTime> {
        let lost = self.loss.uniform() < self.direction.loss;
        let jitter = self.direction.jitter.draw(&mut self.jitter);
        if lost {
            return None;
        }
        let delay = Nanos(self.direction.delay.0.saturating_add(jitter.0).max(0));
        let exit = later(enters, delay);
        if self.direction.reorder {
            return Some(exit);
        }
        let last_exit = self.last_exits.entry(flow).or_insert(exit);
        *last_exit = exit.max(*last_exit);
        Some(*last_exit)
    }
}

/// An instant plus a span. An absurd span leads to the end of time instead of overflowing.
pub(crate) fn later(at: RunTime, span: Nanos) -> RunTime {
    RunTime(at.0.saturating_add(span.0))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const N: i64 = 50_000;
    const BASE: Nanos = Nanos::from_millis(30);
    const FLOW: Flow = flow(1);

    /// A relay's stream to a listener.
    const fn flow(ssrc: u32) -> Flow {
        let (relay, listener) = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
        Flow { from: SocketAddr::new(relay, 4000), to: SocketAddr::new(listener, 4000), ssrc: Some(ssrc) }
    }

    /// The delays in ms of `N` datagrams so far apart that none waits for another; lost ones are absent.
    fn delays(jitter: Jitter, loss: f64) -> Vec<f64> {
        let mut lane = Lane::new(Direction { delay: BASE, jitter, loss, reorder: false }, [7, 0, 0]);
        (0..N)
            .filter_map(|n| {
                let enters = RunTime::START + Nanos::from_secs(n);
                Some((lane.pass(FLOW, enters)? - enters).as_millis_f64())
            })
            .collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn sd(values: &[f64]) -> f64 {
        let mean = mean(values);
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    fn quantile(values: &[f64], q: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[(q * (sorted.len() - 1) as f64) as usize]
    }

    #[test]
    fn an_ideal_direction_changes_nothing() {
        let mut lane = Lane::new(Direction::default(), [7, 0, 0]);
        assert_eq!(lane.pass(FLOW, RunTime(42)), Some(RunTime(42)));
    }

    #[test]
    fn without_jitter_every_datagram_takes_the_base_delay() {
        let delays = delays(Jitter::None, 0.0);
        assert_eq!(delays.len() as i64, N);
        assert!(delays.iter().all(|d| *d == 30.0));
    }

    #[test]
    fn the_share_of_lost_datagrams_is_the_loss() {
        // Standard deviation of the count: √(50 000 · 0.05 · 0.95) = 49.
        let lost = N - delays(Jitter::None, 0.05).len() as i64;
        assert!((2250..2750).contains(&lost), "{lost} lost");
        assert_eq!(delays(Jitter::None, 1.0).len(), 0);
    }

    #[test]
    fn other_jitter_loses_the_same_datagrams() {
        let lost = |jitter| {
            let mut lane = Lane::new(Direction { delay: BASE, jitter, loss: 0.1, reorder: false }, [7, 0, 0]);
            (0..1000).map(|n| lane.pass(FLOW, RunTime(n)).is_none()).collect::<Vec<_>>()
        };
        assert_eq!(lost(Jitter::None), lost(Jitter::Normal { sd: Nanos::from_millis(2) }));
    }

    #[test]
    fn uniform_jitter_spreads_evenly_over_its_width() {
        let delays = delays(Jitter::Uniform { max: Nanos::from_millis(10) }, 0.0);
        assert!(delays.iter().all(|d| (30.0..=40.0).contains(d)));
        for q in [0.1, 0.5, 0.9] {
            assert!((quantile(&delays, q) - (30.0 + 10.0 * q)).abs() < 0.2);
        }
    }

    #[test]
    fn normal_jitter_keeps_the_mean_and_has_its_standard_deviation() {
        let delays = delays(Jitter::Normal { sd: Nanos::from_millis(2) }, 0.0);
        assert!((mean(&delays) - 30.0).abs() < 0.05);
        assert!((sd(&delays) - 2.0).abs() < 0.05);
    }

    #[test]
    fn log_normal_jitter_has_its_median_and_its_tail() {
        let delays = delays(Jitter::LogNormal { median: Nanos::from_millis(4), sigma: 0.5 }, 0.0);
        assert!(delays.iter().all(|d| *d > 30.0));
        assert!((quantile(&delays, 0.5) - 34.0).abs() < 0.1);
        // Φ(1) = 0.8413: one standard deviation of the logarithm above the median.
        assert!((quantile(&delays, 0.8413) - (30.0 + 4.0 * 0.5_f64.exp())).abs() < 0.2);
    }

    #[test]
    fn a_delay_is_never_negative() {
        let jitter = Jitter::Normal { sd: Nanos::from_millis(20) };
        let mut lane =
            Lane::new(Direction { delay: Nanos::from_millis(1), jitter, loss: 0.0, reorder: true }, [7, 0, 0]);
        let exits: Vec<_> = (0..1000).filter_map(|_| lane.pass(FLOW, RunTime::START)).collect();
        assert!(exits.iter().all(|exit| *exit >= RunTime::START));
        assert!(exits.contains(&RunTime::START));
    }

    #[test]
    fn a_datagram_overtakes_another_only_where_reordering_is_asked_for() {
        let exits = |reorder| {
            let jitter = Jitter::Normal { sd: Nanos::from_millis(5) };
            let mut lane = Lane::new(Direction { delay: BASE, jitter, loss: 0.0, reorder }, [7, 0, 0]);
            (0..1000).filter_map(|n| lane.pass(FLOW, RunTime::START + Nanos::from_millis(n))).collect::<Vec<_>>()
        };
        assert!(exits(false).is_sorted());
        assert!(!exits(true).is_sorted());
    }

    #[test]
    fn the_median_delay_does_not_depend_on_how_many_flows_share_the_direction() {
        let median = |flows: u32| {
            let jitter = Jitter::Normal { sd: Nanos::from_millis(5) };
            let mut lane = Lane::new(Direction { delay: BASE, jitter, loss: 0.0, reorder: false }, [7, 0, 0]);
            let mut delays = Vec::new();
            for packet in 0..N / i64::from(flows) {
                let enters = RunTime::START + Nanos::from_millis(20 * packet);
                delays.extend(
                    (0..flows).filter_map(|ssrc| Some((lane.pass(flow(ssrc), enters)? - enters).as_millis_f64())),
                );
            }
            quantile(&delays, 0.5)
        };
        // Standard error of the median of 50 000: 1.25 · 5 ms / √50 000 = 0.03 ms.
        for flows in [1, 2, 8, 24] {
            assert!((median(flows) - 30.0).abs() < 0.15, "{flows} flows: {} ms", median(flows));
        }
    }

    #[test]
    fn the_streams_that_a_relay_sends_from_one_address_are_flows_of_their_own() {
        let rtp = |ssrc, sequence| {
            let (marker, payload_type, timestamp, payload) = (false, 96, 0, &[1, 2][..]);
            let mut bytes = Vec::new();
            rtp::Repr { marker, payload_type, sequence, timestamp, ssrc, payload }.emit(&mut bytes);
            bytes
        };
        let of = |data: &[u8]| Flow::of(FLOW.from, FLOW.to, data);
        assert_eq!(of(&rtp(1, 5)), flow(1));
        assert_eq!(of(&rtp(1, 6)), of(&rtp(1, 5)));
        assert_ne!(of(&rtp(2, 5)), of(&rtp(1, 5)));
        assert_eq!(of(b"not RTP").ssrc, None);
        assert_ne!(Flow::of(FLOW.to, FLOW.from, b""), of(b""));
    }

    #[test]
    fn absurd_settings_saturate_instead_of_overflowing() {
        let jitter = Jitter::LogNormal { median: Nanos(i64::MAX), sigma: 1e300 };
        let mut lane = Lane::new(Direction { delay: Nanos(i64::MAX), jitter, loss: 0.0, reorder: false }, [7, 0, 0]);
        assert_eq!(lane.pass(FLOW, RunTime(5)), Some(RunTime(i64::MAX)));
    }
}
