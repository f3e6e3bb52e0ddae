//! Architecture from what was heard: each kind of evidence on observations made by hand, all of them together on rooms
//! at random, and what must not matter: names and clocks.

// The rooms are those that likelihoods are counted over.
#[path = "../examples/topology_likelihoods/ear.rs"]
mod ear;
#[path = "../examples/topology_likelihoods/luck.rs"]
mod luck;
#[path = "../examples/topology_likelihoods/room.rs"]
mod room;
#[path = "../examples/topology_likelihoods/way.rs"]
mod way;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{
    Counts, Ear, Finding, Greeting, Hole, Hypothesis, Kind, Observations, Passage, Sighting, Verdict, findings,
    outcomes,
};
use jiho_analysis::units::{MediaTime, Nanos, RunTime};

use luck::Luck;
use room::Room;

const SPEAKERS: [&str; 3] = ["ana", "ben", "chloe"];
/// Speakers whose packets are looked at.
const STAGE: [&str; 4] = ["ana", "ben", "chloe", "dan"];
const LISTENERS: [&str; 4] = ["lena", "mei", "omar", "pia"];

fn at(ms: f64) -> RunTime {
    RunTime((1e6 * ms).round() as i64)
}

/// Three speakers and four listeners for 20 s, by the delay of each pair in ms at each second. Frames begin at
/// multiples of 20 ms of everybody's own time.
fn heard(delay: impl Fn(usize, usize, usize) -> f64) -> Observations {
    let mut observations = Observations::default();
    for (e, ear) in LISTENERS.iter().enumerate() {
        observations.ears.push(Ear { name: (*ear).to_owned(), role: Role::Listener });
        for (s, speaker) in SPEAKERS.iter().enumerate() {
            for second in 0..20 {
                let captured = 1000.0 * second as f64;
                observations.sightings.push(Sighting {
                    speaker: (*speaker).to_owned(),
                    recorder: (*ear).to_owned(),
                    captured: at(captured),
                    delay: Nanos((1e6 * delay(s, e, second)) as i64),
                    position: Some(MediaTime((48.0 * captured) as i64)),
                });
            }
        }
    }
    observations
}

fn hole(speaker: usize, ear: usize, captured_ms: f64, delay_ms: f64) -> Hole {
    Hole {
        speaker: SPEAKERS[speaker].to_owned(),
        recorder: LISTENERS[ear].to_owned(),
        at: at(captured_ms + delay_ms),
        captured: at(captured_ms),
        length: Nanos::from_millis(20),
    }
}

fn case(observations: &Observations, kind: Kind) -> Option<&'static str> {
    outcomes(observations, Relation::Audience).into_iter().find(|o| o.kind == kind).map(|outcome| outcome.case)
}

#[test]
fn frames_of_a_mix_begin_together_whatever_the_delays() {
    let mix = heard(|s, e, second| 100.0 + 20.0 * s as f64 + 7.3 * e as f64 + if second > 9 { 13.7 } else { 0.0 });
    assert_eq!(case(&mix, Kind::Frames), Some("together"));
    let streams = heard(|s, e, _| 100.0 + 6.1 * s as f64 + 7.3 * e as f64);
    assert_eq!(case(&streams, Kind::Frames), Some("apart"));
}

#[test]
fn what_is_left_of_tetrads_tells_one_mix_from_one_place_from_many_ways() {
    let sum = |s: usize, e: usize| 100.0 + 6.1 * s as f64 + 7.3 * e as f64;
    assert_eq!(case(&heard(|s, e, _| sum(s, e)), Kind::Additive), Some("exact"));
    // Any numbers from 0 to 1 in no order.
    let any = |s: usize, e: usize| [0.13, 0.91, 0.48, 0.77, 0.25, 0.66, 0.04, 0.59, 0.99, 0.35, 0.82, 0.20][4 * s + e];
    let buffers = heard(|s, e, _| sum(s, e) + 3.0 * any(s, e));
    assert_eq!(case(&buffers, Kind::Additive), Some("within_4"));
    let ways = heard(|s, e, _| sum(s, e) + 150.0 * any(s, e));
    assert_eq!(case(&ways, Kind::Additive), Some("beyond"));
    // Two ears at each of two servers, and speakers at both.
    let servers = heard(|s, e, _| sum(s, e) + if (s > 0) == (e > 1) { 0.0 } else { 45.0 } + 2.0 * any(s, e));
    assert!(case(&servers, Kind::Additive).unwrap().ends_with("groups"));
}

