//! One side of a handshake. Flights alternate: each is sent when the one before it is there, and again until the one
//! after it is.

use jiho_analysis::roles::Step;
use jiho_analysis::units::{Nanos, RunTime};

use super::script::{Flight, Script, Timer};
use super::{Profile, Promotion, Retransmit};
use crate::wire::flight;

/// How often a flight is sent before the handshake is given up (RFC 8489, section 6.2.1: Rc).
pub const MAX_SENDS: u32 = 7;
/// No wait is longer (RFC 6347, section 4.2.4.1).
const LONGEST_WAIT: Nanos = Nanos::from_secs(60);

/// Who begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The endpoint: sends flights 0, 2, 4 …
    Client,
    /// The relay: sends flights 1, 3, 5 …
    Server,
}

/// What an [`Exchange`] has done; whoever runs it notes it, and sends what is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// [`Step::FlightSent`], [`Step::FlightRetransmitted`], [`Step::FlightReceived`], [`Step::TransportReady`] or
    /// [`Step::Failed`].
    pub step: Step,
    /// The name of the flight that it is about; of a failure, the one that was not answered.
    pub flight: &'static str,
    /// The datagram to be sent.
    pub send: Option<flight::Repr>,
}

/// One side of a handshake.
#[derive(Clone, Debug)]
pub struct Exchange {
    change: u32,
    side: Side,
    script: Script,
    retransmit: Retransmit,
    /// How many flights have been sent or received.
    passed: usize,
    ready: bool,
    waiting: Option<Waiting>,
}

/// For an answer to the flight that was sent last.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: RunTime,
    span: Nanos,
    sends: u32,
}

impl Exchange {
    /// The handshake of a change, before its beginning.
    pub fn new(change: u32, side: Side, promotion: &Promotion) -> Self {
        let (script, retransmit) = (Script::of(promotion.profile), promotion.retransmit);
        Self { change, side, script, retransmit, passed: 0, ready: false, waiting: None }
    }

    /// The flights of a profile, in order.
    pub fn flights(profile: Profile) -> &'static [Flight] {
        Script::of(profile).flights
    }

    /// Begins. A handshake without flights is over at once; otherwise a client sends the first.
    pub fn begin(&mut self, now: RunTime, acts: &mut Vec<Act>) {
        if self.script.flights.is_empty() {
            self.become_ready("", acts);
        } else if self.side == Side::Client && self.passed == 0 {
            self.send_next(now, acts);
        }
    }

    /// Takes a datagram; what belongs to another change, or comes too early, is passed over.
    pub fn packet(&mut self, now: RunTime, packet: &flight::Packet<'_>, acts: &mut Vec<Act>) {
        let number = usize::from(packet.flight());
        if packet.change() != self.change || self.sends(number) || number >= self.script.flights.len() {
            return;
        }
        if number == self.passed {
            self.passed += 1;
            self.waiting = None;
            acts.push(Act { step: Step::FlightReceived, flight: self.name(number), send: None });
            if self.passed < self.script.flights.len() {
                self.send_next(now, acts);
            }
            // What is sent on the new transport comes behind the flight that makes it ready.
            self.ready_by(number, acts);
        } else if number + 2 == self.passed && self.script.flights[number].timer != Timer::None {
            // The other side has not got our answer. An answer that comes twice says only that we asked twice.
            self.send_again(number + 1, acts);
        }
    }

    /// Sends again what has not been answered in time.
    pub fn timer(&mut self, now: RunTime, acts: &mut Vec<Act>) {
        let Some(waiting) = self.waiting.filter(|waiting| waiting.until <= now) else { return };
        let number = self.passed - 1;
        if waiting.sends >= MAX_SENDS {
            self.waiting = None;
            return acts.push(Act { step: Step::Failed, flight: self.name(number), send: None });
        }
        let span = Nanos((waiting.span.0.saturating_mul(2)).min(LONGEST_WAIT.0.max(waiting.span.0)));
        self.waiting = Some(Waiting { until: waiting.until + span, span, sends: waiting.sends + 1 });
        self.send_again(number, acts);
    }

    /// When [`timer`](Self::timer) is to be called.
    pub fn wake_at(&self) -> Option<RunTime> {
        self.waiting.map(|waiting| waiting.until)
    }

    /// Whether media may be sent, and is taken.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether all flights have passed here: the other side is ready too.
    pub fn is_over(&self) -> bool {
        self.ready && self.passed == self.script.flights.len()
    }

    fn send_next(&mut self, now: RunTime, acts: &mut Vec<Act>) {
        let number = self.passed;
        let flight = self.script.flights[number];
        self.passed += 1;
        let answered = self.passed < self.script.flights.len();
        self.waiting = flight.timer.first(&self.retransmit).filter(|_| answered).map(|span| Waiting {
            until: now + span,
            span,
            sends: 1,
        });
        acts.push(Act { step: Step::FlightSent, flight: flight.name, send: Some(self.repr(number)) });
        self.ready_by(number, acts);
    }

    fn send_again(&self, number: usize, acts: &mut Vec<Act>) {
        let send = Some(self.repr(number));
        acts.push(Act { step: Step::FlightRetransmitted, flight: self.name(number), send });
    }

    fn ready_by(&mut self, number: usize, acts: &mut Vec<Act>) {
        if self.script.ready(self.side) == number && !self.ready {
            self.become_ready(self.name(number), acts);
        }
    }

    fn become_ready(&mut self, flight: &'static str, acts: &mut Vec<Act>) {
        self.ready = true;
        acts.push(Act { step: Step::TransportReady, flight, send: None });
    }

    fn sends(&self, number: usize) -> bool {
        number.is_multiple_of(2) == (self.side == Side::Client)
    }

    fn name(&self, number: usize) -> &'static str {
        self.script.flights[number].name
    }

    fn repr(&self, number: usize) -> flight::Repr {
        // No handshake has as many as 256 flights.
        flight::Repr { flight: number as u8, change: self.change, size_bytes: self.script.flights[number].size_bytes }
    }
}
