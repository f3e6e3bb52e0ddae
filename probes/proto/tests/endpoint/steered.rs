//! Jitter buffers whose delay follows the network: adaptive ones and simulated ones.

use jiho_analysis::hear::hear;
use jiho_analysis::signal::{Code, Family, Signal};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::codec::{CodecConfig, Encoder, RATE};
use jiho_proto::endpoint::EndpointConfig;
use jiho_proto::event::{Playout, PlayoutAction, PlayoutDecision};
use jiho_proto::listener::PERIOD_SAMPLES;
use jiho_proto::playout::{AdaptiveConfig, BuffersConfig, PlayoutPolicy};
use jiho_proto::wire::rtp::Repr;
use proptest::prelude::*;

use crate::support::{Bench, FRAME, listener, ms};

const SSRC: u32 = 7;
const FRAME_MS: i64 = 20;

fn adaptive() -> PlayoutPolicy {
    PlayoutPolicy::Adaptive(AdaptiveConfig::default())
}

fn buffers() -> PlayoutPolicy {
    PlayoutPolicy::Buffers(BuffersConfig::default())
}

fn seated(playout: PlayoutPolicy) -> Bench {
    Bench::seated(EndpointConfig { playout, ..listener(0) })
}

/// Where a stream's sound begins, by the ear's clock, which starts with the run: frame n is sent at 20 (n + 1) ms.
const MOUTH: SampleClock = SampleClock::new(RunTime(0), RATE);

/// The packets of a sound in PCM.
fn packets(sound: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&CodecConfig::L16).unwrap();
    let mut payload = Vec::new();
    let packet = |(frame, samples): (u16, &[f32])| {
        encoder.encode(samples, &mut payload).unwrap();
        let mut bytes = Vec::new();
        let timestamp = u32::from(frame) * FRAME as u32;
        let (payload_type, payload) = (CodecConfig::L16.payload_type(), payload.as_slice());
        let repr = Repr { marker: false, payload_type, sequence: frame, timestamp, ssrc: SSRC, payload };
        repr.emit(&mut bytes);
        bytes
    };
    (0..).zip(sound.chunks_exact(FRAME as usize)).map(packet).collect()
}

fn sine(frames: i64, hz: f32) -> Vec<f32> {
    let step = hz / RATE.0 as f32;
    (0..frames * FRAME).map(|n| 0.4 * ((n as f32 * step).fract() * std::f32::consts::TAU).sin()).collect()
}

/// Sends each packet so much later than it was captured; `None`: never. They come in the order of their arrival.
fn send(bench: &mut Bench, packets: &[Vec<u8>], delay: impl Fn(i64) -> Option<Nanos>) -> Vec<(RunTime, u16)> {
    let arrival = |frame: i64| delay(frame).map(|delay| (ms(FRAME_MS * (frame + 1)) + delay, frame as u16));
    let mut arrivals: Vec<_> = (0..packets.len() as i64).filter_map(arrival).collect();
    arrivals.sort();
    for (at, frame) in &arrivals {
        bench.run_until(*at - Nanos(1));
        bench.packet(*at, &packets[usize::from(*frame)]);
    }
    let last = arrivals.last().map_or(RunTime::START, |(at, _)| *at);
    bench.run_until(last + Nanos::from_secs(1));
    arrivals
}

fn millis(ms: i64) -> Option<Nanos> {
    Some(Nanos::from_millis(ms))
}

/// A number from 0 to 999 for each frame, by a linear congruential generator.
fn luck(frame: i64) -> i64 {
    (0..3).fold(frame as u32, |state, _| state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)) as i64 / 8 % 1000
}

fn played(bench: &Bench) -> Vec<Playout> {
    bench.playouts().into_iter().filter(|p| p.action == PlayoutAction::Played).collect()
}

/// Position at the ear minus media time of a played frame.
fn offset(bench: &Bench, playout: &Playout) -> i64 {
    bench.ear_clock().first_sample_from(playout.played.unwrap()).0 - i64::from(playout.rtp_timestamp)
}

