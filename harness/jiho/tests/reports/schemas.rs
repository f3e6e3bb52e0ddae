//! What is JSON is as its schema says, by a validator that is not ours.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::folder::{CHORUS, PROMOTION, ROOM, Run, jiho};
use crate::skip::skip;

fn schema(name: &str) -> Value {
    serde_json::from_slice(&jiho(&["schema", name], &[]).stdout).unwrap()
}

/// Python's jsonschema: reads a list of a schema and a value, prints what is wrong with the value.
const VALIDATOR: &str = "import json, sys, jsonschema\n\
    schema, value = json.load(sys.stdin)\n\
    validator = jsonschema.validators.validator_for(schema)\n\
    validator.check_schema(schema)\n\
    for error in validator(schema).iter_errors(value): print(error.json_path, error.message)";

/// Whether there is a validator.
pub(crate) fn has_validator() -> bool {
    let there = Command::new("python3").args(["-c", "import jsonschema"]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        skip("missing: python3 with jsonschema (scripts/setup --tests installs it)");
    }
    there
}

/// What is wrong with a value by a schema, which has to be right itself.
pub(crate) fn faults(schema: &Value, value: &Value) -> String {
    let mut python = Command::new("python3");
    let python = python.args(["-c", VALIDATOR]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut python = python.spawn().unwrap();
    python.stdin.take().unwrap().write_all(json!([schema, value]).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// After an intended change: `jiho schema NAME > docs/schemas/NAME.schema.json`.
#[test]
fn the_schemas_that_are_kept_are_those_of_the_types() {
    for name in ["report", "run", "line"] {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schemas/{name}.schema.json"));
        let kept = fs::read_to_string(&kept).unwrap_or_else(|error| panic!("{}: {error}", kept.display()));
        let generated = String::from_utf8(jiho(&["schema", name], &[]).stdout).unwrap();
        assert!(kept == generated, "docs/schemas/{name}.schema.json is not what `jiho schema {name}` prints");
    }
    let none = jiho(&["schema", "rapport"], &[]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there are report, run, line"));
}

#[test]
fn reports_of_every_kind_of_run_are_as_their_schema_says() {
    if !has_validator() {
        return;
    }
    let (report, run_json) = (schema("report"), schema("run"));
    let older = Run::older();
    older.report(&[]);
    let runs = [
        ("a room", Run::simulated(ROOM, &[])),
        ("a promotion", Run::simulated(PROMOTION, &[])),
        ("a chorus", Run::simulated(CHORUS, &[])),
        ("repetitions", Run::simulated(ROOM, &["--repeat", "2"])),
        ("an older run", older),
    ];
    for (what, run) in &runs {
        assert_eq!(faults(&report, &run.json("report.json")), "", "{what}");
        let rep = if run.path.join("run.json").is_file() { "run.json" } else { "rep-2/run.json" };
        assert_eq!(faults(&run_json, &run.json(rep)), "", "{what}");
    }
    let of = |what: &str| runs.iter().find(|(name, _)| *name == what).unwrap().1.json("report.json");
    let gaps = of("a promotion")["repetitions"][0]["gaps"].clone();
    let stacked = gaps.as_array().unwrap().iter().filter(|gap| !gap["stack"].as_array().unwrap().is_empty()).count();
    assert!(stacked > 0, "{gaps}");
    assert!(!of("a chorus")["repetitions"][0]["chorus"]["beats"].as_array().unwrap().is_empty());
    assert_eq!(of("repetitions")["repetitions"].as_array().unwrap().len(), 2);
}

/// Somebody is called up, and on the way to the audience much is lost.
const EVENTFUL: &str = "name = \"eventful\"\n[run]\nduration = \"20s\"\n[promotion.webrtc_dtls12]\n[media]\ncodec.l16 = {}\n\
    [link.bad]\ndown.loss = \"60%\"\n[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n\
    [[listener]]\nname = \"mei\"\nlink = \"bad\"\n[[event]]\nat = \"5s\"\npromote = \"lena\"\n";

#[test]
fn lines_of_a_run_as_it_goes_on_are_as_their_schema_says() {
    if !has_validator() {
        return;
    }
    let mut line = schema("line");
    let definitions = line.as_object_mut().unwrap().remove("$defs").unwrap();
    let lines = json!({ "type": "array", "items": line, "$defs": definitions });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), EVENTFUL).unwrap();
    let out = tempfile::tempdir().unwrap();
    let run = ["run", file.path().to_str().unwrap(), "--on", "sim", "--format", "jsonl", "--out"];
    let output = jiho(&run, &[out.path().join("run").to_str().unwrap()]);
    let stream: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: BTreeSet<&str> = stream.iter().map(|line| line["line"].as_str().unwrap()).collect();
    let all = ["begun", "ended", "gap", "heard", "joined", "measured", "missed", "pair", "step"];
    assert_eq!(Vec::from_iter(kinds), all);
    assert_eq!(faults(&lines, &json!(stream)), "");
    for (kind, key, wrong) in [
        ("begun", "participants", json!([{ "name": "ana", "role": 3 }])),
        ("heard", "delay_ns", json!("late")),
        ("pair", "relation", json!("balcony")),
        ("ended", "line", json!("over")),
        ("measured", "run_id", json!(null)),
    ] {
        let mut wronged = stream.iter().find(|line| line["line"] == kind).unwrap().clone();
        wronged[key] = wrong;
        assert!(faults(&lines, &json!([wronged])).contains("$"), "{kind}");
    }
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    if !has_validator() {
        return;
    }
    let schema = schema("report");
    let run = Run::older();
    run.report(&[]);
    let whole = run.json("report.json");
    for (pointer, wrong) in [
        ("/verdict", json!("splendid")),
        ("/repetitions/0/pairs/0/relation", json!("balcony")),
        ("/repetitions/0/pairs/0/heard", json!(-1)),
        ("/repetitions/0/pairs/0/median_ms", json!("late")),
        ("/repetitions/0/rep", json!(null)),
    ] {
        let mut report = whole.clone();
        *report.pointer_mut(pointer).unwrap() = wrong;
        assert!(faults(&schema, &report).contains("$"), "{pointer}");
    }
    let mut report = whole;
    report.as_object_mut().unwrap().remove("gates");
    assert!(faults(&schema, &report).contains("gates"));
}
