//! A figure over repetitions: its value, its interval, its pairs, and one value per repetition.
//!
//! Beeps within a run go through the same jitter buffers and are far from independent; repetitions are independent. So
//! what is resampled are repetitions. Where there are too few of them, as of one long run, each is cut into stretches of
//! time, blocks, which are taken for independent: an interval from blocks speaks of that run alone.

use std::collections::BTreeMap;

use jiho_analysis::stats::Interval;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

use crate::figures::{Figure, Pairs, Sample, Stat};
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// Of fewer independent parts there is no interval.
pub const LEAST_PARTS: usize = 5;
/// Into how many blocks a run is cut at most.
const MOST_BLOCKS: usize = 10;
/// So many samples of each pair are in a block at least: a jitter buffer's wandering should fit into it.
const LEAST_IN_BLOCK: usize = 5;
/// What stands for a silence without end where it has to be calculated with; a millisecond count of eleven days.
pub const NEVER: f64 = 1e9;

/// A figure with all that it is computed from.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which figure.
    pub figure: Figure,
    /// How many repetitions had samples of it.
    pub repetitions: usize,
    /// Independent of each other: repetitions or blocks.
    parts: Vec<Vec<Sample>>,
}

impl Measured {
    /// From the tables of repetitions.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn of(figure: &Figure, repetitions: &[Tables]) -> Result<Self, TableError> {
        let samples = repetitions.iter().map(|tables| figure.samples(tables)).collect::<Result<_, _>>()?;
        Ok(Self::from_samples(figure, samples))
    }

    /// From the samples of repetitions.
    pub fn from_samples(figure: &Figure, mut repetitions: Vec<Vec<Sample>>) -> Self {
        // A count of nothing is a figure too; anything else of nothing is none.
        repetitions.retain(|samples| figure.stat == Stat::Count || !samples.is_empty());
        let count = repetitions.len();
        // How many there are is counted by repetition.
        let whole = count >= LEAST_PARTS || matches!(figure.stat, Stat::Count | Stat::Sum);
        let parts = if whole { repetitions } else { blocks(repetitions) };
        Self { figure: figure.clone(), repetitions: count, parts }
    }

    /// Over all repetitions; `None` if there are no samples.
    pub fn value(&self) -> Option<f64> {
        Pool::of(self.figure.stat, &self.parts).stat(&vec![1; self.parts.len()])
    }

    /// One value per independent part. What never ends is [`NEVER`].
    pub fn per_part(&self) -> Vec<f64> {
        let values = self.parts.iter().map(|part| part.iter().map(|sample| sample.value).collect::<Vec<f64>>());
        values.filter_map(|values| self.figure.stat.of(&values)).map(|value| value.min(NEVER)).collect()
    }

    /// A 95 % interval of the value: what resampling independent parts makes of it (Efron 1979, percentiles). `None` if
    /// there are fewer than [`LEAST_PARTS`].
    pub fn interval(&self) -> Option<Interval> {
        let parts = self.parts.len();
        if parts < LEAST_PARTS {
            return None;
        }
        let pool = Pool::of(self.figure.stat, &self.parts);
        let rounds = (200_000_000 / pool.sorted.len().max(1)).clamp(200, 2000);
        // The same runs have the same interval: what is drawn here is no chance of the room's.
        let mut rng = Pcg32::seed_from_u64(1);
        let mut values: Vec<f64> = (0..rounds)
            .filter_map(|_| {
                let mut drawn = vec![0_u32; parts];
                (0..parts).for_each(|_| drawn[rng.next_u32() as usize % parts] += 1);
                pool.stat(&drawn)
            })
            .collect();
        values.sort_by(f64::total_cmp);
        let at = |p: f64| values.get((p * values.len().saturating_sub(1) as f64).round() as usize).copied();
        Some(Interval { low: at(0.025)?, high: at(0.975)? })
    }

    /// The same figure of each pair alone, if it is of several.
    pub fn pairs(&self) -> BTreeMap<Pairs, f64> {
        let mut pairs: BTreeMap<Pairs, Vec<f64>> = BTreeMap::new();
        let name = |name: &str| (!name.is_empty()).then(|| name.to_owned());
        for sample in self.parts.iter().flatten() {
            let pair = Pairs { speaker: name(&sample.speaker), ear: name(&sample.ear) };
            pairs.entry(pair).or_default().push(sample.value);
        }
        if pairs.len() < 2 {
            return BTreeMap::new();
        }
        pairs.into_iter().filter_map(|(pair, values)| Some((pair, self.figure.stat.of(&values)?))).collect()
    }
}