fn steps(playouts: &[Playout]) -> Vec<(PlayoutDecision, i64)> {
    playouts.iter().map(|p| (p.decision.unwrap(), p.step_samples)).filter(|(_, step)| *step != 0).collect()
}

/// What every policy's records must be like: the frames' places follow from each other by the steps.
fn assert_that_steps_add_up(bench: &Bench) {
    let mut follows: Option<i64> = None;
    for playout in played(bench) {
        let before = matches!(playout.decision, Some(PlayoutDecision::Anchored | PlayoutDecision::Merged));
        let now = offset(bench, &playout);
        if let Some(expected) = follows {
            assert_eq!(now, expected + if before { playout.step_samples } else { 0 }, "{playout:?}");
        }
        follows = Some(now + if before { 0 } else { playout.step_samples });
    }
}

#[test]
fn an_adaptive_delay_comes_down_to_the_band_round_its_target_and_stays_there() {
    let mut bench = seated(adaptive());
    send(&mut bench, &packets(&sine(1500, 220.0)), |_| millis(15));
    let played = played(&bench);
    let buffered = |p: &Playout| p.buffered().unwrap().as_millis_f64();
    assert!((60.0..60.1).contains(&buffered(&played[0])), "the start");
    assert!(played[100..].iter().all(|p| (20.0..40.0).contains(&buffered(p)) && p.step_samples == 0));
    assert!(steps(&played).iter().all(|(decision, _)| *decision == PlayoutDecision::Accelerated));
    assert_eq!(played[200].target, Some(Nanos::from_millis(20)));
    assert_that_steps_add_up(&bench);
}

#[test]
fn jitter_raises_an_adaptive_delay_and_its_end_lowers_it_again() {
    let mut bench = seated(adaptive());
    // For 10 s packets are up to 150 ms late.
    let jitter = |frame: i64| if (500..1000).contains(&frame) { luck(frame) * 150 / 1000 } else { 0 };
    send(&mut bench, &packets(&sine(2500, 220.0)), |frame| millis(15 + jitter(frame)));
    let delay = |frame: u16| {
        let playout = played(&bench).into_iter().find(|p| p.sequence >= frame).unwrap();
        let fastest = ms(FRAME_MS * (i64::from(playout.sequence) + 1)) + Nanos::from_millis(15);
        (playout.played.unwrap() - fastest).as_millis_f64()
    };
    assert!((20.0..40.0).contains(&delay(499)), "{}", delay(499));
    assert!((100.0..180.0).contains(&delay(990)), "{}", delay(990));
    assert!((20.0..40.0).contains(&delay(2499)), "{}", delay(2499));
    // Once it is raised, most packets are there in time; the band goes down to three quarters of the target.
    let concealed = |from: u16, to: u16| {
        let concealed = bench.playouts().into_iter().filter(|p| p.action == PlayoutAction::Concealed);
        concealed.filter(|p| (from..to).contains(&p.sequence)).count()
    };
    assert!(concealed(700, 1000) <= 30, "{} of 300", concealed(700, 1000));
    assert_eq!(concealed(1010, 2500), 0);
    assert_that_steps_add_up(&bench);
}

