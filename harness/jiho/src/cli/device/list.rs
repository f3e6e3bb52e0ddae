//! `jiho device list`: the sound systems and their devices.

use jiho_drivers::device::hosts::{HostInfo, hosts};
use jiho_drivers::device::{DeviceInfo, system};

use super::super::print;
use crate::exit::Exit;

pub(super) fn run() -> anyhow::Result<Exit> {
    let devices = system().list();
    print(&format!("{}{}", table(devices.as_deref().unwrap_or_default()), missing(&hosts())))?;
    devices?;
    Ok(Exit::Done)
}

fn table(devices: &[DeviceInfo]) -> String {
    devices.iter().map(row).collect()
}

fn row(device: &DeviceInfo) -> String {
    let DeviceInfo { id, name, host, inputs, outputs, rates, formats, default_input, default_output } = device;
    let rates: Vec<String> = rates.iter().map(|rate| rate.0.to_string()).collect();
    let direction = |verb: &str, channels: u16, default: bool| match (channels, default) {
        (0, _) => format!("does not {verb}"),
        (channels, false) => format!("{verb}s {channels} channels"),
        (channels, true) => format!("{verb}s {channels} channels (the default)"),
    };
    format!(
        "{id}\n  {name} ({host})\n  {}, {}\n  {}; {}\n",
        direction("record", *inputs, *default_input),
        direction("play", *outputs, *default_output),
        if rates.is_empty() { "none of the usual rates".to_owned() } else { format!("{} Hz", rates.join(", ")) },
        formats.join(", "),
    )
}

/// The sound systems that cannot be used, a line each.
fn missing(hosts: &[HostInfo]) -> String {
    hosts.iter().filter_map(|host| Some(format!("{}: {}\n", host.name, host.lacks.as_ref()?))).collect()
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
            formats: vec!["i32".to_owned(), "i16".to_owned()],
            default_input: false,
            default_output: true,
        };
        let expected = "alsa:hw:CARD=0\n  Headset (ALSA)\n  does not record, plays 2 channels (the default)\n  \
                        44100, 48000 Hz; i32, i16\n";
        assert_eq!(table(&[device]), expected);
    }

    #[test]
    fn a_sound_system_that_cannot_be_used_says_what_it_lacks() {
        let host =
            |name: &str, lacks: Option<&str>| HostInfo { name: name.to_owned(), lacks: lacks.map(str::to_owned) };
        assert_eq!(missing(&[host("alsa", None), host("jack", Some("not built in"))]), "jack: not built in\n");
    }
}
