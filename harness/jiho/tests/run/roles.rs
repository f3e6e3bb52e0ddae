//! People who come, go, are promoted, demoted and muted: by an experiment's events, in both worlds.

use serde::Deserialize;

use crate::room::{Ran, run};
use crate::truth::ms;

/// Everything that can happen to somebody, while Ben and Omar go on undisturbed. Times are from the end of the warm-up.
const EVENTS: &str = "\
[[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
[[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n[[listener]]\nname = \"omar\"\n\
[[event]]\nat = \"1s\"\njoin = \"mei\"\n\
[[event]]\nat = \"1500ms\"\npromote = \"lena\"\n\
[[event]]\nat = \"2s\"\nmute = \"ana\"\n\
[[event]]\nat = \"4s\"\nunmute = \"ana\"\n\
[[event]]\nat = \"4500ms\"\nleave = \"mei\"\n\
[[event]]\nat = \"5500ms\"\ndemote = \"lena\"\n";

#[derive(Debug, Deserialize)]
struct Event {
    at_ns: i64,
    node: String,
    event: String,
    subject: String,
    change: Option<u32>,
    step: Option<String>,
    detail: String,
}

fn events(ran: &Ran) -> Vec<Event> {
    csv::Reader::from_path(ran.dir.join("events.csv")).unwrap().into_deserialize().map(Result::unwrap).collect()
}

fn at(events: &[Event], node: &str, event: &str, step: &str) -> i64 {
    let found = events.iter().find(|row| row.node == node && row.event == event && row.step.as_deref() == Some(step));
    found.unwrap_or_else(|| panic!("no {step} of {event} at {node}: {events:#?}")).at_ns
}

/// What is true in either world.
fn hold(ran: &Ran) {
    // Who was there for a few beeps only hears too few of them for a figure.
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    let events = events(ran);
    for (event, subject) in [("promote", "lena"), ("demote", "lena"), ("mute", "ana"), ("unmute", "ana")] {
        at(&events, "moderator", event, "asked");
        at(&events, "relay", event, "commanded");
        at(&events, subject, event, "granted");
        at(&events, "relay", event, "done");
        at(&events, "moderator", event, "done");
        let numbers = events.iter().filter(|row| row.event == event && row.node == "relay").map(|row| row.change);
        assert!(numbers.clone().all(|number| number.is_some() && number == numbers.clone().next().unwrap()));
        assert!(events.iter().filter(|row| row.event == event).all(|row| row.subject == subject));
    }
    for hearer in ["ana", "ben", "mei", "omar"] {
        at(&events, hearer, "promote", "first_media_received");
        at(&events, hearer, "promote", "first_played");
        let told = |row: &Event| row.step.as_deref() == Some("subscriber_acknowledged") && row.detail == hearer;
        assert!(events.iter().any(|row| row.event == "promote" && told(row)), "{hearer}");
    }
    assert!(events.iter().any(|row| row.event == "left" && row.subject == "mei" && row.node == "relay"));
    at(&events, "mei", "join", "first_played");
    assert!(!events.iter().any(|row| row.step.as_deref() == Some("failed")), "{events:#?}");

    let json = ran.run_json();
    assert_eq!((&json["partial"], &json["failures"]), (&false.into(), &serde_json::json!([])));
    assert!(json["late"].is_null(), "who comes late by design is no flaw: {}", json["late"]);

    // Lena speaks while she is on the stage, Ana while she is not muted.
    let sent = |name: &str| -> Vec<i64> {
        ran.emissions().iter().filter(|beep| beep.speaker == name).map(|beep| beep.sent_ns).collect()
    };
    let opened = events.iter().find(|row| row.node == "lena" && row.event == "mouth_opened").unwrap().at_ns;
    let paused = |name: &str| events.iter().find(|row| row.node == name && row.event == "mouth_paused").unwrap().at_ns;
    assert!((2..=4).contains(&sent("lena").len()), "{:?}", sent("lena"));
    assert!(sent("lena").iter().all(|at| (opened - ms(20.0)..paused("lena")).contains(at)));
    let resumed = at(&events, "ana", "unmute", "granted");
    assert!(sent("ana").iter().all(|at| *at < paused("ana") || *at > resumed - ms(20.0)), "{:?}", sent("ana"));
    assert_eq!(sent("ben").len(), 7);

    // What was sent was heard by those who were there throughout.
    for pair in ran.pairs().iter().filter(|pair| pair.recorder == "omar" || pair.recorder == "ben") {
        if pair.speaker == "ben" {
            assert_eq!((pair.expected, pair.heard), (7, 7), "{pair:?}");
        } else {
            assert!(pair.expected - pair.heard <= 2, "a beep may be cut where a mouth opens or closes: {pair:?}");
        }
        assert_eq!(pair.expected, sent(&pair.speaker).len());
    }
    let mei = ran.sidecar("mei");
    assert!((ms(2000.0)..ms(2300.0)).contains(&mei.start_ns), "{mei:?}");
    assert!(mei.complete && (3.0..4.0).contains(&(mei.samples as f64 / 48_000.0)), "{mei:?}");
}

#[test]
fn in_simulation_everybody_comes_goes_and_changes_when_the_experiment_says() {
    let head = "name = \"roles\"\n[run]\nduration = \"7s\"\ndrain = \"2s\"\n[promotion.webrtc_dtls12]\n\
                [link.default]\ndelay = \"50ms\"\n";
    let ran = run(&format!("{head}{EVENTS}"), &["--on", "sim"]);
    hold(&ran);
    let events = events(&ran);
    assert_eq!(at(&events, "relay", "promote", "commanded"), ms(2500.0));
    let ready = at(&events, "lena", "promote", "transport_ready") - at(&events, "lena", "promote", "offered");
    assert_eq!(ready, ms(400.0), "eight one-way delays");
    let arrived = at(&events, "relay", "promote", "first_media_arrived") - at(&events, "lena", "promote", "offered");
    assert!((ms(450.0)..ms(470.0)).contains(&arrived), "nine, and up to a frame: {arrived}");
}

#[test]
fn over_loopback_the_same_happens() {
    let head = "name = \"roles\"\n[run]\nduration = \"7s\"\ndrain = \"1s\"\n[promotion.webrtc_dtls13]\n\
                [playout]\nfixed = \"150ms\"\n";
    let ran = run(&format!("{head}{EVENTS}"), &["--on", "loopback"]);
    hold(&ran);
}

#[test]
fn events_that_cannot_be_are_named_with_their_place() {
    let room = "[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n";
    for (events, words) in [
        ("[[event]]\nat = \"1s\"\npromote = \"lean\"\n", &["nobody named `lean`", "did you mean `lena`?", ":7:11"][..]),
        ("[[event]]\nat = \"1s\"\npromote = \"ana\"\n", &["`ana` is on the stage already", ":7:11"]),
        ("[[event]]\nat = \"1s\"\ndemote = \"lena\"\n", &["`lena` is in the audience"]),
        ("[[event]]\nat = \"30s\"\nmute = \"ana\"\n", &["nothing happens any more", ":6:6"]),
        ("[[event]]\nat = \"1s\"\n", &["an event is one thing", "`promote`"]),
        ("[[event]]\nat = \"1s\"\nmute = \"ana\"\njoin = \"lena\"\n", &["an event is one thing"]),
        ("[[event]]\nat = \"1s\"\nmuet = \"ana\"\n", &["unknown key `muet`", "`mute`"]),
        (
            "[[event]]\nat = \"2s\"\njoin = \"lena\"\n[[event]]\nat = \"1s\"\npromote = \"lena\"\n",
            &["not in the room yet"],
        ),
        ("[promotion.worm]\n", &["unknown choice `worm`", "`warm`"]),
        ("[promotion.warm]\nretransmit.stun = \"0s\"\n", &["nobody answers within 0s", ":6:"]),
    ] {
        let ran = run(&format!("{room}{events}"), &["--on", "sim"]);
        assert_eq!(ran.code, Some(2), "{events}");
        for words in words {
            assert!(ran.stderr.contains(words), "{words:?} is not in\n{}", ran.stderr);
        }
    }
}
