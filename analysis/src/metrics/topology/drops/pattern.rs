//! Who could miss a packet, who does, and how likely that is.

use super::who::Said;

/// The probability that a hole of one packet is heard, in one speaker's sound: some values, each as likely as the others
/// in a room. In simulated rooms 0.9 to 1 of them are, and few rooms are worse.
pub(super) const HEARD_ALONE: &[f64] = &[0.6, 0.8, 0.9, 0.97];
/// The same in each speaker's sound, of a packet that carries all.
pub(super) const HEARD_MIXED: &[f64] = &[0.25, 0.4, 0.55, 0.7, 0.85, 0.97];
/// The same at each ear, of a packet that a server did not get; which of them it is, is drawn anew for each packet:
/// a mixer conceals it well or badly for all ears at once.
pub(super) const HEARD_BY_ALL: &[f64] = &[0.03, 0.2, 0.5, 0.8, 0.95, 0.95, 0.97, 0.97];
/// How often anything at all happens in place of what a hypothesis says.
const STRANGE: f64 = 0.01;

/// Who could miss a packet, and whether a hole is there.
#[derive(Debug)]
pub(super) struct Pattern {
    /// For each: is there a hole, and how likely is one by itself.
    pub(super) seen: Vec<(bool, f64)>,
    /// Of so many more that is not known.
    unseen: usize,
}

impl Pattern {
    pub(super) fn of(all: impl Iterator<Item = Option<(bool, f64)>>) -> Self {
        let all: Vec<_> = all.collect();
        let seen: Vec<_> = all.iter().flatten().copied().collect();
        Self { unseen: all.len() - seen.len(), seen }
    }

    /// The likelihood, if these miss the packet, and whoever does has a hole that is heard with this probability.
    fn if_missed_by(&self, misses: impl Fn(usize) -> bool, heard: f64) -> f64 {
        let each = self.seen.iter().enumerate().map(|(n, &(hole, by_itself))| {
            let likely = if misses(n) { heard + (1.0 - heard) * by_itself } else { by_itself };
            if hole { likely } else { 1.0 - likely }
        });
        each.product()
    }

    pub(super) fn by_all(&self, heard: f64) -> f64 {
        self.if_missed_by(|_| true, heard)
    }

    /// The same, if what is heard at one ear is heard at the others too.
    pub(super) fn by_all_alike(&self) -> f64 {
        HEARD_BY_ALL.iter().map(|&heard| self.by_all(heard)).sum::<f64>() / HEARD_BY_ALL.len() as f64
    }

    pub(super) fn by_none(&self) -> f64 {
        self.if_missed_by(|_| false, 0.0)
    }

    /// Summed over all that may be the one.
    pub(super) fn by_each(&self, heard: f64) -> f64 {
        let seen: f64 = (0..self.seen.len()).map(|one| self.if_missed_by(|n| n == one, heard)).sum();
        seen + self.unseen as f64 * self.by_none()
    }

    pub(super) fn len(&self) -> f64 {
        (self.seen.len() + self.unseen) as f64
    }

    /// The logarithm, if what was expected happens nearly always, and anything else that can be now and then.
    pub(super) fn log(&self, expected: f64) -> f64 {
        ((1.0 - STRANGE) * expected + STRANGE * 0.5f64.powi(self.seen.len() as i32)).ln()
    }

    pub(super) fn count(&self, said: &mut Said) {
        let holes = self.seen.iter().filter(|(hole, _)| *hole).count();
        said.drops += 1;
        said.in_all += usize::from(holes > 0 && holes == self.seen.len());
        said.in_one += usize::from(holes == 1 && self.seen.len() > 1);
        said.in_none += usize::from(holes == 0 && self.unseen == 0);
    }
}

/// The logarithm of a likelihood's mean over values of something that is not known.
pub(super) fn averaged(values: &[f64], log_likelihood: impl Fn(f64) -> f64) -> f64 {
    log_sum(values.iter().map(|&value| log_likelihood(value))) - (values.len() as f64).ln()
}

/// The logarithm of a sum of what logarithms are given of.
pub(super) fn log_sum(logs: impl IntoIterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = logs.into_iter().collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}
