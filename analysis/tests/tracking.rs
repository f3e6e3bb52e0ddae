//! Pilots in recordings that were put together of known pieces: what the tracker says of them must be how they were made.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

use jiho_analysis::signal::{Code, Programme, Signal};
use jiho_analysis::track::{Break, BreakKind, Lag, Tracked, Tracker, breaks};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use proptest::prelude::*;

fn code(number: u8) -> Code {
    Code::new(number).unwrap()
}

/// A pilot's first seconds, from an instant between two samples on.
fn pilot(number: u8, seconds: i64) -> Vec<f32> {
    let programme: Programme =
        Signal::PILOT.programmes(&[code(number)], RunTime::START, Nanos::from_secs(seconds)).remove(0);
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    let mut samples = vec![0.0; 48_000 * seconds as usize];
    programme.render(&clock, MediaTime(0), &mut samples);
    samples
}

fn ms(ms: f64) -> usize {
    (ms * 48.0).round() as usize
}

fn track(samples: &[f32], codes: &[u8]) -> Tracked {
    let codes: Vec<Code> = codes.iter().map(|&number| code(number)).collect();
    let mut tracker = Tracker::new(Rate::OPUS, &codes);
    let mut tracked = Tracked::default();
    for piece in samples.chunks(4801) {
        let more = tracker.push(piece);
        tracked.blocks.extend(more.blocks);
        tracked.segments.extend(more.segments);
    }
    let more = tracker.finish();
    tracked.blocks.extend(more.blocks);
    tracked.segments.extend(more.segments);
    tracked
}

/// The breaks of code 3 in a recording.
fn found(samples: &[f32]) -> Vec<Break> {
    breaks(code(3), &track(samples, &[3]).segments)
}

/// The breaks of a pilot that falls silent, and then goes on with some of it lost.
fn broken(at_ms: f64, silence_ms: f64, lost_ms: f64, gain: f32) -> Vec<Break> {
    let pilot: Vec<f32> = pilot(3, 10).iter().map(|x| gain * x).collect();
    let on = ms(at_ms + lost_ms);
    found(&[&pilot[..ms(at_ms)], &vec![0.0; ms(silence_ms)], &pilot[on..on + ms(2500.0)]].concat())
}

fn assert_near(found: Nanos, ms: f64, within_ms: f64, what: &str) {
    assert!((found.as_millis_f64() - ms).abs() <= within_ms, "{what}: {found} for {ms} ms");
}

#[test]
fn a_steady_pilot_is_tracked_throughout_at_its_delay() {
    let delay = 12_345;
    let samples = [vec![0.0; delay], pilot(3, 8)].concat();
    let tracked = track(&samples, &[3]);
    let [segment] = &tracked.segments[..] else { panic!("{:#?}", tracked.segments) };
    let lag = delay as f64 / 48.0;
    assert_near(segment.from.at, lag, 3.0, "beginning");
    assert_near(segment.to.at, lag + 8000.0, 3.0, "end");
    for block in &tracked.blocks {
        let due = (lag + 40.0..lag + 7960.0).contains(&block.at.as_millis_f64());
        let Some(heard) = block.pilot else {
            assert!(!due, "{block:?}");
            continue;
        };
        assert_near(heard.lag.value, lag, 0.002, "lag");
        assert!(!due || (heard.gain - 1.0).abs() < 0.01 && heard.rho > 0.999, "{block:?}");
        assert!(!due || (block.level_db + 20.0).abs() < 8.0 && block.rest_db < block.level_db - 30.0, "{block:?}");
    }
}

#[test]
fn a_silence_of_any_length_is_measured_with_what_is_lost_in_it() {
    let pilot = pilot(3, 20);
    for silence_ms in [20.0, 60.0, 333.3, 1500.0, 4000.0] {
        let mut samples = pilot.clone();
        samples[ms(7000.0)..ms(7000.0 + silence_ms)].fill(0.0);
        let breaks = found(&samples);
        let [one] = &breaks[..] else { panic!("{silence_ms}: {breaks:#?}") };
        assert_near(one.last_before, 7000.0, 1.0, "last before");
        assert_near(one.silence, silence_ms, 2.0, "silence");
        assert_near(one.lost, silence_ms, 2.0, "lost");
        assert_near(one.step, 0.0, 0.01, "step");
        assert_near(one.closure(), 0.0, 0.01, "closure");
        let kind = if silence_ms < 200.0 { BreakKind::LossUnconcealed } else { BreakKind::Silence };
        assert_eq!(one.kind, kind, "{silence_ms}");
    }
}

