//! `jiho verify`: how good is this instrument?

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use jiho_analysis::signal;
use serde_json::json;

use super::bar::Bar;
use super::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::verify::alarms::{self, Alarms, Sound, listen};
use crate::verify::{Cell, Figures, all, calibration, picture, pilot, quick, tables, verify};

/// Verify the instrument: beeps of known instants go through noise, codecs, loss, mixers, clocks, noise suppression,
/// speech and rooms, and what is measured is held against the truth.
///
/// Truth comes from construction. Per cell: beeps heard, wrong (more than 0.1 ms from the truth, or found where none
/// is), bias, spread and greatest error in µs, the spread among beeps coded in the same mode, the error over the
/// Cramér–Rao bound where white noise is all that disturbs, and how often the truth lies in the stated 95 % interval.
/// Then: what is heard in hours of speech and of other codes, where nothing is to be heard, and how often intervals
/// stated at 50 to 99 % hold the truth. Without --all each cell has 32 beeps instead of 1024, and there are 2 minutes
/// of speech and of other codes instead of 10 hours each.
///
/// With --family pilot breaks are made instead: silences, skips, re-bases, stretches, lost packets. Per way: breaks found of
/// those made, of the wrong kind, and the greatest error of their silence, lost programme and delays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho verify
  jiho verify --family noise --format json
  jiho verify --all --family all --out verified
  jiho verify --all --only Opus

Speech comes from espeak-ng; where that is not installed, its cells are not run.
Exit code 5 if a cell misses its goal.")]
pub(super) struct Args {
    /// Every code, 1024 beeps a cell, and hours of false-alarm tests: takes minutes for each family.
    #[arg(long)]
    all: bool,
    /// The family of time signals, of those whose members are told apart by code; all of these that beep; or the pilot.
    #[arg(long, value_enum, default_value_t)]
    family: Families,
    /// Only ways whose name contains these words, as in --only "white noise"; nothing is listened to for false alarms.
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// A table for people, or JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also write verify.csv, calibration.csv and verify.svg, a picture, into this folder; it is made if need be.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Families {
    #[default]
    Voiced,
    VoicedRobust,
    Noise,
    NoiseRobust,
    All,
    Pilot,
}

impl Families {
    fn families(self) -> Vec<signal::Family> {
        match self {
            Self::Voiced => vec![signal::Family::Voiced],
            Self::VoicedRobust => vec![signal::Family::VoicedRobust],
            Self::Noise => vec![signal::Family::Noise],
            Self::NoiseRobust => vec![signal::Family::NoiseRobust],
            Self::Pilot => vec![signal::Family::Pilot],
            Self::All => signal::Family::ALL.into_iter().filter(|family| family.is_coded()).collect(),
        }
    }
}

/// How long is listened for false alarms, in seconds.
const LONG: u32 = 10 * 3600;
const SHORT: u32 = 120;

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.family == Families::Pilot && args.only.is_some() {
        return Err(UsageError::say("--only chooses among the ways of beeps: leave it out for the pilot").into());
    }
    if args.family == Families::Pilot {
        return verify_pilot(args.format);
    }
    let families = args.family.families();
    let is_wanted = |cell: &Cell| args.only.as_ref().is_none_or(|words| cell.way.to_string().contains(words.as_str()));
    let cells: Vec<Cell> = families
        .iter()
        .flat_map(|&family| if args.all { all(family) } else { quick(family) })
        .filter(is_wanted)
        .collect();
    if cells.is_empty() {
        let none = "--only: no way's name contains these words; `jiho verify` lists them all";
        return Err(UsageError::say(none).into());
    }
    let seconds = if args.all { LONG } else { SHORT };
    let bar = Bar::new();
    let takes: u32 = cells.iter().map(|cell| cell.takes).sum();
    let figures = verify(&cells, &|| bar.add("verifying", 1.0, f64::from(takes)))?;
    let heard_for_alarms = if args.only.is_some() { &[][..] } else { &families[..] };
    let sounds: Vec<_> = heard_for_alarms
        .iter()
        .flat_map(|&family| [Sound::Speech, Sound::OtherCodes].map(|sound| (family, sound)))
        .collect();
    let stretches = alarms::stretches(seconds) * sounds.len() as u32;
    let alarms = sounds
        .iter()
        .map(|&(family, sound)| {
            listen(family, sound, seconds, &|| bar.add("listening for false alarms", 1.0, f64::from(stretches)))
        })
        .collect::<anyhow::Result<Vec<Alarms>>>()?;
    bar.clear();
    if let Some(folder) = &args.out {
        write(folder, &figures)?;
    }
    match args.format {
        Format::Text => print(&text(&figures, &alarms))?,
        Format::Json => {
            let value = json!({ "cells": figures, "alarms": alarms, "calibration": tables::curves(&figures) });
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    let missed = figures.iter().any(|cell| !cell.missed.is_empty()) || alarms.iter().any(|alarms| alarms.sure > 0);
    Ok(if missed { Exit::GateFailed } else { Exit::Done })
}

fn verify_pilot(format: Format) -> anyhow::Result<Exit> {
    let bar = Bar::new();
    let ways = pilot::count() as f64;
    let figures = pilot::verify(&|| bar.add("verifying", 1.0, ways))?;
    bar.clear();
    match format {
        Format::Text => print(&pilot::text(&figures))?,
        Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&figures)?))?,
    }
    Ok(if figures.iter().all(|figures| figures.passed) { Exit::Done } else { Exit::GateFailed })
}

