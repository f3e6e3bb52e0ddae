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

/// In which slots there are beeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// In each.
    #[default]
    Every,
    /// As the Japanese time signal has it: of every ten, counted from 0, the first and the last three, so that with slots
    /// of a second a person hears three beeps and, on the tenth second, the mark. These four keep strict time; the next
    /// four begin a little earlier or later.
    Jiho,
}

impl Cadence {
    /// How many slots there are from one mark to the next.
    const JIHO: u64 = 10;

    /// Which draw of an instant a slot's beep begins by; `None`: it has no beep.
    fn draw(self, slot: u64) -> Option<u64> {
        match (self, slot % Self::JIHO) {
            (Self::Every, _) => Some(slot),
            (Self::Jiho, 0 | 7..) => Some((slot + 3) / Self::JIHO),
            (Self::Jiho, _) => None,
        }
    }
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
    /// Which of them have a beep.
    pub cadence: Cadence,
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
            .filter_map(|slot| Some((slot, self.cadence.draw(self.first + u64::from(slot))?)))
            .zip(0..)
            .map(|((slot, draw), beep)| Emission { beep, at: self.at(slot, draw) })
    }

    fn at(&self, slot: u32, draw: u64) -> RunTime {
        let mut rng = Pcg32::new(draw, self.key);
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
            cadence: Cadence::Every,
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
    fn in_the_cadence_of_the_time_signal_three_beeps_lead_up_to_each_mark() {
        let signal = Schedule { cadence: Cadence::Jiho, slots: 41, ..schedule(1) };
        let at: Vec<i64> = signal.emissions().map(|e| e.at.0).collect();
        let seconds: Vec<i64> = at.iter().map(|at| at / 1_000_000_000).collect();
        assert_eq!(seconds, [0, 7, 8, 9, 10, 17, 18, 19, 20, 27, 28, 29, 30, 37, 38, 39, 40]);
        assert!(at[1..].chunks(4).all(|four| four.windows(2).all(|pair| pair[1] - pair[0] == 1_000_000_000)));
        let groups: Vec<i64> = at[1..].chunks(4).map(|four| four[0] % 1_000_000_000).collect();
        assert!(groups.windows(2).all(|pair| pair[0] != pair[1]), "no two fours begin alike: {groups:?}");
        assert_eq!(signal.emissions().map(|e| e.beep).collect::<Vec<_>>(), (0..17).collect::<Vec<_>>());
    }

    #[test]
    fn speakers_that_take_turns_share_the_slots() {
        let turn = |turn| Schedule { turns: 3, turn, ..schedule(1) };
        let mut all: Vec<_> = (0..3).flat_map(|t| turn(t).emissions().map(|e| e.at).collect::<Vec<_>>()).collect();
        all.sort();
        assert_eq!(all, schedule(1).emissions().map(|e| e.at).collect::<Vec<_>>());
    }
}
