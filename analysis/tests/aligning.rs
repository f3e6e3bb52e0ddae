//! Recordings that were made to be apart by a known lag.
// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::f64::consts::{PI, TAU};

use jiho_analysis::align::{Alignment, InMemory, Missing, Request, Weighting, align};
use jiho_analysis::units::{Nanos, Rate};
use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

const RATE: Rate = Rate(48_000);

fn found(a: &[f32], b: &[f32]) -> Alignment {
    found_at(a, RATE, b, RATE, &Request::default())
}

fn found_at(a: &[f32], rate_a: Rate, b: &[f32], rate_b: Rate, request: &Request) -> Alignment {
    let (mut a, mut b) = (InMemory { samples: a, rate: rate_a }, InMemory { samples: b, rate: rate_b });
    let Ok(found) = align(&mut a, &mut b, request);
    found
}

fn gaussian(rng: &mut Pcg32) -> f64 {
    let uniform = |rng: &mut Pcg32| (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
    (-2.0 * uniform(rng).ln()).sqrt() * (TAU * uniform(rng)).cos()
}

/// A point on the unit circle.
#[derive(Clone, Copy)]
struct Turned {
    re: f64,
    im: f64,
}

fn turned(angle: f64) -> Turned {
    Turned { re: angle.cos(), im: angle.sin() }
}

impl Turned {
    fn times(self, by: Self) -> Self {
        Self { re: self.re * by.re - self.im * by.im, im: self.re * by.im + self.im * by.re }
    }
}

/// Sound as a function of continuous time: band-limited noise or something like speech.
enum Source {
    /// Noise of a bandwidth, interpolated between its own samples with a windowed sinc.
    Noise { hz: f64, values: Vec<f64> },
    /// Voiced syllables of wandering pitch, with pauses.
    Speech { seed: u64 },
}

impl Source {
    /// Flat to about `highest_hz`.
    fn noise(seed: u64, highest_hz: f64, seconds: f64) -> Self {
        let hz = 2.5 * highest_hz;
        let mut rng = Pcg32::seed_from_u64(seed);
        Self::Noise { hz, values: (0..(seconds * hz) as usize).map(|_| gaussian(&mut rng)).collect() }
    }

    fn at(&self, t: f64) -> f64 {
        match self {
            Self::Noise { hz, values } => {
                const REACH: i64 = 24;
                let position = t * hz;
                let first = position.floor() as i64 - REACH + 1;
                // Sine and window turn by the same angles from tap to tap: no need to ask for them anew.
                let x = position - first as f64;
                let (mut sine, mut window) = (turned(0.8 * PI * x), turned(PI * x / REACH as f64));
                let (back, along) = (turned(-0.8 * PI), turned(-PI / REACH as f64));
                let mut sum = 0.0;
                for n in first..first + 2 * REACH {
                    let x = 0.8 * PI * (position - n as f64);
                    let sinc = if x.abs() < 1e-6 { 1.0 } else { sine.im / x };
                    let value = usize::try_from(n).ok().and_then(|n| values.get(n)).copied().unwrap_or(0.0);
                    sum += value * (0.5 + 0.5 * window.re) * sinc;
                    (sine, window) = (sine.times(back), window.times(along));
                }
                0.1 * sum
            }
            Self::Speech { seed } => {
                const SYLLABLE: f64 = 0.2;
                let of = |n: i64, what: u64| {
                    let mut rng = Pcg32::seed_from_u64((seed * 1_000_003).wrapping_add(n as u64 * 8 + what));
                    (rng.next_u32(), f64::from(rng.next_u32()) / 4_294_967_296.0).1
                };
                let syllable = (t / SYLLABLE).floor();
                let n = syllable as i64;
                let x = t - syllable * SYLLABLE;
                // A third of the syllables are pauses. Pitch glides within each.
                if of(n, 0) < 0.33 {
                    return 0.0;
                }
                let (pitch, glide) = (100.0 + 120.0 * of(n, 1), 300.0 * (of(n, 2) - 0.5));
                let phase = TAU * (pitch * x + 0.5 * glide * x * x);
                let formant = 400.0 + 1600.0 * of(n, 3);
                let sum: f64 = (1..=30)
                    .map(|h| {
                        let from_formant = (f64::from(h) * pitch - formant) / 300.0;
                        let gain = 1.0 / f64::from(h) + 1.0 / (1.0 + from_formant * from_formant);
                        gain * (f64::from(h) * phase + f64::from(h * h)).cos()
                    })
                    .sum();
                0.05 * (PI * x / SYLLABLE).sin().powi(2) * sum
            }
        }
    }

    /// What a recorder hears that starts at `start_s` of the source and whose clock is off by `ppm`.
    fn record(&self, start_s: f64, seconds: f64, rate: Rate, ppm: f64) -> Vec<f32> {
        let step = 1.0 / (rate.hz() * (1.0 + ppm * 1e-6));
        (0..(seconds * rate.hz()) as usize).map(|n| self.at(start_s + n as f64 * step) as f32).collect()
    }
}

fn add_noise(samples: &mut [f32], sd: f64, seed: u64) {
    let mut rng = Pcg32::seed_from_u64(seed);
    samples.iter_mut().for_each(|x| *x += (sd * gaussian(&mut rng)) as f32);
}

/// Checks the first lag against the truth, in seconds.
fn check(found: &Alignment, truth_s: f64, within_s: f64) {
    let lag = found.lags.first().unwrap_or_else(|| panic!("no lag: {found:?}"));
    let error = lag.lag_s - truth_s;
    assert!(error.abs() <= within_s, "off by {error} s: {found:#?}");
    assert!(!found.is_ambiguous(), "{found:#?}");
}

#[test]
fn white_noise_is_found_to_a_thousandth_of_a_sample_anywhere() {
    let source = Source::noise(1, 20_000.0, 20.0);
    for delay in [0.0, 0.1234567, -3.0000051, 7.77] {
        let a = source.record(5.0, 8.0, RATE, 0.0);
        let b = source.record(5.0 - delay, 8.0, RATE, 0.0);
        let found = found(&a, &b);
        if delay.abs() < 7.5 {
            check(&found, delay, 1e-3 / RATE.hz());
        } else {
            // A quarter of a second in common.
            check(&found, delay, 0.01 / RATE.hz());
        }
        assert_eq!(found.lags.len(), 1, "{found:#?}");
    }
}

#[test]
fn offsets_of_a_minute_and_any_lengths_are_searched() {
    let source = Source::noise(2, 3000.0, 90.0);
    let cases =
        [(0.0, 20.0, 59.9876, 25.0), (60.0, 25.0, 0.00001, 80.0), (10.0, 4.0, 3.3, 70.0), (0.0, 75.0, 33.3, 1.0)];
    for (start_a, seconds_a, start_b, seconds_b) in cases {
        let rate = Rate(16_000);
        let a = source.record(start_a, seconds_a, rate, 0.0);
        let b = source.record(start_b, seconds_b, rate, 0.0);
        let found = found_at(&a, rate, &b, rate, &Request::default());
        let overlap = (start_a + seconds_a).min(start_b + seconds_b) - f64::max(start_a, start_b);
        if overlap > 0.0 {
            check(&found, start_a - start_b, 0.01 / rate.hz());
        } else {
            assert_eq!((found.lags.len(), found.missing), (0, Some(Missing::Unlike)), "{found:#?}");
        }
    }
}

#[test]
fn speech_in_independent_noise_is_found_within_its_interval() {
    let source = Source::Speech { seed: 3 };
    let mut a = source.record(1.0, 20.0, RATE, 0.0);
    let mut b = source.record(1.0 - 0.0501, 20.0, RATE, 0.0);
    add_noise(&mut a, 0.01, 31);
    add_noise(&mut b, 0.03, 32);
    let found = found(&a, &b);
    check(&found, 0.0501, 3e-6);
    let lag = &found.lags[0];
    assert!(lag.interval_s.low <= 0.0501 && 0.0501 <= lag.interval_s.high, "{lag:#?}");
}

#[test]
fn an_inverted_copy_is_said_to_be_one() {
    let source = Source::Speech { seed: 4 };
    let a = source.record(1.0, 6.0, RATE, 0.0);
    let b: Vec<f32> = source.record(0.9, 6.0, RATE, 0.0).iter().map(|x| -0.3 * x).collect();
    let found = found(&a, &b);
    check(&found, 0.1, 1e-7);
    assert!(found.lags[0].inverted);
}

#[test]
fn drift_is_found_and_the_lag_is_that_of_the_middle() {
    let source = Source::noise(5, 8000.0, 70.0);
    for ppm in [50.0, -200.0] {
        let a = source.record(3.0, 60.0, RATE, 0.0);
        let b = source.record(2.0, 60.0, RATE, ppm);
        let found = found(&a, &b);
        let lag = &found.lags[0];
        let drift = lag.drift.unwrap();
        assert!((drift.ppm - ppm).abs() < 0.05, "{lag:#?}");
        // At t seconds of A the source is at 3 + t; B's samples count by a clock that is faster by ppm.
        let truth = (lag.at_s + 1.0) * (1.0 + ppm * 1e-6) - lag.at_s;
        check(&found, truth, 0.02 / RATE.hz());
    }
}

#[test]
fn drift_is_refused_where_it_would_be_noise() {
    let source = Source::noise(6, 3000.0, 4.0);
    let mut a = source.record(1.0, 1.5, RATE, 0.0);
    let mut b = source.record(0.9, 1.5, RATE, 0.0);
    add_noise(&mut a, 0.3, 61);
    add_noise(&mut b, 0.3, 62);
    let found = found(&a, &b);
    check(&found, 0.1, 20e-6);
    assert_eq!(found.lags[0].drift, None, "{found:#?}");
}

#[test]
fn an_echo_is_listed_below_the_direct_sound_and_makes_it_ambiguous_only_if_it_is_as_loud() {
    let source = Source::noise(7, 8000.0, 14.0);
    let a = source.record(1.0, 10.0, RATE, 0.0);
    for (gain, later, ambiguous) in [(0.5, 0.04, false), (0.95, 0.04, true), (0.95, 0.0012, true), (0.6, 1.1, false)] {
        let b: Vec<f32> = (source.record(0.8, 10.0, RATE, 0.0).iter())
            .zip(source.record(0.8 - later, 10.0, RATE, 0.0))
            .map(|(x, echo)| x + gain * echo)
            .collect();
        let found = found(&a, &b);
        let lags: Vec<f64> = found.lags.iter().map(|lag| lag.lag_s).collect();
        assert!((lags[0] - 0.2).abs() < 2e-6, "{gain} {later}: {found:#?}");
        assert!(lags.iter().any(|lag| (lag - 0.2 - later).abs() < 5e-6), "{gain} {later}: {found:#?}");
        assert_eq!(found.is_ambiguous(), ambiguous, "{gain} {later}: {found:#?}");
    }
}

#[test]
fn what_repeats_itself_fits_at_several_lags() {
    let source = Source::noise(8, 8000.0, 2.0);
    let bar = source.record(0.5, 1.0, RATE, 0.0);
    let a: Vec<f32> = (0..8).flat_map(|_| bar.clone()).collect();
    let found = found(&a, &a);
    assert!(found.is_ambiguous(), "{found:#?}");
    assert!(found.lags.iter().any(|lag| lag.lag_s.abs() < 1e-7));
    assert!(found.lags.iter().all(|lag| (lag.lag_s - lag.lag_s.round()).abs() < 1e-6), "{found:#?}");
}

#[test]
fn unrelated_recordings_have_no_lag() {
    let noise = |seed| Source::noise(seed, 8000.0, 20.0).record(0.0, 20.0, Rate(16_000), 0.0);
    // Without noise: syllables that happen to be alike are the more alike.
    let speech = |seed| Source::Speech { seed }.record(0.0, 20.0, Rate(16_000), 0.0);
    let hum: Vec<f32> = (0..320_000).map(|n| (f64::from(n) * TAU * 50.0 / 16_000.0).sin() as f32).collect();
    let hummed = |samples: Vec<f32>| samples.iter().zip(&hum).map(|(x, hum)| x + hum).collect::<Vec<f32>>();
    let pairs = [
        (noise(1), noise(2)),
        (speech(1), speech(2)),
        (speech(3), speech(4)),
        (speech(5), speech(6)),
        (speech(7), noise(3)),
        (hummed(noise(4)), hummed(noise(5))),
        (hum.clone(), hum.clone()),
    ];
    for (n, (a, b)) in pairs.iter().enumerate() {
        for weighting in [None, Some(Weighting::Phat), Some(Weighting::Scot)] {
            let request = Request { weighting, most: None };
            let found = found_at(a, Rate(16_000), b, Rate(16_000), &request);
            assert!(found.lags.is_empty(), "pair {n}, {weighting:?}: {found:#?}");
        }
    }
}

#[test]
fn recordings_at_different_rates_are_compared_as_they_are() {
    let source = Source::noise(9, 3500.0, 14.0);
    for (rate_a, rate_b) in [(48_000, 44_100), (16_000, 48_000), (44_100, 8_000), (44_101, 48_000), (96_000, 11_025)] {
        let (rate_a, rate_b) = (Rate(rate_a), Rate(rate_b));
        let a = source.record(1.0, 12.0, rate_a, 0.0);
        let b = source.record(1.5001, 10.0, rate_b, 0.0);
        check(&found_at(&a, rate_a, &b, rate_b, &Request::default()), -0.5001, 1e-7);
    }
}

#[test]
fn every_weighting_finds_what_is_there_and_the_chosen_one_predicts_the_least_error() {
    let source = Source::Speech { seed: 10 };
    let mut a = source.record(1.0, 10.0, RATE, 0.0);
    let mut b = source.record(0.7, 10.0, RATE, 0.0);
    add_noise(&mut a, 0.005, 101);
    add_noise(&mut b, 0.005, 102);
    for weighting in [None, Some(Weighting::Phat), Some(Weighting::Scot), Some(Weighting::Plain)] {
        let found = found_at(&a, RATE, &b, RATE, &Request { weighting, most: None });
        let lag = found.lags.first().unwrap_or_else(|| panic!("{weighting:?}: no lag"));
        assert!((lag.lag_s - 0.3).abs() < 5e-6, "{weighting:?}: {found:#?}");
        if weighting.is_none() {
            let least = lag.predicted_sd_s.iter().copied().fold(f64::INFINITY, f64::min);
            let own = Weighting::ALL.iter().position(|w| *w == lag.weighting).unwrap();
            assert_eq!(lag.predicted_sd_s[own], least);
        }
    }
}

#[test]
fn a_greatest_lag_keeps_to_itself() {
    let source = Source::noise(11, 3500.0, 14.0);
    let a = source.record(2.0, 8.0, Rate(8000), 0.0);
    let b = source.record(1.5, 8.0, Rate(8000), 0.0);
    let within = |ms| Request { weighting: None, most: Some(Nanos::from_millis(ms)) };
    check(&found_at(&a, Rate(8000), &b, Rate(8000), &within(600)), 0.5, 1e-7);
    let found = found_at(&a, Rate(8000), &b, Rate(8000), &within(400));
    assert_eq!((found.lags.len(), found.missing), (0, Some(Missing::Unlike)));
}

/// The figure that a user is told: how far off, and how often within the interval.
#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let (mut held, mut squares) = (0, 0.0);
    let runs = 100;
    for seed in 0..runs {
        let source = Source::noise(1000 + seed, 7000.0, 6.0);
        let rate = Rate(16_000);
        let truth = 0.2 + 1e-5 * seed as f64;
        let mut a = source.record(1.0, 4.0, rate, 0.0);
        let mut b = source.record(1.0 - truth, 4.0, rate, 0.0);
        add_noise(&mut a, 0.1, 2000 + seed);
        add_noise(&mut b, 0.3, 3000 + seed);
        let found = found_at(&a, rate, &b, rate, &Request::default());
        let lag = &found.lags[0];
        held += u32::from((lag.interval_s.low..=lag.interval_s.high).contains(&truth));
        let predicted = lag.predicted_sd_s.iter().copied().fold(f64::INFINITY, f64::min);
        squares += ((lag.lag_s - truth) / predicted).powi(2);
    }
    let ratio = (squares / runs as f64).sqrt();
    assert!((93..=100).contains(&held), "{held} of {runs}; error over prediction {ratio}");
    assert!((0.8..1.25).contains(&ratio), "error over prediction {ratio}");
}

