//! `jiho track`: pilots in anybody's recordings.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiho_analysis::signal::Code;
use jiho_analysis::track::{Break, Points, Segment, breaks};
use jiho_analysis::units::{Nanos, RunTime, SampleClock};
use jiho_drivers::sidecar::Sidecar;
use jiho_drivers::wav::Reader;
use rayon::prelude::*;

use super::analyze::Codes;
use super::bar::Bar;
use super::{Format, print};
use crate::exit::{Exit, UsageError};
use crate::report::breaks::{BreakRow, summary};
use crate::report::table::Table;
use crate::report::track::TrackRow;
use crate::run::folder::Folder;
use crate::takes;
use crate::tracking::track_file;

/// Track pilots in recordings: say which instant of a pilot each piece holds, and what broke it off.
///
/// A pilot is the endless coded voice of `jiho signal render --family pilot`. Of each code and channel: in how much of the
/// recording it is, how much later the recording's time is than the pilot's (its lag; differences of lags are differences
/// of delays), and every break, with its kind, its silence, the programme that was lost in it and the step of the delay.
/// These three are found apart: silence − lost − step is nothing if they are right.
///
/// Runs with [signal.pilot] are measured by `jiho run` and `jiho analyze`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho track room.wav
  jiho track phone.wav laptop.wav --codes 0-3 --out tracked
  jiho track room.wav --format json | jq '.breaks[] | {kind, silence_ns, lost_ns, step_ns}'

Exit codes: 0 tracked · 4 no pilot was found")]
pub(super) struct Args {
    /// Recordings in any format that `analyze` reads, all channels of each.
    #[arg(required = true, value_name = "RECORDING")]
    recordings: Vec<PathBuf>,
    /// The codes to look for, such as 0,1 or 0-7. Each that does not sound costs as much time as several that do.
    #[arg(long, default_value = "0-7")]
    codes: Codes,
    /// Also write track.csv (a row per 100 ms) and breaks.csv into this folder, which is made.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A report for people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One channel of a recording.
#[derive(Default)]
struct Take {
    name: String,
    clock: Option<SampleClock>,
    segments: Vec<Segment>,
    breaks: Vec<Break>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut total = 0.0;
    for path in &args.recordings {
        total += takes::seconds(path).map_err(UsageError::new)?;
    }
    let folder = args.out.as_deref().map(Folder::create).transpose()?;
    let table = folder.as_ref().map(|folder| Table::create(&folder.track())).transpose()?.map(Mutex::new);
    let bar = Bar::new();
    let progress = |seconds| bar.add("tracking", seconds, total);
    let takes: Vec<Vec<Take>> = args
        .recordings
        .par_iter()
        .map(|path| track(path, &args.codes.0, table.as_ref(), &progress))
        .collect::<anyhow::Result<_>>()?;
    bar.clear();
    let takes: Vec<Take> = takes.into_iter().flatten().collect();
    if let Some(table) = table {
        table.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).flush()?;
    }
    let rows = || {
        takes.iter().flat_map(|take| {
            take.breaks.iter().filter_map(|found| Some(BreakRow::found(take.name.clone(), found, &take.clock?)))
        })
    };
    if let Some(folder) = &folder {
        Table::write(&folder.breaks(), rows())?;
    }
    match args.format {
        Format::Text => print(&takes.iter().map(|take| text(take, &args.codes.0)).collect::<String>())?,
        Format::Json => {
            let pilots: Vec<_> =
                takes.iter().flat_map(|take| args.codes.0.iter().filter_map(|&code| json(take, code))).collect();
            let value = serde_json::json!({ "pilots": pilots, "breaks": rows().collect::<Vec<_>>() });
            print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
        }
    }
    Ok(if takes.iter().all(|take| take.segments.is_empty()) { Exit::Nothing } else { Exit::Done })
}