#[test]
fn skips_replays_rebases_and_tier_changes_are_told_apart_with_their_steps() {
    let pilot = pilot(3, 60);
    // At 7 s of the recording: so much silence, and the programme goes on there.
    for (silence_ms, goes_on_ms, kind) in [
        (0.0, 7060.0, BreakKind::Rebase),
        (0.0, 6940.0, BreakKind::Rebase),
        (0.0, 7500.0, BreakKind::Skip),
        (0.0, 6200.0, BreakKind::Replay),
        (300.0, 7000.0, BreakKind::Silence),
        (250.0, 7300.0, BreakKind::Silence),
        (400.0, 37_000.0, BreakKind::Silence),
        (0.0, 37_000.0, BreakKind::Skip),
        (1000.0, 2000.0, BreakKind::Silence),
        (0.0, 7007.0, BreakKind::Skip),
        (0.0, 6993.0, BreakKind::Replay),
    ] {
        let on = &pilot[ms(goes_on_ms)..ms(goes_on_ms + 6000.0)];
        let samples = [&pilot[..ms(7000.0)], &vec![0.0; ms(silence_ms)], on].concat();
        let breaks = found(&samples);
        let [one] = &breaks[..] else { panic!("{silence_ms} {goes_on_ms}: {breaks:#?}") };
        let lost_ms = goes_on_ms - 7000.0;
        assert_near(one.silence, silence_ms, 2.0, "silence");
        assert_near(one.lost, lost_ms, 2.0, "lost");
        assert_near(one.step, silence_ms - lost_ms, 0.01, "step");
        assert_near(one.closure(), 0.0, 0.01, "closure");
        assert_eq!(one.kind, kind, "{silence_ms} {goes_on_ms}: {one:?}");
    }
}

/// White noise of an RMS, from a fixed generator.
fn noise(samples: usize, rms: f32) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    // The sum of twelve is nearly normal, of standard deviation 1.
    (0..samples).map(|_| rms * (0..12).map(|_| uniform()).sum::<f32>()).collect()
}

fn add(a: &mut [f32], b: &[f32]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
}

#[test]
fn comfort_noise_in_a_gap_says_that_nothing_was_sent() {
    let mut samples = pilot(3, 12);
    samples[ms(5000.0)..ms(5700.0)].copy_from_slice(&noise(ms(700.0), 0.1 * 10f32.powf(-35.0 / 20.0)));
    let breaks = found(&samples);
    let [one] = &breaks[..] else { panic!("{breaks:#?}") };
    assert_eq!(one.kind, BreakKind::NotEmitted, "{one:?}");
    assert_near(one.silence, 700.0, 2.0, "silence");
    assert_near(one.lost, 700.0, 2.0, "lost");
}

#[test]
fn something_as_loud_in_a_short_gap_is_concealment() {
    let mut samples = pilot(3, 12);
    let other = pilot(9, 12);
    samples[ms(5000.0)..ms(5020.0)].copy_from_slice(&other[ms(5000.0)..ms(5020.0)]);
    let breaks = found(&samples);
    let [one] = &breaks[..] else { panic!("{breaks:#?}") };
    assert_eq!(one.kind, BreakKind::LossConcealed, "{one:?}");
    assert_near(one.silence, 20.0, 3.0, "silence");
    assert_near(one.step, 0.0, 0.01, "step");
}

