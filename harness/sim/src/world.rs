//! The world: nodes, the datagrams and control messages between them, and the one clock that they all share.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::control::Message;
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::link::{Draws, Flow, Geography, Jitter, Lane, Link, Passage};
use jiho_proto::records::{KeepError, Records};

use crate::queue::{Queue, Rank};

/// How often an engine may ask to be woken at one and the same instant before it counts as stuck.
const MAX_TIMERS_PER_INSTANT: u32 = 1000;
/// What a node's streams of luck are for; the first two as in [`jiho_proto::link::Impaired`].
const UP: u64 = 0;
const DOWN: u64 = 1;
const WAKE_UPS: u64 = 2;
/// Sets trunks' luck apart from the nodes'.
const TRUNKS: u64 = 0x7472_756e_6b73;

/// One participant of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldStats {
    /// Handed to an engine.
    pub delivered: u64,
    /// Did not get through a link.
    pub lost: u64,
    /// Came out of a link twice.
    pub duplicated: u64,
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
    /// Ways of their own from one node to another.
    trunks: BTreeMap<(NodeId, NodeId), Lane>,
    geography: Geography,
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
    /// How late each timer fires.
    wake_ups: Option<Draws>,
    /// How long a datagram takes to be sent, and when the last one is on its way.
    send_cost: Nanos,
    busy_until: RunTime,
    state: State,
    /// The instant that the engine asked for last, and when it is woken for it. Other timers are stale.
    wake: Option<(RunTime, RunTime)>,
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
    /// When the last message gets there: messages stay in order.
    last: RunTime,
}

