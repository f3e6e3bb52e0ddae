//! The drop probe: an endpoint drops some of its own packets on purpose, so that who misses what tells how the room is
//! served. One that *comes* is thrown away before the jitter buffer, as if it had been lost on its last hop; one that
//! *goes* is not sent to one of its destinations, or to none of them. Nobody else's packets are touched.

use std::net::SocketAddr;

use jiho_analysis::metrics::topology::drops::Direction;
use jiho_analysis::units::{Nanos, RunTime};

use crate::event::{DroppedPacket, Event};
use crate::outbox::Outbox;

/// Which of its packets an endpoint drops: one at each turn, in and out alternately until one of the two budgets is
/// used up. A turn in which there is nothing to drop is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropProbe {
    /// When the first turn is.
    pub first: RunTime,
    /// From turn to turn.
    pub interval: Nanos,
    /// How many packets that come are dropped.
    pub incoming: u32,
    /// How many that go.
    pub outgoing: u32,
    /// To whom those are not sent.
    pub withhold: Withhold,
}

/// From whom a packet that goes is withheld.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Withhold {
    /// From one destination: each in its turn.
    #[default]
    FromOne,
    /// From all.
    FromAll,
}

/// Before a packet is dropped on its way in, so many at most are let in: of as many streams as come by turns, another
/// one is met each time.
const MOST_SPARED: u32 = 8;

/// A probe at work.
#[derive(Debug)]
pub(crate) struct Dropper {
    probe: DropProbe,
    /// When the next turn begins. It lasts until the one after it.
    turn: RunTime,
    /// How many have been dropped.
    dropped: [u32; 2],
    /// Packets that are still let in during this turn.
    spared: u32,
    /// What was dropped last on its way in: a duplicate of it would fill the hole.
    last: Option<(u32, u16)>,
}

impl Dropper {
    pub(crate) fn new(probe: DropProbe) -> Self {
        Self { turn: probe.first, probe, dropped: [0, 0], spared: 0, last: None }
    }

    /// Whether a packet that came at an instant is dropped.
    pub(crate) fn drops(&mut self, received: RunTime, ssrc: u32, sequence: u16, out: &mut Outbox) -> bool {
        if self.last == Some((ssrc, sequence)) {
            return true;
        }
        if !self.is_turn(Direction::In, received) {
            return false;
        }
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        self.dropped[0] += 1;
        self.turn = self.turn + self.probe.interval;
        self.spared = self.dropped[0] % MOST_SPARED;
        self.last = Some((ssrc, sequence));
        let dropped = DroppedPacket { direction: Direction::In, ssrc, sequence, destination: None, at: received };
        out.event(received, Event::Dropped(dropped));
        true
    }

    /// Which destinations get a packet whose last sample was captured at an instant; `None`: all of them.
    pub(crate) fn withholds(
        &mut self,
        captured: RunTime,
        ssrc: u32,
        sequence: u16,
        to: &[SocketAddr],
        out: &mut Outbox,
    ) -> Option<Vec<SocketAddr>> {
        if to.is_empty() || !self.is_turn(Direction::Out, captured) {
            return None;
        }
        let without = match self.probe.withhold {
            Withhold::FromOne => to.get(self.dropped[1] as usize % to.len()).copied(),
            Withhold::FromAll => None,
        };
        self.dropped[1] += 1;
        self.turn = self.turn + self.probe.interval;
        let dropped = DroppedPacket { direction: Direction::Out, ssrc, sequence, destination: without, at: captured };
        out.event(captured, Event::Dropped(dropped));
        Some(to.iter().copied().filter(|&address| without.is_some_and(|without| address != without)).collect())
    }

