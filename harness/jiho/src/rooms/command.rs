//! Any room, by the user's own commands: one serves it, one is each participant's client, others change roles. Mouths and ears
//! are devices on the bus, or probes that speak plain RTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Making, Party, Probe, Room, RoomError, Seat, Steps, TICK, at_devices};
use crate::bus::Devices;
use crate::experiment::{CommandPart, PlainRtp, Ready};
use crate::processes::shell;
use crate::run::external::ready;
use crate::run::started::{Started, last_words};
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::Change;

/// Begins the line by which a command says where somebody's packets go.
const SEND_TO: &str = "JIHO_SEND_TO=";

/// The room.
pub(super) struct CommandRoom {
    part: CommandPart,
    making: Making,
    server: Option<Started>,
    clients: BTreeMap<String, Started>,
    /// Numbers logs of commands that come again.
    calls: usize,
}

impl CommandRoom {
    pub(super) fn new(part: CommandPart, making: Making) -> Self {
        Self { part, making, server: None, clients: BTreeMap::new(), calls: 0 }
    }

    /// A command about somebody.
    fn command(&self, text: &str, who: Option<&Party>, role: Option<Role>) -> Command {
        let mut command = shell(text);
        let folder = std::path::absolute(&self.making.folder).unwrap_or_else(|_| self.making.folder.clone());
        command.env("JIHO_RUN_FOLDER", folder).envs(&self.part.env);
        let Some(who) = who else { return command };
        let role = match role.unwrap_or(who.role) {
            Role::Speaker => "speaker",
            Role::Listener => "listener",
        };
        command.env("JIHO_NAME", &who.name).env("JIHO_ROLE", role);
        if self.part.rtp.is_some() {
            command.env("JIHO_MEDIA", who.media.to_string());
        } else {
            command.env("JIHO_MICROPHONE", Devices::microphone(&who.name)).env("JIHO_EAR", Devices::ear(&who.name));
            at_devices(&mut command, &who.name);
        }
        command
    }

    fn start_process(&self, what: &str, log: PathBuf, command: Command) -> Result<Started, RoomError> {
        Ok(Started::start(what, command, log, self.part.stop.to_std(), &self.making.interrupt)?)
    }

    fn patience(&self) -> Duration {
        self.part.patience.to_std()
    }

    /// Waits for the sign that a process is ready.
    fn wait(&self, process: &mut Started, sign: Option<&Ready>, log: &std::path::Path) -> Result<(), RoomError> {
        let Some(sign) = sign else { return Ok(()) };
        let began = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| RoomError::Other(error.into()))?;
        loop {
            process.check("before it was ready")?;
            let Some(lacking) = runtime.block_on(ready::lacking(sign, log)) else { return Ok(()) };
            if began.elapsed() > self.patience() {
                let doing = format!("{lacking}{}", last_words(log));
                return Err(RoomError::Silent { what: process.what().to_owned(), doing, within: self.patience() });
            }
            std::thread::sleep(TICK);
        }
    }

    /// Runs a command to its end; gives its log.
    fn run(&mut self, what: &str, text: &str, who: &Party, role: Option<Role>) -> Result<PathBuf, RoomError> {
        self.calls += 1;
        let log = self.making.log(&format!("{what}-{}-{}", who.name, self.calls));
        let what = format!("the command that is to {what} {}", who.name);
        let mut process = self.start_process(&what, log.clone(), self.command(text, Some(who), role))?;
        let began = Instant::now();
        loop {
            match process.ended() {
                Some(status) if status.success() => return Ok(log),
                Some(status) => {
                    let reason = format!("it ended with {status}{}", last_words(&log));
                    return Err(RoomError::Refused { what, doing: format!("`{text}`"), reason });
                }
                None if began.elapsed() > self.patience() => {
                    let doing = format!("`{text}` has not ended{}", last_words(&log));
                    return Err(RoomError::Silent { what, doing, within: self.patience() });
                }
                None => std::thread::sleep(TICK),
            }
        }
    }
}

/// Where a command said that somebody's packets go.
fn said_where(log: &std::path::Path) -> Result<Option<SocketAddr>, RoomError> {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let Some(given) = text.lines().rev().find_map(|line| line.trim().strip_prefix(SEND_TO)) else { return Ok(None) };
    given.parse().map(Some).map_err(|_| {
        let log = log.display();
        anyhow::anyhow!("{log}: `{SEND_TO}{given}` is no address: write it as {SEND_TO}127.0.0.1:5004").into()
    })
}

impl Room for CommandRoom {
    fn start(&mut self, _: &[Party]) -> Result<(), RoomError> {
        let Some(text) = self.part.start.clone() else { return Ok(()) };
        let log = self.making.log("server");
        let mut server = self.start_process("the room's command", log.clone(), self.command(&text, None, None))?;
        self.wait(&mut server, self.part.ready.as_ref(), &log)?;
        self.server = Some(server);
        Ok(())
    }

    fn join(&mut self, who: &Party, _: Steps<'_>) -> Result<Seat, RoomError> {
        match (self.part.rtp.clone(), self.part.join.clone()) {
            (Some(rtp), None) => Ok(Seat::Probe(Probe::Rtp(rtp))),
            (Some(rtp), Some(text)) => {
                let log = self.run("join", &text, who, None)?;
                let rtp = match said_where(&log)? {
                    Some(send_to) => PlainRtp { send_to, hear_from: rtp.hear_from },
                    None => rtp,
                };
                Ok(Seat::Probe(Probe::Rtp(rtp)))
            }
            (None, Some(text)) => {
                let log = self.making.log(&format!("client-{}", who.name));
                let command = self.command(&text, Some(who), None);
                let mut client = self.start_process(&format!("{}'s client", who.name), log.clone(), command)?;
                self.wait(&mut client, self.part.joined.as_ref(), &log)?;
                self.clients.insert(who.name.clone(), client);
                Ok(Seat::Devices)
            }
            (None, None) => Ok(Seat::Devices),
        }
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        if let Some(text) = self.part.leave.clone() {
            self.run("leave", &text, who, None)?;
        }
        self.clients.remove(&who.name);
        Ok(())
    }

    fn change(&mut self, who: &Party, change: Change, _: Steps<'_>) -> Result<(), RoomError> {
        let (text, role) = match change {
            Change::Promote => (&self.part.promote, Some(Role::Speaker)),
            Change::Demote => (&self.part.demote, Some(Role::Listener)),
            Change::Mute => (&self.part.mute, None),
            Change::Unmute => (&self.part.unmute, None),
            Change::Join | Change::Leave | Change::Remove => (&None, None),
        };
        let Some(text) = text.clone() else {
            let (who, why) = (who.name.clone(), "[room.command] has no command for it".to_owned());
            return Err(RoomError::Impossible { room: "command", change, who, why });
        };
        self.run(change.name(), &text, who, role).map(drop)
    }

    fn check(&mut self) -> Result<(), RoomError> {
        for process in self.server.iter_mut().chain(self.clients.values_mut()) {
            process.check("in the middle of the run")?;
        }
        Ok(())
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
