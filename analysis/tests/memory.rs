//! What hearing keeps does not grow with a recording's length. Alone in its file: the allocator counts for all tests
//! of a program together.

use jiho_analysis::hear::{Detection, Hearing};
use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const CODES: usize = 8;
const TILE_SECONDS: usize = 10;

/// Every code sounds once a second, within the second: repeated, it goes on so.
fn tile(codes: &[Code]) -> Vec<f32> {
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    let mut mix = vec![0.0; 48_000 * TILE_SECONDS];
    let mut own = mix.clone();
    for programme in Signal::VOICED.programmes(codes, RunTime::START, Nanos::from_secs(TILE_SECONDS as i64)) {
        programme.render(&clock, MediaTime(0), &mut own);
        mix.iter_mut().zip(&own).for_each(|(mix, own)| *mix += 0.1 * own);
    }
    mix
}

/// The most bytes that were kept at once while so many minutes were heard, 20 ms by 20 ms.
fn peak_bytes(minutes: usize, tile: &[f32], codes: &[Code]) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut hearing = Hearing::new(Rate::OPUS, Signal::VOICED.family, codes);
    let mut heard = 0;
    for _ in 0..60 * minutes / TILE_SECONDS {
        for frame in tile.chunks(960) {
            heard += hearing.push(frame).iter().filter(|&detection| Detection::is_sure(detection)).count();
        }
    }
    heard += hearing.finish().iter().filter(|&detection| Detection::is_sure(detection)).count();
    assert_eq!(heard, 60 * minutes * CODES);
    ALLOCATOR.peak_usage() - before
}

#[test]
fn ten_minutes_take_no_more_memory_than_two() {
    let codes: Vec<Code> = Code::all().take(CODES).collect();
    let tile = tile(&codes);
    let (two, ten) = (peak_bytes(2, &tile, &codes), peak_bytes(10, &tile, &codes));
    assert!(ten * 10 <= two * 13, "{two} bytes for two minutes, {ten} for ten");
    assert!(ten < 64 << 20, "{ten} bytes");
}