#[test]
fn simulated_buffers_grow_with_jitter_and_shrink_after_it_by_jumps() {
    let mut bench = seated(buffers());
    let jitter = |frame: i64| if (500..1500).contains(&frame) { luck(frame) * 50 / 1000 } else { 0 };
    send(&mut bench, &packets(&sine(3500, 220.0)), |frame| millis(15 + jitter(frame)));
    let played = played(&bench);
    let target = |frame: u16| played.iter().find(|p| p.sequence >= frame).unwrap().target.unwrap();
    assert_eq!(target(499), Nanos::from_millis(10));
    assert!((50..=60).any(|ms| target(1499) == Nanos::from_millis(ms)), "{}", target(1499));
    assert_eq!(target(3400), Nanos::from_millis(10));
    // Nothing is stretched, and nobody waits; five late frames in a row may stop the stream.
    let jumps = |d: &PlayoutDecision| matches!(d, PlayoutDecision::Rebased | PlayoutDecision::Anchored);
    assert!(steps(&played).iter().all(|(decision, _)| jumps(decision)));
    let delay = |frame: u16| {
        let playout = played.iter().find(|p| p.sequence >= frame).unwrap();
        (playout.played.unwrap() - ms(FRAME_MS * (i64::from(playout.sequence) + 1))).as_millis_f64() - 15.0
    };
    assert!((delay(499) - 10.0).abs() < 0.1, "{}", delay(499));
    assert!((delay(3400) - 10.0).abs() < 0.1, "{}", delay(3400));
    assert_that_steps_add_up(&bench);
}

#[test]
fn an_empty_adaptive_buffer_waits_for_a_late_packet_and_plays_it() {
    let mut bench = seated(adaptive());
    send(&mut bench, &packets(&sine(40, 220.0)), |frame| millis(if frame < 20 { 0 } else { 85 }));
    let played = played(&bench);
    assert_eq!(played.len(), 40, "nothing is lost");
    let (decision, step) = steps(&played)[0];
    assert_eq!(decision, PlayoutDecision::Merged);
    assert_eq!(step % PERIOD_SAMPLES as i64, 0);
    // The first frame of the slow ones was due 60 ms after the fast ones were received.
    assert!((25 * 48..=40 * 48).contains(&step), "{step}");
    assert_that_steps_add_up(&bench);
}

#[test]
fn a_lost_packet_costs_its_frame_and_moves_nothing() {
    let mut bench = seated(adaptive());
    send(&mut bench, &packets(&sine(400, 220.0)), |frame| {
        millis(5).filter(|_| frame != 300 && frame != 350 && frame != 351)
    });
    let concealed: Vec<u16> = bench
        .playouts()
        .iter()
        .filter(|p| p.action == PlayoutAction::Concealed && p.sequence < 400)
        .map(|p| p.sequence)
        .collect();
    assert_eq!(concealed, [300, 350, 351]);
    assert!(played(&bench)[200..].iter().all(|p| p.step_samples == 0));
    assert_that_steps_add_up(&bench);
}

#[test]
fn stretching_keeps_the_pitch() {
    for hz in [110.0, 220.0, 330.0, 1000.0] {
        let start = Nanos::from_millis(300);
        let mut bench = seated(PlayoutPolicy::Adaptive(AdaptiveConfig { start, ..AdaptiveConfig::default() }));
        // Down from 300 ms, and up again as jitter of 90 ms comes.
        let jitter = |frame: i64| if frame > 300 && frame % 4 == 1 { 90 } else { 0 };
        send(&mut bench, &packets(&sine(450, hz)), |frame| millis(jitter(frame)));
        let decisions = steps(&played(&bench));
        for wanted in [PlayoutDecision::Accelerated, PlayoutDecision::Expanded] {
            assert!(decisions.iter().filter(|(decision, _)| *decision == wanted).count() > 3, "{hz} Hz: {decisions:?}");
        }
        // Where it was stretched down: each cycle, from one upward crossing of zero to the next.
        let first = bench.ear_clock().first_sample_from(ms(1_000)).0 as usize;
        let ear = &bench.ear[first..first + 4 * 48_000];
        let crossings: Vec<f64> = (1..ear.len())
            .filter(|&n| ear[n - 1] < 0.0 && ear[n] >= 0.0)
            .map(|n| n as f64 - f64::from(ear[n] / (ear[n] - ear[n - 1])))
            .collect();
        let cycles = (crossings.len() - 1) as f64;
        let heard = cycles * 48_000.0 / (crossings[crossings.len() - 1] - crossings[0]);
        assert!((heard / f64::from(hz) - 1.0).abs() < 0.01, "{hz} Hz became {heard} Hz");
    }
}

