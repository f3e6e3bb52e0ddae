use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use jiho_analysis::units::{MediaTime, Nanos};
use jiho_proto::control::Message;
use jiho_proto::engine::PeerId;
use jiho_proto::event::Event;

use super::*;
use crate::control::{CONNECT_TIMEOUT, connect, serve};

/// What a [`Probe`] was given.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Start,
    Timer,
    Packet { received: RunTime, first_byte: u8 },
    Stop,
}

type Log = Arc<Mutex<Vec<(RunTime, Seen)>>>;

/// Sends every packet back and plays one sample at every timer.
struct Probe {
    log: Log,
    period: Nanos,
    deadline: RunTime,
    answer_to: Option<SocketAddr>,
    answer: Vec<u8>,
    played: i64,
    plays: bool,
    stopped: bool,
}

impl Probe {
    fn every(period: Nanos, log: &Log) -> Box<Self> {
        Box::new(Self {
            log: log.clone(),
            period,
            deadline: RunTime::START,
            answer_to: None,
            answer: Vec::new(),
            played: 0,
            plays: false,
            stopped: false,
        })
    }
}

impl Engine for Probe {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        let seen = match input {
            Input::Start => {
                self.deadline = now + self.period;
                Seen::Start
            }
            Input::Timer => {
                assert!(now >= self.deadline, "a timer before its time");
                self.deadline = self.deadline + self.period;
                self.plays = true;
                Seen::Timer
            }
            Input::Packet { from, received, data } => {
                self.answer_to = Some(from);
                self.answer = data.to_vec();
                Seen::Packet { received, first_byte: data[0] }
            }
            Input::Stop => {
                self.stopped = true;
                Seen::Stop
            }
            Input::Control { .. } | Input::ControlClosed { .. } => unreachable!("there is no control connection"),
        };
        self.log.lock().unwrap().push((now, seen));
    }

    fn poll_output(&mut self) -> Output<'_> {
        if std::mem::take(&mut self.plays) {
            self.played += 1;
            return Output::Ear { first: MediaTime(self.played - 1), samples: &[0.5] };
        }
        match self.answer_to.take() {
            Some(to) => Output::Send { to, data: &self.answer },
            None if self.stopped => Output::Done,
            None => Output::Wait(Some(self.deadline)),
        }
    }
}

/// Keeps so many samples, then its disk is full.
struct Disk(usize);

impl Records for Disk {
    fn ear(&mut self, _first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.0 = self.0.checked_sub(samples.len()).ok_or("no space left on device")?;
        Ok(())
    }

    fn event(&mut self, _at: RunTime, _event: Event) -> Result<(), KeepError> {
        Ok(())
    }
}

