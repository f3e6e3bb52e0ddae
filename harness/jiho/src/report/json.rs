//! `report.json`: the whole report as one object, for programs. Rows are as in the tables of these names.

use schemars::JsonSchema;
use serde::Serialize;

use super::chorus::{AsynchronyRow, BeatRow, CureRow, HoldRow};
use super::gaps::GapRow;
use super::gates::GateRow;
use super::ms;
use super::pairs::PairRow;
use super::run_json::RunJson;
use super::series::Series;
use super::stack::StackRow;
use super::tables::Tables;
use super::tiers::{self, TierRow};
use super::topology::TopologyRow;
use super::{remarks, verdict};
use crate::exit::Exit;
use crate::figures::usual;

/// The version of the format. Fields may be added without a new one.
pub const FORMAT: u32 = 1;

/// The report of a run, or of all repetitions of one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportJson<'t> {
    /// The version of this format: 1.
    format: u32,
    /// In every row of every table.
    run_id: String,
    /// The experiment's name.
    experiment: String,
    /// Of the worst of the repetitions and of all gates: what the exit code says.
    verdict: Exit,
    /// What gates came to; none were asked if it is empty.
    gates: &'t [GateRow],
    /// In order; a run that is not repeated has one.
    repetitions: Vec<Repetition<'t>>,
}

/// One repetition.
#[derive(Debug, Serialize, JsonSchema)]
struct Repetition<'t> {
    /// Which, from 1.
    rep: u32,
    /// Whether it could be measured, and well enough; gates not included.
    verdict: Exit,
    /// How it came about: `run.json`. `null` where the process was killed before that was written.
    run: Option<&'t RunJson>,
    /// What has to be known before figures are believed, one sentence each.
    remarks: Vec<String>,
    /// Stage and audience as a whole.
    tiers: Vec<TierRow>,
    /// Speakers at recorders: `pairs.csv`.
    pairs: &'t [PairRow],
    /// What changes of roles did to sound: `gaps.csv`.
    gaps: Vec<Gap<'t>>,
    /// How speakers sang together; `null` where they are no chorus.
    chorus: Option<Chorus<'t>>,
    /// Who may have served stage and audience: `topology.csv`.
    architecture: &'t [TopologyRow],
    /// The figures that a run is known by, over all pairs.
    figures: Vec<FigureRow>,
}

/// A row of `gaps.csv`, with what its silence is made of.
#[derive(Debug, Serialize, JsonSchema)]
struct Gap<'t> {
    #[serde(flatten)]
    gap: &'t GapRow,
    /// Its rows of `stack.csv`.
    stack: Vec<&'t StackRow>,
}

/// A chorus.
#[derive(Debug, Serialize, JsonSchema)]
struct Chorus<'t> {
    /// `chorus.csv`.
    beats: &'t [BeatRow],
    /// `asynchrony.csv`.
    asynchrony: &'t [AsynchronyRow],
    /// `cure.csv`.
    cure: &'t [CureRow],
    /// `holds.csv`.
    holds: &'t [HoldRow],
}

/// A figure.
#[derive(Debug, Serialize, JsonSchema)]
struct FigureRow {
    /// Its name, as gates have it.
    figure: String,
    /// `ms`, `bpm`, or nothing for a plain number.
    unit: String,
    /// `null` if it is infinite: what should have been heard again never was.
    value: Option<f64>,
    /// How many it rests on.
    samples: usize,
}

/// The file's text.
///
/// # Errors
/// A table is damaged.
pub fn text(series: &Series) -> anyhow::Result<String> {
    pretty(&ReportJson {
        format: FORMAT,
        run_id: series.run_id(),
        experiment: series.experiment(),
        verdict: series.exit()?,
        gates: &series.gates,
        repetitions: series.repetitions.iter().map(Repetition::of).collect::<anyhow::Result<_>>()?,
    })
}

/// As JSON, with a line for each value.
pub(super) fn pretty(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

impl<'t> Repetition<'t> {
    fn of(tables: &'t Tables) -> anyhow::Result<Self> {
        let stack = tables.stack()?;
        let gap = |gap| Gap { gap, stack: stack.iter().filter(|row| row.is_of(gap)).collect() };
        let beats = tables.beats()?;
        let chorus = Chorus { beats, asynchrony: tables.asynchrony()?, cure: tables.cure()?, holds: tables.holds()? };
        let figures = usual(tables)?.into_iter().map(|(figure, found)| FigureRow {
            figure: figure.to_string(),
            unit: figure.metric.unit().name().to_owned(),
            value: Some(ms(found.value)).filter(|value| value.is_finite()),
            samples: found.samples,
        });
        Ok(Self {
            rep: tables.name().rep,
            verdict: verdict::of_tables(tables)?,
            run: tables.run.as_ref(),
            remarks: remarks::of(tables)?,
            tiers: tiers::rows(tables)?,
            pairs: tables.pairs()?,
            gaps: tables.gaps()?.iter().map(gap).collect(),
            chorus: (!beats.is_empty()).then_some(chorus),
            architecture: tables.topology()?,
            figures: figures.collect(),
        })
    }
}
