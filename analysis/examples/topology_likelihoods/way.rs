//! Ways of packets: what one direction of a link does to them.

use std::collections::BTreeMap;

use statrs::function::erf::erfc;

use crate::luck::Luck;

#[derive(Clone, Copy)]
enum Jitter {
    None,
    Normal(f64),
    Exponential(f64),
    Uniform(f64),
}

#[derive(Clone, Copy)]
enum Loss {
    None,
    Each(f64),
    /// In bursts: how likely a good link turns bad before a packet, and a bad one good.
    Bursts(f64, f64),
}

/// One direction.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) delay: f64,
    jitter: Jitter,
    /// How much of a packet's jitter the next one of its flow has too, as links have it: of their normal scores.
    correlation: f64,
    scores: BTreeMap<usize, f64>,
    loss: Loss,
    bad: bool,
}

impl Way {
    /// With a delay in ms. In a quiet room nothing is lost; in a calm one nothing jitters either.
    pub(crate) fn random(luck: &mut Luck, delay: f64, quiet: bool, calm: bool) -> Self {
        let scale = luck.log_between(0.2, 8.0);
        let jitter = match luck.one_of(4) {
            _ if calm => Jitter::None,
            0 => Jitter::None,
            1 => Jitter::Normal(scale),
            2 => Jitter::Exponential(scale),
            _ => Jitter::Uniform(3.0 * scale),
        };
        let correlation = [0.0, 0.0, 0.5, 0.9, 0.98][luck.one_of(5)];
        let loss = match luck.one_of(3) {
            _ if quiet => Loss::None,
            0 => Loss::None,
            1 => Loss::Each(0.01 * luck.log_between(0.2, 3.0)),
            _ => Loss::Bursts(0.01 * luck.between(0.1, 1.0), luck.between(0.25, 0.8)),
        };
        Self { delay, jitter, correlation, scores: BTreeMap::new(), loss, bad: false }
    }

    /// How long the next packet of a flow takes, in ms; `None` if it is lost.
    pub(crate) fn pass(&mut self, flow: usize, luck: &mut Luck) -> Option<f64> {
        let lost = match self.loss {
            Loss::None => false,
            Loss::Each(p) => luck.chance(p),
            Loss::Bursts(to_bad, to_good) => {
                self.bad = if self.bad { !luck.chance(to_good) } else { luck.chance(to_bad) };
                self.bad
            }
        };
        let took = self.take(flow, luck);
        (!lost).then_some(took)
    }

    /// The same of what is sent again until it arrives, without the wait for that.
    pub(crate) fn take(&mut self, flow: usize, luck: &mut Luck) -> f64 {
        let fresh = luck.normal();
        let score = match self.scores.get(&flow) {
            Some(last) => self.correlation * last + (1.0 - self.correlation * self.correlation).sqrt() * fresh,
            None => fresh,
        };
        self.scores.insert(flow, score);
        let share = || erfc(-score / std::f64::consts::SQRT_2) / 2.0;
        let jitter = match self.jitter {
            Jitter::None => 0.0,
            Jitter::Normal(sd) => sd * score,
            Jitter::Exponential(mean) => -mean * (1.0 - share()).max(1e-12).ln(),
            Jitter::Uniform(width) => width * share(),
        };
        (self.delay + jitter).max(0.0)
    }
}
