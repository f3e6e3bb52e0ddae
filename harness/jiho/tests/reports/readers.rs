//! Files for other programs, read as those do.

use std::collections::BTreeMap;
use std::fs;

use prometheus_parse::{Scrape, Value as Sampled};
use serde_json::{Value, json};

use crate::folder::{FORMATS, PROMOTION, ROOM, Run, jiho};
use crate::schemas::{faults, has_validator};

/// The JSON schema that Bencher publishes with its metric format.
fn bencher_schema() -> Value {
    let number = json!({ "type": "number" });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "patternProperties": { ".+": { "type": "object", "patternProperties": { ".+": {
            "type": "object",
            "properties": { "value": number, "lower_value": number, "upper_value": number },
            "required": ["value"],
            "additionalProperties": false,
        } } } },
    })
}

/// pairs.csv, by speaker and recorder.
fn pairs(run: &Run) -> Vec<BTreeMap<String, String>> {
    let mut table = csv::Reader::from_path(run.path.join("pairs.csv")).unwrap();
    table.deserialize().map(Result::unwrap).collect()
}

#[test]
fn what_is_printed_is_what_is_written() {
    let run = Run::simulated(ROOM, &[]);
    for (format, file) in FORMATS {
        let printed = run.report(&["--format", format]);
        // Printed, the list of files may end up anywhere: its paths are whole.
        let printed = printed.replace(&format!("{}/", run.path.canonicalize().unwrap().display()), "");
        assert_eq!(printed, run.read(file), "{format}");
        assert!(!printed.is_empty(), "{format}");
    }
    let names: Vec<String> =
        fs::read_dir(&run.path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.ends_with(".partial")), "{names:?}");
}

#[test]
fn a_folder_as_the_first_versions_left_it_gives_every_report() {
    let run = Run::older();
    run.report(&[]);
    for (format, file) in FORMATS {
        assert!(!run.read(file).is_empty(), "{format}");
    }
    // Its median is the sum of a frame, two links of 20 ms and a jitter buffer of 40 ms.
    assert!(run.read("summary.md").contains("| audience | 100.0 | 100.0 | 100.0 | 1 of 1 | 3 of 3 |"));
    assert_eq!(run.read("ear-lena.labels.txt").lines().count(), 3);
}

#[test]
fn bencher_gets_each_figure_with_the_interval_that_is_known() {
    let run = Run::simulated(ROOM, &[]);
    let metrics = run.json("bencher.json");
    if has_validator() {
        assert_eq!(faults(&bencher_schema(), &metrics), "");
    }
    assert_eq!(metrics["room"]["heard-ratio"]["value"].as_f64().map(|ratio| (ratio * 100.0).round()), Some(67.0));
    for pair in pairs(&run).iter().filter(|pair| pair["recorder"] != "mei") {
        let measure = match pair["relation"].as_str() {
            "stage" => "speaker-to-speaker-median-ms",
            _ => "speaker-to-audience-median-ms",
        };
        let measures = &metrics[format!("room: {} to {}", pair["speaker"], pair["recorder"])][measure];
        for (key, column) in
            [("value", "median_ms"), ("lower_value", "median_low_ms"), ("upper_value", "median_high_ms")]
        {
            assert_eq!(measures[key].as_f64(), pair[column].parse().ok(), "{pair:?}: {measures}");
        }
    }
    // Nothing came to mei: there is no delay to tell.
    assert!(metrics.get("room: ana to mei").is_none());
}

#[test]
fn where_smaller_is_better_shares_of_what_was_heard_are_turned_round() {
    let run = Run::simulated(ROOM, &[]);
    let entries = run.json("benchmark-action.json");
    let entries = entries.as_array().unwrap();
    for entry in entries {
        let texts = ["name", "unit", "extra"].map(|key| entry[key].as_str().unwrap());
        assert!(texts.iter().all(|text| !text.is_empty()) && entry["value"].is_number(), "{entry}");
        assert!(entry.get("range").is_none_or(Value::is_string), "{entry}");
    }
    let value =
        |name: &str| entries.iter().find(|entry| entry["name"] == name).and_then(|entry| entry["value"].as_f64());
    assert!((value("room: unheard_ratio").unwrap() - 1.0 / 3.0).abs() < 1e-3);
    assert_eq!(value("room: heard_ratio"), None);
}

