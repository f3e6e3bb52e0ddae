//! `events.csv`: one row per step of a change of somebody's role, and per coming and going, written as it happens.

use super::RunName;
use jiho_analysis::roles::{Change, Step};
use jiho_proto::event::{Event, StepTaken};
use serde::{Deserialize, Serialize};

/// What kind of event a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// At an endpoint: the relay let it in.
    Joined,
    /// At the relay: it let somebody in.
    Admitted,
    /// At the relay: it did not let somebody in; the detail says why.
    Refused,
    /// At the relay: a seat was given up.
    Left,
    /// At an endpoint: its part ended early; the detail says why.
    Failed,
    /// At an endpoint: somebody's stream was announced; the detail is its SSRC.
    Talker,
    /// At an endpoint: its ear plays from now on.
    EarOpened,
    /// At an endpoint: its mouth captures from now on; the detail is its SSRC.
    MouthOpened,
    /// At an endpoint: its mouth sends no more.
    MouthPaused,
    /// At an endpoint: its mouth sends again; the detail is the position of the first sample that is sent.
    MouthResumed,
    /// A step of a change; the columns `number`, `step` and `detail` say which.
    #[serde(untagged)]
    Change(Change),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The run.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    pub rep: u32,
    /// When.
    pub at_ns: i64,
    /// At whom: a participant, `relay`, or `moderator`.
    pub node: String,
    /// What.
    pub event: Kind,
    /// Whom it is about.
    pub subject: String,
    /// The relay's number for the change, from 1; empty for joining and leaving.
    pub change: Option<u32>,
    /// Of a change: how far it has got.
    pub step: Option<Step>,
    /// More, depending on the event and its step.
    pub detail: String,
}

impl EventRow {
    /// The row of an event at `node`; `None` for packets and what recordings say, which have a place of their own.
    pub fn of(run: &RunName, node: &str, at_ns: i64, event: &Event) -> Option<Self> {
        let about = |event, subject: &str, detail: String| Self {
            run_id: run.run_id.clone(),
            rep: run.rep,
            at_ns,
            node: node.to_owned(),
            event,
            subject: subject.to_owned(),
            change: None,
            step: None,
            detail,
        };
        let own = |event, detail| about(event, node, detail);
        Some(match event {
            Event::Joined => own(Kind::Joined, String::new()),
            Event::Failed { reason } => own(Kind::Failed, reason.clone()),
            Event::MouthOpened { ssrc, .. } => own(Kind::MouthOpened, ssrc.to_string()),
            Event::MouthPaused => own(Kind::MouthPaused, String::new()),
            Event::MouthResumed { from } => own(Kind::MouthResumed, from.0.to_string()),
            Event::EarOpened { .. } => own(Kind::EarOpened, String::new()),
            Event::Talker { name, ssrc } => about(Kind::Talker, name, ssrc.to_string()),
            Event::Admitted { name } => about(Kind::Admitted, name, String::new()),
            Event::Left { name } => about(Kind::Left, name, String::new()),
            Event::Refused { name, reason } => about(Kind::Refused, name, reason.clone()),
            Event::Step(StepTaken { number, change, subject, step, detail }) => {
                Self { change: *number, step: Some(*step), ..about(Kind::Change(*change), subject, detail.clone()) }
            }
            Event::Sent(_)
            | Event::Sung { .. }
            | Event::Dropped(_)
            | Event::Playout(_)
            | Event::Relayed(_)
            | Event::EarCut { .. } => return None,
        })
    }
}

impl Kind {
    /// Which change it is a step of, if it is one.
    pub fn change(self) -> Option<Change> {
        match self {
            Self::Change(change) => Some(change),
            _ => None,
        }
    }
}