#[derive(Clone)]
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
            trunks: BTreeMap::new(),
            geography: Geography::default(),
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
            up: Lane::new(link.up, [self.seed, index as u64, UP]),
            down: Lane::new(link.down, [self.seed, index as u64, DOWN]),
            wake_ups: None,
            send_cost: Nanos::ZERO,
            busy_until: RunTime(i64::MIN),
            state: State::Waiting,
            wake: None,
            timers: (RunTime::START, 0),
        });
        id
    }

    /// Gives a client its one control connection, to a relay. Messages are never lost, stay in order and take the
    /// base delays of both links, and wait where a link is down. The client calls the relay [`PeerId::RELAY`]; the relay gets a number that is never
    /// used twice.
    pub fn connect(&mut self, client: NodeId, relay: NodeId) {
        self.last_peer += 1;
        let peer = PeerId(self.last_peer);
        let last = RunTime(i64::MIN);
        self.connections.insert((client, PeerId::RELAY), FarEnd { node: relay, knows_us_as: peer, last });
        self.connections.insert((relay, peer), FarEnd { node: client, knows_us_as: PeerId::RELAY, last });
    }

    /// Gives two nodes a link of their own: what one of them sends to the other, control messages too, takes it in place
    /// of both nodes' own links. `up` leads from the first to the second, `down` back.
    pub fn add_trunk(&mut self, first: NodeId, second: NodeId, link: Link) {
        let luck = self.seed.wrapping_add(TRUNKS + self.trunks.len() as u64);
        self.trunks.insert((first, second), Lane::new(link.up, [luck, first.0 as u64, UP]));
        self.trunks.insert((second, first), Lane::new(link.down, [luck, first.0 as u64, DOWN]));
    }

    /// Puts nodes into places: between the sender's link and the receiver's, or behind a trunk, a datagram or a control
    /// message is under way for as long as the two places are apart.
    pub fn set_geography(&mut self, geography: Geography) {
        self.geography = geography;
    }

    /// Lets a node wake up late for its timers, each time by another delay: a host that has other things to do. Its
    /// datagrams and control messages reach it in time; its next timer counts from when it wanted to be woken.
    pub fn set_wake_up(&mut self, node: NodeId, delay: Jitter) {
        self.nodes[node.0].wake_ups = Some(Draws::new(delay, &[self.seed, node.0 as u64, WAKE_UPS]));
    }

    /// Lets each datagram that a node sends take this long before it enters the link, one after the other: with many
    /// destinations the last one gets its copy later than the first.
    pub fn set_send_cost(&mut self, node: NodeId, cost: Nanos) {
        self.nodes[node.0].send_cost = cost;
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
        if node.wake.is_none_or(|(_, at)| at != now) {
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
        let passage = self.nodes[receiver.0].down.pass(flow, self.now, datagram.data.len());
        self.stats.count(&passage);
        for exit in passage.exits() {
            self.queue.push(exit, Rank::Arrival, Happening::Arrives(datagram.clone()));
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
            let node = &mut self.nodes[id.0];
            let kept = match node.engine.poll_output() {
                Output::Send { to, data } => {
                    let enters = later(node.busy_until.max(now), node.send_cost);
                    node.busy_until = enters;
                    let trunk = self.routes.get(&to).and_then(|to| self.trunks.get_mut(&(id, *to)));
                    let arrives = trunk.is_some();
                    let lane = trunk.unwrap_or(&mut node.up);
                    let passage = lane.pass(Flow::of(node.addr, to, data), enters, data.len());
                    self.stats.count(&passage);
                    let way = self.geography.between(node.addr, to);
                    for exit in passage.exits() {
                        let exit = later(exit, way);
                        let datagram = Datagram { from: node.addr, to, data: data.into() };
                        let what = if arrives { Happening::Arrives } else { Happening::Crosses };
                        self.queue.push(exit, Rank::Arrival, what(datagram));
                    }
                    Ok(())
                }
                Output::Control { peer, message } => {
                    self.say(id, peer, message);
                    Ok(())
                }
                Output::Ear { first, samples } => node.records.ear(first, samples),
                Output::Event { at, event } => node.records.event(at, event),
                Output::Wait(wanted) => {
                    if wanted != node.wake.map(|(wanted, _)| wanted) {
                        node.wake = wanted.map(|wanted| {
                            let late = node.wake_ups.as_mut().map_or(Nanos::ZERO, Draws::next_delay);
                            let at = later(wanted.max(now), late);
                            self.queue.push(at, Rank::Timer, Happening::Timer(id));
                            (wanted, at)
                        });
                    }
                    return Ok(());
                }
                Output::Done => {
                    node.state = State::Done;
                    self.hang_up_all(id);
                    return Ok(());
                }
            };
            kept.map_err(|source| SimError::Keep { node: self.nodes[id.0].addr, at: now, source })?;
        }
    }

    /// When what a node says now on its connection gets to the other end.
    fn control_arrives(&mut self, from: NodeId, peer: PeerId) -> Option<(FarEnd, RunTime)> {
        let far = self.connections.get_mut(&(from, peer))?;
        let way = self.geography.between(self.nodes[from.0].addr, self.nodes[far.node.0].addr);
        let exit = match self.trunks.get(&(from, far.node)) {
            Some(trunk) => later(trunk.carry(self.now), way),
            None => self.nodes[far.node.0].down.carry(later(self.nodes[from.0].up.carry(self.now), way)),
        };
        far.last = exit.max(far.last);
        Some((*far, far.last))
    }

    fn say(&mut self, from: NodeId, peer: PeerId, message: Message) {
        if let Some((far, at)) = self.control_arrives(from, peer) {
            self.queue.push(at, Rank::Arrival, Happening::Control(far.node, far.knows_us_as, message));
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
        if let Some((far, at)) = self.control_arrives(id, peer) {
            self.connections.remove(&(id, peer));
            let closed = Happening::ControlClosed(far.node, far.knows_us_as, reason.to_owned());
            self.queue.push(at, Rank::Arrival, closed);
        }
    }
}

impl WorldStats {
    fn count(&mut self, passage: &Passage) {
        self.lost += u64::from(passage.leaves.is_none());
        self.duplicated += u64::from(passage.again.is_some());
    }
}

/// An instant plus a span. An absurd span leads to the end of time instead of overflowing.
fn later(at: RunTime, span: Nanos) -> RunTime {
    RunTime(at.0.saturating_add(span.0))
}
