//! `jiho device survey`: which family of time signals suits the path from one sound device to another.

use std::path::PathBuf;
use std::time::Duration;

use jiho_analysis::units::{Nanos, Rate};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::{DEFAULT_BUFFER_FRAMES, system};

use super::super::signal::survey::compared;
use crate::cli::Format;
use crate::cli::bar::Bar;
use crate::exit::{Exit, UsageError};
use crate::experiment::{duration_text, parse_duration};
use crate::live::passed::{Through, pass};
use crate::run::folder::Folder;
use crate::run::usual_folder;
use crate::survey::plan::{Plan, SHORTEST};

/// Play all families of time signals into a sound device, record what comes back, and say which one suits the path.
///
/// The path is whatever is between: a cable, a room, a call in which one party's loudspeaker is recorded. What echo
/// cancellation, noise suppression and gain control leave of each family stands side by side, as `jiho signal survey` has it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho device survey
  jiho device survey --play pulseaudio:ana-mouth --record pulseaudio:lena-ear.monitor --each 8s

Exit codes: 0 one is recommended · 1 a device does not run · 2 wrong usage · 3 even that one is heard less than half of the \
time, or a device ended before its time · 4 none came through")]
pub(super) struct Args {
    /// The device that plays, by its id from `jiho device list` [default: the system's own]
    #[arg(long, value_name = "ID")]
    play: Option<String>,
    /// The device that records.
    #[arg(long, value_name = "ID")]
    record: Option<String>,
    /// For how long each family sounds; one beep a second. Those without codes take 40 s more.
    #[arg(long, value_name = "DURATION", default_value = "16s", value_parser = parse_duration)]
    each: Nanos,
    /// Samples per second of both.
    #[arg(long, value_name = "HZ", default_value_t = Rate::OPUS.0, value_parser = clap::value_parser!(u32).range(8_000..=384_000))]
    rate: u32,
    /// Frames in a device's buffer.
    #[arg(long, value_name = "FRAMES", default_value_t = DEFAULT_BUFFER_FRAMES, value_parser = clap::value_parser!(u32).range(16..=16_384))]
    buffer: u32,
    /// Play on this channel only, counted from 1 [default: on all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    output_channel: Option<u16>,
    /// Record this channel, counted from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    input_channel: u16,
    /// The folder for sent.wav, received.wav and survey.csv [default: runs/device-survey-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A report for people, or the same as JSON.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How often what was recorded is fetched.
const TICK: Duration = Duration::from_millis(20);

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if args.each < SHORTEST {
        let shortest = duration_text(SHORTEST);
        return Err(UsageError::say(format!("--each is at least {shortest}: every code sounds once")).into());
    }
    let named = |id: &Option<String>| id.clone().filter(|id| id != "default");
    let through = Through {
        play: named(&args.play),
        record: named(&args.record),
        rate: Rate(args.rate),
        buffer_frames: args.buffer,
        output_channel: args.output_channel.map(|channel| channel - 1),
        input_channel: args.input_channel - 1,
    };
    let folder = Folder::create(&args.out.clone().unwrap_or_else(|| usual_folder("device-survey")))?;
    let [sent, received] = ["sent.wav", "received.wav"].map(|name| folder.path().join(name));
    let plan = Plan::new(args.each);
    plan.write(&sent, through.rate)?;
    let (bar, clock) = (Bar::new(), RunClock::start());
    let total = plan.length().as_secs_f64();
    let ended = pass(system().as_ref(), clock, &through, &sent, &received, &mut || {
        std::thread::sleep(TICK);
        let now = clock.now();
        bar.show("playing and recording", now.since_start().as_secs_f64().min(total), total);
        now
    })?;
    bar.clear();
    let exit = compared(&sent, &received, None, Some(folder.path()), args.format)?;
    match ended {
        Some(which) => {
            crate::live::say(&format!("the {which} device ended before its time: what came until then was judged"));
            Ok(Exit::worst([exit, Exit::Inconclusive]))
        }
        None => Ok(exit),
    }
}
