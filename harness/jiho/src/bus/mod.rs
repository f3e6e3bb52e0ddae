//! The bus: one virtual sound card whose channels are all mouths and all ears of a room on this host. One recording of it
//! holds what left every mouth and what came to every ear on one clock, so that no clocks have to be mapped.
//!
//! It is a PulseAudio daemon of its own, which nobody else meets: a null sink with a channel for each mouth and each ear, and
//! for each party devices of one channel, which any program can be pointed at.

mod layout;
mod priority;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use jiho_analysis::units::Rate;
use serde::{Deserialize, Serialize};

pub use layout::{Devices, Layout, PartysDevices};
pub use priority::{OwnPriority, RealTime, with_priority};

use crate::exit::UsageError;
use crate::processes::{self, Group};

/// The bus's samples per second.
pub const RATE: Rate = Rate::OPUS;
/// Says to a process of ours which bus it is at: the folder.
const JIHO_BUS: &str = "JIHO_BUS";
/// Says which process the bus ends with: what that starts is at it too.
const JIHO_BUS_OWN: &str = "JIHO_BUS_OWN";
/// By which every program finds the server,
const PULSE_SERVER: &str = "PULSE_SERVER";
/// and what it shows to be let in. Everybody who can connect is let in, but not without showing something; whoever never used
/// PulseAudio has nothing.
const PULSE_COOKIE: &str = "PULSE_COOKIE";
/// So many bytes of anything (`PA_NATIVE_COOKIE_LENGTH` of PulseAudio's protocol).
const COOKIE: [u8; 256] = [0; 256];

/// A daemon that is not there by then never will be.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(20);

/// A bus that is up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bus {
    /// Where its files are.
    pub folder: PathBuf,
    /// Whose mouths and ears are on it.
    #[serde(rename = "parties")]
    pub layout: Layout,
    /// The process that is the sound server.
    pub pid: u32,
    /// Whether the server has real-time priority.
    pub real_time: RealTime,
}

impl Bus {
    /// Where a bus is that was given no folder: one for each user.
    pub fn usual_folder() -> PathBuf {
        match std::env::var_os("XDG_RUNTIME_DIR") {
            Some(dir) if Path::new(&dir).is_dir() => PathBuf::from(dir).join("jiho-bus"),
            _ => {
                let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
                std::env::temp_dir().join(format!("jiho-bus-{user}"))
            }
        }
    }

    /// Starts the server in a folder that is made for it, and waits until programs can connect.
    ///
    /// # Errors
    /// A program is missing, a bus is up there already, or the server does not start.
    pub fn up(folder: &Path, layout: Layout, devices: PartysDevices) -> anyhow::Result<Self> {
        if !is_there("pulseaudio") {
            let text = "the bus is a PulseAudio server, and there is no `pulseaudio`: install it (Debian: `sudo apt-get \
                        install pulseaudio`)";
            return Err(UsageError::say(text).into());
        }
        if let Some(up) = Self::at(folder) {
            let folder = folder.display();
            return Err(UsageError::say(format!(
                "a bus is up in {folder}, for {}: `jiho device bus down --folder {folder}` ends it",
                up.layout.parties().join(", ")
            ))
            .into());
        }
        // What is left of a bus that was killed is in the way; anything else is somebody's.
        if Self::noted_in(folder).is_some() {
            let _ = std::fs::remove_dir_all(folder);
        }
        let cannot = || format!("cannot make the bus's folder {}", folder.display());
        processes::private_folder(folder).with_context(cannot)?;
        let folder = folder.canonicalize().with_context(cannot)?;
        let socket = folder.join("socket");
        // A daemon that is given real-time priority is killed by the kernel after 200 ms of work, unless it is told otherwise.
        let config = format!("rlimit-rttime = -1\ndefault-sample-rate = {}\ndefault-sample-channels = 1\n", RATE.0);
        std::fs::write(folder.join("daemon.conf"), config).with_context(cannot)?;
        let script = layout.script(&socket.display().to_string(), RATE.0, devices);
        std::fs::write(folder.join("bus.pa"), script).with_context(cannot)?;
        let log = folder.join("pulseaudio.log");
        let started = (|| {
            let mut server = start_server(&folder, &log)?;
            wait_for(&mut server, &socket, &log)?;
            // After it has started: then it has all its threads, and does not set its own priority any more.
            let real_time = RealTime::give(server.id(), priority::SERVER);
            Self { folder: folder.clone(), layout, pid: server.id(), real_time }.noted()
        })();
        if started.is_err() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        started
    }

    /// Notes that it is up.
    fn noted(self) -> anyhow::Result<Self> {
        let state = serde_json::to_string_pretty(&self)?;
        std::fs::write(self.cookie(), COOKIE).context("cannot write the bus's cookie")?;
        std::fs::write(self.folder.join(STATE), state).context("cannot write the bus's state")?;
        Ok(self)
    }

    /// The one that is up in a folder.
    pub fn at(folder: &Path) -> Option<Self> {
        Self::noted_in(folder).filter(Self::runs)
    }

    /// The one that was up in a folder, whether it still is or not.
    fn noted_in(folder: &Path) -> Option<Self> {
        let state = std::fs::read(folder.join(STATE)).ok()?;
        serde_json::from_slice(&state).ok()
    }

