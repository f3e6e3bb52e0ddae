//! Loop-backs through a card in virtual time, whose latency is known.

use jiho_analysis::device::Finding;
use jiho_analysis::units::Ppb;
use jiho_drivers::device::virtual_card::{Model, Side, VirtualCard};
use proptest::prelude::*;

use super::*;

fn asked() -> Asked {
    Asked {
        play: None,
        record: None,
        rate: Rate::OPUS,
        buffer_frames: 480,
        beeps: 10,
        gain_db: -6.0,
        output_channel: None,
        input_channel: 0,
        straight_channel: None,
    }
}

fn looped(model: Model, asked: &Asked) -> anyhow::Result<Outcome> {
    let card = VirtualCard::new(model);
    run(&card, RunClock::start(), asked, &mut || {
        card.advance(Nanos::from_millis(20));
        card.now()
    })
}

fn round_trip_ms(outcome: &Outcome) -> f64 {
    outcome.measured.looped.map_or(f64::NAN, |looped| looped.round_trip_ms)
}

/// Within one sample at 48 kHz.
const SAMPLE_MS: f64 = 1.0 / 48.0;

#[test]
fn any_format_and_rate_brings_the_constructed_latency() {
    use jiho_drivers::device::virtual_card::SampleFormat as F;
    for (format, rate) in [(F::I16, 48_000), (F::U16, 44_100), (F::I32, 96_000), (F::F32, 16_000), (F::U8, 48_000)] {
        let model = Model { format, rate: Rate(rate), latency: Nanos(23_456_789), ..Model::default() };
        let outcome = looped(model, &Asked { rate: Rate(rate), ..asked() }).unwrap();
        assert!((round_trip_ms(&outcome) - 23.457).abs() < SAMPLE_MS, "{format} {rate}: {:?}", outcome.measured);
    }
}

#[test]
fn bad_starts_are_waited_out() {
    let side = Side {
        start: Nanos::from_millis(1900),
        wrong_stamps: 5,
        wrong_by: Nanos::from_millis(-700),
        ..Side::default()
    };
    let model =
        Model { capture: side.clone(), play: Side { start: Nanos::from_millis(30), ..side }, ..Model::default() };
    let outcome = looped(model, &asked()).unwrap();
    assert_eq!(outcome.measured.findings, []);
    assert!((round_trip_ms(&outcome) - 10.0).abs() < SAMPLE_MS, "{:?}", outcome.measured);
}

#[test]
fn a_device_that_disappears_leaves_what_was_measured() {
    let model = Model { disappears: Some(RunTime(6_000_000_000)), ..Model::default() };
    let outcome = looped(model, &asked()).unwrap();
    assert_eq!(outcome.ended, Some("playing"));
    assert!((round_trip_ms(&outcome) - 10.0).abs() < SAMPLE_MS, "{:?}", outcome.measured);
}

#[test]
fn a_device_that_hangs_without_a_word_has_ended_too() {
    let model = Model { hangs: Some(RunTime(6_000_000_000)), ..Model::default() };
    let outcome = looped(model, &asked()).unwrap();
    assert_eq!(outcome.ended, Some("playing"));
    assert!((round_trip_ms(&outcome) - 10.0).abs() < SAMPLE_MS, "{:?}", outcome.measured);
}

#[test]
fn crossed_channels_are_found() {
    let model = Model { crossed: 1, ..Model::default() };
    let outcome = looped(model, &Asked { output_channel: Some(0), ..asked() }).unwrap();
    assert_eq!(outcome.measured.findings, [Finding::WrongChannel { found: 1 }]);
}

fn side() -> impl Strategy<Value = Side> {
    let xruns = prop::collection::vec((40_i64..400, 96_i64..2000), 0..3).prop_map(|gaps| {
        let mut buffer = 60;
        gaps.iter()
            .map(|&(apart, samples)| {
                buffer += apart;
                (buffer, samples)
            })
            .collect()
    });
    (-200.0..200.0_f64, xruns, 0_i64..10, any::<bool>()).prop_map(|(ppm, xruns, scatter, tells)| Side {
        skew: Ppb::from_ppm(ppm),
        xruns,
        scatter: Nanos::from_micros(scatter),
        tells,
        ..Side::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever the cards' drifts, and wherever they stumble; stamps scatter by up to half a sample either way.
    #[test]
    fn the_constructed_latency_is_recovered_within_a_sample(
        play in side(),
        capture in side(),
        latency in 1_000_000_i64..300_000_000,
    ) {
        let drift = capture.skew.as_ppm() - play.skew.as_ppm();
        let xruns = |side: &Side| side.xruns.iter().map(|(buffer, n)| (buffer * 480, *n)).collect::<Vec<_>>();
        let expected = (xruns(&play), xruns(&capture));
        let model = Model { play, capture, latency: Nanos(latency), ..Model::default() };
        let outcome = looped(model.clone(), &asked()).unwrap();
        let found = |stream: &Stream| stream.timeline.jumps.iter().map(|j| (j.at.0, j.samples)).collect::<Vec<_>>();
        prop_assert_eq!(found(&outcome.played).len(), expected.0.len(), "{:?}", model);
        prop_assert_eq!(found(&outcome.recorded).len(), expected.1.len(), "{:?}", model);
        for (found, expected) in [(found(&outcome.played), expected.0), (found(&outcome.recorded), expected.1)] {
            for ((at, samples), (place, size)) in found.into_iter().zip(expected) {
                prop_assert!(at == place && (samples - size).abs() <= 1, "{} {} {} {}", at, samples, place, size);
            }
        }
        let looped = outcome.measured.looped.unwrap();
        prop_assert!((looped.round_trip_ms - latency as f64 / 1e6).abs() < SAMPLE_MS, "{:?} {:?}", looped, model);
        prop_assert!((looped.drift_ppm - drift).abs() < 5.0, "{:?} {}", looped, drift);
    }
}

#[test]
fn what_comes_straight_back_is_subtracted_with_its_error() {
    // Both channels come back after the same time: nothing is left.
    let asked = Asked { straight_channel: Some(1), ..asked() };
    let side = Side { scatter: Nanos(50_000), ..Side::default() };
    let model = Model { capture: side, ..Model::default() };
    let outcome = looped(model, &asked).unwrap();
    let rows = crate::report::loopback::LoopbackRow::all(&asked, &outcome);
    let of = |channel| rows.iter().find(|row| row.channel == Some(channel)).unwrap();
    assert!(of(1).less_straight_ms.unwrap().abs() < SAMPLE_MS, "{rows:?}");
    assert!(of(1).less_straight_low_ms <= of(1).less_straight_ms);
    assert!(of(1).less_straight_ms <= of(1).less_straight_high_ms);
    assert_eq!(of(2).less_straight_ms, None, "the straight channel has nothing to be subtracted");
    let unnamed = crate::report::loopback::LoopbackRow::all(&Asked { straight_channel: None, ..asked }, &outcome);
    assert!(unnamed.iter().all(|row| row.less_straight_ms.is_none()));
}