/// Splices as WSOLA makes them (Verhelst & Roelands 1993): so much is left out, or heard again, at equal distances, with a
/// cross-fade of 5 ms.
fn stretched(pilot: &[f32], from_ms: f64, splices: usize, apart_ms: f64, step_ms: f64) -> Vec<f32> {
    let fade = ms(5.0);
    let mut out = pilot[..ms(from_ms)].to_vec();
    let mut at = ms(from_ms);
    for _ in 0..splices {
        let to = (at as i64 - (step_ms * 48.0).round() as i64) as usize;
        for n in 0..fade {
            let x = n as f32 / fade as f32;
            out.push((1.0 - x) * pilot[at + n] + x * pilot[to + n]);
        }
        at = to + ms(apart_ms);
        out.extend_from_slice(&pilot[to + fade..at]);
    }
    out.extend_from_slice(&pilot[at..at + ms(4000.0)]);
    out
}

#[test]
fn stretching_by_1_to_10_per_cent_is_one_break_with_its_slope() {
    let pilot = pilot(3, 20);
    for (percent, step_ms) in
        [(1.0, 8.0), (-1.0, 5.0), (3.0, 6.0), (5.0, 10.0), (-5.0, 10.0), (10.0, 10.0), (-10.0, 8.0)]
    {
        let apart_ms = 100.0 * f64::abs(step_ms / percent);
        let splices = (4000.0 / apart_ms) as usize;
        let step_ms = f64::signum(percent) * step_ms;
        let breaks = found(&stretched(&pilot, 5000.0, splices, apart_ms, step_ms));
        let [one] = &breaks[..] else { panic!("{percent}: {breaks:#?}") };
        assert_eq!(one.kind, BreakKind::Stretch, "{percent}: {one:?}");
        assert_near(one.step, step_ms * splices as f64, 0.05, "step");
        assert_eq!(one.steps as usize, splices, "{percent}");
        assert_near(one.closure(), 0.0, 0.1, "closure");
        // From the first splice to the last there is one distance less than there are splices.
        let slope = 100.0 * one.slope().unwrap() * (splices - 1) as f64 / splices as f64;
        assert!((slope / percent - 1.0).abs() < 0.15, "{percent}: {slope}");
    }
}

#[test]
fn eight_pilots_at_once_are_told_apart_each_with_its_own_break() {
    let mut mix = vec![0.0; ms(16_000.0)];
    for number in 0..8u8 {
        let mut own = pilot(number, 15);
        let gap = ms(4000.0 + 500.0 * f64::from(number));
        own[gap..gap + ms(300.0)].fill(0.0);
        add(&mut mix[ms(10.0 * f64::from(number))..], &own);
    }
    let tracked = track(&mix, &[0, 1, 2, 3, 4, 5, 6, 7]);
    for number in 0..8u8 {
        let breaks = breaks(code(number), &tracked.segments);
        let [one] = &breaks[..] else { panic!("{number}: {breaks:#?}") };
        assert_near(one.last_before, 4000.0 + 510.0 * f64::from(number), 2.0, "last before");
        assert_near(one.silence, 300.0, 3.0, "silence");
        assert_near(one.lost, 300.0, 3.0, "lost");
        assert_near(one.step, 0.0, 0.02, "step");
        assert_near(one.before.value, 10.0 * f64::from(number), 0.02, "lag");
    }
}

#[test]
fn noise_10_db_louder_leaves_the_delay_and_the_break_to_be_measured() {
    let mut samples = pilot(3, 14);
    samples[ms(6000.0)..ms(6500.0)].fill(0.0);
    let length = samples.len();
    add(&mut samples, &noise(length, 0.1 * 10f32.powf(0.5)));
    let breaks = found(&samples);
    let [one] = &breaks[..] else { panic!("{breaks:#?}") };
    assert_near(one.silence, 500.0, 10.0, "silence");
    assert_near(one.lost, 500.0, 10.0, "lost");
    assert_near(one.step, 0.0, 0.1, "step");
}

#[test]
fn an_echo_is_no_break() {
    let dry = pilot(3, 10);
    let mut samples = [&dry[..], &vec![0.0; ms(200.0)]].concat();
    let echo: Vec<f32> = dry.iter().map(|x| 0.6 * x).collect();
    add(&mut samples[ms(83.0)..], &echo);
    let tracked = track(&samples, &[3]);
    assert!(breaks(code(3), &tracked.segments).is_empty(), "{:#?}", tracked.segments);
    assert_near(tracked.segments[0].from.lag.step_from(&Lag::default()), 0.0, 0.02, "lag");
}

