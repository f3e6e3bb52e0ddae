//! An endpoint in a WebRTC room: str0m speaks ICE, DTLS and SRTP for it, and the endpoint goes on speaking RTP.
//!
//! Whoever signals makes offers and answers by [`Connections`], on any thread; the endpoint's own thread drives them by
//! [`WebRtc`], an [`Engine`] round the endpoint's, on the endpoint's own socket. So packets keep their kernel's stamps, and
//! what is measured is what it is without WebRTC.

pub(crate) mod transport;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiho_analysis::units::RunTime;
use jiho_proto::engine::{Engine, Input, Output};
use jiho_proto::wire::rtp;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::Ssrc;
use str0m::{Event, Input as RtcInput, Rtc};

use self::transport::{Leaving, Transport, plain, prepare, unwrapped};
use crate::clock::RunClock;

/// Why a connection is not made.
#[derive(Debug, thiserror::Error)]
pub enum WebRtcError {
    /// The other side's description is none that can be read.
    #[error("its SDP cannot be read: {0}")]
    Sdp(String),
    /// The other side's description, or a datagram, is not accepted.
    #[error("WebRTC failed: {0}")]
    Refused(String),
    /// There is no such connection.
    #[error("there is no connection {0}")]
    Unknown(String),
    /// A connection that there is already is not negotiated anew.
    #[error("connection {0} is there already: a probe's connections are not negotiated again")]
    Again(String),
}

/// An endpoint's connections, by name. Clones are of the same ones.
#[derive(Clone, Debug)]
pub struct Connections {
    address: SocketAddr,
    /// Of the endpoint's stream on the wire, in each connection.
    ssrc: Ssrc,
    all: Arc<Mutex<BTreeMap<String, Connection>>>,
}

#[derive(Debug)]
struct Connection {
    transport: Transport,
    pending: Option<SdpPendingOffer>,
    /// Whether the endpoint's own sound goes out by it,
    sends: bool,
    /// and as which of its media.
    mid: Option<Mid>,
    /// Packets' numbers without their wrapping.
    sequence: Option<u64>,
}

impl Connections {
    /// Of an endpoint whose socket has this address, on which the others reach it.
    pub fn new(address: SocketAddr) -> Self {
        prepare();
        let ssrc = Rtc::new(Instant::now()).direct_api().new_ssrc();
        Self { address, ssrc, all: Arc::default() }
    }

    /// Makes a connection, and an offer of it, all candidates included: the endpoint `sends` by it, and is ready to hear so
    /// many others.
    ///
    /// # Errors
    /// It is there already, or the socket's address is none that can be offered.
    pub fn offer(&self, name: &str, sends: bool, hears: usize) -> Result<String, WebRtcError> {
        let mut all = self.all();
        if all.contains_key(name) {
            return Err(WebRtcError::Again(name.to_owned()));
        }
        let mut connection = self.connection(sends)?;
        let mut api = connection.transport.rtc.sdp_api();
        let directions = (sends.then_some(match hears {
            0 => Direction::SendOnly,
            _ => Direction::SendRecv,
        }))
        .into_iter()
        .chain((usize::from(sends)..hears).map(|_| Direction::RecvOnly));
        let mids: Vec<Mid> =
            directions.map(|direction| api.add_media(MediaKind::Audio, direction, None, None, None)).collect();
        connection.mid = mids.first().copied().filter(|_| sends);
        let (offer, pending) = api.apply().ok_or_else(|| WebRtcError::Refused("nothing to offer".to_owned()))?;
        connection.pending = Some(pending);
        all.insert(name.to_owned(), connection);
        Ok(with_ssrc(&offer.to_sdp_string(), self.ssrc))
    }

