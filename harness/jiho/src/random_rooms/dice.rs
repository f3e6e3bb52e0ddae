//! Luck with names for what is asked of it.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// Equal seeds throw alike.
#[derive(Clone, Debug)]
pub(super) struct Dice(Pcg32);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// Evenly from one number up to another.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// The same, where half of the range's decades are as likely as the other half: for what has no scale of its own.
    pub(super) fn between_decades(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// A whole number from one to another, both included.
    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        let sides = (high - low + 1) as u64;
        low + ((u64::from(self.0.next_u32()) * sides) >> 32) as usize
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.between(0.0, 1.0) < probability
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.count(0, of.len() - 1)]
    }
}