#[test]
fn a_pilot_that_does_not_sound_is_not_heard() {
    let mut samples = pilot(3, 30);
    let other = pilot(4, 30);
    add(&mut samples, &other);
    let loud = noise(ms(2000.0), 0.3);
    samples.extend(loud);
    let tracked = track(&samples, &[20, 21, 22, 23]);
    assert!(tracked.segments.is_empty() && tracked.blocks.iter().all(|block| block.pilot.is_none()));
}

#[test]
fn recordings_of_any_rate_tell_the_same_and_drift_is_followed() {
    for (hz, ppm) in [(44_100, 0.0), (16_000, 200.0), (48_000, -200.0), (8_000, 0.0), (96_000, 50.0)] {
        let programme = &Signal::PILOT.programmes(&[code(5)], RunTime::START, Nanos::from_secs(10))[0];
        // A recorder whose clock goes wrong by so much holds samples of other instants than it believes.
        let count = hz as usize * 10;
        let true_hz = f64::from(hz) * (1.0 + ppm * 1e-6);
        let mut samples = vec![0.0; count];
        for (n, sample) in samples.iter_mut().enumerate() {
            let clock = SampleClock::new(RunTime((n as f64 / true_hz * 1e9) as i64), Rate(hz));
            let mut one = [0.0];
            programme.render(&clock, MediaTime(0), &mut one);
            *sample = one[0];
        }
        let mut tracker = Tracker::new(Rate(hz), &[code(5)]);
        let mut tracked = tracker.push(&samples);
        let rest = tracker.finish();
        tracked.blocks.extend(rest.blocks);
        tracked.segments.extend(rest.segments);
        assert_eq!(tracked.segments.len(), 1, "{hz} {ppm}: {:#?}", tracked.segments);
        for block in tracked.blocks.iter().filter(|block| block.at > Nanos::from_millis(100)) {
            let Some(heard) = block.pilot else { continue };
            let truth = block.at.as_millis_f64() * ppm * 1e-6;
            let lag = heard.lag.step_from(&Lag::default());
            assert!((lag.as_millis_f64() - truth).abs() < 0.004, "{hz} {ppm} at {}: {lag} for {truth} ms", block.at);
        }
        let present = tracked.blocks.iter().filter(|block| block.pilot.is_some()).count();
        assert!(present > 985, "{hz} {ppm}: {present}");
    }
}

#[test]
fn what_sounds_like_the_pilot_near_its_last_lag_is_no_return_of_it() {
    for (at_ms, silence_ms, lost_ms) in [
        (3153.048942815602, 801.0985278805211, 2138.964631809615),
        (2977.314244119074, 121.40128415926618, 1131.711898595434),
    ] {
        let breaks = broken(at_ms, silence_ms, lost_ms, 0.05);
        let [one] = &breaks[..] else { panic!("{breaks:#?}") };
        assert_near(one.last_before, at_ms, 3.0, "last before");
        assert_near(one.silence, silence_ms, 3.0, "silence");
        assert_near(one.lost, lost_ms, 3.0, "lost");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_break_at_any_place_is_measured_and_closes(
        at_ms in 2500.0f64..4000.0, silence_ms in 0.0f64..900.0, lost_ms in -1500.0f64..3000.0, gain in 0.05f32..2.0,
    ) {
        // What is neither silent nor a step is no break.
        prop_assume!((silence_ms - lost_ms).abs() > 1.0);
        let breaks = broken(at_ms, silence_ms, lost_ms, gain);
        prop_assert_eq!(breaks.len(), 1, "{:#?}", breaks);
        let one = &breaks[0];
        prop_assert!((one.last_before.as_millis_f64() - at_ms).abs() < 3.0, "{:?}", one);
        prop_assert!((one.silence.as_millis_f64() - silence_ms).abs() < 3.0, "{:?}", one);
        prop_assert!((one.lost.as_millis_f64() - lost_ms).abs() < 3.0, "{:?}", one);
        prop_assert!((one.step.as_millis_f64() - silence_ms + lost_ms).abs() < 0.03, "{:?}", one);
        prop_assert!(one.closure().abs() < Nanos::from_micros(20), "{:?}", one);
    }
}
