//! Histories at the command line: their changes in words, and a run's row.

use std::fmt::Write;
use std::process::{Command, Stdio};

use crate::gates::Gate;
use crate::gates::held::{Evidence, Reference};
use crate::gates::history::{Entry, History};
use crate::report::tables::Tables;

/// Where the levels of gated figures changed, and which other machines' runs were left alone.
pub(super) fn changes(history: &History, evidence: &Evidence<'_>, gates: &[Gate]) -> String {
    let Some((host_class, experiment)) = evidence.origin() else { return String::new() };
    let mut text = format!("History of {experiment} on {host_class}\n");
    let mut seen = Vec::new();
    for figure in gates.iter().map(Gate::figure) {
        let name = figure.to_string();
        if seen.contains(&name) {
            continue;
        }
        let track = history.track(&name, &experiment, &host_class);
        let lines = track.changes_in_words(figure);
        if lines.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {name}: one level, {} runs", track.last_level().len());
        }
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
        seen.push(name);
    }
    for other in history.host_classes(&experiment).into_iter().filter(|other| *other != host_class) {
        let _ = writeln!(text, "  Runs on {other} are in the file too, and were left alone.");
    }
    text
}

/// Appends a run, if anything was measured.
pub(super) fn record(
    history: &mut History,
    here: &[Tables],
    gates: &[Gate],
    commit: Option<String>,
    branch: Option<String>,
) -> anyhow::Result<()> {
    let evidence = Evidence { here, reference: &Reference::Nothing, first_round: None };
    let Some((host_class, experiment)) = evidence.origin() else { return Ok(()) };
    let mut figures: Vec<(String, f64)> = Vec::new();
    for figure in gates.iter().map(Gate::figure) {
        let name = figure.to_string();
        if figures.iter().all(|(known, _)| *known != name)
            && let Some(value) = crate::gates::Measured::of(figure, here)?.value()
        {
            figures.push((name, value));
        }
    }
    if figures.is_empty() {
        return Ok(());
    }
    history.record(Entry {
        time: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        commit: commit
            .or_else(|| variable(&["GITHUB_SHA", "CI_COMMIT_SHA"]))
            .or_else(|| git(&["rev-parse", "HEAD"]))
            .unwrap_or_default(),
        branch: branch
            .or_else(|| variable(&["GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME"]))
            .or_else(|| git(&["rev-parse", "--abbrev-ref", "HEAD"]))
            .unwrap_or_default(),
        experiment,
        host_class,
        figures,
    })
}

/// The first of the CI's variables that says something.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// What git says of the folder that jiho was started in, if there is a git and it is a repository.
fn git(args: &[&str]) -> Option<String> {
    let said = Command::new("git").args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    (said.status.success() && !text.is_empty()).then_some(text)
}
