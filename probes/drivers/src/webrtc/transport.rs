//! One WebRTC connection: ICE, DTLS and SRTP over a socket that somebody else reads and writes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Once;
use std::time::Instant;

use jiho_proto::wire::rtp;
use str0m::media::Mid;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, SeqNo, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::{WebRtcError, refused};

/// Datagrams that wait to be sent.
pub(crate) type Leaving = VecDeque<(SocketAddr, Vec<u8>)>;

/// A connection, and what has become of it.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) rtc: Rtc,
    pub(crate) connected: bool,
    pub(crate) failure: Option<String>,
    /// When it wants to be handled next.
    pub(crate) wake: Instant,
}

impl Transport {
    /// One that others reach at an address, and that speaks Opus.
    pub(crate) fn new(address: SocketAddr) -> Result<Self, WebRtcError> {
        prepare();
        let now = Instant::now();
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").map_err(refused)?);
        Ok(Self { rtc, connected: false, failure: None, wake: now })
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            self.failure.get_or_insert(error.to_string());
        }
    }

    /// Takes a datagram that came to its address, if it is one of its own.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, data: &[u8]) -> bool {
        // What is neither STUN nor DTLS nor RTP is nobody's.
        let Ok(contents) = data.try_into() else { return false };
        let input = Input::Receive(now, Receive { proto: Protocol::Udp, source: from, destination: to, contents });
        let own = self.rtc.accepts(&input);
        if own {
            self.handle(input);
        }
        own
    }

    /// Takes from it what is to be sent, and what is to be known.
    pub(crate) fn poll(&mut self, leaving: &mut Leaving, mut noted: impl FnMut(Event)) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(wake)) => {
                    self.wake = wake;
                    return;
                }
                Ok(Output::Transmit(datagram)) => {
                    leaving.push_back((datagram.destination, datagram.contents.to_vec()));
                }
                Ok(Output::Event(event)) => {
                    self.connected |= matches!(event, Event::Connected);
                    noted(event);
                }
                Err(error) => {
                    self.failure.get_or_insert(error.to_string());
                    return;
                }
            }
        }
    }

    /// Sends a packet's payload as one of its media, by another stream and number.
    pub(crate) fn write(
        &mut self,
        mid: Mid,
        packet: &rtp::Packet<'_>,
        ssrc: Ssrc,
        number: u64,
        timestamp: u32,
        now: Instant,
    ) {
        let Some(payload_type) = self.rtc.media(mid).and_then(|media| media.remote_pts().first().copied()) else {
            return;
        };
        let mut api = self.rtc.direct_api();
        // As the SDP says; nothing comes of it once it is so.
        let _ = api.reset_stream_tx(mid, None, ssrc, None);
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return };
        let write = RtpWrite::new(payload_type, SeqNo::from(number), timestamp, now, packet.payload());
        stream.write_rtp(write.marker(packet.marker()));
    }
}

/// Has str0m find its cryptography, once.
pub(crate) fn prepare() {
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(|| str0m::crypto::from_feature_flags().install_process_default());
}

/// A packet as it came by a connection, under the room's payload type and a number.
pub(crate) fn plain(packet: &RtpPacket, payload_type: u8, sequence: u16) -> Vec<u8> {
    let header = &packet.header;
    let mut data = Vec::new();
    rtp::Repr {
        payload_type,
        marker: header.marker,
        sequence,
        timestamp: header.timestamp,
        ssrc: *header.ssrc,
        payload: &packet.payload,
    }
    .emit(&mut data);
    data
}

/// A packet's number without its wrapping: the one with these low bits that is nearest to the last.
pub(crate) fn unwrapped(last: Option<u64>, low: u16) -> u64 {
    last.map_or(u64::from(low), |last| {
        let step = low.wrapping_sub(last as u16) as i16;
        last.saturating_add_signed(i64::from(step))
    })
}
