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
#[error("cannot use {transport} address {address}: {}", mend(source))]
pub struct BindError {
    /// What it was wanted for.
    pub transport: Transport,
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
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
