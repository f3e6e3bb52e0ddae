//! Random numbers.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// A stream of luck, the same for the same seed.
pub(crate) struct Luck(Pcg32);

impl Luck {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Uniform, from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in its logarithm.
    pub(crate) fn log_between(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of so many, from 0.
    pub(crate) fn one_of(&mut self, many: usize) -> usize {
        ((self.unit() * many as f64) as usize).min(many - 1)
    }

    /// A standard normal deviate (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
