//! The one trait of everything that takes part in a room: speakers, listeners, relays.
//!
//! An engine never asks the clock and never touches a socket. A driver gives it inputs with the time at which they
//! happened, then drains its outputs until it says when it wants to be called next. The UDP driver and the simulator
//! are two such drivers; the engine cannot tell which one it lives in.

use std::net::SocketAddr;

use jiho_analysis::units::{MediaTime, RunTime};

use crate::control;
use crate::event::Event;

/// Who is at the other end of a control connection. An endpoint has one, to its relay: [`PeerId::RELAY`].
/// A relay's driver numbers the connections that it accepts; a number is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

impl PeerId {
    /// The relay, as an endpoint names it.
    pub const RELAY: Self = Self(0);
}

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The engine is connected and may begin. Comes once, before everything else.
    Start,
    /// The instant asked for by [`Output::Wait`] has come.
    Timer,
    /// A datagram.
    Packet {
        /// The sender's address.
        from: SocketAddr,
        /// When it arrived, by the kernel's stamp where there is one: at or before the `now` of the call.
        received: RunTime,
        /// The UDP payload.
        data: &'a [u8],
    },
    /// A message on a control connection.
    Control {
        /// Who sent it.
        peer: PeerId,
        /// What it says.
        message: &'a control::Message,
    },
    /// A control connection ended, or could not be made.
    ControlClosed {
        /// Whose.
        peer: PeerId,
        /// In words, for the person who reads the error.
        reason: &'a str,
    },
    /// Finish: say goodbye, hand over what is left. [`Output::Done`] follows.
    Stop,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Output<'a> {
    /// Send a datagram from the engine's socket.
    Send {
        /// The destination.
        to: SocketAddr,
        /// The UDP payload; valid until the next call.
        data: &'a [u8],
    },
    /// Send a message on a control connection.
    Control {
        /// To whom.
        peer: PeerId,
        /// What to say.
        message: control::Message,
    },
    /// Samples that the ear played, mono, at the rate of the ear's clock. Contiguous from sample 0. Full scale is −1 to
    /// 1; a sum of loud streams goes beyond it, so that whoever keeps or plays it can count what it cuts.
    Ear {
        /// The position of the first sample.
        first: MediaTime,
        /// The samples; valid until the next call.
        samples: &'a [f32],
    },
    /// Something to be noted.
    Event {
        /// When it happened.
        at: RunTime,
        /// What.
        event: Event,
    },
    /// Nothing more now. Call with [`Input::Timer`] at this instant, or earlier with any other input;
    /// `None`: there is nothing to wait for but input.
    Wait(Option<RunTime>),
    /// Nothing more ever.
    Done,
}

/// A participant's state machine. After every [`handle`](Engine::handle) the driver calls
/// [`poll_output`](Engine::poll_output) until it returns [`Output::Wait`] or [`Output::Done`].
pub trait Engine: Send {
    /// Takes one input. `now` never runs backwards.
    fn handle(&mut self, now: RunTime, input: Input<'_>);

    /// Gives the next output.
    fn poll_output(&mut self) -> Output<'_>;
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        (**self).handle(now, input);
    }

    fn poll_output(&mut self) -> Output<'_> {
        (**self).poll_output()
    }
}
