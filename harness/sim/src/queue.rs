//! What is going to happen, in the order in which it will.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use jiho_analysis::units::RunTime;

/// Which of the things that happen at one instant come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// What comes from outside: whoever looks at a deadline finds what arrived exactly in time.
    Arrival,
    /// What an engine asked to be woken for.
    Timer,
    /// The end of a node's part.
    Stop,
}

/// A queue ordered by time, then rank, then the order of entry.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    entered: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), entered: 0 }
    }

    pub(crate) fn push(&mut self, at: RunTime, rank: Rank, what: T) {
        self.heap.push(Reverse(Entry { key: (at, rank, self.entered), what }));
        self.entered += 1;
    }

    /// Takes out the first of what happens at `until` or before.
    pub(crate) fn pop(&mut self, until: RunTime) -> Option<(RunTime, T)> {
        let Reverse(first) = self.heap.peek()?;
        if first.key.0 > until {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.key.0, entry.what))
    }
}

#[derive(Debug)]
struct Entry<T> {
    key: (RunTime, Rank, u64),
    what: T,
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_one_instant_arrivals_come_before_timers_and_each_in_order_of_entry() {
        let mut queue = Queue::new();
        queue.push(RunTime(5), Rank::Stop, "stop");
        queue.push(RunTime(5), Rank::Timer, "timer");
        queue.push(RunTime(5), Rank::Arrival, "first packet");
        queue.push(RunTime(5), Rank::Arrival, "second packet");
        queue.push(RunTime(4), Rank::Stop, "earlier");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(RunTime(5))).map(|(_, what)| what).collect();
        assert_eq!(order, ["earlier", "first packet", "second packet", "timer", "stop"]);
    }

    #[test]
    fn what_is_later_stays_in_the_queue() {
        let mut queue = Queue::new();
        queue.push(RunTime(6), Rank::Arrival, ());
        assert_eq!(queue.pop(RunTime(5)), None);
        assert_eq!(queue.pop(RunTime(6)), Some((RunTime(6), ())));
    }
}
