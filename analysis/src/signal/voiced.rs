//! The coded voice: harmonics of a pitch that wanders through nodes drawn from the code.

use std::f64::consts::{PI, TAU};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use super::{BOOK, Code};
use crate::units::{Nanos, Rate};

/// How long a beep lasts.
pub(super) const LENGTH: Nanos = Nanos::from_millis(200);
/// Raised-cosine ends, so that a beep begins and ends without a click.
const END_SECONDS: f64 = 0.006;
/// −20 dBFS.
const RMS: f64 = 0.1;
const NODE_SECONDS: f64 = 0.020;
const NODES: usize = 11;
const PITCH_LOW_HZ: f64 = 110.0;
const PITCH_HIGH_HZ: f64 = 330.0;
/// Harmonics are equally strong up to here and fall by 3 dB an octave above, roughly as a voice does.
const CORNER_HZ: f64 = 500.0;
const TOP_HZ: f64 = 5200.0;
const TAPER_HZ: f64 = 400.0;
const HARMONICS: usize = (TOP_HZ / PITCH_LOW_HZ) as usize;

/// A coded voice of 200 ms.
#[derive(Clone, Debug)]
pub struct Voiced {
    pitch_hz: [f64; NODES],
    /// Cycles of the fundamental since the start, at each node.
    cycles: [f64; NODES],
    gain: f64,
}

impl Voiced {
    /// The voice of a code of the [book](super::BOOK).
    pub fn of_code(code: Code) -> Self {
        Self::of_seed(BOOK[usize::from(code.number())])
    }

    /// The voice of any seed: what the search of the code book chooses from.
    pub fn of_seed(seed: u32) -> Self {
        let mut rng = Pcg32::seed_from_u64(u64::from(seed));
        let pitch_hz = std::array::from_fn(|_| {
            let unit = f64::from(rng.next_u32()) / 4_294_967_296.0;
            PITCH_LOW_HZ + (PITCH_HIGH_HZ - PITCH_LOW_HZ) * unit
        });
        let mut cycles = [0.0; NODES];
        for node in 1..NODES {
            cycles[node] = cycles[node - 1] + NODE_SECONDS * (pitch_hz[node - 1] + pitch_hz[node]) / 2.0;
        }
        let mut voiced = Self { pitch_hz, cycles, gain: 1.0 };
        let rate = Rate::OPUS;
        let mut samples = vec![0.0f32; rate.samples(LENGTH) as usize];
        voiced.add(0.0, rate, &mut samples);
        let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
        voiced.gain = RMS / power.sqrt();
        voiced
    }

    /// Adds the beep to `out`, whose first sample is `seconds` after the beep's start.
    pub(super) fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        let length = LENGTH.as_secs_f64();
        let step = 1.0 / rate.hz();
        let first = (-seconds * rate.hz()).ceil().max(0.0) as usize;
        // A recording at a low rate cannot hold the upper harmonics: leave them out rather than fold them back.
        let top_hz = TOP_HZ.min(0.45 * rate.hz());
        for (n, sample) in out.iter_mut().enumerate().skip(first) {
            let t = seconds + n as f64 * step;
            if t >= length {
                break;
            }
            *sample += (self.gain * envelope(t, length) * self.harmonics(t, top_hz)) as f32;
        }
    }

    fn harmonics(&self, t: f64, top_hz: f64) -> f64 {
        let node = ((t / NODE_SECONDS) as usize).min(NODES - 2);
        let within = t - node as f64 * NODE_SECONDS;
        let slope = (self.pitch_hz[node + 1] - self.pitch_hz[node]) / NODE_SECONDS;
        let pitch_hz = self.pitch_hz[node] + slope * within;
        let cycles = self.cycles[node] + within * (self.pitch_hz[node] + 0.5 * slope * within);
        // sin(hθ) and cos(hθ) for h = 1, 2, … by rotation: one sine and one cosine a sample instead of forty.
        let (sin, cos) = (TAU * cycles.fract()).sin_cos();
        let (mut s, mut c) = (0.0, 1.0);
        let mut sum = 0.0;
        for phase in &PHASES[..((top_hz / pitch_hz) as usize).min(HARMONICS)] {
            (s, c) = (s * cos + c * sin, c * cos - s * sin);
            let hz = phase.harmonic * pitch_hz;
            let mut amplitude = if hz > CORNER_HZ { (CORNER_HZ / hz).sqrt() } else { 1.0 };
            if hz > top_hz - TAPER_HZ {
                amplitude *= 0.5 * (1.0 + (PI * (hz - top_hz + TAPER_HZ) / TAPER_HZ).cos());
            }
            sum += amplitude * (s * phase.cos + c * phase.sin);
        }
        sum
    }
}

fn envelope(t: f64, length: f64) -> f64 {
    let from_end = t.min(length - t);
    if from_end >= END_SECONDS { 1.0 } else { 0.5 * (1.0 - (PI * from_end / END_SECONDS).cos()) }
}

struct Phase {
    harmonic: f64,
    sin: f64,
    cos: f64,
}

/// Harmonic h starts at phase π·h(h−1)/12: the crest factor of a voice rather than of a pulse train.
/// The phases repeat every 24 half-steps of π/12, so a table of their sines suffices.
static PHASES: std::sync::LazyLock<[Phase; HARMONICS]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|index| {
        let harmonic = index + 1;
        let (sin, cos) = (PI * (harmonic * (harmonic - 1) % 24) as f64 / 12.0).sin_cos();
        Phase { harmonic: harmonic as f64, sin, cos }
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    fn code(number: u8) -> Voiced {
        Voiced::of_code(Code::new(number).unwrap())
    }

    #[test]
    fn every_code_is_20_db_below_full_scale_and_never_clips() {
        for code in Code::all() {
            let mut samples = vec![0.0; 9600];
            Voiced::of_code(code).add(0.0, Rate::OPUS, &mut samples);
            let rms = (samples.iter().map(|x| x * x).sum::<f32>() / 9600.0).sqrt();
            assert!((rms - 0.1).abs() < 1e-4, "code {code}: {rms}");
            assert!(samples.iter().all(|x| x.abs() < 0.7), "code {code} peaks too high");
        }
    }

    #[test]
    fn a_beep_rendered_in_pieces_equals_the_whole() {
        let mut whole = vec![0.0; 12_000];
        code(3).add(-0.01, Rate::OPUS, &mut whole);
        let mut pieces = vec![0.0; 12_000];
        for (n, piece) in pieces.chunks_mut(777).enumerate() {
            code(3).add(-0.01 + (n * 777) as f64 / 48_000.0, Rate::OPUS, piece);
        }
        let worst = whole.iter().zip(&pieces).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{worst}");
    }

    #[test]
    fn nothing_sounds_outside_the_beep() {
        let mut samples = vec![0.0; 30_000];
        code(1).add(-0.1, Rate::OPUS, &mut samples);
        assert!(samples[..4800].iter().all(|&x| x == 0.0));
        assert!(samples[14_400..].iter().all(|&x| x == 0.0));
        assert!(samples[4900..14_300].iter().any(|&x| x != 0.0));
    }
}
