//! Random rooms of known architecture: what a method that names architectures from sound is calibrated on, and held
//! against.
//!
//! A seed draws who is where, over which links, with which jitter buffers and clocks, and who serves them. The truth goes
//! along beside the experiment; whoever judges a room is given its run's folder alone. Half of the rooms lose nothing.

mod dice;
mod draw;
mod hold;
mod table;

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::Hypothesis;
use serde::Serialize;

pub use draw::draw;
pub use hold::{Pilots, hold};
pub use table::{Count, Table};

/// A room that can be held, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomRoom {
    /// What it was drawn from.
    pub seed: u32,
    /// Who serves it.
    pub truth: Truth,
    /// The experiment's file.
    pub experiment: String,
    /// Whether its links lose packets.
    pub loses: bool,
    /// How many speak and how many listen.
    pub speakers: usize,
    /// In the audience.
    pub listeners: usize,
}

/// Who serves a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Truth {
    /// The stage.
    pub stage: Hypothesis,
    /// The audience.
    pub audience: Hypothesis,
}

/// What rooms are drawn for: thresholds are set on some, and reported on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To learn from.
    Calibrate,
    /// To be held against.
    Report,
}

impl Purpose {
    /// Its seeds, so many of them. No two purposes share any.
    pub fn seeds(self, count: u32) -> std::ops::Range<u32> {
        let first = match self {
            Self::Calibrate => 0,
            Self::Report => 1 << 31,
        };
        first..first + count.min((1 << 31) - 1)
    }
}

/// What is asked of a room besides chance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Some of those who take part drop packets on purpose.
    pub drop_probe: bool,
    /// No link loses anything.
    pub lossless: bool,
    /// Three or four speak and no more than four listen: what one machine can hold in real time, several at once, and
    /// what tells a mix from a server that forwards.
    pub few: bool,
}

impl Truth {
    /// All that a relay can serve: a mesh does not pass relays, so it is no part of a cascade.
    pub fn all() -> Vec<Self> {
        use Hypothesis::{Cascade, DelayedForward, DelayedMix, Forward, Mesh, Mix};
        let stages = [Mesh, Forward, Mix, Cascade];
        let audiences = [Forward, Mix, Cascade, DelayedForward, DelayedMix];
        let all = stages.into_iter().flat_map(|stage| audiences.map(|audience| Self { stage, audience }));
        all.filter(|truth| (truth.stage, truth.audience) != (Mesh, Cascade)).collect()
    }

    /// Who serves those who end there. An audience to which a stage's servers forward is served by all of them, even if its
    /// people are all at one.
    pub fn of(&self, tier: Relation) -> Hypothesis {
        match (tier, self.stage, self.audience) {
            (Relation::Stage, stage, _) => stage,
            (_, Hypothesis::Cascade, Hypothesis::Forward) => Hypothesis::Cascade,
            (_, _, audience) => audience,
        }
    }

    /// As tables call it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.stage.name(), self.audience.name())
    }
}
