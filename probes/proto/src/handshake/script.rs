//! Which flights each profile exchanges, how large they are, and when each side is ready.

use super::{Profile, Retransmit, Side};
use jiho_analysis::units::Nanos;

/// One flight, sent by the client if its number is even, and by the server if it is odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// As `events.csv` has it.
    pub name: &'static str,
    /// Of the datagram.
    pub size_bytes: usize,
    /// When it is sent again.
    pub timer: Timer,
}

/// When a flight is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// When no answer has come for [`Retransmit::stun`], then for twice as long, and so on.
    Stun,
    /// The same with [`Retransmit::dtls`].
    Dtls,
    /// When what it answers comes again.
    None,
}

impl Timer {
    pub(super) fn first(self, retransmit: &Retransmit) -> Option<Nanos> {
        match self {
            Self::Stun => Some(retransmit.stun),
            Self::Dtls => Some(retransmit.dtls),
            Self::None => None,
        }
    }
}

/// A profile's flights, and with which of them each side is ready for media: once it has been sent by that side, or
/// received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) flights: &'static [Flight],
    client_ready: usize,
    server_ready: usize,
}

impl Script {
    pub(super) fn of(profile: Profile) -> Self {
        match profile {
            Profile::Warm => Self { flights: &[], client_ready: 0, server_ready: 0 },
            Profile::SecondTransport => Self { flights: SECOND_TRANSPORT, client_ready: 3, server_ready: 3 },
            Profile::WebrtcDtls12 => Self { flights: WEBRTC_DTLS12, client_ready: 5, server_ready: 5 },
            Profile::WebrtcDtls13 => Self { flights: WEBRTC_DTLS13, client_ready: 4, server_ready: 4 },
            Profile::TierSwitch => Self { flights: TIER_SWITCH, client_ready: 1, server_ready: 1 },
        }
    }

    pub(super) fn ready(&self, side: Side) -> usize {
        match side {
            Side::Client => self.client_ready,
            Side::Server => self.server_ready,
        }
    }
}

const fn flight(name: &'static str, size_bytes: usize, timer: Timer) -> Flight {
    Flight { name, size_bytes, timer }
}

const SECOND_TRANSPORT: &[Flight] = &[
    flight("hello", 48, Timer::Stun),
    flight("cookie", 64, Timer::None),
    flight("key", 160, Timer::Stun),
    flight("key_confirmed", 160, Timer::None),
];

// Sizes are those of a real stack's datagrams: str0m 0.24 with a certificate for ECDSA on P-256. No cookie is exchanged,
// as in real stacks: the connectivity check has shown already that the address is the client's.
const WEBRTC_DTLS12: &[Flight] = &[
    flight("stun_request", 112, Timer::Stun),
    flight("stun_response", 64, Timer::None),
    flight("client_hello", 118, Timer::Dtls),
    flight("server_hello", 634, Timer::Dtls),
    flight("client_finished", 588, Timer::Dtls),
    flight("server_finished", 75, Timer::None),
];

const WEBRTC_DTLS13: &[Flight] = &[
    flight("stun_request", 112, Timer::Stun),
    flight("stun_response", 64, Timer::None),
    flight("client_hello", 1150, Timer::Dtls),
    flight("server_hello", 747, Timer::Dtls),
    flight("client_finished", 544, Timer::Dtls),
    flight("ack", 72, Timer::None),
];

const TIER_SWITCH: &[Flight] = &[flight("switch", 48, Timer::Stun), flight("switched", 48, Timer::None)];
