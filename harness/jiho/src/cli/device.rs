//! `jiho device`: which sound devices there are.

use clap::Subcommand;
use jiho_drivers::device::{DeviceInfo, system};

use super::print;
use crate::exit::Exit;

/// Sound devices.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sound devices, with the ids by which other commands take them.
    ///
    /// Channels that it can record and play, and the usual sampling rates that it takes, stand beside each.
    List,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match args.action {
        Action::List => print(&table(&system().list()?))?,
    }
    Ok(Exit::Done)
}

fn table(devices: &[DeviceInfo]) -> String {
    devices.iter().map(row).collect()
}

fn row(device: &DeviceInfo) -> String {
    let DeviceInfo { id, name, host, inputs, outputs, rates, default_input, default_output } = device;
    let rates: Vec<String> = rates.iter().map(|rate| rate.0.to_string()).collect();
    let direction = |verb: &str, channels: u16, default: bool| match (channels, default) {
        (0, _) => format!("does not {verb}"),
        (channels, false) => format!("{verb}s {channels} channels"),
        (channels, true) => format!("{verb}s {channels} channels (the default)"),
    };
    format!(
        "{id}\n  {name} ({host})\n  {}, {}\n  {}\n",
        direction("record", *inputs, *default_input),
        direction("play", *outputs, *default_output),
        if rates.is_empty() { "none of the usual rates".to_owned() } else { format!("{} Hz", rates.join(", ")) },
    )
}

#[cfg(test)]
mod tests {
    use jiho_analysis::units::Rate;

    use super::*;

    #[test]
    fn a_device_is_shown_with_all_that_it_can_do() {
        let device = DeviceInfo {
            id: "alsa:hw:CARD=0".to_owned(),
            name: "Headset".to_owned(),
            host: "ALSA".to_owned(),
            inputs: 0,
            outputs: 2,
            rates: vec![Rate(44_100), Rate(48_000)],
            default_input: false,
            default_output: true,
        };
        let expected = "alsa:hw:CARD=0\n  Headset (ALSA)\n  does not record, plays 2 channels (the default)\n  \
                        44100, 48000 Hz\n";
        assert_eq!(table(&[device]), expected);
    }
}
