//! What a mixer mixes, when, and how often it codes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Join, Message};
use jiho_proto::wire::rtp;
use jiho_relay::{RelayConfig, RelayStats, Serving, Timing};

use crate::desk::{Desk, TOKEN, addr, join};

const DEADLINE: Nanos = Nanos::from_millis(20);
const ARRIVAL: Serving = Serving::Mix(Timing::Arrival { deadline: DEADLINE });
const TICK: Serving = Serving::Mix(Timing::Tick);
const FRAME_NS: i64 = 20_000_000;

fn us(us: i64) -> RunTime {
    RunTime::START + Nanos::from_micros(us)
}

/// Frame `n` of a speaker whose every sample is `level`, in steps of 16 bits.
fn frame(ssrc: u32, n: i64, level: i16) -> Vec<u8> {
    let payload: Vec<u8> = [level; 960].iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let mut bytes = Vec::new();
    let (sequence, timestamp) = (n as u16, (ssrc * 1000).wrapping_add((n * 960) as u32));
    rtp::Repr { marker: false, payload_type: 96, sequence, timestamp, ssrc, payload: &payload }.emit(&mut bytes);
    bytes
}

/// A packet that a mixer sent.
#[derive(Debug, PartialEq)]
struct Mixed {
    at: RunTime,
    to: u16,
    level: i16,
    csrc: Vec<u32>,
}

fn mixed(sent: Vec<(RunTime, SocketAddr, Vec<u8>)>) -> Vec<Mixed> {
    sent.into_iter()
        .map(|(at, to, data)| {
            let Ok(packet) = rtp::Packet::new_checked(&data) else { unreachable!("a mixer sends RTP") };
            let samples: Vec<i16> =
                packet.payload().chunks_exact(2).map(|b| i16::from_be_bytes([b[0], b[1]])).collect();
            assert!(samples.len() == 960 && samples.iter().all(|sample| *sample == samples[0]), "one frame, one level");
            Mixed { at, to: to.port(), level: samples[0], csrc: packet.csrc().collect() }
        })
        .collect()
}

/// Ana at port 2 and ben at 3 on stage, lena at 4 and lars at 5 in the audience.
fn room(serving: Serving) -> Desk {
    let mut desk = Desk::serving(serving, serving);
    for (port, name, role) in [(2, "ana", Speaker), (3, "ben", Speaker), (4, "lena", Listener), (5, "lars", Listener)] {
        desk.seat(port, name, role);
    }
    desk
}

/// Ana's stream is 12 and says 100, ben's is 13 and says 7.
const ANA: (u16, u32, i16) = (2, 12, 100);
const BEN: (u16, u32, i16) = (3, 13, 7);

/// Plays frames of both, sent at `ana` and `ben` (by their number), as far as these say when; in order of time.
fn play(
    desk: &mut Desk,
    frames: i64,
    ana: impl Fn(i64) -> Option<RunTime>,
    ben: impl Fn(i64) -> Option<RunTime>,
) -> Vec<Mixed> {
    let mut coming: Vec<(RunTime, (u16, u32, i16), i64)> = Vec::new();
    for n in 0..frames {
        coming.extend(ana(n).map(|at| (at, ANA, n)));
        coming.extend(ben(n).map(|at| (at, BEN, n)));
    }
    coming.sort();
    let mut sent = Vec::new();
    for (at, (port, ssrc, level), n) in coming {
        sent.extend(mixed(desk.packet_at(at, port, &frame(ssrc, n, level))));
    }
    sent
}

fn every_20_ms(from_us: i64) -> impl Fn(i64) -> Option<RunTime> {
    move |n| Some(us(from_us) + Nanos(n * FRAME_NS))
}

#[test]
fn speakers_hear_everybody_else_and_the_audience_everybody() {
    let mut desk = room(ARRIVAL);
    let sent = play(&mut desk, 10, every_20_ms(0), every_20_ms(7_000));
    // Ana begins alone; then each round waits for her next frame.
    let at = us(9 * 20_000);
    let expected = [(2, 7, vec![13]), (3, 100, vec![12]), (4, 107, vec![12, 13]), (5, 107, vec![12, 13])];
    let mut last: Vec<Mixed> = sent.into_iter().filter(|mixed| mixed.at == at).collect();
    last.sort_by_key(|mixed| mixed.to);
    assert_eq!(last, expected.map(|(to, level, csrc)| Mixed { at, to, level, csrc }));
}

#[test]
fn a_round_is_mixed_when_the_last_active_speakers_packet_comes() {
    let mut desk = room(ARRIVAL);
    let jittery = |n: i64| Some(us(7_000 + 20_000 * n + (n * 7_919) % 9_000));
    let sent = play(&mut desk, 100, every_20_ms(0), jittery);
    for n in 5..95 {
        // Ben's frame n - 1 and ana's frame n are one round.
        let last = every_20_ms(0)(n).max(jittery(n - 1)).unwrap();
        assert!(sent.iter().any(|mixed| mixed.to == 4 && mixed.at == last && mixed.level == 107), "round {n}");
    }
    assert_eq!((desk.stats().mix_concealed, desk.stats().mix_late), (0, 0));
}

