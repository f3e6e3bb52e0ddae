use std::collections::BTreeSet;

use super::heard::Probe;
use super::*;
use crate::arrivals::Role;
use crate::metrics::topology::{Ear, Hole, Sighting};
use crate::units::MediaTime;

const SPEAKERS: [&str; 3] = ["ana", "ben", "cem"];
const LISTENERS: [&str; 3] = ["lena", "mei", "omar"];
const SECOND: Nanos = Nanos::from_secs(1);
const FRAME: Nanos = Nanos::from_millis(20);

/// Which ears miss what a speaker keeps from its n-th destination, and whose sound the n-th packet carries that an
/// ear does not let in.
struct Served {
    kept: fn(&str, usize) -> Vec<&'static str>,
    carried: fn(&str, usize) -> Vec<&'static str>,
}

const FORWARD: Served = Served { kept: everybody, carried: one };
const MIX: Served = Served { kept: everybody, carried: others };
/// The stage alone is a mesh.
const MESH: Served = Served { kept: one_or_the_audience, carried: one };

fn all() -> impl Iterator<Item = &'static str> {
    SPEAKERS.into_iter().chain(LISTENERS)
}

fn others(name: &str, _: usize) -> Vec<&'static str> {
    SPEAKERS.into_iter().filter(|other| *other != name).collect()
}

fn everybody(name: &str, _: usize) -> Vec<&'static str> {
    all().filter(|other| *other != name).collect()
}

fn one(name: &str, n: usize) -> Vec<&'static str> {
    let others = others(name, n);
    vec![others[n % others.len()]]
}

fn one_or_the_audience(name: &str, n: usize) -> Vec<&'static str> {
    if n.is_multiple_of(3) { LISTENERS.to_vec() } else { one(name, n) }
}

/// A room in which ana, ben, lena and mei drop `each` packets each way. Of the holes so many percent go unheard, and
/// in each second of each pair's sound one comes about by itself in so many percent.
fn room(served: &Served, each: usize, unheard: u32, natural: u32, seed: u32) -> Observations {
    let mut state = seed;
    let mut percent = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(state >> 8) * 100) >> 24) as u32
    };
    let ear = |name: &str| Ear {
        name: name.to_owned(),
        role: if SPEAKERS.contains(&name) { Role::Speaker } else { Role::Listener },
    };
    let mut room = Observations { ears: all().map(ear).collect(), ..Observations::default() };
    // Every clock is wrong by another number of seconds.
    let clock = |name: &str| Nanos(SECOND.0 * (name.bytes().map(i64::from).sum::<i64>() % 11 - 5));
    let mut holes = Vec::new();
    let hole = |speaker: &str, recorder: &str, at: RunTime| Hole {
        speaker: speaker.to_owned(),
        recorder: recorder.to_owned(),
        at: at + clock(recorder) + Nanos::from_millis(80),
        captured: at + clock(speaker),
        length: FRAME,
    };
    for recorder in all() {
        for speaker in others(recorder, 0) {
            for second in 0..30 {
                let at = RunTime::START + Nanos(SECOND.0 * second);
                room.sightings.push(Sighting {
                    speaker: speaker.to_owned(),
                    recorder: recorder.to_owned(),
                    captured: at + clock(speaker),
                    delay: Nanos::from_millis(80) + clock(recorder) - clock(speaker),
                    position: None,
                });
                if percent() < natural {
                    holes.push(hole(speaker, recorder, at + Nanos(i64::from(percent()) * 10_000_000)));
                }
            }
        }
    }
    let mut at = RunTime::START + SECOND;
    for n in 0..each {
        for client in ["ana", "ben", "lena", "mei"] {
            for speaker in (served.carried)(client, n) {
                if percent() >= unheard {
                    holes.push(hole(speaker, client, at));
                }
            }
            let played = Some(at + clock(client) + Nanos::from_millis(80));
            let drop = Drop {
                client: client.to_owned(),
                direction: Direction::In,
                at: at + clock(client),
                played,
                length: FRAME,
                destination: None,
            };
            room.drops.push(drop.clone());
            at = at + Nanos::from_millis(200);
            if !SPEAKERS.contains(&client) {
                continue;
            }
            for recorder in (served.kept)(client, n) {
                if percent() >= unheard {
                    holes.push(hole(client, recorder, at));
                }
            }
            let (at_mouth, destination) = (at + clock(client), Some("there".to_owned()));
            room.drops.push(Drop { direction: Direction::Out, at: at_mouth, played: None, destination, ..drop });
            at = at + Nanos::from_millis(200);
        }
    }
    room.holes = holes;
    room
}

fn likeliest(evidence: &Evidence, margin: f64) -> BTreeSet<Hypothesis> {
    let most = evidence.log_likelihoods.iter().map(|(_, log)| *log).fold(f64::MIN, f64::max);
    evidence.log_likelihoods.iter().filter(|(_, log)| most - log < margin).map(|(hypothesis, _)| *hypothesis).collect()
}

