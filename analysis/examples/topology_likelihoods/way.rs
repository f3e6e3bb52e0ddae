//! Ways of packets: what one direction of a link does to them.

use crate::luck::Luck;

#[derive(Clone, Copy)]
enum Jitter {
    None,
    Normal(f64),
    Exponential(f64),
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
    loss: Loss,
    bad: bool,
}

impl Way {
    /// With a delay in ms. In a quiet room nothing is lost; in a calm one nothing jitters either.
    pub(crate) fn random(luck: &mut Luck, delay: f64, quiet: bool, calm: bool) -> Self {
        let scale = luck.log_between(0.2, 8.0);
        let jitter = match luck.one_of(3) {
            _ if calm => Jitter::None,
            0 => Jitter::None,
            1 => Jitter::Normal(scale),
            _ => Jitter::Exponential(scale),
        };
        let loss = match luck.one_of(3) {
            _ if quiet => Loss::None,
            0 => Loss::None,
            1 => Loss::Each(0.01 * luck.log_between(0.2, 3.0)),
            _ => Loss::Bursts(0.01 * luck.between(0.1, 1.0), luck.between(0.25, 0.8)),
        };
        Self { delay, jitter, loss, bad: false }
    }

    /// How long the next packet takes, in ms; `None` if it is lost.
    pub(crate) fn pass(&mut self, luck: &mut Luck) -> Option<f64> {
        let lost = match self.loss {
            Loss::None => false,
            Loss::Each(p) => luck.chance(p),
            Loss::Bursts(to_bad, to_good) => {
                self.bad = if self.bad { !luck.chance(to_good) } else { luck.chance(to_bad) };
                self.bad
            }
        };
        let jitter = match self.jitter {
            Jitter::None => 0.0,
            Jitter::Normal(sd) => sd * luck.normal(),
            Jitter::Exponential(mean) => -mean * (1.0 - luck.unit()).ln(),
        };
        (!lost).then_some((self.delay + jitter).max(0.0))
    }
}
