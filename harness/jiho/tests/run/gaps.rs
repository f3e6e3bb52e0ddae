//! What role changes do to sound, as the tables say it, held against what the packets say and what was constructed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::room::{Packet, Ran, run};
use crate::truth::{FRAME_NS, ms};

#[derive(Debug, Deserialize)]
struct Gap {
    event: String,
    endpoint: String,
    side: String,
    commanded_ns: i64,
    last_before_ns: Option<i64>,
    first_after_ns: Option<i64>,
    silence_ns: Option<i64>,
    lost_ns: Option<i64>,
    repeated_ns: Option<i64>,
    resolution_ns: i64,
    kind: String,
    subject: String,
    far_end: String,
    unexplained_ns: Option<i64>,
}

fn gaps(ran: &Ran) -> Vec<Gap> {
    csv::Reader::from_path(ran.dir.join("gaps.csv")).unwrap().into_deserialize().map(Result::unwrap).collect()
}

/// A simulated room: pilots without a codec's delay, everybody 30 ms from the relay.
fn room(seconds: u32, serving: &str, events: &[(&str, &str, &str)]) -> Ran {
    let events = events.iter().map(|(at, what, whom)| format!("[[event]]\nat = \"{at}\"\n{what} = \"{whom}\"\n"));
    let experiment = format!(
        "name = \"gaps\"\n[run]\nduration = \"{seconds}s\"\ndrain = \"2s\"\n[signal.pilot]\n[media]\ncodec.l16 = {{}}\n\
         {serving}\n[link.default]\ndelay = \"30ms\"\n[[speaker]]\nname = \"ana\"\n\
         [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n{}",
        events.collect::<String>()
    );
    let ran = run(&experiment, &["--on", "sim"]);
    // Whoever speaks for a few seconds only is heard too seldom for a figure.
    assert!(matches!(ran.code, Some(0 | 3)), "{}{}", ran.stdout, ran.stderr);
    ran
}

/// The rows of the changes of one kind at one side, in order of the changes.
fn of<'a>(gaps: &'a [Gap], event: &str, side: &str) -> Vec<&'a Gap> {
    gaps.iter().filter(|gap| gap.event == event && gap.side == side).collect()
}

#[test]
fn with_overlap_an_ear_hears_on_and_what_lies_between_the_paths_is_skipped_or_heard_again() {
    let held_back = ms(240.0);
    for (audience, late_ns) in [("[audience.forward]", 0), ("[audience.tier]\ndelay_line = \"240ms\"", held_back)] {
        let serving = format!("{audience}\n[promotion.webrtc_dtls12]\noverlap = true");
        let ran = room(11, &serving, &[("4s", "promote", "lena"), ("8s", "demote", "lena")]);
        let gaps = gaps(&ran);
        let [up] = of(&gaps, "promote", "ear")[..] else { panic!("{gaps:#?}") };
        let [down] = of(&gaps, "demote", "ear")[..] else { panic!("{gaps:#?}") };
        for (gap, lost, repeated) in [(up, late_ns, 0), (down, 0, late_ns)] {
            assert!(gap.silence_ns.unwrap().abs() <= gap.resolution_ns.max(ms(1.0)), "{gap:?}");
            assert!((gap.lost_ns.unwrap() - lost).abs() <= ms(5.0), "{gap:?}");
            assert!((gap.repeated_ns.unwrap() - repeated).abs() <= ms(5.0), "{gap:?}");
        }
        let kinds = if late_ns == 0 { ["none", "none"] } else { ["skip", "replay"] };
        assert_eq!([&up.kind, &down.kind], kinds, "{gaps:#?}");
        // Of each frame one copy is played: both paths never sound at once.
        let mut played: BTreeMap<u16, usize> = BTreeMap::new();
        let packets = ran.packets();
        let at_lena = packets.iter().filter(|p| p.endpoint == "lena" && p.speaker == "ana");
        at_lena
            .filter(|p| p.action.as_deref() == Some("played"))
            .for_each(|p| *played.entry(p.sequence).or_default() += 1);
        let twice = played.values().filter(|count| **count > 1).count() as i64;
        assert!((twice * FRAME_NS - late_ns).abs() <= FRAME_NS, "{twice} frames were heard again");
    }
}

/// The last frame of a speaker that an ear played before the pause that a mute at `at` brought about.
fn last_frame<'a>(packets: &'a [Packet], speaker: &str, recorder: &str, at: i64) -> &'a Packet {
    let played = |p: &&Packet| p.endpoint == recorder && p.speaker == speaker && p.action.as_deref() == Some("played");
    let frames: Vec<&Packet> = packets.iter().filter(played).collect();
    let pauses = |pair: &&[&Packet]| pair[1].played_ns.unwrap() - pair[0].played_ns.unwrap() > 2 * FRAME_NS;
    let after = |pair: &&[&Packet]| pair[0].played_ns.unwrap() > at;
    frames.windows(2).find(|pair| pauses(pair) && after(pair)).map_or(frames[frames.len() - 1], |pair| pair[0])
}

