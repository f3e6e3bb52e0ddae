//! JSON messages over a WebSocket (RFC 6455), each waited for no longer than was said.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

use super::{PATIENCE, RoomError};

/// A WebSocket at which JSON is spoken.
#[derive(Debug)]
pub(super) struct JsonSocket {
    what: String,
    socket: WebSocket<TcpStream>,
}

/// Connects to `url`, as `ws://host:port/path`, which `what` serves.
pub(super) fn connect(
    what: &str,
    url: &str,
    protocol: Option<&'static str>,
    doing: &str,
) -> Result<JsonSocket, RoomError> {
    let failed = |error: &dyn std::fmt::Display| RoomError::Refused {
        what: what.to_owned(),
        doing: format!("{doing} at {url}"),
        reason: error.to_string(),
    };
    let mut request = url.into_client_request().map_err(|error| failed(&error))?;
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
    }
    let (host, port) = (request.uri().host().unwrap_or_default(), request.uri().port_u16().unwrap_or(80));
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| failed(&error))?;
    let address = addresses.next().ok_or_else(|| failed(&"no such address"))?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| failed(&error))?;
    let timed = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_nodelay(true));
    timed.map_err(|error| failed(&error))?;
    let (socket, _) = tungstenite::client(request, stream).map_err(|error| failed(&error))?;
    Ok(JsonSocket { what: what.to_owned(), socket })
}

impl JsonSocket {
    pub(super) fn send(&mut self, message: &Value, doing: &str) -> Result<(), RoomError> {
        let sent = self.socket.send(Message::text(message.to_string()));
        sent.map_err(|error| self.failed(&error, doing))
    }

    /// The next message, if one comes until then.
    pub(super) fn next(&mut self, until: Instant, doing: &str) -> Result<Value, RoomError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.next_within(left, doing)? {
                Some(message) => return Ok(message),
                None if Instant::now() < until => {}
                None => {
                    return Err(RoomError::Silent {
                        what: self.what.clone(),
                        doing: doing.to_owned(),
                        within: PATIENCE,
                    });
                }
            }
        }
    }

    /// The next message that comes within a while.
    pub(super) fn next_within(&mut self, while_: Duration, doing: &str) -> Result<Option<Value>, RoomError> {
        let timeout = while_.max(Duration::from_millis(1));
        self.socket.get_ref().set_read_timeout(Some(timeout)).map_err(|error| self.failed(&error, doing))?;
        match self.socket.read() {
            // What is no JSON is nothing that we asked for.
            Ok(Message::Text(text)) => Ok(serde_json::from_str(&text).ok()),
            Ok(_) => Ok(None),
            Err(tungstenite::Error::Io(error))
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed(&error, doing)),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display, doing: &str) -> RoomError {
        let (what, doing) = (self.what.clone(), doing.to_owned());
        RoomError::Refused { what, doing, reason: format!("its connection failed: {error}") }
    }
}
