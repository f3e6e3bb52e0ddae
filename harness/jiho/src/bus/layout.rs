//! Which channel of the bus is whose.

use jiho_relay::check_name;
use serde::{Deserialize, Serialize};

use crate::exit::UsageError;

/// PulseAudio's sinks have no more channels.
const MOST_CHANNELS: u16 = 32;
/// Of these numbers of channels a client takes for loudspeakers round a room, and sound servers mix them into one another;
/// of the others each channel is by itself.
const SURROUND: [u16; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12];

/// A mouth and an ear for each party, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layout {
    parties: Vec<String>,
}

impl Layout {
    /// For parties of these names.
    ///
    /// # Errors
    /// There is none, there are too many for one card, or a name cannot be one or is there twice.
    pub fn new(parties: Vec<String>) -> Result<Self, UsageError> {
        if parties.is_empty() {
            return Err(UsageError::say("a bus is for somebody: name the parties that speak and hear on it"));
        }
        let most = usize::from(MOST_CHANNELS / 2);
        if parties.len() > most {
            let text = format!("a bus has {MOST_CHANNELS} channels, two for each party: {most} parties at most");
            return Err(UsageError::say(text));
        }
        for (n, name) in parties.iter().enumerate() {
            check_name(name).map_err(|error| UsageError::say(format!("party {name:?}: {error}")))?;
            if !name.is_ascii() {
                return Err(UsageError::say(format!("party {name:?}: sound servers know devices by ASCII names only")));
            }
            if parties[..n].contains(name) {
                return Err(UsageError::say(format!("party {name:?} is there twice: each needs a name of its own")));
            }
        }
        Ok(Self { parties })
    }

    /// Their names.
    pub fn parties(&self) -> &[String] {
        &self.parties
    }

    /// Where a party is, by its name.
    pub fn of(&self, name: &str) -> Option<usize> {
        self.parties.iter().position(|party| party == name)
    }

    /// The channel of a party's mouth, from 0.
    pub fn mouth(party: usize) -> u16 {
        2 * party as u16
    }

    /// The channel of a party's ear, from 0.
    pub fn ear(party: usize) -> u16 {
        2 * party as u16 + 1
    }

    /// How many channels the bus has: two for each party, and where those would be taken for loudspeakers round a room, more.
    pub fn channels(&self) -> u16 {
        let wanted = 2 * self.parties.len() as u16;
        (wanted..=MOST_CHANNELS).find(|channels| !SURROUND.contains(channels)).unwrap_or(MOST_CHANNELS)
    }

    /// What PulseAudio has to load for it, in its script's words (`man default.pa`); the socket comes last, so that whoever
    /// can connect finds all of it. `norewinds`: what has been handed over is not changed any more, and a sink that nobody
    /// listens to works in blocks of 50 ms and not of 2 s.
    pub(super) fn script(&self, socket: &str, rate: u32, devices: PartysDevices) -> String {
        let aux = |channel: u16| format!("aux{channel}");
        let map: Vec<String> = (0..self.channels()).map(aux).collect();
        let mut script = format!(
            "load-module module-null-sink sink_name=bus rate={rate} channels={} channel_map={} norewinds=1\n",
            map.len(),
            map.join(",")
        );
        let one = |channel: u16| format!("channels=1 channel_map=mono master_channel_map={} remix=no", aux(channel));
        let with_devices = self.parties.iter().enumerate().filter(|_| devices == PartysDevices::There);
        for (n, name) in with_devices {
            let [mouth, ear] = [one(Self::mouth(n)), one(Self::ear(n))];
            for line in [
                format!("module-remap-sink sink_name={} master=bus {mouth}", Devices::mouth(name)),
                format!("module-remap-sink sink_name={} master=bus {ear}", Devices::ear(name)),
                format!("module-remap-source source_name={} master=bus.monitor {mouth}", Devices::microphone(name)),
            ] {
                script.push_str(&format!("load-module {line}\n"));
            }
        }
        if let (Some(first), PartysDevices::There) = (self.parties.first(), devices) {
            let (ear, microphone) = (Devices::ear(first), Devices::microphone(first));
            script.push_str(&format!("set-default-sink {ear}\nset-default-source {microphone}\n"));
        }
        script.push_str(&format!("load-module module-native-protocol-unix auth-anonymous=1 socket={socket}\n"));
        script
    }
}

/// Whether each party has devices of its own, for programs that know nothing of the bus: each costs the server some work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartysDevices {
    /// A mouth, a microphone and an ear.
    There,
    /// Only the bus itself.
    LeftOut,
}

/// A party's devices, by the names that the sound server has for them.
#[derive(Clone, Copy, Debug)]
pub struct Devices;

impl Devices {
    /// All channels, to be played on.
    pub const BUS: &str = "bus";
    /// All channels, to be recorded.
    pub const ALL: &str = "bus.monitor";

    /// Where the party's voice is played into.
    pub fn mouth(party: &str) -> String {
        format!("{party}-mouth")
    }

    /// Where the party's client records from.
    pub fn microphone(party: &str) -> String {
        format!("{party}-microphone")
    }

    /// Where the party's client plays to.
    pub fn ear(party: &str) -> String {
        format!("{party}-ear")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(count: usize) -> Layout {
        Layout::new((0..count).map(|n| format!("p{n}")).collect()).unwrap()
    }

    #[test]
    fn each_channel_is_one_mouth_or_one_ear_and_never_a_loudspeaker_round_a_room() {
        for (parties, channels) in [(1, 9), (4, 9), (5, 11), (6, 13), (7, 14), (16, 32)] {
            let layout = layout(parties);
            assert_eq!(layout.channels(), channels, "{parties}");
            let mut used: Vec<u16> = (0..parties).flat_map(|n| [Layout::mouth(n), Layout::ear(n)]).collect();
            used.dedup();
            assert_eq!(used, (0..2 * parties as u16).collect::<Vec<_>>());
            assert!(used.len() <= usize::from(channels) && !SURROUND.contains(&channels));
        }
    }

    #[test]
    fn a_bus_that_cannot_be_says_why() {
        let refused = |names: &[&str]| Layout::new(names.iter().map(|name| (*name).to_owned()).collect()).unwrap_err();
        for (names, words) in [
            (&[][..], "name the parties"),
            (&["ana", "ana"], "\"ana\" is there twice"),
            (&["a b"], "\"a b\""),
            (&["zoë"], "ASCII"),
        ] {
            let said = refused(names).to_string();
            assert!(said.contains(words), "{said}");
        }
        let many: Vec<String> = (0..17).map(|n| format!("p{n}")).collect();
        assert!(Layout::new(many).unwrap_err().to_string().contains("16 parties at most"));
    }

    #[test]
    fn the_server_is_told_of_every_device_before_anybody_can_connect() {
        let script = Layout::new(vec!["ana".to_owned(), "lena".to_owned()]).unwrap().script(
            "/run/x/socket",
            48_000,
            PartysDevices::There,
        );
        insta::assert_snapshot!(script);
    }
}
