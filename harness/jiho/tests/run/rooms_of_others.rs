//! Rooms that somebody else wrote, by commands of the user's: in good order and in bad.
#![cfg(unix)]

use std::time::{Duration, Instant};

use crate::room::{Ran, run};

/// A speaker and a listener, probes of ours by plain RTP, in a room that `command` serves.
fn room(command: &str) -> String {
    format!(
        "name = \"theirs\"\n[run]\nduration = \"3s\"\n[room.command]\npatience = \"1s\"\nstop = \"1s\"\n{command}\n\
         [[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n"
    )
}

const NOWHERE: &str = "rtp = { send_to = \"127.0.0.1:9\" }";

/// What the run wrote into its folder under this name.
fn kept(ran: &Ran, name: &str) -> String {
    std::fs::read_to_string(ran.dir.join(name)).unwrap_or_default()
}

#[test]
fn a_room_that_dies_is_named_and_what_was_sent_until_then_is_kept() {
    let ran = run(&room(&format!("start = \"echo going; sleep 3; echo gone; exit 3\"\n{NOWHERE}")), &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let failures = ran.run_json()["failures"].to_string();
    assert!(failures.contains("the room's command ended") && failures.contains("gone"), "{failures}");
    assert!(kept(&ran, "packets.csv").lines().count() > 50, "a second of packets at least");
    assert!(kept(&ran, "room-server.log").contains("gone"));
}

#[test]
fn a_room_that_is_never_ready_is_given_up_within_its_patience() {
    let began = Instant::now();
    let ran = run(
        &room(&format!(
            "start = \"echo $$ > $JIHO_RUN_FOLDER/pid; exec sleep 600\"\nready.line = \"ready\"\n{NOWHERE}"
        )),
        &[],
    );
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("did not answer within 1 s") && ran.stderr.contains("no line with"), "{}", ran.stderr);
    assert!(began.elapsed() < Duration::from_secs(60));
    let pid = kept(&ran, "pid");
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z"), "it was stopped: {state}");
}

#[test]
fn a_room_that_refuses_somebody_is_repeated_in_its_own_words() {
    let ran = run(&room(&format!("join = \"echo $JIHO_NAME is not wanted; exit 4\"\n{NOWHERE}")), &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let failures = ran.run_json()["failures"].to_string();
    assert!(failures.contains("to join ana refused") && failures.contains("ana is not wanted"), "{failures}");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_started() {
    for (command, words) in [
        ("", "no command serves the room"),
        ("start = \"true\"", "nobody knows what is between mouths and ears"),
        ("join = \"true\"\n[[event]]\nat = \"1s\"\nmute = \"ana\"", "`mute` is missing"),
        (
            &*format!("{NOWHERE}\npromote = \"true\"\n[[event]]\nat = \"1s\"\npromote = \"lena\""),
            "speak from the beginning",
        ),
    ] {
        let ran = run(&room(command), &[]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}
