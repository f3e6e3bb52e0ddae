//! The coded voice: harmonics of a pitch that wanders through nodes drawn from the code.

use std::f64::consts::{PI, TAU};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use super::beep::Beep;
use crate::units::{Nanos, Rate};

pub(super) const NODE_SECONDS: f64 = 0.020;
const PITCH_LOW_HZ: f64 = 110.0;
const PITCH_HIGH_HZ: f64 = 330.0;
/// Harmonics are equally strong up to here and fall by 3 dB an octave above, roughly as a voice does.
const CORNER_HZ: f64 = 500.0;
const TOP_HZ: f64 = 5200.0;
const TAPER_HZ: f64 = 400.0;
const HARMONICS: usize = (TOP_HZ / PITCH_LOW_HZ) as usize;

/// A coded voice.
#[derive(Clone, Debug)]
pub struct Voiced {
    beep: Beep,
    voice: Voice,
}

impl Voiced {
    /// The voice of a seed. Of two voices of one seed the longer begins as the shorter does.
    pub(super) fn new(seed: u32, length: Nanos) -> Self {
        let intervals = (length.as_secs_f64() / NODE_SECONDS).round() as usize;
        let mut rng = Pcg32::seed_from_u64(u64::from(seed));
        let voice = Voice::new((0..=intervals).map(|_| drawn_pitch_hz(&mut rng)).collect());
        let mut voiced = Self { beep: Beep::of(length), voice };
        voiced.beep = voiced.beep.levelled(|beep, rate, out| voiced.sound(beep, 0.0, rate, out));
        voiced
    }

    pub(super) fn length(&self) -> Nanos {
        self.beep.length()
    }

    /// Adds the beep to `out`, whose first sample is `seconds` after the beep's start.
    pub(super) fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        self.sound(self.beep, seconds, rate, out);
    }

    fn sound(&self, beep: Beep, seconds: f64, rate: Rate, out: &mut [f32]) {
        let top_hz = top_hz(rate);
        beep.add(seconds, rate, out, |t| self.voice.at(t, top_hz));
    }
}

/// A recording at a low rate cannot hold the upper harmonics: they are left out rather than folded back.
pub(super) fn top_hz(rate: Rate) -> f64 {
    TOP_HZ.min(0.45 * rate.hz())
}

/// Uniform in the range of a voice.
pub(super) fn drawn_pitch_hz(rng: &mut Pcg32) -> f64 {
    let unit = f64::from(rng.next_u32()) / 4_294_967_296.0;
    PITCH_LOW_HZ + (PITCH_HIGH_HZ - PITCH_LOW_HZ) * unit
}

/// A pitch that wanders from node to node, and its harmonics.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pitch_hz: Vec<f64>,
    /// Cycles of the fundamental since the start, at each node.
    cycles: Vec<f64>,
}

impl Voice {
    /// A node every 20 ms; at least two.
    pub(super) fn new(pitch_hz: Vec<f64>) -> Self {
        let mut cycles = vec![0.0; pitch_hz.len()];
        for node in 1..pitch_hz.len() {
            cycles[node] = cycles[node - 1] + NODE_SECONDS * (pitch_hz[node - 1] + pitch_hz[node]) / 2.0;
        }
        Self { pitch_hz, cycles }
    }

    /// Its value `t` seconds after the first node, at most up to the last; nothing above `top_hz`.
    pub(super) fn at(&self, t: f64, top_hz: f64) -> f64 {
        let node = ((t / NODE_SECONDS) as usize).min(self.pitch_hz.len() - 2);
        let within = t - node as f64 * NODE_SECONDS;
        let slope = (self.pitch_hz[node + 1] - self.pitch_hz[node]) / NODE_SECONDS;
        let pitch_hz = self.pitch_hz[node] + slope * within;
        let cycles = self.cycles[node] + within * (self.pitch_hz[node] + 0.5 * slope * within);
        // sin(hθ) and cos(hθ) for h = 1, 2, … by rotation: one sine and one cosine a sample instead of forty.
        let (sin, cos) = (TAU * cycles.fract()).sin_cos();
        let (mut s, mut c) = (0.0, 1.0);
        let mut sum = 0.0;
        for phase in &PHASES[..harmonics(pitch_hz, top_hz)] {
            (s, c) = (s * cos + c * sin, c * cos - s * sin);
            sum += amplitude(phase.harmonic * pitch_hz, top_hz) * (s * phase.cos + c * phase.sin);
        }
        sum
    }

    /// The mean power, from the pitch at the nodes and between them.
    pub(super) fn power(&self, top_hz: f64) -> f64 {
        let between = self
            .pitch_hz
            .windows(2)
            .flat_map(|pair| [0.125, 0.375, 0.625, 0.875].map(|x| pair[0] + x * (pair[1] - pair[0])));
        let mean = between.map(|pitch_hz| {
            let hz = PHASES[..harmonics(pitch_hz, top_hz)].iter().map(|phase| phase.harmonic * pitch_hz);
            hz.map(|hz| amplitude(hz, top_hz).powi(2) / 2.0).sum::<f64>()
        });
        mean.sum::<f64>() / (4 * (self.pitch_hz.len() - 1)) as f64
    }
}

fn harmonics(pitch_hz: f64, top_hz: f64) -> usize {
    ((top_hz / pitch_hz) as usize).min(HARMONICS)
}

fn amplitude(hz: f64, top_hz: f64) -> f64 {
    let mut amplitude = if hz > CORNER_HZ { (CORNER_HZ / hz).sqrt() } else { 1.0 };
    if hz > top_hz - TAPER_HZ {
        amplitude *= 0.5 * (1.0 + (PI * (hz - top_hz + TAPER_HZ) / TAPER_HZ).cos());
    }
    amplitude
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
    use crate::signal::Family;

    #[test]
    fn voices_sound_as_in_recordings_of_before() {
        // Codes 0, 31 and 63 of the first release, at samples 1000, 5000 and 9000.
        for (seed, expected) in [
            (0, [-0.186_506_35, -0.037_087_064, -0.240_297_3]),
            (382, [-0.228_397_86, 0.092_283_67, 0.080_756_806]),
            (9005, [-0.063_452_35, -0.320_122_15, -0.042_112_093]),
        ] {
            let mut samples = vec![0.0; 9600];
            Voiced::new(seed, Family::BEEP).add(0.0, Rate::OPUS, &mut samples);
            for (at, expected) in [1000, 5000, 9000].into_iter().zip(expected) {
                assert!((samples[at] - expected).abs() < 1e-6, "seed {seed}, sample {at}: {}", samples[at]);
            }
        }
    }
}
