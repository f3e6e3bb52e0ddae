//! The figures as CSV: one row per cell, and one per level of the calibration curve.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::Figures;
use super::calibration::LEVELS;

#[derive(Serialize)]
struct CellRow<'a> {
    family: &'a str,
    way: &'a str,
    passed: bool,
    beeps: usize,
    heard: usize,
    ambiguous: usize,
    wrong: usize,
    strangers: usize,
    bias_us: Option<f64>,
    spread_us: Option<f64>,
    worst_us: Option<f64>,
    unknown_worst_us: Option<f64>,
    within_mode_us: Option<f64>,
    over_bound: Option<f64>,
    drift_error_ppm: Option<f64>,
    within_95: Option<f64>,
    missed: String,
}

#[derive(Serialize)]
struct CalibrationRow<'a> {
    family: &'a str,
    nominal: f64,
    actual: f64,
    beeps: usize,
}

/// Writes `verify.csv` and `calibration.csv` into a folder.
pub fn write(folder: &Path, figures: &[Figures]) -> anyhow::Result<()> {
    let cells = figures.iter().map(|cell| CellRow {
        family: cell.family.name(),
        way: &cell.way,
        passed: cell.passed(),
        beeps: cell.beeps,
        heard: cell.heard,
        ambiguous: cell.ambiguous,
        wrong: cell.wrong,
        strangers: cell.strangers,
        bias_us: cell.bias_us,
        spread_us: cell.spread_us,
        worst_us: cell.worst_us,
        unknown_worst_us: cell.unknown_worst_us,
        within_mode_us: cell.within_mode_us,
        over_bound: cell.over_bound,
        drift_error_ppm: cell.drift_ppm,
        within_95: cell.covered(super::calibration::STATED),
        missed: cell.not_run.clone().unwrap_or_else(|| cell.missed.join("; ")),
    });
    rows(&folder.join("verify.csv"), cells)?;
    let curves = curves(figures);
    let calibration = curves.iter().flat_map(|curve| {
        LEVELS.iter().zip(curve.actual).map(|(&(nominal, _), actual)| CalibrationRow {
            family: &curve.name,
            nominal,
            actual,
            beeps: curve.beeps,
        })
    });
    rows(&folder.join("calibration.csv"), calibration)
}

fn rows<R: Serialize>(path: &Path, rows: impl Iterator<Item = R>) -> anyhow::Result<()> {
    let write = || -> csv::Result<()> {
        let mut writer = csv::Writer::from_path(path)?;
        for row in rows {
            writer.serialize(row)?;
        }
        Ok(writer.flush()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// How often intervals hold the truth, over many cells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// A family's name, or `all`.
    pub name: String,
    /// Beeps that it is about.
    pub beeps: usize,
    /// By level, as in [`LEVELS`]: the share of beeps whose interval holds the truth.
    pub actual: [f64; LEVELS.len()],
}

/// A curve for each family, and one for all together if there are several.
pub fn curves(figures: &[Figures]) -> Vec<Curve> {
    let mut names: Vec<&str> = figures.iter().map(|cell| cell.family.name()).collect();
    names.dedup();
    let of = |name: &str, cells: &[&Figures]| {
        let beeps = cells.iter().map(|cell| cell.heard).sum::<usize>();
        let share =
            |level: usize| cells.iter().map(|cell| cell.within[level]).sum::<usize>() as f64 / beeps.max(1) as f64;
        Curve { name: name.to_owned(), beeps, actual: std::array::from_fn(share) }
    };
    let mut curves: Vec<Curve> = names
        .iter()
        .map(|name| of(name, &figures.iter().filter(|cell| cell.family.name() == *name).collect::<Vec<_>>()))
        .collect();
    if curves.len() > 1 {
        curves.push(of("all", &figures.iter().collect::<Vec<_>>()));
    }
    curves
}
