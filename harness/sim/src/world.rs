//! The world: nodes, the datagrams and control messages between them, and the one clock that they all share.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::control::Message;
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::records::{KeepError, Records};

use crate::link::{Flow, Lane, Link, later};
use crate::queue::{Queue, Rank};

/// How often an engine may ask to be woken at one and the same instant before it counts as stuck.
const MAX_TIMERS_PER_INSTANT: u32 = 1000;

/// One participant of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldStats {
    /// Handed to an engine.
    pub delivered: u64,
    /// Lost on a link.
    pub lost: u64,
    /// Sent to an address where nobody was listening.
    pub unroutable: u64,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// What cannot be recorded is not measured.
    #[error("the records of the node at {node} failed {} into the run: {source}", .at.since_start())]
    Keep {
        /// Whose records.
        node: SocketAddr,
        /// When.
        at: RunTime,
        /// Why.
        source: KeepError,
    },
    /// Virtual time cannot go on: a defect of the engine.
    #[error("the engine at {node} keeps asking to be woken {} into the run", .at.since_start())]
    Stuck {
        /// Whose engine.
        node: SocketAddr,
        /// When.
        at: RunTime,
    },
}

/// A network of nodes in virtual time.
///
/// Everything happens in a defined order: by time; at one instant arrivals before timers before stops; otherwise in
/// the order in which it came about. So a packet that arrives exactly at a deadline is there for it, and `received`
/// is the very instant of arrival. Only a packet that a timer sends over links without any delay can come too late for
/// other timers of the same instant.
pub struct World {
    seed: u64,
    now: RunTime,
    queue: Queue<Happening>,
    nodes: Vec<Node>,
    routes: BTreeMap<SocketAddr, NodeId>,
    /// Both ends of every control connection that is open: who calls whom what, and where that leads.
    connections: BTreeMap<(NodeId, PeerId), FarEnd>,
    /// The last number that was given to a connection, in the whole world.
    last_peer: u64,
    stats: WorldStats,
}

struct Node {
    addr: SocketAddr,
    engine: Box<dyn Engine>,
    records: Box<dyn Records>,
    up: Lane,
    down: Lane,
    state: State,
    /// The instant that the engine asked for last. A timer for any other instant is stale.
    wake: Option<RunTime>,
    /// How many timers have fired at this instant.
    timers: (RunTime, u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
}

#[derive(Clone, Copy)]
struct FarEnd {
    node: NodeId,
    /// What the far end calls us.
    knows_us_as: PeerId,
    delay: Nanos,
}

struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    data: Box<[u8]>,
}

enum Happening {
    Start(NodeId),
    /// A datagram has left its sender's link and enters its receiver's.
    Crosses(Datagram),
    Arrives(Datagram),
    Control(NodeId, PeerId, Message),
    ControlClosed(NodeId, PeerId, String),
    Timer(NodeId),
    Stop(NodeId),
}

