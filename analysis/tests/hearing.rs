//! Hearing against constructed truth: positions, scores, several speakers at once, noise, rates, streaming.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests

use jiho_analysis::hear::oracle::normalised_correlation;
use jiho_analysis::hear::{Detection, Hearing, hear};
use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Rate;
use proptest::prelude::*;

fn code(number: u8) -> Code {
    Code::new(number).unwrap()
}

fn coded_families() -> impl Iterator<Item = Family> {
    Family::ALL.into_iter().filter(|family| family.is_coded())
}

fn coded_family() -> impl Strategy<Value = Family> {
    proptest::sample::select(coded_families().collect::<Vec<_>>())
}

fn add_beep(samples: &mut [f32], rate: Rate, family: Family, number: u8, position: f64, gain: f32) {
    add(samples, rate, &Waveform::new(family, code(number)), position, gain);
}

fn add(samples: &mut [f32], rate: Rate, beep: &Waveform, position: f64, gain: f32) {
    let mut beep_alone = vec![0.0; samples.len()];
    beep.add(-position / rate.hz(), rate, &mut beep_alone);
    samples.iter_mut().zip(beep_alone).for_each(|(sample, beep)| *sample += gain * beep);
}

/// White Gaussian noise by Box–Muller over a 64-bit linear congruential generator (Knuth's MMIX constants).
fn add_noise(samples: &mut [f32], rms: f32, mut seed: u64) {
    let mut unit = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    for sample in samples {
        let (radius, angle) = ((-2.0 * unit().ln()).sqrt(), std::f64::consts::TAU * unit());
        *sample += rms * (radius * angle.cos()) as f32;
    }
}

fn sure(detections: &[Detection]) -> Vec<Detection> {
    detections.iter().copied().filter(Detection::is_sure).collect()
}

#[test]
fn a_beep_that_begins_with_the_recording_is_found_as_exactly_as_any() {
    for family in coded_families() {
        for (rate, position) in [(48_000, 0.0), (48_000, 0.37), (44_100, 3.9), (16_000, 11.25), (96_000, 100.5)] {
            let rate = Rate(rate);
            let mut samples = vec![0.0; rate.0 as usize];
            add_beep(&mut samples, rate, family, 3, position, 1.0);
            let heard = sure(&hear(&samples, rate, family, &[code(3)]));
            assert_eq!(heard.len(), 1, "{family}, {rate:?}: {heard:?}");
            assert!((heard[0].position - position).abs() < 0.01, "{family}, {rate:?}: {heard:?} for {position}");
        }
    }
}

