//! A run as it goes on, for programs: one JSON object per line, each whole by itself and handed on at once.

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::signal::Code;
use schemars::JsonSchema;
use serde::Serialize;

use super::RunName;
use super::pairs::{self, PairRow};
use crate::run::Outcome;
use crate::run::watch::{Begun, News};

/// Which run a line is of.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Of {
    /// The same for all repetitions.
    run_id: String,
    /// From 1.
    rep: u32,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Participant {
    name: String,
    #[schemars(with = "String")]
    role: Role,
    /// Of whoever speaks at some time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u8>")]
    code: Option<Code>,
}

/// A line. Times are nanoseconds since the run's start.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    /// A run begins.
    Begun {
        #[serde(flatten)]
        of: Of,
        /// The experiment's name.
        experiment: String,
        /// `sim` or `loopback`.
        on: String,
        seed: u32,
        /// What sounds: a family of time signals.
        family: String,
        /// How long it will go on.
        total_ns: i64,
        participants: Vec<Participant>,
    },
    /// Somebody was let in.
    Joined {
        #[serde(flatten)]
        of: Of,
        at_ns: i64,
        name: String,
    },
    /// A beep was heard. If it was said to be missed before, it no longer is.
    Heard {
        #[serde(flatten)]
        of: Of,
        speaker: String,
        recorder: String,
        beep: u32,
        /// When it arrived.
        at_ns: i64,
        /// Mouth to ear; what the codec's mode did to the beep, up to 0.05 ms, is still in it.
        delay_ns: i64,
        /// Normalised correlation coefficient, 0 to 1.
        score: f64,
    },
    /// A beep was not heard.
    Missed {
        #[serde(flatten)]
        of: Of,
        speaker: String,
        recorder: String,
        beep: u32,
        /// When it should have been heard.
        due_ns: i64,
    },
    /// A speaker is heard again at an ear.
    Gap {
        #[serde(flatten)]
        of: Of,
        speaker: String,
        recorder: String,
        /// When it was last heard.
        from_ns: i64,
        /// When it was heard again.
        to_ns: i64,
    },
    /// A change of somebody's role has got so far, as in events.csv.
    Step {
        #[serde(flatten)]
        of: Of,
        at_ns: i64,
        node: String,
        #[schemars(with = "String")]
        event: Change,
        subject: String,
        #[schemars(with = "String")]
        step: Step,
        detail: String,
    },
    /// Somebody's part ended early, or a command was in vain.
    Failed {
        #[serde(flatten)]
        of: Of,
        at_ns: i64,
        node: String,
        reason: String,
    },
    /// The run is over, and will now be measured from its recordings.
    Ended {
        #[serde(flatten)]
        of: Of,
        /// Updates that were left out above, because they could not be listened to as fast as they came.
        left_out: u64,
    },
    /// The run is measured; its pairs follow.
    Measured {
        #[serde(flatten)]
        of: Of,
        folder: String,
        /// It ended before its time.
        partial: bool,
        failures: Vec<String>,
    },
    /// A row of pairs.csv.
    Pair(Box<PairRow>),
}

impl Of {
    fn run(name: &RunName) -> Self {
        Self { run_id: name.run_id.clone(), rep: name.rep }
    }
}

impl Line {
    /// The first line of a run.
    pub(crate) fn begun(begun: &Begun) -> Self {
        let participants = begun.participants.iter();
        Self::Begun {
            of: Of::run(&begun.run),
            experiment: begun.experiment.clone(),
            on: begun.on.to_owned(),
            seed: begun.seed,
            family: begun.family.name().to_owned(),
            total_ns: begun.total.0,
            participants: participants
                .map(|person| Participant { name: person.name.clone(), role: person.role, code: person.code })
                .collect(),
        }
    }

    /// Something that has become known; `None` for the mere passing of time.
    pub(crate) fn of(begun: &Begun, news: &News) -> Option<Self> {
        let of = Of::run(&begun.run);
        let name =
            |participant: usize| begun.participants.get(participant).map_or_else(String::new, |p| p.name.clone());
        Some(match news {
            News::Joined { at, name } => Self::Joined { of, at_ns: at.0, name: name.clone() },
            News::Heard(heard) => Self::Heard {
                of,
                speaker: name(heard.speaker),
                recorder: name(heard.ear),
                beep: heard.beep,
                at_ns: heard.at.0,
                delay_ns: heard.delay.0,
                // What lies beyond is noise of the arithmetic.
                score: (heard.score * 1e4).round() / 1e4,
            },
            News::Missed { speaker, ear, beep, due } => {
                Self::Missed { of, speaker: name(*speaker), recorder: name(*ear), beep: *beep, due_ns: due.0 }
            }
            News::Gap { speaker, ear, from, to } => {
                Self::Gap { of, speaker: name(*speaker), recorder: name(*ear), from_ns: from.0, to_ns: to.0 }
            }
            News::Step { at, node, change, subject, step, detail } => Self::Step {
                of,
                at_ns: at.0,
                node: node.clone(),
                event: *change,
                subject: subject.clone(),
                step: *step,
                detail: detail.clone(),
            },
            News::Failed { at, node, reason } => {
                Self::Failed { of, at_ns: at.0, node: node.clone(), reason: reason.clone() }
            }
            News::Ended { left_out } => Self::Ended { of, left_out: *left_out },
            News::Reached(_) => return None,
        })
    }

    /// What a run came to.
    pub(crate) fn measured(outcome: &Outcome) -> Vec<Self> {
        let run = &outcome.run;
        let measured = Self::Measured {
            of: Of::run(&run.name()),
            folder: outcome.folder.path().display().to_string(),
            partial: run.partial,
            failures: run.failures.clone(),
        };
        std::iter::once(measured).chain(pairs::rows(&outcome.findings).map(|row| Self::Pair(Box::new(row)))).collect()
    }

    /// As it is written.
    ///
    /// # Errors
    /// None that can happen to these lines, but serde's.
    pub(crate) fn text(&self) -> serde_json::Result<String> {
        Ok(format!("{}\n", serde_json::to_string(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_in_the_schema_and_documented() {
        let schema = serde_json::to_value(schemars::schema_for!(Line)).unwrap();
        let kinds: Vec<&str> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|kind| kind["properties"]["line"]["const"].as_str().unwrap())
            .collect();
        let all = ["begun", "joined", "heard", "missed", "gap", "step", "failed", "ended", "measured", "pair"];
        assert_eq!(kinds, all);
        let formats = include_str!("../../../../docs/formats.md");
        for kind in kinds {
            assert!(formats.contains(&format!("| `{kind}` |")), "docs/formats.md does not explain `{kind}`");
        }
    }
}
