//! Datagrams with the instant of their arrival.
//!
//! On Linux the kernel stamps every packet as it comes in (`SO_TIMESTAMPNS`); elsewhere the stamp is taken when the
//! packet is read, and [`Stamps`] says so.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ops::Range;

use jiho_analysis::units::RunTime;
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", allow(unreachable_pub))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::{Socket, Waker};
#[cfg(not(target_os = "linux"))]
pub use portable::{Socket, Waker};

/// Longer datagrams are dropped and counted: more than a jumbo frame's share of sound is not media of ours.
const MAX_DATAGRAM_BYTES: usize = 4096;
/// Packets read at one go. A flood must not keep an engine from its timers for ever.
const MAX_RECEIVED_AT_ONCE: usize = 1024;

/// Where receive stamps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// The kernel, when the packet came in. Linux begins to stamp some milliseconds after the host's first stamping
    /// socket was opened; until then packets carry the time at which they are read.
    Kernel,
    /// This program, when it read the packet: late by as much as the machine is busy.
    UserSpace,
}

/// What a socket has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams handed to the kernel.
    pub sent: u64,
    /// Datagrams that the kernel did not take.
    pub send_errors: u64,
    /// Datagrams dropped because they were longer than any of ours.
    pub oversized: u64,
    /// Datagrams that the kernel dropped because we did not read fast enough, where it tells.
    pub overflowed: u64,
}

/// Datagrams that were read, in one buffer.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    packets: Vec<Received>,
}

#[derive(Clone, Debug)]
struct Received {
    from: SocketAddr,
    received: RunTime,
    data: Range<usize>,
}

impl Inbox {
    /// The datagrams in the order of their stamps: sender, arrival, payload.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, RunTime, &[u8])> {
        self.packets.iter().map(|packet| (packet.from, packet.received, &self.bytes[packet.data.clone()]))
    }

    /// The latest stamp.
    pub fn last_received(&self) -> Option<RunTime> {
        self.packets.last().map(|packet| packet.received)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }

    fn push(&mut self, from: SocketAddr, received: RunTime, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.packets.push(Received { from, received, data: start..self.bytes.len() });
    }

    fn sort(&mut self) {
        self.packets.sort_by_key(|packet| packet.received);
    }
}

/// Datagrams to be sent, in one buffer.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    packets: Vec<(SocketAddr, Range<usize>)>,
}

impl Outbox {
    /// Adds a datagram.
    pub fn push(&mut self, to: SocketAddr, data: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.packets.push((to, start..self.bytes.len()));
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
    }
}

