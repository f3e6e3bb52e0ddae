//! Plain sockets of the standard library: stamps are taken when a datagram is read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use jiho_analysis::units::Nanos;

use super::{Inbox, MAX_DATAGRAM_BYTES, MAX_RECEIVED_AT_ONCE, Outbox, Stamps, Traffic, canonical, reachable_from};
use crate::address::{BindError, Transport};
use crate::clock::RunClock;

/// A bound UDP socket.
#[derive(Debug)]
pub struct Socket {
    socket: UdpSocket,
    address: SocketAddr,
    traffic: Traffic,
    waker: Waker,
    buffer: Box<[u8]>,
}

/// Ends a [`Socket::wait`] from another thread: by an empty datagram from a socket of its own.
#[derive(Clone, Debug)]
pub struct Waker(Arc<WakeSocket>);

#[derive(Debug)]
struct WakeSocket {
    socket: UdpSocket,
    address: SocketAddr,
    sleeper: SocketAddr,
}

impl Waker {
    /// Ends the wait that is under way, or else the next one.
    pub fn wake(&self) {
        // If the buffer is full there is enough in it to wake anybody.
        let _ = self.0.socket.send_to(&[], self.0.sleeper);
    }
}

impl Socket {
    /// Takes a local address; port 0 stands for any free one.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::open(address).map_err(|reason| BindError { transport: Transport::Udp, address, reason })
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        let address = socket.local_addr()?;
        let mut sleeper = address;
        if sleeper.ip().is_unspecified() {
            sleeper.set_ip(match sleeper.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let wake = UdpSocket::bind(SocketAddr::new(sleeper.ip(), 0))?;
        wake.set_nonblocking(true)?;
        let waker = Waker(Arc::new(WakeSocket { address: wake.local_addr()?, socket: wake, sleeper }));
        // One byte more than allowed, so that what is too long shows.
        let buffer = vec![0; MAX_DATAGRAM_BYTES + 1].into_boxed_slice();
        Ok(Self { socket, address, traffic: Traffic::default(), waker, buffer })
    }

    /// The local address, with the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where receive stamps come from.
    pub fn stamps(&self) -> Stamps {
        Stamps::UserSpace
    }

    /// What has been carried so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Something that ends [`wait`](Self::wait) from another thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits for a datagram, a [`Waker`] or the end of `timeout`; `None`: without end. May return for no reason.
    pub fn wait(&mut self, timeout: Option<Nanos>) -> io::Result<()> {
        if timeout.is_some_and(|span| span <= Nanos::ZERO) {
            return Ok(());
        }
        self.socket.set_nonblocking(false)?;
        // The standard library has no timeout of zero, and systems round down.
        self.socket.set_read_timeout(timeout.map(|span| span.to_std().max(Duration::from_micros(1))))?;
        match self.socket.peek_from(&mut self.buffer) {
            Ok(_) => Ok(()),
            Err(error) if is_passing(&error) || is_nothing_there(&error) => Ok(()),
            Err(error) if is_too_long(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads what the kernel has into `inbox`, in place of what was there. False: there may be more.
    pub fn receive(&mut self, clock: &RunClock, inbox: &mut Inbox) -> io::Result<bool> {
        inbox.clear();
        self.socket.set_nonblocking(true)?;
        let mut drained = false;
        for _ in 0..MAX_RECEIVED_AT_ONCE {
            match self.socket.recv_from(&mut self.buffer) {
                Ok((_, from)) if from == self.waker.0.address => {}
                Ok((count, _)) if count > MAX_DATAGRAM_BYTES => self.traffic.oversized += 1,
                Ok((count, from)) => {
                    inbox.push(canonical(from), clock.now(), &self.buffer[..count]);
                    self.traffic.received += 1;
                }
                Err(error) if is_nothing_there(&error) => {
                    drained = true;
                    break;
                }
                Err(error) if is_too_long(&error) => self.traffic.oversized += 1,
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        inbox.sort();
        Ok(drained)
    }

    /// Sends everything in `outbox` and empties it. What the system does not take is counted and given up, as a
    /// network would.
    pub fn send(&mut self, outbox: &mut Outbox) {
        for (to, data) in &outbox.packets {
            match self.socket.send_to(&outbox.bytes[data.clone()], reachable_from(self.address, *to)) {
                Ok(_) => self.traffic.sent += 1,
                Err(_) => self.traffic.send_errors += 1,
            }
        }
        outbox.clear();
    }
}

fn is_nothing_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// An earlier send found nobody, or a signal came: that concerns no datagram that waits to be read.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | HostUnreachable | Interrupted | NetworkUnreachable)
}

/// Windows cuts what does not fit into the buffer and reports it as an error (`WSAEMSGSIZE`).
fn is_too_long(error: &io::Error) -> bool {
    cfg!(windows) && error.raw_os_error() == Some(10_040)
}
