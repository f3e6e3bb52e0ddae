//! Rooms that somebody else wrote: each an adapter in a file of its own behind one trait, [`Room`], which starts it, lets
//! people in and out, changes their roles, and says where their mouths and ears are. Adapters wait for answers, each no longer
//! than it says; a thread of their own drives them (`run::in_room`).

mod browser;
mod command;
mod janus;
mod mesh;
#[cfg(feature = "mumble")]
mod mumble;
#[cfg(feature = "webrtc")]
mod probe;
mod socket;
mod webrtc;
#[cfg(feature = "webrtc")]
mod whip;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::bus::Devices;
use crate::exit::UsageError;
use crate::experiment::{Client, PlainRtp, Room as Settings};
use crate::run::interrupt::Interrupt;
use crate::run::started::{Started, last_words};
use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_drivers::address::network_address;

/// Whoever does not answer within this time never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long whatever was started may take to end by itself.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(10);

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    /// The name in the room.
    pub(crate) name: String,
    /// Whether it is on the stage, at the beginning.
    pub(crate) role: Role,
    /// From where a probe of ours sends, and where it receives.
    pub(crate) media: SocketAddr,
}

/// Where somebody's mouth and ear are.
#[derive(Debug)]
pub(crate) enum Seat {
    /// At its devices on the bus, or its ports of the JACK server.
    Devices,
    /// At a probe of ours, which is to be brought there.
    Probe(Probe),
    /// At the probe of ours that is there already.
    ProbeThere,
}

/// By what a probe of ours speaks and hears.
#[derive(Debug)]
pub(crate) enum Probe {
    /// Plain RTP.
    Rtp(PlainRtp),
    /// Plain RTP, of somebody who only hears, where nothing is sent to whom nothing came from.
    KnockingRtp(PlainRtp),
    /// WebRTC.
    #[cfg(feature = "webrtc")]
    Webrtc(jiho_drivers::webrtc::Connections),
    /// Mumble.
    #[cfg(feature = "mumble")]
    Mumble(std::sync::Arc<jiho_drivers::mumble::Connection>),
}

/// Told of each step of a change as it is taken.
pub(crate) type Steps<'a> = &'a mut dyn FnMut(Step);

/// A room that somebody else wrote. Each call returns when it is done, or within [`PATIENCE`] with what failed. Dropping the
/// room stops all that it started.
pub(crate) trait Room: Send {
    /// The address of this host by which the room and our probes reach each other; `None`: loopback.
    fn own_address(&self) -> Option<IpAddr> {
        None
    }

    /// Brings it up, for those who will come.
    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError>;

    /// The probe of ours that somebody needs before it can be let in, if it does.
    fn probe(&mut self, _: &Party) -> Option<Probe> {
        None
    }