/// A remote address as people and the rest of the program write it. An IPv6 socket that also carries IPv4 calls its
/// IPv4 peers `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2), which is not equal to `a.b.c.d`.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// An address as the socket bound to `local` must be told it: the inverse of [`canonical`].
fn reachable_from(local: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (local, to) {
        (SocketAddr::V6(_), SocketAddr::V4(to)) => SocketAddrV6::new(to.ip().to_ipv6_mapped(), to.port(), 0, 0).into(),
        _ => to,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiho_analysis::units::Nanos;

    use super::*;
    use crate::clock::RunClock;

    /// The same statements hold for both implementations.
    macro_rules! behaves_like_a_socket {
        ($name:ident, $socket:ty) => {
            mod $name {
                use super::*;

                #[test]
                fn datagrams_arrive_whole_and_in_order_of_their_stamps() {
                    let clock = RunClock::start();
                    let mut a = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let mut b = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let mut outbox = Outbox::default();
                    for length in 0..100_usize {
                        outbox.push(b.local_addr(), &vec![length as u8; length]);
                    }
                    a.send(&mut outbox);
                    assert!(outbox.is_empty());
                    assert_eq!(a.traffic(), Traffic { sent: 100, ..Traffic::default() });

                    let mut inbox = Inbox::default();
                    let mut lengths = Vec::new();
                    let mut last = RunTime(i64::MIN);
                    while lengths.len() < 100 {
                        b.wait(None).unwrap();
                        b.receive(&clock, &mut inbox).unwrap();
                        for (from, received, data) in inbox.iter() {
                            assert_eq!(from, a.local_addr());
                            assert!(received >= last);
                            assert!(data.iter().all(|&byte| usize::from(byte) == data.len()));
                            last = received;
                            lengths.push(data.len());
                        }
                    }
                    assert_eq!(lengths, (0..100).collect::<Vec<_>>());
                    assert_eq!(b.traffic().received, 100);
                }

                #[test]
                fn a_socket_of_both_families_calls_an_ipv4_peer_by_its_ipv4_address() {
                    let clock = RunClock::start();
                    let Ok(mut both) = <$socket>::bind("[::]:0".parse().unwrap()) else {
                        eprintln!("skipped: there is no IPv6 here");
                        return;
                    };
                    let mut ana = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let here = SocketAddr::new(ana.local_addr().ip(), both.local_addr().port());
                    let mut outbox = Outbox::default();
                    outbox.push(here, b"ping");
                    ana.send(&mut outbox);
                    let (from, data) = next(&mut both, &clock);
                    assert_eq!((from, &data[..]), (ana.local_addr(), &b"ping"[..]));
                    outbox.push(from, b"pong");
                    both.send(&mut outbox);
                    let (from, data) = next(&mut ana, &clock);
                    assert_eq!((from, &data[..]), (here, &b"pong"[..]));
                }

                /// The next datagram: its sender and its payload. It has been sent, so loopback delivers it.
                fn next(socket: &mut $socket, clock: &RunClock) -> (SocketAddr, Vec<u8>) {
                    let mut inbox = Inbox::default();
                    let until = clock.now() + Nanos::from_secs(20);
                    while clock.now() < until {
                        socket.wait(Some(until - clock.now())).unwrap();
                        socket.receive(clock, &mut inbox).unwrap();
                        if let Some((from, _, data)) = inbox.iter().next() {
                            return (from, data.to_vec());
                        }
                    }
                    panic!("nothing came");
                }

                #[test]
                fn an_oversized_datagram_is_dropped_and_counted() {
                    let clock = RunClock::start();
                    let mut a = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let mut b = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let mut outbox = Outbox::default();
                    outbox.push(b.local_addr(), &[1; MAX_DATAGRAM_BYTES + 1]);
                    outbox.push(b.local_addr(), &[2; MAX_DATAGRAM_BYTES]);
                    a.send(&mut outbox);
                    let mut inbox = Inbox::default();
                    while b.traffic().received == 0 {
                        b.wait(None).unwrap();
                        b.receive(&clock, &mut inbox).unwrap();
                    }
                    assert_eq!(inbox.iter().map(|(_, _, data)| data[0]).collect::<Vec<_>>(), [2]);
                    assert_eq!(b.traffic().oversized, 1);
                }

                #[test]
                fn a_send_that_fails_is_counted_and_the_rest_goes_out() {
                    let mut a = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let b = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let mut outbox = Outbox::default();
                    outbox.push(b.local_addr(), b"first");
                    outbox.push(b.local_addr(), &[0; 70_000]);
                    outbox.push("[::1]:9".parse().unwrap(), b"another family");
                    outbox.push(b.local_addr(), b"last");
                    a.send(&mut outbox);
                    assert_eq!((a.traffic().sent, a.traffic().send_errors), (2, 2));
                }

                #[test]
                fn another_thread_ends_the_wait() {
                    let mut socket = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let waker = socket.waker();
                    let thread = std::thread::spawn(move || waker.wake());
                    socket.wait(None).unwrap();
                    thread.join().unwrap();
                }

                #[test]
                fn a_wait_without_input_ends_with_its_time() {
                    let clock = RunClock::start();
                    let mut socket = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let until = clock.now() + Nanos::from_millis(20);
                    // The system may return a little early; callers look at the clock and wait again.
                    while clock.now() < until {
                        socket.wait(Some(until - clock.now())).unwrap();
                    }
                    assert_eq!(socket.traffic().received, 0);
                }

                #[test]
                fn a_port_in_use_is_named_with_the_mend() {
                    let first = <$socket>::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    let error = <$socket>::bind(first.local_addr()).unwrap_err().to_string();
                    assert!(error.contains(&format!("UDP address {}", first.local_addr())), "{error}");
                    assert!(error.contains("another program has that port"), "{error}");
                }
            }
        };
    }

    #[test]
    fn only_an_ipv4_address_in_the_guise_of_ipv6_is_called_otherwise() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(canonical(addr("[::ffff:10.0.0.1]:5")), addr("10.0.0.1:5"));
        for other in ["10.0.0.1:5", "[::1]:5", "[fe80::1%7]:5"] {
            assert_eq!(canonical(addr(other)), addr(other));
            assert_eq!(reachable_from(addr("10.0.0.2:6"), addr(other)), addr(other));
        }
        assert_eq!(reachable_from(addr("[::]:6"), addr("10.0.0.1:5")), addr("[::ffff:10.0.0.1]:5"));
        assert_eq!(reachable_from(addr("[::]:6"), addr("[fe80::1%7]:5")), addr("[fe80::1%7]:5"));
    }

    #[cfg(target_os = "linux")]
    behaves_like_a_socket!(linux_socket, super::super::linux::Socket);
    behaves_like_a_socket!(portable_socket, super::super::portable::Socket);

    #[test]
    fn stamps_taken_at_reading_are_not_passed_off_as_the_kernels() {
        let socket = portable::Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(socket.stamps(), Stamps::UserSpace);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_stamps_between_sending_and_reading() {
        let clock = RunClock::start();
        let mut socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(socket.stamps(), Stamps::Kernel);
        let mut outbox = Outbox::default();
        let mut inbox = Inbox::default();
        let mut stamped_on_arrival = 0;
        // Linux takes a moment to begin (see `Stamps::Kernel`).
        for _ in 0..1000 {
            outbox.push(socket.local_addr(), b"to myself");
            let before = clock.now();
            socket.send(&mut outbox);
            let sent = clock.now();
            std::thread::sleep(Duration::from_millis(3));
            socket.receive(&clock, &mut inbox).unwrap();
            let received = inbox.last_received().unwrap();
            let slack = clock.bridge().error() + Nanos::from_micros(100);
            assert!(before - slack <= received && received <= clock.now(), "{before:?} {received:?}");
            // On loopback a datagram has arrived when the call that sends it returns: its stamp stays there, however
            // late it is read.
            if received <= sent + slack {
                stamped_on_arrival += 1;
            } else {
                assert_eq!(stamped_on_arrival, 0, "{sent:?} {received:?}");
            }
            if stamped_on_arrival == 20 {
                return;
            }
        }
        panic!("the kernel never began to stamp");
    }
}
