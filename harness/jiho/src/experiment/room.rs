//! `[room.NAME]`: a room that somebody else wrote, in place of ours.

use std::collections::BTreeMap;

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::external::{PlainRtp, Ready};
use super::one_of;
use super::text::duration;

/// Which room.
// There is one of them in an experiment.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// WebRTC from everybody to everybody.
    Mesh(MeshPart),
    /// Janus, which forwards.
    Videoroom(VideoroomPart),
    /// Janus, which mixes.
    Audiobridge(AudiobridgePart),
    /// A Mumble server.
    Mumble(MumblePart),
    /// Whatever takes WHIP and gives WHEP.
    Whip(WhipPart),
    /// Whatever the user's own commands start.
    Command(CommandPart),
}

/// Who takes part in a WebRTC room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// Chromium, whose microphone and loudspeaker are on the bus.
    #[default]
    Browser,
    /// A probe of ours, by WebRTC.
    Probe,
    /// A probe of ours, by plain RTP.
    Rtp,
}

/// What a browser does to what its microphone gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Processing {
    /// Takes out of it what the loudspeaker plays.
    pub echo_cancellation: bool,
    /// Takes noise out of it.
    pub noise_suppression: bool,
    /// Steers its level.
    pub gain_control: bool,
}

/// How somebody comes from the audience to the stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promoted {
    /// What there was to hear by stays, and something to speak by is added.
    #[default]
    InPlace,
    /// By leaving, and coming again as a speaker.
    Rejoin,
}

/// `[room.mesh]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeshPart {
    /// Who takes part.
    pub client: Client,
    /// The browser's.
    pub processing: Processing,
    /// The way to the stage.
    pub promotion: Promoted,
}

/// `[room.videoroom]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VideoroomPart {
    /// Who takes part.
    pub client: Client,
    /// The browser's.
    pub processing: Processing,
    /// The way to the stage.
    pub promotion: Promoted,
}

/// `[room.audiobridge]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AudiobridgePart {
    /// Who takes part.
    pub client: Client,
    /// The browser's.
    pub processing: Processing,
    /// The way to the stage: in place by being unmuted.
    pub promotion: Promoted,
    /// How many packets the bridge has of everybody before it mixes them; `None`: its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prebuffering: Option<u32>,
}

/// `[room.mumble]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MumblePart {
    /// Where it is, as `host:port`; `None`: one is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The server's password, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// `[room.whip]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WhipPart {
    /// Who takes part.
    pub client: Client,
    /// The browser's.
    pub processing: Processing,
    /// Where a speaker's offer goes; `{name}` stands for the speaker's. `None`: a relay of ours is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// Where an offer goes to hear a speaker; `{name}` stands for the speaker's, `{listener}` for who hears. Without
    /// `{name}` all speakers are heard by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play: Option<String>,
    /// The bearer token that is sent along, if one is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// `[room.command]`: commands for a shell. Each has in its environment who it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandPart {
    /// Starts what serves the room; runs until the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// When that is ready; `None`: at once.
    #[serde(deserialize_with = "one_of::some", skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Is somebody's client: runs from when they come until they leave. With `rtp`: lets somebody in, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// When a client is in the room; `None`: at once.
    #[serde(deserialize_with = "one_of::some", skip_serializing_if = "Option::is_none")]
    pub joined: Option<Ready>,
    /// Takes somebody out, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<String>,
    /// Brings somebody to the stage, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<String>,
    /// Brings somebody back to the audience, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demote: Option<String>,
    /// Mutes somebody, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mute: Option<String>,
    /// Lets somebody be heard again, and ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmute: Option<String>,
    /// Mouths and ears are our probes, by plain RTP; `None`: they are devices on the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp: Option<PlainRtp>,
    /// Whatever is not ready, or has not ended, by then has failed.
    #[serde(with = "duration")]
    pub patience: Nanos,
    /// How long anything may take to end by itself once it has been told to (`SIGTERM`), before it is killed.
    #[serde(with = "duration")]
    pub stop: Nanos,
    /// What all commands' environment has besides jiho's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl Default for CommandPart {
    fn default() -> Self {
        Self {
            start: None,
            ready: None,
            join: None,
            joined: None,
            leave: None,
            promote: None,
            demote: None,
            mute: None,
            unmute: None,
            rtp: None,
            patience: Nanos::from_secs(10),
            stop: Nanos::from_secs(3),
            env: BTreeMap::new(),
        }
    }
}

/// Where mouths and ears of a room are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouths {
    /// Devices on the bus.
    Bus,
    /// Probes of ours, on the network.
    Network,
}

impl Room {
    /// All names by which a room can be asked for.
    pub const NAMES: [&str; 6] = ["mesh", "videoroom", "audiobridge", "mumble", "whip", "command"];

    /// The one of that name, with its usual settings.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mesh" => Self::Mesh(MeshPart::default()),
            "videoroom" => Self::Videoroom(VideoroomPart::default()),
            "audiobridge" => Self::Audiobridge(AudiobridgePart::default()),
            "mumble" => Self::Mumble(MumblePart::default()),
            "whip" => Self::Whip(WhipPart::default()),
            "command" => Self::Command(CommandPart::default()),
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mesh(_) => "mesh",
            Self::Videoroom(_) => "videoroom",
            Self::Audiobridge(_) => "audiobridge",
            Self::Mumble(_) => "mumble",
            Self::Whip(_) => "whip",
            Self::Command(_) => "command",
        }
    }

    /// Who takes part, where there is a choice.
    pub fn client(&self) -> Option<Client> {
        match self {
            Self::Mesh(part) => Some(part.client),
            Self::Videoroom(part) => Some(part.client),
            Self::Audiobridge(part) => Some(part.client),
            Self::Whip(part) => Some(part.client),
            Self::Mumble(_) | Self::Command(_) => None,
        }
    }

    /// The same with other clients.
    ///
    /// # Errors
    /// There is no choice; in words.
    pub fn with_client(mut self, client: Client) -> Result<Self, String> {
        match &mut self {
            Self::Mesh(part) => part.client = client,
            Self::Videoroom(part) => part.client = client,
            Self::Audiobridge(part) => part.client = client,
            Self::Whip(part) => part.client = client,
            Self::Mumble(_) | Self::Command(_) => {
                return Err(format!("room {} has clients of one kind only", self.name()));
            }
        }
        Ok(self)
    }

    /// Where mouths and ears are.
    pub fn mouths(&self) -> Mouths {
        match self {
            Self::Mumble(_) => Mouths::Network,
            Self::Command(part) if part.rtp.is_none() => Mouths::Bus,
            Self::Command(_) => Mouths::Network,
            Self::Mesh(_) | Self::Videoroom(_) | Self::Audiobridge(_) | Self::Whip(_) => match self.client() {
                Some(Client::Browser) => Mouths::Bus,
                _ => Mouths::Network,
            },
        }
    }

    /// How long everybody needs to come in and settle, before the first beep.
    pub fn warmup(&self) -> Nanos {
        match self.mouths() {
            // A browser's jitter buffer, which grows while browsers start, needs that long to shrink again.
            Mouths::Bus => Nanos::from_secs(12),
            Mouths::Network => Nanos::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_room_is_known_by_its_name() {
        for name in Room::NAMES {
            assert_eq!(Room::named(name).unwrap().name(), name);
            // And by that name in a file.
            let file = toml::to_string(&BTreeMap::from([("room", Room::named(name).unwrap())])).unwrap();
            assert!(file.contains(&format!("[room.{name}]")), "{file}");
        }
        assert_eq!(Room::named("zoom"), None);
    }
}
