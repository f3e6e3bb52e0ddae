//! Where a series of figures, one per run, changes its level for good.
//!
//! Windows are divided where the energy distance between both sides is greatest (Matteson & James 2014), and divided again
//! as long as Student's t-test finds the sides to differ. What is left of these points once the neighbours' sides have
//! grown to the next point is judged again, strictly, the weakest first (Fleming et al. 2023, "Hunter: Using Change Point
//! Detection to Hunt for Performance Regressions", which apache/otava implements too).

use std::ops::Range;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// How change points are looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sought {
    /// Figures in a window.
    pub window: usize,
    /// How often chance alone may make a difference look so great.
    pub most_p: f64,
    /// A change by a smaller share of the level is none.
    pub least_change: f64,
}

impl Default for Sought {
    /// As apache/otava has them.
    fn default() -> Self {
        Self { window: 50, most_p: 0.001, least_change: 0.0 }
    }
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first figure on the new level.
    pub at: usize,
    /// Mean from the last change on, and up to the next.
    pub before: f64,
    /// See `before`.
    pub after: f64,
    /// How often chance alone would make them differ so much.
    pub p_value: f64,
}

impl ChangePoint {
    /// The change as a share of the level, by whichever level makes it greater.
    fn share(&self) -> f64 {
        let share = |from: f64, to: f64| if from == 0.0 { 0.0 } else { (to / from - 1.0).abs() };
        share(self.before, self.after).max(share(self.after, self.before))
    }
}

/// The changes of level in figures in order of time.
pub fn change_points(figures: &[f64], sought: Sought) -> Vec<ChangePoint> {
    let window = sought.window.max(2);
    let weak_p = match sought.most_p {
        p if p < 0.05 => 10.0 * p,
        p if p < 0.5 => 2.0 * p,
        p => p,
    };
    let (mut points, mut start): (Vec<usize>, usize) = (Vec::new(), 0);
    while start < figures.len() {
        let end = figures.len().min(start + window);
        let found = divided(&figures[start..end], weak_p);
        points.extend(found.iter().map(|at| start + at));
        start = (start + window / 2).max(found.last().map_or(0, |last| start + last));
    }
    points.sort_unstable();
    points.dedup();
    strong(figures, points, sought)
}

/// Leaves out the weakest point again and again, until all that are left are strong.
fn strong(figures: &[f64], mut points: Vec<usize>, sought: Sought) -> Vec<ChangePoint> {
    loop {
        let judged: Vec<ChangePoint> = (0..points.len())
            .map(|n| {
                let before = n.checked_sub(1).map_or(0, |n| points[n]);
                let after = points.get(n + 1).copied().unwrap_or(figures.len());
                compared(figures, before..points[n], points[n]..after)
            })
            .collect();
        let unlikely = (0..judged.len()).rev().max_by(|&a, &b| judged[a].p_value.total_cmp(&judged[b].p_value));
        let weakest = match unlikely {
            Some(n) if judged[n].p_value < sought.most_p => (0..judged.len())
                .min_by(|&a, &b| judged[a].share().total_cmp(&judged[b].share()))
                .filter(|&n| judged[n].share() <= sought.least_change),
            unlikely => unlikely,
        };
        match weakest {
            Some(n) => points.remove(n),
            None => return judged,
        };
    }
}

/// Divides figures where their parts differ most, as long as the parts differ.
fn divided(figures: &[f64], most_p: f64) -> Vec<usize> {
    let mut points: Vec<usize> = Vec::new();
    loop {
        let bounds = [&[0], &points[..], &[figures.len()]].concat();
        let parts = bounds.windows(2).map(|pair| pair[0]..pair[1]).filter(|part| part.len() > 1);
        let best = parts.filter_map(|part| Some((greatest_division(&figures[part.clone()])?, part)));
        // The first of equals.
        let Some(((at, _), part)) = best.reduce(|best, next| if next.0.1 > best.0.1 { next } else { best }) else {
            return points;
        };
        let at = part.start + at;
        if compared(figures, part.start..at, at..part.end).p_value > most_p {
            return points;
        }
        points.push(at);
        points.sort_unstable();
    }
}