    /// Lets somebody in, in the role that it has at the beginning.
    fn join(&mut self, who: &Party, steps: Steps<'_>) -> Result<Seat, RoomError>;

    /// Takes somebody out.
    fn leave(&mut self, who: &Party) -> Result<(), RoomError>;

    /// Changes somebody's role: promotes, demotes, mutes or unmutes.
    fn change(&mut self, who: &Party, change: Change, steps: Steps<'_>) -> Result<(), RoomError>;

    /// Whether all that was started is still there; called several times a second.
    fn check(&mut self) -> Result<(), RoomError>;

    /// What it says about itself at the end, to be kept beside the recordings: file names and contents.
    fn last_words(&mut self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Versions of what takes part, by name.
    fn versions(&self) -> BTreeMap<String, String>;
}

/// Why a room does not, or no longer, do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoomError {
    /// What was started has ended.
    #[error(transparent)]
    Ended(#[from] crate::run::started::Ended),
    /// There was no answer.
    #[error("{what} did not answer within {} s: {doing}", within.as_secs())]
    Silent {
        /// Who.
        what: String,
        /// What was asked of it.
        doing: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The answer was no.
    #[error("{what} refused: {doing}: {reason}")]
    Refused {
        /// Who.
        what: String,
        /// What was asked of it.
        doing: String,
        /// In its own words.
        reason: String,
    },
    /// Such a change is not to be had there.
    #[error("room {room} cannot {} {who}: {why}", change.name())]
    Impossible {
        /// Which room.
        room: &'static str,
        /// What was asked for,
        change: Change,
        /// and for whom.
        who: String,
        /// In words.
        why: String,
    },
    /// Something else, such as a program that cannot be started.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// What a room is made with.
#[derive(Clone, Debug)]
pub(crate) struct Making {
    /// The run's folder, for logs.
    pub(crate) folder: PathBuf,
    /// Whom it all ends with.
    pub(crate) interrupt: Interrupt,
    /// For connections that live on the runtime.
    #[cfg_attr(not(feature = "mumble"), allow(dead_code))]
    pub(crate) runtime: Handle,
}

impl Making {
    /// Starts a program of the room's; what it writes goes to `room-NAME.log` of the run's folder.
    pub(crate) fn start(&self, what: &str, log: &str, command: Command) -> Result<Started, RoomError> {
        self.start_brief(what, log, command, ENDS_WITHIN)
    }

    /// As [`Making::start`], of a program that may take only so long to end.
    pub(crate) fn start_brief(
        &self,
        what: &str,
        log: &str,
        command: Command,
        ends_within: Duration,
    ) -> Result<Started, RoomError> {
        Ok(Started::start(what, command, self.log(log), ends_within, &self.interrupt)?)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("room-{name}.log"))
    }

    /// Waits until something is there, as long as the process that brings it about is.
    pub(crate) fn wait_for<T>(
        &self,
        process: &mut Started,
        log: &str,
        doing: &str,
        mut there: impl FnMut() -> Option<T>,
    ) -> Result<T, RoomError> {
        let began = Instant::now();
        loop {
            if let Some(there) = there() {
                return Ok(there);
            }
            process.check("before it was ready")?;
            if began.elapsed() > PATIENCE {
                let doing = format!("{doing}{}", last_words(&self.log(log)));
                return Err(RoomError::Silent { what: process.what().to_owned(), doing, within: PATIENCE });
            }
            if self.interrupt.wanted() {
                return Err(anyhow::anyhow!("stopped before {} was ready", process.what()).into());
            }
            std::thread::sleep(TICK);
        }
    }
}

/// The room that an experiment asks for.
///
/// # Errors
/// A program that it needs is missing, or this jiho was built without what it needs.
pub(crate) fn make(settings: &Settings, making: Making) -> anyhow::Result<Box<dyn Room>> {
    Ok(match settings {
        Settings::Mesh(part) => Box::new(mesh::Mesh::new(part, making)?),
        Settings::Command(part) => Box::new(command::CommandRoom::new(part.clone(), making)),
        Settings::Videoroom(part) => Box::new(janus::videoroom::Videoroom::new(part, making)?),
        Settings::Audiobridge(part) => Box::new(janus::audiobridge::Audiobridge::new(part, making)?),
        #[cfg(feature = "webrtc")]
        Settings::Whip(part) => Box::new(whip::Whip::new(part, making)?),
        #[cfg(not(feature = "webrtc"))]
        Settings::Whip(_) => {
            let text = "this jiho has neither WHIP nor WHEP: build it with `--features webrtc`";
            return Err(UsageError::say(text).into());
        }
        #[cfg(feature = "mumble")]
        Settings::Mumble(part) => Box::new(mumble::Mumble::new(part, making)?),
        #[cfg(not(feature = "mumble"))]
        Settings::Mumble(_) => {
            return Err(UsageError::say("this jiho speaks no Mumble: build it with `--features mumble`").into());
        }
    })
}

/// Finds a program.
///
/// # Errors
/// It is not there; `package` is Debian's name for what brings it.
pub(crate) fn program(names: &[&str], package: &str) -> Result<PathBuf, UsageError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers are where only root looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.flat_map(|dir| names.iter().map(move |name| dir.join(name))).find(|path| path.is_file());
    found.ok_or_else(|| {
        let name = names.first().copied().unwrap_or_default();
        UsageError::say(format!("there is no `{name}`: install it (Debian: `sudo apt-get install {package}`)"))
    })
}

/// The first line that a program says when it is asked for its version.
pub(crate) fn version(program: &std::path::Path, argument: &str) -> String {
    let said = Command::new(program).arg(argument).stdin(std::process::Stdio::null()).output();
    let said = said.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&said).into_owned();
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown").to_owned()
}

/// By what a program on the bus finds the devices of a party; the bus itself it finds as this process does.
pub(crate) fn at_devices(command: &mut Command, party: &str) {
    command.env("PULSE_SOURCE", Devices::microphone(party)).env("PULSE_SINK", Devices::ear(party));
}

/// Who takes part by WebRTC.
///
/// # Errors
/// This jiho was built without what such a client needs.
fn webrtc_clients(
    client: Client,
    processing: crate::experiment::Processing,
    making: &Making,
) -> anyhow::Result<Box<dyn webrtc::Clients>> {
    match client {
        Client::Browser => Ok(Box::new(browser::Browsers::new(processing, making.clone())?)),
        #[cfg(feature = "webrtc")]
        Client::Probe => Ok(Box::new(probe::Probes::default())),
        #[cfg(not(feature = "webrtc"))]
        Client::Probe => {
            let text =
                "this jiho has no WebRTC of its own: build it with `--features webrtc`, or take client \"browser\"";
            Err(UsageError::say(text).into())
        }
        Client::Rtp => {
            Err(UsageError::say("a WebRTC room takes no plain RTP: take client \"browser\" or \"probe\"").into())
        }
    }
}

/// A free port of this host's loopback, for a server that has to be told one: taken and given back.
///
/// # Errors
/// There is none.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port")?;
    Ok(listener.local_addr().context("cannot find a free port")?.port())
}

/// What clients say at the end, as files.
fn client_files(clients: &mut dyn webrtc::Clients) -> BTreeMap<String, String> {
    clients.stats().into_iter().map(|(name, stats)| (format!("client-{name}.json"), stats)).collect()
}
