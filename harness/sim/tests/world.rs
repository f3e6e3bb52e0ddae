//! The world with small engines of known behaviour: what it does is compared with what was constructed.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::control::Message;
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::link::{Bottleneck, Direction, Impaired, Jitter, Link, Loss, Outage, QueueLimit, RouteChange};
use jiho_proto::records::{KeepError, Records};
use jiho_sim::{NodeId, SimError, World};

const PERIOD: Nanos = Nanos::from_millis(20);

#[test]
fn a_datagram_takes_the_delays_of_its_senders_up_and_its_receivers_down() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let ana = add(&mut world, 1, Beacon::new("ana", &trace).sending(addr(2), 2), link(3, 5));
    let ben = add(&mut world, 2, Beacon::new("ben", &trace), link(7, 11));
    start(&mut world, &[ana, ben]);
    world.run_until(ms(1000)).unwrap();
    let expected = [(ms(0), "Start".into()), (ms(14), packet(0, 1)), (ms(34), packet(1, 1))];
    assert_eq!(trace.of("ben"), expected);
}

#[test]
fn datagrams_from_different_senders_share_the_receivers_link_in_the_order_in_which_they_reach_it() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let far = add(&mut world, 1, Beacon::new("far", &trace).sending(addr(3), 1), link(50, 0));
    let near = add(&mut world, 2, Beacon::new("near", &trace).sending(addr(3), 1), link(10, 0));
    let ear = add(&mut world, 3, Beacon::new("ear", &trace), link(0, 1));
    start(&mut world, &[far, near, ear]);
    world.run_until(ms(1000)).unwrap();
    assert_eq!(trace.of("ear")[1..], [(ms(11), packet(0, 2)), (ms(51), packet(0, 1))]);
}

#[test]
fn a_packet_that_arrives_at_a_deadline_is_there_before_the_timer() {
    let (mut world, trace) = (World::new(1), Trace::default());
    // The receiver is added first and started first: its timer for 20 ms is in the queue before the datagram is.
    let ear = add(&mut world, 1, Beacon::new("ear", &trace).sending(addr(9), 2), Link::default());
    let mouth = add(&mut world, 2, Beacon::new("mouth", &trace).sending(addr(1), 1), link(20, 0));
    start(&mut world, &[ear, mouth]);
    world.run_until(ms(20)).unwrap();
    assert_eq!(trace.of("ear")[1..], [(ms(20), packet(0, 2)), (ms(20), "Timer".into())]);
}

#[test]
fn a_timer_that_the_engine_no_longer_wants_does_not_fire() {
    let (mut world, trace) = (World::new(1), Trace::default());
    // The ear asks for a timer at 20 ms; at 10 ms a datagram makes it ask for 30 ms instead.
    let ear = Beacon::new("ear", &trace).sending(addr(9), 2).postponed_by_packets();
    let ear = add(&mut world, 1, ear, Link::default());
    let mouth = add(&mut world, 2, Beacon::new("mouth", &trace).sending(addr(1), 1), link(10, 0));
    start(&mut world, &[ear, mouth]);
    world.run_until(ms(1000)).unwrap();
    assert_eq!(trace.of("ear")[1..], [(ms(10), packet(0, 2)), (ms(30), "Timer".into())]);
}

#[test]
fn datagrams_to_nobody_are_counted_and_dropped() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let ana = add(&mut world, 1, Beacon::new("ana", &trace).sending(addr(9), 3), Link::default());
    let ben = add(&mut world, 2, Beacon::new("ben", &trace).sending(addr(3), 3), Link::default());
    let asleep = add(&mut world, 3, Beacon::new("asleep", &trace), Link::default());
    start(&mut world, &[ana, ben]);
    world.start_at(asleep, ms(30));
    world.run_until(ms(1000)).unwrap();
    let stats = world.stats();
    assert_eq!((stats.unroutable, stats.delivered, stats.lost), (3 + 2, 1, 0));
}

