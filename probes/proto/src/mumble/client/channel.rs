//! A client's encrypted channel: RTP on our side, datagrams on the server's.

use jiho_analysis::units::{Nanos, RunTime};

use super::streams::Streams;
use crate::mumble::crypt::{Crypt, Keys};
use crate::mumble::line::{VoiceLine, VoiceTraffic};
use crate::mumble::voice::{Packet, Sender, TARGET_NORMAL, UNIT_SAMPLES, Voice};
use crate::wire::rtp;
use crate::wire::unwrap::Unwrapper;

/// For how long nothing may be decrypted before the server is asked for its nonce, and before it is asked again.
const RESYNC_PATIENCE: Nanos = Nanos::from_secs(5);

#[derive(Debug)]
pub(super) struct Channel {
    crypt: Crypt,
    payload_type: u8,
    sending: Unwrapper,
    streams: Streams,
    line: VoiceLine,
    traffic: VoiceTraffic,
    /// When nonces were known to be in step, or the server was asked for its own.
    in_step: Option<RunTime>,
    plain: Vec<u8>,
    datagram: Vec<u8>,
    rtp: Vec<u8>,
}

impl Channel {
    pub(super) fn new(keys: &Keys, payload_type: u8) -> Self {
        Self {
            crypt: Crypt::client(keys),
            payload_type,
            sending: Unwrapper::default(),
            streams: Streams::default(),
            line: VoiceLine::default(),
            traffic: VoiceTraffic::default(),
            in_step: None,
            plain: Vec::new(),
            datagram: Vec::new(),
            rtp: Vec::new(),
        }
    }

    pub(super) fn set_line(&mut self, line: VoiceLine) {
        self.line = line;
        self.publish();
    }

    pub(super) fn traffic(&self) -> VoiceTraffic {
        self.traffic
    }

    pub(super) fn publish(&self) {
        self.line.publish(self.crypt.own_nonce(), self.traffic);
    }

    pub(super) fn note_foreign(&mut self) {
        self.traffic.foreign += 1;
    }

    /// What is to be sent, after [`say`](Self::say) or [`ping`](Self::ping).
    pub(super) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// Makes a datagram of what the engine sends; false: there is none, for it is no voice.
    pub(super) fn say(&mut self, data: &[u8]) -> bool {
        let said = self.voice(data);
        *(if said { &mut self.traffic.sent } else { &mut self.traffic.unsendable }) += 1;
        said
    }

    /// Makes a datagram of a ping. Its time stamp, the run time, comes back in the answer.
    pub(super) fn ping(&mut self, now: RunTime) {
        self.encrypt(&Packet::Ping { timestamp: now.0.cast_unsigned() });
    }

    /// Takes a datagram from the server and gives what is in it as RTP, if it is somebody's voice.
    pub(super) fn hear(&mut self, received: RunTime, datagram: &[u8]) -> Option<&[u8]> {
        if let Some(nonce) = self.line.take_server_nonce() {
            self.crypt.resync(nonce);
            self.traffic.resyncs += 1;
        }
        if self.crypt.decrypt(datagram, &mut self.plain).is_err() {
            self.traffic.undecrypted += 1;
            self.be_in_step(received);
            return None;
        }
        self.in_step = Some(received);
        self.traffic.received = self.crypt.counts();
        let voice = match Packet::parse(&self.plain, Sender::Server) {
            Ok(Packet::Voice(voice)) => voice,
            Ok(Packet::Ping { timestamp }) => {
                self.traffic.pings_answered += 1;
                self.traffic.round_trip = Some(Nanos(received.0.saturating_sub(timestamp.cast_signed())));
                return None;
            }
            Err(_) => {
                self.traffic.malformed += 1;
                return None;
            }
        };
        let packet = self.streams.packet(&voice, received, self.payload_type)?;
        self.rtp.clear();
        packet.emit(&mut self.rtp);
        Some(&self.rtp)
    }

    /// Asks for the server's nonce, if nothing has been decrypted for long.
    fn be_in_step(&mut self, received: RunTime) {
        let since = *self.in_step.get_or_insert(received);
        if received - since >= RESYNC_PATIENCE {
            self.in_step = Some(received);
            self.line.want_resync();
        }
    }

    fn voice(&mut self, data: &[u8]) -> bool {
        let packet = match rtp::Packet::new_checked(data) {
            Ok(packet) if packet.payload_type() == self.payload_type => packet,
            _ => return false,
        };
        let units = self.sending.timestamp(packet.timestamp()).div_euclid(UNIT_SAMPLES.into());
        // What was captured before timestamps began at zero has no number in Mumble.
        let Ok(sequence) = u64::try_from(units) else { return false };
        self.encrypt(&Packet::Voice(Voice {
            target: TARGET_NORMAL,
            session: None,
            sequence,
            terminator: false,
            payload: packet.payload(),
            position: &[],
        }))
    }

    fn encrypt(&mut self, packet: &Packet<'_>) -> bool {
        self.plain.clear();
        self.datagram.clear();
        let fits = packet.emit(&mut self.plain).is_ok();
        if fits {
            self.crypt.encrypt(&self.plain, &mut self.datagram);
        }
        fits
    }
}
