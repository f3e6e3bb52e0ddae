//! The drop probe: who misses what an endpoint drops on purpose, by how the room is served.

use std::collections::BTreeSet;

use crate::room::{Drop, Packet, Ran, run, simulated};

const SPEAKERS: [&str; 3] = ["ana", "ben", "cem"];
const LISTENERS: [&str; 2] = ["lena", "mei"];
const BOTH_WAYS: &str = "incoming = 3\noutgoing = 3\ninterval = \"400ms\"\n";

/// Three speakers and two listeners over links that lose nothing; ana and lena drop packets.
fn room(serving: &str, probe: &str) -> String {
    let mut text = format!(
        "name = \"probe\"\n[run]\nduration = \"8s\"\ndrain = \"2s\"\n[signal.pilot]\n{serving}\n[link.default]\n\
         delay = \"15ms\"\n[drop_probe]\nparticipants = [\"ana\", \"lena\"]\n{probe}\n"
    );
    SPEAKERS.iter().for_each(|name| text += &format!("[[speaker]]\nname = \"{name}\"\n"));
    LISTENERS.iter().for_each(|name| text += &format!("[[listener]]\nname = \"{name}\"\n"));
    text
}

/// Who had to conceal a packet.
fn misses<'a>(packets: &'a [Packet], drop: &Drop) -> BTreeSet<&'a str> {
    let concealed = |packet: &&Packet| packet.action.as_deref() == Some("concealed");
    let same = |packet: &&Packet| (packet.ssrc, packet.sequence) == (drop.ssrc, drop.sequence);
    packets.iter().filter(concealed).filter(same).map(|packet| packet.endpoint.as_str()).collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.into_iter().collect()
}

/// Everything that is missing at any ear was dropped on purpose; budgets are kept.
fn expect_nothing_else(ran: &Ran, drops: &[Drop], missing: &[BTreeSet<&str>]) {
    let count = |who: &str, way: &str| drops.iter().filter(|d| d.participant == who && d.direction == way).count();
    assert_eq!([count("ana", "in"), count("ana", "out"), count("lena", "in"), count("lena", "out")], [3, 3, 3, 0]);
    let concealed = ran.packets().iter().filter(|packet| packet.action.as_deref() == Some("concealed")).count();
    assert_eq!(concealed, missing.iter().map(BTreeSet::len).sum::<usize>());
}

fn missing<'a>(packets: &'a [Packet], drops: &[Drop], way: &str) -> Vec<BTreeSet<&'a str>> {
    drops.iter().filter(|drop| drop.direction == way).map(|drop| misses(packets, drop)).collect()
}

#[test]
fn what_is_not_sent_to_a_server_is_missed_by_all_and_what_is_not_let_in_by_its_own_ear() {
    for serving in ["[stage.forward]", "[media]\nseal.sframe = { passphrase = \"test\" }"] {
        let ran = simulated(&room(serving, BOTH_WAYS));
        let (packets, drops) = (ran.packets(), ran.drops());
        let all: Vec<_> = drops.iter().map(|drop| misses(&packets, drop)).collect();
        expect_nothing_else(&ran, &drops, &all);
        for (drop, missed) in drops.iter().zip(&all) {
            let expected = match drop.direction.as_str() {
                "in" => set([drop.participant.as_str()]),
                _ => set(["ben", "cem", "lena", "mei"]),
            };
            assert_eq!(*missed, expected, "{drop:?}");
        }
    }
}

#[test]
fn in_a_mesh_what_is_not_sent_to_one_is_missed_by_that_one_alone() {
    let ran = simulated(&room("[stage.mesh]\n[audience.forward]", BOTH_WAYS));
    let (packets, drops) = (ran.packets(), ran.drops());
    let mut outgoing = missing(&packets, &drops, "out");
    // First what the server needs for the audience, then one peer after the other.
    assert_eq!(outgoing.remove(0), set(LISTENERS));
    outgoing.sort();
    assert_eq!(outgoing, [set(["ben"]), set(["cem"])]);
    let to: BTreeSet<&str> =
        drops.iter().filter(|drop| drop.direction == "out").map(|drop| drop.destination.as_str()).collect();
    assert_eq!(to.len(), 3, "each destination in its turn");
    let ran = simulated(&room("[stage.mesh]\n[audience.forward]", &format!("{BOTH_WAYS}withhold = \"from_all\"")));
    for missed in missing(&ran.packets(), &ran.drops(), "out") {
        assert_eq!(missed, set(["ben", "cem", "lena", "mei"]));
    }
}

/// Whose pilots break off at an ear within a second of an instant.
fn broken<'a>(ran: &'a [(String, String, i64)], ear: &str, at_ns: i64) -> BTreeSet<&'a str> {
    let near = |break_at: i64| (-50_000_000..400_000_000).contains(&(break_at - at_ns));
    ran.iter()
        .filter(|(recorder, _, at)| recorder == ear && near(*at))
        .map(|(_, speaker, _)| speaker.as_str())
        .collect()
}

#[test]
fn a_packet_that_is_not_let_in_is_a_hole_in_one_pilot_if_it_was_forwarded_and_in_all_if_it_was_mixed() {
    for (serving, pilots) in [("[stage.forward]", 1), ("[stage.mix]\n[audience.mix]", 3)] {
        let ran = simulated(&room(serving, "incoming = 3\noutgoing = 0\ninterval = \"1s\"\n"));
        let breaks = ran.breaks();
        let lenas: Vec<_> = ran.drops().into_iter().filter(|drop| drop.participant == "lena").collect();
        assert_eq!(lenas.len(), 3);
        for drop in lenas {
            let broken = broken(&breaks, "lena", drop.at_ns);
            assert_eq!(broken.len(), pilots, "{serving}: {broken:?} near {drop:?} of {breaks:?}");
        }
    }
}

#[test]
fn on_loopback_packets_are_dropped_as_in_simulation() {
    let ran = run(&room("[stage.mesh]\n[audience.forward]", BOTH_WAYS), &["--on", "loopback"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let (packets, drops) = (ran.packets(), ran.drops());
    assert_eq!(drops.len(), 9);
    // A machine that is busy may miss more.
    for drop in &drops {
        let missed = misses(&packets, drop);
        assert!(!missed.is_empty(), "{drop:?}");
        assert!(drop.direction == "out" || missed.contains(drop.participant.as_str()), "{drop:?}: {missed:?}");
    }
}

#[test]
fn rooms_without_a_probe_drop_nothing() {
    let ran = simulated("[[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n[run]\nduration = \"2s\"\n");
    assert!(!ran.dir.join("drops.csv").exists());
}
