//! An endpoint in a room without signalling: where media goes is known beforehand.

use std::collections::VecDeque;

use jiho_analysis::units::RunTime;
use jiho_proto::control::{Joined, Message, Route};
use jiho_proto::engine::{Engine, Input, Output, PeerId};

use crate::experiment::PlainRtp;

/// Tells an engine, once it has begun, what a relay would tell it: that it is in, and where media goes and comes from.
pub(super) struct Unsignalled<E> {
    engine: E,
    told: VecDeque<Message>,
    now: RunTime,
}

impl<E: Engine> Unsignalled<E> {
    pub(super) fn new(engine: E, rtp: &PlainRtp, payload_type: u8) -> Self {
        let media = rtp.send_to;
        let hear_from = if rtp.hear_from.is_empty() { vec![media] } else { rtp.hear_from.clone() };
        let told = VecDeque::from([
            Message::Joined(Joined { media, payload_type, sdp: String::new() }),
            Message::Route(Route { send_to: vec![media], hear_from }),
        ]);
        Self { engine, told, now: RunTime(i64::MIN) }
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
            output => output,
        }
    }
}