#[test]
fn a_tick_makes_everybody_wait_for_it() {
    let wait = |serving| {
        let mut desk = room(serving);
        let sent = play(&mut desk, 100, every_20_ms(1_000), every_20_ms(8_000));
        let rounds = sent.iter().filter(|mixed| mixed.to == 4 && mixed.level == 107);
        let last_ben = |at: RunTime| (at.0 - us(8_000).0).rem_euclid(FRAME_NS);
        rounds.map(|mixed| last_ben(mixed.at)).max().unwrap()
    };
    assert_eq!(wait(TICK), 12_000_000, "ben's packets wait for the tick at 20 ms");
    assert_eq!(wait(ARRIVAL), 13_000_000, "or for ana's next, which is the round's last");
    let alone = |serving| {
        let mut desk = room(serving);
        let sent = play(&mut desk, 100, every_20_ms(1_000), |_| None);
        sent.iter().map(|mixed| (mixed.at.0 - us(1_000).0).rem_euclid(FRAME_NS)).max().unwrap()
    };
    assert_eq!((alone(TICK), alone(ARRIVAL)), (19_000_000, 0));
}

#[test]
fn each_distinct_mix_is_coded_once_however_many_hear_it() {
    for audience in [1, 100] {
        let mut desk = Desk::serving(ARRIVAL, ARRIVAL);
        desk.seat(2, "ana", Speaker);
        desk.seat(3, "ben", Speaker);
        (0..audience).for_each(|n| drop(desk.seat(1000 + n, &format!("l{n}"), Listener)));
        let only_ben = Join { subscribe: Some(vec!["ben".into()]), ..join(5000, "fan", Listener) };
        desk.control(5000, &Message::Join(only_ben));
        play(&mut desk, 50, every_20_ms(0), every_20_ms(0));
        let RelayStats { mixed, encoded, decoded, copies, .. } = desk.stats();
        assert_eq!((decoded, encoded), (100, 4 * mixed), "two for the stage, one for the audience, one for the fan");
        assert_eq!(copies, mixed * (3 + u64::from(audience)));
    }
}

#[test]
fn stage_and_audience_can_be_mixed_by_different_clocks() {
    let mut desk = Desk::serving(ARRIVAL, TICK);
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    desk.seat(4, "lena", Listener);
    let sent = play(&mut desk, 20, every_20_ms(1_000), every_20_ms(1_000));
    for mixed in sent {
        let phase = mixed.at.0.rem_euclid(FRAME_NS);
        assert_eq!(phase, if mixed.to == 4 { 0 } else { 1_000_000 }, "{mixed:?}");
    }
}

#[test]
fn a_missing_packet_is_concealed_when_the_next_one_comes_or_at_the_deadline() {
    // Ana's frame 31 at 620 ms begins the round that ben's frame 30 should have been in. PCM is concealed by silence.
    for (lost, mixed_at) in [(30..31, us(625_000)), (30..32, us(640_000))] {
        let mut desk = room(ARRIVAL);
        let lossy = |n: i64| every_20_ms(5_000)(n).filter(|_| !lost.contains(&n));
        let sent = play(&mut desk, 60, every_20_ms(0), lossy);
        assert_eq!(desk.stats().mix_concealed, lost.clone().count() as u64);
        assert_eq!(desk.stats().mix_late, 0);
        let without_ben = sent.iter().filter(|mixed| mixed.to == 4 && mixed.at > us(100_000) && mixed.level == 100);
        assert_eq!(without_ben.map(|mixed| mixed.at).next(), Some(mixed_at));
    }
}

#[test]
fn a_late_packet_is_dropped_and_counted() {
    let mut desk = room(ARRIVAL);
    let late = |n: i64| every_20_ms(if n == 30 { 50_000 } else { 5_000 })(n);
    play(&mut desk, 60, every_20_ms(0), late);
    assert_eq!((desk.stats().mix_concealed, desk.stats().mix_late), (1, 1));
}

#[test]
fn a_speaker_who_stops_is_waited_for_no_more_after_some_rounds() {
    let mut desk = room(ARRIVAL);
    let sent = play(&mut desk, 100, every_20_ms(0), |n| every_20_ms(5_000)(n).filter(|_| n < 50));
    let late = |mixed: &&Mixed| mixed.to == 4 && mixed.at.0 % FRAME_NS != 0;
    assert_eq!(sent.iter().filter(|mixed| mixed.at > us(1_300_000)).filter(late).count(), 0);
    assert!(sent.iter().any(|mixed| mixed.to == 4 && mixed.at == us(1_980_000) && mixed.csrc == [12]));
}

