//! Which architecture served stage and audience, from what ears heard alone.
//!
//! [`Observations`] are all that is ever looked at: delays and holes in sound, and what our own clients did themselves.
//! Nothing in them is configuration, and no architecture has a name there. Hosts' clocks need not agree: a *captured*
//! instant is one of the speaker's clock, an instant *at the ear* one of the ear's, and what is compared is compared
//! within one of them.

mod additive;
mod classes;
pub mod drops;
mod frames;
mod holes;
mod likelihoods;
mod numbers;
mod outcome;
mod ranking;
mod routes;
mod sealed;
mod series;
mod skew;
mod tetrads;
mod wander;
mod ways;

use serde::{Deserialize, Serialize};

use super::Relation;
use crate::arrivals::Role;
use crate::units::{MediaTime, Nanos, RunTime};
use drops::Drop;

pub use likelihoods::{Counts, CountsError};
pub use outcome::{Outcome, outcomes};
pub use ranking::{CONFIDENT, findings};

/// All that is known of a room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// Whose ears were recorded.
    pub ears: Vec<Ear>,
    /// Delays, of each pair in order of time.
    pub sightings: Vec<Sighting>,
    /// Where sound was missing, of each pair in order of time.
    pub holes: Vec<Hole>,
    /// What our own clients' packets took, of each pair in order of time, where a server passes them on as they are.
    pub passages: Vec<Passage>,
    /// Ears to whose own clients packets came, that know the numbers under which others of our clients sent theirs.
    pub receivers: Vec<String>,
    /// How clients came in, one each.
    pub greetings: Vec<Greeting>,
    /// Whether clients came in by another way than their packets took: then what greetings took says nothing of that.
    pub greeted_elsewhere: bool,
    /// Packets that our own clients dropped on purpose.
    pub drops: Vec<Drop>,
    /// Which of our own clients sealed what they sent end to end, with a key that no server has.
    pub sealed: Vec<String>,
}

/// Somebody who heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ear {
    /// The name in the room.
    pub name: String,
    /// On stage or in the audience.
    pub role: Role,
}

/// A speaker's sound at an ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Whose sound.
    pub speaker: String,
    /// At whose ear.
    pub recorder: String,
    /// When it was captured, by the speaker's clock.
    pub captured: RunTime,
    /// Mouth-to-ear delay: by the ear's clock when it was played, less `captured`. Offsets of clocks are in it.
    pub delay: Nanos,
    /// Where in the speaker's stream the captured instant is, at 48 kHz; `None` if the mouth was not ours.
    pub position: Option<MediaTime>,
}

/// What a second's packets of a speaker took to an ear, by our own clients' stamps.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Whose packets.
    pub speaker: String,
    /// To whose ear.
    pub recorder: String,
    /// When the quickest one's last sample was captured, by the speaker's clock.
    pub captured: RunTime,
    /// From there to its arrival, by the ear's clock. Offsets of clocks are in it.
    pub quickest: Nanos,
    /// The same of the median packet.
    pub usual: Nanos,
}

/// A client's coming: two stamps of its own clock around one of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Whose client.
    pub client: String,
    /// When it asked, by its own clock.
    pub asked: RunTime,
    /// When the server let it in, by the servers' clock.
    pub admitted: RunTime,
    /// When it heard so, by its own clock.
    pub joined: RunTime,
}

/// A stretch in which a speaker's sound is missing at an ear, though the delay after it is as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Whose sound is missing.
    pub speaker: String,
    /// At whose ear.
    pub recorder: String,
    /// Where it begins, by the ear's clock.
    pub at: RunTime,
    /// When the first sound that is missing was captured, by the speaker's clock.
    pub captured: RunTime,
    /// How much is missing.
    pub length: Nanos,
}

/// What may serve a stage or an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hypothesis {
    /// Everybody sends to each hearer directly.
    Mesh,
    /// One server passes on each speaker's packets.
    Forward,
    /// One server mixes.
    Mix,
    /// Several servers pass on each speaker's packets, to each other too.
    Cascade,
    /// The audience hears what is forwarded later than the stage does, by a delay line or in segments.
    DelayedForward,
    /// The audience hears a mix later than the stage hears, by a delay line or in segments.
    DelayedMix,
}

