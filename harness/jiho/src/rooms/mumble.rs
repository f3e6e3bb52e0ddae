//! A Mumble server, and our probes as its clients: they speak its protocol, with voice by encrypted UDP as Mumble's own clients
//! send it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use jiho_analysis::roles::Change;
use jiho_drivers::mumble::{Connection, MumbleError, connect};

use super::{Making, PATIENCE, Party, Probe, Room, RoomError, Seat, Steps, free_port, program};
use crate::bus;
use crate::experiment::MumblePart;
use crate::processes;
use crate::run::started::Started;

/// A server comes after the sound server, before browsers.
const PRIORITY: u8 = 10;
/// Who leads a process that has to become somebody else if root starts it: root's folder is not theirs.
const STAYS: &str = "root";

/// The room.
pub(super) struct Mumble {
    part: MumblePart,
    making: Making,
    program: Option<PathBuf>,
    server: Option<Started>,
    folder: PathBuf,
    address: String,
    there: BTreeMap<String, Arc<Connection>>,
    version: Option<String>,
}

impl Mumble {
    pub(super) fn new(part: &MumblePart, making: Making) -> anyhow::Result<Self> {
        let program = match part.server {
            Some(_) => None,
            None => Some(program(&["murmurd", "mumble-server"], "mumble-server")?),
        };
        let folder = std::env::temp_dir().join(format!("jiho-mumble-{}", std::process::id()));
        let (address, there) = (part.server.clone().unwrap_or_default(), BTreeMap::new());
        Ok(Self { part: part.clone(), making, program, server: None, folder, address, there, version: None })
    }

    fn of(&self, who: &Party) -> Result<&Arc<Connection>, RoomError> {
        Ok(self.there.get(&who.name).with_context(|| format!("{} is not on the server", who.name))?)
    }
}

fn refused(doing: String, error: &MumbleError) -> RoomError {
    RoomError::Refused { what: "the Mumble server".to_owned(), doing, reason: error.to_string() }
}

/// All clients are on one host: a server that counts them would take them for attempts to break in.
fn settings(folder: &std::path::Path, port: u16, password: Option<&str>) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "database={}\npidfile={}\nhost=127.0.0.1\nport={port}\nserverpassword=\"{}\"\nuname={STAYS}\nbonjour=false\n\
         autobanAttempts=0\nbandwidth=558000\nusers=100\nopusthreshold=0\n",
        at("server.sqlite"),
        at("server.pid"),
        password.unwrap_or_default()
    )
}

impl Room for Mumble {
    fn start(&mut self, _: &[Party]) -> Result<(), RoomError> {
        let Some(program) = &self.program else { return Ok(()) };
        // What is left of one that was killed.
        let _ = std::fs::remove_dir_all(&self.folder);
        processes::private_folder(&self.folder).context("cannot make a folder for the Mumble server")?;
        let port = free_port()?;
        let ini = self.folder.join("own.ini");
        std::fs::write(&ini, settings(&self.folder, port, self.part.password.as_deref()))
            .context("cannot write the Mumble server's settings")?;
        let mut command: Command = bus::with_priority(program, PRIORITY);
        command.arg("-fg").arg("-ini").arg(&ini);
        processes::lead(&mut command);
        let mut server = self.making.start("the Mumble server", "mumble", command)?;
        self.address = format!("127.0.0.1:{port}");
        self.making
            .wait_for(&mut server, "mumble", "listening", || std::net::TcpStream::connect(&self.address).ok())?;
        self.server = Some(server);
        Ok(())
    }

    fn join(&mut self, who: &Party, _: Steps<'_>) -> Result<Seat, RoomError> {
        let name = &who.name;
        let connecting = connect(&self.address, name, self.part.password.as_deref(), PATIENCE);
        let connection = self.making.runtime.block_on(connecting);
        let connection = connection.map_err(|error| refused(format!("letting {name} in"), &error))?;
        self.version.get_or_insert_with(|| connection.server_version.clone());
        let connection = Arc::new(connection);
        self.there.insert(name.clone(), Arc::clone(&connection));
        Ok(Seat::Probe(Probe::Mumble(connection)))
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        // Dropped last where it is used still.
        self.there.remove(&who.name);
        Ok(())
    }

    fn change(&mut self, who: &Party, change: Change, _: Steps<'_>) -> Result<(), RoomError> {
        let muted = match change {
            Change::Mute => true,
            Change::Unmute => false,
            _ => {
                let why = "its clients are probes of ours, which speak from the beginning or never".to_owned();
                return Err(RoomError::Impossible { room: "mumble", change, who: who.name.clone(), why });
            }
        };
        let doing = format!("{} {}", if muted { "muting" } else { "unmuting" }, who.name);
        let changed = self.making.runtime.block_on(self.of(who)?.mute_self(muted));
        changed.map_err(|error| refused(doing, &error))
    }

    fn check(&mut self) -> Result<(), RoomError> {
        if let Some(server) = &mut self.server {
            server.check("in the middle of the run")?;
        }
        match self.there.iter().find_map(|(name, connection)| Some((name, connection.ended()?))) {
            Some((name, why)) => {
                let (what, doing) = ("the Mumble server".to_owned(), format!("keeping {name}"));
                Err(RoomError::Refused { what, doing, reason: why })
            }
            None => Ok(()),
        }
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.version.iter().map(|version| ("mumble-server".to_owned(), version.clone())).collect()
    }
}

impl Drop for Mumble {
    fn drop(&mut self) {
        self.there.clear();
        self.server = None;
        // What cannot be removed is in nobody's way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
