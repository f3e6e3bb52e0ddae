//! A delay chosen by trial, as Jamulus has it: buffers of many sizes are simulated side by side, each counts the packets
//! that would have come too late for it, and the smallest that loses few enough is taken. The delay jumps; nothing is
//! stretched.
//!
//! Jamulus' buffers know no timestamps, so that a lost packet is an error of every size; here only a late one is, which
//! a greater size would mend.

use std::collections::VecDeque;

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::adaptive::Adjust;
use super::samples;
use crate::listener::PERIOD_SAMPLES;

/// How the policy of simulated buffers is set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuffersConfig {
    /// The largest buffer; sizes go in steps of 10 ms.
    pub max: Nanos,
    /// The size to begin with.
    pub start: Nanos,
    /// The share of packets that may come too late, 0 to 1.
    pub error_rate: f64,
}

impl Default for BuffersConfig {
    fn default() -> Self {
        Self { max: Nanos::from_millis(200), start: Nanos::from_millis(60), error_rate: 0.005 }
    }
}

/// Sizes are steps of 10 ms.
const STEP: i64 = PERIOD_SAMPLES as i64;
/// Packets over which each buffer's errors are counted: 10 s.
const MEMORY: usize = 500;
/// Packets before anything is believed, and for which a smaller size must have sufficed before it is taken.
const START_PACKETS: usize = 25;
const PATIENCE: u32 = 250;

#[derive(Debug)]
pub(super) struct Simulated {
    bound: f64,
    /// What the ear decides at once.
    period: i64,
    /// The smallest buffer, by its place in `losses`, that each of the last packets would have been in time for.
    needed: VecDeque<usize>,
    /// How many of these the buffer of (n + 1) steps would have lost.
    losses: Vec<u32>,
    chosen: usize,
    /// For how many packets a smaller size has sufficed.
    smaller_for: u32,
    changed: bool,
}

impl Simulated {
    pub(super) fn new(config: &BuffersConfig, period: i64) -> Self {
        let sizes = (samples(config.max) / STEP).max(1) as usize;
        let chosen = (samples(config.start) / STEP).clamp(1, sizes as i64) as usize - 1;
        let (needed, losses) = (VecDeque::with_capacity(MEMORY), vec![0; sizes]);
        Self { bound: config.error_rate, period, needed, losses, chosen, smaller_for: 0, changed: false }
    }

    /// Takes a packet that was received at a position of the ear, and whose first sample would begin at `due` if it had
    /// been as fast as the fastest and there were no delay.
    pub(super) fn note(&mut self, due: i64, received: i64) {
        if self.needed.len() == MEMORY
            && let Some(oldest) = self.needed.pop_front()
        {
            self.losses[..oldest].iter_mut().for_each(|losses| *losses -= 1);
        }
        // It is in time if its frame begins in the period that begins next, or later.
        let next_period = (received + self.period - 1).div_euclid(self.period) * self.period;
        let steps = usize::try_from((next_period - due + STEP - 1).div_euclid(STEP)).unwrap_or(0);
        let needed = steps.saturating_sub(1).min(self.losses.len());
        self.losses[..needed].iter_mut().for_each(|losses| *losses += 1);
        self.needed.push_back(needed);
        self.choose();
    }

    /// The delay to aim at, in samples.
    pub(super) fn target(&self) -> i64 {
        (self.chosen as i64 + 1) * STEP
    }

    /// What is to be done with this delay. A step's difference from the size is left alone: the fastest packet of the
    /// last seconds, from which delays count, changes all the time.
    pub(super) fn adjust(&mut self, delay: i64) -> Option<Adjust> {
        let by = self.target() - delay;
        let jump = std::mem::take(&mut self.changed) || by.abs() > STEP;
        (jump && by != 0).then_some(Adjust::Jump(by))
    }

    /// A larger size at once when it is needed, a smaller one only after it has long sufficed, with half the errors.
    fn choose(&mut self) {
        let packets = self.needed.len();
        if packets < START_PACKETS {
            return;
        }
        let tolerable = |losses: u32, bound: f64| f64::from(losses) <= bound * packets as f64;
        let smallest = |bound: f64| self.losses.iter().position(|losses| tolerable(*losses, bound));
        if !tolerable(self.losses[self.chosen], self.bound) {
            let enough = smallest(self.bound).unwrap_or(self.losses.len() - 1);
            self.take(enough);
        } else if let Some(size) = smallest(self.bound / 2.0).filter(|size| *size < self.chosen) {
            self.smaller_for += 1;
            if self.smaller_for >= PATIENCE {
                self.take(size);
            }
        } else {
            self.smaller_for = 0;
        }
    }

    fn take(&mut self, size: usize) {
        self.smaller_for = 0;
        self.changed |= size != self.chosen;
        self.chosen = size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 48;

    fn simulated() -> Simulated {
        Simulated::new(&BuffersConfig::default(), STEP)
    }

    /// Packets every 20 ms whose frames begin 3 ms into a period, each this much later than the fastest.
    fn feed(simulated: &mut Simulated, late_ms: impl Iterator<Item = i64>) {
        for (n, late) in (0..).zip(late_ms) {
            let due = 20 * MS * n + 3 * MS;
            simulated.note(due, due + late * MS);
        }
    }

    #[test]
    fn the_smallest_buffer_that_loses_few_enough_is_taken() {
        let mut simulated = simulated();
        // One in 50 is 34 ms late: at 40 ms its deadline would be 3 ms before the frame's turn, 37 ms after the fastest.
        feed(&mut simulated, (0..3000).map(|n| if n % 50 == 7 { 34 } else { 0 }));
        assert_eq!(simulated.target(), 40 * MS);
        feed(&mut simulated, (0..3000).map(|n| if n % 50 == 7 { 38 } else { 0 }));
        assert_eq!(simulated.target(), 50 * MS);
    }

    #[test]
    fn errors_below_the_bound_are_put_up_with() {
        let mut simulated = simulated();
        feed(&mut simulated, (0..5000).map(|n| if n % 500 == 7 { 100 } else { 0 }));
        assert_eq!(simulated.target(), 10 * MS);
    }

    #[test]
    fn a_smaller_buffer_is_taken_only_after_it_has_long_sufficed() {
        let mut simulated = simulated();
        feed(&mut simulated, (0..PATIENCE as usize + START_PACKETS - 2).map(|_| 0));
        assert_eq!(simulated.target(), 60 * MS);
        feed(&mut simulated, [0].into_iter());
        assert_eq!(simulated.target(), 10 * MS);
    }

    #[test]
    fn the_delay_jumps_to_the_size_and_stays_there() {
        let mut simulated = simulated();
        assert_eq!(simulated.adjust(60 * MS), None);
        feed(&mut simulated, (0..1000).map(|_| 0));
        assert_eq!(simulated.adjust(60 * MS), Some(Adjust::Jump(-50 * MS)));
        for delay in [10 * MS, 4 * MS, 20 * MS] {
            assert_eq!(simulated.adjust(delay), None, "{delay}");
        }
        assert_eq!(simulated.adjust(21 * MS), Some(Adjust::Jump(-11 * MS)));
    }

    #[test]
    fn where_no_size_suffices_the_largest_is_taken() {
        let mut simulated = simulated();
        feed(&mut simulated, (0..1000).map(|n| if n % 10 == 0 { 900 } else { 0 }));
        assert_eq!(simulated.target(), 200 * MS);
    }
}