#[test]
fn clocks_that_drift_apart_cost_a_frame_now_and_then_and_no_queue_grows() {
    for (serving, ppm) in [(ARRIVAL, 500), (ARRIVAL, -500), (TICK, 500), (TICK, -500)] {
        let mut desk = room(serving);
        // Five minutes at 500 ppm are 150 ms, seven frames and a half.
        let drifting = |n: i64| Some(us(3_000) + Nanos(n * (FRAME_NS - FRAME_NS * ppm / 1_000_000)));
        let sent = play(&mut desk, 15_000, every_20_ms(0), drifting);
        let stats = desk.stats();
        assert!(stats.mix_concealed + stats.mix_late + stats.mix_skipped < 60, "{serving:?} {ppm}: {stats:?}");
        let both = sent.iter().filter(|mixed| mixed.to == 4 && mixed.level == 107).count();
        assert!(both > 14_900, "{serving:?} {ppm}: {both} rounds with both");
        // What is held is bounded: all is mixed soon after the last frame, which comes 150 ms late if clocks are slow.
        let end = us(0) + Nanos(15_000 * FRAME_NS);
        assert!(desk.run_until(end + Nanos::from_secs(1)).iter().all(|(at, ..)| *at < end + Nanos::from_millis(350)));
    }
}

#[test]
fn speakers_who_stutter_in_turn_do_not_make_time_go_faster() {
    let mut desk = room(ARRIVAL);
    // The first six frames of each 26 come with the seventh.
    let stutters = |n: i64, shift: i64| {
        let within = (n + shift).rem_euclid(26);
        Some(us(0) + Nanos(FRAME_NS * (n + (6 - within).max(0))))
    };
    let frames = 3000;
    let sent = play(&mut desk, frames, |n| stutters(n, 0), |n| stutters(n, 13));
    let rounds = sent.iter().filter(|mixed| mixed.to == 4).count() as i64;
    // What is mixed at a deadline may be ahead of time by 200 ms.
    assert!((frames - 10..=frames + 12).contains(&rounds), "{rounds} rounds in the time of {frames}");
}

#[test]
fn after_a_burst_a_speaker_who_stops_is_waited_for_no_longer_than_deadlines_may_be_ahead() {
    let mut desk = room(ARRIVAL);
    // What both say in a second comes at its end, and then ana has gone.
    let burst = |n: i64, shift: i64| {
        let stalled = (50..100).contains(&n);
        Some(if stalled { us(2_000_000 + 2 * (n - 50) + shift) } else { us(shift) + Nanos(n * FRAME_NS) })
    };
    let sent = play(&mut desk, 200, |n| burst(n, 0).filter(|_| n < 100), |n| burst(n, 1));
    let rounds: Vec<RunTime> = sent.iter().filter(|mixed| mixed.to == 4).map(|mixed| mixed.at).collect();
    let burst_ends = rounds.partition_point(|at| *at < us(1_900_000));
    let longest = rounds[burst_ends..].windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest.is_some_and(|longest| longest <= Nanos::from_millis(240)), "{longest:?}");
    assert!(rounds.len() >= 190, "{} rounds", rounds.len());
}

#[test]
fn a_mix_has_one_clock_whoever_speaks() {
    let mut desk = room(ARRIVAL);
    let pause = |n: i64| every_20_ms(0)(n).filter(|_| !(40..90).contains(&n));
    let mut timestamps = BTreeMap::new();
    for n in 0..120 {
        if let Some(at) = pause(n) {
            for (at, to, data) in desk.packet_at(at, 2, &frame(12, n, 100)) {
                let packet = rtp::Packet::new_checked(&data).unwrap();
                timestamps.entry(to).or_insert_with(Vec::new).push((at, packet.timestamp(), packet.marker()));
            }
        }
    }
    let lena = &timestamps[&addr(4)];
    assert!(lena.iter().all(|(at, timestamp, _)| at.0 / FRAME_NS * 960 == i64::from(*timestamp)), "{lena:?}");
    let marked: Vec<i64> = lena.iter().filter(|(_, _, marker)| *marker).map(|(at, ..)| at.0 / FRAME_NS).collect();
    assert_eq!(marked, [0, 90], "where sound begins, and begins again");
}

#[test]
fn mixes_are_announced_to_those_who_hear_them() {
    let mut desk = Desk::of(RelayConfig {
        stage: Serving::Forward,
        audience: ARRIVAL,
        ..RelayConfig::forwarding(addr(1), TOKEN.into(), CodecConfig::L16)
    });
    let announced =
        |said: &[crate::desk::Said]| said.iter().filter(|said| format!("{said:?}").contains("\"mix\"")).count();
    let said = desk.seat(2, "ana", Speaker);
    assert_eq!(announced(&said), 0);
    let said = desk.seat(4, "lena", Listener);
    assert_eq!(announced(&said), 1);
    let said = desk.seat(5, "lars", Listener);
    assert_eq!(announced(&said), 1, "lena knows already");
}