fn socket() -> Socket {
    Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn spawn(engine: Box<dyn Engine>, socket: Socket, clock: RunClock, records: Disk) -> MediaThread {
    MediaThread::spawn("probe", engine, socket, clock, ControlLink::none(), Box::new(records)).unwrap()
}

#[test]
fn a_packet_is_answered_and_its_stamp_lies_between_sending_and_handling() {
    let (log, clock) = (Log::default(), RunClock::start());
    let socket = socket();
    let slack = clock.bridge().error() + Nanos::from_micros(100);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(socket.local_addr()).unwrap();
    let thread = spawn(Probe::every(Nanos::from_secs(3600), &log), socket, clock, Disk(0));
    let mut answer = [0; 16];
    let mut before = Vec::new();
    for number in 0..20 {
        before.push(clock.now());
        client.send(&[number; 5]).unwrap();
        assert_eq!(client.recv(&mut answer).unwrap(), 5);
        assert_eq!(answer[..5], [number; 5]);
    }
    thread.stop();
    let report = thread.join();
    assert!(report.outcome.is_ok());
    assert_eq!((report.traffic.received, report.traffic.sent, report.traffic.send_errors), (20, 20, 0));

    let log = log.lock().unwrap();
    let packets: Vec<_> = log.iter().filter(|(_, seen)| matches!(seen, Seen::Packet { .. })).collect();
    assert_eq!(packets.len(), 20);
    for (number, (now, seen)) in packets.iter().enumerate() {
        let Seen::Packet { received, first_byte } = seen else { continue };
        assert_eq!(usize::from(*first_byte), number);
        assert!(before[number] - slack <= *received && received <= now);
    }
}

#[test]
fn what_the_kernel_has_comes_before_the_timer() {
    let (log, clock) = (Log::default(), RunClock::start());
    let socket = socket();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..200 {
        client.send_to(&[number], socket.local_addr()).unwrap();
    }
    // The first deadline has come long before the engine's thread looks at the clock again.
    let thread = spawn(Probe::every(Nanos(1), &log), socket, clock, Disk(usize::MAX));
    while log.lock().unwrap().len() < 300 {
        thread::yield_now();
    }
    thread.stop();
    assert!(thread.join().outcome.is_ok());

    let log = log.lock().unwrap();
    assert_eq!(log[0].1, Seen::Start);
    let first_bytes: Vec<_> = log[1..=200]
        .iter()
        .map(|(_, seen)| match seen {
            Seen::Packet { first_byte, .. } => *first_byte,
            other => panic!("{other:?} came before a packet"),
        })
        .collect();
    assert_eq!(first_bytes, (0..200).collect::<Vec<_>>());
    assert_eq!(log[201].1, Seen::Timer);
    assert!(log.is_sorted_by_key(|(now, _)| *now), "time ran backwards");
}

#[test]
fn deadlines_are_met_and_their_lateness_is_reported() {
    let (log, clock) = (Log::default(), RunClock::start());
    let thread = spawn(Probe::every(Nanos::from_millis(2), &log), socket(), clock, Disk(usize::MAX));
    while log.lock().unwrap().iter().filter(|(_, seen)| *seen == Seen::Timer).count() < 10 {
        thread::yield_now();
    }
    thread.stop();
    let report = thread.join();
    // On a busy machine some deadlines pass before the thread can sleep for them.
    assert!(report.wakeups.count > 0);
    assert!(report.wakeups.median <= report.wakeups.p99 && report.wakeups.p99 <= report.wakeups.max);
}

#[test]
fn to_stop_twice_is_to_stop_once() {
    let (log, clock) = (Log::default(), RunClock::start());
    let thread = spawn(Probe::every(Nanos::from_secs(3600), &log), socket(), clock, Disk(0));
    let stopper = thread.stopper();
    stopper.stop();
    thread.stop();
    assert!(thread.join().outcome.is_ok());
    stopper.stop();
    let log = log.lock().unwrap();
    assert_eq!(log.iter().map(|(_, seen)| seen.clone()).collect::<Vec<_>>(), [Seen::Start, Seen::Stop]);
}

#[test]
fn a_full_disk_stops_the_engine_and_is_named() {
    let (log, clock) = (Log::default(), RunClock::start());
    let thread = spawn(Probe::every(Nanos::from_micros(100), &log), socket(), clock, Disk(3));
    let report = thread.join();
    let error = report.outcome.unwrap_err();
    assert!(matches!(error, MediaError::Ear { .. }));
    assert_eq!(error.to_string(), "probe: what it heard cannot be kept: no space left on device");
    let log = log.lock().unwrap();
    assert_eq!(log.iter().filter(|(_, seen)| *seen == Seen::Timer).count(), 4);
    assert_eq!(log.last().unwrap().1, Seen::Stop);
}

#[test]
fn an_engine_that_panics_is_an_error_of_its_own() {
    struct Faulty;
    impl Engine for Faulty {
        fn handle(&mut self, _now: RunTime, _input: Input<'_>) {
            panic!("on purpose");
        }
        fn poll_output(&mut self) -> Output<'_> {
            Output::Done
        }
    }
    let report = spawn(Box::new(Faulty), socket(), RunClock::start(), Disk(0)).join();
    assert!(matches!(report.outcome, Err(MediaError::Panicked { .. })));
}

/// Says `Leave` at its start, if it is a client; answers it, if it is a relay. Both end with the connection.
struct Polite {
    says: Option<(PeerId, Message)>,
    done: bool,
}

impl Engine for Polite {
    fn handle(&mut self, _now: RunTime, input: Input<'_>) {
        match input {
            Input::Control { peer: PeerId::RELAY, .. } | Input::ControlClosed { .. } => self.done = true,
            Input::Control { peer, message } => self.says = Some((peer, message.clone())),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        match self.says.take() {
            Some((peer, message)) => Output::Control { peer, message },
            None if self.done => Output::Done,
            None => Output::Wait(None),
        }
    }
}

#[tokio::test]
async fn control_messages_wake_threads_that_wait_for_nothing_else() {
    let clock = RunClock::start();
    let (relay_socket, client_socket) = (socket(), socket());
    let (server, link) = serve("127.0.0.1:0".parse().unwrap(), relay_socket.waker()).await.unwrap();
    let relay = Box::new(Polite { says: None, done: false });
    let relay = MediaThread::spawn("relay", relay, relay_socket, clock, link, Box::new(Disk(0))).unwrap();

    let address = server.local_addr().to_string();
    let (connection, link) = connect(&address, CONNECT_TIMEOUT, client_socket.waker()).await.unwrap();
    let client = Box::new(Polite { says: Some((PeerId::RELAY, Message::Leave)), done: false });
    let client = MediaThread::spawn("client", client, client_socket, clock, link, Box::new(Disk(0))).unwrap();

    let client = tokio::task::spawn_blocking(|| client.join()).await.unwrap();
    assert!(client.outcome.is_ok());
    connection.closed().await;
    // The client's end ends the connection, and that the relay.
    assert!(tokio::task::spawn_blocking(|| relay.join()).await.unwrap().outcome.is_ok());
    server.shutdown().await;
}
