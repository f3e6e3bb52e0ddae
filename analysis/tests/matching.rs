//! Beeps and detections that were made up, so that it is known which belongs to which.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they may")]

use jiho_analysis::arrivals::{Observation, Reason, Recorder, Status, observe};
use jiho_analysis::hear::{Detection, Splice};
use jiho_analysis::signal::{Cadence, Code, Emission, Schedule};
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};
use proptest::prelude::*;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

const RECORDER: Recorder = Recorder {
    clock: SampleClock::new(RunTime(-12_345), Rate::OPUS),
    clock_error: Nanos::ZERO,
    samples: 48_000 * 20_000,
    codec_sd: Nanos::ZERO,
};

fn emissions(slots: u32, key: u64) -> Vec<Emission> {
    let schedule = Schedule {
        start: RunTime(1_000_000_000),
        period: Nanos::from_secs(1),
        spread: Nanos::from_millis(300),
        slots,
        cadence: Cadence::Every,
        turns: 1,
        turn: 0,
        key,
        first: 0,
    };
    schedule.emissions().collect()
}

fn own(slots: u32) -> Vec<Emission> {
    emissions(slots, Schedule::TOGETHER)
}

fn sure(at: RunTime) -> Detection {
    Detection {
        code: Code::new(0).unwrap(),
        position: RECORDER.clock.position(at),
        score: 0.9,
        peak_ratio: 5.0,
        rival_samples: 50.0,
        snr_db: 20.0,
        position_sd: 0.01,
        inverted: false,
        splice: None,
    }
}

fn observed(emissions: &[Emission], mut detections: Vec<Detection>) -> Vec<Observation> {
    detections.sort_by(|a, b| a.position.total_cmp(&b.position));
    observe(emissions, &detections, &RECORDER).0
}

struct Luck(Pcg32);

impl Luck {
    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    fn between(&mut self, low: Nanos, high: Nanos) -> Nanos {
        low + Nanos(((high - low).0 as f64 * self.unit()) as i64)
    }
}

fn ms(delay: f64) -> Nanos {
    Nanos::from_secs_f64(delay / 1000.0)
}

/// How many beeps were given another delay than the true one.
fn wrong(observations: &[Observation], truth: impl Fn(&Emission) -> Nanos) -> usize {
    let is_wrong =
        |o: &&Observation| o.delay.is_some_and(|d| (d.value - truth(&o.emission)).abs() > Nanos::from_millis(1));
    observations.iter().filter(is_wrong).count()
}

fn heard(observations: &[Observation]) -> usize {
    observations.iter().filter(|o| o.status == Status::Heard).count()
}

#[test]
fn strangers_beeps_are_never_taken_for_those_that_were_lost() {
    let mut luck = Luck(Pcg32::seed_from_u64(1));
    let (mut found, mut there) = (0, 0);
    for trial in 0..3000 {
        let beeps = 8 + trial % 33;
        let sent = own(beeps);
        let delay = luck.between(Nanos::ZERO, Nanos::from_secs(50));
        let loss = 0.5 * luck.unit();
        let mut detections: Vec<Detection> =
            sent.iter().filter(|_| luck.unit() >= loss).map(|e| sure(e.at + delay)).collect();
        let arrived = detections.len();
        // Another in the same rhythm, with a schedule of its own.
        let later = luck.between(Nanos::from_secs(-1), Nanos::from_secs(60));
        detections.extend(emissions(beeps, 7 + u64::from(trial)).iter().map(|e| sure(e.at + later)));
        if trial % 3 == 0 {
            let end = Nanos::from_secs(60 + i64::from(beeps));
            detections.extend((0..60).map(|_| sure(RunTime::START + luck.between(Nanos::ZERO, end))));
        }
        let observations = observed(&sent, detections);
        assert_eq!(wrong(&observations, |_| delay), 0, "trial {trial}: {delay}, loss {loss:.2}");
        if arrived * 3 >= 2 * beeps as usize && beeps >= 16 {
            (found, there) = (found + heard(&observations), there + arrived);
        }
    }
    assert!(found as f64 >= 0.97 * there as f64, "of {there} beeps that arrived {found} were matched");
}

#[test]
fn where_only_strangers_sounded_nothing_is_matched() {
    let mut luck = Luck(Pcg32::seed_from_u64(2));
    for trial in 0..3000 {
        let beeps = 8 + trial % 53;
        let later = luck.between(Nanos::from_secs(-30), Nanos::from_secs(60));
        let mut detections: Vec<Detection> =
            emissions(120, 7 + u64::from(trial)).iter().map(|e| sure(e.at + later)).collect();
        if trial % 2 == 0 {
            detections
                .extend((0..200).map(|_| sure(RunTime::START + luck.between(Nanos::ZERO, Nanos::from_secs(120)))));
        }
        let observations = observed(&own(beeps), detections);
        assert!(observations.iter().all(|o| o.status == Status::Missing), "trial {trial}, {beeps} beeps");
    }
}

