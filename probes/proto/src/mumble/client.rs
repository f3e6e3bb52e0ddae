//! An engine that speaks RTP, in a room that a Mumble server serves.

mod channel;
mod streams;

use std::net::SocketAddr;

use jiho_analysis::units::{MediaTime, Nanos, RunTime};

use super::crypt::Keys;
use super::line::{VoiceLine, VoiceTraffic};
use crate::control::Message;
use crate::engine::{Engine, Input, Output, PeerId};
use crate::event::Event;
use channel::Channel;

/// As often as Mumble's own clients do.
const PING_PERIOD: Nanos = Nanos::from_secs(5);

/// Takes an engine's RTP packets to a Mumble server, and the server's voice packets to the engine. Outside it is an engine
/// too, so that any driver drives it.
///
/// The engine has to be told that it is in, and that its media goes to and comes from the server's address
/// ([`Message::Joined`], [`Message::Route`]): what goes over its control connection is passed on as it is, both ways.
/// Mumble carries Opus in packets of 10 to 120 ms; whatever else the engine sends is dropped and counted.
///
/// - What the engine sends in RTP goes out as voice, encrypted. The sequence number is the timestamp, unwrapped, in units
///   of 10 ms. No packet has the terminator: that somebody pauses is not known before they do.
/// - A voice packet comes in as RTP from the server's address: the SSRC is the speaker's session, the timestamp the
///   sequence number in samples, the RTP sequence number that in packets as long as this one. Where a speaker's count
///   begins anew after a pause, as it does with Mumble's own clients, it goes on here. The marker is on a stream's first
///   packet and on the first after a terminator.
///   What is sealed end to end goes through as it is, but where what is sealed passes for packets of other lengths, their
///   RTP sequence numbers are wrong.
/// - A ping at the start and every 5 s shows the server where our datagrams come from; until one has, what we are to
///   hear goes through the control connection ("Voice data", section "UDP connectivity checks").
#[derive(Debug)]
pub struct Mumble<E> {
    engine: E,
    channel: Channel,
    server: SocketAddr,
    now: RunTime,
    /// When the next ping is due; `None` before the start.
    ping: Option<RunTime>,
    /// When the engine wants to be woken.
    wake: Option<RunTime>,
    /// What the engine's ear played, for the last output.
    samples: Vec<f32>,
}

/// What there is for the driver.
enum Next {
    Datagram,
    Control(PeerId, Message),
    Ear(MediaTime),
    Event(RunTime, Event),
    Wait(Option<RunTime>),
    Done,
}

impl<E: Engine> Mumble<E> {
    /// An engine that takes part with the keys that the server at this address gave us. `payload_type` is what the engine
    /// has for Opus.
    pub fn new(engine: E, keys: &Keys, server: SocketAddr, payload_type: u8) -> Self {
        Self {
            engine,
            channel: Channel::new(keys, payload_type),
            server,
            now: RunTime(i64::MIN),
            ping: None,
            wake: None,
            samples: Vec::new(),
        }
    }

    /// Tells the control connection what it has to know, and hears from it.
    pub fn on_line(mut self, line: VoiceLine) -> Self {
        self.channel.set_line(line);
        self
    }

    /// What has come and gone so far.
    pub fn traffic(&self) -> VoiceTraffic {
        self.channel.traffic()
    }

    fn ping_is_due(&mut self) -> bool {
        let due = self.ping.is_some_and(|due| due <= self.now);
        if due {
            self.ping = Some(self.now + PING_PERIOD);
            self.channel.ping(self.now);
        }
        due
    }

    /// Runs the engine until there is something for the driver.
    fn advance(&mut self) -> Next {
        if self.ping_is_due() {
            return Next::Datagram;
        }
        loop {
            match self.engine.poll_output() {
                Output::Send { data, .. } => {
                    if self.channel.say(data) {
                        return Next::Datagram;
                    }
                }
                Output::Control { peer, message } => return Next::Control(peer, message),
                Output::Ear { first, samples } => {
                    self.samples.clear();
                    self.samples.extend_from_slice(samples);
                    return Next::Ear(first);
                }
                Output::Event { at, event } => return Next::Event(at, event),
                Output::Wait(wake) => {
                    self.wake = wake;
                    return Next::Wait(wake.into_iter().chain(self.ping).min());
                }
                Output::Done => return Next::Done,
            }
        }
    }
}

impl<E: Engine> Engine for Mumble<E> {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Packet { from, .. } if from != self.server => self.channel.note_foreign(),
            Input::Packet { from, received, data } => {
                if let Some(data) = self.channel.hear(received, data) {
                    self.engine.handle(self.now, Input::Packet { from, received, data });
                }
            }
            // It was for a ping.
            Input::Timer if self.wake.is_none_or(|wake| wake > self.now) => {}
            Input::Start => {
                self.ping = Some(self.now);
                self.engine.handle(self.now, Input::Start);
            }
            other => self.engine.handle(self.now, other),
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.advance() {
            Next::Datagram => Output::Send { to: self.server, data: self.channel.datagram() },
            Next::Control(peer, message) => Output::Control { peer, message },
            Next::Ear(first) => Output::Ear { first, samples: &self.samples },
            Next::Event(at, event) => Output::Event { at, event },
            Next::Wait(wake) => {
                self.channel.publish();
                Output::Wait(wake)
            }
            Next::Done => {
                self.channel.publish();
                Output::Done
            }
        }
    }
}

#[cfg(test)]
mod tests;
