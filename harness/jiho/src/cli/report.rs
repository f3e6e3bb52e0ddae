//! `jiho report`: a run's reports, again from its folder.

use std::path::PathBuf;

use clap::ValueEnum;

use super::print;
use crate::exit::Exit;
use crate::report::series::Series;
use crate::report::{self, Kind};

/// Write a run's reports again, from the tables in its folder alone: nothing is measured anew.
///
/// report.json, summary.md for a pull request, junit.xml with the gates, bencher.json, benchmark-action.json,
/// metrics.prom for Prometheus, and for audio editors recordings.lof with labels of every recording. `jiho run` and
/// `jiho analyze` write them too. Of a series of repetitions each gets its own besides.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho report runs/first-20260102T030405Z
  jiho report runs/first-20260102T030405Z --format markdown | gh pr comment --body-file -
  jiho report runs/first-20260102T030405Z --out /tmp/reports

Exit codes: 0 written · 2 there is no run that was measured")]
pub(super) struct Args {
    /// The folder of a run, or of a series of repetitions.
    #[arg(value_name = "RUN")]
    folder: PathBuf,
    /// Write them into this folder [default: the run's]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing, and print this one.
    #[arg(long, value_enum, conflicts_with = "out")]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// report.json
    Json,
    /// summary.md
    Markdown,
    /// junit.xml
    Junit,
    /// bencher.json
    Bencher,
    /// benchmark-action.json
    BenchmarkAction,
    /// metrics.prom
    Prometheus,
    /// recordings.lof
    Lof,
    /// recordings.labels.txt
    Labels,
}

impl From<Format> for Kind {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Markdown => Self::Markdown,
            Format::Junit => Self::Junit,
            Format::Bencher => Self::Bencher,
            Format::BenchmarkAction => Self::BenchmarkAction,
            Format::Prometheus => Self::Prometheus,
            Format::Lof => Self::Lof,
            Format::Labels => Self::Labels,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match args.format {
        Some(format) => print(&Kind::from(format).text(&Series::open(&args.folder)?, None)?)?,
        None => {
            let out = args.out.as_ref().unwrap_or(&args.folder);
            report::write_all(&args.folder, out)?;
            print(&format!("The reports are in {}: report.json, summary.md, junit.xml and more.\n", out.display()))?;
        }
    }
    Ok(Exit::Done)
}
