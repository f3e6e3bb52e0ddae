//! Are stated intervals honest? Of beeps whose interval is stated at a level, that share should hold the truth.

use super::take::Beep;

/// Nominal levels, with the quantile of the normal distribution that an interval's half width is of its standard
/// deviation.
pub const LEVELS: [(f64, f64); 5] =
    [(0.50, 0.674_490), (0.80, 1.281_552), (0.90, 1.644_854), (0.95, 1.959_964), (0.99, 2.575_829)];
/// The level at which intervals are stated: its place in [`LEVELS`].
pub const STATED: usize = 3;
/// What the actual share should be at the stated level, over all cells.
pub const GOAL: std::ops::RangeInclusive<f64> = 0.93..=0.99;

/// Counts by level of how many beeps' intervals, scaled to it, hold the truth.
pub(super) fn counts<'a>(beeps: impl Iterator<Item = &'a Beep>) -> [usize; LEVELS.len()] {
    let mut counts = [0; LEVELS.len()];
    for beep in beeps {
        for (count, (_, quantile)) in counts.iter_mut().zip(LEVELS) {
            *count += usize::from(beep.off_us <= beep.half_us * quantile / LEVELS[STATED].1);
        }
    }
    counts
}
