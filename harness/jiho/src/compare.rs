//! Two runs, or two series of repetitions, side by side: by how much each pair, and each tier, hears later in the second.
//!
//! What is compared has to be independent: medians of repetitions where both sides have several, else medians of blocks of
//! time signals in a row, half as many as the time signals are worth, since neighbours go through the same jitter buffer.
//! Intervals are widened by what may be wrong with all time signals of a side alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats::{self, Shift};

use crate::report::room::Room;
use crate::report::tables::Tables;
use crate::run::series;

/// A shift is outside of its interval with this probability on either side.
const ERROR: f64 = 0.025;
/// More blocks tell little more, and take long to compare.
const MOST_BLOCKS: usize = 40;

/// A run, or a series of repetitions.
pub struct Side {
    /// As it was named.
    pub path: PathBuf,
    /// Its repetitions.
    pub runs: Vec<Tables>,
}

/// What differs.
pub struct Comparison {
    /// Both tiers, and pairs that both sides have, the tier itself before its pairs.
    pub differences: Vec<Difference>,
    /// Pairs that only the first or only the second side heard.
    pub only: [Vec<(String, String)>; 2],
    /// What intervals rest on.
    pub basis: Basis,
}

/// What is held to be independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Repetitions.
    Repetitions,
    /// Blocks of time signals in a row, within runs: what differs from run to run is not in the intervals.
    Blocks,
}

/// By how much a pair or a tier hears later on the second side.
pub struct Difference {
    /// Stage or audience.
    pub tier: Relation,
    /// Speaker and ear; `None` for the tier as a whole.
    pub pair: Option<(String, String)>,
    /// Of all that was heard, on either side, in ms.
    pub medians_ms: [f64; 2],
    /// How many independent values each side has.
    pub values: [usize; 2],
    /// In ms; its interval is infinite if there are too few values for one.
    pub shift: Shift,
}

impl Difference {
    /// Whether the interval leaves it open that there is no difference.
    pub fn is_open(&self) -> bool {
        self.shift.low <= 0.0 && 0.0 <= self.shift.high
    }

    /// Whether there are enough values for an interval.
    pub fn has_interval(&self) -> bool {
        self.shift.low.is_finite()
    }
}

impl Side {
    /// # Errors
    /// There is no run, or it was not measured.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let runs = series::folders(path)?.iter().map(|folder| Tables::open(folder)).collect::<anyhow::Result<_>>()?;
        Ok(Self { path: path.to_owned(), runs })
    }

    /// `one run`, `5 repetitions`.
    pub fn described(&self) -> String {
        match self.runs.len() {
            1 => "one run".to_owned(),
            many => format!("{many} repetitions"),
        }
    }

    /// All delays in ms by pair, run by run, in order of time.
    fn delays(&self) -> anyhow::Result<Pairs> {
        let mut pairs = Pairs::new();
        for (n, run) in self.runs.iter().enumerate() {
            let room = Room::of(run)?;
            for pair in room.pairs.iter().filter(|pair| pair.relation != Relation::Own && !pair.heard.is_empty()) {
                let key = (pair.relation, room.speakers[pair.speaker].to_owned(), pair.ear.to_owned());
                let delays = pairs.entry(key).or_insert_with(|| Delays::of_runs(self.runs.len()));
                delays.runs[n].extend(pair.heard.iter().map(|heard| heard.delay_ms));
                let errors: Vec<f64> = pair.heard.iter().map(|heard| heard.error_ms).collect();
                delays.error_ms = delays.error_ms.max(stats::median(&errors).unwrap_or(0.0));
            }
        }
        Ok(pairs)
    }
}

/// By tier, speaker and ear.
type Pairs = BTreeMap<(Relation, String, String), Delays>;

/// What one side heard of a pair.
struct Delays {
    /// Of each run in order of time, in ms.
    runs: Vec<Vec<f64>>,
    /// A single one is known to this: codec, clocks and noise.
    error_ms: f64,
}

impl Delays {
    fn of_runs(count: usize) -> Self {
        Self { runs: vec![Vec::new(); count], error_ms: 0.0 }
    }

    fn median_ms(&self) -> Option<f64> {
        stats::median(&self.runs.concat())
    }
}

/// Compares two sides.
///
/// # Errors
/// A table is damaged.
pub fn compare(first: &Side, second: &Side) -> anyhow::Result<Comparison> {
    let basis = if first.runs.len() > 1 && second.runs.len() > 1 { Basis::Repetitions } else { Basis::Blocks };
    let sides = [first.delays()?, second.delays()?];
    let only = [0, 1].map(|n: usize| {
        let lacking = sides[n].keys().filter(|key| !sides[1 - n].contains_key(key));
        lacking.map(|(_, speaker, ear)| (speaker.clone(), ear.clone())).collect()
    });
    let mut differences = Vec::new();
    for tier in [Relation::Stage, Relation::Audience] {
        let both: Vec<_> = sides[0].keys().filter(|key| key.0 == tier && sides[1].contains_key(key)).collect();
        let of_both = |n: usize| both.iter().map(|key| &sides[n][*key]).collect::<Vec<_>>();
        differences.extend(difference(tier, None, [0, 1].map(of_both), basis));
        for key in &both {
            let pair = Some((key.1.clone(), key.2.clone()));
            differences.extend(difference(tier, pair, [0, 1].map(|n: usize| vec![&sides[n][*key]]), basis));
        }
    }
    Ok(Comparison { differences, only, basis })
}

