//! What a promotion exchanges before media flows on the new path: real datagrams, each answered, each sent again until
//! it is.
//!
//! A [`Profile`] says which flights go back and forth; an [`Exchange`] is one side of them, a state machine that takes
//! the time and datagrams. Signalling (the grant, an offer and its answer) goes over the control connection, and is not
//! part of it.

mod exchange;
mod script;

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

pub use exchange::{Act, Exchange, MAX_SENDS, Side};
pub use script::{Flight, Timer};

/// How somebody comes from the audience to the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// What is exchanged.
    pub profile: Profile,
    /// The old path goes on until the relay serves the new one; otherwise it ends with the grant, and what follows is
    /// silence.
    pub overlap: bool,
    /// How long the subject's sound device takes to stop and begin again, once the new transport is ready.
    pub device_restart: Nanos,
    /// When flights are sent again.
    pub retransmit: Retransmit,
}

/// What is exchanged before media flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Nothing: the grant is enough, all is kept ready.
    Warm,
    /// A further transport of some protocol of its own: a round trip for a cookie, one for keys.
    SecondTransport,
    /// As WebRTC with DTLS 1.2: offer and answer, a connectivity check, two round trips of DTLS.
    WebrtcDtls12,
    /// As WebRTC with DTLS 1.3: one round trip of DTLS.
    WebrtcDtls13,
    /// From a delayed audience path to the live one: one round trip.
    TierSwitch,
}

/// The first wait for an answer; each further one is twice as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retransmit {
    /// Of connectivity checks, and of protocols of their own: 500 ms (RFC 8489, section 6.2.1).
    pub stun: Nanos,
    /// Of DTLS: 1 s (RFC 6347, section 4.2.4.1; RFC 9147, section 5.8.2).
    pub dtls: Nanos,
}

impl Promotion {
    /// A profile with the standards' timers, without overlap and without a device that restarts.
    pub fn of(profile: Profile) -> Self {
        Self { profile, overlap: false, device_restart: Nanos::ZERO, retransmit: Retransmit::default() }
    }
}

impl Default for Promotion {
    fn default() -> Self {
        Self::of(Profile::Warm)
    }
}

impl Default for Retransmit {
    fn default() -> Self {
        Self { stun: Nanos::from_millis(500), dtls: Nanos::from_secs(1) }
    }
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Warm, Self::SecondTransport, Self::WebrtcDtls12, Self::WebrtcDtls13, Self::TierSwitch];

    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::SecondTransport => "second_transport",
            Self::WebrtcDtls12 => "webrtc_dtls12",
            Self::WebrtcDtls13 => "webrtc_dtls13",
            Self::TierSwitch => "tier_switch",
        }
    }

    /// Whether the new transport is negotiated with an offer and its answer. Everybody who is to hear the subject
    /// negotiates too then, so that the relay waits for their word before it sends them anything.
    pub fn negotiates(self) -> bool {
        matches!(self, Self::WebrtcDtls12 | Self::WebrtcDtls13)
    }

    /// Whether the path that was there stays, jitter buffers and all.
    pub fn keeps_path(self) -> bool {
        self == Self::Warm
    }
}