#[test]
fn a_buffer_that_moves_takes_along_what_is_in_its_stream() {
    let later = |second: usize, from: usize| if second >= from { 10.0 } else { 0.0 };
    let mix = heard(|_, e, second| 100.0 + later(second, 3 + 2 * e));
    assert_eq!(case(&mix, Kind::Wander), Some("together"));
    assert_eq!(case(&mix, Kind::Skew), None, "nobody moves against anybody");
    let streams = heard(|s, e, second| 100.0 + later(second, 2 + 3 * s + 4 * e));
    assert_eq!(case(&streams, Kind::Wander), Some("apart"));
    assert_eq!(case(&streams, Kind::Skew), Some("apart"));
    // A mixer leaves out a frame of one speaker: for all ears at once.
    let mixer = heard(|s, _, second| 100.0 + if s == 1 { later(second, 8) } else { 0.0 });
    assert_eq!(case(&mixer, Kind::Skew), Some("alike"));
}

#[test]
fn holes_that_coincide_tell_what_a_packet_carries_and_who_copies_it() {
    let instants = [1500.0, 4700.0, 8300.0, 11_900.0, 15_100.0];
    let with = |holes: Vec<Hole>| Observations { holes, ..heard(|s, e, _| 100.0 + (6 * s + 7 * e) as f64) };
    let at_one_ear = with(
        instants
            .iter()
            .flat_map(|ms| (0..3).map(move |s| hole(s, 1, ms - 6.0 * s as f64, 107.0 + 6.0 * s as f64)))
            .collect(),
    );
    assert_eq!(case(&at_one_ear, Kind::HolesAtEar), Some("all"));
    assert_eq!(case(&at_one_ear, Kind::HolesOfSpeaker), Some("alone"));
    let of_one_speaker =
        with(instants.iter().flat_map(|ms| (0..4).map(move |e| hole(2, e, *ms, 112.0 + 7.0 * e as f64))).collect());
    assert_eq!(case(&of_one_speaker, Kind::HolesAtEar), Some("one"));
    assert_eq!(case(&of_one_speaker, Kind::HolesOfSpeaker), Some("everywhere"));
    let at_two_ears =
        with(instants.iter().flat_map(|ms| (2..4).map(move |e| hole(2, e, *ms, 112.0 + 7.0 * e as f64))).collect());
    assert_eq!(case(&at_two_ears, Kind::HolesOfSpeaker), Some("groups"));
    assert_eq!(case(&with(Vec::new()), Kind::HolesOfSpeaker), None, "nothing was lost: nothing is said");
}

#[test]
fn a_sealed_room_is_not_mixed() {
    let sealed = SPEAKERS.map(str::to_owned).to_vec();
    let observations = Observations { sealed, ..heard(|_, _, _| 100.0) };
    let found = findings(&observations, &Counts::standard().unwrap());
    let evidence = found[0].evidence.iter().find(|e| e.kind == Kind::Sealed).unwrap();
    assert!(evidence.speaks(Hypothesis::Forward, Hypothesis::Mix));
    assert!(evidence.speaks(Hypothesis::DelayedForward, Hypothesis::DelayedMix));
    assert!(!evidence.speaks(Hypothesis::Mesh, Hypothesis::Forward));
}

fn named(finding: &Finding) -> Option<Hypothesis> {
    (finding.verdict() == Verdict::Named).then(|| finding.ranking[0].hypothesis)
}

/// Rooms that no likelihood was counted over.
fn rooms() -> impl Iterator<Item = Room> {
    (0..120).map(|seed| Room::random(77_000_000 + seed))
}

#[test]
fn what_is_named_is_right_and_mixes_and_delayed_tiers_are_told_in_rooms_at_random() {
    let counts = Counts::standard().unwrap();
    let (mut wrong, mut told, mut asked) = (0, 0, 0);
    for room in rooms() {
        for finding in findings(&room.observations, &counts) {
            let truth = if finding.tier == Relation::Stage { room.stage } else { room.audience };
            wrong += usize::from(named(&finding).is_some_and(|named| named != truth));
            if finding.tier == Relation::Audience {
                let kind = |h: Hypothesis| match h {
                    Hypothesis::Mesh | Hypothesis::Forward | Hypothesis::Cascade => 0,
                    Hypothesis::Mix => 1,
                    Hypothesis::DelayedForward => 2,
                    Hypothesis::DelayedMix => 3,
                };
                asked += 1;
                told += usize::from(kind(finding.ranking[0].hypothesis) == kind(truth));
            }
        }
    }
    assert_eq!(wrong, 0);
    assert!(told * 100 >= asked * 97, "{told} of {asked}");
}