/// `pairs` are those that count, on either side.
fn difference(
    tier: Relation,
    pair: Option<(String, String)>,
    pairs: [Vec<&Delays>; 2],
    basis: Basis,
) -> Option<Difference> {
    let values = [0, 1].map(|n: usize| match basis {
        Basis::Repetitions => of_runs(&pairs[n]),
        Basis::Blocks => of_blocks(&pairs[n]),
    });
    let mut shift = stats::shift(&values[0], &values[1], ERROR)?;
    // What may be wrong with all time signals of a side alike no number of them makes smaller.
    let worst = |n: usize| pairs[n].iter().map(|delays| delays.error_ms).fold(0.0, f64::max);
    let error_ms = worst(0).hypot(worst(1));
    (shift.low, shift.high) = (shift.low - error_ms, shift.high + error_ms);
    let median = |n: usize| stats::median(&pairs[n].iter().filter_map(|delays| delays.median_ms()).collect::<Vec<_>>());
    let medians_ms = [median(0)?, median(1)?];
    Some(Difference { tier, pair, medians_ms, values: [values[0].len(), values[1].len()], shift })
}

/// The median of the pairs' medians, run by run.
fn of_runs(pairs: &[&Delays]) -> Vec<f64> {
    let runs = pairs.iter().map(|delays| delays.runs.len()).max().unwrap_or(0);
    let run = |n: usize| {
        stats::median(&pairs.iter().filter_map(|delays| stats::median(delays.runs.get(n)?)).collect::<Vec<_>>())
    };
    (0..runs).filter_map(run).collect()
}

/// The median of the pairs' medians, block by block: half as many blocks as the pair that is worth least has values.
fn of_blocks(pairs: &[&Delays]) -> Vec<f64> {
    let runs = pairs.iter().map(|delays| delays.runs.len()).max().unwrap_or(0);
    let mut values = Vec::new();
    for n in 0..runs {
        let own: Vec<&Vec<f64>> =
            pairs.iter().filter_map(|delays| delays.runs.get(n)).filter(|own| !own.is_empty()).collect();
        let worth = own.iter().map(|own| stats::effective_count(own)).fold(f64::INFINITY, f64::min);
        // Medians of blocks that were no longer than the correlation lasts would depend on each other still.
        let blocks = ((worth / 2.0) as usize).clamp(1, MOST_BLOCKS);
        let part = |own: &Vec<f64>, block: usize| {
            stats::median(&own[own.len() * block / blocks..own.len() * (block + 1) / blocks])
        };
        values.extend(
            (0..blocks)
                .filter_map(|block| stats::median(&own.iter().filter_map(|own| part(own, block)).collect::<Vec<_>>())),
        );
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{Rng, SeedableRng};
    use rand_pcg::Pcg32;

    fn known_to(error_ms: f64, runs: Vec<Vec<f64>>) -> Delays {
        Delays { runs, error_ms }
    }

    #[test]
    fn a_difference_that_the_instrument_may_have_made_is_none() {
        let (from, to) = (known_to(0.03, vec![vec![60.0; 20]]), known_to(0.04, vec![vec![60.01; 20]]));
        let difference = difference(Relation::Stage, None, [vec![&from], vec![&to]], Basis::Blocks).unwrap();
        assert!(difference.is_open() && (difference.shift.high - 0.06).abs() < 1e-9, "{:?}", difference.shift);
    }

    /// Delays that depend on those before, as a jitter buffer makes them.
    fn correlated(rng: &mut Pcg32, level: f64, correlation: f64) -> Delays {
        let mut value = 0.0;
        let delays = (0..120).map(|_| {
            let luck = f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
            value = correlation * value + luck;
            level + value
        });
        known_to(0.0, vec![delays.collect()])
    }

    #[test]
    fn the_interval_holds_the_shift_of_single_runs_about_as_often_as_it_says_though_beeps_are_correlated() {
        let mut rng = Pcg32::seed_from_u64(5);
        let held = (0..400).filter(|_| {
            let (from, to) = (correlated(&mut rng, 60.0, 0.6), correlated(&mut rng, 62.0, 0.6));
            let difference = difference(Relation::Stage, None, [vec![&from], vec![&to]], Basis::Blocks).unwrap();
            (difference.shift.low..=difference.shift.high).contains(&2.0)
        });
        let held = held.count();
        assert!(held >= 360, "{held} of 400");
    }

    #[test]
    fn exact_delays_differ_by_exactly_what_they_differ() {
        let (from, to) = (known_to(0.0, vec![vec![60.0; 20]]), known_to(0.0, vec![vec![63.0; 20]]));
        let difference = difference(Relation::Stage, None, [vec![&from], vec![&to]], Basis::Blocks).unwrap();
        assert_eq!((difference.shift.estimate, difference.shift.low, difference.shift.high), (3.0, 3.0, 3.0));
        assert!(!difference.is_open());
    }

    #[test]
    fn two_repetitions_a_side_have_a_shift_and_no_interval() {
        let (from, to) = (known_to(0.0, vec![vec![60.0], vec![61.0]]), known_to(0.0, vec![vec![63.0], vec![64.0]]));
        let difference = difference(Relation::Stage, None, [vec![&from], vec![&to]], Basis::Repetitions).unwrap();
        assert_eq!((difference.shift.estimate, difference.values), (3.0, [2, 2]));
        assert!(!difference.has_interval() && difference.is_open());
    }
}