fn write(folder: &Path, figures: &[Figures]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    tables::write(folder, figures)?;
    let path = folder.join("verify.svg");
    std::fs::write(&path, picture::svg(figures)).with_context(|| format!("cannot write {}", path.display()))
}

fn text(figures: &[Figures], alarms: &[Alarms]) -> String {
    let mut text = String::new();
    for cells in figures.chunk_by(|a, b| a.family == b.family) {
        table(&mut text, cells);
    }
    // Writing to a string cannot fail.
    for alarms in alarms {
        let sound = match alarms.sound {
            Sound::Speech => "speech",
            Sound::OtherCodes => "other codes",
        };
        let _ = match &alarms.not_run {
            Some(reason) => writeln!(text, "{} in {sound}: not run: {reason}.", alarms.family),
            None => writeln!(
                text,
                "{} in {:.3} h of {sound}, {} codes listened for: {} sure, {} that need their neighbours' support.",
                alarms.family, alarms.hours, alarms.codes, alarms.sure, alarms.possible
            ),
        };
    }
    let _ = writeln!(text, "\nHow often intervals hold the truth, in %, by the level at which they are stated:");
    for curve in tables::curves(figures) {
        let shares: Vec<String> = calibration::LEVELS
            .iter()
            .zip(curve.actual)
            .map(|((nominal, _), actual)| format!("{:.0}: {:.1}", 100.0 * nominal, 100.0 * actual))
            .collect();
        let _ = writeln!(text, "{:<14} {}  ({} beeps)", curve.name, shares.join("  "), curve.beeps);
    }
    let run: Vec<&Figures> = figures.iter().filter(|cell| cell.not_run.is_none()).collect();
    let beeps: usize = run.iter().map(|cell| cell.beeps).sum();
    let heard: usize = run.iter().map(|cell| cell.heard).sum();
    let wrong: usize = run.iter().map(|cell| cell.wrong + cell.strangers).sum();
    let _ = writeln!(text, "\n{heard} of {beeps} beeps heard, {wrong} wrong.");
    let missed = run.iter().filter(|cell| !cell.missed.is_empty()).count();
    let _ = match missed {
        0 => writeln!(text, "All {} cells that were run meet their goals.", run.len()),
        _ => writeln!(text, "{missed} of {} cells miss their goals.", run.len()),
    };
    text
}

fn table(text: &mut String, cells: &[Figures]) {
    let _ = writeln!(
        text,
        "{:<44} {:>9} {:>5} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        cells.first().map_or("", |cell| cell.family.name()),
        "heard",
        "wrong",
        "bias µs",
        "spread",
        "worst",
        "unknown",
        "in mode",
        "/ CRLB",
        "in 95 %"
    );
    let shown = |figure: Option<f64>, digits: usize| figure.map_or("–".to_owned(), |f| format!("{f:.digits$}"));
    for cell in cells {
        if let Some(reason) = &cell.not_run {
            let _ = writeln!(text, "{:<44} not run: {reason}", cell.way);
            continue;
        }
        let _ = write!(
            text,
            "{:<44} {:>9} {:>5} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
            cell.way,
            format!("{}/{}", cell.heard, cell.beeps),
            cell.wrong + cell.strangers,
            shown(cell.bias_us, 1),
            shown(cell.spread_us, 1),
            shown(cell.worst_us, 1),
            shown(cell.unknown_worst_us.filter(|worst| Some(*worst) != cell.worst_us), 1),
            shown(cell.within_mode_us, 1),
            shown(cell.over_bound, 2),
            shown(cell.covered(calibration::STATED).map(|share| 100.0 * share), 0),
        );
        let drift = cell.drift_ppm.map(|ppm| format!("  drift within {ppm:.2} ppm")).unwrap_or_default();
        let missed = match &cell.missed[..] {
            [] => String::new(),
            missed => format!("  MISSES: {}", missed.join("; ")),
        };
        let ambiguous = if cell.ambiguous > 0 { format!("  {} ambiguous", cell.ambiguous) } else { String::new() };
        let _ = writeln!(text, "{ambiguous}{drift}{missed}");
    }
    text.push('\n');
}
