//! Every format as it is, of runs without luck.

use serde_json::Value;

use crate::folder::{PROMOTION, ROOM, Run};

/// Numbers to three figures after the point, which is a millisecond of what is in seconds: what is beyond may differ from
/// processor to processor.
fn rounded(text: &str) -> String {
    let mut rounded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let end = rest[start..]
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .map_or(rest.len(), |n| start + n);
        let number = &rest[start..end];
        rounded.push_str(&rest[..start]);
        match (number.split_once('.'), number.parse::<f64>()) {
            (Some((_, decimals)), Ok(value)) if decimals.len() > 3 => rounded.push_str(&format!("{value:.3}")),
            _ => rounded.push_str(number),
        }
        rest = &rest[end..];
    }
    rounded + rest
}

/// To a tenth of a millisecond.
fn rounded_json(value: &mut Value, key: &str) {
    match value {
        Value::Number(number) if key.ends_with("_ns") => {
            let ns = number.as_i64().unwrap();
            *value = ((ns as f64 / 1e5).round() as i64 * 100_000).into();
        }
        Value::Number(number) if number.is_f64() => {
            *value = ((number.as_f64().unwrap() * 1e1).round() / 1e1 + 0.0).into();
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rounded_json(value, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| rounded_json(value, key)),
        _ => {}
    }
}

/// As JSON, without the versions of jiho and of libopus.
fn json(run: &Run, file: &str) -> String {
    let mut value = run.json(file);
    rounded_json(&mut value, "");
    let text = serde_json::to_string_pretty(&value).unwrap();
    text.lines().filter(|line| !line.contains("_version\"")).collect::<Vec<_>>().join("\n")
}

#[test]
fn reports_of_a_room_are_as_recorded() {
    let run = Run::simulated(ROOM, &[]);
    insta::assert_snapshot!("room_report", json(&run, "report.json"));
    insta::assert_snapshot!("room_bencher", json(&run, "bencher.json"));
    insta::assert_snapshot!("room_benchmark_action", rounded(&json(&run, "benchmark-action.json")));
    insta::assert_snapshot!("room_summary", run.read("summary.md"));
    insta::assert_snapshot!("room_junit", run.read("junit.xml"));
    let metrics = run.read("metrics.prom").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("room_metrics", rounded(&metrics));
    insta::assert_snapshot!("room_lof", rounded(&run.read("recordings.lof")));
    insta::assert_snapshot!("room_labels", rounded(&run.read("ear-lena.labels.txt")));
}

#[test]
fn reports_of_a_promotion_are_as_recorded() {
    let run = Run::simulated(PROMOTION, &[]);
    insta::assert_snapshot!("promotion_summary", run.read("summary.md"));
    let metrics = run.read("metrics.prom").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("promotion_metrics", rounded(&metrics));
    insta::assert_snapshot!("promotion_labels", rounded(&run.read("recordings.labels.txt")));
}
