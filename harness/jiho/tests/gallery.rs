//! The gallery of experiments, each held against what stands beside it: `NAME.expect.toml` says what a run of
//! `NAME.toml` must leave in its tables.
//!
//! An expectation names a table, picks rows by the text of their columns, and says of columns what they must hold: a
//! text or a number, or, as a list of two numbers, a range. `rows` is how many rows there must be; without it there must
//! be one at least. `[[expect]]` is about simulation, `[[on_loopback]]` about real time, where delays have room and
//! counts have none.

// Helpers of tests are tests, and say what they found.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use toml::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    /// The exit code in simulation.
    #[serde(default)]
    exit: i32,
    expect: Vec<Expectation>,
    #[serde(default)]
    on_loopback: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    table: String,
    #[serde(rename = "where", default)]
    pick: BTreeMap<String, String>,
    rows: Option<usize>,
    #[serde(default)]
    is: BTreeMap<String, Value>,
}

type Row = BTreeMap<String, String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/experiments")
}

fn expectations(name: &str) -> Expectations {
    let path = folder().join(format!("{name}.expect.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rows(table: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(table).unwrap_or_else(|error| panic!("{}: {error}", table.display()));
    reader.deserialize().map(Result::unwrap).collect()
}

impl Expectation {
    /// What of it does not hold, in words.
    fn misses(&self, dir: &Path) -> Vec<String> {
        let Self { table, pick, .. } = self;
        let mut picked = rows(&dir.join(format!("{table}.csv")));
        for (column, text) in pick {
            assert!(picked.is_empty() || picked[0].contains_key(column), "{table}.csv has no column `{column}`");
            picked.retain(|row| row[column] == *text);
        }
        let mut misses = Vec::new();
        match self.rows {
            Some(rows) if rows != picked.len() => {
                misses.push(format!("{table} where {pick:?}: {} rows, not {rows}", picked.len()));
            }
            None if picked.is_empty() => misses.push(format!("{table} where {pick:?}: no row")),
            _ => {}
        }
        for row in &picked {
            for (column, wanted) in &self.is {
                let cell = row.get(column).unwrap_or_else(|| panic!("{table}.csv has no column `{column}`"));
                if !holds(cell, wanted) {
                    misses.push(format!("{table} where {pick:?}: {column} is {cell:?}, not {wanted}: {row:?}"));
                }
            }
        }
        misses
    }
}

fn holds(cell: &str, wanted: &Value) -> bool {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|whole| whole as f64));
    match wanted {
        Value::String(text) => cell == text,
        Value::Array(range) => {
            let [low, high] = range.as_slice() else { panic!("a range has two ends: {wanted}") };
            let (low, high) = number(low).zip(number(high)).unwrap_or_else(|| panic!("not a range: {wanted}"));
            cell.parse::<f64>().is_ok_and(|cell| (low..=high).contains(&cell))
        }
        _ => number(wanted).is_some_and(|wanted| cell.parse::<f64>().is_ok_and(|cell| cell == wanted)),
    }
}

fn check(name: &str, world: &str, exit: i32, expectations: &[Expectation]) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("run");
    let mut jiho = Command::new(env!("CARGO_BIN_EXE_jiho"));
    let file = folder().join(format!("{name}.toml"));
    let ran = jiho.arg("run").arg(file).args(["--on", world, "--out"]).arg(&dir).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(exit), "{name} {world}: {said}");
    let misses: Vec<String> = expectations.iter().flat_map(|expectation| expectation.misses(&dir)).collect();
    assert!(misses.is_empty(), "{name} {world}:\n{}\n\n{said}", misses.join("\n"));
}

fn in_simulation(name: &str) {
    let Expectations { exit, expect, .. } = expectations(name);
    assert!(!expect.is_empty());
    check(name, "sim", exit, &expect);
}

fn on_loopback(name: &str) {
    let Expectations { on_loopback, .. } = expectations(name);
    assert!(!on_loopback.is_empty());
    check(name, "loopback", 0, &on_loopback);
}

macro_rules! gallery {
    ($($test:ident: $name:literal,)*) => {
        const GALLERY: &[&str] = &[$($name),*];
        mod simulated {
            $(#[test] fn $test() { super::in_simulation($name); })*
        }
    };
}

gallery! {
    cascade: "cascade",
    chorus_follow: "chorus-follow",
    chorus_grid: "chorus-grid",
    chorus_together: "chorus-together",
    first: "first",
    forward: "forward",
    mesh: "mesh",
    mix: "mix",
    tier_delay_line: "tier-delay-line",
    tier_segments: "tier-segments",
    promotion_warm: "promotion-warm",
    promotion_second_transport: "promotion-second-transport",
    promotion_webrtc_dtls12: "promotion-webrtc-dtls12",
    promotion_webrtc_dtls13: "promotion-webrtc-dtls13",
    promotion_tier_switch: "promotion-tier-switch",
    encrypted: "encrypted",
    bad_network: "bad-network",
    drifting_clocks: "drifting-clocks",
    clubhouse: "clubhouse",
    clubhouse_chorus: "clubhouse-chorus",
}

#[test]
fn a_forwarded_room_in_real_time() {
    on_loopback("forward");
}

#[test]
fn a_mixed_room_in_real_time() {
    on_loopback("mix");
}

#[test]
fn a_cascade_in_real_time() {
    on_loopback("cascade");
}

#[test]
fn a_promotion_in_real_time() {
    on_loopback("promotion-webrtc-dtls12");
}

#[test]
fn every_experiment_of_the_gallery_is_held_against_something() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned()))
        .filter(|n| !n.ends_with(".expect"))
        .collect();
    let mut tested: Vec<String> = GALLERY.iter().map(|&name| name.to_owned()).collect();
    found.sort();
    tested.sort();
    assert_eq!(found, tested);
}