/// Cuts each repetition into stretches of time: the samples of a pair are in order.
fn blocks(repetitions: Vec<Vec<Sample>>) -> Vec<Vec<Sample>> {
    let key = |sample: &Sample| (sample.speaker.clone(), sample.ear.clone());
    let counts: Vec<BTreeMap<(String, String), usize>> = repetitions
        .iter()
        .map(|samples| {
            let mut counts = BTreeMap::new();
            samples.iter().for_each(|sample| *counts.entry(key(sample)).or_insert(0) += 1);
            counts
        })
        .collect();
    let fewest = counts.iter().flat_map(BTreeMap::values).min().copied().unwrap_or(0);
    let blocks = (fewest / LEAST_IN_BLOCK).min(MOST_BLOCKS);
    if blocks * repetitions.len() < LEAST_PARTS {
        return repetitions;
    }
    let mut parts = Vec::new();
    for (samples, counts) in repetitions.into_iter().zip(counts) {
        let mut cut = vec![Vec::new(); blocks];
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for sample in samples {
            let key = key(&sample);
            let nth = seen.entry(key.clone()).or_insert(0);
            cut[(*nth * blocks / counts[&key]).min(blocks - 1)].push(sample);
            *nth += 1;
        }
        parts.extend(cut);
    }
    parts
}

/// Samples of several parts, made ready for their statistic to be computed with some of the parts, and some several times.
struct Pool {
    stat: Stat,
    /// Value and part, in order of values; empty where sums are enough.
    sorted: Vec<(f64, usize)>,
    /// Sum and count of each part.
    sums: Vec<(f64, f64)>,
}

