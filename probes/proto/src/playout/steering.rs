//! A policy at work on one stream: what it knows of the stream's packets, and what it wants done about the delay.
//!
//! The delay that is spoken of here is that of the fastest packet of the last 2 s, from its reception to the ear. All
//! quantities are samples, so that what the ear plays depends on receive stamps and on nothing else.

use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};

use super::PlayoutPolicy;
use super::adaptive::{Adaptive, Adjust};
use super::arrivals::Arrivals;
use super::simulated::Simulated;
use super::stretch::Stretcher;
use crate::codec::{Decoder, RATE};
use crate::event::PlayoutDecision;

/// From one stretch to the next, as NetEq has it: 60 ms.
const STRETCH_EVERY: i64 = 2_880;

#[derive(Debug)]
pub(super) struct Steering {
    level: Level,
    arrivals: Arrivals,
    stretcher: Stretcher,
    /// Where at the ear the last stretch was.
    stretched: i64,
    /// Room for what a jump puts in.
    more: Vec<f32>,
}

#[derive(Debug)]
enum Level {
    Fixed(Nanos),
    Adaptive(Adaptive),
    Simulated(Simulated),
}

impl Steering {
    /// A policy for an ear that decides `period` samples at once.
    pub(super) fn new(policy: &PlayoutPolicy, period: i64) -> Self {
        let level = match policy {
            PlayoutPolicy::Fixed { delay } => Level::Fixed(*delay),
            PlayoutPolicy::Adaptive(config) => Level::Adaptive(Adaptive::new(config)),
            PlayoutPolicy::Buffers(config) => Level::Simulated(Simulated::new(config, period)),
        };
        let (arrivals, stretcher) = (Arrivals::default(), Stretcher::default());
        Self { level, arrivals, stretcher, stretched: i64::MIN / 2, more: Vec::new() }
    }

    /// The delay that the policy aims at.
    pub(super) fn target(&self) -> Nanos {
        match &self.level {
            Level::Fixed(delay) => *delay,
            Level::Adaptive(adaptive) => RATE.span(adaptive.target()),
            Level::Simulated(simulated) => RATE.span(simulated.target()),
        }
    }

    /// Where at the ear a stream's first sample is played if it begins with a packet received at this instant.
    pub(super) fn anchor(&self, ear: &SampleClock, received: RunTime) -> MediaTime {
        ear.first_sample_from(received + self.target())
    }

    /// The stream begins anew: what came before says nothing about when its packets are due.
    pub(super) fn anchored(&mut self) {
        self.arrivals.forget();
    }

    /// Takes the reception of a packet, as a position at the ear, and its position on the stream's time line.
    pub(super) fn note(&mut self, received: i64, due: i64) {
        let relative = match self.level {
            Level::Fixed(_) => return,
            _ => self.arrivals.note(received, received - due),
        };
        match &mut self.level {
            Level::Fixed(_) => {}
            Level::Adaptive(adaptive) => adaptive.note(relative),
            Level::Simulated(simulated) => simulated.note(received - relative, received),
        }
    }

    /// Whether an empty buffer waits for the next packet, rather than giving it up, when the ear is so far ahead of the
    /// time line.
    pub(super) fn may_wait(&self, shift: i64) -> bool {
        match (&self.level, self.arrivals.fastest()) {
            (Level::Adaptive(adaptive), Some(fastest)) => adaptive.may_wait(shift - fastest),
            _ => false,
        }
    }

    /// Does to a decoded frame, which begins at a position of the ear, what the delay needs; gives what that was and by
    /// how many samples the delay has grown.
    pub(super) fn adjust(
        &mut self,
        shift: i64,
        at: i64,
        decoder: &mut Decoder,
        frame: &mut Vec<f32>,
    ) -> (PlayoutDecision, i64) {
        let adjust = match (&mut self.level, self.arrivals.fastest()) {
            (Level::Adaptive(adaptive), Some(fastest)) => adaptive.adjust(shift - fastest),
            (Level::Simulated(simulated), Some(fastest)) => simulated.adjust(shift - fastest),
            _ => None,
        };
        let rested = at - self.stretched >= STRETCH_EVERY;
        let before = frame.len() as i64;
        let done = match adjust {
            Some(Adjust::Jump(by)) => {
                jump(by, decoder, &mut self.more, frame);
                Some(PlayoutDecision::Rebased)
            }
            Some(Adjust::Accelerate { fast }) if rested => {
                self.stretcher.accelerate(fast, frame).map(|_| PlayoutDecision::Accelerated)
            }
            Some(Adjust::Expand) if rested => self.stretcher.expand(frame).map(|_| PlayoutDecision::Expanded),
            _ => None,
        };
        if done.is_some() {
            self.stretched = at;
        }
        (done.unwrap_or(PlayoutDecision::Normal), frame.len() as i64 - before)
    }

    /// Takes note of what is played of the stream.
    pub(super) fn played(&mut self, sound: &[f32]) {
        if matches!(self.level, Level::Adaptive(_)) {
            self.stretcher.played(sound);
        }
    }

    /// Takes note that nothing is.
    pub(super) fn silent(&mut self) {
        self.stretcher.silent();
    }
}

/// Goes over to a greater delay by concealment after the frame, or to a smaller one by leaving out the frame's end: most
/// of it at most, so that what is left to do is left to the frames that follow.
fn jump(by: i64, decoder: &mut Decoder, more: &mut Vec<f32>, frame: &mut Vec<f32>) {
    if by < 0 {
        let most = frame.len() - frame.len().div_ceil(8);
        frame.truncate(frame.len() - most.min(by.unsigned_abs() as usize));
    } else {
        decoder.conceal(by as usize, more);
        frame.extend_from_slice(more);
    }
}
