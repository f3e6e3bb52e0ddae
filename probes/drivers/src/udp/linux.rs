//! Kernel receive stamps, batched sending, waits of nanosecond resolution.

use std::io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use jiho_analysis::units::Nanos;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmsg, sendmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::{Inbox, MAX_DATAGRAM_BYTES, MAX_RECEIVED_AT_ONCE, Outbox, Stamps, Traffic, canonical, reachable_from};
use crate::address::{BindError, Transport};
use crate::clock::RunClock;

/// What the kernel should hold for us while we sleep: seconds of a large room's packets.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// Datagrams handed to the kernel by one call.
const SENT_AT_ONCE: usize = 64;
/// How long to wait for room in a full send buffer before a datagram is given up.
const SEND_PATIENCE_MS: u8 = 1;

/// A bound UDP socket.
#[derive(Debug)]
pub struct Socket {
    socket: UdpSocket,
    address: SocketAddr,
    stamps: Stamps,
    traffic: Traffic,
    wakes: PipeReader,
    waker: Waker,
    buffer: Box<[u8]>,
    control: Vec<u8>,
}

/// Ends a [`Socket::wait`] from another thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<PipeWriter>);

impl Waker {
    /// Ends the wait that is under way, or else the next one.
    pub fn wake(&self) {
        // A full pipe wakes as well as one byte more; a closed one has nobody to wake.
        let _ = (&*self.0).write(&[0]);
    }
}

impl Socket {
    /// Takes a local address; port 0 stands for any free one.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::open(address).map_err(|reason| BindError { transport: Transport::Udp, address, reason })
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let stamps = match setsockopt(&socket, sockopt::ReceiveTimestampns, &true) {
            Ok(()) => Stamps::Kernel,
            Err(_) => Stamps::UserSpace,
        };
        // Both are best effort: a smaller buffer and an unknown count of overflows are no reason not to measure.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES);
        }
        let _ = setsockopt(&socket, sockopt::RxqOvfl, &1);

        let (wakes, waker) = io::pipe()?;
        fcntl(&wakes, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&waker, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            stamps,
            traffic: Traffic::default(),
            wakes,
            waker: Waker(Arc::new(waker)),
            buffer: vec![0; MAX_DATAGRAM_BYTES].into_boxed_slice(),
            control: cmsg_space!(TimeSpec, u32),
        })
    }

    /// The local address, with the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where receive stamps come from.
    pub fn stamps(&self) -> Stamps {
        self.stamps
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
        let timeout = timeout.map(|span| TimeSpec::from_duration(span.to_std()));
        let mut ready =
            [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN), PollFd::new(self.wakes.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut ready, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if ready[1].any() == Some(true) {
            let mut bytes = [0; 64];
            while matches!((&self.wakes).read(&mut bytes), Ok(count) if count == bytes.len()) {}
        }
        Ok(())
    }

    /// Reads what the kernel has into `inbox`, in the order of stamps, in place of what was there. False: there may
    /// be more.
    pub fn receive(&mut self, clock: &RunClock, inbox: &mut Inbox) -> io::Result<bool> {
        inbox.clear();
        let bridge = clock.bridge();
        let mut drained = false;
        for _ in 0..MAX_RECEIVED_AT_ONCE {
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let fd = self.socket.as_raw_fd();
            let message =
                match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut self.control), MsgFlags::MSG_DONTWAIT) {
                    Ok(message) => message,
                    Err(Errno::EAGAIN) => {
                        drained = true;
                        break;
                    }
                    // An earlier send found nobody: that is the receiver's affair.
                    Err(Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => continue,
                    Err(error) => return Err(error.into()),
                };
            let mut stamp = None;
            for control in message.cmsgs()? {
                match control {
                    ControlMessageOwned::ScmTimestampns(at) => stamp = Some(Duration::from(at)),
                    ControlMessageOwned::RxqOvfl(count) => self.traffic.overflowed = u64::from(count),
                    _ => {}
                }
            }
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                self.traffic.oversized += 1;
                continue;
            }
            let Some(from) = message.address.as_ref().and_then(socket_addr) else { continue };
            let count = message.bytes;
            let now = clock.now();
            // No packet arrives after it has been read: only a wall clock that stepped can say so.
            let received = stamp.map_or(now, |stamp| bridge.from_unix(stamp).min(now));
            inbox.push(canonical(from), received, &self.buffer[..count]);
            self.traffic.received += 1;
        }
        inbox.sort();
        Ok(drained)
    }

    /// Sends everything in `outbox` and empties it. What the kernel does not take is counted and given up, as a
    /// network would.
    pub fn send(&mut self, outbox: &mut Outbox) {
        let mut patient = true;
        let mut next = 0;
        while next < outbox.packets.len() {
            let batch = &outbox.packets[next..outbox.packets.len().min(next + SENT_AT_ONCE)];
            let address = |to| Some(SockaddrStorage::from(reachable_from(self.address, to)));
            let addresses: Vec<_> = batch.iter().map(|(to, _)| address(*to)).collect();
            let slices: Vec<_> = batch.iter().map(|(_, data)| [IoSlice::new(&outbox.bytes[data.clone()])]).collect();
            let mut headers = MultiHeaders::preallocate(batch.len(), None);
            let result =
                sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, &addresses, [], MsgFlags::MSG_DONTWAIT)
                    .map(Iterator::count);
            match result {
                Ok(count) if count > 0 => {
                    self.traffic.sent += count as u64;
                    next += count;
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if patient => {
                    patient = false;
                    let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
                    let _ = poll(&mut ready, PollTimeout::from(SEND_PATIENCE_MS));
                }
                Ok(_) | Err(_) => {
                    self.traffic.send_errors += 1;
                    next += 1;
                }
            }
        }
        outbox.clear();
    }
}

fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}