/// The truth is what is heard: beeps, found in the sound by correlation.
#[test]
fn the_steps_add_up_to_what_the_beeps_delays_show() {
    let code = Code::new(3).unwrap();
    for (policy, slower_ms) in [(adaptive(), 60), (adaptive(), -45), (buffers(), 60)] {
        let duration = Nanos::from_secs(24);
        let programme =
            Signal { family: Family::Voiced, ..Signal::VOICED }.programmes(&[code], ms(200), duration).remove(0);
        let mut sound = vec![0.0; 1250 * FRAME as usize];
        programme.render(&MOUTH, MediaTime(0), &mut sound);
        let mut bench = seated(policy);
        // The link becomes slower, or faster, in the middle.
        send(&mut bench, &packets(&sound), |frame| millis(if frame < 400 { 50 } else { 50 + slower_ms }));
        let detections = hear(&bench.ear, RATE, Family::Voiced, &[code]);
        let played = played(&bench);
        let mut beeps = 0;
        for emission in programme.emissions() {
            let captured = MOUTH.position(emission.at);
            // The offsets of all frames that the beep lies in; a beep that was stretched itself has no one delay.
            let frames = played.iter().filter(|p| {
                let first = f64::from(p.rtp_timestamp);
                (captured - 2_000.0..captured + 12_000.0).contains(&first)
            });
            let offsets: Vec<i64> = frames.clone().map(|p| offset(&bench, p)).collect();
            if offsets.is_empty()
                || offsets.iter().any(|o| *o != offsets[0])
                || frames.clone().any(|p| p.step_samples != 0)
            {
                continue;
            }
            let expected = captured + offsets[0] as f64;
            let nearest = detections.iter().map(|d| (d.position - expected).abs()).min_by(f64::total_cmp).unwrap();
            assert!(nearest < 0.1, "{policy:?}: beep {} is {nearest} samples off", emission.beep);
            beeps += 1;
        }
        assert!(beeps > 15, "{policy:?}: {beeps} beeps");
        assert_that_steps_add_up(&bench);
        let total: i64 = steps(&played).iter().map(|(_, step)| step).sum();
        let last = &played[played.len() - 1];
        assert_eq!(total, offset(&bench, last) + last.step_samples - offset(&bench, &played[0]));
        // And in the end the delay is the network's and the policy's.
        let buffered = last.buffered().unwrap().as_millis_f64();
        let aim = last.target.unwrap().as_millis_f64();
        assert!((aim - 0.1..aim + 20.0).contains(&buffered), "{policy:?}: {buffered} ms for {aim}");
    }
}

fn policy() -> impl Strategy<Value = PlayoutPolicy> {
    prop_oneof![
        (0.5..0.999, 0..100i64, 100..400i64, 0..400i64).prop_map(|(quantile, min, max, start)| {
            let [min, max, start] = [min, max, start].map(Nanos::from_millis);
            PlayoutPolicy::Adaptive(AdaptiveConfig { quantile, min, max, start: start.clamp(min, max) })
        }),
        (10..300i64, 0..300i64, 0.001..0.1).prop_map(|(max, start, error_rate)| {
            let [max, start] = [max, start].map(Nanos::from_millis);
            PlayoutPolicy::Buffers(BuffersConfig { max, start, error_rate })
        }),
    ]
}

fn longest(policy: &PlayoutPolicy) -> Nanos {
    match policy {
        PlayoutPolicy::Fixed { delay } => *delay,
        PlayoutPolicy::Adaptive(config) => config.max,
        PlayoutPolicy::Buffers(config) => config.max,
    }
}

