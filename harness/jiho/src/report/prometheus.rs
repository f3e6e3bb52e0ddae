//! `metrics.prom`: figures for Prometheus, in its text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>), for the textfile collector of node_exporter, which
//! wants no time stamps. Base units: seconds, and ratios from 0 to 1.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::name_of;
use super::pairs::PairRow;
use super::series::Series;
use super::tables::Tables;
use crate::figures::{Unit, usual};

/// With more pairs than this only figures over all pairs are given: a collector is no archive.
const CROWD: usize = 500;

/// Names and values.
type Labels = Vec<(&'static str, String)>;
/// By the name of their metric.
type Samples = BTreeMap<&'static str, Vec<(Labels, f64)>>;

/// All metrics with their help; all are gauges.
const METRICS: [(&str, &str); 10] = [
    ("jiho_bpm", "Figures of a run in beats per minute, by name."),
    ("jiho_delay_steps", "Jumps of a pair's delay by 1 ms or more."),
    ("jiho_drift_ratio", "Slope of a pair's delay over time."),
    ("jiho_gate_verdict", "1 for what a gate came to."),
    ("jiho_heard_ratio", "Share of a pair's beeps that were heard."),
    ("jiho_mouth_to_ear_delay_seconds", "Mouth-to-ear delay of a pair of a speaker and an ear."),
    ("jiho_ratio", "Figures of a run that are shares, by name."),
    ("jiho_run_info", "1, with how the run came about."),
    ("jiho_run_verdict", "1 for what the run came to, gates included."),
    ("jiho_seconds", "Figures of a run in seconds, by name."),
];

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    let mut samples = Samples::new();
    let run = || vec![("run", series.run_id())];
    for gate in &series.gates {
        let labels = [("gate", gate.gate.clone()), ("verdict", gate.verdict.name().to_owned())];
        samples.entry("jiho_gate_verdict").or_default().push((with(run(), labels), 1.0));
    }
    let verdict = [("verdict", name_of(&series.exit()?))];
    samples.entry("jiho_run_verdict").or_default().push((with(run(), verdict), 1.0));
    for tables in &series.repetitions {
        of_repetition(tables, &mut samples)?;
    }
    Ok(METRICS.iter().map(|(name, help)| metric(name, help, samples.get(name))).collect())
}

fn of_repetition(tables: &Tables, samples: &mut Samples) -> anyhow::Result<()> {
    let name = tables.name();
    let run = || vec![("run", name.run_id.clone()), ("rep", name.rep.to_string())];
    let mut add = |metric, labels, value: Option<f64>| {
        samples.entry(metric).or_default().extend(value.map(|value| (labels, value)));
    };
    if let Some(run_json) = &tables.run {
        let about = [
            ("experiment", run_json.experiment.clone()),
            ("on", run_json.on.clone()),
            ("seed", run_json.seed.to_string()),
            ("version", run_json.jiho_version.clone()),
        ];
        add("jiho_run_info", with(run(), about), Some(1.0));
    }
    for (figure, found) in usual(tables)? {
        let (metric, value) = match figure.metric.unit() {
            Unit::Milliseconds => ("jiho_seconds", found.value / 1e3),
            Unit::Ratio | Unit::Count => ("jiho_ratio", found.value),
            Unit::BeatsPerMinute => ("jiho_bpm", found.value),
        };
        add(metric, with(run(), [("figure", figure.to_string())]), Some(value));
    }
    let pairs = tables.pairs()?;
    for row in pairs.iter().filter(|_| pairs.len() <= CROWD) {
        let labels = || with(run(), of_pair(row));
        for (stat, ms) in [("median", row.median_ms), ("p95", row.p95_ms), ("p99", row.p99_ms)] {
            let labels = with(labels(), [("stat", stat.to_owned())]);
            add("jiho_mouth_to_ear_delay_seconds", labels, ms.map(|ms| ms / 1e3));
        }
        add("jiho_heard_ratio", labels(), row.heard_ratio);
        add("jiho_drift_ratio", labels(), row.drift_ppm.map(|ppm| ppm / 1e6));
        add("jiho_delay_steps", labels(), Some(row.steps as f64));
    }
    Ok(())
}

fn of_pair(row: &PairRow) -> [(&'static str, String); 3] {
    [("speaker", row.speaker.clone()), ("ear", row.recorder.clone()), ("relation", name_of(&row.relation))]
}

fn with<const N: usize>(mut labels: Labels, more: [(&'static str, String); N]) -> Labels {
    labels.extend(more);
    labels
}

/// Nothing, if there are no samples of it.
fn metric(name: &str, help: &str, samples: Option<&Vec<(Labels, f64)>>) -> String {
    let Some(samples) = samples.filter(|samples| !samples.is_empty()) else { return String::new() };
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
    for (labels, value) in samples {
        let labels: Vec<String> = labels.iter().map(|(label, of)| format!("{label}=\"{}\"", escaped(of))).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}{{{}}} {}", labels.join(","), number(*value));
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// To a nanosecond, or a thousandth of a millionth.
fn number(value: f64) -> String {
    if value.is_infinite() { "+Inf".to_owned() } else { ((value * 1e9).round() / 1e9 + 0.0).to_string() }
}