/// Where figures are best divided, and the energy statistic there: the greatest of all divisions of all beginnings of
/// them, for n and m values on the two sides
/// 2 / (m + n) Σ|x − y| − 2m / (m + n) / (n − 1) Σ|x − x′| − 2n / (m + n) / (m − 1) Σ|y − y′|,
/// the latter sums over pairs.
fn greatest_division(figures: &[f64]) -> Option<(usize, f64)> {
    let count = figures.len();
    // sums[k][i] = Σ |z_j − z_k| over j < i.
    let sums: Vec<Vec<f64>> = figures
        .iter()
        .map(|z| {
            let distances = figures.iter().scan(0.0, |sum, other| {
                *sum += (other - z).abs();
                Some(*sum)
            });
            std::iter::once(0.0).chain(distances).collect()
        })
        .collect();
    let mut best: Option<(usize, f64)> = None;
    let mut within_left = 0.0;
    for at in 1..count {
        within_left += sums[at - 1][at - 1];
        let (mut across, mut within_right) = (0.0, 0.0);
        for end in at + 1..=count {
            let last = &sums[end - 1];
            across += last[at];
            within_right += last[end - 1] - last[at];
            let (n, m) = (at as f64, (end - at) as f64);
            let left = if at > 1 { m / (n - 1.0) * within_left } else { 0.0 };
            let right = if end > at + 1 { n / (m - 1.0) * within_right } else { 0.0 };
            let q = 2.0 / (m + n) * (across - left - right);
            if best.is_none_or(|(_, most)| q > most) {
                best = Some((at, q));
            }
        }
    }
    best
}

/// Student's t-test of two parts. Deviations are those of the figures at hand (÷ n), as apache/otava takes them.
fn compared(figures: &[f64], left: Range<usize>, right: Range<usize>) -> ChangePoint {
    let at = right.start;
    let (left, right) = (&figures[left], &figures[right]);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (before, after) = (mean(left), mean(right));
    let variance = |part: &[f64], mean: f64| part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / part.len() as f64;
    let (n, m) = (left.len() as f64, right.len() as f64);
    let freedom = n + m - 2.0;
    let pooled = ((n - 1.0) * variance(left, before) + (m - 1.0) * variance(right, after)) / freedom;
    let t = (after - before).abs() / (pooled * (1.0 / n + 1.0 / m)).sqrt();
    let p_value = match StudentsT::new(0.0, 1.0, freedom) {
        Ok(student) if t.is_finite() => 2.0 * student.sf(t),
        // No noise at all: any difference is one.
        Ok(_) if before != after => 0.0,
        _ => 1.0,
    };
    ChangePoint { at, before, after, p_value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg32;

    /// A level with noise, changing where it is told to.
    fn series(seed: u64, noise: f64, levels: &[(usize, f64)]) -> Vec<f64> {
        let mut rng = Pcg32::seed_from_u64(seed);
        let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
        let figures = levels.iter().flat_map(|&(count, level)| std::iter::repeat_n(level, count));
        figures.map(|level| level + noise * (uniform() + uniform() + uniform())).collect()
    }

    fn at(figures: &[f64]) -> Vec<usize> {
        change_points(figures, Sought::default()).iter().map(|point| point.at).collect()
    }

    #[test]
    fn levels_that_change_are_found_where_they_change() {
        for seed in 0..20 {
            let figures = series(seed, 2.0, &[(30, 60.0), (40, 66.0), (25, 63.0)]);
            let found = at(&figures);
            let near = |at: usize| found.iter().any(|found| found.abs_diff(at) <= 2);
            assert!(near(30) && near(70) && found.len() <= 3, "{seed}: {found:?}");
        }
    }

    #[test]
    fn noise_alone_changes_its_level_in_few_of_many_histories() {
        let changed = (0..300).filter(|&seed| !at(&series(seed, 2.0, &[(100, 60.0)])).is_empty()).count();
        assert!(changed <= 18, "{changed} of 300 histories of 100 runs");
    }

    #[test]
    fn exact_figures_change_when_they_change_and_few_say_nothing() {
        assert_eq!(at(&[5.0, 5.0, 5.0, 5.0, 6.0, 6.0, 6.0, 6.0]), vec![4]);
        assert_eq!(at(&[5.0; 40]), Vec::<usize>::new());
        assert_eq!(at(&[]), Vec::<usize>::new());
        assert_eq!(at(&[1.0]), Vec::<usize>::new());
    }

    #[test]
    fn a_change_smaller_than_what_counts_is_none() {
        let figures = series(1, 0.2, &[(40, 60.0), (40, 60.6)]);
        assert_eq!(at(&figures), vec![40]);
        let sought = Sought { least_change: 0.02, ..Sought::default() };
        assert_eq!(change_points(&figures, sought), Vec::new());
    }
}