const FORWARDED: [Hypothesis; 3] = [Hypothesis::Forward, Hypothesis::Cascade, Hypothesis::DelayedForward];
const MIXED: [Hypothesis; 2] = [Hypothesis::Mix, Hypothesis::DelayedMix];

#[test]
fn five_drops_each_way_tell_a_mix_from_what_is_forwarded_and_a_mesh_from_a_server() {
    for seed in 0..50 {
        // Up to one hole in ten goes unheard, and in every second up to one in eight comes about by itself.
        let (unheard, natural) = (seed % 3 * 5, seed % 4 * 4);
        // Of what a speaker of a mesh keeps from one destination, the audience can miss little.
        for (served, stage, audience, margin) in [
            (FORWARD, FORWARDED.to_vec(), FORWARDED.to_vec(), 2.0),
            (MIX, MIXED.to_vec(), MIXED.to_vec(), 2.0),
            (MESH, vec![Hypothesis::Mesh], FORWARDED.to_vec(), 1.0),
        ] {
            let room = room(&served, 5, unheard, natural, seed);
            for (tier, right) in [(Relation::Stage, stage), (Relation::Audience, audience)] {
                let right = right.into_iter().filter(|h| Hypothesis::of(tier).contains(h)).collect();
                let evidence = look(&room, tier).unwrap();
                assert_eq!(likeliest(&evidence, margin), right, "{seed}, {tier:?}: {evidence:?}");
            }
        }
    }
}

#[test]
fn who_drops_nothing_learns_nothing() {
    let room = Observations { drops: Vec::new(), ..room(&MIX, 5, 0, 0, 1) };
    assert_eq!(look(&room, Relation::Stage), None);
}

#[test]
fn what_is_kept_from_all_destinations_and_what_one_hears_of_one_alone_say_nothing() {
    let mut room = room(&FORWARD, 5, 0, 0, 1);
    room.drops.iter_mut().for_each(|drop| drop.destination = None);
    room.sightings.retain(|sighting| sighting.speaker == "ana");
    assert_eq!(look(&room, Relation::Audience), None);
}

#[test]
fn one_drop_that_went_as_no_hypothesis_has_it_does_not_outweigh_ten() {
    let mut room = room(&MIX, 6, 0, 0, 1);
    // One packet was missing from one speaker's sound alone.
    let first = room.drops.iter().find(|drop| drop.client == "lena").unwrap().played.unwrap();
    let mut kept = false;
    room.holes.retain(|hole| hole.recorder != "lena" || hole.at != first || !std::mem::replace(&mut kept, true));
    let evidence = look(&room, Relation::Audience).unwrap();
    assert_eq!(likeliest(&evidence, 5.0), BTreeSet::from(MIXED), "{evidence:?}");
    assert!(evidence.sentence.contains("from everybody's at once"), "{}", evidence.sentence);
}

#[test]
fn a_hole_that_two_drops_explain_speaks_for_neither() {
    // What the speakers withhold is heard at the very instants at which packets are not let in.
    let mut room = room(&FORWARD, 5, 0, 0, 1);
    let coming: Vec<Drop> = room.drops.iter().filter(|drop| drop.client == "lena").cloned().collect();
    for (drop, speaker) in coming.iter().flat_map(|drop| others("lena", 0).into_iter().map(move |s| (drop, s))) {
        let at = drop.played.unwrap();
        let (client, captured) = (speaker.to_owned(), at + Nanos(SECOND.0 * 7));
        room.holes.push(Hole { speaker: client.clone(), recorder: "lena".to_owned(), at, captured, length: FRAME });
        let (direction, destination) = (Direction::Out, Some("there".to_owned()));
        room.drops.push(Drop { client, direction, at: captured, played: None, length: FRAME, destination });
    }
    room.drops.retain(|drop| drop.client == "lena" || drop.direction == Direction::Out);
    let evidence = look(&room, Relation::Audience).unwrap();
    let of = |hypothesis| evidence.log_likelihoods.iter().find(|(other, _)| *other == hypothesis).unwrap().1;
    assert!((of(Hypothesis::Mix) - of(Hypothesis::Forward)).abs() < 0.1, "{evidence:?}");
}

#[test]
fn without_the_instant_of_playing_a_hole_is_looked_for_as_long_as_buffers_hold() {
    let mut room = room(&MIX, 5, 10, 5, 3);
    room.drops.iter_mut().for_each(|drop| drop.played = None);
    assert_eq!(likeliest(&look(&room, Relation::Audience).unwrap(), 3.0), BTreeSet::from(MIXED));
}

