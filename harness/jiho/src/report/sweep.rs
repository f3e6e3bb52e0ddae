//! `sweep.csv`: one row per point, repetition and figure, the varied keys first. Points are appended as they are done, in
//! whatever order; at the end the table is written once more in the order of the sweep.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiho_analysis::stats;

use super::terminal;
use crate::figures::{Figure, Value};
use crate::sweep::{Plan, Point};

/// The columns after the varied keys.
pub const COLUMNS: [&str; 6] = ["point", "rep", "figure", "unit", "value", "samples"];

/// A figure of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow {
    /// What the keys were set to.
    pub settings: Vec<String>,
    /// Which point, from 1.
    pub point: usize,
    /// Which repetition of it, from 1.
    pub rep: u32,
    /// Its name.
    pub figure: String,
    /// Empty for what is a plain number.
    pub unit: String,
    /// `None`: the run had nothing to compute it from. Infinite: what should have been heard again never was.
    pub value: Option<f64>,
    /// Of how many samples.
    pub samples: usize,
}

impl SweepRow {
    /// What a figure came to.
    pub fn of(point: &Point, rep: u32, figure: &Figure, value: Option<Value>) -> Self {
        Self {
            settings: point.settings.clone(),
            point: point.number,
            rep,
            figure: figure.to_string(),
            unit: figure.metric.unit().name().to_owned(),
            value: value.map(|value| (value.value * 1e6).round() / 1e6),
            samples: value.map_or(0, |value| value.samples),
        }
    }

    fn record(&self) -> Vec<String> {
        let own = [
            self.point.to_string(),
            self.rep.to_string(),
            self.figure.clone(),
            self.unit.clone(),
            self.value.map_or_else(String::new, |value| value.to_string()),
            self.samples.to_string(),
        ];
        self.settings.iter().cloned().chain(own).collect()
    }

    fn read(record: &csv::StringRecord) -> Option<Self> {
        let fields: Vec<&str> = record.iter().collect();
        let (settings, own) = fields.split_at_checked(fields.len().checked_sub(COLUMNS.len())?)?;
        let [point, rep, figure, unit, value, samples] = own else { return None };
        Some(Self {
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            point: point.parse().ok()?,
            rep: rep.parse().ok()?,
            figure: (*figure).to_owned(),
            unit: (*unit).to_owned(),
            value: if value.is_empty() { None } else { Some(value.parse().ok()?) },
            samples: samples.parse().ok()?,
        })
    }
}

/// The table of a sweep, on disk and in memory.
#[derive(Debug)]
pub struct SweepTable {
    path: PathBuf,
    keys: Vec<String>,
    /// All rows, in the order of the sweep once it is closed.
    pub rows: Vec<SweepRow>,
}

impl SweepTable {
    /// Begins the table of a plan, or goes on with the one that is there.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(path: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let keys = plan.axes.iter().map(|axis| axis.key.clone()).collect();
        let mut table = Self { path: path.to_owned(), keys, rows: Vec::new() };
        if path.is_file() {
            let damaged = || format!("{} is damaged, or of another sweep", path.display());
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).with_context(damaged)?;
            // What a crash cut short is measured again.
            let rows = reader.records().filter_map(|record| SweepRow::read(&record.ok()?));
            table.rows = rows.filter(|row| row.settings.len() == table.keys.len()).collect();
        }
        table.write_whole()?;
        Ok(table)
    }

    /// The points of which all is known, if each has so many rows.
    pub fn done(&self, rows_each: usize) -> Vec<usize> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        self.rows.iter().for_each(|row| *counts.entry(row.point).or_default() += 1);
        counts.into_iter().filter(|(_, count)| *count == rows_each).map(|(point, _)| point).collect()
    }

    /// Forgets what is known of all other points.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn keep(&mut self, points: &[usize]) -> anyhow::Result<()> {
        self.rows.retain(|row| points.contains(&row.point));
        self.write_whole()
    }

    /// Appends the rows of a point.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn append(&mut self, rows: Vec<SweepRow>) -> anyhow::Result<()> {
        let unwritten = || format!("cannot write {}", self.path.display());
        let file = OpenOptions::new().append(true).open(&self.path).with_context(unwritten)?;
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        rows.iter().try_for_each(|row| writer.write_record(row.record())).with_context(unwritten)?;
        writer.flush().with_context(unwritten)?;
        self.rows.extend(rows);
        Ok(())
    }

    /// Brings all rows into the order of the sweep.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn close(&mut self) -> anyhow::Result<()> {
        self.rows.sort_by_key(|row| (row.point, row.rep));
        self.write_whole()
    }

    fn write_whole(&self) -> anyhow::Result<()> {
        let unwritten = || format!("cannot write {}", self.path.display());
        // Beside it, so that a crash leaves the old one or the new one.
        let new = self.path.with_extension("csv.new");
        let mut writer = csv::Writer::from_writer(File::create(&new).with_context(unwritten)?);
        let header = self.keys.iter().map(String::as_str).chain(COLUMNS);
        writer.write_record(header).with_context(unwritten)?;
        self.rows.iter().try_for_each(|row| writer.write_record(row.record())).with_context(unwritten)?;
        writer.flush().with_context(unwritten)?;
        drop(writer);
        std::fs::rename(&new, &self.path).with_context(unwritten)
    }
}

/// A figure of a point, over its repetitions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Over {
    /// The median.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// How many had it.
    pub repetitions: usize,
}

impl Over {
    /// The figure at a point; `None` if no repetition has it.
    pub fn of(rows: &[SweepRow], point: usize, figure: &str) -> Option<Self> {
        let own = rows.iter().filter(|row| row.point == point && row.figure == figure);
        let values = stats::sorted(&own.filter_map(|row| row.value).collect::<Vec<_>>());
        let (low, high) = (*values.first()?, *values.last()?);
        // Between a number and infinity lies infinity.
        let median = stats::median(&values).filter(|median| !median.is_nan()).unwrap_or(f64::INFINITY);
        Some(Self { median, low, high, repetitions: values.len() })
    }

    /// As tables show it.
    pub fn text(&self, unit: &str) -> String {
        let number = |value: f64| match unit {
            "" => format!("{value:.4}"),
            _ => format!("{value:.2}"),
        };
        if self.repetitions == 1 {
            return number(self.median);
        }
        format!("{} [{}–{}]", number(self.median), number(self.low), number(self.high))
    }
}

/// A table for a terminal: a line for each point that is known.
pub fn text(plan: &Plan, figures: &[Figure], rows: &[SweepRow]) -> String {
    let keys = plan.axes.iter().map(|axis| axis.key.clone()).collect::<Vec<_>>().join(", ");
    let titles = figures.iter().map(|figure| match figure.metric.unit().name() {
        "" => figure.to_string(),
        unit => format!("{figure} ({unit})"),
    });
    let mut lines = vec![std::iter::once(keys).chain(titles).collect::<Vec<_>>()];
    for point in plan.points.iter().filter(|point| rows.iter().any(|row| row.point == point.number)) {
        let cells = figures.iter().map(|figure| {
            let over = Over::of(rows, point.number, &figure.to_string());
            over.map_or_else(|| "–".to_owned(), |over| over.text(figure.metric.unit().name()))
        });
        lines.push(std::iter::once(point.settings.join(", ")).chain(cells).collect());
    }
    terminal::blocks(&lines).join("\n")
}