#[test]
fn control_messages_stay_in_order_and_are_never_lost() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let bad = |delay| Direction {
        delay,
        loss: Loss::Independent(1.0),
        jitter: Jitter::Uniform { max: PERIOD },
        ..Direction::default()
    };
    let relay = add(&mut world, 1, Beacon::new("relay", &trace), Link::default());
    let ana = Beacon::new("ana", &trace).saying(&[refused("one"), refused("two"), Message::Leave]);
    let ana = add(&mut world, 2, ana, Link::symmetric(bad(Nanos::from_millis(15))));
    let ben = add(&mut world, 3, Beacon::new("ben", &trace).saying(&[refused("three")]), link(40, 40));
    world.connect(ana, relay);
    world.connect(ben, relay);
    start(&mut world, &[relay, ana, ben]);
    world.run_until(ms(1000)).unwrap();
    let expected = [
        (ms(15), r#"1 says {"refused":{"reason":"one"}}"#.to_owned()),
        (ms(15), r#"1 says {"refused":{"reason":"two"}}"#.into()),
        (ms(15), r#"1 says "leave""#.into()),
        (ms(40), r#"2 says {"refused":{"reason":"three"}}"#.into()),
    ];
    assert_eq!(trace.of("relay")[1..], expected);
}

#[test]
fn whoever_is_done_hangs_up_and_hears_nothing_more() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let relay = add(&mut world, 1, Beacon::new("relay", &trace).sending(addr(2), 10), Link::default());
    let ana = add(&mut world, 2, Beacon::new("ana", &trace), link(15, 0));
    world.connect(ana, relay);
    start(&mut world, &[relay, ana]);
    world.stop_at(ana, ms(40));
    world.run_until(ms(1000)).unwrap();
    assert!(world.is_done(ana) && !world.is_done(relay));
    assert!(trace.of("relay").contains(&(ms(55), "1 hung up: the other end closed the connection".into())));
    // Three datagrams came before: the last at the very instant of the end, which comes after it.
    let ends = [(ms(40), packet(2, 1)), (ms(40), "Stop".into())];
    assert_eq!(trace.of("ana")[3..], ends);
}

#[test]
fn a_client_learns_that_its_relay_is_not_there() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let relay = add(&mut world, 1, Beacon::new("relay", &trace), Link::default());
    let ana = add(&mut world, 2, Beacon::new("ana", &trace).saying(&[Message::Leave]), link(15, 10));
    world.connect(ana, relay);
    start(&mut world, &[ana]);
    world.run_until(ms(1000)).unwrap();
    assert_eq!(trace.of("ana")[1..], [(ms(25), "0 hung up: nobody answers at 127.0.0.1:1".into())]);
}

#[test]
fn control_messages_wait_where_a_link_is_down_and_stay_in_order_when_the_way_gets_shorter() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let outages = vec![Outage { at: ms(0), lasts: Nanos::from_millis(100) }];
    let route_changes = vec![RouteChange { at: ms(10), delay: Nanos::from_millis(1) }];
    let relay = add(&mut world, 1, Beacon::new("relay", &trace), Link::default());
    let ana = Beacon::new("ana", &trace).saying(&[refused("one")]);
    let up = Direction { delay: Nanos::from_millis(500), route_changes, ..Direction::default() };
    let ana = add(&mut world, 2, ana, Link { up, ..Link::default() });
    let ben = Beacon::new("ben", &trace).saying(&[refused("two")]);
    let ben = add(&mut world, 3, ben, Link { up: Direction { outages, ..Direction::default() }, ..Link::default() });
    world.connect(ana, relay);
    world.connect(ben, relay);
    start(&mut world, &[relay, ana, ben]);
    world.stop_at(ana, ms(20));
    world.run_until(ms(1000)).unwrap();
    let expected = [
        (ms(100), r#"2 says {"refused":{"reason":"two"}}"#.to_owned()),
        (ms(500), r#"1 says {"refused":{"reason":"one"}}"#.into()),
        (ms(500), "1 hung up: the other end closed the connection".into()),
    ];
    assert_eq!(trace.of("relay")[1..], expected);
}

#[test]
fn doubled_datagrams_arrive_twice_and_what_finds_a_queue_full_never() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let limit = QueueLimit::Wait(Nanos::ZERO);
    // Two bytes and 28 of headers take 30 ms: every other datagram finds the one before still being sent.
    let bottleneck = Some(Bottleneck { bytes_per_second: 1000, limit });
    let up = Direction { bottleneck, duplication: 1.0, ..Direction::default() };
    let ana = Beacon::new("ana", &trace).sending(addr(2), 4);
    let ana = add(&mut world, 1, ana, Link { up, ..Link::default() });
    let ben = add(&mut world, 2, Beacon::new("ben", &trace), Link::default());
    start(&mut world, &[ana, ben]);
    world.run_until(ms(1000)).unwrap();
    let twice = |at, number| [(ms(at), packet(number, 1)), (ms(at), packet(number, 1))];
    assert_eq!(trace.of("ben")[1..], [twice(30, 0), twice(70, 2)].concat());
    let stats = world.stats();
    assert_eq!((stats.delivered, stats.lost, stats.duplicated), (4, 2, 2));
}

#[test]
fn a_host_that_wakes_late_sends_late_and_does_not_drift() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let ana = add(&mut world, 1, Beacon::new("ana", &trace).sending(addr(2), 500).on_a_grid(), Link::default());
    let ben = add(&mut world, 2, Beacon::new("ben", &trace), Link::default());
    world.set_wake_up(ana, Jitter::Uniform { max: Nanos::from_millis(10) });
    start(&mut world, &[ana, ben]);
    world.run_until(ms(20_000)).unwrap();
    let late: Vec<Nanos> = (0..).zip(&trace.of("ben")[1..]).map(|(n, (at, _))| *at - ms(20 * n)).collect();
    assert_eq!((late.len(), late[0]), (500, Nanos::ZERO), "the first is sent at the start and not by a timer");
    let (least, most) = (late[1..].iter().min().unwrap(), late.iter().max().unwrap());
    assert!((0..200_000).contains(&least.0) && (9_800_000..=10_000_000).contains(&most.0), "{least} to {most}");
}

