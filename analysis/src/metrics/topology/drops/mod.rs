//! The drop probe: what our own clients dropped on purpose, and who missed it.
//!
//! A packet that a client *does not let in* was the last hop's: its hole is in one speaker's sound if it was forwarded,
//! and in everybody's at once if it was mixed; and it lies on the speaker's own frames, or on those of a mix. A packet
//! that a speaker's client *does not send to one destination* is missed by all ears behind that destination: by all, if
//! it is a server, by one in a mesh.
//!
//! Holes go unheard, and others come about by themselves; both are part of the likelihoods. How many go unheard depends
//! on the room: concealment of one speaker's packet is nearly always noticed, that of a mix in every second pilot, and
//! what a mixer conceals before it mixes at all ears or at none. So likelihoods are averaged over what may be.
//!
//! Coming packets compare instants of the ear's clock, going ones of the speaker's: no two clocks are compared.

mod grid;
mod heard;
mod pattern;
#[cfg(test)]
mod tests;
mod who;

use serde::{Deserialize, Serialize};

use super::outcome::counted;
use super::{Evidence, Hypothesis, Kind, Observations};
use crate::metrics::Relation;
use crate::units::{Nanos, RunTime};
use grid::Grid;
use heard::Probe;
use who::Said;

/// A packet that one of our own clients dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Whose client.
    pub client: String,
    /// Coming or going.
    pub direction: Direction,
    /// Coming: when it came, by the client's clock. Going: when its first sample was captured.
    pub at: RunTime,
    /// Coming: when the client's ear played what stood in for it, by the client's clock; `None`: that is not known.
    pub played: Option<RunTime>,
    /// How much sound was in it.
    pub length: Nanos,
    /// Going: the destination that it was not sent to, a name without meaning; `None`: it was sent to none.
    pub destination: Option<String>,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the client: it would have been played.
    In,
    /// From the client: it would have been sent.
    Out,
}

/// What the drop probe says about who serves a tier; `None`: no drop of anybody's says anything.
pub fn look(observations: &Observations, tier: Relation) -> Option<Evidence> {
    let probe = Probe::new(observations);
    let (coming, going, grid) = (who::coming(&probe, tier), who::going(&probe, tier), grid::look(&probe, tier));
    if coming.drops + going.drops + grid.holes() == 0 {
        return None;
    }
    let likelihood = |&hypothesis: &Hypothesis| {
        let mixed = matches!(hypothesis, Hypothesis::Mix | Hypothesis::DelayedMix);
        let of_coming = if mixed { coming.all + grid.mixed } else { coming.one + grid.forwarded };
        let of_going = if hypothesis == Hypothesis::Mesh { going.one } else { going.all };
        (hypothesis, of_coming + of_going)
    };
    let log_likelihoods = Hypothesis::of(tier).iter().map(likelihood).collect();
    Some(Evidence { tier, kind: Kind::Drops, log_likelihoods, sentence: sentence(tier, &coming, &going, &grid) })
}

fn sentence(tier: Relation, coming: &Said, going: &Said, grid: &Grid) -> String {
    let mut sentences = Vec::new();
    if coming.drops > 0 {
        sentences.push(format!(
            "Of {} packets that ears did not let in, {} were missing from one speaker's sound, and {} from everybody's \
             at once.",
            coming.drops, coming.in_one, coming.in_all
        ));
    }
    if grid.holes() > 0 {
        sentences.push(format!(
            "Of {} that such packets left, {} lay where the speakers' own frames do: {}.",
            counted(grid.holes(), "hole"),
            grid.on,
            if grid.on > grid.off { "they had been coded once" } else { "the others had been put into frames again" },
        ));
    }
    if going.drops > 0 {
        sentences.push(format!(
            "Of {} packets that speakers kept from one destination each, {} were missed by one ear of {}, {} by all, \
             and {} by none.",
            going.drops,
            going.in_one,
            if tier == Relation::Stage { "the stage" } else { "the audience" },
            going.in_all,
            going.in_none
        ));
    }
    sentences.join(" ")
}
