//! How likely outcomes are: counts of how often each came about in simulated rooms of which the truth is known.
//!
//! The counts are data, in `likelihoods.csv` beside this file. Many rooms are packets' fates without their sound (`cargo run
//! --release -p jiho-analysis --example topology_likelihoods`): they come to know rare cases, and their rooms are simpler
//! than whole ones. Few rooms are simulated as a whole, sound included (example `random_rooms` of the harness). What the
//! many say counts as much as some rooms of each architecture, beside the few (example `topology`, `--counts`).

use std::collections::BTreeMap;

use super::{Evidence, Hypothesis, Kind, Outcome};
use crate::metrics::Relation;

const COUNTED: &str = include_str!("likelihoods.csv");
const HEADER: &str = "tier,kind,context,case,hypothesis,rooms";
/// Of each case as many rooms are taken to have been seen besides (Krichevsky and Trofimov 1981).
const UNSEEN: f64 = 0.5;

/// How many rooms of each hypothesis came to each outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// By what is asked, then by case and hypothesis.
    rooms: BTreeMap<Asked, BTreeMap<String, BTreeMap<Hypothesis, f64>>>,
}

/// What an outcome is an answer to.
type Asked = (Relation, Kind, String);

/// A line is none of a table of counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the counts is not `{HEADER}`: {text:?}")]
pub struct CountsError {
    /// From 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

impl Counts {
    /// The counts that this crate comes with.
    ///
    /// # Errors
    /// The table is damaged.
    pub fn standard() -> Result<Self, CountsError> {
        Self::read(COUNTED)
    }

    /// Reads a table of counts. Lines that begin with `#` are remarks.
    ///
    /// # Errors
    /// A line is not what it should be.
    pub fn read(text: &str) -> Result<Self, CountsError> {
        let mut counts = Self::default();
        for (n, line) in text.lines().enumerate() {
            if line.starts_with('#') || line == HEADER || line.is_empty() {
                continue;
            }
            let error = || CountsError { line: n + 1, text: line.to_owned() };
            let fields: Vec<&str> = line.split(',').collect();
            let [tier, kind, context, case, hypothesis, rooms] = fields[..] else { return Err(error()) };
            let tier = [Relation::Stage, Relation::Audience].into_iter().find(|t| tier_name(*t) == tier);
            let kind = Kind::ALL.into_iter().find(|k| k.name() == kind);
            let hypothesis = Hypothesis::ALL.into_iter().find(|h| h.name() == hypothesis);
            let (Some(tier), Some(kind), Some(hypothesis)) = (tier, kind, hypothesis) else { return Err(error()) };
            let rooms: f64 = rooms.parse().ok().filter(|rooms| *rooms >= 0.0).ok_or_else(error)?;
            *counts.cell((tier, kind, context.to_owned()), case, hypothesis) += rooms;
        }
        Ok(counts)
    }

    /// As a table with its header.
    pub fn write(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for ((tier, kind, context), cases) in &self.rooms {
            for (case, hypotheses) in cases {
                for (hypothesis, rooms) in hypotheses {
                    let (tier, kind, hypothesis) = (tier_name(*tier), kind.name(), hypothesis.name());
                    let rooms = (1000.0 * rooms).round() / 1000.0;
                    text += &format!("{tier},{kind},{context},{case},{hypothesis},{rooms}\n");
                }
            }
        }
        text
    }

    /// Counts an outcome in a room of which the truth is known.
    pub fn add(&mut self, outcome: &Outcome, truth: Hypothesis) {
        *self.cell((outcome.tier, outcome.kind, outcome.context.to_owned()), outcome.case, truth) += 1.0;
    }

    /// The same as a prior: at most so many rooms of each hypothesis for each question, in the same proportions.
    #[must_use]
    pub fn as_prior(mut self, rooms: f64) -> Self {
        for cases in self.rooms.values_mut() {
            for hypothesis in Hypothesis::ALL {
                let all: f64 = cases.values().filter_map(|case| case.get(&hypothesis)).sum();
                let weight = rooms / all.max(rooms);
                cases.values_mut().filter_map(|case| case.get_mut(&hypothesis)).for_each(|count| *count *= weight);
            }
        }
        self
    }

    fn cell(&mut self, asked: Asked, case: &str, hypothesis: Hypothesis) -> &mut f64 {
        self.rooms.entry(asked).or_default().entry(case.to_owned()).or_default().entry(hypothesis).or_default()
    }

    /// What an outcome says.
    pub(super) fn evidence(&self, outcome: &Outcome) -> Evidence {
        let asked = (outcome.tier, outcome.kind, outcome.context.to_owned());
        let none = BTreeMap::new();
        let cases = self.rooms.get(&asked).unwrap_or(&none);
        let rooms = |case: &BTreeMap<Hypothesis, f64>, hypothesis| case.get(&hypothesis).copied().unwrap_or(0.0);
        let likelihood = |hypothesis: &Hypothesis| {
            let all: f64 = cases.values().map(|case| rooms(case, *hypothesis)).sum();
            let here = cases.get(outcome.case).map_or(0.0, |case| rooms(case, *hypothesis));
            let kinds = cases.len().max(2) as f64;
            (*hypothesis, ((here + UNSEEN) / (all + UNSEEN * kinds)).ln())
        };
        Evidence {
            tier: outcome.tier,
            kind: outcome.kind,
            log_likelihoods: Hypothesis::of(outcome.tier).iter().map(likelihood).collect(),
            sentence: outcome.sentence.clone(),
        }
    }
}

fn tier_name(tier: Relation) -> &'static str {
    match tier {
        Relation::Stage => "stage",
        Relation::Audience => "audience",
        Relation::Own => "self",
    }
}
