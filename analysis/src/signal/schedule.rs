//! When beeps sound.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use super::Code;
use crate::units::{Nanos, RunTime};

/// A beep as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emission {
    /// Which beep of its speaker, from 0.
    pub beep: u32,
    /// The instant of its mark.
    pub at: RunTime,
}

/// One beep a slot. Where in its slot a beep begins is drawn from the slot's number, so that a sequence of beeps fits
/// its recording at one delay only: strictly periodic beeps could not tell a delay from the delay plus a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The start of slot 0.
    pub start: RunTime,
    /// The length of a slot.
    pub period: Nanos,
    /// Beeps begin within this time of their slot's start.
    pub spread: Nanos,
    /// How many slots there are.
    pub slots: u32,
    /// Of every so many slots …
    pub turns: u32,
    /// … this one is used: speakers whose signals carry no code take turns.
    pub turn: u32,
    /// Selects the sequence of offsets: the same key sounds together.
    pub key: u64,
    /// Where in that sequence slot 0 is: schedules that begin at different times sound together if they count slots
    /// from the same instant.
    pub first: u64,
}

impl Schedule {
    /// The key of a chorus: whoever uses it sounds at the same instants.
    pub const TOGETHER: u64 = u64::MAX;

    /// The key of a speaker who has its own instants.
    pub fn own_key(code: Code) -> u64 {
        u64::from(code.number())
    }

    /// All beeps, in order.
    pub fn emissions(&self) -> impl Iterator<Item = Emission> + '_ {
        (self.turn..self.slots)
            .step_by(self.turns.max(1) as usize)
            .zip(0..)
            .map(|(slot, beep)| Emission { beep, at: self.at(slot) })
    }

    fn at(&self, slot: u32) -> RunTime {
        let mut rng = Pcg32::new(self.first + u64::from(slot), self.key);
        // The first outputs of neighbouring states are alike: seeding through the generator's own mixer parts them.
        let mut rng = Pcg32::seed_from_u64(rng.next_u64());
        let unit = f64::from(rng.next_u32()) / 4_294_967_296.0;
        self.start + Nanos(self.period.0 * i64::from(slot)) + Nanos((self.spread.0 as f64 * unit) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(key: u64) -> Schedule {
        Schedule {
            start: RunTime::START,
            period: Nanos::from_secs(1),
            spread: Nanos::from_millis(300),
            slots: 3600,
            turns: 1,
            turn: 0,
            key,
            first: 0,
        }
    }

    #[test]
    fn offsets_fill_the_spread_and_stay_in_it() {
        let offsets: Vec<i64> = schedule(5).emissions().map(|e| e.at.0 - i64::from(e.beep) * 1_000_000_000).collect();
        assert!(offsets.iter().all(|&o| (0..300_000_000).contains(&o)));
        let mean = offsets.iter().sum::<i64>() / 3600;
        assert!((mean - 150_000_000).abs() < 6_000_000, "{mean}");
    }

    #[test]
    fn no_shift_by_whole_slots_looks_like_the_truth() {
        let at: Vec<i64> = schedule(Schedule::TOGETHER).emissions().map(|e| e.at.0).collect();
        for shift in 1..60usize {
            let alike = (0..64).filter(|&n| (at[n + shift] - at[n] - shift as i64 * 1_000_000_000).abs() < 10_000_000);
            assert!(alike.count() < 16, "shift {shift}");
        }
    }

    #[test]
    fn who_begins_later_joins_in_with_those_who_are_at_it() {
        let early: Vec<RunTime> = schedule(Schedule::TOGETHER).emissions().map(|e| e.at).collect();
        let late = Schedule { start: RunTime(7_000_000_000), first: 7, slots: 5, ..schedule(Schedule::TOGETHER) };
        assert_eq!(late.emissions().map(|e| e.at).collect::<Vec<_>>(), early[7..12]);
    }

    #[test]
    fn speakers_that_take_turns_share_the_slots() {
        let turn = |turn| Schedule { turns: 3, turn, ..schedule(1) };
        let mut all: Vec<_> = (0..3).flat_map(|t| turn(t).emissions().map(|e| e.at).collect::<Vec<_>>()).collect();
        all.sort();
        assert_eq!(all, schedule(1).emissions().map(|e| e.at).collect::<Vec<_>>());
    }
}
