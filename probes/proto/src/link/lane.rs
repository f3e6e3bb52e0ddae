//! One direction of one node's link while it carries datagrams.

use std::collections::BTreeMap;

use jiho_analysis::units::{Nanos, RunTime};

use super::bottleneck::Queue;
use super::loss::Losses;
use super::luck::Luck;
use super::{Direction, Flow, Wander};

/// Says of each datagram when it leaves, if at all.
#[derive(Debug)]
pub struct Lane {
    direction: Direction,
    losses: Losses,
    jitter: Luck,
    duplicates: Luck,
    queue: Option<Queue>,
    flows: BTreeMap<Flow, FlowState>,
    stats: LaneStats,
}

/// What became of the datagrams that entered: each is counted once, and a doubled one under `duplicated` too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Got through.
    pub passed: u64,
    /// Lost by the model of loss.
    pub lost: u64,
    /// Entered during an outage.
    pub in_outage: u64,
    /// Found the bottleneck's queue full.
    pub queue_full: u64,
    /// Got through twice.
    pub duplicated: u64,
}

impl LaneStats {
    /// All that did not get through.
    pub fn gone(&self) -> u64 {
        self.lost + self.in_outage + self.queue_full
    }
}

/// When a datagram leaves a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// `None`: never.
    pub leaves: Option<RunTime>,
    /// A second time, as a duplicate.
    pub again: Option<RunTime>,
}

impl Passage {
    const NEVER: Self = Self { leaves: None, again: None };

    /// Every time that it leaves.
    pub fn exits(self) -> impl Iterator<Item = RunTime> {
        self.leaves.into_iter().chain(self.again)
    }
}

#[derive(Debug, Default)]
struct FlowState {
    wander: Wander,
    /// When the last datagram leaves.
    last_exit: Option<RunTime>,
}

impl Lane {
    /// `path` names the lane's luck, as `[seed, node, direction]` does: equal paths meet equal luck.
    pub fn new(direction: Direction, path: [u64; 3]) -> Self {
        let [seed, node, way] = path;
        let luck = |purpose| Luck::new(&[seed, node, way, purpose]);
        Self {
            losses: Losses::new(direction.loss, luck(0)),
            jitter: luck(1),
            duplicates: luck(2),
            queue: direction.bottleneck.map(Queue::new),
            flows: BTreeMap::new(),
            stats: LaneStats::default(),
            direction,
        }
    }

    /// When a datagram that enters at `enters` leaves. Datagrams must be given in the order in which they enter.
    pub fn pass(&mut self, flow: Flow, enters: RunTime, payload_bytes: usize) -> Passage {
        let lost = self.losses.next_is_lost();
        let jitter = self.jitter.normal();
        let (doubled, again_jitter) =
            (self.duplicates.uniform() < self.direction.duplication, self.duplicates.normal());
        let state = self.flows.entry(flow).or_default();
        let jitter = state.wander.next(self.direction.correlation, jitter);
        if self.direction.outage_at(enters).is_some() {
            self.stats.in_outage += 1;
            return Passage::NEVER;
        }
        if lost {
            self.stats.lost += 1;
            return Passage::NEVER;
        }
        let Some(through) = self.queue.as_mut().map_or(Some(enters), |queue| queue.pass(enters, payload_bytes)) else {
            self.stats.queue_full += 1;
            return Passage::NEVER;
        };
        self.stats.passed += 1;
        let base = self.direction.delay_at(enters);
        let mut leave = |score| {
            let delay = Nanos(base.0.saturating_add(self.direction.jitter.at(score).0).max(0));
            let exit = later(through, delay);
            let last = state.last_exit.filter(|_| !self.direction.reorder).unwrap_or(exit);
            state.last_exit = Some(exit.max(last));
            exit.max(last)
        };
        let leaves = Some(leave(jitter));
        let again = doubled.then(|| leave(again_jitter));
        self.stats.duplicated += u64::from(doubled);
        Passage { leaves, again }
    }

    /// When a control message that enters at `enters` leaves: after the base delay, and if it meets an outage, as long
    /// after the outage's end, as if its transport had sent it again at that very moment. Such messages are never lost.
    /// Keeping those of one connection in order is the caller's part.
    pub fn carry(&self, enters: RunTime) -> RunTime {
        let mut enters = enters;
        while let Some(outage) = self.direction.outage_at(enters) {
            enters = outage.end();
        }
        later(enters, self.direction.delay_at(enters))
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> LaneStats {
        self.stats
    }
}

/// An instant plus a span. An absurd span leads to the end of time instead of overflowing.
fn later(at: RunTime, span: Nanos) -> RunTime {
    RunTime(at.0.saturating_add(span.0))
}

#[cfg(test)]
mod tests;