/// Who hears ana alone, with a codec that looks so far ahead; what comes has been coded so many times.
fn ana_alone(coded: i64, look_ahead_us: i64) -> Observations {
    let mut room = room(&FORWARD, 6, 5, 0, 1);
    room.sightings.retain(|sighting| sighting.speaker == "ana");
    for sighting in &mut room.sightings {
        sighting.position = Some(MediaTime(sighting.captured.0 * 48 / 1_000_000));
    }
    room.holes.retain(|hole| hole.speaker == "ana");
    let not_let_in: Vec<RunTime> = room.drops.iter().filter_map(|drop| drop.played).collect();
    for hole in &mut room.holes {
        let times = if not_let_in.contains(&hole.at) { coded } else { 1 };
        let earlier = Nanos(-1000 * times * look_ahead_us);
        (hole.at, hole.captured) = (hole.at + earlier, hole.captured + earlier);
    }
    room
}

#[test]
fn one_speaker_alone_is_told_mixed_from_forwarded_by_whose_frames_holes_lie_on() {
    // A mixer's frames may happen to begin where hers do, so that a mix is told more surely.
    for (coded, right, margin) in [(1, BTreeSet::from(FORWARDED), 2.0), (2, BTreeSet::from(MIXED), 3.0)] {
        let evidence = look(&ana_alone(coded, 6500), Relation::Audience).unwrap();
        assert_eq!(likeliest(&evidence, margin), right, "{coded}: {evidence:?}");
    }
    // Without look-ahead a mix's frames may begin where the speaker's do.
    let evidence = look(&ana_alone(2, 0), Relation::Audience).unwrap();
    let all = BTreeSet::from_iter(FORWARDED.into_iter().chain(MIXED));
    assert!(likeliest(&evidence, 3.0).is_superset(&all), "{evidence:?}");
}

#[test]
fn a_mix_whose_frames_happen_to_begin_where_the_one_speakers_do_is_not_said_to_be_forwarded() {
    let mut room = ana_alone(1, 6500);
    room.sightings.retain(|sighting| sighting.recorder != "omar");
    room.holes.retain(|hole| hole.recorder == "lena" || hole.recorder == "mei");
    let evidence = look(&room, Relation::Audience).unwrap();
    assert!(evidence.of(Hypothesis::Forward) - evidence.of(Hypothesis::Mix) < 4.0, "{evidence:?}");
}

#[test]
fn who_does_not_hear_a_speaker_at_the_time_is_not_asked_whether_a_packet_is_missing() {
    // mei and omar come when all packets but the last have been dropped; nobody but lena can miss the others.
    let mut forwarded = room(&FORWARD, 5, 0, 0, 1);
    let last =
        forwarded.drops.iter().filter(|drop| drop.direction == Direction::Out).map(|drop| drop.at).max().unwrap();
    let late = |name: &str| name == "mei" || name == "omar";
    forwarded.sightings.retain(|s| !late(&s.recorder) || s.captured > last + Nanos(SECOND.0 * 11));
    forwarded.holes.retain(|hole| !late(&hole.recorder));
    forwarded.drops.retain(|drop| !late(&drop.client));
    let evidence = look(&forwarded, Relation::Audience).unwrap();
    assert!(evidence.of(Hypothesis::Mesh) - evidence.of(Hypothesis::Forward) < 1.0, "{evidence:?}");
    // Of three speakers of a mix only ana speaks up while packets are not let in.
    let mut mixed = room(&MIX, 6, 0, 0, 1);
    mixed.sightings.retain(|s| s.speaker == "ana" || s.captured > last + Nanos(SECOND.0 * 11));
    mixed.holes.retain(|hole| hole.speaker == "ana");
    let evidence = look(&mixed, Relation::Audience);
    let forward = evidence.map_or(0.0, |e| e.of(Hypothesis::Forward) - e.of(Hypothesis::Mix));
    assert!(forward < 1.0, "{forward}");
}

#[test]
fn of_a_thousand_ears_as_many_are_taken_as_are_enough() {
    let mut room = room(&FORWARD, 5, 0, 2, 1);
    let (ears, sightings, holes) = (room.ears.clone(), room.sightings.clone(), room.holes.clone());
    for n in 0..1000 {
        let name = format!("lena{n}");
        room.ears
            .extend(ears.iter().filter(|ear| ear.name == "lena").map(|ear| Ear { name: name.clone(), ..ear.clone() }));
        let of_lena = sightings.iter().filter(|sighting| sighting.recorder == "lena");
        room.sightings.extend(of_lena.map(|sighting| Sighting { recorder: name.clone(), ..sighting.clone() }));
        let of_lena = holes.iter().filter(|hole| hole.recorder == "lena");
        room.holes.extend(of_lena.map(|hole| Hole { recorder: name.clone(), ..hole.clone() }));
    }
    let probe = Probe::new(&room);
    let ears: BTreeSet<&str> =
        probe.pairs().map(|(ear, _)| ear).filter(|ear| probe.is_of(ear, Relation::Audience)).collect();
    assert_eq!(ears.len(), 32);
    let evidence = look(&room, Relation::Audience).unwrap();
    assert!(evidence.log_likelihoods.iter().all(|(_, log)| log.is_finite()), "{evidence:?}");
    assert!(evidence.of(Hypothesis::Forward) > evidence.of(Hypothesis::Mesh), "{evidence:?}");
}
