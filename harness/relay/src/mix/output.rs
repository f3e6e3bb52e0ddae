//! One mix on its way to everybody who hears just this one: coded once, however many they are.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use jiho_proto::codec::{CodecConfig, CodecError, Encoder};
use jiho_proto::wire::rtp;

/// Whose sound is in a mix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selection {
    /// Names of speakers; `None`: all.
    pub(crate) only: Option<BTreeSet<String>>,
    /// Who hears it on stage, and not themselves: a mix-minus.
    pub(crate) without: Option<String>,
}

impl Selection {
    pub(super) fn has(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|names| names.contains(name)) && self.without.as_deref() != Some(name)
    }
}

/// A stream of our own (RFC 3550, section 7.1: a mixer).
#[derive(Debug)]
pub(super) struct Mix {
    pub(super) ssrc: u32,
    pub(super) destinations: Vec<SocketAddr>,
    /// Whether any seat is to hear it, be it later.
    pub(super) wanted: bool,
    codec: CodecConfig,
    encoder: Encoder,
    sequence: u16,
    paused: bool,
    payload: Vec<u8>,
}

impl Mix {
    /// Errors if the codec cannot be set like this.
    pub(super) fn new(ssrc: u32, codec: &CodecConfig) -> Result<Self, CodecError> {
        let encoder = Encoder::new(codec)?;
        let (destinations, payload) = (Vec::new(), Vec::new());
        // The first sequence number needs to be hard to guess for encryption only (RFC 3550, section 5.1).
        Ok(Self {
            ssrc,
            destinations,
            wanted: true,
            codec: *codec,
            encoder,
            sequence: ssrc as u16,
            paused: true,
            payload,
        })
    }

    /// Codes a frame and appends its packet, unless the mix pauses. The timestamp is the mixer's, so that all its
    /// streams have one.
    pub(super) fn code(&mut self, frame: &[f32], position: i64, csrc: &[u32], bytes: &mut Vec<u8>) {
        if self.encoder.encode(frame, &mut self.payload).is_err() {
            return;
        }
        let pause = self.codec.is_pause(&self.payload);
        if !(pause && self.paused) {
            let packet = rtp::Repr {
                marker: self.paused,
                payload_type: self.codec.payload_type(),
                sequence: self.sequence,
                // It wraps on the wire.
                timestamp: position as u32,
                ssrc: self.ssrc,
                payload: &self.payload,
            };
            packet.emit_mixed(csrc, bytes);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.paused = pause;
    }

    /// The sound stopped altogether: the next packet is the first after a pause.
    pub(super) fn pause(&mut self) {
        self.paused = true;
    }
}