impl World {
    /// An empty world at [`RunTime::START`].
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: RunTime::START,
            queue: Queue::new(),
            nodes: Vec::new(),
            routes: BTreeMap::new(),
            connections: BTreeMap::new(),
            last_peer: PeerId::RELAY.0,
            stats: WorldStats::default(),
        }
    }

    /// Puts an engine at an address. It sleeps until [`start_at`](Self::start_at).
    ///
    /// Each direction of its link has luck of its own, which depends on the world's seed and on how many nodes were
    /// added before, and on nothing that other nodes do. If two nodes have one address, datagrams go to the first.
    pub fn add_node(
        &mut self,
        addr: SocketAddr,
        engine: Box<dyn Engine>,
        records: Box<dyn Records>,
        link: Link,
    ) -> NodeId {
        let index = self.nodes.len();
        let id = NodeId(index);
        self.routes.entry(addr).or_insert(id);
        self.nodes.push(Node {
            addr,
            engine,
            records,
            up: Lane::new(link.up, [self.seed, index as u64, 0]),
            down: Lane::new(link.down, [self.seed, index as u64, 1]),
            state: State::Waiting,
            wake: None,
            timers: (RunTime::START, 0),
        });
        id
    }

    /// Gives a client its one control connection, to a relay. Messages are never lost, stay in order and take the
    /// base delays of both links. The client calls the relay [`PeerId::RELAY`]; the relay gets a number that is never
    /// used twice.
    pub fn connect(&mut self, client: NodeId, relay: NodeId) {
        self.last_peer += 1;
        let peer = PeerId(self.last_peer);
        let (there, back) = (self.control_delay(client, relay), self.control_delay(relay, client));
        self.connections.insert((client, PeerId::RELAY), FarEnd { node: relay, knows_us_as: peer, delay: there });
        self.connections.insert((relay, peer), FarEnd { node: client, knows_us_as: PeerId::RELAY, delay: back });
    }

    /// Lets a node begin at an instant. A relay must begin before its clients' first message reaches it.
    pub fn start_at(&mut self, node: NodeId, at: RunTime) {
        self.queue.push(at.max(self.now), Rank::Arrival, Happening::Start(node));
    }

    /// Ends a node's part at an instant, after everything else of that instant.
    pub fn stop_at(&mut self, node: NodeId, at: RunTime) {
        self.queue.push(at.max(self.now), Rank::Stop, Happening::Stop(node));
    }

    /// Lets everything happen up to an instant, that instant included. Calling it in slices changes nothing, so
    /// progress can be shown in between.
    ///
    /// # Errors
    /// When a node's records cannot be kept, or an engine does not let time go on.
    pub fn run_until(&mut self, until: RunTime) -> Result<(), SimError> {
        while let Some((at, what)) = self.queue.pop(until) {
            self.now = at;
            self.happen(what)?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// The instant up to which everything has happened.
    pub fn now(&self) -> RunTime {
        self.now
    }

    /// Whether a node's engine has said that there is nothing more to come.
    pub fn is_done(&self, node: NodeId) -> bool {
        self.nodes[node.0].state == State::Done
    }

    /// What became of the datagrams so far.
    pub fn stats(&self) -> WorldStats {
        self.stats
    }

    fn happen(&mut self, what: Happening) -> Result<(), SimError> {
        match what {
            Happening::Start(node) => self.start(node),
            Happening::Crosses(datagram) => {
                self.cross(datagram);
                Ok(())
            }
            Happening::Arrives(datagram) => self.deliver(&datagram),
            Happening::Control(node, peer, message) if self.is_running(node) => {
                self.handle(node, Input::Control { peer, message: &message })
            }
            Happening::Control(node, peer, _) => {
                self.hang_up(node, peer, &format!("nobody answers at {}", self.nodes[node.0].addr));
                Ok(())
            }
            Happening::ControlClosed(node, peer, reason) => {
                self.connections.remove(&(node, peer));
                self.handle(node, Input::ControlClosed { peer, reason: &reason })
            }
            Happening::Timer(node) => self.wake(node),
            Happening::Stop(node) => self.handle(node, Input::Stop),
        }
    }

    fn start(&mut self, id: NodeId) -> Result<(), SimError> {
        let node = &mut self.nodes[id.0];
        if node.state != State::Waiting {
            return Ok(());
        }
        node.state = State::Running;
        self.handle(id, Input::Start)
    }

    fn wake(&mut self, id: NodeId) -> Result<(), SimError> {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        if node.wake != Some(now) {
            return Ok(());
        }
        node.wake = None;
        node.timers = if node.timers.0 == now { (now, node.timers.1 + 1) } else { (now, 1) };
        if node.timers.1 > MAX_TIMERS_PER_INSTANT {
            return Err(SimError::Stuck { node: node.addr, at: now });
        }
        self.handle(id, Input::Timer)
    }

    fn cross(&mut self, datagram: Datagram) {
        let Some(receiver) = self.routes.get(&datagram.to) else {
            self.stats.unroutable += 1;
            return;
        };
        let flow = Flow::of(datagram.from, datagram.to, &datagram.data);
        match self.nodes[receiver.0].down.pass(flow, self.now) {
            Some(exit) => self.queue.push(exit, Rank::Arrival, Happening::Arrives(datagram)),
            None => self.stats.lost += 1,
        }
    }

    fn deliver(&mut self, Datagram { from, to, data }: &Datagram) -> Result<(), SimError> {
        match self.routes.get(to) {
            Some(&receiver) if self.is_running(receiver) => {
                self.stats.delivered += 1;
                self.handle(receiver, Input::Packet { from: *from, received: self.now, data })
            }
            _ => {
                self.stats.unroutable += 1;
                Ok(())
            }
        }
    }

    fn control_delay(&self, from: NodeId, to: NodeId) -> Nanos {
        let (up, down) = (self.nodes[from.0].up.base_delay(), self.nodes[to.0].down.base_delay());
        Nanos(up.0.saturating_add(down.0))
    }

    fn is_running(&self, node: NodeId) -> bool {
        self.nodes[node.0].state == State::Running
    }

    /// Gives an engine its input and does what it wants done. An engine that is not running gets nothing.
    fn handle(&mut self, id: NodeId, input: Input<'_>) -> Result<(), SimError> {
        let now = self.now;
        let node = &mut self.nodes[id.0];
        if node.state != State::Running {
            return Ok(());
        }
        node.engine.handle(now, input);
        loop {
            let kept = match node.engine.poll_output() {
                Output::Send { to, data } => {
                    match node.up.pass(Flow::of(node.addr, to, data), now) {
                        Some(exit) => {
                            let datagram = Datagram { from: node.addr, to, data: data.into() };
                            self.queue.push(exit, Rank::Arrival, Happening::Crosses(datagram));
                        }
                        None => self.stats.lost += 1,
                    }
                    Ok(())
                }
                Output::Control { peer, message } => {
                    if let Some(far) = self.connections.get(&(id, peer)) {
                        let arrives = Happening::Control(far.node, far.knows_us_as, message);
                        self.queue.push(later(now, far.delay), Rank::Arrival, arrives);
                    }
                    Ok(())
                }
                Output::Ear { first, samples } => node.records.ear(first, samples),
                Output::Event { at, event } => node.records.event(at, event),
                Output::Wait(wanted) => {
                    let wake = wanted.map(|at| at.max(now));
                    if let Some(at) = wake.filter(|_| wake != node.wake) {
                        self.queue.push(at, Rank::Timer, Happening::Timer(id));
                    }
                    node.wake = wake;
                    return Ok(());
                }
                Output::Done => {
                    node.state = State::Done;
                    self.hang_up_all(id);
                    return Ok(());
                }
            };
            kept.map_err(|source| SimError::Keep { node: node.addr, at: now, source })?;
        }
    }

    fn hang_up_all(&mut self, id: NodeId) {
        let peers: Vec<PeerId> =
            self.connections.range((id, PeerId(0))..=(id, PeerId(u64::MAX))).map(|((_, peer), _)| *peer).collect();
        for peer in peers {
            self.hang_up(id, peer, "the other end closed the connection");
        }
    }

    /// Closes a connection from the side of `id`; the far end learns of it after what was sent before.
    fn hang_up(&mut self, id: NodeId, peer: PeerId, reason: &str) {
        if let Some(far) = self.connections.remove(&(id, peer)) {
            let closed = Happening::ControlClosed(far.node, far.knows_us_as, reason.to_owned());
            self.queue.push(later(self.now, far.delay), Rank::Arrival, closed);
        }
    }
}