#[test]
fn datagrams_that_cost_time_to_send_leave_one_after_the_other() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let relay = Beacon::new("relay", &trace).sending(addr(2), 2).times(3);
    let relay = add(&mut world, 1, relay, Link::default());
    let ear = add(&mut world, 2, Beacon::new("ear", &trace), link(0, 5));
    world.set_send_cost(relay, Nanos::from_millis(2));
    start(&mut world, &[relay, ear]);
    world.run_until(ms(1000)).unwrap();
    let at: Vec<RunTime> = trace.of("ear")[1..].iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [7, 9, 11, 27, 29, 31].map(ms));
}

#[test]
fn a_link_round_an_engine_does_the_same_as_the_world_s() {
    let direction = Direction {
        delay: Nanos::from_millis(15),
        jitter: Jitter::Normal { sd: Nanos::from_millis(5) },
        correlation: 0.5,
        loss: Loss::GilbertElliott { good_to_bad: 0.05, bad_to_good: 0.3, in_good: 0.0, in_bad: 1.0 },
        duplication: 0.05,
        bottleneck: Some(Bottleneck { bytes_per_second: 3000, limit: QueueLimit::Bytes(100) }),
        outages: vec![Outage { at: ms(3000), lasts: Nanos::from_millis(300) }],
        route_changes: vec![RouteChange { at: ms(6000), delay: Nanos::from_millis(40) }],
        reorder: false,
    };
    let run = |wrapped: bool| {
        let (mut world, trace) = (World::new(9), Trace::default());
        let relay = add(&mut world, 1, Beacon::new("relay", &trace), Link::default());
        let mut nodes = vec![relay];
        for (node, name) in [(1, "ana"), (2, "ben")] {
            let (own, other) = (10 + node as u16, 13 - node as u16);
            let engine = Beacon::new(name, &trace).sending(addr(other), 400).saying(&[refused("one"), Message::Leave]);
            let link = Link::symmetric(direction.clone());
            let id = if wrapped {
                let engine = Impaired::new(engine, addr(own), link, 9, node);
                world.add_node(addr(own), Box::new(engine), Box::new(Forget), Link::default())
            } else {
                add(&mut world, own, engine, link)
            };
            world.connect(id, relay);
            nodes.push(id);
        }
        start(&mut world, &nodes);
        nodes.iter().for_each(|node| world.stop_at(*node, ms(7000)));
        world.run_until(ms(10_000)).unwrap();
        trace
    };
    let (worlds, wrapped) = (run(false), run(true));
    for name in ["relay", "ana", "ben"] {
        assert!(worlds.of(name).len() > 3);
        assert_eq!(worlds.of(name), wrapped.of(name), "{name}");
    }
    assert!(worlds.of("ana").len() > 200, "{}", worlds.of("ana").len());
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let (first, again, other) = (busy_world(1, 0), busy_world(1, 0), busy_world(2, 0));
    assert!(first.all().len() > 1000);
    assert_eq!(first.all(), again.all());
    assert_ne!(first.all(), other.all());
}

