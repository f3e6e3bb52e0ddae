//! Many ears at once. Alone in its file: the allocator counts for all tests of a program together.

use jiho_analysis::hear::{Detection, Ears, Hearing};
use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Rate;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const EARS: usize = 100;
const SECONDS: usize = 6;
const PERIOD: usize = 480;

/// Each ear's sound is everybody's, so much later.
fn later(ear: usize) -> usize {
    7 * ear
}

/// A beep of one code or the other every half second, not quite in step.
fn sound(codes: &[Code]) -> Vec<f32> {
    let mut sound = vec![0.0; SECONDS * 48_000];
    for beep in 0..2 * SECONDS - 2 {
        let waveform = Waveform::new(Family::Voiced, codes[beep % codes.len()]);
        waveform.add(-0.5 * beep as f64 - 0.0137 * (beep * beep % 7) as f64, Rate::OPUS, &mut sound);
    }
    sound
}

fn at(ear: usize, sound: &[f32], period: usize) -> Vec<f32> {
    let sample = |n: usize| n.checked_sub(later(ear)).map_or(0.0, |n| sound[n]);
    (period * PERIOD..(period + 1) * PERIOD).map(sample).collect()
}

#[test]
fn many_ears_hear_what_each_hears_alone_and_share_what_they_have_in_common() {
    let codes: Vec<Code> = Code::all().take(2).collect();
    let sound = sound(&codes);
    let periods = sound.len() / PERIOD;
    let alone = |ear: usize| -> Vec<Detection> {
        let mut hearing = Hearing::new(Rate::OPUS, Family::Voiced, &codes);
        let mut heard: Vec<Detection> = (0..periods).flat_map(|n| hearing.push(&at(ear, &sound, n))).collect();
        heard.extend(hearing.finish());
        heard
    };

    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut ears = Ears::new(Rate::OPUS, Family::Voiced, &codes);
    let mut heard = vec![Vec::new(); EARS];
    for ear in 0..EARS {
        assert_eq!(ears.open(), ear);
    }
    for period in 0..periods {
        for (ear, heard) in heard.iter_mut().enumerate() {
            heard.extend(ears.push(ear, &at(ear, &sound, period)));
        }
    }
    heard.iter_mut().zip(ears.finish()).for_each(|(heard, rest)| heard.extend(rest));
    let bytes_per_ear = (ALLOCATOR.peak_usage() - before) / EARS;
    assert!(bytes_per_ear < 1_000_000, "{bytes_per_ear} bytes per ear");

    let sure = |heard: &[Detection]| heard.iter().filter(|&detection| Detection::is_sure(detection)).count();
    for ear in [0, 1, 37, EARS - 1] {
        assert_eq!(heard[ear], alone(ear), "ear {ear}");
    }
    assert!(heard.iter().all(|heard| sure(heard) == 2 * SECONDS - 2));
}
