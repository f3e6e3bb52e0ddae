//! Anybody's recordings, of which nothing is known but their sound.

use std::fmt::Write;

use jiho_analysis::signal::Code;

use super::Args;
use crate::cli::bar::Bar;
use crate::cli::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::report::median_text;
use crate::report::table::Table;
use crate::report::{arrivals, differences};
use crate::run::folder::Folder;
use crate::takes::{self, Difference, Take};

pub(super) fn analyze(args: &Args) -> anyhow::Result<Exit> {
    let mut paths = args.paths.clone();
    if let Some(against) = &args.against {
        paths.retain(|path| path != against);
        paths.insert(0, against.clone());
    }
    let mut total = 0.0;
    for path in &paths {
        total += takes::seconds(path).map_err(UsageError::new)?;
    }
    let bar = Bar::new();
    let hearing = |seconds| bar.add("hearing", seconds, total);
    let takes = takes::takes(&paths, args.family.into(), &args.codes.0, &hearing)?;
    bar.clear();
    let found = differences_of(&takes);
    if let Some(out) = &args.out {
        write_tables(&Folder::create(out)?, &takes, &found)?;
    }
    match args.format {
        Format::Text => print(&text(&takes, &found))?,
        Format::Json => {
            let arrivals: Vec<_> = arrivals::of_takes(&takes).collect();
            let differences: Vec<_> = differences::rows(&takes, &found).collect();
            let value = serde_json::json!({ "arrivals": arrivals, "differences": differences });
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    Ok(verdict(&takes))
}

/// All differences to the first recording that holds a signal.
pub(super) fn differences_of(takes: &[Take]) -> Vec<Difference> {
    let reference = takes.iter().position(|take| !take.voices.is_empty());
    reference.map(|reference| takes::differences(takes, reference)).unwrap_or_default()
}

pub(super) fn write_tables(folder: &Folder, takes: &[Take], found: &[Difference]) -> anyhow::Result<()> {
    Table::write(&folder.arrivals(), arrivals::of_takes(takes))?;
    Ok(Table::write(&folder.path().join("differences.csv"), differences::rows(takes, found))?)
}

pub(super) fn verdict(takes: &[Take]) -> Exit {
    if takes.iter().any(|take| !take.voices.is_empty()) { Exit::Done } else { Exit::Nothing }
}

pub(super) fn text(takes: &[Take], differences: &[Difference]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for take in takes {
        let seconds = take.recorder.clock.rate.span(take.recorder.samples).as_secs_f64();
        let hz = take.recorder.clock.rate.0;
        let _ = writeln!(text, "{}: {seconds:.1} s at {hz} Hz", take.name());
        if let Some(truncated) = &take.truncated {
            let _ = writeln!(text, "  warning: {truncated}");
        }
        for (code, detections) in &take.voices {
            let sure = detections.iter().filter(|d| d.is_sure()).count();
            let mean = |part: fn(&jiho_analysis::hear::Detection) -> f64| {
                jiho_analysis::stats::median(&detections.iter().map(part).collect::<Vec<_>>()).unwrap_or(f64::NAN)
            };
            let first = detections.first().map_or(0.0, |d| d.position / take.recorder.clock.rate.hz());
            let _ = writeln!(
                text,
                "  code {code}: {} arrivals, {sure} of them sure; the first {first:.6} s in; score {:.2}, SNR {:.0} dB \
                 (medians)",
                detections.len(),
                mean(|d| d.score),
                mean(|d| d.snr_db)
            );
        }
        if take.voices.is_empty() {
            let _ = writeln!(text, "  {}", nothing_found(take.peak));
        }
    }
    let named = |(take, code): (usize, Code)| format!("code {code} in {}", takes[take].name());
    for (title, same) in [("Between recordings", false), ("At one ear (needs no synchronised clocks)", true)] {
        let found: Vec<_> = differences.iter().filter(|d| (d.from.0 == d.to.0) == same).collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{title}, in ms: median [95 % interval], range, beeps in common");
        for difference in found {
            let delays = &difference.delays;
            let Some(distribution) = &delays.distribution else { continue };
            let drift = delays.drift_ppm.map_or(String::new(), |ppm| format!(", drift {ppm:+.1} ppm"));
            let doubt = if delays.ambiguous > 0 { ", ambiguous" } else { "" };
            let _ = writeln!(
                text,
                "  {} comes {} after {}; {:.3} to {:.3}, {}/{}{drift}{doubt}",
                named(difference.to),
                median_text(distribution, 3),
                named(difference.from),
                distribution.quantile_ms(0.0),
                distribution.quantile_ms(1.0),
                delays.heard + delays.ambiguous,
                delays.expected,
            );
        }
    }
    if takes.iter().any(|take| !take.placed) && differences.iter().any(|d| d.from.0 != d.to.0) {
        let _ = writeln!(text, "Recordings without a sidecar are held to have begun at the same instant.");
    }
    text
}

/// Why nothing may have been found, and what to do.
fn nothing_found(peak: f32) -> String {
    let level_db = 20.0 * peak.log10();
    match level_db {
        level if level < -80.0 => "no signal found: it is silent; was the right input recorded?".to_owned(),
        level if level < -50.0 => {
            format!("no signal found: it is faint (peak {level:.0} dBFS); record it louder, or nearer to the source")
        }
        level => format!(
            "no signal found (peak {level:.0} dBFS); was one of `jiho signal render` played? Any family but voiced \
             needs its --family"
        ),
    }
}