impl Hypothesis {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Mesh, Self::Forward, Self::Mix, Self::Cascade, Self::DelayedForward, Self::DelayedMix];

    /// What may serve those who end there.
    pub const fn of(tier: Relation) -> &'static [Self] {
        match tier {
            Relation::Stage => &[Self::Mesh, Self::Forward, Self::Mix, Self::Cascade],
            Relation::Audience => &Self::ALL,
            Relation::Own => &[],
        }
    }

    /// As files call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mesh => "mesh",
            Self::Forward => "forward",
            Self::Mix => "mix",
            Self::Cascade => "cascade",
            Self::DelayedForward => "delayed_forward",
            Self::DelayedMix => "delayed_mix",
        }
    }
}

/// What one kind of observation says about who serves a tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Stage or audience.
    pub tier: Relation,
    /// What kind of observation.
    pub kind: Kind,
    /// Natural logarithms of how likely the observation is by each hypothesis, of those of [`Hypothesis::of`] the tier;
    /// they are relative: only differences mean anything.
    pub log_likelihoods: Vec<(Hypothesis, f64)>,
    /// What was observed, in plain words.
    pub sentence: String,
}

/// A kind of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whether the frames of several speakers begin together at an ear.
    Frames,
    /// Whether delays are the sum of a speaker's and an ear's share.
    Additive,
    /// Whether the audience's ears fall into groups, which the stage's servers make.
    Servers,
    /// Whether the delays of several speakers move together at one ear.
    Wander,
    /// Whether several speakers' sound is missing at one ear at once.
    HolesAtEar,
    /// Whether one speaker's sound is missing at several ears at once.
    HolesOfSpeaker,
    /// Whether one speaker's sound moves against another's at all ears alike.
    Skew,
    /// How much more than the way takes is added to the audience's delays than to the stage's.
    Classes,
    /// Whether packets take the ways to a server, shorter ones, or longer ones.
    Ways,
    /// Whether what packets take is the sum of a speaker's and an ear's share.
    Tetrads,
    /// Whether packets came with the numbers that their mouths gave them.
    Numbers,
    /// That what was heard had been sealed end to end.
    Sealed,
    /// Who misses what our own client dropped.
    Drops,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Frames,
        Self::Additive,
        Self::Servers,
        Self::Wander,
        Self::HolesAtEar,
        Self::HolesOfSpeaker,
        Self::Skew,
        Self::Classes,
        Self::Ways,
        Self::Tetrads,
        Self::Numbers,
        Self::Sealed,
        Self::Drops,
    ];

    /// As files call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Additive => "additive",
            Self::Servers => "servers",
            Self::Wander => "wander",
            Self::HolesAtEar => "holes_at_ear",
            Self::HolesOfSpeaker => "holes_of_speaker",
            Self::Skew => "skew",
            Self::Classes => "classes",
            Self::Ways => "ways",
            Self::Tetrads => "tetrads",
            Self::Numbers => "numbers",
            Self::Sealed => "sealed",
            Self::Drops => "drops",
        }
    }
}

impl Kind {
    /// In a sentence.
    pub const fn described(self) -> &'static str {
        match self {
            Self::Frames => "where frames begin",
            Self::Additive => "how delays add up",
            Self::Servers => "the audience's groups",
            Self::Wander => "how delays move at one ear",
            Self::HolesAtEar => "the holes at each ear",
            Self::HolesOfSpeaker => "the holes of each speaker",
            Self::Skew => "how voices move against each other",
            Self::Ways => "what packets take",
            Self::Tetrads => "how packets' ways add up",
            Self::Numbers => "the packets' own numbers",
            Self::Classes => "what is added for the audience",
            Self::Sealed => "the end-to-end encryption",
            Self::Drops => "the drop probe",
        }
    }
}

/// What may be said about a tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Stage or audience.
    pub tier: Relation,
    /// All hypotheses, the likeliest first.
    pub ranking: Vec<Ranked>,
    /// It was one of these: the fewest of the likeliest that have it with the odds of [`CONFIDENT`] against all others
    /// together, the likeliest first. All of them, if the evidence rules out none.
    pub credible: Vec<Hypothesis>,
    /// By what.
    pub evidence: Vec<Evidence>,
    /// Unless one is named: what would tell the first two apart.
    pub would_decide: Option<String>,
}

impl Finding {
    /// How much that says.
    pub fn verdict(&self) -> Verdict {
        match self.credible.len() {
            1 => Verdict::Named,
            all if all == self.ranking.len() => Verdict::Undecided,
            _ => Verdict::Narrowed,
        }
    }
}

/// How likely a hypothesis is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Which.
    pub hypothesis: Hypothesis,
    /// Natural logarithm of its odds against all others together.
    pub log_odds: f64,
}

/// Whether the evidence separates hypotheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was the first.
    Named,
    /// It was one of the first few, and none of the others.
    Narrowed,
    /// It may have been any.
    Undecided,
}
