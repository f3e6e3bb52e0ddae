//! A tab, driven through the Chrome DevTools Protocol: JSON messages over a WebSocket, requests by number
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use std::time::Instant;

use serde_json::{Value, json};

use super::super::{PATIENCE, RoomError};
use crate::rooms::socket::{self, JsonSocket};

/// The first page of a browser.
#[derive(Debug)]
pub(super) struct Tab {
    what: String,
    socket: JsonSocket,
    session: Option<String>,
    next: u64,
}

impl Tab {
    /// Connects to the browser at `HOST:PORT/PATH`.
    pub(super) fn open(what: &str, address: &str) -> Result<Self, RoomError> {
        let doing = "opening its DevTools";
        let socket = socket::connect(what, &format!("ws://{address}"), None, doing)?;
        let mut tab = Self { what: what.to_owned(), socket, session: None, next: 1 };
        let targets = tab.call("Target.getTargets", json!({}), doing)?;
        let pages = targets["targetInfos"].as_array().cloned().unwrap_or_default();
        let page = pages.iter().find(|target| target["type"] == "page").map(|page| page["targetId"].clone());
        let page = page.ok_or_else(|| tab.refused(doing, "it has no page"))?;
        let attached = tab.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }), doing)?;
        tab.session = attached["sessionId"].as_str().map(str::to_owned);
        Ok(tab)
    }

    /// Runs a script in the page, waits for what it promises, and gives that.
    pub(super) fn evaluate(&mut self, script: &str, doing: &str) -> Result<Value, RoomError> {
        let arguments = json!({
            "expression": script,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.call("Runtime.evaluate", arguments, doing)?;
        if let Some(exception) = answer.get("exceptionDetails") {
            let said = exception["exception"]["description"].as_str().or(exception["text"].as_str());
            let first = said.and_then(|said| said.lines().next()).unwrap_or("an error in its page");
            return Err(self.refused(doing, first));
        }
        Ok(answer["result"]["value"].clone())
    }

    fn call(&mut self, method: &str, arguments: Value, doing: &str) -> Result<Value, RoomError> {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": arguments });
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        let until = Instant::now() + PATIENCE;
        self.socket.send(&message, doing)?;
        loop {
            // Anything else is an event, which nobody asked for.
            let mut answer = self.socket.next(until, doing)?;
            if answer["id"] == id {
                return match answer.get("error") {
                    Some(error) => Err(self.refused(doing, error["message"].as_str().unwrap_or("no reason"))),
                    None => Ok(answer["result"].take()),
                };
            }
        }
    }

    fn refused(&self, doing: &str, reason: &str) -> RoomError {
        RoomError::Refused { what: self.what.clone(), doing: doing.to_owned(), reason: reason.to_owned() }
    }
}
