//! `[relay.external]`: somebody else's relay, which serves the room in place of ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiho_analysis::units::Nanos;
use serde::{Deserialize, Serialize};

use super::one_of;
use super::text::duration;

/// `[relay.external]`: where it is, how it is started, and how it is known to be ready. One of `control` and `rtp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct External {
    /// Where it takes control connections, as `host:port`: it speaks jiho's signalling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// The room's secret; `None`: what the environment has as `JIHO_TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The command that starts it, for a shell; `None`: it runs already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// When it is ready; `None`: when somebody listens at `control`.
    #[serde(deserialize_with = "one_of::some", skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// If it is not ready by then, the run comes to nothing.
    #[serde(with = "duration")]
    pub patience: Nanos,
    /// How long it may take to end by itself once it has been told to (`SIGTERM`), before it is killed.
    #[serde(with = "duration")]
    pub stop: Nanos,
    /// What the command's environment has besides jiho's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// It has no signalling of ours: RTP goes there and comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtp: Option<PlainRtp>,
}

impl Default for External {
    fn default() -> Self {
        Self {
            control: None,
            token: None,
            start: None,
            ready: None,
            patience: Nanos::from_secs(10),
            stop: Nanos::from_secs(3),
            env: BTreeMap::new(),
            rtp: None,
        }
    }
}

impl External {
    /// The sign by which it is known to be ready, if there is one.
    pub fn sign(&self) -> Option<Ready> {
        self.ready.clone().or_else(|| self.control.clone().map(Ready::Tcp))
    }
}

/// `ready.*`: the sign that a relay can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ready {
    /// It has written a line with these words, to standard output or error.
    Line(String),
    /// Somebody takes TCP connections at this address.
    Tcp(String),
    /// A GET of this address is answered by a status from 200 to 299.
    Http(String),
}

impl Ready {
    /// Reads what the command line gives: `line=WORDS`, `tcp=HOST:PORT` or `http://…`.
    ///
    /// # Errors
    /// It is none of them; in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("line", words)) => Ok(Self::Line(words.to_owned())),
            Some(("tcp", address)) => Ok(Self::Tcp(address.to_owned())),
            _ if Self::http_parts(text).is_some() => Ok(Self::Http(text.to_owned())),
            _ => Err("give line=WORDS, tcp=HOST:PORT, or http://HOST:PORT/PATH".to_owned()),
        }
    }

    /// The `host:port` and the path of an `http://` address.
    pub(crate) fn http_parts(address: &str) -> Option<(String, &str)> {
        let rest = address.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let with_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if with_port { authority.to_owned() } else { format!("{authority}:80") };
        (!authority.starts_with(':')).then_some((authority, if path.is_empty() { "/" } else { path }))
    }
}

/// `rtp`: a relay that takes and gives RTP alone, each participant's at an address that it was told beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainRtp {
    /// Where every speaker's packets go.
    pub send_to: SocketAddr,
    /// Where packets come from that are for us; empty: from there as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hear_from: Vec<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_read_from_the_command_line() {
        assert_eq!(Ready::parse("line=relay ready, a=b"), Ok(Ready::Line("relay ready, a=b".to_owned())));
        assert_eq!(Ready::parse("tcp=[::1]:80"), Ok(Ready::Tcp("[::1]:80".to_owned())));
        assert_eq!(Ready::parse("http://h/?a=b"), Ok(Ready::Http("http://h/?a=b".to_owned())));
        assert!(Ready::parse("udp=1").unwrap_err().contains("line=WORDS"));
    }

    #[test]
    fn an_http_address_is_taken_apart() {
        for (address, parts) in [
            ("http://127.0.0.1:8080/health", Some(("127.0.0.1:8080", "/health"))),
            ("http://localhost", Some(("localhost:80", "/"))),
            ("http://[::1]:9000", Some(("[::1]:9000", "/"))),
            ("https://localhost/", None),
            ("localhost:80", None),
            ("http://:80/", None),
        ] {
            let parts = parts.map(|(authority, path)| (authority.to_owned(), path));
            assert_eq!(Ready::http_parts(address), parts, "{address}");
        }
    }
}
