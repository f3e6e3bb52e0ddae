//! The parts of an experiment that say whose role changes when, and how somebody comes to the stage.

use jiho_analysis::units::Nanos;
use jiho_proto::control::Action;
use jiho_proto::handshake::{Profile, Promotion, Retransmit};
use serde::{Deserialize, Serialize};

use super::text::duration;

/// `[[event]]`: something that happens in the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// From the end of the warm-up.
    #[serde(with = "duration")]
    pub at: Nanos,
    /// What, and to whom.
    #[serde(flatten)]
    pub what: Occasion,
}

/// What happens, with the name of whom it happens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Comes into the room, in place of being there from the beginning.
    Join(String),
    /// Leaves it for good.
    Leave(String),
    /// From the audience to the stage.
    Promote(String),
    /// From the stage to the audience.
    Demote(String),
    /// Sends no more.
    Mute(String),
    /// Sends again.
    Unmute(String),
}

impl Occasion {
    /// To whom it happens.
    pub fn name(&self) -> &str {
        match self {
            Self::Join(name)
            | Self::Leave(name)
            | Self::Promote(name)
            | Self::Demote(name)
            | Self::Mute(name)
            | Self::Unmute(name) => name,
        }
    }

    /// What a moderator commands for it; `None`: the participant does it without one.
    pub fn action(&self) -> Option<Action> {
        Some(match self.clone() {
            Self::Join(_) | Self::Leave(_) => return None,
            Self::Promote(name) => Action::Promote(name),
            Self::Demote(name) => Action::Demote(name),
            Self::Mute(name) => Action::Mute(name),
            Self::Unmute(name) => Action::Unmute(name),
        })
    }
}

/// `[promotion.*]`: what is exchanged before somebody who is promoted is on the stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionPart {
    /// Nothing: all is kept ready.
    Warm(PromotionOptions),
    /// A further transport: a cookie and keys.
    SecondTransport(PromotionOptions),
    /// As WebRTC with DTLS 1.2.
    #[serde(rename = "webrtc_dtls12")]
    WebrtcDtls12(PromotionOptions),
    /// As WebRTC with DTLS 1.3.
    #[serde(rename = "webrtc_dtls13")]
    WebrtcDtls13(PromotionOptions),
    /// From a delayed path to the live one.
    TierSwitch(PromotionOptions),
}

/// What all kinds of promotion have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromotionOptions {
    /// The old path goes on until the relay serves the new one.
    pub overlap: bool,
    /// How long the sound device takes to stop and begin again.
    #[serde(with = "duration")]
    pub device_restart: Nanos,
    /// When flights are sent again.
    pub retransmit: RetransmitPart,
}

/// The first wait for an answer; each further one is twice as long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetransmitPart {
    /// Of connectivity checks, and of protocols of their own.
    #[serde(with = "duration")]
    pub stun: Nanos,
    /// Of DTLS.
    #[serde(with = "duration")]
    pub dtls: Nanos,
}

impl Default for RetransmitPart {
    fn default() -> Self {
        let Retransmit { stun, dtls } = Retransmit::default();
        Self { stun, dtls }
    }
}

impl Default for PromotionPart {
    fn default() -> Self {
        Self::Warm(PromotionOptions::default())
    }
}

impl PromotionPart {
    /// The profile, which is also the key's name, and its options.
    pub fn parts(&self) -> (Profile, &PromotionOptions) {
        match self {
            Self::Warm(options) => (Profile::Warm, options),
            Self::SecondTransport(options) => (Profile::SecondTransport, options),
            Self::WebrtcDtls12(options) => (Profile::WebrtcDtls12, options),
            Self::WebrtcDtls13(options) => (Profile::WebrtcDtls13, options),
            Self::TierSwitch(options) => (Profile::TierSwitch, options),
        }
    }
}

impl From<&PromotionPart> for Promotion {
    fn from(part: &PromotionPart) -> Self {
        let (profile, PromotionOptions { overlap, device_restart, retransmit }) = part.parts();
        let retransmit = Retransmit { stun: retransmit.stun, dtls: retransmit.dtls };
        Self { profile, overlap: *overlap, device_restart: *device_restart, retransmit }
    }
}
