//! `jiho listen`: what arrives at a sound device, as it arrives.

use jiho_analysis::units::{Nanos, Rate};

use super::analyze::Codes;
use super::speak::BeatArgs;
use super::{Format, print};
use crate::exit::Exit;
use crate::experiment::{LONGEST, parse_duration};
use crate::live::listen::listen;
use crate::live::sound::Sound;

/// Listen at a sound device, and say what arrives: each time signal with its code, score and level, how late it is by the
/// wall clocks, and how much later than the first of the others, about two seconds after it sounded. Nothing is kept: `jiho
/// hear` records.
///
/// What comes after another code at the same ear is later by so much, whatever clocks show. What is late by the clock is
/// right if the speaker keeps to its wall clock (`jiho speak --device … --at-wall-clock`, with the same --period and
/// --spread), if both hosts' clocks agree, but for the devices' own delays, and up to whole periods.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho listen
  jiho listen --device pulseaudio:bus.monitor --codes 0-3
  jiho listen --format json > arrivals.jsonl

Exit codes: 0 something was surely heard · 1 the device cannot be had, or ends in the middle · 2 for wrong usage · 4 nothing \
was surely heard")]
pub(super) struct Args {
    /// The device, by its id from `jiho device list` [default: the system's own]
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// The device's samples per second.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// The codes to listen for, such as 0,1 or 0-7.
    #[arg(long, default_value = "0-15")]
    codes: Codes,
    #[command(flatten)]
    beats: BeatArgs,
    /// When to stop, with its unit [default: at Ctrl-C, or after 12h]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Nanos>,
    /// Lines for people, or an object a line for programs.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let sound = Sound {
        device: args.device.clone().filter(|id| id != "default"),
        name: "device".to_owned(),
        rate: Rate(args.rate),
        duration: args.duration.unwrap_or(LONGEST),
        out: std::path::PathBuf::new(),
    };
    let sure = listen(&sound, &args.beats.signal(), &args.codes.0, &mut |row| {
        let line = match args.format {
            Format::Text => row.text(),
            Format::Json => format!("{}\n", serde_json::json!({ "arrival": row })),
        };
        Ok(print(&line)?)
    })?;
    Ok(if sure > 0 { Exit::Done } else { Exit::Nothing })
}