#[test]
fn two_clocks_that_drift_apart_for_hours_are_followed() {
    for ppm in [-200.0, 200.0] {
        let sent = own(7200);
        let delay = |e: &Emission| ms(3000.0 + e.at.since_start().as_secs_f64() * ppm / 1000.0);
        let detections = sent.iter().filter(|e| e.beep % 10 < 7).map(|e| sure(e.at + delay(e))).collect();
        let observations = observed(&sent, detections);
        assert_eq!((wrong(&observations, delay), heard(&observations)), (0, 5040));
    }
}

#[test]
fn an_audience_that_is_moved_30_s_back_mid_run_is_followed() {
    let sent = own(90);
    let delay = |e: &Emission| ms(if e.beep < 40 { 250.0 } else { 30_250.0 });
    let observations = observed(&sent, sent.iter().map(|e| sure(e.at + delay(e))).collect());
    assert_eq!((wrong(&observations, delay), heard(&observations)), (0, 90));
}

#[test]
fn a_beep_that_is_late_alone_is_not_believed_and_said_to_be_so() {
    let sent = own(30);
    let delay = |e: &Emission| ms(if e.beep == 12 { 190.0 } else { 60.0 });
    let observations = observed(&sent, sent.iter().map(|e| sure(e.at + delay(e))).collect());
    assert_eq!(heard(&observations), 29);
    assert_eq!((observations[12].status, observations[12].reason), (Status::Missing, Some(Reason::NotSupported)));
}

#[test]
fn an_echo_that_outlives_its_beeps_is_not_taken_for_them() {
    let sent = own(30);
    let direct = sent.iter().filter(|e| e.beep % 7 != 3).map(|e| sure(e.at + ms(60.0)));
    let echo = sent.iter().map(|e| Detection { score: 0.4, peak_ratio: 0.6, ..sure(e.at + ms(105.0)) });
    let observations = observed(&sent, direct.chain(echo).collect());
    assert_eq!(wrong(&observations, |_| ms(60.0)), 0);
    assert!(observations.iter().all(|o| (o.status == Status::Missing) == (o.emission.beep % 7 == 3)));
}

#[test]
fn a_beep_across_a_splice_has_an_interval_that_holds_both_delays() {
    let sent = own(20);
    let detections = sent.iter().map(|e| {
        let [before, after] = [60.0, 80.0].map(|delay| RECORDER.clock.position(e.at + ms(delay)));
        match e.beep {
            10 => Detection { splice: Some(Splice { first_part: before, last_part: after }), ..sure(e.at + ms(60.0)) },
            beep => sure(e.at + ms(if beep < 10 { 60.0 } else { 80.0 })),
        }
    });
    let observations = observed(&sent, detections.collect());
    let delay = observations[10].delay.unwrap();
    assert_eq!((observations[10].status, observations[10].reason), (Status::Heard, Some(Reason::Splice)));
    assert!(delay.low <= ms(60.0) && delay.high >= ms(80.0) && delay.high - delay.low < ms(20.1), "{delay:?}");
    assert_eq!(heard(&observations), 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn steps_of_a_jitter_buffer_are_followed(
        seed in any::<u64>(),
        steps in prop::collection::vec((6u32..30, prop_oneof![-200.0..-20.0f64, 20.0..200.0f64]), 1..8),
        loss in 0.0..0.2f64,
    ) {
        let mut luck = Luck(Pcg32::seed_from_u64(seed));
        let mut delays = vec![1_000.0; 12];
        for (beeps, step) in steps {
            let last = delays.last().copied().unwrap_or_default();
            delays.extend((0..beeps).map(|_| last + step));
        }
        let sent = own(delays.len() as u32);
        let delay = |e: &Emission| ms(delays[e.beep as usize]);
        let mut wander = || ms(luck.unit() * 0.5);
        let mut detections: Vec<Detection> = sent.iter().map(|e| sure(e.at + delay(e) + wander())).collect();
        detections.retain(|_| luck.unit() >= loss);
        let arrived = detections.len();
        let observations = observed(&sent, detections);
        prop_assert_eq!(wrong(&observations, delay), 0);
        // A level that is heard but a few times is not told from chance.
        prop_assert!(heard(&observations) + 8 >= arrived, "{} of {arrived}", heard(&observations));
    }

    #[test]
    fn any_delay_from_minus_one_second_to_a_minute_is_found(delay_ms in -990.0..59_900.0f64, beeps in 5u32..60) {
        let sent = own(beeps);
        let observations = observed(&sent, sent.iter().map(|e| sure(e.at + ms(delay_ms))).collect());
        prop_assert_eq!(heard(&observations), beeps as usize);
        prop_assert_eq!(wrong(&observations, |_| ms(delay_ms)), 0);
    }
}
