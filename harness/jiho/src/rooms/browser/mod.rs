//! Chromium, headless, a process for each party: its microphone and its loudspeaker are the party's devices on the bus, and it
//! is driven through the DevTools protocol (`cdp`) to do what is asked of it, in a page (`page.js`) that holds connections.

mod cdp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use self::cdp::Tab;
use super::webrtc::Clients;
use super::{Making, Party, Probe, RoomError, at_devices, program, version};
use crate::bus;
use crate::experiment::Processing;
use crate::processes;
use crate::run::started::Started;

const PAGE: &str = concat!("<!doctype html><title>jiho</title><script>", include_str!("page.js"), "</script>");
/// The names under which Chromium is installed.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
/// A browser comes after the servers and probes that it depends on.
const PRIORITY: u8 = 3;
/// Nothing that it does at its end is of use: its profile is removed.
const ENDS_WITHIN: Duration = Duration::from_millis(200);

/// Everybody's browsers.
#[derive(Debug)]
pub(super) struct Browsers {
    program: PathBuf,
    version: String,
    processing: Processing,
    making: Making,
    open: BTreeMap<String, Browser>,
}

#[derive(Debug)]
struct Browser {
    // Closed before the process is stopped.
    tab: Tab,
    launched: Launched,
}

#[derive(Debug)]
struct Launched {
    process: Started,
    profile: PathBuf,
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.process.stop();
        // A profile that cannot be removed is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

impl Browsers {
    pub(super) fn new(processing: Processing, making: Making) -> anyhow::Result<Self> {
        let program = program(&NAMES, "chromium")?;
        let version = version(&program, "--version");
        Ok(Self { program, version, processing, making, open: BTreeMap::new() })
    }

    /// Starts somebody's browser.
    fn launch(&self, party: &Party) -> Result<Launched, RoomError> {
        let name = &party.name;
        let profile = std::env::temp_dir().join(format!("jiho-chromium-{}-{name}", std::process::id()));
        // What is left of one that was killed.
        let _ = std::fs::remove_dir_all(&profile);
        processes::private_folder(&profile).context("cannot make a folder for Chromium")?;
        let page = profile.join("page.html");
        std::fs::write(&page, PAGE).context("cannot write Chromium's page")?;
        let mut command = bus::with_priority(&self.program, PRIORITY);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.display()));
        if is_root() {
            command.arg("--no-sandbox");
        }
        command.arg(format!("file://{}", page.display()));
        at_devices(&mut command, name);
        processes::lead(&mut command);
        let what = format!("{name}'s browser");
        let process = self.making.start_brief(&what, &log(name), command, ENDS_WITHIN)?;
        Ok(Launched { process, profile })
    }

    /// Waits until it can be driven.
    fn open(&self, party: &Party, mut launched: Launched) -> Result<Browser, RoomError> {
        let (log, port_file) = (log(&party.name), launched.profile.join("DevToolsActivePort"));
        let address = self.making.wait_for(&mut launched.process, &log, "starting", || address(&port_file))?;
        let mut tab = Tab::open(launched.process.what(), &address)?;
        self.making.wait_for(&mut launched.process, &log, "loading its page", || {
            let there = tab.evaluate("typeof jiho === 'object'", "loading its page");
            (there.ok()? == Value::Bool(true)).then_some(())
        })?;
        Ok(Browser { tab, launched })
    }

    fn call(&mut self, who: &str, function: &str, arguments: &Value, doing: &str) -> Result<Value, RoomError> {
        let browser = self.open.get_mut(who).with_context(|| format!("{who} has no browser"))?;
        let arguments = arguments.as_array().map(|all| all.iter().map(Value::to_string).collect::<Vec<_>>().join(", "));
        let script = format!("jiho.{function}({})", arguments.unwrap_or_default());
        browser.tab.evaluate(&script, doing)
    }

    fn sdp(&mut self, who: &str, function: &str, arguments: &Value, doing: &str) -> Result<String, RoomError> {
        let sdp = self.call(who, function, arguments, doing)?;
        Ok(sdp.as_str().with_context(|| format!("{who}'s browser: {doing}: no SDP"))?.to_owned())
    }

    fn processing(&self) -> Value {
        let Processing { echo_cancellation, noise_suppression, gain_control } = self.processing;
        json!({
            "echoCancellation": echo_cancellation,
            "noiseSuppression": noise_suppression,
            "autoGainControl": gain_control,
        })
    }
}

/// Sound without anybody's click, devices without anybody's permission, addresses that others can reach, and no traffic of its
/// own.
const FLAGS: [&str; 15] = [
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints,Translate,AudioServiceSandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
];

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn log(name: &str) -> String {
    format!("browser-{name}")
}

/// Where the browser listens for who drives it: its file has the port, then the path.
fn address(port_file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(port_file).ok()?;
    let (port, path) = text.trim_end().split_once('\n')?;
    Some(format!("127.0.0.1:{port}{path}"))
}

impl Clients for Browsers {
    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        // All at once: each takes a while.
        let launched = parties.iter().map(|party| self.launch(party)).collect::<Result<Vec<_>, _>>()?;
        for (party, launched) in parties.iter().zip(launched) {
            let browser = self.open(party, launched)?;
            self.open.insert(party.name.clone(), browser);
        }
        Ok(())
    }

    fn offer(&mut self, who: &str, connection: &str, sends: bool, hears: usize) -> Result<String, RoomError> {
        let arguments = json!([connection, sends, hears, self.processing()]);
        self.sdp(who, "offer", &arguments, "making an offer")
    }

    fn answer(&mut self, who: &str, connection: &str, offer: &str, sends: bool) -> Result<String, RoomError> {
        let arguments = json!([connection, offer, sends, self.processing()]);
        self.sdp(who, "answer", &arguments, "answering an offer")
    }

    fn accept(&mut self, who: &str, connection: &str, answer: &str) -> Result<(), RoomError> {
        self.call(who, "accept", &json!([connection, answer]), "taking an answer").map(drop)
    }

    fn connected(&mut self, who: &str, connection: &str) -> Result<(), RoomError> {
        self.call(who, "connected", &json!([connection]), "connecting").map(drop)
    }

    fn close(&mut self, who: &str, connection: &str) -> Result<(), RoomError> {
        self.call(who, "close", &json!([connection]), "closing a connection").map(drop)
    }

    fn close_all(&mut self, who: &str) -> Result<(), RoomError> {
        self.call(who, "closeAll", &json!([]), "closing all connections").map(drop)
    }

    fn mute(&mut self, who: &str, muted: bool) -> Result<(), RoomError> {
        self.call(who, "mute", &json!([muted]), "muting its microphone").map(drop)
    }

    fn probe(&mut self, _: &Party) -> Option<Probe> {
        None
    }

    fn check(&mut self) -> Result<(), RoomError> {
        for browser in self.open.values_mut() {
            browser.launched.process.check("in the middle of the run")?;
        }
        Ok(())
    }

    fn stats(&mut self) -> Vec<(String, String)> {
        let names: Vec<String> = self.open.keys().cloned().collect();
        names
            .into_iter()
            .filter_map(|name| {
                // A browser that has gone has nothing to say.
                let stats = self.call(&name, "stats", &json!([]), "telling its statistics").ok()?;
                Some((name, serde_json::to_string_pretty(&stats).ok()?))
            })
            .collect()
    }

    fn version(&self) -> (String, String) {
        ("browser".to_owned(), self.version.clone())
    }
}