fn track(
    path: &Path,
    codes: &[Code],
    table: Option<&Mutex<Table<TrackRow>>>,
    progress: &(dyn Fn(f64) + Sync),
) -> anyhow::Result<Vec<Take>> {
    let reader = Reader::open(path).map_err(UsageError::new)?;
    let beside = Sidecar::path_beside(path);
    let start = if beside.is_file() { Sidecar::read(&beside)?.start } else { RunTime::START };
    let clock = SampleClock::new(start, reader.rate());
    let mut takes: Vec<Take> = (1..=reader.channels())
        .map(|channel| Take { name: format!("{}#{channel}", path.display()), clock: Some(clock), ..Take::default() })
        .collect();
    let mut points: BTreeMap<usize, Points> = BTreeMap::new();
    let mut written = Ok(());
    let told = &mut |channel: usize, tracked: jiho_analysis::track::Tracked| {
        let (take, points) = (&mut takes[channel], points.entry(channel).or_default());
        take.segments.extend(tracked.segments);
        let Some(table) = table else { return };
        // Rows of one block stay together, and a thread that panicked has written whole ones.
        let mut table = table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for point in tracked.blocks.iter().filter_map(|block| points.add(block)) {
            if written.is_ok() {
                written = table.row(&TrackRow::found(take.name.clone(), &point, &clock));
            }
        }
    };
    let file = track_file(path, codes, usize::MAX, told, progress)?;
    written?;
    if let Some(truncated) = file.truncated {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("jiho: {}: {truncated}\n", path.display()).as_bytes(),
        );
    }
    for take in &mut takes {
        take.breaks = codes.iter().flat_map(|&code| breaks(code, &take.segments)).collect();
    }
    Ok(takes)
}

/// How long a pilot is in a recording.
fn present(take: &Take, code: Code) -> Option<(Nanos, &Segment, &Segment)> {
    let mut own = take.segments.iter().filter(|segment| segment.code == code);
    let first = own.next()?;
    let length = |segment: &Segment| segment.to.at - segment.from.at;
    Some((own.clone().map(length).fold(length(first), |sum, more| sum + more), first, own.next_back().unwrap_or(first)))
}

fn text(take: &Take, codes: &[Code]) -> String {
    let mut text = format!("{}\n", take.name);
    if take.segments.is_empty() {
        text.push_str(
            "  no pilot found; was `jiho signal render --family pilot` played, and are its --codes looked for?\n",
        );
    }
    for &code in codes {
        let Some((present, first, last)) = present(take, code) else { continue };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  code {code}: {:.3} s of it, from {:.3} s to {:.3} s; lag {:.3} ms, at the end {:+.3} ms",
            present.as_secs_f64(),
            first.from.at.as_secs_f64(),
            last.to.at.as_secs_f64(),
            first.from.settled.value.as_millis_f64(),
            last.to.settled.step_from(&first.from.settled).as_millis_f64(),
        );
        let own: Vec<Break> = take.breaks.iter().filter(|found| found.code == code).copied().collect();
        if !own.is_empty() {
            let _ = writeln!(text, "  {}:", summary(&own));
        }
        for found in &own {
            let slope = found.slope().map_or(String::new(), |slope| format!(", {:+.1} %", 100.0 * slope));
            let _ = writeln!(
                text,
                "    {:>12.3} ms  {:<16} silence {:>9.1} ms  lost {:>9.1} ms  step {:>+10.3} ms{slope}",
                found.last_before.as_millis_f64(),
                found.kind.name(),
                found.silence.as_millis_f64(),
                found.lost.as_millis_f64(),
                found.step.as_millis_f64(),
            );
        }
    }
    text
}

fn json(take: &Take, code: Code) -> Option<serde_json::Value> {
    let (present, first, last) = present(take, code)?;
    Some(serde_json::json!({
        "recorder": take.name,
        "code": code,
        "present_ns": present,
        "from_ns": first.from.at,
        "to_ns": last.to.at,
        "lag_ns": first.from.settled.value,
        "lag_at_end_ns": last.to.settled.value,
        "breaks": take.breaks.iter().filter(|found| found.code == code).count(),
    }))
}