    /// Ends the server, and removes the folder.
    pub fn down(&self) {
        let group = self.group();
        if self.runs() {
            group.terminate();
        }
        let patience = Instant::now() + PATIENCE;
        while self.runs() {
            if Instant::now() > patience {
                group.kill();
                break;
            }
            std::thread::sleep(TICK);
        }
        // What cannot be removed is in nobody's way: the next bus in that folder removes it or says so.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// What `PULSE_SERVER` has to be for programs at the bus.
    pub fn server(&self) -> String {
        format!("unix:{}", self.folder.join("socket").display())
    }

    /// What programs at the bus have in their environment.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        let path = |path: &Path| path.display().to_string();
        [(PULSE_SERVER, self.server()), (PULSE_COOKIE, path(&self.cookie())), (JIHO_BUS, path(&self.folder))]
    }

    fn cookie(&self) -> PathBuf {
        self.folder.join("cookie")
    }

    /// The server, as what is ended with us.
    pub fn group(&self) -> Group {
        Group::led_by(self.pid)
    }

    /// Whether the process is there, and is the one: numbers are given anew.
    fn runs(&self) -> bool {
        let of = |what: &str| std::fs::read_to_string(format!("/proc/{}/{what}", self.pid)).unwrap_or_default();
        let is_dead = of("stat").rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
        !is_dead && of("cmdline").contains(&*self.folder.to_string_lossy())
    }
}

const STATE: &str = "bus.json";

/// Starts the daemon in a group of its own, so that Ctrl-C at the terminal does not reach it.
fn start_server(folder: &Path, log: &Path) -> anyhow::Result<Child> {
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let err = out.try_clone().context("cannot write the sound server's log")?;
    let mut server = Command::new("pulseaudio");
    server.args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-exit", "-F"]);
    server.arg(folder.join("bus.pa")).env("PULSE_CONFIG", folder.join("daemon.conf"));
    server.env("HOME", folder).env("XDG_RUNTIME_DIR", folder).env_remove(PULSE_SERVER).env_remove(PULSE_COOKIE);
    processes::lead(&mut server);
    server.stdin(Stdio::null()).stdout(out).stderr(err).spawn().context("cannot start pulseaudio")
}

/// Waits until programs can connect to the daemon.
fn wait_for(server: &mut Child, socket: &Path, log: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    while !processes::keeps_connections(socket) {
        let ended = server.try_wait().ok().flatten().is_some();
        if ended || began.elapsed() > PATIENCE {
            Group::of(server).kill();
            let said = std::fs::read_to_string(log).unwrap_or_default();
            let last = said.lines().last().unwrap_or("it wrote nothing").to_owned();
            anyhow::bail!("the bus's sound server did not start: {last}");
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// The bus that this process is at.
///
/// # Errors
/// It is at none, or at one that has gone.
pub fn entered() -> anyhow::Result<Bus> {
    let none = "this process is at no bus: `jiho device bus up NAMES`, and set what it says in the environment";
    let folder = std::env::var_os(JIHO_BUS).ok_or_else(|| UsageError::say(none))?;
    let gone = || UsageError::say(format!("there is no bus in {} any more", PathBuf::from(&folder).display()));
    Ok(Bus::at(Path::new(&folder)).ok_or_else(gone)?)
}

/// Brings this process to a bus for `parties`: to the one that is up, or else to one of its own, which ends with it. A
/// process finds its sound server by its environment, and nobody changes that but whoever starts it: so it starts itself
/// again, and this returns only to a process that is at a bus.
///
/// # Errors
/// There can be no bus, or the one that is up has no place for somebody.
pub fn enter(parties: &[String], devices: PartysDevices) -> anyhow::Result<()> {
    if std::env::var_os(JIHO_BUS).is_some() {
        let bus = entered()?;
        let missing: Vec<&str> =
            parties.iter().filter(|name| bus.layout.of(name).is_none()).map(String::as_str).collect();
        if !missing.is_empty() {
            return Err(UsageError::say(format!(
                "the bus in {} has no mouth and ear for {}: end it by `jiho device bus down`, and either let the experiment \
                 bring one up, or name them to `jiho device bus up`",
                bus.folder.display(),
                missing.join(", ")
            ))
            .into());
        }
        return Ok(());
    }
    let standing = Bus::at(&Bus::usual_folder());
    let own = standing.is_none();
    let bus = match standing {
        Some(bus) => bus,
        None => {
            let folder = std::env::temp_dir().join(format!("jiho-bus-of-{}", std::process::id()));
            Bus::up(&folder, Layout::new(parties.to_vec())?, devices)?
        }
    };
    let mut again = Command::new(std::env::current_exe().context("cannot find jiho's own program")?);
    again.args(std::env::args_os().skip(1)).envs(bus.environment());
    if own {
        again.env(JIHO_BUS_OWN, std::process::id().to_string());
    }
    let error = processes::become_another(&mut again);
    if own {
        bus.down();
    }
    Err(anyhow::Error::new(error).context("cannot start jiho again at its bus"))
}

/// Ends the bus that was brought up for this process, if there is one.
pub fn leave() {
    let own = std::env::var(JIHO_BUS_OWN).is_ok_and(|pid| pid == std::process::id().to_string());
    let folder = std::env::var_os(JIHO_BUS).filter(|_| own);
    if let Some(bus) = folder.and_then(|folder| Bus::noted_in(Path::new(&folder))) {
        bus.down();
    }
}
