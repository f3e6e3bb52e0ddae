//! A link round an engine: what the simulator's links do, anywhere.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use jiho_analysis::units::{MediaTime, Nanos, RunTime};

use super::{Flow, Geography, Lane, LaneStats, Link};
use crate::control::Message;
use crate::engine::{Engine, Input, Output, PeerId};

/// An engine behind a link of its own. Outside it is an engine too, so that any driver drives it.
///
/// What the engine sends enters the link's `up` at the `now` of the call and is handed on when it leaves; what comes for
/// it enters `down` when it was received and is given to the engine with the instant at which it leaves as `received`.
/// So the delay is at least the link's, and what the ear plays depends on the kernel's stamps and the link alone.
/// Control messages take the base delays; what a driver adds by waking late comes on top, as it does to everything.
///
/// Once the engine is done nothing more is let in, and [`Output::Done`] follows when all that it sent has left the link.
#[derive(Debug)]
pub struct Impaired<E> {
    engine: E,
    /// Where the engine's datagrams come from.
    address: SocketAddr,
    up: Lane,
    down: Lane,
    geography: Arc<Geography>,
    /// From here to where control messages go, and from there to here.
    control_way: Nanos,
    /// On the way out, by the instant at which they leave, then by order of entry.
    leaving: BTreeMap<(RunTime, u64), Leaving>,
    /// On the way in, likewise.
    arriving: BTreeMap<(RunTime, u64), Arriving>,
    /// Control messages stay in order, by connection.
    last_said: BTreeMap<PeerId, RunTime>,
    last_heard: BTreeMap<PeerId, RunTime>,
    entered: u64,
    /// What is to be given to the engine, once it has said all that it has to say.
    inputs: VecDeque<Arriving>,
    now: RunTime,
    /// Up to when what arrives may be given to the engine: something that was received before could be still to come.
    horizon: RunTime,
    wake: Option<RunTime>,
    done: bool,
    lent: Lent,
}

#[derive(Debug)]
enum Leaving {
    Datagram(SocketAddr, Vec<u8>),
    Control(PeerId, Message),
}

#[derive(Debug)]
enum Arriving {
    Start,
    Timer,
    Datagram { from: SocketAddr, received: RunTime, data: Vec<u8> },
    Control(PeerId, Message),
    Closed(PeerId, String),
    Stop,
}

/// What the last output refers to.
#[derive(Debug, Default)]
struct Lent {
    samples: Vec<f32>,
    datagram: Vec<u8>,
}

impl<E: Engine> Impaired<E> {
    /// Puts an engine whose datagrams come from `address` behind a link. `seed` and `node` name the link's luck: the
    /// simulator's node of that number in a world of that seed has the same.
    pub fn new(engine: E, address: SocketAddr, link: Link, seed: u64, node: u64) -> Self {
        Self {
            engine,
            address,
            up: Lane::new(link.up, [seed, node, 0]),
            down: Lane::new(link.down, [seed, node, 1]),
            geography: Arc::default(),
            control_way: Nanos::ZERO,
            leaving: BTreeMap::new(),
            arriving: BTreeMap::new(),
            last_said: BTreeMap::new(),
            last_heard: BTreeMap::new(),
            entered: 0,
            inputs: VecDeque::new(),
            now: RunTime(i64::MIN),
            horizon: RunTime(i64::MIN),
            wake: None,
            done: false,
            lent: Lent::default(),
        }
    }

    /// Puts it into a place: what it sends is under way for as long as `geography` says of its address and the
    /// destination's, after the link. Control messages that it sends, and those that come, travel between here and
    /// `control`, if it is given; else the engines at the other end see to that.
    pub fn placed(mut self, geography: Arc<Geography>, control: Option<SocketAddr>) -> Self {
        self.control_way = control.map_or(Nanos::ZERO, |control| geography.between(self.address, control));
        Self { geography, ..self }
    }

    /// What became of the datagrams so far: of those that went up, and of those that came down.
    pub fn stats(&self) -> (LaneStats, LaneStats) {
        (self.up.stats(), self.down.stats())
    }

    fn key(&mut self, at: RunTime) -> (RunTime, u64) {
        self.entered += 1;
        (at, self.entered)
    }

    fn arrive(&mut self, at: RunTime, what: Arriving) {
        let key = self.key(at);
        self.arriving.insert(key, what);
    }

    /// When a control message, or the end of its connection, that comes in at this moment has come down.
    fn hear_from(&mut self, peer: PeerId) -> RunTime {
        let exit = self.down.carry(self.now) + self.control_way;
        let last = self.last_heard.entry(peer).or_insert(exit);
        *last = exit.max(*last);
        *last
    }