    /// Takes the answer to an offer.
    ///
    /// # Errors
    /// There is no such offer, or the answer does not fit.
    pub fn accept(&self, name: &str, answer: &str) -> Result<(), WebRtcError> {
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| WebRtcError::Sdp(error.to_string()))?;
        let mut all = self.all();
        let unknown = || WebRtcError::Unknown(name.to_owned());
        let connection = all.get_mut(name).ok_or_else(unknown)?;
        let pending = connection.pending.take().ok_or_else(unknown)?;
        connection.transport.rtc.sdp_api().accept_answer(pending, answer).map_err(refused)
    }

    /// Makes a connection from an offer, and gives the answer.
    ///
    /// # Errors
    /// It is there already, or the offer cannot be taken.
    pub fn answer(&self, name: &str, offer: &str, sends: bool) -> Result<String, WebRtcError> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| WebRtcError::Sdp(error.to_string()))?;
        let mut all = self.all();
        if all.contains_key(name) {
            return Err(WebRtcError::Again(name.to_owned()));
        }
        let mut connection = self.connection(sends)?;
        let answer = connection.transport.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        all.insert(name.to_owned(), connection);
        Ok(with_ssrc(&answer.to_sdp_string(), self.ssrc))
    }

    /// Whether a connection is up.
    ///
    /// # Errors
    /// There is none of that name, or it has failed.
    pub fn is_connected(&self, name: &str) -> Result<bool, WebRtcError> {
        let all = self.all();
        let connection = all.get(name).ok_or_else(|| WebRtcError::Unknown(name.to_owned()))?;
        match &connection.transport.failure {
            Some(failure) => Err(WebRtcError::Refused(failure.clone())),
            None => Ok(connection.transport.connected),
        }
    }

    /// Closes a connection, if it is there.
    pub fn close(&self, name: &str) {
        if let Some(mut connection) = self.all().remove(name) {
            connection.transport.rtc.disconnect();
        }
    }

    /// Closes all of them.
    pub fn close_all(&self) {
        self.all().values_mut().for_each(|connection| connection.transport.rtc.disconnect());
        self.all().clear();
    }

    fn connection(&self, sends: bool) -> Result<Connection, WebRtcError> {
        Ok(Connection { transport: Transport::new(self.address)?, pending: None, sends, mid: None, sequence: None })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Connection>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An SDP whose streams, one at most, have this SSRC (RFC 5576, section 4.1): each of an endpoint's connections has the same, so
/// that its packets are known by it wherever they come.
fn with_ssrc(sdp: &str, ssrc: Ssrc) -> String {
    let line = |line: &str| match line.strip_prefix("a=ssrc:").and_then(|rest| rest.split_once(' ')) {
        Some((_, attribute)) => format!("a=ssrc:{} {attribute}\r\n", *ssrc),
        None => format!("{line}\r\n"),
    };
    sdp.lines().map(line).collect()
}

fn refused(error: impl std::fmt::Display) -> WebRtcError {
    WebRtcError::Refused(error.to_string())
}

/// An endpoint's engine with its connections round it: what it sends goes out by each connection that sends, and what comes by
/// any of them is to it as if it had come from its own address.
#[derive(Debug)]
pub struct WebRtc<E> {
    engine: E,
    connections: Connections,
    clock: RunClock,
    payload_type: u8,
    /// To be sent.
    leaving: Leaving,
    /// To be given to the endpoint, with the stamps of the datagrams that they came in.
    arrived: VecDeque<(RunTime, Vec<u8>)>,
    wake: Option<RunTime>,
    now: RunTime,
    lent: Vec<u8>,
    ear: Vec<f32>,
}

impl<E: Engine> WebRtc<E> {
    /// Puts connections round an endpoint that sends and expects packets of this type.
    pub fn new(engine: E, connections: Connections, clock: RunClock, payload_type: u8) -> Self {
        Self {
            engine,
            connections,
            clock,
            payload_type,
            leaving: VecDeque::new(),
            arrived: VecDeque::new(),
            wake: None,
            now: RunTime(i64::MIN),
            lent: Vec::new(),
            ear: Vec::new(),
        }
    }

    /// Lets all connections do what is due.
    fn drive(&mut self, received: RunTime) {
        let now = self.clock.instant(self.now);
        let mut all = self.connections.all();
        let mut wake: Option<Instant> = None;
        for connection in all.values_mut() {
            connection.transport.handle(RtcInput::Timeout(now));
            connection.poll(self.payload_type, received, &mut self.leaving, &mut self.arrived);
            let due = connection.transport.wake;
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
        }
        drop(all);
        self.wake = wake.map(|wake| self.clock.at(wake).max(self.now));
    }

    fn receive(&mut self, from: SocketAddr, received: RunTime, data: &[u8]) {
        let now = self.clock.instant(self.now);
        let to = self.connections.address;
        let mut all = self.connections.all();
        if let Some(connection) = all
            .values_mut()
            .find_map(|connection| connection.transport.receive(now, from, to, data).then_some(connection))
        {
            connection.poll(self.payload_type, received, &mut self.leaving, &mut self.arrived);
        }
    }

    /// What the endpoint says of its stream, by the number that others know it by.
    fn on_the_wire(&self, event: jiho_proto::event::Event) -> jiho_proto::event::Event {
        use jiho_proto::event::{Event, SentPacket};
        let ssrc = *self.connections.ssrc;
        match event {
            Event::MouthOpened { clock, .. } => Event::MouthOpened { clock, ssrc },
            Event::Sent(packet) => Event::Sent(SentPacket { ssrc, ..packet }),
            event => event,
        }
    }

    /// Sends one of the endpoint's packets by every connection that sends.
    fn send(&mut self, data: &[u8]) {
        let Ok(packet) = rtp::Packet::new_checked(data) else { return };
        let now = self.clock.instant(self.now);
        let mut all = self.connections.all();
        for connection in all.values_mut().filter(|connection| connection.sends && connection.transport.connected) {
            connection.write(&packet, self.connections.ssrc, now);
            connection.transport.handle(RtcInput::Timeout(now));
            connection.poll(self.payload_type, self.now, &mut self.leaving, &mut self.arrived);
        }
    }
}

impl Connection {
    fn poll(
        &mut self,
        payload_type: u8,
        received: RunTime,
        leaving: &mut Leaving,
        arrived: &mut VecDeque<(RunTime, Vec<u8>)>,
    ) {
        let Self { transport, sends, mid, .. } = self;
        transport.poll(leaving, |event| match event {
            Event::MediaAdded(added) if *sends && mid.is_none() => *mid = Some(added.mid),
            // Empty ones probe the way.
            Event::RtpPacket(packet) if !packet.payload.is_empty() => {
                arrived.push_back((received, plain(&packet, payload_type, packet.header.sequence_number)));
            }
            _ => {}
        });
    }

    fn write(&mut self, packet: &rtp::Packet<'_>, ssrc: Ssrc, now: Instant) {
        let Some(mid) = self.mid else { return };
        let number = unwrapped(self.sequence, packet.sequence());
        self.sequence = Some(number);
        self.transport.write(mid, packet, ssrc, number, packet.timestamp(), now);
    }
}

impl<E: Engine> Engine for WebRtc<E> {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Packet { from, received, data } => self.receive(from, received, data),
            input => self.engine.handle(now, input),
        }
        self.drive(now);
    }

    fn poll_output(&mut self) -> Output<'_> {
        loop {
            if let Some((to, data)) = self.leaving.pop_front() {
                self.lent = data;
                return Output::Send { to, data: &self.lent };
            }
            // What the endpoint has to say to one packet is asked for before the next is given.
            let packet = match self.engine.poll_output() {
                Output::Send { data, .. } => data.to_vec(),
                Output::Wait(wake) => match self.arrived.pop_front() {
                    Some((received, data)) => {
                        let from = self.connections.address;
                        self.engine.handle(self.now, Input::Packet { from, received, data: &data });
                        continue;
                    }
                    None => {
                        let all = [wake, self.wake].into_iter().flatten();
                        return Output::Wait(all.min());
                    }
                },
                // The borrow checker does not see that these borrow nothing of what the loop goes on with.
                Output::Done => return Output::Done,
                Output::Control { peer, message } => return Output::Control { peer, message },
                Output::Event { at, event } => return Output::Event { at, event: self.on_the_wire(event) },
                Output::Ear { first, samples } => {
                    self.ear.clear();
                    self.ear.extend_from_slice(samples);
                    return Output::Ear { first, samples: &self.ear };
                }
            };
            self.send(&packet);
        }
    }
}
