//! What the delays alone make of a chorus, once it goes on evenly.
//!
//! Let dⱼᵢ be the delay from singer j's mouth to singer i's ear and aᵢ singer i's advance. Beat n is sung at nP + sᵢ: P is
//! the period that they settle at, T the song's own.
//!
//! - On the grid: sᵢ = −aᵢ, and P = T.
//! - Following l: sᵢ = sₗ + dₗᵢ − aᵢ.
//! - Together (Wing, Endo, Bradbury and Vorberg 2014, with what is heard in place of what is played): each beat comes T
//!   after the last one, less the sum of αᵢⱼ times how much later than j's it was as i hears them. Evenly going on this is
//!   P = T + Σⱼ αᵢⱼ (dⱼᵢ + sⱼ − sᵢ − aᵢ).
//!
//! With L the Laplacian of the gains, Lᵢᵢ = Σⱼ αᵢⱼ and Lᵢⱼ = −αᵢⱼ, the last is L s = (T − P) 1 + Σⱼ αᵢⱼ (dⱼᵢ − aᵢ). The
//! rows of L sum to nothing, so it has a left null vector w; scaled to sum 1, it gives P = T + Σᵢ wᵢ Σⱼ αᵢⱼ (dⱼᵢ − aᵢ): what
//! delays slow a tempo by. With equal gains α among N singers w is 1/N, and a tempo is slowed by α (N − 1) times the mean
//! delay. Here all singers' equations are solved at once.

use super::Song;
use crate::units::Nanos;

/// On what somebody sings. Singers go by their index.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// On a clock that all share.
    Grid,
    /// On another's beat as it is heard.
    Follow(usize),
    /// With others: the part α of the asynchrony to each that is made up for at the next beat.
    Together(Vec<(usize, f64)>),
}

/// A singer.
#[derive(Clone, Debug, PartialEq)]
pub struct Singer {
    /// On what it sings.
    pub way: Way,
    /// So much earlier than that it sings.
    pub advance: Nanos,
}

/// Delays by singer and ear: the singers' own ears first, in their order, then the listeners'. `None`: not heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// In milliseconds; `[singer][ear]`. To one's own ear it is nothing.
    pub delay_ms: Vec<Vec<Option<f64>>>,
}

impl Matrix {
    /// From a mouth to an ear.
    pub fn delay_ms(&self, singer: usize, ear: usize) -> Option<f64> {
        if singer == ear { Some(0.0) } else { *self.delay_ms.get(singer)?.get(ear)? }
    }

    /// How many singers there are.
    pub fn singers(&self) -> usize {
        self.delay_ms.len()
    }

