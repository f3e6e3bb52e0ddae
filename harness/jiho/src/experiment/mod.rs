//! Experiments: one TOML file says who takes part, what sounds, how it travels, and for how long.
//!
//! A file becomes an experiment in three steps: its text is read as TOML, its keys are read into the `file` module's
//! types, and `check` fills in all defaults and finds what does not fit together. What comes out, [`Experiment`], is
//! the *effective* form: nothing optional is left in it, and written back as TOML it reads as itself.

mod check;
mod check_external;
mod check_links;
mod check_room;
mod check_serving;
mod drop_probe;
mod error;
mod external;
mod file;
mod gates;
mod geography;
mod host;
mod link;
mod mend;
mod one_of;
mod parts;
mod place;
mod playout;
mod roles;
mod room;
mod serving;
mod sing;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use jiho_analysis::signal::{Code, Programme, Signal as Rhythm};
use jiho_analysis::units::{Nanos, RunTime};
use serde::{Deserialize, Serialize};

use crate::gates::Gate;

pub use drop_probe::{DropProbe, Withhold};
pub use error::{ExperimentError, Invalid, Problem, Spot};
pub use external::{External, PlainRtp, Ready};
pub use gates::{Baseline, gate_from};
pub use geography::{Geography, Location};
pub use host::{Card, Clock, ClockStep, Host};
pub use link::{Bottleneck, BurstLoss, Direction, Empirical, Jitter, Link, Loss, Measured, Outage, RouteChange};
pub use parts::{Application, Codec, CodedSignal, Media, Opus, PilotSignal, Run, Sealing, Sframe, Signal, TonesSignal};
pub use playout::{Adaptive, Buffers, Playout};
pub use roles::{Event, Occasion, PromotionOptions, PromotionPart, RetransmitPart};
pub use room::{
    AudiobridgePart, Client, CommandPart, MeshPart, Mouths, MumblePart, Processing, Promoted, Room, VideoroomPart,
    WhipPart,
};
pub use serving::{Architecture, Arrival, Cascade, Edge, Mix, RelayPart, Segments, Through, Tier, Timing};
pub use sing::{ChorusPart, FollowPart, GridPart, Sing, TogetherPart};
pub use sweep::SweepPart;
pub use text::{LONGEST, Percent, duration_text, parse_duration, parse_signed_duration};

/// The commented experiment that a new user starts from.
pub const TEMPLATE: &str = include_str!("../../../../fixtures/experiments/first.toml");

/// An experiment with everything filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// Fit for a file's name.
    pub name: String,
    /// How long, and from which seed.
    pub run: Run,
    /// Which time signal speakers play.
    pub signal: Signal,
    /// How sound travels.
    pub media: Media,
    /// How sound reaches the stage.
    pub stage: Architecture,
    /// How sound reaches the audience.
    pub audience: Architecture,
    /// What is between.
    pub relay: RelayPart,
    /// Whose room it is; `None`: ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<Room>,
    /// How somebody comes from the audience to the stage.
    pub promotion: PromotionPart,
    /// By what a chorus is graded; `None`: the speakers are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chorus: Option<ChorusPart>,
    /// By name. Every name that a participant gives is there.
    #[serde(rename = "link")]
    pub links: BTreeMap<String, Link>,
    /// Where participants and relays are, by name.
    #[serde(rename = "place", skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, Location>,
    /// How sound travels from place to place.
    pub geography: Geography,
    /// The machines that participants sit at, by name.
    #[serde(rename = "host", skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Host>,
    /// On the stage; at least one, at most as many as there are codes.
    #[serde(rename = "speaker")]
    pub speakers: Vec<Speaker>,
    /// In the audience.
    #[serde(rename = "listener", skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
    /// What happens, in order of time.
    #[serde(rename = "event", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Whose packets are dropped on purpose; `None`: nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_probe: Option<DropProbe>,
    /// What its figures are held against.
    #[serde(rename = "gate", skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// What they are compared with; `None`: only what the command line names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// What `jiho sweep` varies; of no meaning for a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepPart>,
}