#[test]
fn the_fast_path_gives_the_oracles_scores() {
    let rate = Rate(12_000);
    for family in coded_families() {
        let mut samples = vec![0.0; 12_000];
        add_beep(&mut samples, rate, family, 3, 4321.0, 1.0);
        add_noise(&mut samples, 0.1, 7);
        let beep = Waveform::new(family, code(3));
        let mut template = vec![0.0; rate.samples(beep.after_mark()) as usize];
        beep.add(0.0, rate, &mut template);
        let oracle = normalised_correlation(&samples, &template);
        let best = (0..oracle.len()).max_by(|&a, &b| oracle[a].total_cmp(&oracle[b])).unwrap();
        let heard = hear(&samples, rate, family, &[code(3)])[0];
        assert!((heard.position - best as f64).abs() < 0.6, "{family}: {heard:?}, oracle at {best}");
        assert!((heard.score - oracle[best]).abs() < 0.01, "{family}: {heard:?}, oracle {}", oracle[best]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_clean_beep_is_found_within_a_hundredth_of_a_sample(
        family in coded_family(), position in 0.0f64..90_000.0, number in 0u8..64, gain in 0.02f32..2.0, inverted: bool,
        rate in prop_oneof![Just(48_000u32), Just(44_100), Just(16_000), Just(32_000), Just(96_000), Just(22_050)],
    ) {
        let rate = Rate(rate);
        let position = position * rate.hz() / 48_000.0;
        let mut samples = vec![0.0; rate.0 as usize * 5 / 2];
        add_beep(&mut samples, rate, family, number, position, if inverted { -gain } else { gain });
        let heard = sure(&hear(&samples, rate, family, &[code(number)]));
        prop_assert_eq!(heard.len(), 1);
        prop_assert!((heard[0].position - position).abs() < 0.01, "{:?} for {}", heard[0], position);
        prop_assert_eq!(heard[0].inverted, inverted);
    }

    #[test]
    fn speakers_at_the_same_instant_do_not_disturb_each_other(
        family in coded_family(), a in 10_000.0f64..12_000.0, b in 10_000.0f64..12_000.0, c in 10_000.0f64..12_000.0,
        first in 0u8..20, gain in 0.5f32..2.0,
    ) {
        let rate = Rate::OPUS;
        let mut samples = vec![0.0; 48_000];
        for (n, (position, gain)) in [(a, 1.0), (b, gain), (c, 1.0)].into_iter().enumerate() {
            add_beep(&mut samples, rate, family, first + 20 * n as u8, position, gain);
        }
        let codes = [code(first), code(first + 20), code(first + 40), code(63)];
        let heard = sure(&hear(&samples, rate, family, &codes));
        prop_assert_eq!(heard.len(), 3, "{:?}", heard);
        for (n, position) in [a, b, c].into_iter().enumerate() {
            let own = heard.iter().find(|h| h.code == codes[n]).unwrap();
            // A fiftieth of a millisecond is 0.96 of a sample.
            prop_assert!((own.position - position).abs() < 0.1, "{:?} for {}", own, position);
        }
    }
}

#[test]
fn a_stream_in_pieces_gives_what_the_whole_gives() {
    let (rate, family) = (Rate::OPUS, Family::Voiced);
    let mut samples = vec![0.0; 48_000 * 6];
    for (n, position) in [3_000.25, 50_000.5, 61_000.0, 130_000.75, 250_000.0].into_iter().enumerate() {
        add_beep(&mut samples, rate, family, n as u8 % 2, position, 1.0);
    }
    add_noise(&mut samples, 0.02, 1);
    let codes = [code(0), code(1)];
    let whole = hear(&samples, rate, family, &codes);
    let mut hearing = Hearing::new(rate, family, &codes);
    let mut pieces: Vec<Detection> = samples.chunks(7_919).flat_map(|piece| hearing.push(piece)).collect();
    pieces.extend(hearing.finish());
    assert_eq!(whole, pieces);
    assert_eq!(sure(&whole).len(), 5);
}

#[test]
fn the_spread_in_white_noise_is_that_of_the_cramer_rao_bound() {
    let rate = Rate::OPUS;
    let position = |second: usize| 9_000.0 + 37.31 * second as f64;
    for (family, snr_db) in coded_families().flat_map(|family| [20.0, 0.0, -8.0].map(|snr_db| (family, snr_db))) {
        let beep = Waveform::new(family, code(5));
        let mut samples = vec![0.0; 48_000 * 150];
        for (second, samples) in samples.chunks_mut(48_000).enumerate() {
            add(samples, rate, &beep, position(second), 1.0);
        }
        add_noise(&mut samples, 0.1 * 10f32.powf(-snr_db / 20.0), 1000);
        let (mut squares, mut bound, mut count) = (0.0, 0.0, 0.0);
        for heard in sure(&hear(&samples, rate, family, &[code(5)])) {
            let second = (heard.position / 48_000.0) as usize;
            squares += (heard.position - 48_000.0 * second as f64 - position(second)).powi(2);
            bound += heard.position_sd.powi(2);
            count += 1.0;
        }
        assert!((148.0..=150.0).contains(&count), "{family} at {snr_db} dB: heard {count} of 150");
        let ratio = (squares / bound).sqrt();
        // The ratio's own standard deviation is 1/√300.
        assert!((0.82..1.18).contains(&ratio), "{family} at {snr_db} dB: spread over bound {ratio:.3}");
    }
}

#[test]
fn noise_and_other_codes_are_never_taken_for_a_beep() {
    let rate = Rate::OPUS;
    let mut noise = vec![0.0; 48_000 * 16];
    add_noise(&mut noise, 0.1, 99);
    for sounding in coded_families() {
        let mut samples = noise.clone();
        for (n, second) in samples.chunks_mut(48_000).enumerate() {
            add_beep(second, rate, sounding, n as u8, 5_000.3, 2.0);
        }
        for family in coded_families() {
            let others: Vec<Code> = (if family == sounding { 16..48 } else { 0..32 }).map(code).collect();
            assert_eq!(sure(&hear(&samples, rate, family, &others)), vec![], "{family} is not {sounding}");
        }
    }
}

#[test]
fn literal_time_signals_are_found_once_wherever_they_fall_and_called_ambiguous() {
    for (family, rate) in [(Family::Jiho, 48_000), (Family::Bbc, 48_000), (Family::Bbc, 44_100), (Family::Bbc, 22_050)]
    {
        let rate = Rate(rate);
        for mark in [5.2, 6.125, 6.123_456_7, 6.133_333_4] {
            let mut samples = vec![0.0; rate.0 as usize * 11];
            Waveform::new(family, code(0)).add(-mark, rate, &mut samples);
            let heard = hear(&samples, rate, family, &[code(0)]);
            let [only] = heard[..] else { panic!("side lobes of {family} were listed: {heard:?}") };
            assert!((only.position - mark * rate.hz()).abs() < 0.05, "{family}: {only:?}, not {}", mark * rate.hz());
            assert!(!only.is_sure() && only.peak_ratio < 1.1, "a tone looks the same one cycle later: {only:?}");
        }
    }
}

/// What somebody hears of `beep` at `position` when `cut` samples (negative: put in as silence) are gone from `after` on.
fn spliced(beep: &Waveform, rate: Rate, position: f64, after: usize, cut: i64) -> Vec<f32> {
    let mut samples = vec![0.0; rate.0 as usize];
    add(&mut samples, rate, beep, position, 1.0);
    let place = position as usize + after;
    if cut > 0 {
        samples.drain(place..place + cut as usize);
    } else {
        samples.splice(place..place, vec![0.0; cut.unsigned_abs() as usize]);
    }
    samples.resize(rate.0 as usize, 0.0);
    samples
}

#[test]
fn a_beep_across_a_splice_says_both_of_its_delays() {
    let (rate, position) = (Rate::OPUS, 20_000.3);
    for (number, cut_ms) in [3, 5, 10, 20, 40].into_iter().flat_map(|ms| [(7, ms), (7, -ms), (31, ms), (31, -ms)]) {
        let beep = Waveform::new(Family::Voiced, code(number));
        for percent in [20, 35, 50, 65, 80] {
            let cut = 48 * cut_ms;
            // Where sound is cut out, what is left after it must be the stated part.
            let after = 9_600 * percent / 100 - if percent > 50 { cut.max(0) as usize } else { 0 };
            let mut samples = spliced(&beep, rate, position, after, cut);
            add_noise(&mut samples, 0.01, 5);
            let heard = hear(&samples, rate, Family::Voiced, &[code(number)]);
            let best = heard.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
            let name = format!("code {number}, {cut_ms} ms at {percent} %: {heard:?}");
            let splice = best.splice.unwrap_or_else(|| panic!("whole: {name}"));
            let (before, after) = (position, position - cut as f64);
            assert!((splice.first_part - before).abs() < 4.8, "{} {name}", splice.first_part - before);
            assert!((splice.last_part - after).abs() < 4.8, "{} {name}", splice.last_part - after);
        }
    }
}

#[test]
fn whole_beeps_in_noise_and_with_lost_frames_are_not_called_spliced() {
    let rate = Rate::OPUS;
    let (mut heard, mut called) = (0, 0);
    for number in 0..16 {
        let beep = Waveform::new(Family::Voiced, code(number));
        let mut samples = vec![0.0; 48_000 * 64];
        for (second, samples) in samples.chunks_mut(48_000).enumerate() {
            add(samples, rate, &beep, 9_000.0 + 37.31 * second as f64, 1.0);
            // One frame of twenty is lost; the one before it is played in its place.
            for frame in (1..50).filter(|frame| (frame * 7 + second * 13 + usize::from(number)) % 20 == 0) {
                samples.copy_within((frame - 1) * 960..frame * 960, frame * 960);
            }
        }
        // −5 dB in the voice's band, which is a fifth of all.
        add_noise(&mut samples, 0.1 * 10f32.powf(5.0 / 20.0) * 4.4f32.sqrt(), u64::from(number));
        for detection in hear(&samples, rate, Family::Voiced, &[code(number)]).iter().filter(|d| d.is_possible()) {
            heard += 1;
            called += usize::from(detection.splice.is_some());
        }
    }
    assert!(heard > 900, "heard {heard}");
    assert!(called * 1000 <= heard, "{called} of {heard} called spliced");
}

#[test]
fn a_crowd_at_one_instant_is_told_apart() {
    let rate = Rate::OPUS;
    for crowd in [2u8, 4, 8, 16, 32] {
        let (mut heard, mut missing, mut wrong, mut squares) = (0, 0, 0, 0.0);
        let mut samples = vec![0.0; 48_000 * 12];
        let position = |number: u8, second: usize| 5_000.0 + f64::from(number) * 41.37 % 900.0 + 3.71 * second as f64;
        let mut seed = u64::from(crowd);
        for (second, samples) in samples.chunks_mut(48_000).enumerate() {
            for number in 0..crowd {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let level_db = (seed >> 40) as f32 / (1u64 << 24) as f32 * 12.0 - 6.0;
                add_beep(samples, rate, Family::Voiced, number, position(number, second), 10f32.powf(level_db / 20.0));
            }
        }
        let codes: Vec<Code> = (0..40).map(code).collect();
        for detection in sure(&hear(&samples, rate, Family::Voiced, &codes)) {
            let second = (detection.position / 48_000.0) as usize;
            let truth = 48_000.0 * second as f64 + position(detection.code.number(), second);
            let error_us = (detection.position - truth) / 0.048;
            if detection.code.number() < crowd && error_us.abs() < 100.0 {
                heard += 1;
                squares += error_us * error_us;
            } else {
                wrong += 1;
            }
        }
        missing += 12 * usize::from(crowd) - heard;
        let rms = (squares / heard as f64).sqrt();
        assert_eq!(wrong, 0, "{crowd} at once");
        assert!(
            missing * 20 <= 12 * usize::from(crowd) && rms < 25.0,
            "{crowd} at once: {missing} missing, {rms:.1} us"
        );
    }
}
