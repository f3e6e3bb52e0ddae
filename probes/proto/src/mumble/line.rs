//! What a client's engine and its control connection have to tell each other while packets flow.

use std::sync::{Arc, Mutex, PoisonError};

use jiho_analysis::units::Nanos;

use super::crypt::{Counts, KEY_BYTES};

/// Between the engine of one client, on its own thread, and the client's control connection. Clones are the same line.
///
/// Nonces get out of step when more packets in a row are lost than one byte counts. Either side then asks the other for
/// the nonce that it has come to, over the control connection (Mumble.proto, message `CryptSetup`).
#[derive(Clone, Debug, Default)]
pub struct VoiceLine(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    own_nonce: [u8; KEY_BYTES],
    server_nonce: Option<[u8; KEY_BYTES]>,
    resync_wanted: bool,
    traffic: VoiceTraffic,
}

/// What has come and gone on a client's encrypted channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoiceTraffic {
    /// The server's packets, by their nonces.
    pub received: Counts,
    /// Datagrams from the server that could not be decrypted or came too late or twice.
    pub undecrypted: u64,
    /// Datagrams from the server that were decrypted, and then were no voice packets that we understand.
    pub malformed: u64,
    /// Datagrams from elsewhere.
    pub foreign: u64,
    /// Voice packets sent.
    pub sent: u64,
    /// Packets of the engine's that cannot be sent as voice: not RTP, of another payload type, or too long.
    pub unsendable: u64,
    /// How often nonces were agreed on anew.
    pub resyncs: u32,
    /// How often a ping has come back: until the first does, nobody knows whether datagrams get through.
    pub pings_answered: u32,
    /// How long the last of these pings took.
    pub round_trip: Option<Nanos>,
}

impl VoiceLine {
    /// For the control connection: the nonce of the packet that the engine has sent last.
    pub fn own_nonce(&self) -> [u8; KEY_BYTES] {
        self.with(|state| state.own_nonce)
    }

    /// For the control connection: the nonce of the packet that the server has sent last. The engine goes on from there
    /// at its next packet.
    pub fn set_server_nonce(&self, nonce: [u8; KEY_BYTES]) {
        self.with(|state| state.server_nonce = Some(nonce));
    }

    /// For the control connection: whether the engine wants the server's nonce. Tells once.
    pub fn take_resync_wanted(&self) -> bool {
        self.with(|state| std::mem::take(&mut state.resync_wanted))
    }

    /// What the engine has counted so far.
    pub fn traffic(&self) -> VoiceTraffic {
        self.with(|state| state.traffic)
    }

    pub(super) fn take_server_nonce(&self) -> Option<[u8; KEY_BYTES]> {
        self.with(|state| state.server_nonce.take())
    }

    pub(super) fn want_resync(&self) {
        self.with(|state| state.resync_wanted = true);
    }

    pub(super) fn publish(&self, own_nonce: [u8; KEY_BYTES], traffic: VoiceTraffic) {
        self.with(|state| {
            state.own_nonce = own_nonce;
            state.traffic = traffic;
        });
    }

    /// Held for as long as a few words are copied: the engine's thread has packets to send.
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