/// Sends frames that take 200 ms and so many microseconds more, from the middle on by `slower_us` more or less; `None`:
/// never. Whatever they do, each has one record, places follow by steps, frames are played in their order, and whoever
/// waits longer than the policy allows is brought nearer.
fn assert_order_and_limit(policy: PlayoutPolicy, network: &[Option<i64>], slower_us: i64) {
    let mut bench = seated(policy);
    let sound = sine(network.len() as i64, 150.0);
    let half = network.len() as i64 / 2;
    let delay = |frame: i64| {
        let base = 200_000 + if frame < half { 0 } else { slower_us };
        network[frame as usize].map(|us| Nanos::from_micros(base + us))
    };
    // The bench asserts that the ear is contiguous.
    let arrivals = send(&mut bench, &packets(&sound), delay);
    assert_that_steps_add_up(&bench);
    let mut recorded: Vec<_> = bench.playouts().iter().filter_map(|p| Some((p.received?, p.sequence))).collect();
    recorded.sort();
    assert_eq!(recorded, arrivals);
    let mut decided: Vec<u16> = played(&bench).iter().map(|p| p.sequence).collect();
    decided.dedup();
    assert!(decided.is_sorted(), "{:?}", decided);
    // Whoever waits longer than the policy allows is brought nearer at once.
    let limit = longest(&policy) + Nanos::from_millis(21);
    for playout in played(&bench).iter().filter(|p| p.buffered().unwrap() > limit) {
        let (decision, step) = (playout.decision.unwrap(), playout.step_samples);
        let placed = matches!(decision, PlayoutDecision::Anchored | PlayoutDecision::Merged);
        assert!(placed || (decision == PlayoutDecision::Rebased && step < 0), "{:?} {:?}", playout, policy);
    }
}

#[test]
fn a_straggler_from_before_a_stop_is_not_played_after_what_followed_it() {
    // Frames 30, 37 and 38 and the loss of 39 to 41 have the stream stop before 49 comes, which anchors it anew; 46
    // comes thereafter, when 48 was played long ago.
    let mut network = vec![Some(0); 50];
    network[..19].fill(None);
    for (frame, us) in
        [(24, 10_993), (27, 39_988), (30, 260_260), (37, 85_530), (38, 79_988), (46, 375_385), (49, 275_509)]
    {
        network[frame] = Some(us);
    }
    network[39..42].fill(None);
    network[45] = None;
    let max = Nanos::from_millis(100);
    let config = AdaptiveConfig { quantile: 0.88, min: Nanos::ZERO, max, start: Nanos::ZERO };
    assert_order_and_limit(PlayoutPolicy::Adaptive(config), &network, -35_385);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_network_does_places_follow_by_steps_and_no_packet_waits_beyond_the_limit(
        policy in policy(),
        network in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![3 => 0..30_000i64, 1 => 0..400_000i64]), 50..300),
        slower_us in -200_000..200_000i64,
    ) {
        assert_order_and_limit(policy, &network, slower_us);
    }

    #[test]
    fn a_steady_network_is_not_stretched_for(
        quantile in 0.5..0.999, min in 10..100i64, more in 0..200i64, start in 0..300i64, jitter_us in 0..8_000i64,
        hz in 100.0..400.0f32,
    ) {
        let [min, max, start] = [min, min + more, start].map(Nanos::from_millis);
        let config = AdaptiveConfig { quantile, min, max, start: start.clamp(min, max) };
        let mut bench = seated(PlayoutPolicy::Adaptive(config));
        send(&mut bench, &packets(&sine(600, hz)), |frame| Some(Nanos::from_micros(10_000 + luck(frame) * jitter_us / 1000)));
        let played = played(&bench);
        prop_assert!(played[500..].iter().all(|p| p.step_samples == 0), "{:?}", steps(&played[500..]));
        let frame = Nanos::from_millis(20) + Nanos::from_millis(1);
        for playout in &played[500..] {
            let fastest = ms(FRAME_MS * (i64::from(playout.sequence) + 1)) + Nanos::from_millis(10);
            let delay = playout.played.unwrap() - fastest;
            prop_assert!(delay >= min && delay <= max.max(Nanos::from_millis(20)) + frame, "{delay}");
        }
    }
}
