//! `jiho device loopback`: the round trip of a device, or of a pair.

use std::time::Duration;

use clap::ValueEnum;
use jiho_analysis::device::Finding;
use jiho_analysis::units::Rate;
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::{DEFAULT_BUFFER_FRAMES, system};

use super::super::print;
use crate::exit::Exit;
use crate::live::loopback::{Asked, Outcome, run as looped};
use crate::report::loopback::{LoopbackRow, text};

/// Measure a sound device's round trip: play coded beeps, record them, and say how late they come back.
///
/// Needs a way back from what plays to what records: a cable, a loudspeaker beside a microphone, or a virtual device with
/// its monitor. The figure is that of this run, by the devices' own stamps: what a recording by the same devices has to be
/// corrected by. Systems place their first sample anew each time: loop anew for each measurement.
///
/// The first two beeps wake the devices and are not counted. Drift between two cards is measured by the sound and taken
/// out. Xruns are found by each stream's count against its stamps, whether the device owns up to them or not. What is
/// wrong is named with the next step.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho device loopback
  jiho device loopback --device pulseaudio:bus --beeps 30
  jiho device loopback --play alsa:hw:CARD=0 --record alsa:hw:CARD=1 --output-channel 1 --format json
  jiho device loopback --device jack:system --straight-channel 1 --input-channel 2

Exit codes: 0 measured · 1 no such device or rate, or it does not run · 2 wrong usage · 3 measured, with findings that make it doubtful · 4 no round trip")]
pub(super) struct Args {
    /// The device that plays and records, by its id from `jiho device list` [default: the system's own]
    #[arg(long, value_name = "ID", conflicts_with_all = ["play", "record"])]
    device: Option<String>,
    /// The device that plays, where it is another one than the one that records.
    #[arg(long, value_name = "ID")]
    play: Option<String>,
    /// The device that records.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// Samples per second of both.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// Frames in a device's buffer: fewer are less late, and stumble more.
    #[arg(long, value_name = "FRAMES", default_value_t = DEFAULT_BUFFER_FRAMES, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    buffer: u32,
    /// How many beeps are measured: 0.6 s each.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(6..=1000))]
    beeps: u32,
    /// How loud beeps are, in dB relative to the loudest that they can be.
    #[arg(long, value_name = "DB", default_value_t = -6.0, allow_negative_numbers = true, value_parser = parse_level)]
    level: f64,
    /// Play on this channel only, counted from 1 [default: on all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    output_channel: Option<u16>,
    /// The channel that the beeps should come back on, counted from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    input_channel: u16,
    /// The channel, counted from 1, on which beeps come straight back, such as over a cable: its round trip, which is what
    /// the devices themselves take, is subtracted from every other channel's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    straight_channel: Option<u16>,
    /// Words for people, or rows for programs: one per channel that beeps came back on, the wanted one first.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// A list of rows.
    Json,
    /// A header and rows.
    Csv,
}

/// How often what was recorded is fetched.
const TICK: Duration = Duration::from_millis(20);

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let named = |id: &Option<String>| id.clone().or_else(|| args.device.clone()).filter(|id| id != "default");
    let asked = Asked {
        play: named(&args.play),
        record: named(&args.record),
        rate: Rate(args.rate),
        buffer_frames: args.buffer,
        beeps: args.beeps,
        gain_db: args.level,
        output_channel: args.output_channel.map(|channel| channel - 1),
        input_channel: args.input_channel - 1,
        straight_channel: args.straight_channel.map(|channel| channel - 1),
    };
    let clock = RunClock::start();
    let outcome = looped(system().as_ref(), clock, &asked, &mut || {
        std::thread::sleep(TICK);
        clock.now()
    })?;
    print(&match args.format {
        Format::Text => text(&asked, &outcome),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&LoopbackRow::all(&asked, &outcome))?),
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in LoopbackRow::all(&asked, &outcome) {
                writer.serialize(row)?;
            }
            String::from_utf8(writer.into_inner().map_err(|error| error.into_error())?)?
        }
    })?;
    Ok(exit(&outcome))
}

fn exit(outcome: &Outcome) -> Exit {
    if outcome.measured.looped.is_none() {
        return Exit::Nothing;
    }
    // An xrun costs the beeps that it hits; an echo is told from what it is an echo of.
    let harmless = |finding: &Finding| matches!(finding, Finding::Xruns { .. } | Finding::Echo { .. });
    let doubtful = outcome.ended.is_some() || !outcome.measured.findings.iter().all(harmless);
    if doubtful { Exit::Inconclusive } else { Exit::Done }
}

fn parse_level(text: &str) -> Result<f64, String> {
    let level: f64 = text.parse().map_err(|_| "a number of dB, such as -6".to_owned())?;
    if (-80.0..=0.0).contains(&level) { Ok(level) } else { Err("from -80 to 0 dB".to_owned()) }
}