/// Sets everybody's clock elsewhere, and lets it run at another speed.
fn by_other_clocks(mut observations: Observations, luck: &mut Luck) -> Observations {
    let clocks: BTreeMap<String, (f64, f64)> = observations
        .ears
        .iter()
        .map(|ear| (ear.name.clone(), (luck.between(-5e9, 5e9), luck.between(-1e-4, 1e-4))))
        .collect();
    let shown = |who: &str, at: RunTime| {
        let (offset, drift) = clocks[who];
        RunTime(at.0 + (offset + drift * at.0 as f64) as i64)
    };
    for sighting in &mut observations.sightings {
        let heard = shown(&sighting.recorder, sighting.captured + sighting.delay);
        sighting.captured = shown(&sighting.speaker, sighting.captured);
        sighting.delay = heard - sighting.captured;
    }
    for hole in &mut observations.holes {
        (hole.at, hole.captured) = (shown(&hole.recorder, hole.at), shown(&hole.speaker, hole.captured));
    }
    for Passage { speaker, recorder, captured, quickest, usual } in &mut observations.passages {
        let (sent, came) = (*captured, [*captured + *quickest, *captured + *usual]);
        *captured = shown(speaker, sent);
        [*quickest, *usual] = came.map(|at| shown(recorder, at) - *captured);
    }
    for Greeting { client, asked, joined, .. } in &mut observations.greetings {
        (*asked, *joined) = (shown(client, *asked), shown(client, *joined));
    }
    observations
}

#[test]
fn by_clocks_five_seconds_off_that_drift_by_100_ppm_nothing_else_is_named_and_nearly_all_is_said_as_before() {
    let counts = Counts::standard().unwrap();
    let mut luck = Luck::new(5);
    let (mut tiers, mut changed) = (0, 0);
    for room in rooms().take(60) {
        let before = findings(&room.observations, &counts);
        let after = findings(&by_other_clocks(room.observations, &mut luck), &counts);
        for (before, after) in before.iter().zip(&after) {
            // Evidence that lies right at the edge between two cases may fall to the other, and odds move.
            let [was, is] = [before, after].map(named);
            assert!(was == is || was.is_none() || is.is_none(), "{was:?} became {is:?}");
            let [mut was, mut is] = [before, after].map(|finding| finding.credible.clone());
            was.sort();
            is.sort();
            assert!(was.iter().any(|hypothesis| is.contains(hypothesis)), "{was:?} became {is:?}");
            tiers += 1;
            changed += usize::from(was != is);
        }
    }
    assert!(changed * 10 <= tiers, "of {changed} of {tiers} tiers another set is said");
}

#[test]
fn names_mean_nothing() {
    let counts = Counts::standard().unwrap();
    for room in rooms().take(20) {
        let mut observations = room.observations.clone();
        // In another order, too.
        let names: Vec<String> = observations.ears.iter().map(|ear| ear.name.clone()).collect();
        let other = |name: &String| format!("p{}", names.len() - names.iter().position(|n| n == name).unwrap());
        observations.ears.iter_mut().for_each(|ear| ear.name = other(&ear.name));
        observations.ears.reverse();
        for sighting in &mut observations.sightings {
            (sighting.speaker, sighting.recorder) = (other(&sighting.speaker), other(&sighting.recorder));
        }
        for hole in &mut observations.holes {
            (hole.speaker, hole.recorder) = (other(&hole.speaker), other(&hole.recorder));
        }
        for passage in &mut observations.passages {
            (passage.speaker, passage.recorder) = (other(&passage.speaker), other(&passage.recorder));
        }
        observations.greetings.iter_mut().for_each(|greeting| greeting.client = other(&greeting.client));
        observations.receivers.iter_mut().for_each(|receiver| *receiver = other(receiver));
        let [before, after] = [&room.observations, &observations].map(|observations| findings(observations, &counts));
        for (before, after) in before.iter().zip(&after) {
            let first = |finding: &Finding| (finding.ranking[0].hypothesis, finding.credible.clone());
            assert_eq!(first(before), first(after));
        }
    }
}

#[test]
fn counts_are_read_as_they_are_written_and_a_damaged_line_is_pointed_at() {
    let counts = Counts::standard().unwrap();
    assert_eq!(Counts::read(&counts.write()).unwrap(), counts);
    let error = Counts::read("# remark\nstage,frames,two,apart,mesh,many").unwrap_err();
    assert_eq!(error.line, 2);
}

