//! What each architecture adds to every delay, heard in the sound and held against what was constructed.

use std::fmt::Write;

use crate::room::{Ran, simulated};
use crate::truth::{OPUS_LOOKAHEAD_NS, constant_delay_ns, mouth_start_ns};

/// How far a measured delay may be from the truth.
const BOUND_NS: i64 = 100_000;
const SECONDS: usize = 6;

/// Somebody with a link of constant delays.
#[derive(Clone, Copy)]
struct Member {
    name: &'static str,
    speaks: bool,
    up_ns: i64,
    down_ns: i64,
    playout_ns: i64,
}

const fn member(name: &'static str, speaks: bool, up_ns: i64, down_ns: i64, playout_ns: i64) -> Member {
    Member { name, speaks, up_ns, down_ns, playout_ns }
}

const PEOPLE: [Member; 4] = [
    member("ana", true, 15_000_001, 12_345_678, 40_000_000),
    member("ben", true, 3_999_999, 27_181_828, 33_333_333),
    member("lena", false, 1_000_000, 31_415_926, 60_000_000),
    member("mei", false, 50_000_000, 1_010_101, 25_000_000),
];

/// The way of packets through the relay's own link: in, and out.
const RELAY_DOWN_NS: i64 = 2_345_678;
const RELAY_UP_NS: i64 = 4_567_891;
const RELAY_NS: i64 = RELAY_DOWN_NS + RELAY_UP_NS;

/// Holds a room that is served as `serving` says, for the delays of all pairs: (speaker, recorder, relation, delays).
fn hold(serving: &str) -> (Ran, Vec<(Member, Member, Vec<i64>)>) {
    let mut text = format!(
        "name = \"room\"\n[run]\nduration = \"{SECONDS}s\"\ndrain = \"8s\"\n[signal.voiced]\n{serving}\n\
         [relay]\nlink = \"server\"\n[link.server]\nup.delay = {}\ndown.delay = {}\n",
        millis(RELAY_UP_NS),
        millis(RELAY_DOWN_NS)
    );
    for Member { name, speaks, up_ns, down_ns, playout_ns } in PEOPLE {
        let part = if speaks { "speaker" } else { "listener" };
        let (up, down, playout) = (millis(up_ns), millis(down_ns), millis(playout_ns));
        write!(
            text,
            "[link.{name}]\nup.delay = {up}\ndown.delay = {down}\n\
             [[{part}]]\nname = \"{name}\"\nlink = \"{name}\"\nplayout.fixed = {playout}\n"
        )
        .unwrap();
    }
    let ran = simulated(&text);
    let delays = ran.delays();
    let pairs = PEOPLE.iter().filter(|speaker| speaker.speaks).flat_map(|speaker| {
        PEOPLE.iter().filter(|recorder| recorder.name != speaker.name).map(move |recorder| (*speaker, *recorder))
    });
    let pairs = pairs
        .map(|(speaker, recorder)| {
            let rows = delays.iter().filter(|row| row.speaker == speaker.name && row.recorder == recorder.name);
            let heard: Vec<i64> = rows
                .map(|row| {
                    assert_eq!((row.status.as_str(), row.reason.as_deref()), ("heard", None), "{row:?}");
                    row.delay_ns.unwrap()
                })
                .collect();
            assert_eq!(heard.len(), SECONDS, "{} at {}", speaker.name, recorder.name);
            (speaker, recorder, heard)
        })
        .collect();
    (ran, pairs)
}

fn millis(ns: i64) -> String {
    format!("\"{}.{:06}ms\"", ns / 1_000_000, ns % 1_000_000)
}

/// Expects that each pair's way takes what its two links take and as much as `added_ns` says.
fn expect(serving: &str, added_ns: impl Fn(Member, Member) -> i64) {
    let (ran, pairs) = hold(serving);
    let packets = ran.packets();
    for (speaker, recorder, heard) in pairs {
        let mouth = mouth_start_ns(&packets, speaker.name);
        let ear = ran.sidecar(recorder.name).start_ns;
        let path = speaker.up_ns + added_ns(speaker, recorder) + recorder.down_ns;
        let truth = constant_delay_ns(mouth, ear, path, recorder.playout_ns) + OPUS_LOOKAHEAD_NS;
        for delay in heard {
            let error = delay - truth;
            assert!(error.abs() <= BOUND_NS, "{} at {}: {error} ns off {truth}", speaker.name, recorder.name);
        }
    }
}

#[test]
fn forwarding_adds_the_relays_own_link() {
    expect("[stage.forward]\n[audience.forward]", |_, _| RELAY_NS);
}

#[test]
fn a_mesh_adds_nothing_on_stage_and_the_relay_s_link_to_the_audience() {
    expect("[stage.mesh]\n[audience.forward]", |_, recorder| if recorder.speaks { 0 } else { RELAY_NS });
}

#[test]
fn a_mesh_of_everybody_adds_nothing_anywhere() {
    expect("[stage.mesh]\n[audience.mesh]", |_, _| 0);
}
