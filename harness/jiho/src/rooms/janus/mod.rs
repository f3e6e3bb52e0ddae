//! A Janus server of our own, with its two rooms: VideoRoom, which forwards, and AudioBridge, which mixes. Signalling is its
//! JSON over a WebSocket (<https://janus.conf.meetecho.com/docs/rest.html>): one session, and a handle for whatever has a
//! connection.

pub(super) mod audiobridge;
pub(super) mod videoroom;

use std::collections::BTreeSet;
use std::path::PathBuf;

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use super::socket::{self, JsonSocket};
use super::{Making, PATIENCE, RoomError, free_port, program};
use crate::bus;
use crate::processes;
use crate::run::started::Started;

/// The number of our one room.
const ROOM: u64 = 1;
/// A server comes after the sound server, before browsers.
const PRIORITY: u8 = 10;
/// A session that is not heard of for a minute is ended.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A server that runs, and our session with it.
#[derive(Debug)]
pub(super) struct Janus {
    process: Started,
    folder: PathBuf,
    socket: JsonSocket,
    session: u64,
    next: u64,
    /// Handles whose connections are up.
    up: BTreeSet<u64>,
    kept_alive: Instant,
    version: String,
}

/// What names a connection's owner to the server.
pub(super) type Handle = u64;

impl Janus {
    /// Starts a server in whose configuration a plugin has our room.
    pub(super) fn start(making: &Making, plugin: &str, configuration: &str) -> Result<Self, RoomError> {
        let program = program(&["janus"], "janus").map_err(anyhow::Error::from)?;
        let folder = std::env::temp_dir().join(format!("jiho-janus-{}", std::process::id()));
        // What is left of one that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        processes::private_folder(&folder).context("cannot make a folder for Janus")?;
        let port = free_port()?;
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).with_context(|| format!("cannot write Janus's {name}"))
        };
        write("janus.jcfg", SERVER)?;
        write("janus.transport.websockets.jcfg", &websockets(port))?;
        write(&format!("janus.plugin.{plugin}.jcfg"), configuration)?;
        let mut command = bus::with_priority(&program, PRIORITY);
        command.arg("--configs-folder").arg(&folder).arg("--config").arg(folder.join("janus.jcfg"));
        processes::lead(&mut command);
        let mut process = making.start("Janus", "janus", command)?;
        let address = format!("ws://127.0.0.1:{port}");
        let doing = "connecting";
        let socket = making.wait_for(&mut process, "janus", "listening", || {
            socket::connect("Janus", &address, Some("janus-protocol"), doing).ok()
        })?;
        let (kept_alive, version) = (Instant::now(), String::new());
        let mut janus = Self { process, folder, socket, session: 0, next: 1, up: BTreeSet::new(), kept_alive, version };
        let info = janus.ask(json!({ "janus": "info" }), "telling its version")?;
        janus.version = info["version_string"].as_str().unwrap_or("unknown").to_owned();
        let created = janus.ask(json!({ "janus": "create" }), "making a session")?;
        janus.session = created["data"]["id"].as_u64().context("Janus gave no session")?;
        Ok(janus)
    }

    /// A handle at a plugin.
    pub(super) fn attach(&mut self, plugin: &str) -> Result<Handle, RoomError> {
        let message = json!({ "janus": "attach", "plugin": format!("janus.plugin.{plugin}") });
        let attached = self.ask(message, "attaching to its plugin")?;
        Ok(attached["data"]["id"].as_u64().context("Janus gave no handle")?)
    }

    pub(super) fn detach(&mut self, handle: Handle) -> Result<(), RoomError> {
        self.up.remove(&handle);
        self.ask(json!({ "janus": "detach", "handle_id": handle }), "detaching").map(drop)
    }

    /// Says something to the plugin at a handle, with an SDP if there is one; gives its answer, and the SDP in it.
    pub(super) fn say(
        &mut self,
        handle: Handle,
        body: Value,
        sdp: Option<(&str, &str)>,
        doing: &str,
    ) -> Result<(Value, Option<String>), RoomError> {
        let mut message = json!({ "janus": "message", "handle_id": handle, "body": body });
        if let Some((kind, sdp)) = sdp {
            message["jsep"] = json!({ "type": kind, "sdp": sdp });
        }
        let mut answer = self.ask(message, doing)?;
        let data = answer["plugindata"]["data"].take();
        if let Some(error) = data["error"].as_str() {
            return Err(refused(doing, error));
        }
        Ok((data, answer["jsep"]["sdp"].as_str().map(str::to_owned)))
    }

    /// Waits until a handle's connection is up.
    pub(super) fn wait_until_up(&mut self, handle: Handle, doing: &str) -> Result<(), RoomError> {
        let until = Instant::now() + PATIENCE;
        while !self.up.contains(&handle) {
            let event = self.socket.next(until, doing)?;
            self.note(&event);
        }
        Ok(())
    }

    /// Whether it is still there; keeps the session.
    pub(super) fn check(&mut self) -> Result<(), RoomError> {
        self.process.check("in the middle of the run")?;
        while let Some(event) = self.socket.next_within(Duration::ZERO, "telling what happens")? {
            self.note(&event);
        }
        if self.kept_alive.elapsed() > KEEP_ALIVE {
            self.kept_alive = Instant::now();
            self.ask(json!({ "janus": "keepalive" }), "keeping the session")?;
        }
        Ok(())
    }

    pub(super) fn version(&self) -> (String, String) {
        ("janus".to_owned(), self.version.clone())
    }

    /// Sends a request, and gives its answer; of one that a plugin takes its time for, what comes in the end.
    fn ask(&mut self, mut message: Value, doing: &str) -> Result<Value, RoomError> {
        let transaction = self.next.to_string();
        self.next += 1;
        message["transaction"] = transaction.clone().into();
        if self.session != 0 {
            message["session_id"] = self.session.into();
        }
        let is_keepalive = message["janus"] == "keepalive";
        self.socket.send(&message, doing)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.socket.next(until, doing)?;
            if answer["transaction"] != transaction.as_str() {
                self.note(&answer);
                continue;
            }
            match answer["janus"].as_str() {
                Some("error") => {
                    return Err(refused(doing, answer["error"]["reason"].as_str().unwrap_or("no reason")));
                }
                Some("ack") if !is_keepalive => {}
                _ => return Ok(answer),
            }
        }
    }

    fn note(&mut self, event: &Value) {
        if let (Some("webrtcup"), Some(handle)) = (event["janus"].as_str(), event["sender"].as_u64()) {
            self.up.insert(handle);
        }
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        self.process.stop();
        // What cannot be removed is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn refused(doing: &str, reason: &str) -> RoomError {
    RoomError::Refused { what: "Janus".to_owned(), doing: doing.to_owned(), reason: reason.to_owned() }
}

/// Plugins and transports of no use here are left out, so that none of them takes a port.
const SERVER: &str = r#"general: {
    log_to_stdout = true
    debug_level = 4
}
plugins: {
    disable = "libjanus_sip.so,libjanus_nosip.so,libjanus_streaming.so,libjanus_recordplay.so,libjanus_voicemail.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_lua.so,libjanus_duktape.so,libjanus_echotest.so"
}
transports: {
    disable = "libjanus_http.so,libjanus_rabbitmq.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so"
}
events: {
    broadcast = false
}
"#;

fn websockets(port: u16) -> String {
    format!(
        "general: {{\n    json = \"compact\"\n    ws = true\n    ws_port = {port}\n    ws_ip = \"127.0.0.1\"\n    wss = \
         false\n}}\nadmin: {{\n    admin_ws = false\n    admin_wss = false\n}}\n"
    )
}
