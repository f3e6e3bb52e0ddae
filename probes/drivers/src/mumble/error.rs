//! What can go wrong with a Mumble server, in words.

use std::fmt;
use std::io;
use std::time::Duration;

use super::messages::{PermissionDenied, Reject};

/// A Mumble server could not be joined, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum MumbleError {
    /// The name does not stand for an address.
    #[error("Mumble server {server}: no such address ({source}); it is written host:port, such as 127.0.0.1:64738")]
    NotFound {
        /// As it was given.
        server: String,
        /// What the system said.
        source: io::Error,
    },
    /// The host is there, or not; in any case nobody took the connection.
    #[error("Mumble server {server}: cannot connect ({source}); check that it runs, and its port")]
    Unreachable {
        /// As it was given.
        server: String,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody took the connection and could not be spoken to in secret.
    #[error(
        "Mumble server {server}: TLS failed ({source}); check that it is a Mumble server that has TLS 1.2. One that has \
         banned our address hangs up like this, too: see autobanAttempts in its settings"
    )]
    Tls {
        /// As it was given.
        server: String,
        /// What went wrong.
        source: io::Error,
    },
    /// No answer came.
    #[error("{what}: no answer within {} s", after.as_secs_f64())]
    TimedOut {
        /// Who should have answered.
        what: String,
        /// How long we waited.
        after: Duration,
    },
    /// The server does not let us in.
    #[error("Mumble server {server} refused {name}: {refusal}")]
    Refused {
        /// As it was given.
        server: String,
        /// The name that was asked for.
        name: String,
        /// Why.
        refusal: Refusal,
    },
    /// The server did not do what it was asked.
    #[error("the Mumble server denied it: {0}")]
    Denied(Denial),
    /// Nobody who is there has this session, or no longer.
    #[error("nobody on the Mumble server has session {session}")]
    NoSuchSession {
        /// The session that was named.
        session: u32,
    },
    /// The connection is no longer there.
    #[error("the connection to the Mumble server has ended: {reason}")]
    Ended {
        /// In words.
        reason: String,
    },
    /// What came is not what a Mumble server says.
    #[error("the Mumble server sent {what}, which cannot be: it is no Mumble server, or a version that we do not know")]
    Malformed {
        /// What came.
        what: String,
    },
}

/// Why a server does not let somebody in: Mumble.proto, message `Reject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the kind: `RejectType`.
    pub kind: i32,
    /// The server's own words; may be empty.
    pub reason: String,
}

/// Why a server does not do something: Mumble.proto, message `PermissionDenied`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The number of the kind: `DenyType`.
    pub kind: i32,
    /// The server's own words; may be empty.
    pub reason: String,
}

impl From<Reject> for Refusal {
    fn from(message: Reject) -> Self {
        Self { kind: message.kind.unwrap_or_default(), reason: message.reason.unwrap_or_default() }
    }
}

impl From<PermissionDenied> for Denial {
    fn from(message: PermissionDenied) -> Self {
        Self { kind: message.kind.unwrap_or_default(), reason: message.reason.unwrap_or_default() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            1 => "it does not take clients of version 1.3",
            2 => "the name is not allowed there; choose one of letters, digits and - = _ .",
            3 => "the name is registered, and this is not its password; give its password, or choose another name",
            4 => "wrong server password; give the one of serverpassword in its settings",
            5 => "the name is in use; choose another, or wait until who has it is gone",
            6 => "the server is full; see users in its settings",
            7 => "it wants a client's certificate, which we have not; see certrequired in its settings",
            8 => "it could not find out whether we may come in; see its log",
            _ => "no kind of reason is given",
        })?;
        words(f, &self.reason)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            1 => "we have not the permission; give it to us in the channel's access control list, or join as SuperUser",
            2 => "nobody can change SuperUser",
            6 => "not in a temporary channel",
            7 => "it takes a certificate",
            9 => "the channel is full",
            _ => "for another reason",
        })?;
        words(f, &self.reason)
    }
}

fn words(f: &mut fmt::Formatter<'_>, reason: &str) -> fmt::Result {
    // It is the server's: what a terminal would take for a command is left out.
    let reason: String = reason.chars().filter(|character| !character.is_control()).take(200).collect();
    if reason.is_empty() { Ok(()) } else { write!(f, " (it says: {reason})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_and_what_the_server_said() {
        let refusal = Refusal { kind: 4, reason: "Wrong\x1b[2J password".to_owned() };
        let words = refusal.to_string();
        assert!(words.starts_with("wrong server password; give the one"), "{words}");
        assert!(words.ends_with("(it says: Wrong[2J password)"), "{words}");
        assert!(!Refusal { kind: 99, reason: String::new() }.to_string().contains("it says"));
    }
}