impl Pool {
    fn of(stat: Stat, parts: &[Vec<Sample>]) -> Self {
        let sums = parts.iter().map(|part| (part.iter().map(|sample| sample.value).sum(), part.len() as f64)).collect();
        let mut sorted = Vec::new();
        if matches!(stat, Stat::Quantile(_) | Stat::Iqr) {
            let tagged =
                parts.iter().enumerate().flat_map(|(n, part)| part.iter().map(move |sample| (sample.value, n)));
            sorted.extend(tagged);
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Self { stat, sorted, sums }
    }

    /// With each part so many times. Sums and counts are per part: twice the repetitions are not twice the figure.
    fn stat(&self, drawn: &[u32]) -> Option<f64> {
        let weighted = |pick: fn(&(f64, f64)) -> f64| -> f64 {
            // Not drawn is not there: nothing times infinity is no number.
            let there = self.sums.iter().zip(drawn).filter(|(_, drawn)| **drawn > 0);
            there.map(|(sums, drawn)| pick(sums) * f64::from(*drawn)).sum()
        };
        let parts = f64::from(drawn.iter().sum::<u32>());
        if parts == 0.0 {
            return None;
        }
        let (sum, count) = (weighted(|sums| sums.0), weighted(|sums| sums.1));
        match self.stat {
            Stat::Count => Some(count / parts),
            _ if count == 0.0 => None,
            Stat::Sum => Some(sum / parts),
            Stat::Mean => Some(sum / count),
            Stat::Quantile(p) => self.quantile(p, drawn, count),
            Stat::Iqr => Some(self.quantile(0.75, drawn, count)? - self.quantile(0.25, drawn, count)?),
        }
    }

    /// As [`Stat::Quantile`] has it, of all samples as often as their part was drawn.
    fn quantile(&self, p: f64, drawn: &[u32], count: f64) -> Option<f64> {
        let position = p * (count - 1.0);
        let (mut passed, mut below) = (0.0, None);
        for &(value, part) in &self.sorted {
            passed += f64::from(drawn[part]);
            if below.is_none() && passed > position.floor() {
                below = Some(value);
            }
            if passed > position.ceil() {
                let below = below?;
                let fraction = position.fract();
                return Some(if fraction == 0.0 {
                    below
                } else if value.is_infinite() {
                    value
                } else {
                    below + fraction * (value - below)
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(speaker: &str, value: f64) -> Sample {
        Sample { speaker: speaker.to_owned(), ear: "lena".to_owned(), value }
    }

    fn measured(figure: &str, repetitions: &[&[f64]]) -> Measured {
        let samples = |values: &&[f64]| values.iter().map(|value| sample("ana", *value)).collect();
        Measured::from_samples(&figure.parse().unwrap(), repetitions.iter().map(samples).collect())
    }

    #[test]
    fn a_value_is_of_the_samples_of_all_repetitions_and_a_count_is_of_one() {
        let reps: [&[f64]; 5] = [&[10.0], &[20.0], &[30.0], &[40.0], &[50.0]];
        assert_eq!(measured("promotion.silence.max", &reps).value(), Some(50.0));
        assert_eq!(measured("promotion.silence.p25", &reps).value(), Some(20.0));
        assert_eq!(measured("delay_step.count", &[&[1.0, 2.0], &[], &[], &[]]).value(), Some(0.5));
        assert_eq!(measured("delay.p95", &[&[], &[]]).value(), None);
    }

    #[test]
    fn one_long_run_is_cut_into_blocks_and_a_short_one_has_no_interval() {
        let long: Vec<f64> = (0..60).map(f64::from).collect();
        let measured_long = measured("delay.median", &[&long]);
        assert_eq!((measured_long.repetitions, measured_long.per_part().len()), (1, 10));
        assert_eq!(measured_long.per_part()[0], 2.5, "the first six in time");
        let interval = measured_long.interval().unwrap();
        assert!(interval.low < 29.5 && 29.5 < interval.high, "{interval:?}");
        assert_eq!(measured("delay.median", &[&long[..8]]).interval(), None);
    }

    #[test]
    fn the_interval_holds_the_median_of_independent_repetitions_about_as_often_as_it_says() {
        let mut rng = Pcg32::seed_from_u64(3);
        let mut uniform = || f64::from(rng.next_u32()) / f64::from(u32::MAX);
        let held = (0..300).filter(|_| {
            // A mode per run, 10 ms apart, and noise within it: the median of all is 65.
            let runs: Vec<Vec<f64>> = (0..20)
                .map(|_| {
                    let mode = 60.0 + 10.0 * uniform();
                    (0..9).map(|_| mode + 0.1 * uniform() - 0.05).collect()
                })
                .collect();
            let runs: Vec<&[f64]> = runs.iter().map(Vec::as_slice).collect();
            let interval = measured("delay.median", &runs).interval().unwrap();
            (interval.low..=interval.high).contains(&65.0)
        });
        let held = held.count();
        assert!((270..=298).contains(&held), "{held} of 300");
    }

    #[test]
    fn what_never_ends_is_worse_than_anything() {
        let never = f64::INFINITY;
        let reps: [&[f64]; 5] = [&[10.0], &[20.0], &[never], &[never], &[never]];
        let silence = measured("promotion.silence.median", &reps);
        assert_eq!(silence.value(), Some(never));
        assert_eq!(silence.per_part()[2], NEVER);
        assert_eq!(silence.interval().unwrap().high, never);
    }

    proptest! {
        #[test]
        fn weighted_samples_are_samples_written_out(
            parts in prop::collection::vec(prop::collection::vec(0.0..100.0f64, 1..8), 5..9),
            weights in prop::collection::vec(0..3u32, 9), p in 0.0..=1.0f64,
        ) {
            let tagged: Vec<Vec<Sample>> =
                parts.iter().map(|part| part.iter().map(|value| sample("ana", *value)).collect()).collect();
            let out: Vec<f64> = parts.iter().zip(&weights).flat_map(|(part, times)| part.repeat(*times as usize)).collect();
            for stat in [Stat::Quantile(p), Stat::Iqr, Stat::Mean] {
                let pooled = Pool::of(stat, &tagged).stat(&weights[..parts.len()]);
                match (pooled, stat.of(&out)) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9, "{stat}: {a} and {b}"),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }
}
