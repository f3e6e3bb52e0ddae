//! Places: a mesh's sound goes straight from place to place, a forwarder's by way of the relay's place.

use std::collections::BTreeMap;

use crate::room::{Ran, run, simulated};
use crate::truth::{FRAME_NS, OPUS_LOOKAHEAD_NS, constant_delay_ns, mouth_start_ns, ms};

/// How far a measured delay may be from the truth.
const BOUND_NS: i64 = 100_000;
const LINK_NS: i64 = ms(5.0);
const PLAYOUT_NS: i64 = ms(40.0);
const EQUATOR_LONGITUDES: [(&str, f64); 4] = [("ana", 0.0), ("ben", 30.0), ("lena", 60.0), ("relay", -45.0)];

/// Everybody is on the equator, where a degree is as long as any other.
fn room(serving: &str, playout: &str) -> String {
    let mut text = format!(
        "name = \"places\"\n[run]\nduration = \"4s\"\ndrain = \"2s\"\n[signal.voiced]\n{serving}\n\
         [geography]\npath_stretch = 1.25\n[link.default]\ndelay = \"5ms\"\n[playout]\nfixed = \"{playout}\"\n"
    );
    for (name, longitude) in EQUATOR_LONGITUDES {
        text += &format!("[place.{name}]\nat = [0, {longitude:?}]\n");
    }
    text + "[[speaker]]\nname = \"ana\"\nplace = \"ana\"\n[[speaker]]\nname = \"ben\"\nplace = \"ben\"\n\
            [[listener]]\nname = \"lena\"\nplace = \"lena\"\n"
}

/// An arc of the equator at two thirds of the speed of light, a quarter longer than it is.
fn way_ns(from: &str, to: &str) -> i64 {
    let longitudes: BTreeMap<&str, f64> = EQUATOR_LONGITUDES.into();
    let metres = (longitudes[from] - longitudes[to]).abs() / 360.0 * std::f64::consts::TAU * 6_371_008.8;
    (1.25 * metres / (299_792_458.0 / 1.5) * 1e9) as i64
}

fn expect(ran: &Ran, by: impl Fn(&str, &str) -> i64) {
    let packets = ran.packets();
    let rows = ran.delays();
    assert_eq!(rows.len(), 4 * 4);
    for row in rows {
        let path = 2 * LINK_NS + by(&row.speaker, &row.recorder);
        let (mouth, ear) = (mouth_start_ns(&packets, &row.speaker), ran.sidecar(&row.recorder).start_ns);
        let truth = constant_delay_ns(mouth, ear, path, PLAYOUT_NS) + OPUS_LOOKAHEAD_NS;
        let error = row.delay_ns.unwrap() - truth;
        assert!(error.abs() <= BOUND_NS, "{error} ns off {truth}: {row:?}");
    }
}

#[test]
fn forwarded_sound_goes_by_the_relays_place() {
    let ran = simulated(&room("[relay]\nplace = \"relay\"", "40ms"));
    expect(&ran, |speaker, recorder| way_ns(speaker, "relay") + way_ns("relay", recorder));
}

#[test]
fn a_meshs_sound_goes_straight() {
    let ran = simulated(&room("[stage.mesh]\n[audience.forward]\n[relay]\nplace = \"relay\"", "40ms"));
    expect(&ran, |speaker, recorder| match recorder {
        "lena" => way_ns(speaker, "relay") + way_ns("relay", recorder),
        _ => way_ns(speaker, recorder),
    });
}

#[test]
fn in_a_cascade_it_goes_from_edge_to_edge() {
    let serving =
        "[stage.cascade]\nedges = [{ name = \"west\", place = \"relay\" }, { name = \"east\", place = \"ben\" }]";
    let placed = room(serving, "40ms").replace("place = \"lena\"\n", "place = \"lena\"\nedge = \"east\"\n");
    let ran = simulated(&placed);
    expect(&ran, |speaker, recorder| match recorder {
        "lena" => way_ns(speaker, "relay") + way_ns("relay", "ben") + way_ns("ben", recorder),
        _ => way_ns(speaker, "relay") + way_ns("relay", recorder),
    });
}

#[test]
fn on_loopback_packets_take_as_long_between_places() {
    let ran =
        run(&room("[stage.mesh]\n[audience.forward]\n[relay]\nplace = \"relay\"", "150ms"), &["--on", "loopback"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let mut least = BTreeMap::new();
    for row in ran.delays() {
        let network = row.network_ns.unwrap();
        let least = least.entry((row.speaker, row.recorder)).or_insert(network);
        *least = network.min(*least);
    }
    for ((speaker, recorder), network) in least {
        let way = match recorder.as_str() {
            "lena" => way_ns(&speaker, "relay") + way_ns("relay", &recorder),
            _ => way_ns(&speaker, &recorder),
        };
        let late = network - way - 2 * LINK_NS;
        // What the machine adds comes on top, and the least of four is not much on a busy one.
        assert!((0..ms(60.0)).contains(&late), "{speaker} at {recorder}: {late} ns later than the way takes");
    }
    assert!(way_ns("ana", "ben") > FRAME_NS, "far enough apart to tell from nothing");
}
