//! What gates came to, in every report that speaks of them.

use std::collections::BTreeMap;

use serde_json::json;

use crate::folder::Run;

/// One of each verdict, with all that Markdown, XML and labels might trip over.
const GATES: &str = "run_id,repetitions,gate,metric,stat,selector,value,low,high,unit,limit,baseline,change,change_low,\
    change_high,p_value,verdict,sentence\n\
    r,6,speaker_to_audience.p95 < 400ms,speaker_to_audience,p95,,100.0,99.5,100.5,ms,400,,,,,,pass,Well below.\n\
    r,6,\"delay[ana -> lena].p95 < 90ms | \"\"tight\"\" & <now>\",delay,p95,ana -> lena,100.0,99.5,100.5,ms,90,97,3,2.5,\
    3.5,0.001,fail,\"@ana: 10 ms too late,\nsays `jiho` *loudly*.\"\n\
    r,1,heard_ratio > 0.98,heard_ratio,mean,,0.97,,,,0.98,,,,,,inconclusive,Too few repetitions.\n";

fn judged() -> Run {
    let run = Run::older();
    run.write("gates.csv", GATES);
    run.report(&[]);
    run
}

#[test]
fn in_junit_a_fail_is_a_failure_and_what_is_inconclusive_an_error() {
    let text = judged().read("junit.xml");
    let xml = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(xml.root_element().attribute("skipped"), None, "Jenkins' xUnit plugin would refuse it");
    let suite = xml.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    let counts = ["tests", "failures", "errors"].map(|name| suite.attribute(name).unwrap());
    assert_eq!(counts, ["3", "1", "1"]);
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let of_case = |index: usize, tag: &str| cases[index].children().find(|node| node.has_tag_name(tag));
    assert!(of_case(0, "failure").is_none() && of_case(0, "error").is_none());
    assert_eq!(cases[1].attribute("name"), Some("delay[ana -> lena].p95 < 90ms | \"tight\" & <now>"));
    let failure = of_case(1, "failure").unwrap();
    assert!(failure.attribute("message").unwrap().starts_with("@ana: 10 ms too late,"));
    for figure in ["value: 100 ms", "limit: 90 ms", "baseline: 97 ms", "change_low: 2.5 ms", "p_value: 0.001"] {
        assert!(failure.text().unwrap().contains(figure), "{text}");
    }
    assert_eq!(of_case(2, "error").unwrap().attribute("message"), Some("Too few repetitions."));
}

#[test]
fn the_page_has_every_figure_of_a_gate() {
    let page = scraper::Html::parse_document(&judged().read("report.html"));
    let cells = |selector: &str| -> Vec<String> {
        let selector = scraper::Selector::parse(&format!("section#verdict table {selector}")).unwrap();
        page.select(&selector).map(|cell| cell.text().collect()).collect()
    };
    let shown: BTreeMap<String, String> =
        cells("thead th").into_iter().zip(cells("tbody tr:nth-child(2) > *")).collect();
    let kept = csv::Reader::from_reader(GATES.as_bytes()).deserialize().nth(1).unwrap();
    let kept: BTreeMap<String, String> = kept.unwrap();
    for column in ["value", "low", "high", "limit", "baseline", "change", "change_low", "change_high", "p_value"] {
        let head = if column == "p_value" { "p-value".to_owned() } else { column.replace('_', " ") };
        let [shown, kept] = [&shown[&head], &kept[column]].map(|figure| figure.parse::<f64>().unwrap());
        assert_eq!(shown, kept, "{column}");
    }
}

#[test]
fn without_gates_junit_says_whether_it_was_measured() {
    for (heard, tag) in [(3, None), (1, Some("error")), (0, Some("error"))] {
        let run = Run::older();
        let lost = |row: &str| row.contains(",ana,lena,audience,") && heard == 0;
        let pairs: String = (run.read("pairs.csv").lines())
            .map(|row| match heard {
                _ if lost(row) => "r,1,ana,lena,audience,3,0,0,,,,,,,,,,,0\n".to_owned(),
                _ => row.replace(",3,3,1.0,", &format!(",3,{heard},0.5,")) + "\n",
            })
            .collect();
        run.write("pairs.csv", &pairs);
        let text = run.report(&["--format", "junit"]);
        let xml = roxmltree::Document::parse(&text).unwrap();
        let cases: Vec<_> = xml.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].attribute("name"), Some("measured"));
        let said = cases[0].children().find(|node| node.has_tag_name("error") || node.has_tag_name("failure"));
        assert_eq!(said.map(|node| node.tag_name().name()), tag, "{heard} of 3 heard: {text}");
    }
}

#[test]
fn the_summary_begins_with_the_verdict_and_shows_what_failed_first() {
    let text = judged().read("summary.md");
    assert!(text.starts_with("## older: **failed**; of 3 gates 1 passed, 1 failed, 1 inconclusive\n"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(rows[1].contains("**fail**") && rows[2].contains("inconclusive") && rows[3].contains("| pass |"), "{text}");
    // As many cells as the head has, whatever is in them.
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(rows[1..4].iter().all(|row| cells(row) == cells(rows[0])), "{text}");
    assert!(!text.contains("@ana") && !text.contains("<now>") && !text.contains(" *loudly*"), "{text}");
}

#[test]
fn json_and_metrics_have_every_gate() {
    let run = judged();
    let report = run.json("report.json");
    assert_eq!(report["verdict"], "gate_failed");
    let verdicts: Vec<_> = report["gates"].as_array().unwrap().iter().map(|gate| gate["verdict"].clone()).collect();
    assert_eq!(verdicts, [json!("pass"), json!("fail"), json!("inconclusive")]);
    let metrics = run.read("metrics.prom");
    assert!(metrics.contains("gate=\"heard_ratio > 0.98\",verdict=\"inconclusive\"} 1\n"), "{metrics}");
    assert!(metrics.contains("verdict=\"gate_failed\"} 1\n"), "{metrics}");
}