#[test]
fn silence_is_told_from_recordings_that_are_unlike() {
    let noise = Source::noise(12, 3000.0, 3.0).record(0.0, 3.0, Rate(8000), 0.0);
    let silent = vec![0.0; 20_000];
    let constant = vec![0.25; 30_000];
    let missing = |a: &[f32], b: &[f32]| found_at(a, Rate(8000), b, Rate(8000), &Request::default()).missing;
    assert_eq!(missing(&silent, &noise), Some(Missing::SilentA));
    assert_eq!(missing(&noise, &silent), Some(Missing::SilentB));
    assert_eq!(missing(&noise, &constant), Some(Missing::SilentB));
    assert_eq!(missing(&[], &noise), Some(Missing::TooShort));
    assert_eq!(missing(&noise, &noise[..50]), Some(Missing::TooShort));
}

fn any_samples() -> impl Strategy<Value = Vec<f32>> {
    let length = prop_oneof![0usize..300, 0usize..20_000];
    let kind = prop_oneof![Just(0), Just(1), Just(2), Just(3), Just(4)];
    (length, kind, any::<u64>()).prop_map(|(length, kind, seed)| {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut sample = |n: usize| match kind {
            0 => 0.0,
            1 => gaussian(&mut rng) as f32,
            2 => f32::from_bits(rng.next_u32()),
            3 => f32::from(u8::from(n == length / 2)),
            _ => (n as f32 * 0.3).sin(),
        };
        (0..length).map(&mut sample).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_two_recordings_give_lags_that_are_numbers_or_a_reason(
        a in any_samples(), b in any_samples(),
        rate_a in prop_oneof![Just(48_000), Just(44_100), 0u32..50_000],
        rate_b in prop_oneof![Just(48_000), 0u32..50_000],
        weighting in prop_oneof![Just(None), Just(Some(Weighting::Phat)), Just(Some(Weighting::Plain))],
        most_ms in prop_oneof![Just(None), (0i64..1000).prop_map(Some)],
    ) {
        let request = Request { weighting, most: most_ms.map(Nanos::from_millis) };
        let found = found_at(&a, Rate(rate_a), &b, Rate(rate_b), &request);
        prop_assert_eq!(found.lags.is_empty(), found.missing.is_some());
        for lag in &found.lags {
            let figures = [lag.lag_s, lag.interval_s.low, lag.interval_s.high, lag.score, lag.at_s, lag.common_s];
            prop_assert!(figures.iter().all(|figure| figure.is_finite()), "{lag:?}");
        }
    }
}
