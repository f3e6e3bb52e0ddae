//! `jiho analyze`: recordings that are there already, ours or anybody's.

mod codes;
mod files;
mod folders;
mod live;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::codes::Codes;
use super::{Format, signal};
use crate::exit::{Exit, UsageError};
use crate::experiment::parse_duration;

/// Find time signals in recordings: in folders of runs, or in anybody's recordings.
///
/// Folders: everybody's beeps are found in everybody's recordings, again or for the first time; several folders are
/// parts of one room (`jiho speak`, `jiho hear`) and are put on one time line by their wall clocks.
///
/// Recordings (WAV of 8 to 32 bits or float, FLAC, MP3, M4A, AAC, Opus and Vorbis in Ogg or WebM, AIFF, CAF; 8 to 384 kHz, up
/// to 64 channels): which codes are in them, when, how clearly; and how much later each is than the same code in the first file (or the one of --against), and than the
/// first code in the same channel. Files are held to have begun at one instant; a difference within one file needs no
/// such faith.
///
/// A recording that is still being made (--follow), or that comes through a pipe (-): each time signal is said as soon as
/// it is heard, about two seconds after it sounded, and the report follows at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho analyze runs/first-20260101T120000Z
  jiho analyze runs/ana-* runs/lena-*
  jiho analyze phone.m4a laptop.wav
  jiho analyze room.wav --against ana.wav --codes 0,1 --out found
  jiho analyze runs/lena-20260101T120000Z/ear-lena.wav --follow
  arecord -f S16_LE -r 48000 | jiho analyze - --codes 0-3")]
pub(super) struct Args {
    /// Folders of runs, or recordings; - for one that comes through standard input.
    #[arg(required = true, value_name = "FOLDER|RECORDING|-")]
    paths: Vec<PathBuf>,
    /// For one WAV file that is still being recorded: go on to its end, which is where its sidecar says that it is
    /// complete, where nothing more has come for the time of --patience, or Ctrl-C.
    #[arg(long)]
    follow: bool,
    /// For --follow: how long a file may stay as it is before it is held to be complete.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_patience)]
    patience: Duration,
    /// For recordings: the one that the others are compared with [default: the first]
    #[arg(long, value_name = "RECORDING")]
    against: Option<PathBuf>,
    /// For recordings: the codes to look for, such as 0,1 or 0-7.
    #[arg(long, default_value = "all")]
    codes: Codes,
    /// For recordings: the family of time signals to look for.
    #[arg(long, value_enum, default_value_t)]
    family: signal::Family,
    /// For recordings: also write arrivals.csv and differences.csv into this folder, which is made. Tables of runs are
    /// written into their own folder, the first one named.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A report for people, or the same as JSON; one object a line while sound is still coming.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if matches!(args.family, signal::Family::Pilot) {
        return Err(UsageError::say("a pilot has no beeps to look for: use `jiho track` for recordings of one").into());
    }
    if args.follow || args.paths.iter().any(|path| path == Path::new("-")) {
        return live::analyze(args);
    }
    for path in &args.paths {
        if !path.exists() {
            return Err(UsageError::say(format!("{}: there is no such file or folder", path.display())).into());
        }
    }
    let folders = args.paths.iter().filter(|path| path.is_dir()).count();
    match folders {
        0 => files::analyze(args),
        n if n == args.paths.len() => folders::analyze(args),
        _ => Err(UsageError::say("give either folders of runs or recordings, not both at once").into()),
    }
}

fn parse_patience(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(|span| Duration::from_nanos(span.0.unsigned_abs()))
}
