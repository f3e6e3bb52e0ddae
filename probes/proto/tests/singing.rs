//! Singers who hear each other over delays that are made up, without codec or network: what they sing is known to a
//! sample, and what they should sing is arithmetic.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

use jiho_analysis::signal::{Code, Emission, Family, Programme, Signal};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_proto::singer::{Singer, SingerConfig, Way};
use jiho_proto::speaker::Mouth;

const PERIOD: Nanos = Nanos::from_millis(600);
const FRAME: usize = 960;
const SECONDS: usize = 24;
/// Beats until they have found together.
const SETTLED: usize = 20;

/// Delays in samples, from the row's mouth to the column's ear.
type Delays = [[usize; 3]; 3];

fn code(number: usize) -> Code {
    Code::new(number as u8).unwrap()
}

fn song(number: usize) -> Programme {
    let signal = Signal { period: PERIOD, spread: Nanos::from_millis(120), ..Signal::VOICED };
    let start = RunTime::START + Nanos::from_millis(500);
    signal.programmes(&[code(number)], start, Nanos::from_secs(SECONDS as i64)).swap_remove(0)
}

fn singer(number: usize, way: Way, advance: Nanos, motor_noise: Nanos) -> Singer {
    Singer::new(SingerConfig {
        song: song(number),
        family: Family::Voiced,
        period: PERIOD,
        until: RunTime(i64::MAX),
        way,
        advance,
        motor_noise,
        luck: vec![number as u64],
    })
}

/// A third of an asynchrony is made up for in all, by equal parts.
fn together(number: usize, gain: f64) -> Way {
    let others = (0..3).filter(|&other| other != number);
    Way::Together { correction: others.map(|other| (code(other), gain)).collect() }
}

/// Lets them sing; gives each one's beats. `lost` says which frames do not come through.
fn sing(mut singers: [Singer; 3], delays: &Delays, lost: impl Fn(usize) -> bool) -> [Vec<Emission>; 3] {
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    let length = SECONDS * 48_000;
    let mut ears = [const { Vec::new() }; 3].map(|_: Vec<f32>| vec![0.0f32; length + 48_000]);
    let mut sung = [const { Vec::new() }; 3];
    for first in (0..length).step_by(FRAME) {
        for (n, singer) in singers.iter_mut().enumerate() {
            let mut frame = [0.0; FRAME];
            singer.fill(&clock, MediaTime(first as i64), &mut frame);
            sung[n].extend(std::iter::from_fn(|| singer.sung()));
            for (ear, sound) in ears.iter_mut().enumerate().filter(|(ear, _)| *ear != n) {
                if !lost(first / FRAME + 7 * n) {
                    let at = first + delays[n][ear];
                    sound[at..at + FRAME].iter_mut().zip(frame).for_each(|(sum, sample)| *sum += sample);
                }
            }
        }
        for (singer, sound) in singers.iter_mut().zip(&ears) {
            for period in (first..first + FRAME).step_by(480) {
                singer.hear(&clock, MediaTime(period as i64), &sound[period..period + 480]);
            }
        }
    }
    sung
}

/// Drawn anew for each seed, up to 120 ms, and not in the least additive.
fn drawn(seed: u32) -> Delays {
    let mut state = seed;
    let mut delay = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        FRAME + (state >> 8) as usize % 4800
    };
    [[0; 3]; 3].map(|row| row.map(|_: usize| delay()))
}

fn ms(samples: usize) -> f64 {
    samples as f64 / 48.0
}

/// By how much each of one's beats is later than the other's of the same number, once settled.
fn later_ms(one: &[Emission], other: &[Emission]) -> Vec<f64> {
    let same = |beat: &Emission| other.iter().find(|other| other.beep == beat.beep).map(|other| beat.at - other.at);
    one[SETTLED..].iter().filter_map(same).map(Nanos::as_millis_f64).collect()
}

