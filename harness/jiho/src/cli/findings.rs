//! What was measured, as verbs print it and as the exit code says it.

use jiho_analysis::arrivals::{Observation, Reason};
use jiho_analysis::metrics::PairDelays;
use jiho_analysis::metrics::topology::Finding;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::report::{breaks, changes, chorus, chorus_words, pairs, terminal, topology, words};
use crate::run::measure::{Findings, PairHeard};

/// Fewer beeps of a pair than this give no interval worth the name.
const ENOUGH_BEEPS: usize = 5;

/// Whether this could be measured at all, and well enough. That those without the key of a sealed room hear nothing is as
/// it should be.
pub(super) fn verdict(findings: &Findings, keyless: &[String]) -> Exit {
    let with_key = findings.recorders.iter().filter(|recorder| !keyless.contains(&recorder.name));
    let pairs = || with_key.clone().flat_map(|recorder| &recorder.pairs);
    if pairs().all(|pair| pair.delays.distribution.is_none()) {
        Exit::Nothing
    } else if pairs().any(is_doubtful) {
        Exit::Inconclusive
    } else {
        Exit::Done
    }
}

/// Whether too little of a pair was heard. Beeps that were due while the ear did not record, or that a role change kept
/// from it, are not held against it.
fn is_doubtful(pair: &PairHeard) -> bool {
    let excused = |o: &&Observation| matches!(o.reason, Some(Reason::NotRecorded | Reason::RoleChange));
    let unrecorded = pair.observations.iter().filter(excused).count();
    let PairDelays { heard, expected, .. } = pair.delays;
    let audible = expected.saturating_sub(unrecorded);
    heard == 0 || heard < ENOUGH_BEEPS.min(audible) || heard * 2 < audible
}

/// The delay matrix, and what was found in words; `remarks` are said before the rest.
pub(super) fn text(
    findings: &Findings,
    architecture: &[Finding],
    lookahead_samples: i64,
    remarks: &[String],
    keyless: &[String],
) -> String {
    let mut text = terminal::matrix(findings);
    let verdict = match verdict(findings, keyless) {
        Exit::Inconclusive => {
            Some("Inconclusive: some pair was heard too seldom, or too doubtfully, for its figures to be relied on.")
        }
        Exit::Nothing if findings.speakers.is_empty() => Some("Nothing was measured: no beep was sent."),
        Exit::Nothing => Some("Nothing was measured: no beep was heard anywhere."),
        _ => None,
    };
    let found = words::findings(findings, lookahead_samples);
    text.push_str(&changes::text(findings));
    text.push_str(&chorus_words::text(findings));
    text.push('\n');
    let broken = breaks::sentences(findings);
    let served = topology::sentences(architecture);
    let said = remarks.iter().chain(&found).chain(&broken).chain(&served).map(String::as_str);
    for sentence in said.chain(verdict) {
        text.push_str(sentence);
        text.push('\n');
    }
    text
}

/// Adds what was found to an object, as the tables of these names have it.
pub(super) fn add(object: &mut Value, found: &Findings, architecture: &[Finding]) {
    object["pairs"] = json!(pairs::rows(found).collect::<Vec<_>>());
    if let Some(heard) = &found.chorus {
        object["chorus"] = json!({
            "beats": chorus::beats(found, heard).collect::<Vec<_>>(),
            "asynchrony": chorus::asynchronies(found, heard).collect::<Vec<_>>(),
            "cure": chorus::cures(found, heard).collect::<Vec<_>>(),
            "holds": chorus::holds(found, heard).collect::<Vec<_>>(),
        });
    }
    object["architecture"] = json!(topology::rows(&found.run_id, found.rep, architecture).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use jiho_analysis::arrivals::{Delay, Status};
    use jiho_analysis::metrics::Relation;
    use jiho_analysis::signal::Emission;
    use jiho_analysis::units::{Nanos, RunTime};

    use super::*;

    /// Beeps that were heard, not found, and not recorded.
    fn pair(heard: u32, not_found: u32, not_recorded: u32) -> PairHeard {
        let value = Nanos::from_millis(60);
        let observation = |beep: u32| {
            let emission = Emission { beep, at: RunTime(i64::from(beep) * 1_000_000_000) };
            let (status, reason) = match beep {
                b if b < heard => (Status::Heard, None),
                b if b < heard + not_found => (Status::Missing, Some(Reason::NotFound)),
                _ => (Status::Missing, Some(Reason::NotRecorded)),
            };
            let delay = (beep < heard).then_some(Delay { value, low: value, high: value });
            Observation { emission, status, reason, delay, detection: None }
        };
        let observations: Vec<_> = (0..heard + not_found + not_recorded).map(observation).collect();
        let delays = PairDelays::of(&observations);
        PairHeard {
            speaker: 0,
            relation: Relation::Stage,
            observations,
            paths: Vec::new(),
            codings: Vec::new(),
            delays,
        }
    }

    #[test]
    fn a_pair_is_doubtful_if_less_than_half_of_what_it_could_hear_was_heard() {
        assert!(!is_doubtful(&pair(10, 10, 0)));
        assert!(is_doubtful(&pair(10, 11, 0)));
        assert!(!is_doubtful(&pair(10, 0, 50)), "the ear came late, and heard all from then on");
        assert!(is_doubtful(&pair(4, 1, 0)) && is_doubtful(&pair(0, 0, 3)) && !is_doubtful(&pair(3, 0, 0)));
    }
}
