//! Properties that hold for whatever a network does to a stream.

use std::collections::BTreeMap;

use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::endpoint::EndpointConfig;
use jiho_proto::event::{Playout, PlayoutAction};
use jiho_proto::listener::PERIOD_SAMPLES;
use jiho_proto::playout::MAX_CONCEALED;
use proptest::prelude::*;

use crate::support::{Bench, FRAME, Stream, listener};

const FRAMES: i64 = 30;
const PERIOD: i64 = PERIOD_SAMPLES as i64;

/// One way's delay for every frame, in microseconds; `None`: lost.
fn network(max_jitter_us: i64, delivered: f64) -> impl Strategy<Value = Vec<Option<i64>>> {
    prop::collection::vec(prop::option::weighted(delivered, 0..=max_jitter_us), FRAMES as usize)
}

fn stream() -> impl Strategy<Value = Stream> {
    (any::<u16>(), any::<u32>()).prop_map(|(first_sequence, first_timestamp)| Stream {
        first_sequence,
        first_timestamp,
        ..Stream::USUAL
    })
}

/// Sends the stream through the network. Gives the bench and when each frame that came was received.
fn listen(stream: &Stream, network: &[Option<i64>], delay_ms: i64, ear_phase_us: i64) -> (Bench, Vec<(RunTime, i64)>) {
    let ear_phase = Nanos::from_micros(ear_phase_us);
    let mut bench = Bench::seated(EndpointConfig { ear_phase, ..listener(delay_ms) });
    let received = |(frame, delay): (i64, &Option<i64>)| {
        let sent = RunTime::START + stream.span(frame + 1);
        delay.map(|us| (sent + Nanos::from_micros(us), frame))
    };
    let mut arrivals: Vec<_> = (0..).zip(network).filter_map(received).collect();
    arrivals.sort();
    for (at, frame) in &arrivals {
        bench.packet(*at, &stream.packet(*frame));
    }
    bench.run_until(RunTime::START + Nanos::from_secs(2));
    (bench, arrivals)
}

proptest! {
    #[test]
    fn jitter_within_the_delay_conceals_nothing(
        stream in stream(),
        mut network in prop::collection::vec((0..=30_000i64).prop_map(Some), FRAMES as usize),
        phase in 0..10_000i64,
    ) {
        // The first packet must come first: it is the one that the delay counts from.
        network[0] = Some(0);
        let (bench, _) = listen(&stream, &network, 40, phase);
        let played = bench.heard(&stream);
        prop_assert_eq!(played.len() as i64, FRAMES);
        prop_assert!(played.windows(2).all(|pair| pair[1] == (pair[0].0 + FRAME as usize, pair[0].1 + 1)));
        let concealed: Vec<_> = bench.actions(&stream).into_iter().filter(|(frame, _)| *frame < FRAMES).collect();
        prop_assert_eq!(concealed, (0..FRAMES).map(|frame| (frame, PlayoutAction::Played)).collect::<Vec<_>>());
    }

    #[test]
    fn every_frame_is_played_in_its_place_or_concealed(
        stream in stream(), network in network(60_000, 0.8), delay_ms in 0..60i64, phase in 0..10_000i64,
    ) {
        let (bench, arrivals) = listen(&stream, &network, delay_ms, phase);
        prop_assume!(!arrivals.is_empty());
        let clock = bench.ear_clock();
        // By the definition of the fixed policy and of a deadline, frame by frame.
        let (first_at, first) = arrivals[0];
        let next_period = clock.first_sample_from(first_at).0.max(0);
        let next_period = next_period + (-next_period).rem_euclid(PERIOD);
        let anchor = clock.first_sample_from(first_at + Nanos::from_millis(delay_ms)).0.max(next_period);
        let received: BTreeMap<i64, RunTime> = arrivals.iter().map(|(at, frame)| (*frame, *at)).collect();
        let place = |frame: i64| anchor + (frame - first) * FRAME;
        let in_time = |frame: i64| {
            let period = place(frame).div_euclid(PERIOD) * PERIOD;
            place(frame) >= 0 && received.get(&frame).is_some_and(|at| *at <= clock.time(MediaTime(period)))
        };
        let begin = (0..FRAMES).find(|frame| in_time(*frame)).unwrap();
        let mut missing_in_a_row = 0;
        for frame in begin..FRAMES {
            missing_in_a_row = if in_time(frame) { 0 } else { missing_in_a_row + 1 };
            // A stream that has stopped may be anchored anew.
            prop_assume!(missing_in_a_row < MAX_CONCEALED);
        }
        let expected: Vec<_> =
            (begin..FRAMES).filter(|frame| in_time(*frame)).map(|frame| (place(frame) as usize, frame)).collect();
        prop_assert_eq!(bench.heard(&stream), expected);
        let decided = |wanted: PlayoutAction| -> Vec<i64> {
            let frames = bench.actions(&stream).into_iter();
            frames.filter(|(frame, action)| *action == wanted && *frame < FRAMES).map(|(frame, _)| frame).collect()
        };
        prop_assert_eq!(
            decided(PlayoutAction::Concealed),
            (begin..FRAMES).filter(|frame| !in_time(*frame)).collect::<Vec<_>>()
        );
        let mut late = decided(PlayoutAction::Late);
        late.sort_unstable();
        prop_assert_eq!(
            late,
            received.keys().copied().filter(|frame| *frame < begin || !in_time(*frame)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_ear_holds_what_the_records_say_and_every_packet_has_one_record(
        stream in stream(), network in network(400_000, 0.5), delay_ms in 0..100i64, phase in 0..10_000i64,
    ) {
        let (bench, arrivals) = listen(&stream, &network, delay_ms, phase);
        let clock = bench.ear_clock();
        let frame = |p: &Playout| i64::from(p.sequence.wrapping_sub(stream.first_sequence));
        let played: Vec<_> = bench.playouts().iter().filter(|p| p.action == PlayoutAction::Played)
            .map(|p| (clock.first_sample_from(p.played.unwrap()).0 as usize, frame(p))).collect();
        prop_assert_eq!(bench.heard(&stream), played);
        let mut recorded: Vec<_> =
            bench.playouts().iter().filter_map(|p| Some((p.received?, frame(p)))).collect();
        recorded.sort();
        prop_assert_eq!(recorded, arrivals);
    }

    #[test]
    fn no_datagram_makes_it_panic(
        datagrams in prop::collection::vec(
            (prop_oneof![Just(0x80u8), any::<u8>()], prop_oneof![Just(96u8), any::<u8>()],
             prop::collection::vec(any::<u8>(), 0..60)),
            1..40,
        ),
    ) {
        let mut bench = Bench::seated(listener(40));
        for (millis, (first, second, rest)) in (0..).zip(&datagrams) {
            bench.packet(crate::support::ms(7 * millis), &[&[*first, *second][..], rest].concat());
        }
        bench.run_until(crate::support::ms(1000));
        prop_assert_eq!(bench.ear.len(), 101 * PERIOD_SAMPLES);
    }
}