#[test]
fn running_in_slices_changes_nothing() {
    let trace = Trace::default();
    let mut world = build_busy_world(1, 0, &trace);
    for slice in 1..=1000 {
        world.run_until(RunTime::START + Nanos::from_micros(10_000 * slice)).unwrap();
    }
    assert_eq!(world.now(), ms(10_000));
    assert_eq!(trace.all(), busy_world(1, 0).all());
}

#[test]
fn another_node_does_not_change_the_others_luck() {
    let (without, with) = (busy_world(1, 0), busy_world(1, 3));
    for node in ["ana", "ben"] {
        assert_eq!(without.of(node), with.of(node));
    }
}

#[test]
fn records_that_cannot_be_kept_end_the_run_and_name_the_node() {
    let (mut world, trace) = (World::new(1), Trace::default());
    let ana = Beacon::new("ana", &trace).noting(Event::Joined);
    let id = world.add_node(addr(7), Box::new(ana), Box::new(FullDisk), Link::default());
    world.start_at(id, ms(1500));
    let error = world.run_until(ms(2000)).unwrap_err();
    assert_eq!(error.to_string(), "the records of the node at 127.0.0.1:7 failed 1500.000 ms into the run: disk full");
}

#[test]
fn an_engine_that_does_not_let_time_go_on_is_named() {
    struct Restless;
    impl Engine for Restless {
        fn handle(&mut self, _: RunTime, _: Input<'_>) {}
        fn poll_output(&mut self) -> Output<'_> {
            Output::Wait(Some(RunTime::START))
        }
    }
    let mut world = World::new(1);
    let id = world.add_node(addr(7), Box::new(Restless), Box::new(Forget), Link::default());
    world.start_at(id, ms(5));
    assert!(matches!(world.run_until(ms(10)), Err(SimError::Stuck { node, at }) if node == addr(7) && at == ms(5)));
}

/// Two nodes that send to each other for 10 s over lossy links with jitter, and `more` that do not concern them.
fn build_busy_world(seed: u64, more: u16, trace: &Trace) -> World {
    let mut world = World::new(seed);
    let direction = Direction {
        delay: Nanos::from_millis(15),
        jitter: Jitter::Normal { sd: Nanos::from_millis(5) },
        loss: Loss::Independent(0.05),
        reorder: true,
        ..Direction::default()
    };
    let mut nodes = vec![
        add(&mut world, 1, Beacon::new("ana", trace).sending(addr(2), 600), Link::symmetric(direction.clone())),
        add(&mut world, 2, Beacon::new("ben", trace).sending(addr(1), 600), Link::symmetric(direction.clone())),
    ];
    for port in 3..3 + more {
        let beacon = Beacon::new("another", trace).sending(addr(port), 600);
        nodes.push(add(&mut world, port, beacon, Link::symmetric(direction.clone())));
    }
    start(&mut world, &nodes);
    world
}

fn busy_world(seed: u64, more: u16) -> Trace {
    let trace = Trace::default();
    let ran = build_busy_world(seed, more, &trace).run_until(ms(10_000));
    assert!(ran.is_ok());
    trace
}

fn ms(millis: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(millis)
}