/// Somebody on the stage: sends and hears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speaker {
    /// Unique among all participants, and fit for a file's name.
    pub name: String,
    /// Unique among speakers.
    pub code: Code,
    /// At which relay of a cascade; `None` if there is one relay alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// A key of [`Experiment::links`].
    pub link: String,
    /// A key of [`Experiment::hosts`]; `None`: a machine without faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A key of [`Experiment::places`]; `None`: nobody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where its media comes from; `None`: any free port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<SocketAddr>,
    /// How it sings in a chorus; `None`: it plays what was planned, by its host's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sing: Option<Sing>,
    /// The jitter buffer's policy.
    pub playout: Playout,
}

/// Somebody in the audience: hears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listener {
    /// Unique among all participants, and fit for a file's name.
    pub name: String,
    /// Of somebody who is promoted; unique among all who speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// At which relay of a cascade; `None` if there is one relay alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// A key of [`Experiment::links`].
    pub link: String,
    /// A key of [`Experiment::hosts`]; `None`: a machine without faults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// In a room that is sealed end to end: does not have the key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keyless: bool,
    /// A key of [`Experiment::places`]; `None`: nobody has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where its media comes from; `None`: any free port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<SocketAddr>,
    /// The jitter buffer's policy.
    pub playout: Playout,
}

impl Experiment {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or is no experiment.
    pub fn load(path: &Path) -> Result<Self, ExperimentError> {
        Ok(Self::parse(&read(path)?, path)?)
    }

    /// Takes the text of a file; `origin` names it in messages, and names an experiment that does not name itself.
    ///
    /// # Errors
    /// The text is no experiment. All that does not fit together is told at once; what is not TOML, or has an unknown
    /// key or a wrong type, is told alone.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, Invalid> {
        let invalid = |problems| Invalid { origin: origin.display().to_string(), problems };
        let told = |error: &toml::de::Error, (message, mend)| {
            let spot = error.span().map(|span| Spot::new(text, span));
            invalid(vec![Problem { message, mend, spot }])
        };
        let table = toml::de::DeTable::parse(text).map_err(|e| told(&e, mend::syntax(e.message())))?;
        let deserializer = toml::Deserializer::from(table.clone());
        let file = file::File::deserialize(deserializer).map_err(|e| told(&e, mend::content(e.message())))?;
        check::check(text, table.get_ref(), file, origin).map_err(invalid)
    }

    /// The names of those whose ears are recorded.
    pub fn recorded(&self) -> impl Iterator<Item = &str> {
        self.everybody().filter(|name| self.run.records(name))
    }

    /// Everybody's name: speakers, then listeners.
    pub fn everybody(&self) -> impl Iterator<Item = &str> {
        let speakers = self.speakers.iter().map(|speaker| speaker.name.as_str());
        speakers.chain(self.listeners.iter().map(|listener| listener.name.as_str()))
    }

    /// The effective form as a file's text, which reads as the same experiment.
    pub fn to_toml(&self) -> String {
        // Plain data with string keys and numbers of 32 bits at most: serialising it cannot fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// The same without what it is held against, which changes nothing about a run.
    pub fn ungated(&self) -> Self {
        Self { gates: Vec::new(), baseline: None, ..self.clone() }
    }

    /// All relays, if there are several.
    pub fn edges(&self) -> &[Edge] {
        let edges = self.stage.edges();
        if edges.is_empty() { self.audience.edges() } else { edges }
    }

    /// The longest that a packet is likely to take between the participants' links: on the relay's own, there and
    /// back, and on all trunks.
    fn longest_passage(&self) -> Nanos {
        let passage = |name: &String| {
            self.links.get(name).map_or(Nanos::ZERO, |link: &Link| link.down.longest() + link.up.longest())
        };
        let links = self.relay.link.iter().chain(self.edges().iter().filter_map(|edge| edge.link.as_ref()));
        links.map(passage).fold(Nanos::ZERO, |sum, passage| sum + passage)
    }

    /// What each speaker plays, in the order of [`Experiment::speakers`], and then each listener with a code, when the
    /// first beep may sound at `start`.
    pub fn programmes(&self, start: RunTime) -> Vec<Programme> {
        let speakers = self.speakers.iter().map(|speaker| speaker.code);
        let codes: Vec<Code> = speakers.chain(self.listeners.iter().filter_map(|listener| listener.code)).collect();
        Rhythm::from(&self.signal).programmes(&codes, start, self.run.duration)
    }
}

/// The text of an experiment's file.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub fn read(path: &Path) -> Result<String, ExperimentError> {
    std::fs::read_to_string(path).map_err(|source| ExperimentError::Unreadable { path: path.to_owned(), source })
}
