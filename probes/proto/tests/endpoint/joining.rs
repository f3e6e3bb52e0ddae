use jiho_analysis::units::Nanos;
use jiho_proto::control::{Join, Message, Talker};
use jiho_proto::endpoint::EndpointConfig;
use jiho_proto::engine::{Input, PeerId};
use jiho_proto::event::Event;

use crate::support::{Bench, joined, listener, ms};

fn failure(bench: &Bench) -> &str {
    match bench.events.last() {
        Some((_, Event::Failed { reason })) => reason,
        other => panic!("no failure but {other:?}"),
    }
}

#[test]
fn it_asks_for_a_seat_and_opens_its_ear_as_it_starts() {
    let config =
        EndpointConfig { ear_phase: Nanos::from_millis(3), subscribe: Some(vec!["ana".into()]), ..listener(40) };
    let mut bench = Bench::new(config);
    bench.input(ms(100), Input::Start);
    let [Message::Join(Join { name, token, subscribe, .. })] = &bench.controls[..] else { panic!("no join") };
    assert_eq!((name.as_str(), token.as_str()), ("lena", "secret"));
    assert_eq!(subscribe.as_deref(), Some(&["ana".to_string()][..]));
    assert_eq!(bench.ear_clock().start, ms(103));
    assert_eq!(bench.wake_at, Some(ms(103)));
}

#[test]
fn the_ear_plays_silence_before_it_is_let_in() {
    let mut bench = Bench::new(listener(40));
    bench.input(ms(0), Input::Start);
    bench.run_until(ms(99));
    assert_eq!(bench.ear, [0.0; 4800]);
}

#[test]
fn being_let_in_and_speakers_are_recorded() {
    let mut bench = Bench::new(listener(40));
    bench.input(ms(0), Input::Start);
    bench.control(ms(5), &joined(96));
    bench.control(ms(6), &Message::Talker(Talker { name: "ana".into(), ssrc: 9 }));
    let talker = Event::Talker { name: "ana".into(), ssrc: 9 };
    assert_eq!(bench.events_without_steps()[1..], [(ms(5), Event::Joined), (ms(6), talker)]);
}

#[test]
fn a_refusal_ends_it_with_the_relays_reason() {
    let mut bench = Bench::new(listener(40));
    bench.input(ms(0), Input::Start);
    bench.control(ms(25), &Message::Refused { reason: "the name is taken".into() });
    assert!(failure(&bench).contains("the name is taken"));
    assert!(bench.done);
    assert_eq!(bench.ear.len(), 3 * 480, "what was due is played");
}

#[test]
fn the_end_of_the_connection_ends_it_with_the_reason() {
    let mut bench = Bench::new(listener(40));
    bench.input(ms(0), Input::ControlClosed { peer: PeerId::RELAY, reason: "connection refused" });
    assert!(failure(&bench).contains("connection refused"));
    assert!(bench.done);
}

#[test]
fn a_room_with_another_codec_is_told_from_ours_by_both_payload_types() {
    let mut bench = Bench::new(listener(40));
    bench.input(ms(0), Input::Start);
    bench.control(ms(1), &joined(111));
    assert!(failure(&bench).contains("111") && failure(&bench).contains("96"));
    assert!(bench.done);
}