    fn is_turn(&mut self, direction: Direction, at: RunTime) -> bool {
        let [incoming, outgoing] = self.dropped;
        let both = self.probe.incoming.min(self.probe.outgoing);
        let next = if incoming < both || outgoing < both {
            if incoming == outgoing { Direction::In } else { Direction::Out }
        } else if incoming < self.probe.incoming {
            Direction::In
        } else if outgoing < self.probe.outgoing {
            Direction::Out
        } else {
            return false;
        };
        let interval = self.probe.interval.0.max(1);
        // What begins late does not make up for the turns before: holes would run into each other.
        if (at - self.turn).0 > interval {
            self.turn = self.turn + Nanos((at - self.turn).0.saturating_add(interval - 1) / interval * interval);
        }
        next == direction && at >= self.turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Output;

    const FRAME: Nanos = Nanos::from_millis(20);

    fn probe(incoming: u32, outgoing: u32, withhold: Withhold) -> Dropper {
        let (first, interval) = (RunTime::START + Nanos::from_secs(1), Nanos::from_millis(200));
        Dropper::new(DropProbe { first, interval, incoming, outgoing, withhold })
    }

    fn addresses(count: u8) -> Vec<SocketAddr> {
        (0..count).map(|n| SocketAddr::from(([10, 0, 0, n], 4000))).collect()
    }

    fn noted(out: &mut Outbox) -> Vec<DroppedPacket> {
        let event = |out: &mut Outbox| match out.fetch()? {
            Output::Event { event: Event::Dropped(packet), .. } => Some(packet),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| event(out)).collect()
    }

    /// Ten seconds of a call with two streams that come and one that goes.
    fn call(dropper: &mut Dropper, to: &[SocketAddr]) -> Vec<DroppedPacket> {
        let mut out = Outbox::default();
        for n in 0..500u16 {
            let at = RunTime::START + Nanos(FRAME.0 * i64::from(n));
            for ssrc in [7, 8] {
                dropper.drops(at, ssrc, n, &mut out);
            }
            dropper.withholds(at, 1, n, to, &mut out);
        }
        noted(&mut out)
    }

    #[test]
    fn budgets_are_used_up_in_turns_and_never_exceeded() {
        let dropped = call(&mut probe(3, 5, Withhold::FromOne), &addresses(1));
        let directions: Vec<_> = dropped.iter().map(|packet| packet.direction).collect();
        let (i, o) = (Direction::In, Direction::Out);
        assert_eq!(directions, [i, o, i, o, i, o, o, o]);
        assert!(dropped[0].at >= RunTime::START + Nanos::from_secs(1));
        let apart: Vec<i64> = dropped.windows(2).map(|pair| (pair[1].at - pair[0].at).0 / 1_000_000).collect();
        assert!(apart.iter().all(|apart| (160..=240).contains(apart)), "{apart:?}");
    }

    #[test]
    fn what_begins_late_is_dropped_from_turn_by_turn_and_not_at_once() {
        let (mut dropper, mut out) = (probe(5, 0, Withhold::FromOne), Outbox::default());
        for n in 0..200u16 {
            dropper.drops(RunTime::START + Nanos(1_750_000_000 + FRAME.0 * i64::from(n)), 7, n, &mut out);
        }
        let dropped = noted(&mut out);
        assert_eq!(dropped.len(), 5);
        assert!(dropped[0].at >= RunTime::START + Nanos::from_millis(1800), "the first turn that comes: {dropped:?}");
        let apart: Vec<i64> = dropped.windows(2).map(|pair| (pair[1].at - pair[0].at).0 / 1_000_000).collect();
        assert!(apart.iter().all(|apart| (100..=300).contains(apart)), "{apart:?}");
    }

    #[test]
    fn every_stream_that_comes_is_met() {
        let dropped = call(&mut probe(6, 0, Withhold::FromOne), &addresses(1));
        let of = |ssrc| dropped.iter().filter(|packet| packet.ssrc == ssrc).count();
        assert_eq!((of(7), of(8)), (3, 3));
    }

    #[test]
    fn a_duplicate_of_what_was_dropped_is_dropped_too_and_told_once() {
        let mut dropper = probe(1, 0, Withhold::FromOne);
        let at = RunTime::START + Nanos::from_secs(2);
        let mut out = Outbox::default();
        assert!(dropper.drops(at, 7, 42, &mut out));
        assert!(dropper.drops(at, 7, 42, &mut out));
        assert!(!dropper.drops(at, 7, 43, &mut out));
        assert_eq!(noted(&mut out).len(), 1);
    }

    #[test]
    fn each_destination_goes_without_in_its_turn_or_all_do() {
        let to = addresses(3);
        let without: Vec<_> =
            call(&mut probe(0, 4, Withhold::FromOne), &to).into_iter().map(|packet| packet.destination).collect();
        assert_eq!(without, [Some(to[0]), Some(to[1]), Some(to[2]), Some(to[0])]);
        let at = RunTime::START + Nanos::from_secs(2);
        let mut out = Outbox::default();
        assert_eq!(probe(0, 1, Withhold::FromOne).withholds(at, 1, 5, &to, &mut out), Some(to[1..].to_vec()));
        assert_eq!(probe(0, 1, Withhold::FromAll).withholds(at, 1, 5, &to, &mut out), Some(vec![]));
        assert_eq!(noted(&mut out).iter().map(|packet| packet.destination).collect::<Vec<_>>(), [Some(to[0]), None]);
    }
}
