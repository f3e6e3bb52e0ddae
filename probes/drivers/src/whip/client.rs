//! Who asks a door, of ours or anybody's.

use std::time::Duration;

use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER, SERVER};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

const SDP: &str = "application/sdp";
/// How much of a refusal is read for its first line.
const MAX_TEXT: usize = 300;

/// By which sessions are asked for; calls wait for their answers.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    token: Option<String>,
    patience: Duration,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The SDP.
    pub answer: String,
    /// The URL by which it is ended, if the server gave one.
    pub resource: Option<String>,
    /// What the server says that it is.
    pub server: Option<String>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer came that could be read.
    #[error("{url}: {reason}")]
    Failed {
        /// Who was asked.
        url: String,
        /// In words.
        reason: String,
    },
    /// No answer came in time.
    #[error("{url}: no answer within {} s", within.as_secs_f64())]
    Silent {
        /// Who was asked.
        url: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The answer was another one than it should be.
    #[error("{url}: HTTP {status}{}", said(line))]
    Refused {
        /// Who was asked.
        url: String,
        /// The status, with its reason.
        status: String,
        /// The first line of what came with it.
        line: String,
        /// How long to wait before asking again, if that may help.
        again: Option<Duration>,
    },
}

fn said(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

impl Client {
    /// One that shows this bearer token, if any, and waits so long at most.
    pub fn new(token: Option<String>, patience: Duration) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience)).build();
        Self { agent: config.into(), token, patience }
    }

    /// Posts an offer.
    ///
    /// # Errors
    /// No answer, or another one than 201 with an SDP.
    pub fn post(&self, url: &str, offer: &str) -> Result<Session, ClientError> {
        let request = self.agent.post(url).header(CONTENT_TYPE, SDP).header(ACCEPT, SDP);
        let request = match self.bearer() {
            Some(bearer) => request.header(AUTHORIZATION, bearer),
            None => request,
        };
        let response = request.send(offer).map_err(|error| self.failed(url, &error))?;
        if response.status() != 201 {
            return Err(refused(url, response));
        }
        let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let (location, server) = (header(LOCATION), header(SERVER));
        let resource = location.map(|location| resolved(url, &location).unwrap_or(location));
        let answer = response.into_body().read_to_string().map_err(|error| self.failed(url, &error))?;
        Ok(Session { answer, resource, server })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// No answer, or one that says that it cannot be done.
    pub fn delete(&self, resource: &str) -> Result<(), ClientError> {
        let request = self.agent.delete(resource);
        let request = match self.bearer() {
            Some(bearer) => request.header(AUTHORIZATION, bearer),
            None => request,
        };
        let response = request.call().map_err(|error| self.failed(resource, &error))?;
        if response.status().is_success() { Ok(()) } else { Err(refused(resource, response)) }
    }

    fn failed(&self, url: &str, error: &ureq::Error) -> ClientError {
        match error {
            ureq::Error::Timeout(_) => ClientError::Silent { url: url.to_owned(), within: self.patience },
            error => ClientError::Failed { url: url.to_owned(), reason: error.to_string() },
        }
    }

    fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }
}

fn refused(url: &str, response: Response<Body>) -> ClientError {
    let status = response.status().to_string();
    let again = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let text = response.into_body().read_to_string().unwrap_or_default();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.chars().take(MAX_TEXT).collect();
    ClientError::Refused { url: url.to_owned(), status, line, again: again.map(Duration::from_secs) }
}

/// Where a `Location` is that came from a URL: in full, from the server's root, or beside it (RFC 3986, section 5.2).
fn resolved(url: &str, location: &str) -> Option<String> {
    if location.contains("://") {
        return Some(location.to_owned());
    }
    let base: Uri = url.parse().ok()?;
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if location.starts_with('/') { location.to_owned() } else { format!("{folder}/{location}") };
    Some(format!("{scheme}://{authority}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_however_the_server_names_it() {
        let url = "http://host:8080/rooms/1/whip?x=1";
        let found = |location| resolved(url, location).unwrap();
        assert_eq!(found("https://other/s/1"), "https://other/s/1");
        assert_eq!(found("//other/s/1"), "http://other/s/1");
        assert_eq!(found("/s/1"), "http://host:8080/s/1");
        assert_eq!(found("s/1"), "http://host:8080/rooms/1/s/1");
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/whip/ana");
        let error = Client::new(None, Duration::from_secs(1)).post(&url, "v=0").unwrap_err();
        assert!(error.to_string().starts_with(&url), "{error}");
    }
}
