//! Which datagrams are lost: each for itself, or in bursts.

use super::luck::Luck;

/// A model of loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Each datagram for itself, with this probability, 0 to 1.
    Independent(f64),
    /// A chain of two states, *good* and *bad*, that takes a step before each datagram (Gilbert 1960, Elliott 1963).
    ///
    /// It is bad for `good_to_bad / (good_to_bad + bad_to_good)` of all datagrams, and stays bad for
    /// `1 / bad_to_good` of them in a row on average. A run begins as if the chain had been going on for ever.
    GilbertElliott {
        /// The probability to become bad while good.
        good_to_bad: f64,
        /// The probability to become good while bad.
        bad_to_good: f64,
        /// The probability that a datagram is lost while good.
        in_good: f64,
        /// The probability that a datagram is lost while bad.
        in_bad: f64,
    },
}

impl Loss {
    /// Nothing is lost.
    pub const NONE: Self = Self::Independent(0.0);

    /// The share of all datagrams that is lost in the long run.
    pub fn share(&self) -> f64 {
        match *self {
            Self::Independent(share) => share,
            Self::GilbertElliott { in_good, in_bad, .. } => {
                let bad = self.bad_share();
                in_good * (1.0 - bad) + in_bad * bad
            }
        }
    }

    /// The share of all datagrams that find the chain bad.
    fn bad_share(&self) -> f64 {
        match *self {
            Self::Independent(_) => 0.0,
            Self::GilbertElliott { good_to_bad, bad_to_good, .. } => {
                let steps = good_to_bad + bad_to_good;
                if steps > 0.0 { good_to_bad / steps } else { 0.0 }
            }
        }
    }
}

impl Default for Loss {
    fn default() -> Self {
        Self::NONE
    }
}

/// A model of loss at work. Takes as many random numbers for each datagram, whatever becomes of it.
#[derive(Debug)]
pub(super) struct Losses {
    model: Loss,
    luck: Luck,
    /// Whether the chain was bad for the datagram before; unknown before the first.
    bad: Option<bool>,
}

impl Losses {
    pub(super) fn new(model: Loss, luck: Luck) -> Self {
        Self { model, luck, bad: None }
    }

    /// Whether the next datagram is lost.
    pub(super) fn next_is_lost(&mut self) -> bool {
        match self.model {
            Loss::Independent(share) => self.luck.uniform() < share,
            Loss::GilbertElliott { good_to_bad, bad_to_good, in_good, in_bad } => {
                let chance = self.luck.uniform();
                let bad = match self.bad {
                    None => chance < self.model.bad_share(),
                    Some(false) => chance < good_to_bad,
                    Some(true) => chance >= bad_to_good,
                };
                self.bad = Some(bad);
                self.luck.uniform() < if bad { in_bad } else { in_good }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const N: usize = 200_000;

    fn lost(model: Loss, seed: u64) -> Vec<bool> {
        let mut losses = Losses::new(model, Luck::new(&[seed]));
        (0..N).map(|_| losses.next_is_lost()).collect()
    }

    fn share(lost: &[bool]) -> f64 {
        lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
    }

    /// The lengths of all runs of lost datagrams.
    fn bursts(lost: &[bool]) -> Vec<usize> {
        lost.split(|lost| !lost).map(<[bool]>::len).filter(|length| *length > 0).collect()
    }

    #[test]
    fn independent_losses_are_as_many_as_asked_for_and_come_in_bursts_of_chance_only() {
        let lost = lost(Loss::Independent(0.05), 1);
        // Standard error of the share: √(0.05 · 0.95 / 200 000) = 0.0005.
        assert!((share(&lost) - 0.05).abs() < 0.0025, "{}", share(&lost));
        let bursts = bursts(&lost);
        let mean = bursts.iter().sum::<usize>() as f64 / bursts.len() as f64;
        // Geometric: 1 / (1 − 0.05).
        assert!((mean - 1.0526).abs() < 0.015, "{mean}");
    }

    #[test]
    fn gilbert_s_bursts_have_the_geometric_lengths_of_his_model() {
        let model = Loss::GilbertElliott { good_to_bad: 0.01, bad_to_good: 0.25, in_good: 0.0, in_bad: 1.0 };
        let lost = lost(model, 2);
        let bursts = bursts(&lost);
        let count = bursts.len() as f64;
        // P(length > n) = 0.75ⁿ; standard deviation of a length √0.75 / 0.25 = 3.5, of the mean of 1900 of them 0.08.
        let mean = bursts.iter().sum::<usize>() as f64 / count;
        assert!((mean - 4.0).abs() < 0.4, "{mean}");
        for n in 1..8 {
            let longer = bursts.iter().filter(|length| **length > n).count() as f64 / count;
            assert!((longer - 0.75_f64.powi(n as i32)).abs() < 0.06, "longer than {n}: {longer}");
        }
        // 0.01 / 0.26 of all; a burst is worth 4 losses, so the share varies as a count of 1900 bursts does.
        assert!((share(&lost) - 0.01 / 0.26).abs() < 0.005, "{}", share(&lost));
    }

    #[test]
    fn without_luck_for_changes_the_chain_stays_good() {
        let model = Loss::GilbertElliott { good_to_bad: 0.0, bad_to_good: 0.0, in_good: 0.0, in_bad: 1.0 };
        assert_eq!((model.share(), share(&lost(model, 3))), (0.0, 0.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn elliott_s_share_is_that_of_the_chain_s_equilibrium(
            good_to_bad in 0.02..1.0, bad_to_good in 0.02..1.0, in_good in 0.0..0.2, in_bad in 0.2..1.0, seed in any::<u64>(),
        ) {
            let model = Loss::GilbertElliott { good_to_bad, bad_to_good, in_good, in_bad };
            let bad = good_to_bad / (good_to_bad + bad_to_good);
            let expected = bad * in_bad + (1.0 - bad) * in_good;
            prop_assert!((model.share() - expected).abs() < 1e-12);
            // The chain forgets by (1 − g − b) per step; its slowest here, 0.96, is worth 200 000 / 49 free draws, whose
            // standard error is at most 0.008.
            let found = share(&lost(model, seed));
            prop_assert!((found - expected).abs() < 0.045, "{} instead of {}", found, expected);
        }
    }
}
