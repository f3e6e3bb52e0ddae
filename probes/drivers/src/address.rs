//! Why a local address could not be taken.

use std::fmt;
use std::io;
use std::net::SocketAddr;

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
