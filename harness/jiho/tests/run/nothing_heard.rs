//! "Could not measure" never looks like "fine".

use crate::room::{Ran, run};

fn with_loss(percent: u32) -> Ran {
    let experiment = format!(
        "name = \"lost\"\n[run]\nduration = \"8s\"\n[link.default]\nloss = \"{percent}%\"\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n[[listener]]\nname = \"lena\"\n"
    );
    run(&experiment, &["--on", "sim"])
}

#[test]
fn a_room_in_which_nobody_is_heard_was_not_measured() {
    let ran = with_loss(100);
    assert_eq!(ran.code, Some(4), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Nothing was measured"), "{}", ran.stdout);
    let arrivals = std::fs::read_to_string(ran.dir.join("arrivals.csv")).unwrap();
    assert!(arrivals.starts_with("run_id,rep,recorder,") && arrivals.lines().count() == 1, "{arrivals}");
    let delays = ran.delays();
    assert_eq!(delays.len(), 4 * 8);
    for row in delays {
        assert_eq!((row.status.as_str(), row.delay_ns), ("missing", None), "{row:?}");
        assert_eq!(row.reason.as_deref(), Some("not_found"), "{row:?}");
    }
    for pair in ran.pairs() {
        assert_eq!((pair.expected, pair.heard, pair.ambiguous, pair.median_ms), (8, 0, 0, None), "{pair:?}");
    }
}

#[test]
fn a_room_in_which_too_little_is_heard_is_inconclusive() {
    // Up and down together, nine of ten packets are lost.
    let ran = with_loss(68);
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("Inconclusive: some pair was heard too seldom"), "{}", ran.stdout);
    assert_eq!(ran.delays().len(), 4 * 8, "what was not heard is still expected");
}

#[test]
fn figures_of_a_run_come_as_json_too() {
    let experiment = "name = \"json\"\n[run]\nduration = \"5s\"\n\
                      [[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";
    let ran = run(experiment, &["--on", "sim", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["run"], ran.run_json());
    assert_eq!((&report["pairs"][0]["speaker"], &report["pairs"][0]["heard"]), (&"ana".into(), &5.into()));
    assert_eq!(report["folder"].as_str(), ran.dir.to_str());
}
