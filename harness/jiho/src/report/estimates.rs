//! The figures that other tools keep a history of: those that a run is known by, and each pair's median delay; over
//! repetitions with their interval.

use std::collections::BTreeMap;

use jiho_analysis::metrics::Relation;
use jiho_analysis::stats::{self, Interval};

use super::ms;
use super::pairs::PairRow;
use super::series::Series;
use super::table::TableError;
use crate::figures::{Figure, Metric, Pairs, Stat, usual};

/// More pairs than this are not named one by one: `pairs.csv` has each.
const CROWD: usize = 60;

/// A figure of a run, over its repetitions.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Which.
    pub figure: Figure,
    /// Of several repetitions the median of their figures. Infinite if what should have been heard again never was.
    pub value: f64,
    /// Its 95 % interval: over at least six repetitions, or over the beeps of a single pair.
    pub interval: Option<Interval>,
    /// How many samples all repetitions had.
    pub samples: usize,
}

/// All of them, those over all pairs first.
///
/// # Errors
/// A table is damaged.
pub fn of(series: &Series) -> Result<Vec<Estimate>, TableError> {
    let mut figures: Vec<(Figure, Vec<f64>, usize)> = Vec::new();
    for tables in &series.repetitions {
        for (figure, found) in usual(tables)? {
            match figures.iter_mut().find(|(other, ..)| *other == figure) {
                Some((_, values, samples)) => {
                    values.push(found.value);
                    *samples += found.samples;
                }
                None => figures.push((figure, vec![found.value], found.samples)),
            }
        }
    }
    let whole = figures.into_iter().filter_map(|(figure, values, samples)| estimate(figure, &values, None, samples));
    Ok(whole.chain(of_pairs(series)?).collect())
}

fn of_pairs(series: &Series) -> Result<Vec<Estimate>, TableError> {
    let mut pairs: BTreeMap<(Relation, &str, &str), Vec<&PairRow>> = BTreeMap::new();
    for tables in &series.repetitions {
        for row in tables.pairs()? {
            pairs.entry((row.relation, &row.speaker, &row.recorder)).or_default().push(row);
        }
    }
    if pairs.len() > CROWD {
        return Ok(Vec::new());
    }
    let of_pair = |((relation, speaker, ear), rows): ((Relation, &str, &str), Vec<&PairRow>)| {
        let pairs = Pairs { speaker: Some(speaker.to_owned()), ear: Some(ear.to_owned()) };
        let figure = Figure { metric: Metric::Delay(Some(relation)), pairs, stat: Stat::Quantile(0.5) };
        let medians: Vec<f64> = rows.iter().filter_map(|row| row.median_ms).collect();
        let interval = match &rows[..] {
            [only] => only.median_low_ms.zip(only.median_high_ms).map(|(low, high)| Interval { low, high }),
            _ => None,
        };
        estimate(figure, &medians, interval, rows.iter().map(|row| row.heard).sum())
    };
    Ok(pairs.into_iter().filter_map(of_pair).collect())
}

/// `known` is the interval of a single repetition.
fn estimate(figure: Figure, values: &[f64], known: Option<Interval>, samples: usize) -> Option<Estimate> {
    let value = ms(Stat::Quantile(0.5).of(values)?);
    let finite = values.iter().all(|value| value.is_finite());
    let over = if finite { stats::median_interval(values) } else { None };
    let over = over.map(|Interval { low, high }| Interval { low: ms(low), high: ms(high) });
    Some(Estimate { figure, value, interval: known.or(over), samples })
}
