//! A singer of a chorus: a mouth that hears the room through its own ear, and sings each beat on what it has heard.
//!
//! All singers know the song: which beats it has and when, on a grid, each is due. What they hear and sing is thought of
//! as *lateness* against that grid, so that the song's rhythm is nobody's error and its tempo is everybody's inner
//! timekeeper. A beat is decided at the last moment, when the frame is filled that it begins in; what is heard too late,
//! or not at all, is replaced by the newest that was heard.

mod ear;
mod place;
mod way;

use std::collections::VecDeque;
use std::fmt;

use jiho_analysis::signal::{Code, Emission, Family, Programme};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};

use crate::link::Luck;
use crate::speaker::Mouth;
use ear::Ear;
pub use way::Way;

/// A beat that turns out to have been due by more than this part of a period ago is not sung any more.
const GRACE: i64 = 10;

/// What a singer is.
#[derive(Debug)]
pub struct SingerConfig {
    /// Its voice, and the song: when each beat is due on the grid.
    pub song: Programme,
    /// The family of its voice and of all others'.
    pub family: Family,
    /// From one beat to the next, but for the song's rhythm: about what a tempo is.
    pub period: Nanos,
    /// No beat is begun later than this.
    pub until: RunTime,
    /// On what it sings.
    pub way: Way,
    /// So much before it hears others it wants to hear itself: negative, after.
    pub advance: Nanos,
    /// Standard deviation of by how much a beat misses the instant that it was meant for, each for itself (the motor
    /// delay of Wing and Kristofferson 1973).
    pub motor_noise: Nanos,
    /// Tells its luck from others'.
    pub luck: Vec<u64>,
}

/// Sings a song.
pub struct Singer {
    song: Programme,
    sung: Programme,
    period: Nanos,
    until: RunTime,
    way: Way,
    advance: Nanos,
    motor_noise: Nanos,
    luck: Luck,
    /// By how much the next beat misses its instant.
    slip: Nanos,
    ear: Ear,
    /// Which beat is next.
    next: usize,
    /// Beats that were sung, with their lateness, and by how much they missed their instants.
    own: Vec<Option<Own>>,
    told: VecDeque<Emission>,
}

/// A beat of one's own.
#[derive(Clone, Copy, Debug)]
struct Own {
    lateness: Nanos,
    slip: Nanos,
}

impl Singer {
    /// Somebody who has not begun.
    pub fn new(config: SingerConfig) -> Self {
        let SingerConfig { song, family, period, until, way, advance, motor_noise, luck } = config;
        let mut luck = Luck::new(&luck);
        Self {
            sung: song.silent(),
            ear: Ear::new(family, &way.heeded(), period),
            slip: slip(&mut luck, motor_noise),
            own: vec![None; song.emissions().len()],
            next: 0,
            told: VecDeque::new(),
            song,
            period,
            until,
            way,
            advance,
            motor_noise,
            luck,
        }
    }

    /// When the next beat is to sound, by what is known at an instant; `None`: that is not known, or there is none.
    fn plan(&self, now: RunTime) -> Option<RunTime> {
        let due = self.song.emissions().get(self.next)?.at;
        let heard = |code: Code| self.ear.heard(code, now);
        let lateness = self.way.lateness(self.next, &self.own, self.advance, &heard)?;
        Some(due + lateness + self.slip)
    }

    fn sing(&mut self, at: RunTime) {
        let Some(&Emission { beep, at: due }) = self.song.emissions().get(self.next) else { return };
        self.own[self.next] = Some(Own { lateness: at - due, slip: self.slip });
        let emission = Emission { beep, at };
        self.sung.add(emission);
        self.told.push_back(emission);
        self.go_on();
    }

    fn go_on(&mut self) {
        self.next += 1;
        self.slip = slip(&mut self.luck, self.motor_noise);
    }
}

fn slip(luck: &mut Luck, motor_noise: Nanos) -> Nanos {
    Nanos::from_secs_f64(luck.normal() * motor_noise.as_secs_f64())
}

impl Mouth for Singer {
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        let (begin, end) = (clock.time(first), clock.time(first + out.len() as i64));
        while let Some(at) = self.plan(begin).filter(|&at| at < end) {
            // A beat that was missed is left out: to sing it late would only lead others astray.
            let missed = at < begin - Nanos(self.period.0 / GRACE);
            let at = self.sung.emissions().last().map_or(begin, |last| last.at.max(begin)).max(at);
            if missed || at > self.until {
                self.go_on();
            } else {
                self.sing(at);
            }
        }
        self.sung.render(clock, first, out);
    }

    fn hear(&mut self, clock: &SampleClock, first: MediaTime, samples: &[f32]) {
        let own = self.own.iter().flatten().last().map_or(Nanos::ZERO, |own| own.lateness);
        self.ear.hear(clock, first, samples, self.song.emissions(), own);
    }

    fn sung(&mut self) -> Option<Emission> {
        self.told.pop_front()
    }
}

impl fmt::Debug for Singer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singer").field("way", &self.way).field("next", &self.next).finish_non_exhaustive()
    }
}
