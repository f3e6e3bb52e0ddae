//! An endpoint in a room without signalling: where media goes is known beforehand.

use std::collections::VecDeque;
use std::net::SocketAddr;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::control::{Joined, Message, Route};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::wire::rtp;

use crate::experiment::PlainRtp;

/// How often somebody who only hears is heard of.
const KNOCK_EVERY: Nanos = Nanos::from_secs(1);
/// 20 ms of silence: full band by CELT, and nothing in it (RFC 6716, section 3.1).
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// Tells an engine, once it has begun, what a relay would tell it: that it is in, and where media goes and comes from.
pub(super) struct Unsignalled<E> {
    engine: E,
    told: VecDeque<Message>,
    now: RunTime,
    knocks: Option<Knocks>,
}

/// Packets of silence from somebody who only hears, for a server that sends nothing to whom it has not heard of (as keepalives
/// are for, RFC 6263, section 4.6).
struct Knocks {
    to: SocketAddr,
    payload_type: u8,
    next: RunTime,
    count: u16,
    packet: Vec<u8>,
}

impl<E: Engine> Unsignalled<E> {
    pub(super) fn new(engine: E, rtp: &PlainRtp, payload_type: u8) -> Self {
        let media = rtp.send_to;
        let hear_from = if rtp.hear_from.is_empty() { vec![media] } else { rtp.hear_from.clone() };
        let told = VecDeque::from([
            Message::Joined(Joined { media, payload_type, sdp: String::new() }),
            Message::Route(Route { send_to: vec![media], hear_from }),
        ]);
        Self { engine, told, now: RunTime(i64::MIN), knocks: None }
    }

    /// The same of somebody who only hears, and is to be heard of all the same.
    pub(super) fn knocking(self, to: SocketAddr, payload_type: u8) -> Self {
        let knocks = Knocks { to, payload_type, next: RunTime(i64::MIN), count: 0, packet: Vec::new() };
        Self { knocks: Some(knocks), ..self }
    }
}

impl Knocks {
    fn knock(&mut self, now: RunTime) {
        self.packet.clear();
        rtp::Repr {
            payload_type: self.payload_type,
            marker: false,
            sequence: self.count,
            timestamp: u32::from(self.count).wrapping_mul(48_000),
            ssrc: 1,
            payload: &SILENCE,
        }
        .emit(&mut self.packet);
        self.count = self.count.wrapping_add(1);
        self.next = now + KNOCK_EVERY;
    }
}

impl<E: Engine> Engine for Unsignalled<E> {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.now = now;
        let told = if matches!(input, Input::Timer) { self.told.pop_front() } else { None };
        match &told {
            Some(message) => self.engine.handle(now, Input::Control { peer: PeerId::RELAY, message }),
            None => self.engine.handle(now, input),
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.engine.poll_output() {
            Output::Wait(_) if !self.told.is_empty() => Output::Wait(Some(self.now)),
            Output::Wait(wake) => {
                let Some(knocks) = &mut self.knocks else { return Output::Wait(wake) };
                if knocks.next <= self.now {
                    knocks.knock(self.now);
                    return Output::Send { to: knocks.to, data: &knocks.packet };
                }
                Output::Wait(Some(wake.map_or(knocks.next, |wake| wake.min(knocks.next))))
            }
            output => output,
        }
    }
}
