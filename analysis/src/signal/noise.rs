//! Coded noise: sinusoids of equal strength and random phase, as many as a beep can tell apart.

use std::f64::consts::TAU;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use realfft::RealFftPlanner;

use super::beep::Beep;
use crate::units::{Nanos, Rate};

const LOW_HZ: f64 = 300.0;
const HIGH_HZ: f64 = 3400.0;
/// Where the sum of sinusoids is tabulated: fourteen points a cycle and more.
const GRID: Rate = Rate::OPUS;

/// A coded noise of 300 to 3400 Hz.
#[derive(Clone, Debug)]
pub struct Noise {
    beep: Beep,
    /// The sum of sinusoids over one beep, and its start again at the end.
    nodes: Vec<Node>,
}

/// A function at a point of the grid: its value, and its first two derivatives per step of the grid.
type Node = [f32; 3];

impl Noise {
    /// The noise of a seed. Its sinusoids are 1/`length` apart, so that it does not repeat within a beep.
    pub(super) fn new(seed: u32, length: Nanos) -> Self {
        let mut noise = Self { beep: Beep::of(length), nodes: nodes(&sinusoids(seed, length), length) };
        noise.beep = noise.beep.levelled(|beep, rate, out| noise.sound(beep, 0.0, rate, out));
        noise
    }

    pub(super) fn length(&self) -> Nanos {
        self.beep.length()
    }

    /// Adds the beep to `out`, whose first sample is `seconds` after the beep's start.
    pub(super) fn add(&self, seconds: f64, rate: Rate, out: &mut [f32]) {
        self.sound(self.beep, seconds, rate, out);
    }

    fn sound(&self, beep: Beep, seconds: f64, rate: Rate, out: &mut [f32]) {
        beep.add(seconds, rate, out, |t| {
            let at = t * GRID.hz();
            let node = (at as usize).min(self.nodes.len() - 2);
            between(self.nodes[node], self.nodes[node + 1], at - node as f64)
        });
    }
}

/// A sinusoid of strength 1.
struct Sinusoid {
    /// Whole cycles in a beep.
    cycles: usize,
    phase: f64,
}

fn sinusoids(seed: u32, length: Nanos) -> Vec<Sinusoid> {
    let mut rng = Pcg32::seed_from_u64(u64::from(seed));
    let cycles = |hz: f64| (hz * length.as_secs_f64()).round() as usize;
    (cycles(LOW_HZ)..=cycles(HIGH_HZ))
        .map(|cycles| Sinusoid { cycles, phase: TAU * f64::from(rng.next_u32()) / 4_294_967_296.0 })
        .collect()
}

/// Tabulates the sum of sinusoids by three inverse transforms: hundreds of sinusoids, summed for every sample that is
/// played, would cost a hundred times more.
fn nodes(sinusoids: &[Sinusoid], length: Nanos) -> Vec<Node> {
    let points = GRID.samples(length).round() as usize;
    let fft = RealFftPlanner::<f64>::new().plan_fft_inverse(points);
    let mut spectrum = fft.make_input_vec();
    let mut values = fft.make_output_vec();
    let mut nodes = vec![[0.0; 3]; points + 1];
    for order in 0..3 {
        spectrum.fill(Default::default());
        for Sinusoid { cycles, phase } in sinusoids {
            // Each derivative multiplies by the angular frequency and leads by a quarter of a cycle.
            let strength = (TAU * *cycles as f64 / points as f64).powi(order as i32) / 2.0;
            let (sin, cos) = (phase + TAU / 4.0 * order as f64).sin_cos();
            spectrum[*cycles].re = strength * cos;
            spectrum[*cycles].im = strength * sin;
        }
        // The lengths are the plan's own and both ends of the spectrum are zero, so the transform cannot fail.
        let _ = fft.process(&mut spectrum, &mut values);
        for (node, value) in nodes.iter_mut().zip(values.iter().chain(&values[..1])) {
            node[order] = *value as f32;
        }
    }
    nodes
}

/// Quintic Hermite interpolation: the polynomial that has both nodes' values and derivatives, at `u` from 0 to 1. Its
/// error is at most ω⁶/46080 for a sinusoid of strength 1 and ω radians a step: −135 dB at 3400 Hz.
fn between(a: Node, b: Node, u: f64) -> f64 {
    let [a0, a1, a2] = a.map(f64::from);
    let [b0, b1, b2] = b.map(f64::from);
    // What a parabola from `a` on misses at `b`: in value, slope and curve.
    let (value, slope, curve) = (b0 - a0 - a1 - a2 / 2.0, b1 - a1 - a2, b2 - a2);
    let c3 = 10.0 * value - 4.0 * slope + curve / 2.0;
    let c4 = -15.0 * value + 7.0 * slope - curve;
    let c5 = 6.0 * value - 3.0 * slope + curve / 2.0;
    a0 + u * (a1 + u * (a2 / 2.0 + u * (c3 + u * (c4 + u * c5))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Family;

    #[test]
    fn the_table_gives_the_sum_of_sinusoids_anywhere() {
        for length in [Family::BEEP, Family::ROBUST_BEEP] {
            let noise = Noise::new(7, length);
            let sinusoids = sinusoids(7, length);
            assert!(sinusoids.len() > (3000.0 * length.as_secs_f64()) as usize);
            let sum = |t: f64| -> f64 {
                let angle = |s: &Sinusoid| TAU * s.cycles as f64 * t / length.as_secs_f64() + s.phase;
                sinusoids.iter().map(|s| angle(s).cos()).sum()
            };
            let step = 1.0 / 44_100.0;
            // The ends are faded, so only the middle is compared.
            let samples = ((length.as_secs_f64() - 0.02) / step) as usize;
            let mut out = vec![0.0; samples];
            noise.add(0.01, Rate(44_100), &mut out);
            for (n, sample) in out.iter().enumerate().step_by(7) {
                let expected = noise.beep.gain() * sum(0.01 + n as f64 * step);
                assert!((f64::from(*sample) - expected).abs() < 1e-6, "sample {n}: {sample}, not {expected}");
            }
        }
    }

    #[test]
    fn it_does_not_repeat_within_a_beep() {
        let mut samples = vec![0.0f32; 19_200];
        Noise::new(1, Family::ROBUST_BEEP).add(0.0, Rate::OPUS, &mut samples);
        let (first, second) = samples.split_at(9600);
        let product: f32 = first.iter().zip(second).map(|(a, b)| a * b).sum();
        assert!(product.abs() < 0.15 * 96.0, "{product} of {}", 96.0);
    }
}