/// Some on stage with clocks anywhere, who greet a server, and what their packets take to each other.
fn passed(people: usize, took_ms: impl Fn(usize, usize) -> f64) -> Observations {
    let (up, down, clock) = ([3.0, 9.0, 14.0, 5.0], [8.0, 2.0, 11.0, 6.0], [0.0, 4711.0, -2300.0, 600.0]);
    let mut observations = Observations::default();
    for (n, name) in STAGE.iter().take(people).enumerate() {
        observations.ears.push(Ear { name: (*name).to_owned(), role: Role::Speaker });
        let asked = 20.0 * n as f64;
        observations.greetings.push(Greeting {
            client: (*name).to_owned(),
            asked: at(asked + clock[n]),
            admitted: at(asked + up[n]),
            joined: at(asked + up[n] + down[n] + clock[n]),
        });
        for (e, ear) in STAGE.iter().take(people).enumerate().filter(|(e, _)| *e != n) {
            for second in 0..10 {
                // The quickest packets meet little, the median ones more; ben's clock drifts by 80 ppm.
                let drift = |who: usize| if who == 1 { 0.08 * f64::from(second) } else { 0.0 };
                let took = up[n] + down[e] + took_ms(n, e) + clock[e] - clock[n] + drift(e) - drift(n);
                observations.passages.push(Passage {
                    speaker: (*name).to_owned(),
                    recorder: (*ear).to_owned(),
                    captured: at(1000.0 * f64::from(second + 1) + clock[n]),
                    quickest: Nanos((1e6 * (took + 0.1)) as i64),
                    usual: Nanos((1e6 * (took + 2.5)) as i64),
                });
            }
        }
    }
    observations
}

/// The case that a kind of evidence is on stage.
fn on_stage(kind: Kind, observations: &Observations) -> Option<&'static str> {
    outcomes(observations, Relation::Stage).into_iter().find(|outcome| outcome.kind == kind).map(|outcome| outcome.case)
}

#[test]
fn packets_take_the_ways_to_a_server_or_more_or_less_whatever_clocks_show() {
    let ways = |took_ms: &dyn Fn(usize, usize) -> f64| on_stage(Kind::Ways, &passed(3, took_ms));
    assert_eq!(ways(&|_, _| 0.0), Some("alike"));
    let apart = |s: usize, e: usize| (s == 0) != (e == 0);
    assert_eq!(ways(&|s, e| if apart(s, e) { 12.0 } else { 0.0 }), Some("much_longer"));
    assert_eq!(ways(&|s, e| if apart(s, e) { -12.0 } else { -3.0 }), Some("all_shorter_some_far"));
    assert_eq!(ways(&|_, _| 600.0), Some("held"));
}

#[test]
fn what_packets_take_adds_up_through_one_server_and_not_past_it_or_between_servers() {
    let tetrads = |took_ms: &dyn Fn(usize, usize) -> f64| on_stage(Kind::Tetrads, &passed(4, took_ms));
    assert_eq!(tetrads(&|_, _| 0.0), Some("nothing"));
    // A speaker's and an ear's share of their own, as a late greeting would be.
    assert_eq!(tetrads(&|s, e| 7.0 * s as f64 + 3.0 * e as f64), Some("nothing"));
    // Each pair's way is as long as they are apart on a ring.
    assert_eq!(tetrads(&|s, e| if (s + 2) % 4 == e { 20.0 } else { 0.0 }), Some("beyond"));
    // Two at each of two servers.
    let servers = tetrads(&|s, e| if s / 2 == e / 2 { 0.0 } else { 40.0 });
    assert!(matches!(servers, Some("nothing_but_some" | "beyond")), "{servers:?}");
    assert_eq!(
        on_stage(Kind::Tetrads, &passed(3, |_, _| 0.0)),
        None,
        "three hear each other, and no two of them a third two"
    );
}

#[test]
fn whose_packets_come_with_their_mouths_numbers_were_mixed_by_nobody() {
    let counts = Counts::standard().unwrap();
    let says = |observations: &Observations| {
        let found = findings(observations, &counts);
        let stage = found.into_iter().find(|finding| finding.tier == Relation::Stage)?;
        let numbers = stage.evidence.into_iter().find(|evidence| evidence.kind == Kind::Numbers)?;
        Some((numbers.of(Hypothesis::Mix) - numbers.of(Hypothesis::Forward)).total_cmp(&0.0))
    };
    let mut room = rooms().find(|room| room.stage == Hypothesis::Forward).unwrap().observations;
    assert_eq!(says(&room), Some(Ordering::Less));
    room.passages.clear();
    assert_eq!(says(&room), Some(Ordering::Greater), "clients of our own saw nothing but other numbers");
    room.receivers.clear();
    assert_eq!(says(&room), None, "nobody noted packets");
}
