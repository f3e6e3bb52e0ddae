//! Figures of a run by name, as limits, histories, sweeps and comparisons ask for them: `speaker_to_audience.p95`,
//! `promotion.silence[ben -> lena].max`, `heard_ratio`.
//!
//! A figure is a *metric* of some *pairs* of a speaker and an ear, brought down to one number by a *statistic*. All of it
//! is computed from a run's tables, so whatever has a folder has figures.

mod metric;
mod name;
mod pairs;
mod samples;
mod stat;

pub use metric::{Metric, Unit};
pub use name::{Figure, FigureError};
pub use pairs::Pairs;
pub use samples::Sample;
pub use stat::Stat;

use crate::report::table::TableError;
use crate::report::tables::Tables;

/// A figure of one run, and how much it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// In the metric's unit. Infinite if what should have been heard again never was.
    pub value: f64,
    /// Of how many samples.
    pub samples: usize,
}

impl Figure {
    /// In what it is measured: how many there are of something is a plain number.
    pub const fn unit(&self) -> Unit {
        match self.stat {
            Stat::Count => Unit::Count,
            _ => self.metric.unit(),
        }
    }

    /// Its value in a run; `None` if the run has nothing to compute it from.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn of(&self, tables: &Tables) -> Result<Option<Value>, TableError> {
        let samples: Vec<f64> = self.samples(tables)?.into_iter().map(|sample| sample.value).collect();
        Ok(self.stat.of(&samples).map(|value| Value { value, samples: samples.len() }))
    }

    /// What it is computed from.
    ///
    /// # Errors
    /// A table is damaged.
    pub fn samples(&self, tables: &Tables) -> Result<Vec<Sample>, TableError> {
        let mut samples = self.metric.samples(tables)?;
        samples.retain(|sample| self.pairs.hold(&sample.speaker, &sample.ear));
        Ok(samples)
    }
}
