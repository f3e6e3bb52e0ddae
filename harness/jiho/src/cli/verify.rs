//! `jiho verify`: how good is this instrument?

use std::fmt::Write;

use super::bar::Bar;
use super::{Format, print, signal};
use crate::exit::Exit;
use crate::verify::{Figures, all, quick, verify};

/// Verify the instrument: beeps of known instants go through noise, codecs, loss, mixers and rooms, and what is measured
/// is held against the truth.
///
/// Truth comes from construction. Per cell: beeps heard, wrong (more than 0.1 ms from the truth), bias and spread in
/// µs, the error over the Cramér–Rao bound where white noise is all that disturbs, and how often the truth lies in
/// the stated 95 % interval. Without --all each cell has 60 beeps instead of 1000.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho verify
  jiho verify --all --format json

Exit code 5 if a cell misses its goal.")]
pub(super) struct Args {
    /// 1000 beeps a cell: takes minutes.
    #[arg(long)]
    all: bool,
    /// The family of time signals.
    #[arg(long, value_enum, default_value_t)]
    family: signal::Family,
    /// A table for people, or JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let cells = if args.all { all(args.family.into()) } else { quick(args.family.into()) };
    let bar = Bar::new();
    let figures = verify(&cells, &|| bar.add("verifying", 1.0, cells.len() as f64))?;
    bar.clear();
    match args.format {
        Format::Text => print(&text(&figures))?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&figures)?))?,
    }
    Ok(if figures.iter().all(|figures| figures.passed) { Exit::Done } else { Exit::GateFailed })
}

fn text(figures: &[Figures]) -> String {
    let mut text = format!(
        "{:<38} {:>9} {:>6} {:>9} {:>10} {:>7} {:>8}\n",
        "way", "heard", "wrong", "bias µs", "spread µs", "/ CRLB", "in 95 %"
    );
    let shown = |figure: Option<f64>, digits: usize| figure.map_or("–".to_owned(), |f| format!("{f:.digits$}"));
    for cell in figures {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<38} {:>9} {:>6} {:>9} {:>10} {:>7} {:>8}{}",
            cell.way,
            format!("{}/{}", cell.heard, cell.beeps),
            cell.wrong + cell.strangers,
            shown(cell.bias_us, 1),
            shown(cell.spread_us, 1),
            shown(cell.over_bound, 2),
            shown(cell.covered.map(|covered| 100.0 * covered), 0),
            if cell.passed { "" } else { "  misses its goal" }
        );
    }
    let beeps: usize = figures.iter().map(|cell| cell.beeps).sum();
    let heard: usize = figures.iter().map(|cell| cell.heard).sum();
    let wrong: usize = figures.iter().map(|cell| cell.wrong + cell.strangers).sum();
    let covered: f64 = figures.iter().filter_map(|cell| Some(cell.covered? * cell.heard as f64)).sum();
    let _ = writeln!(
        text,
        "\n{heard} of {beeps} beeps heard, {wrong} wrong; the truth lies in the stated interval in {:.1} % of them.",
        100.0 * covered / heard as f64
    );
    let missed = figures.iter().filter(|cell| !cell.passed).count();
    let _ = match missed {
        0 => writeln!(text, "All {} cells meet their goals.", figures.len()),
        _ => writeln!(text, "{missed} of {} cells miss their goals.", figures.len()),
    };
    text
}