fn addr(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn link(up_ms: i64, down_ms: i64) -> Link {
    let direction = |delay_ms| Direction { delay: Nanos::from_millis(delay_ms), ..Direction::default() };
    Link { up: direction(up_ms), down: direction(down_ms) }
}

fn packet(number: u16, from: u16) -> String {
    format!("packet {number} from {from}")
}

fn refused(reason: &str) -> Message {
    Message::Refused { reason: reason.into() }
}

fn add(world: &mut World, port: u16, beacon: Beacon, link: Link) -> NodeId {
    world.add_node(addr(port), Box::new(beacon), Box::new(Forget), link)
}

fn start(world: &mut World, nodes: &[NodeId]) {
    for node in nodes {
        world.start_at(*node, RunTime::START);
    }
}

/// Who, when, what.
type Delivery = (&'static str, RunTime, String);

/// Everything that reached any engine, in the order in which it did.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<Delivery>>>);

impl Trace {
    fn note(&self, who: &'static str, at: RunTime, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((who, at, what));
    }

    fn all(&self) -> Vec<Delivery> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of(&self, node: &str) -> Vec<(RunTime, String)> {
        self.all().into_iter().filter(|(who, ..)| *who == node).map(|(_, at, what)| (at, what)).collect()
    }
}

/// Says what it has to say when it starts, sends numbered datagrams once a period from then on, and notes whatever
/// reaches it.
struct Beacon {
    name: &'static str,
    trace: Trace,
    to: SocketAddr,
    count: u16,
    sent: u16,
    next: Option<RunTime>,
    postponed_by_packets: bool,
    /// Counts its periods from the start and not from when it was woken.
    on_a_grid: bool,
    /// How often each datagram is sent.
    copies: usize,
    outputs: VecDeque<Said>,
    lent: [u8; 2],
}

enum Said {
    Datagram([u8; 2]),
    Message(Message),
    Event(RunTime, Event),
    Done,
}

impl Beacon {
    fn new(name: &'static str, trace: &Trace) -> Self {
        Self {
            name,
            trace: trace.clone(),
            to: addr(0),
            count: 0,
            sent: 0,
            next: None,
            postponed_by_packets: false,
            on_a_grid: false,
            copies: 1,
            outputs: VecDeque::new(),
            lent: [0; 2],
        }
    }

    fn sending(self, to: SocketAddr, count: u16) -> Self {
        Self { to, count, ..self }
    }

    fn postponed_by_packets(self) -> Self {
        Self { postponed_by_packets: true, ..self }
    }

    fn on_a_grid(self) -> Self {
        Self { on_a_grid: true, ..self }
    }

    fn times(self, copies: usize) -> Self {
        Self { copies, ..self }
    }

    fn saying(mut self, messages: &[Message]) -> Self {
        self.outputs.extend(messages.iter().cloned().map(Said::Message));
        self
    }

    fn noting(mut self, event: Event) -> Self {
        self.outputs.push_back(Said::Event(RunTime::START, event));
        self
    }
}

impl Engine for Beacon {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        let what = match &input {
            Input::Packet { from, received, data } => {
                assert_eq!(*received, now);
                packet(u16::from_be_bytes([data[0], data[1]]), from.port())
            }
            Input::Control { peer, message } => format!("{} says {}", peer.0, message.to_line().trim()),
            Input::ControlClosed { peer, reason } => format!("{} hung up: {reason}", peer.0),
            other => format!("{other:?}"),
        };
        self.trace.note(self.name, now, what);
        match input {
            Input::Start | Input::Timer if self.sent < self.count => {
                let datagram = self.sent.to_be_bytes();
                self.outputs.extend((0..self.copies).map(|_| Said::Datagram(datagram)));
                self.sent += 1;
                let from = self.next.filter(|_| self.on_a_grid).unwrap_or(now);
                self.next = Some(from + PERIOD).filter(|_| self.sent < self.count);
            }
            Input::Packet { .. } if self.postponed_by_packets => self.next = Some(now + PERIOD),
            Input::Stop => self.outputs.push_back(Said::Done),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.outputs.pop_front() {
            Some(Said::Datagram(bytes)) => {
                self.lent = bytes;
                Output::Send { to: self.to, data: &self.lent }
            }
            Some(Said::Message(message)) => Output::Control { peer: PeerId::RELAY, message },
            Some(Said::Event(at, event)) => Output::Event { at, event },
            Some(Said::Done) => Output::Done,
            None => Output::Wait(self.next),
        }
    }
}

/// Keeps nothing.
struct Forget;

impl Records for Forget {
    fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
        Ok(())
    }

    fn event(&mut self, _: RunTime, _: Event) -> Result<(), KeepError> {
        Ok(())
    }
}

/// Has no room for anything.
struct FullDisk;

impl Records for FullDisk {
    fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
        Err("disk full".into())
    }

    fn event(&mut self, _: RunTime, _: Event) -> Result<(), KeepError> {
        Err("disk full".into())
    }
}
