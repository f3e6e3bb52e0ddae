//! A run while it goes on: line by line for programs, and in lines for people where there is no terminal.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::room::{Ran, run};

/// Uncompressed, so that nothing depends on the codec's version.
fn experiment(duration: &str, link: &str) -> String {
    format!(
        "name = \"watched\"\n[run]\nduration = \"{duration}\"\n[media]\ncodec.l16 = {{}}\n[link.default]\n{link}\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n"
    )
}

fn streamed(experiment: &str) -> (Ran, Vec<Value>) {
    let ran = run(experiment, &["--on", "sim", "--format", "jsonl"]);
    let lines = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (ran, lines)
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["line"] == kind).collect()
}

type Beep = (String, String, u64);

fn beep(line: &Value) -> Beep {
    let text = |key: &str| line[key].as_str().unwrap().to_owned();
    (text("speaker"), text("recorder"), line["beep"].as_u64().unwrap())
}

#[test]
fn what_is_heard_as_it_plays_is_what_the_recordings_have() {
    let (ran, lines) = streamed(&experiment("30s", "delay = \"20ms\"\njitter.normal = \"4ms\"\nloss = \"50%\""));
    let heard: BTreeMap<Beep, i64> =
        of_kind(&lines, "heard").into_iter().map(|line| (beep(line), line["delay_ns"].as_i64().unwrap())).collect();
    let mut missed: Vec<Beep> = of_kind(&lines, "missed").into_iter().map(beep).collect();
    missed.retain(|beep| !heard.contains_key(beep));
    let rows = ran.delays();
    let key = |row: &crate::room::Delay| (row.speaker.clone(), row.recorder.clone(), u64::from(row.beep));
    let arrived = |arrival: &crate::room::Arrival| {
        let beep = u64::from(arrival.beep?);
        Some((arrival.speaker.clone()?, arrival.recorder.clone(), beep))
    };
    let mut arrivals = ran.arrivals();
    arrivals.retain(|arrival| arrival.rank == 1);
    assert_eq!(heard.len() + missed.len(), rows.len());
    let truly_missed = rows.iter().filter(|row| row.delay_ns.is_none()).count();
    assert!(truly_missed > 0, "the link loses some beeps altogether");
    for row in &rows {
        match (row.delay_ns, heard.get(&key(row))) {
            (Some(delay_ns), Some(live)) => {
                assert!((live - delay_ns).abs() < 100_000, "{:?}: {live} in place of {delay_ns}", key(row));
            }
            // What is not sure by itself, and believed for its neighbours' sake, is not yet believed as it plays.
            (Some(_), None) => {
                let score = arrivals.iter().find(|arrival| arrived(arrival) == Some(key(row))).unwrap().score;
                assert!(score < 0.3, "{:?}: {score}", key(row));
            }
            (None, live) => assert_eq!(live, None, "{:?}", key(row)),
        }
    }
}

#[test]
fn a_stream_begins_with_the_run_ends_with_its_pairs_and_is_the_same_each_time() {
    let text = experiment("4s", "delay = \"20ms\"");
    let (ran, lines) = streamed(&text);
    assert_eq!(of_kind(&lines, "pair").len(), ran.pairs().len());
    assert!(lines.iter().all(|line| line["run_id"].is_string() && line["rep"] == 1));
    let stream = |ran: &Ran| ran.stdout.replace(ran.dir.to_str().unwrap(), "DIR");
    assert_eq!(stream(&ran), stream(&streamed(&text).0));
    assert_eq!((lines[0]["line"].as_str(), lines[lines.len() - 1]["line"].as_str()), (Some("begun"), Some("pair")));
}

#[test]
fn where_there_is_no_terminal_a_watched_run_says_lines() {
    let ran = run(&experiment("12s", "delay = \"20ms\""), &["--on", "sim", "--watch"]);
    assert!(ran.stdout.starts_with("Mouth-to-ear delay"), "{}", ran.stdout);
    // What the simulation cost differs each time.
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| !line.contains("real time")).collect();
    assert!(lines.iter().any(|line| line.contains("ana→lena") && line.contains(" ms ")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("lena is in the room")) && lines.len() < 20, "{lines:#?}");
}

#[test]
fn ears_that_are_not_recorded_are_watched_as_well() {
    let text = experiment("10s", "delay = \"20ms\"").replace("[run]\n", "[run]\nrecordings = []\n");
    let (ran, lines) = streamed(&text);
    let heard: usize = ran.pairs().iter().map(|pair| pair.heard).sum();
    assert_eq!((of_kind(&lines, "heard").len(), of_kind(&lines, "missed").len()), (heard, 0));
}

#[test]
fn the_silence_at_a_promotion_is_a_gap_as_it_is_heard() {
    let text = "[run]\nduration = \"12s\"\n[signal.pilot]\n[link.default]\ndelay = \"20ms\"\n[promotion.webrtc_dtls12]\n\
        [[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n[[event]]\nat = \"5s\"\npromote = \"lena\"\n";
    let (ran, lines) = streamed(text);
    let gaps = of_kind(&lines, "gap").into_iter().filter(|line| line["recorder"] == "lena");
    let gaps: Vec<i64> = gaps.map(|line| line["to_ns"].as_i64().unwrap() - line["from_ns"].as_i64().unwrap()).collect();
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_path(ran.dir.join("gaps.csv")).unwrap().into_deserialize().map(Result::unwrap).collect();
    let truth = rows.iter().find(|row| row["endpoint"] == "lena" && row["speaker"] == "ana").unwrap();
    let silence: i64 = truth["silence_ns"].parse().unwrap();
    assert!(gaps.iter().any(|gap| (gap - silence).abs() <= 30_000_000), "{gaps:?} in place of {silence}");
    assert!(of_kind(&lines, "step").iter().any(|line| line["step"] == "done" && line["subject"] == "lena"));
}
