//! A run while it goes on: what ears play is listened to as it is kept, beeps are matched with what was sent as soon as
//! that is certain, and whoever watches is told.
//!
//! A thread of its own does it, behind a queue of its own. In real time nobody waits for it: what does not fit into the
//! queue is left out of what is watched, and counted; recordings have it. In virtual time waiting costs nothing, so that
//! what is told is as repeatable as the simulation. Memory does not grow with the run's length.

mod listener;
mod pairs;
mod queue;

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::{Nanos, RunTime};

use crate::report::RunName;

pub use listener::Listener;
pub(super) use queue::Feed;
pub use queue::Watch;

/// Somebody who takes part, and is told about by place in [`Begun::participants`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name in the room.
    pub name: String,
    /// At the beginning.
    pub role: Role,
    /// Of whoever speaks at some time.
    pub code: Option<Code>,
    /// Bound of the error of its clocks.
    pub clock_error: Nanos,
}

/// What is known of a run when it begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Which run, and which repetition.
    pub run: RunName,
    /// The experiment's name.
    pub experiment: String,
    /// The world's name.
    pub on: &'static str,
    /// Of all random numbers.
    pub seed: u32,
    /// What is listened for.
    pub family: Family,
    /// How long it will go on.
    pub total: Nanos,
    /// Everybody, in the experiment's order.
    pub participants: Vec<Person>,
}

/// Something that has become known. Speakers and ears are places in [`Begun::participants`].
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Somebody was let in.
    Joined {
        /// When.
        at: RunTime,
        /// Who.
        name: String,
    },
    /// A beep was heard.
    Heard(Heard),
    /// A beep was not heard, though later ones were, or should have been.
    Missed {
        /// Whose.
        speaker: usize,
        /// At whose ear.
        ear: usize,
        /// Which of the speaker's beeps.
        beep: u32,
        /// When it should have been heard.
        due: RunTime,
    },
    /// A speaker is heard again at an ear, after beeps that were missed; of pilots, after more than 30 ms without it.
    Gap {
        /// Whose sound.
        speaker: usize,
        /// At whose ear.
        ear: usize,
        /// When it was last heard: a beep's mark; of pilots to about 30 ms.
        from: RunTime,
        /// When it was heard again.
        to: RunTime,
    },
    /// A change of somebody's role has got so far.
    Step {
        /// When.
        at: RunTime,
        /// At whom.
        node: String,
        /// What changes.
        change: Change,
        /// For whom.
        subject: String,
        /// How far.
        step: Step,
        /// What the step's documentation says; else empty.
        detail: String,
    },
    /// Somebody's part ended early, or a command was in vain.
    Failed {
        /// When.
        at: RunTime,
        /// Whose.
        node: String,
        /// In words.
        reason: String,
    },
    /// Time has passed: so far the run has got.
    Reached(RunTime),
    /// The run is over, and all is told.
    Ended {
        /// How many updates were left out because the listener could not keep up.
        left_out: u64,
    },
}

/// A beep that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Whose.
    pub speaker: usize,
    /// At whose ear.
    pub ear: usize,
    /// Which of the speaker's beeps.
    pub beep: u32,
    /// When it arrived, by the ear's clock.
    pub at: RunTime,
    /// Mouth to ear. What the codec's mode did to it is still in it: up to 0.05 ms.
    pub delay: Nanos,
    /// Normalised correlation coefficient, 0 to 1.
    pub score: f64,
}

/// Told of a run as it goes on, on a thread of its own.
pub trait Watcher: Send {
    /// Something has become known. What is told in one run comes in the order in which it became known.
    fn told(&mut self, news: &News);

    /// Called several times a second, by the clock on the wall, for what is drawn.
    fn draw(&mut self) {}
}