#[test]
fn a_follower_is_later_than_whom_it_follows_by_the_delay_that_it_hears_and_no_more() {
    for seed in 1..=8 {
        let delays = drawn(seed);
        let follow = |leader| Way::Follow { leader: code(leader) };
        let (soon, none) = (Nanos::from_millis(17), Nanos::ZERO);
        let singers =
            [singer(0, Way::Grid, none, none), singer(1, follow(0), none, none), singer(2, follow(1), soon, none)];
        let sung = sing(singers, &delays, |_| false);
        assert!(sung.iter().all(|beats| beats.len() > 30), "{:?}", sung.each_ref().map(Vec::len));
        for (follower, leader, advance) in [(1, 0, 0.0), (2, 1, 17.0)] {
            for later in later_ms(&sung[follower], &sung[leader]) {
                let expected = ms(delays[leader][follower]) - advance;
                assert!((later - expected).abs() < 0.2, "seed {seed}: {later} ms, not {expected}");
            }
        }
    }
}

#[test]
fn mutual_followers_slow_down_by_their_mean_correction_and_lie_where_it_balances() {
    for seed in 1..=8 {
        let (delays, gain) = (drawn(seed), 0.25);
        let singers = [0, 1, 2].map(|n| singer(n, together(n, gain), Nanos::ZERO, Nanos::ZERO));
        let sung = sing(singers, &delays, |_| false);
        // Of each, what the others make of its next beat: at rest it is the same for all.
        let sum = |own: usize| -> f64 {
            (0..3).filter(|&other| other != own).map(|other| gain * ms(delays[other][own])).sum()
        };
        let slower_ms = [0, 1, 2].map(sum).iter().sum::<f64>() / 3.0;
        for beats in &sung {
            let due = song(0);
            let lateness = |n: usize| (beats[n].at - due.emissions()[n].at).as_millis_f64();
            let measured = (lateness(beats.len() - 1) - lateness(SETTLED)) / (beats.len() - 1 - SETTLED) as f64;
            assert!((measured - slower_ms).abs() < 0.1, "seed {seed}: {measured} ms a beat, not {slower_ms}");
        }
        // What one corrects more than the mean is by how much it is late, over both gains and its own share.
        let place = |own: usize| (sum(own) - slower_ms) / (3.0 * gain);
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            for later in later_ms(&sung[one], &sung[other]) {
                let expected = place(one) - place(other);
                assert!((later - expected).abs() < 0.3, "seed {seed}: {later} ms, not {expected}");
            }
        }
    }
}

#[test]
fn beats_that_are_not_heard_throw_nobody_off() {
    let delays = drawn(5);
    let follow = Way::Follow { leader: code(0) };
    let none = Nanos::ZERO;
    let singers =
        [singer(0, Way::Grid, none, none), singer(1, follow.clone(), none, none), singer(2, follow, none, none)];
    // Half a second of every three is gone: two beats in a row, in part or as a whole.
    let sung = sing(singers, &delays, |frame| frame % 150 < 25);
    for follower in [1, 2] {
        let expected = ms(delays[0][follower]);
        let later = later_ms(&sung[follower], &sung[0]);
        assert!(later.len() > 15 && later.iter().all(|later| (later - expected).abs() < 1.0), "{later:?} {expected}");
    }
}

#[test]
fn a_motor_that_misses_scatters_beats_as_much_as_it_says_and_adds_up_to_nothing() {
    let delays = drawn(3);
    let noise = Nanos::from_millis(10);
    let ways = [Way::Grid, Way::Grid, Way::Grid];
    let mut number = 0;
    let singers = ways.map(|way| {
        number += 1;
        singer(number - 1, way, Nanos::ZERO, noise)
    });
    let sung = sing(singers, &delays, |_| false);
    let due = song(0);
    let off = sung.iter().flatten().map(|beat| (beat.at - due.emissions()[beat.beep as usize].at).as_millis_f64());
    let off: Vec<f64> = off.collect();
    let sd = (off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64).sqrt();
    // About 115 beats: a standard error of 6.6 %.
    assert!((7.5..12.5).contains(&sd), "{sd} ms over {}", off.len());
}

#[test]
fn who_never_hears_the_leader_does_not_sing() {
    let follow = Way::Follow { leader: code(0) };
    let none = Nanos::ZERO;
    let singers =
        [singer(0, Way::Grid, none, none), singer(1, follow.clone(), none, none), singer(2, follow, none, none)];
    let sung = sing(singers, &drawn(1), |_| true);
    assert_eq!(sung.each_ref().map(Vec::is_empty), [false, true, true]);
}