    fn send(&mut self, to: SocketAddr, data: Vec<u8>) {
        let exits = self.up.pass(Flow::of(self.address, to, &data), self.now, data.len());
        let way = self.geography.between(self.address, to);
        for exit in exits.exits() {
            let key = self.key(exit + way);
            self.leaving.insert(key, Leaving::Datagram(to, data.clone()));
        }
    }

    fn say(&mut self, peer: PeerId, message: Message) {
        let exit = self.up.carry(self.now) + self.control_way;
        let last = self.last_said.entry(peer).or_insert(exit);
        let exit = exit.max(*last);
        *last = exit;
        let key = self.key(exit);
        self.leaving.insert(key, Leaving::Control(peer, message));
    }

    /// Gives the engine the next input, if there is one; false: there is none.
    fn give_next(&mut self) -> bool {
        if self.done {
            return false;
        }
        let due = self.arriving.first_key_value().is_some_and(|((at, _), _)| *at <= self.horizon);
        let arrived = if due { self.arriving.pop_first().map(|(_, what)| what) } else { None };
        let Some(input) = arrived.or_else(|| self.inputs.pop_front()) else { return false };
        let input = match &input {
            Arriving::Start => Input::Start,
            Arriving::Timer if self.wake.is_none_or(|wake| wake > self.now) => return true,
            Arriving::Timer => Input::Timer,
            Arriving::Datagram { from, received, data } => Input::Packet { from: *from, received: *received, data },
            Arriving::Control(peer, message) => Input::Control { peer: *peer, message },
            Arriving::Closed(peer, reason) => Input::ControlClosed { peer: *peer, reason },
            Arriving::Stop => Input::Stop,
        };
        self.engine.handle(self.now, input);
        true
    }

    /// Lets out what has come to the link's end.
    fn let_out(&mut self) -> Option<Leaving> {
        let due = self.leaving.first_key_value().is_some_and(|((at, _), _)| *at <= self.now);
        if due { self.leaving.pop_first().map(|(_, what)| what) } else { None }
    }

    fn wait(&self) -> Option<RunTime> {
        let leaves = self.leaving.first_key_value().map(|((at, _), _)| *at);
        let arrives = self.arriving.first_key_value().map(|((at, _), _)| *at).filter(|_| !self.done);
        [self.wake.filter(|_| !self.done), leaves, arrives].into_iter().flatten().min()
    }

    /// Runs the engine until there is something for the driver.
    fn advance(&mut self) -> Next {
        loop {
            if self.done {
                return self.let_out().map_or(Next::Idle, Next::Leaves);
            }
            match self.engine.poll_output() {
                Output::Send { to, data } => {
                    let data = data.to_vec();
                    self.send(to, data);
                }
                Output::Control { peer, message } => self.say(peer, message),
                Output::Ear { first, samples } => {
                    self.lent.samples.clear();
                    self.lent.samples.extend_from_slice(samples);
                    return Next::Ear(first);
                }
                Output::Event { at, event } => return Next::Event(at, event),
                Output::Wait(wake) => {
                    self.wake = wake;
                    if !self.give_next() {
                        return self.let_out().map_or(Next::Idle, Next::Leaves);
                    }
                }
                Output::Done => self.done = true,
            }
        }
    }
}

enum Next {
    Ear(MediaTime),
    Event(RunTime, crate::event::Event),
    Leaves(Leaving),
    Idle,
}

impl<E: Engine> Engine for Impaired<E> {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.now = self.now.max(now);
        self.horizon = self.horizon.max(match &input {
            Input::Packet { received, .. } => *received,
            _ => now,
        });
        match input {
            Input::Start => self.inputs.push_back(Arriving::Start),
            Input::Timer => self.inputs.push_back(Arriving::Timer),
            Input::Packet { from, received, data } => {
                let exits = self.down.pass(Flow::of(from, self.address, data), received, data.len());
                for exit in exits.exits() {
                    self.arrive(exit, Arriving::Datagram { from, received: exit, data: data.to_vec() });
                }
            }
            Input::Control { peer, message } => {
                let at = self.hear_from(peer);
                self.arrive(at, Arriving::Control(peer, message.clone()));
            }
            Input::ControlClosed { peer, reason } => {
                let at = self.hear_from(peer);
                self.arrive(at, Arriving::Closed(peer, reason.to_owned()));
            }
            Input::Stop => self.inputs.push_back(Arriving::Stop),
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.advance() {
            Next::Ear(first) => Output::Ear { first, samples: &self.lent.samples },
            Next::Event(at, event) => Output::Event { at, event },
            Next::Leaves(Leaving::Datagram(to, data)) => {
                self.lent.datagram = data;
                Output::Send { to, data: &self.lent.datagram }
            }
            Next::Leaves(Leaving::Control(peer, message)) => Output::Control { peer, message },
            Next::Idle if self.done && self.leaving.is_empty() => Output::Done,
            Next::Idle => Output::Wait(self.wait()),
        }
    }
}