#[test]
fn changes_are_heard_with_the_far_end_silent_and_with_it_active_and_mutes_end_a_sound_where_the_packets_say() {
    let ran = room(
        26,
        "",
        &[
            ("2s", "promote", "lena"),
            ("5s", "mute", "lena"),
            ("7s", "mute", "ana"),
            ("9s", "unmute", "ana"),
            ("11s", "unmute", "lena"),
            ("13s", "mute", "lena"),
            ("15s", "mute", "ana"),
            // From here on nobody else sounds.
            ("17s", "unmute", "lena"),
            ("19s", "mute", "lena"),
            ("21s", "demote", "lena"),
            ("23s", "promote", "lena"),
        ],
    );
    let gaps = gaps(&ran);
    let packets = ran.packets();
    let far_ends = |event: &str, subject: &str| -> Vec<&str> {
        let rows = gaps.iter().filter(|gap| gap.event == event && gap.subject == subject && gap.side == "mouth");
        rows.filter(|gap| gap.endpoint == "mei").map(|gap| gap.far_end.as_str()).collect()
    };
    assert_eq!(far_ends("promote", "lena"), ["active", "silent"]);
    assert_eq!(far_ends("mute", "lena"), ["active", "active", "silent"]);
    assert_eq!(far_ends("unmute", "lena"), ["active", "silent"]);
    assert_eq!(far_ends("mute", "ana"), ["silent", "silent"]);
    assert_eq!(far_ends("unmute", "ana"), ["silent"]);
    for gap in gaps.iter().filter(|gap| gap.far_end == "silent") {
        assert_eq!(gap.side, "mouth", "whoever changes hears nobody: {gap:?}");
    }
    for words in ["(far end active)", "(far end silent)"] {
        assert!(ran.stdout.contains(words), "{words} is not in\n{}", ran.stdout);
    }

    let mutes = of(&gaps, "mute", "mouth");
    // Lena's three and Ana's two, each at both of the others.
    assert_eq!(mutes.len(), 10, "{mutes:#?}");
    for gap in mutes {
        let last = last_frame(&packets, &gap.subject, &gap.endpoint, gap.commanded_ns);
        let sent = packets.iter().find(|p| p.tap == "sent" && p.speaker == gap.subject && p.sequence == last.sequence);
        let (ends, said) = (last.played_ns.unwrap() + FRAME_NS, sent.unwrap().at_ns.unwrap());
        assert_eq!((gap.kind.as_str(), gap.first_after_ns), ("ends", None), "{gap:?}");
        let error = gap.last_before_ns.unwrap() - ends;
        assert!(error.abs() <= gap.resolution_ns, "{error} ns off {ends}: {gap:?}");
        // What was on its way to the relay when the command came goes no further.
        let lost = gap.commanded_ns - said;
        assert!((ms(30.0)..=ms(30.0) + FRAME_NS).contains(&lost), "{lost}: {gap:?}");
        assert!((gap.lost_ns.unwrap() - lost).abs() <= gap.resolution_ns, "{lost}: {gap:?}");
    }
}

#[test]
fn in_a_mesh_the_promoted_one_is_heard_directly_and_hears_the_stage_directly() {
    // What passes the relay takes 14 ms more.
    let serving = "[stage.mesh]\n[promotion.webrtc_dtls13]\n[relay]\nlink = \"far\"\n[link.far]\ndelay = \"7ms\"";
    let ran = room(9, serving, &[("4s", "promote", "lena")]);
    let gaps = gaps(&ran);
    let [ear] = of(&gaps, "promote", "ear")[..] else { panic!("{gaps:#?}") };
    // The path that ends is by 14 ms the longer one.
    let (silence, lost) = (ear.silence_ns.unwrap(), ear.lost_ns.unwrap());
    assert_eq!(ear.kind, "silent_gap");
    assert!((lost - silence - ms(14.0)).abs() <= ms(1.0), "{ear:?}");
    let mouth = of(&gaps, "promote", "mouth");
    assert_eq!(mouth.iter().map(|gap| gap.endpoint.as_str()).collect::<Vec<_>>(), ["ana", "mei"]);
    for gap in mouth.into_iter().chain([ear]) {
        assert!(gap.side == "ear" || gap.kind == "begins", "{gap:?}");
        assert!(gap.unexplained_ns.unwrap().abs() <= ms(20.0), "{gap:?}");
    }
    let median = |speaker: &str, recorder: &str, relation: &str| {
        let pairs = ran.pairs();
        let mut own = pairs.iter().filter(|p| p.speaker == speaker && p.recorder == recorder && p.relation == relation);
        own.next().and_then(|pair| pair.median_ms).unwrap_or_else(|| panic!("{speaker} at {recorder}: {pairs:#?}"))
    };
    // A frame, 40 ms of buffer, and twice 30 ms.
    for (speaker, recorder, relation, delay_ms) in [
        ("ana", "lena", "audience", 134.0),
        ("ana", "lena", "stage", 120.0),
        ("lena", "ana", "stage", 120.0),
        ("lena", "mei", "audience", 134.0),
        ("ana", "mei", "audience", 134.0),
    ] {
        let found = median(speaker, recorder, relation);
        assert!((found - delay_ms).abs() <= 0.1, "{speaker} at {recorder} ({relation}): {found}");
    }
}