    /// How many ears there are.
    pub fn ears(&self) -> usize {
        self.delay_ms.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// A chorus that goes on evenly.
#[derive(Clone, Debug, PartialEq)]
pub struct Steady {
    /// By how much each singer is later than the grid in a beat, or than each other if there is none, in milliseconds.
    pub sung_ms: Vec<f64>,
    /// By how much longer than the song's the period is, in milliseconds.
    pub slower_ms: f64,
    /// Whether wrong clocks of hosts change nothing. Of two who sing on the grid the delays do not tell how far apart
    /// they sing: only clocks do.
    pub clock_free: bool,
}

impl Steady {
    /// What singers settle at; `None` if a delay that matters is not known, or if they never settle, as when two who do
    /// not hear each other keep different tempos.
    pub fn of(singers: &[Singer], matrix: &Matrix) -> Option<Self> {
        let count = singers.len();
        let on_grid = singers.iter().filter(|singer| singer.way == Way::Grid).count();
        // One equation per singer, and one for what is not determined by them: where the grid is, or the period.
        let mut rows = Vec::new();
        for (i, singer) in singers.iter().enumerate() {
            let advance = singer.advance.as_millis_f64();
            let mut row = vec![0.0; count + 2];
            match &singer.way {
                Way::Grid => (row[i], row[count + 1]) = (1.0, -advance),
                Way::Follow(leader) => {
                    (row[i], row[*leader]) = (1.0, -1.0);
                    row[count + 1] = matrix.delay_ms(*leader, i)? - advance;
                }
                Way::Together(gains) => {
                    row[count] = 1.0;
                    for &(j, gain) in gains {
                        row[i] += gain;
                        row[j] -= gain;
                        row[count + 1] += gain * (matrix.delay_ms(j, i)? - advance);
                    }
                }
            }
            rows.push(row);
        }
        let mut gauge = vec![0.0; count + 2];
        gauge[if on_grid > 0 { count } else { 0 }] = 1.0;
        rows.push(gauge);
        let mut sung_ms = solve(rows)?;
        let slower_ms = sung_ms.pop()?;
        Some(Self { sung_ms, slower_ms, clock_free: on_grid < 2 })
    }

    /// By how much later than singer `voice` another one sounds at an ear, in milliseconds.
    pub fn asynchrony_ms(&self, matrix: &Matrix, ear: usize, voice: usize, other: usize) -> Option<f64> {
        Some(self.onset_ms(matrix, ear, other)? - self.onset_ms(matrix, ear, voice)?)
    }

    /// From the first voice to the last at an ear, in milliseconds, over those that are heard there; `None` for less
    /// than two.
    pub fn spread_ms(&self, matrix: &Matrix, ear: usize) -> Option<f64> {
        let onsets: Vec<f64> =
            (0..self.sung_ms.len()).filter_map(|singer| self.onset_ms(matrix, ear, singer)).collect();
        let (first, last) = (onsets.iter().copied().reduce(f64::min)?, onsets.iter().copied().reduce(f64::max)?);
        (onsets.len() > 1).then_some(last - first)
    }

    /// The period that they settle at.
    pub fn period(&self, song: &Song) -> Nanos {
        song.period + Nanos::from_secs_f64(self.slower_ms / 1e3)
    }

    fn onset_ms(&self, matrix: &Matrix, ear: usize, singer: usize) -> Option<f64> {
        Some(self.sung_ms.get(singer)? + matrix.delay_ms(singer, ear)?)
    }
}

/// Solves equations, each with its right side as the last value, by elimination with partial pivoting; `None` if they
/// have no single solution.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = rows.len();
    for column in 0..count {
        let pivot = (column..count).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-9 {
            return None;
        }
        rows.swap(column, pivot);
        let pivot = rows[column].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(n, _)| *n != column) {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    Some(rows.iter().enumerate().map(|(n, row)| row[count] / row[n]).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn singer(way: Way, advance_ms: i64) -> Singer {
        Singer { way, advance: Nanos::from_millis(advance_ms) }
    }

    fn matrix(delays: &[&[f64]]) -> Matrix {
        Matrix { delay_ms: delays.iter().map(|row| row.iter().map(|&ms| Some(ms)).collect()).collect() }
    }

    /// Equal gains towards everybody else.
    fn together(count: usize, gain: f64) -> Vec<Singer> {
        let others = |own: usize| (0..count).filter(move |&other| other != own).map(move |other| (other, gain));
        (0..count).map(|own| singer(Way::Together(others(own).collect()), 0)).collect()
    }

    #[test]
    fn a_follower_is_a_round_trip_late_at_the_leader_on_time_for_itself_and_a_stage_delay_late_in_the_audience() {
        let matrix = matrix(&[&[0.0, 66.0, 80.0], &[58.0, 0.0, 75.0]]);
        let steady = Steady::of(&[singer(Way::Grid, 0), singer(Way::Follow(0), 0)], &matrix).unwrap();
        let late = [0, 1, 2].map(|ear| steady.asynchrony_ms(&matrix, ear, 0, 1).unwrap());
        assert_eq!(late, [66.0 + 58.0, 0.0, 66.0 + 75.0 - 80.0]);
        assert_eq!((steady.slower_ms, steady.clock_free), (0.0, true));
    }

    #[test]
    fn on_the_grid_voices_are_apart_by_their_delays_and_their_advances() {
        let matrix = matrix(&[&[0.0, 66.0, 80.0], &[58.0, 0.0, 75.0]]);
        let steady = Steady::of(&[singer(Way::Grid, 5), singer(Way::Grid, 0)], &matrix).unwrap();
        assert_eq!(steady.spread_ms(&matrix, 2), Some(0.0));
        assert_eq!(steady.asynchrony_ms(&matrix, 0, 0, 1), Some(63.0));
        assert!(!steady.clock_free);
    }

    #[test]
    fn what_nobody_hears_is_not_foretold() {
        let deaf = Matrix { delay_ms: vec![vec![None; 2]; 2] };
        assert_eq!(Steady::of(&[singer(Way::Grid, 0), singer(Way::Follow(0), 0)], &deaf), None);
        // Two pairs that do not listen to each other settle at two tempos.
        let delays = matrix(&[&[0.0, 10.0, 10.0, 10.0], &[10.0, 0.0, 10.0, 10.0], &[10.0; 4], &[10.0; 4]]);
        let with = |other| singer(Way::Together(vec![(other, 0.5)]), 0);
        assert_eq!(Steady::of(&[with(1), with(0), with(3), with(2)], &delays), None);
    }

    proptest! {
        #[test]
        fn equal_gains_slow_a_tempo_by_the_sum_of_each_singers_mean_correction(
            delays in proptest::collection::vec(1.0..200.0f64, 16),
            count in 2usize..5,
            gain in 0.01..0.25f64,
        ) {
            let delay = |from: usize, to: usize| if from == to { 0.0 } else { delays[4 * from + to] };
            let rows: Vec<Vec<f64>> = (0..count).map(|from| (0..count).map(|to| delay(from, to)).collect()).collect();
            let matrix = matrix(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let steady = Steady::of(&together(count, gain), &matrix).unwrap();
            let closed = gain * rows.iter().flatten().sum::<f64>() / count as f64;
            prop_assert!((steady.slower_ms - closed).abs() < 1e-9, "{} {}", steady.slower_ms, closed);
        }

        /// The recursion itself, run until it goes on evenly.
        #[test]
        fn whoever_sings_on_by_these_rules_settles_there(
            delays in proptest::collection::vec(1.0..200.0f64, 12),
            gains in proptest::collection::vec(0.05..0.3f64, 6),
            advances in proptest::collection::vec(-40i64..40, 3),
        ) {
            let rows: Vec<&[f64]> = delays.chunks(4).collect();
            let matrix = matrix(&rows);
            let others = [[1, 2], [0, 2], [0, 1]];
            let gain = |own: usize| others[own].iter().copied().zip(gains[2 * own..].iter().copied()).collect();
            let singers: Vec<Singer> = (0..3).map(|n| singer(Way::Together(gain(n)), advances[n])).collect();
            let mut sung = [0.0; 3];
            let mut slower = [0.0; 3];
            for _ in 0..4000 {
                let wrong = |i: usize| -> f64 {
                    let Way::Together(gains) = &singers[i].way else { unreachable!() };
                    let heard = |j: usize| sung[j] + matrix.delay_ms(j, i).unwrap();
                    gains.iter().map(|&(j, gain)| gain * (sung[i] + advances[i] as f64 - heard(j))).sum()
                };
                slower = [0, 1, 2].map(|i| -wrong(i));
                sung = [0, 1, 2].map(|i| sung[i] + slower[i]);
            }
            let steady = Steady::of(&singers, &matrix).unwrap();
            for i in 0..3 {
                prop_assert!((slower[i] - steady.slower_ms).abs() < 1e-6);
                let (measured, foretold) = (sung[i] - sung[0], steady.sung_ms[i] - steady.sung_ms[0]);
                prop_assert!((measured - foretold).abs() < 1e-6, "{measured} {foretold}");
            }
        }
    }
}
