//! How far the figures can be trusted: clocks, recordings, what the machine itself did late or lost, what is missing.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::metrics::Relation;
use jiho_drivers::sidecar::Sidecar;
use maud::{Markup, html};

use super::parts::{Sheet, list, ns_as_ms};
use super::word;
use crate::report::run_json::Thread;
use crate::report::tables::Tables;

/// More recordings than this are not worth a row each, if nothing is wrong with them.
const MOST_FINE: usize = 24;

pub(super) fn section(tables: &Tables) -> anyhow::Result<Markup> {
    let run = tables.run.as_ref();
    let mut remarks = run.map(crate::report::run_json::RunJson::remarks).unwrap_or_default();
    match run {
        Some(run) if run.partial => {
            let why: String = run.failures.iter().map(|why| format!(": {why}")).collect();
            remarks.push(format!("The run ended before its time{why}. What was heard until then was measured."));
        }
        Some(_) => {}
        None => remarks.push("There is no run.json: the run's process was killed.".to_owned()),
    }
    let recordings = tables.recordings()?;
    let clock = run.map(|run| match run.clock_bound_ns {
        0 => "All participants of this folder share one clock: delays have no clock error.".to_owned(),
        ns => format!("Clocks disagree by {} ms at most.", ns_as_ms(ns)),
    });
    Ok(html! {
        (list(&clock.into_iter().chain(remarks).collect::<Vec<_>>()))
        (statuses(tables)?)
        (ears(&recordings.iter().map(|(_, sidecar)| sidecar).collect::<Vec<_>>()))
        @if let Some(host) = run.and_then(|run| run.host.as_ref()) { (threads(&host.threads)) }
        @else if run.is_some() { p { "Simulated: no thread woke late, and no packet was stamped late." } }
    })
}

/// How many time signals were heard, weak, ambiguous or missing, and why.
fn statuses(tables: &Tables) -> anyhow::Result<Markup> {
    let mut counts: BTreeMap<(Relation, Status, Option<Reason>), usize> = BTreeMap::new();
    let rows = tables.delays()?;
    for row in rows {
        *counts.entry((row.relation, row.status, row.reason)).or_default() += 1;
    }
    let row = |((tier, status, reason), count): ((Relation, Status, Option<Reason>), usize)| {
        vec![word(&tier), word(&status), reason.as_ref().map(word).unwrap_or_default(), count.to_string()]
    };
    let heads = ["tier", "status", "reason", "time signals"];
    let caption = format!("What became of {} expected arrivals", rows.len());
    Ok(Sheet { caption, heads: &heads, names: 1, rows: counts.into_iter().map(row).collect() }.html())
}

fn ears(sidecars: &[&Sidecar]) -> Markup {
    let fine = |sidecar: &&&Sidecar| sidecar.complete && sidecar.clipped == 0 && sidecar.discontinuities.is_empty();
    let shown: Vec<&&Sidecar> = sidecars.iter().filter(|one| sidecars.len() <= MOST_FINE || !fine(one)).collect();
    let row = |sidecar: &&&Sidecar| {
        let missed: u64 = sidecar.discontinuities.iter().map(|gap| gap.gap_samples).sum();
        vec![
            sidecar.recorder.clone(),
            format!("{:.3}", sidecar.samples as f64 / sidecar.rate.hz()),
            sidecar.rate.0.to_string(),
            format!("{:.3}", sidecar.skew.as_ppm()),
            ns_as_ms(sidecar.start_error.0),
            sidecar.discontinuities.len().to_string(),
            missed.to_string(),
            sidecar.clipped.to_string(),
            if sidecar.complete { "yes" } else { "no" }.to_owned(),
        ]
    };
    let heads = [
        "ear",
        "seconds",
        "samples per second",
        "card's skew (ppm)",
        "start known to (ms)",
        "gaps",
        "samples missed",
        "samples clipped",
        "complete",
    ];
    let caption = match sidecars.len() - shown.len() {
        0 => "Recordings".to_owned(),
        without => format!("Recordings; {without} more without a flaw"),
    };
    let rows = shown.iter().map(row).collect();
    html! { @if !sidecars.is_empty() { (Sheet { caption, heads: &heads, names: 1, rows }.html()) } }
}

fn threads(threads: &[Thread]) -> Markup {
    let row = |thread: &Thread| {
        vec![
            thread.name.clone(),
            thread.stamps.replace('_', " "),
            ns_as_ms(thread.wakeup_median_ns),
            ns_as_ms(thread.wakeup_p99_ns),
            ns_as_ms(thread.wakeup_max_ns),
            thread.received.to_string(),
            thread.sent.to_string(),
            (thread.send_errors + thread.oversized + thread.overflowed).to_string(),
        ]
    };
    let heads = [
        "thread",
        "packets stamped by",
        "woke late, median (ms)",
        "99 % (ms)",
        "at most (ms)",
        "received",
        "sent",
        "lost by this machine",
    ];
    let caption = "Threads: how late each woke for its deadlines, which delays what a mouth sends".to_owned();
    Sheet { caption, heads: &heads, names: 1, rows: threads.iter().map(row).collect() }.html()
}
