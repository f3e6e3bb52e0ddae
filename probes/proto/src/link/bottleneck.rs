//! The slowest part of a way, where datagrams wait for each other.

use jiho_analysis::units::{Nanos, RunTime};

/// What a datagram has besides its UDP payload: the headers of IPv4 (RFC 791) and UDP (RFC 768).
pub const HEADER_BYTES: usize = 28;

/// A rate, and the queue before it: first come, first served; whatever finds it full is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// Bytes per second, headers of IP and UDP included ([`HEADER_BYTES`]).
    pub bytes_per_second: u64,
    /// When the queue is full.
    pub limit: QueueLimit,
}

/// When a queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// When a datagram would wait longer than this before its turn.
    Wait(Nanos),
    /// When it would hold more bytes than this, the datagram's own and those being sent included.
    Bytes(u64),
}

impl Bottleneck {
    fn span(&self, bytes: u64) -> Nanos {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        Nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

/// A bottleneck at work.
#[derive(Debug)]
pub(super) struct Queue {
    bottleneck: Bottleneck,
    /// When all that has been let in is through.
    busy_until: RunTime,
}

impl Queue {
    pub(super) fn new(bottleneck: Bottleneck) -> Self {
        Self { bottleneck, busy_until: RunTime(i64::MIN) }
    }

    /// When a datagram of `payload_bytes` that comes at `enters` is through, or `None` if the queue is full.
    pub(super) fn pass(&mut self, enters: RunTime, payload_bytes: usize) -> Option<RunTime> {
        let bytes = (payload_bytes + HEADER_BYTES) as u64;
        let turn = self.busy_until.max(enters);
        let wait = turn - enters;
        let own = self.bottleneck.span(bytes);
        let fits = match self.bottleneck.limit {
            QueueLimit::Wait(longest) => wait <= longest,
            QueueLimit::Bytes(most) => wait.0.saturating_add(own.0) <= self.bottleneck.span(most).0,
        };
        if !fits {
            return None;
        }
        self.busy_until = RunTime(turn.0.saturating_add(own.0));
        Some(self.busy_until)
    }
}

#[cfg(test)]
mod tests {
    use super::super::luck::Luck;
    use super::*;

    /// 1000 bytes with their headers last 10 ms.
    const RATE: u64 = 100_000;
    const PAYLOAD: usize = 1000 - HEADER_BYTES;

    fn queue(limit: QueueLimit) -> Queue {
        Queue::new(Bottleneck { bytes_per_second: RATE, limit })
    }

    fn ms(millis: i64) -> RunTime {
        RunTime::START + Nanos::from_millis(millis)
    }

    #[test]
    fn datagrams_that_come_at_once_leave_one_after_the_other() {
        let mut queue = queue(QueueLimit::Wait(Nanos::from_secs(1)));
        let exits: Vec<_> = [0, 0, 0, 100].map(|at| queue.pass(ms(at), PAYLOAD)).into_iter().flatten().collect();
        assert_eq!(exits, [ms(10), ms(20), ms(30), ms(110)]);
    }

    #[test]
    fn a_queue_that_is_full_by_time_drops_what_would_wait_longer() {
        let mut queue = queue(QueueLimit::Wait(Nanos::from_millis(20)));
        let let_in = [0; 5].map(|at| queue.pass(ms(at), PAYLOAD).is_some());
        assert_eq!(let_in, [true, true, true, false, false]);
        assert_eq!(queue.pass(ms(10), PAYLOAD), Some(ms(40)), "there is room again when one is through");
    }

    #[test]
    fn a_queue_that_is_full_by_bytes_drops_what_does_not_fit() {
        let mut queue = queue(QueueLimit::Bytes(2_500));
        assert_eq!([0; 3].map(|at| queue.pass(ms(at), PAYLOAD).is_some()), [true, true, false]);
        assert!(queue.pass(ms(0), 500 - HEADER_BYTES).is_some(), "a smaller one still fits");
    }

    #[test]
    fn what_comes_too_fast_gets_through_at_the_rate() {
        let mut queue = queue(QueueLimit::Wait(Nanos::from_millis(50)));
        let through = (0..10_000).filter(|at| queue.pass(ms(*at), PAYLOAD).is_some()).count();
        // Ten times too fast for 10 s, and what the queue holds at the end.
        assert!((1000..=1006).contains(&through), "{through}");
    }

    #[test]
    fn datagrams_that_come_by_chance_wait_as_long_as_queueing_theory_says() {
        let mut queue = queue(QueueLimit::Wait(Nanos::from_secs(1000)));
        let mut luck = Luck::new(&[7]);
        let (n, load) = (200_000, 0.6);
        let (mut at, mut waited) = (0.0_f64, 0.0);
        for _ in 0..n {
            at += -(1.0 - luck.uniform()).ln() * 0.010 / load;
            let enters = RunTime::START + Nanos::from_secs_f64(at);
            let exit = queue.pass(enters, PAYLOAD).unwrap();
            waited += (exit - enters).as_secs_f64() - 0.010;
        }
        // Pollaczek and Khinchine, for service of constant length: ρ s / (2 (1 − ρ)) = 7.5 ms.
        let mean_ms = waited / f64::from(n) * 1e3;
        assert!((mean_ms - 7.5).abs() < 0.3, "{mean_ms} ms");
    }

    #[test]
    fn absurd_settings_saturate_instead_of_overflowing() {
        let mut queue = Queue::new(Bottleneck { bytes_per_second: 0, limit: QueueLimit::Bytes(u64::MAX) });
        for _ in 0..3 {
            queue.pass(RunTime(i64::MAX - 1), usize::MAX / 2);
        }
    }
}
