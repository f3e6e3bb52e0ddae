//! `jiho device bus`: one virtual sound card for all mouths and ears of a room.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::super::print;
use crate::bus::{Bus, Devices, Layout, PartysDevices};
use crate::exit::{Exit, UsageError};
use crate::experiment::Experiment;

/// Bring up one virtual sound card whose channels are all mouths and all ears of a room on this host, or end it.
///
/// It is a PulseAudio server of its own, which nobody else meets. Each party has a mouth that its voice is played into, a
/// microphone that its client records from, and an ear that its client plays to: point any program at them. One recording of
/// the bus holds all mouths and all ears on one clock, so that delays between them need no clocks.
///
/// `jiho run --on device` uses the bus that is up, and else brings up one of its own and ends it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Up(Up),
    Down(Down),
}

/// Start the sound server, and say how programs are pointed at it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  jiho device bus up ana ben lena
  jiho device bus up --experiment room.toml --format json
  eval \"$(jiho device bus up ana ben --format shell)\"; PULSE_SOURCE=ana-microphone PULSE_SINK=ana-ear chromium …

Exit codes: 0 it is up · 1 the server does not start · 2 a program is missing, a bus is up already, or a name cannot be one")]
struct Up {
    /// The parties: 16 at most.
    #[arg(value_name = "NAME", required_unless_present = "experiment")]
    parties: Vec<String>,
    /// Those who take part in an experiment.
    #[arg(long, value_name = "FILE", conflicts_with = "parties")]
    experiment: Option<PathBuf>,
    /// Where its socket and its state are; it must not exist yet [default: one for each user]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// How it is said.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// The environment, for a shell.
    Shell,
    /// For programs.
    Json,
}

/// End the sound server, and all that is at it.
#[derive(Debug, clap::Args)]
struct Down {
    /// Where it was brought up [default: one for each user]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Up(args) => up(args),
        Action::Down(args) => down(args),
    }
}

fn up(args: &Up) -> anyhow::Result<Exit> {
    let parties = match &args.experiment {
        Some(file) => Experiment::load(file)?.everybody().map(str::to_owned).collect(),
        None => args.parties.clone(),
    };
    let layout = Layout::new(parties)?;
    let bus = Bus::up(&args.folder.clone().unwrap_or_else(Bus::usual_folder), layout, PartysDevices::There)?;
    print(&match args.format {
        Format::Text => text(&bus),
        Format::Shell => environment(&bus).join("\n") + "\n",
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&json(&bus))?),
    })?;
    Ok(Exit::Done)
}

fn environment(bus: &Bus) -> [String; 3] {
    bus.environment().map(|(name, value)| format!("export {name}={value}"))
}

fn text(bus: &Bus) -> String {
    let parties = bus.layout.parties();
    let width =
        parties.iter().map(|name| Devices::microphone(name).len()).max().unwrap_or(0).max("microphone (source)".len());
    let mut text = format!(
        "The bus is up: a PulseAudio server, process {}, {}.\n{} records all {} channels of it.\n\n",
        bus.pid,
        bus.real_time.said(),
        Devices::ALL,
        bus.layout.channels()
    );
    let mut line = |cells: [&str; 4]| {
        let [channels, mouth, microphone, ear] = cells;
        let row = format!("{channels:10}{mouth:width$}  {microphone:width$}  {ear}");
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(["channels", "mouth (sink)", "microphone (source)", "ear (sink)"]);
    for (n, name) in parties.iter().enumerate() {
        let channels = format!("{}, {}", Layout::mouth(n) + 1, Layout::ear(n) + 1);
        line([&channels, &Devices::mouth(name), &Devices::microphone(name), &Devices::ear(name)]);
    }
    format!(
        "{text}\nPrograms find it by\n  {}\nand their devices by PULSE_SOURCE and PULSE_SINK. `jiho device bus down` ends it.\n",
        environment(bus).join("\n  ")
    )
}

fn json(bus: &Bus) -> serde_json::Value {
    let parties = bus.layout.parties().iter().enumerate().map(|(n, name)| {
        serde_json::json!({
            "name": name,
            "mouth": { "sink": Devices::mouth(name), "channel": Layout::mouth(n) + 1 },
            "microphone": { "source": Devices::microphone(name) },
            "ear": { "sink": Devices::ear(name), "channel": Layout::ear(n) + 1 },
        })
    });
    serde_json::json!({
        "folder": bus.folder,
        "pulse_server": bus.server(),
        "environment": bus.environment().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "pid": bus.pid,
        "real_time_refused": bus.real_time.refused(),
        "all": { "source": Devices::ALL, "channels": bus.layout.channels() },
        "parties": parties.collect::<Vec<_>>(),
    })
}

fn down(args: &Down) -> anyhow::Result<Exit> {
    let folder = args.folder.clone().unwrap_or_else(Bus::usual_folder);
    let bus = Bus::at(&folder).ok_or_else(|| UsageError::say(format!("no bus is up in {}", folder.display())))?;
    bus.down();
    print(&format!("The bus for {} has ended.\n", bus.layout.parties().join(", ")))?;
    Ok(Exit::Done)
}
