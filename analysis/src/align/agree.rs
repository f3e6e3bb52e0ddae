//! Which lag the stretches of a recording agree on, when the clocks may drift apart.

use super::search::{APART_S, Peak};
use crate::stats;

/// Clocks that are further apart than this are no clocks.
const MOST_DRIFT: f64 = 500e-6;
/// How far a stretch may lie off the line of the others.
const OFF_S: f64 = 0.0015;
/// Fewer stretches give no line.
const LEAST_FOR_LINE: usize = 5;

/// A lag that changes evenly with time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// Seconds of A.
    pub(super) at_s: f64,
    /// The lag then.
    pub(super) lag_s: f64,
    /// Its change per second.
    pub(super) slope: f64,
}

impl Line {
    pub(super) fn lag_s(&self, at_s: f64) -> f64 {
        self.lag_s + self.slope * (at_s - self.at_s)
    }
}

/// A lag that may be the one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) line: Line,
    /// Whether enough stretches agree that the line's slope means something.
    pub(super) sloped: bool,
    /// The root of the sum of the squared scores of the stretches that agree, as if none overlapped another.
    pub(super) score: f64,
    /// How many agree.
    pub(super) stretches: usize,
}

/// Lags that peaks of different stretches agree on, the highest score first, at most `most`. Each stretch holds `news`,
/// 0 to 1, that its neighbours do not.
pub(super) fn candidates(peaks: &[Peak], news: f64, most: usize) -> Vec<Candidate> {
    let mut left = peaks.to_vec();
    left.sort_by(|x, y| y.score.total_cmp(&x.score));
    let mut found = Vec::new();
    // A weaker seed can gather more than a stronger one, so some more are tried than are wanted.
    while let (Some(&seed), true) = (left.first(), found.len() < 3 * most) {
        let start = Line { at_s: seed.at_s, lag_s: seed.lag_s, slope: 0.0 };
        let near = gather(&left, &start, |peak| APART_S + MOST_DRIFT * (peak.at_s - seed.at_s).abs());
        let (line, sloped) = fit(&near, &seed);
        let mut agreed = gather(&left, &line, |_| OFF_S);
        if !sloped {
            agreed = near;
        }
        if !agreed.iter().any(|peak| peak.stretch == seed.stretch) {
            agreed = vec![seed];
        }
        let score = (news * agreed.iter().map(|peak| peak.score.powi(2)).sum::<f64>()).sqrt();
        found.push(Candidate { line, sloped, score, stretches: agreed.len() });
        left.retain(|peak| {
            *peak != seed && !agreed.contains(peak) && (peak.lag_s - line.lag_s(peak.at_s)).abs() > OFF_S
        });
    }
    found.sort_by(|x, y| y.score.total_cmp(&x.score));
    found.truncate(most);
    found
}

/// The highest peak of each stretch that is near enough to a line.
fn gather(peaks: &[Peak], line: &Line, within_s: impl Fn(&Peak) -> f64) -> Vec<Peak> {
    let mut near: Vec<Peak> =
        peaks.iter().filter(|peak| (peak.lag_s - line.lag_s(peak.at_s)).abs() <= within_s(peak)).copied().collect();
    near.sort_by(|x, y| x.stretch.cmp(&y.stretch).then(y.score.total_cmp(&x.score)));
    near.dedup_by_key(|peak| peak.stretch);
    near
}

/// The robust line through peaks, and whether it has a slope; else through the seed, level.
fn fit(peaks: &[Peak], seed: &Peak) -> (Line, bool) {
    let level = Line { at_s: seed.at_s, lag_s: seed.lag_s, slope: 0.0 };
    if peaks.len() < LEAST_FOR_LINE {
        return (level, false);
    }
    let (at, lags): (Vec<f64>, Vec<f64>) = peaks.iter().map(|peak| (peak.at_s, peak.lag_s)).unzip();
    let Some(trend) = stats::theil_sen(&at, &lags).filter(|trend| trend.slope.abs() <= MOST_DRIFT) else {
        return (level, false);
    };
    let rest: Vec<f64> = at.iter().zip(&lags).map(|(at, lag)| lag - trend.slope * (at - seed.at_s)).collect();
    let lag_s = stats::median(&rest).unwrap_or(seed.lag_s);
    (Line { at_s: seed.at_s, lag_s, slope: trend.slope }, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak(stretch: usize, lag_s: f64, score: f64) -> Peak {
        Peak { stretch, at_s: 4.0 * stretch as f64, lag_s, correlation: 0.5, score }
    }

    #[test]
    fn stretches_that_drift_apart_agree_on_a_line() {
        let mut peaks: Vec<Peak> = (0..20).map(|n| peak(n, 1.0 + 200e-6 * 4.0 * n as f64, 30.0)).collect();
        peaks.extend((0..20).map(|n| peak(n, 0.37 * n as f64 - 3.0, 7.0)));
        let found = candidates(&peaks, 1.0, 8);
        assert_eq!(found[0].stretches, 20);
        assert!((found[0].line.slope - 200e-6).abs() < 1e-7 && (found[0].line.lag_s(0.0) - 1.0).abs() < 1e-6);
        assert!(found[1].score < 0.2 * found[0].score);
    }

    #[test]
    fn an_echo_is_a_candidate_of_its_own() {
        let peaks: Vec<Peak> = (0..10).flat_map(|n| [peak(n, 0.5, 40.0), peak(n, 0.52, 20.0)]).collect();
        let found = candidates(&peaks, 1.0, 8);
        assert_eq!(found.iter().map(|c| c.stretches).collect::<Vec<_>>(), [10, 10]);
        assert!((found[1].line.lag_s - 0.52).abs() < 1e-9 && (found[0].score / found[1].score - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_single_stretch_is_a_candidate() {
        let found = candidates(&[peak(3, -2.0, 50.0)], 1.0, 8);
        assert_eq!((found.len(), found[0].stretches, found[0].line.lag_s), (1, 1, -2.0));
        assert!(candidates(&[], 1.0, 8).is_empty());
    }
}
