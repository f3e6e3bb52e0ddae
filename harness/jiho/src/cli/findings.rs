//! What was measured, as verbs print it and as the exit code says it.

use jiho_analysis::metrics::topology::Finding;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::report::{breaks, changes, chorus, chorus_words, pairs, terminal, topology, verdict, words};
use crate::run::measure::Findings;

/// Whether this could be measured at all, and well enough. That those without the key of a sealed room hear nothing is as
/// it should be.
pub(super) fn verdict(findings: &Findings, keyless: &[String]) -> Exit {
    let with_key = findings.recorders.iter().filter(|recorder| !keyless.contains(&recorder.name));
    verdict::of_pairs(with_key.flat_map(|recorder| &recorder.pairs).map(|pair| verdict::Counts {
        expected: pair.delays.expected,
        heard: pair.delays.heard,
        excused: pair.observations.iter().filter(|o| verdict::is_excused(o.reason)).count(),
        delay: pair.delays.distribution.is_some(),
    }))
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
    let verdict = verdict::words(self::verdict(findings, keyless), !findings.speakers.is_empty());
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
