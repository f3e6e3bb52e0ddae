//! An ear's jitter buffers: when each frame of a stream is played, if it is.

use crate::luck::Luck;

#[derive(Clone, Copy)]
pub(crate) enum Playout {
    /// So long after the first packet.
    Fixed(f64),
    /// Moves by pitch periods, after the packets' jitter.
    Stretching,
    /// Jumps by steps of 10 ms.
    Jumping,
}

const FRAME: f64 = 20.0;
/// An ear decides its samples so long at once.
const PERIOD: f64 = 10.0;

impl Playout {
    pub(crate) fn random(luck: &mut Luck) -> Self {
        match luck.one_of(4) {
            0 | 1 => Self::Fixed(luck.between(20.0, 120.0)),
            2 => Self::Stretching,
            _ => Self::Jumping,
        }
    }

    /// Takes when a stream's frames arrived (`None`: they did not), in ms, and gives when they are played. `rate` is how
    /// much faster the ear counts than the stream does, as a fraction.
    pub(crate) fn play(self, arrivals: &[Option<f64>], rate: f64, luck: &mut Luck) -> Vec<Option<f64>> {
        let late: Vec<f64> =
            arrivals.iter().enumerate().filter_map(|(k, at)| Some((*at)? - FRAME * k as f64)).take(100).collect();
        let Some(first) = late.first().copied() else { return vec![None; arrivals.len()] };
        let least = late.iter().copied().fold(f64::INFINITY, f64::min);
        let most = late.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let jitter = most - least;
        // Where frame 0 would be played, before clocks drift.
        let mut anchor = match self {
            Self::Fixed(delay) => first + delay,
            Self::Stretching => least + jitter + 20.0 + jitter.min(1.0) * luck.between(0.0, 8.0),
            Self::Jumping => least + 10.0 * ((jitter / 10.0).ceil() + 1.0) + jitter.min(1.0) * luck.between(0.0, 10.0),
        };
        let moves = (0.002 + 0.003 * jitter).min(0.03);
        let mut missed = 0;
        arrivals
            .iter()
            .enumerate()
            .map(|(k, at)| {
                let place = FRAME * k as f64;
                let drift = -rate * place;
                if luck.chance(moves / 3.0) {
                    let up = luck.chance(0.5);
                    let by = match self {
                        Self::Fixed(_) => 0.0,
                        Self::Stretching => luck.between(3.0, 9.0),
                        Self::Jumping => 10.0,
                    };
                    let low = anchor + drift < least + 0.8 * jitter + PERIOD;
                    anchor += if up || low { by } else { -by };
                }
                let due = place + anchor + drift;
                let there = at.is_some_and(|at| at <= due - luck.between(0.0, PERIOD) * 0.999);
                missed = if there { 0 } else { missed + 1 };
                if let (true, Some(at), Self::Fixed(_) | Self::Stretching | Self::Jumping) = (missed > 5, *at, self) {
                    anchor = at - place - drift + 40.0;
                    missed = 0;
                }
                there.then_some(due)
            })
            .collect()
    }
}
