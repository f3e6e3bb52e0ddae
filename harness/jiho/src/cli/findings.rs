//! What was measured, as verbs print it and as the exit code says it.

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::report::{pairs, terminal, words};
use crate::run::measure::Findings;

/// Fewer beeps of a pair than this give no interval worth the name.
const ENOUGH_BEEPS: usize = 5;

/// Whether this could be measured at all, and well enough.
pub(super) fn verdict(findings: &Findings) -> Exit {
    let pairs: Vec<_> = findings.pairs().map(|(_, _, pair)| &pair.delays).collect();
    if pairs.iter().all(|delays| delays.distribution.is_none()) {
        Exit::Nothing
    } else if pairs.iter().any(|delays| delays.heard < ENOUGH_BEEPS.min(delays.expected) || delays.heard == 0) {
        Exit::Inconclusive
    } else {
        Exit::Done
    }
}

/// The delay matrix, and what was found in words; `remarks` are said before the rest.
pub(super) fn text(findings: &Findings, lookahead_samples: i64, remarks: &[String]) -> String {
    let mut text = terminal::matrix(findings);
    let verdict = match verdict(findings) {
        Exit::Inconclusive => {
            Some("Inconclusive: some pair was heard too seldom, or too doubtfully, for its figures to be relied on.")
        }
        Exit::Nothing if findings.speakers.is_empty() => Some("Nothing was measured: no beep was sent."),
        Exit::Nothing => Some("Nothing was measured: no beep was heard anywhere."),
        _ => None,
    };
    let found = words::findings(findings, lookahead_samples);
    text.push('\n');
    for sentence in remarks.iter().map(String::as_str).chain(found.iter().map(String::as_str)).chain(verdict) {
        text.push_str(sentence);
        text.push('\n');
    }
    text
}

/// The pairs as `pairs.csv` has them.
pub(super) fn json(findings: &Findings) -> Value {
    json!(pairs::rows(findings).collect::<Vec<_>>())
}
