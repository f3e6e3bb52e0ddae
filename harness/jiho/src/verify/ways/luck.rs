//! Random numbers that repeat.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

pub(in crate::verify) struct Luck(Pcg32);

impl Luck {
    pub(in crate::verify) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// 0 to 1.
    pub(in crate::verify) fn unit(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// A whole number below `end`.
    pub(in crate::verify) fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// Standard normal, by Box & Muller (1958).
    pub(in crate::verify) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