#[test]
fn prometheus_reads_every_pair_in_base_units() {
    let run = Run::simulated(ROOM, &[]);
    let text = run.read("metrics.prom");
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(scrape.samples.len(), samples, "{text}");
    for sample in &scrape.samples {
        assert!(matches!(sample.value, Sampled::Gauge(_)), "{sample:?}");
        assert!(scrape.docs.contains_key(&sample.metric), "{} has no HELP", sample.metric);
    }
    let value = |metric: &str, pair: &BTreeMap<String, String>, stat: Option<&str>| {
        let sample = scrape.samples.iter().find(|sample| {
            let is = |label, wanted: Option<&str>| sample.labels.get(label) == wanted;
            sample.metric == metric
                && is("speaker", Some(&pair["speaker"]))
                && is("ear", Some(&pair["recorder"]))
                && is("relation", Some(&pair["relation"]))
                && is("stat", stat)
        });
        sample.map(|sample| match sample.value {
            Sampled::Gauge(value) => value,
            _ => f64::NAN,
        })
    };
    for pair in pairs(&run) {
        let median_s = pair["median_ms"].parse::<f64>().ok().map(|ms| (ms * 1e6).round() / 1e9);
        assert_eq!(value("jiho_mouth_to_ear_delay_seconds", &pair, Some("median")), median_s, "{pair:?}");
        assert_eq!(value("jiho_heard_ratio", &pair, None), pair["heard_ratio"].parse().ok(), "{pair:?}");
    }
    // A time stamp would be a third word.
    let stamped = |line: &&str| line.rsplit_once('}').is_some_and(|(_, value)| value.trim().contains(' '));
    assert_eq!(text.lines().find(stamped), None);
}

#[test]
fn labels_of_metrics_may_hold_anything() {
    let run = Run::older();
    let json = run.read("run.json").replace("\"experiment\": \"older\"", r#""experiment": "a \"b\" \\ c\nd""#);
    run.write("run.json", &json);
    let text = run.report(&["--format", "prometheus"]);
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let info = scrape.samples.iter().find(|sample| sample.metric == "jiho_run_info").unwrap();
    let escaped = text.lines().find(|line| line.starts_with("jiho_run_info")).unwrap();
    assert!(escaped.contains(r#"experiment="a \"b\" \\ c\nd""#), "{escaped}");
    assert_eq!(info.labels.get("on"), Some("sim"));
}

#[test]
fn what_never_was_heard_again_is_infinite_where_that_can_be_said_and_left_out_elsewhere() {
    let run = Run::simulated(PROMOTION, &[]);
    let gaps = run.read("gaps.csv");
    let columns: Vec<&str> = gaps.lines().next().unwrap().split(',').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let unheard = gaps.lines().map(|line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        if cells[column("event")] == "promote" && cells[column("side")] == "ear" {
            cells[column("kind")] = "unheard";
            cells[column("silence_ns")] = "";
        }
        cells.join(",") + "\n"
    });
    let unheard: String = unheard.collect();
    assert_ne!(unheard, gaps);
    run.write("gaps.csv", &unheard);
    run.report(&[]);
    assert!(
        run.read("metrics.prom")
            .lines()
            .any(|line| { line.contains("figure=\"promotion.silence.max\"") && line.ends_with(" +Inf") })
    );
    assert!(run.json("bencher.json")["promotion"].get("promotion-silence-max-ms").is_none());
    assert!(!run.read("benchmark-action.json").contains("promotion.silence.max"));
    assert!(run.read("summary.md").contains("| unheard | good |"));
    let figures = run.json("report.json")["repetitions"][0]["figures"].clone();
    let silence = figures.as_array().unwrap().iter().find(|row| row["figure"] == "promotion.silence.max").unwrap();
    assert!(silence["value"].is_null(), "{silence}");
}

#[test]
fn repetitions_have_reports_of_their_own_and_one_together() {
    let run = Run::simulated(ROOM, &["--repeat", "2"]);
    for rep in ["rep-1", "rep-2"] {
        assert!(run.path.join(rep).join("recordings.lof").is_file());
        assert!(run.read(&format!("{rep}/summary.md")).starts_with("## room: inconclusive\n"));
    }
    let text = run.read("summary.md");
    assert_eq!(text.lines().filter(|line| line.starts_with("| 1 |") || line.starts_with("| 2 |")).count(), 2, "{text}");
    let refused = jiho(&["report", run.path.to_str().unwrap(), "--format", "lof"], &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("rep-1"));
}
