//! This host's addresses: which one others reach it by, and why one could not be taken.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What is bound to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Media.
    Udp,
    /// Control.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// A local address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {transport} address {address}: {}", mend(reason))]
pub struct BindError {
    /// What it was wanted for.
    pub transport: Transport,
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system said. The message says it in full: it is no source, which would be said once more.
    pub reason: io::Error,
}

/// An address of this host by which its own programs reach each other though they ignore loopback, as WebRTC servers do; what
/// is sent there stays on the host. `None`: it has none.
pub fn network_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // Nothing is sent: the system only says which of its addresses it would be sent from (documentation's own network, RFC
    // 5737).
    socket.connect(("203.0.113.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn mend(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has that port; stop it, name another port, or port 0 for any free one".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; name one that it has, or 0.0.0.0 for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "the system does not allow that port; ports from 1024 on need no privilege".to_owned()
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn the_message_says_all_there_is_to_say_once() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4005));
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::AddrNotAvailable, io::ErrorKind::OutOfMemory] {
            let error = BindError { transport: Transport::Udp, address, reason: kind.into() };
            let message = error.to_string();
            assert!(message.starts_with("cannot use UDP address 127.0.0.1:4005: "), "{message}");
            assert_eq!(message.matches(": ").count(), 1, "{message}");
            assert!(error.source().is_none());
        }
    }
}
