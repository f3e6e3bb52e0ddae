//! Recordings made by hand, each with one thing wrong.

use super::*;
use crate::signal::Signal;
use crate::units::{MediaTime, RunTime, SampleClock};

const LATENCY: usize = 1234;
const PRIMING: usize = 2;

fn timeline() -> Timeline {
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    Timeline { clock, jumps: Vec::new(), stamp_sd: Nanos::ZERO, least_jump: 12, strays: 0 }
}

struct Case {
    marks: Vec<f64>,
    /// What a perfect device records.
    sound: Vec<f32>,
}

impl Case {
    fn new() -> Self {
        let code = Code::new(0).unwrap();
        let signal = Signal { period: Nanos::from_millis(600), spread: Nanos::from_millis(200), ..Signal::VOICED };
        let programmes = signal.programmes(&[code], RunTime::START, Nanos::from_secs(10));
        let clock = timeline().clock;
        let marks = programmes[0].emissions().iter().map(|emission| clock.position(emission.at)).collect();
        let mut sound = vec![0.0; LATENCY + 10 * 48_000];
        programmes[0].render(&clock, MediaTime(0), &mut sound[LATENCY..]);
        Self { marks, sound }
    }

    fn measure(&self, channels: &[Vec<f32>], wanted: usize) -> Measured {
        let line = timeline();
        let code = Code::new(0).unwrap();
        let marks = &self.marks;
        let played = Played { family: Family::Voiced, code, gain_db: 0.0, marks, priming: PRIMING, timeline: &line };
        super::measure(&played, &Heard { channels, wanted, timeline: &line })
    }

    fn with(&self, change: impl Fn(usize, f32) -> f32) -> Vec<f32> {
        self.sound.iter().enumerate().map(|(n, &sample)| change(n, sample)).collect()
    }
}

/// Reproducible noise of about the given level.
fn noise(n: usize) -> f32 {
    ((n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

#[test]
fn a_perfect_device_has_its_latency_and_no_findings() {
    let case = Case::new();
    let measured = case.measure(std::slice::from_ref(&case.sound), 0);
    assert_eq!(measured.findings, []);
    assert_eq!((measured.heard, measured.beeps), (case.marks.len() - PRIMING, case.marks.len() - PRIMING));
    let looped = measured.looped.unwrap();
    assert!((looped.round_trip_ms - LATENCY as f64 / 48.0).abs() < 0.002, "{looped:?}");
    assert!(looped.gain_db.abs() < 0.1 && looped.drift_ppm.abs() < 1.0 && looped.score > 0.95, "{looped:?}");
}

#[test]
fn silence_is_told_from_sound_without_beeps() {
    let case = Case::new();
    assert_eq!(case.measure(&[vec![0.0; 480_000]], 0).findings, [Finding::Silent]);
    let hum = case.with(|n, _| 0.1 * (n as f32 * 0.0065).sin());
    assert_eq!(case.measure(&[hum], 0).findings, [Finding::NotThere]);
}

#[test]
fn beeps_on_another_channel_are_measured_there_and_said_so() {
    let case = Case::new();
    let channels = [vec![0.0; case.sound.len()], case.with(|_, sample| 0.5 * sample)];
    let measured = case.measure(&channels, 0);
    assert_eq!(measured.findings, [Finding::WrongChannel { found: 1 }]);
    assert!((measured.looped.unwrap().gain_db + 6.02).abs() < 0.1);
    let both = [case.with(|_, sample| 0.5 * sample), case.sound.clone()];
    assert_eq!(case.measure(&both, 0).findings, []);
}

#[test]
fn flat_tops_are_clipping_and_high_peaks_are_not() {
    let case = Case::new();
    let loud = case.with(|_, sample| (8.0 * sample).clamp(-1.0, 1.0));
    assert!(matches!(case.measure(&[loud], 0).findings[..], [Finding::Clipped { samples: 100.. }, ..]));
}

#[test]
fn an_echo_is_named_with_its_distance_and_level() {
    let case = Case::new();
    let echo = 1440;
    let twice = case.with(|n, sample| sample + 0.6 * n.checked_sub(echo).map_or(0.0, |n| case.sound[n]));
    let measured = case.measure(&[twice], 0);
    let [Finding::Echo { later_ms, level_db }] = measured.findings[..] else { panic!("{measured:?}") };
    assert!((later_ms - 30.0).abs() < 0.1 && (level_db + 4.4).abs() < 1.5, "{later_ms} {level_db}");
}

#[test]
fn beeps_that_fade_or_stop_are_suppressed() {
    let case = Case::new();
    let fades = case.with(|n, sample| if n < 150_000 { sample } else { 0.1 * sample });
    let [Finding::Suppressed { change_db: Some(change) }] = case.measure(&[fades], 0).findings[..] else { panic!() };
    assert!((change + 20.0).abs() < 1.0, "{change}");
    let stops = case.with(|n, sample| if n < 240_000 { sample } else { 0.0 });
    assert_eq!(case.measure(&[stops], 0).findings, [Finding::Suppressed { change_db: None }]);
}

#[test]
fn a_signal_in_noise_is_too_quiet() {
    let case = Case::new();
    let faint = case.with(|n, sample| 0.02 * sample + 0.02 * noise(n));
    let findings = case.measure(&[faint], 0).findings;
    assert_eq!(findings, [Finding::TooQuiet]);
}

#[test]
fn single_beeps_that_move_make_it_unsteady() {
    let case = Case::new();
    // A millisecond more from the middle on, which no stamp tells of.
    let moved = case.with(|n, sample| if n < 240_000 { sample } else { case.sound[n - 48] });
    let measured = case.measure(&[moved], 0);
    assert!(measured.findings.contains(&Finding::Unsteady), "{measured:?}");
}
