//! A command and all that it starts, as one: told to end together, and killed together.

use std::io;
#[cfg(unix)]
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

/// A server that keeps a connection for so long, and waits for our first word, is ready.
const KEPT: Duration = Duration::from_millis(200);

/// A group of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number of the process that leads it.
    leader: u32,
}

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        Self::led_by(child.id())
    }

    /// That of a process which leads one.
    pub(crate) const fn led_by(leader: u32) -> Self {
        Self { leader }
    }
}

/// A command for a shell, which leads a group of its own: Ctrl-C at the terminal does not reach it.
#[cfg(unix)]
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    lead(shell.arg("-c").arg(command));
    shell
}

/// Lets a command lead a group of its own.
#[cfg(unix)]
pub(crate) fn lead(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Goes on as another program, in the same process; gives why not.
#[cfg(unix)]
pub(crate) fn become_another(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

/// Whether a server at a socket takes a connection and keeps it: one that is not ready closes it at once.
#[cfg(unix)]
pub(crate) fn keeps_connections(socket: &Path) -> bool {
    let Ok(mut connection) = std::os::unix::net::UnixStream::connect(socket) else { return false };
    let kept = connection.set_read_timeout(Some(KEPT)).and_then(|()| connection.read(&mut [0]));
    kept.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

/// Makes a folder that nobody else may look into.
#[cfg(unix)]
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(path)
}

#[cfg(unix)]
impl Group {
    /// Asks all of them to end.
    pub(crate) fn terminate(self) {
        self.signal(Some(nix::sys::signal::Signal::SIGTERM));
    }

    /// Ends all of them at once.
    pub fn kill(self) {
        self.signal(Some(nix::sys::signal::Signal::SIGKILL));
    }

    /// Whether one of them is still there.
    pub(crate) fn is_there(self) -> bool {
        self.signal(None)
    }

    /// False: there is nobody to get it.
    fn signal(self, signal: Option<nix::sys::signal::Signal>) -> bool {
        let Ok(leader) = i32::try_from(self.leader) else { return false };
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), signal).is_ok()
    }
}

#[cfg(not(unix))]
pub(crate) fn lead(_: &mut Command) {}

#[cfg(not(unix))]
pub(crate) fn become_another(_: &mut Command) -> io::Error {
    io::ErrorKind::Unsupported.into()
}

#[cfg(not(unix))]
pub(crate) fn keeps_connections(socket: &Path) -> bool {
    std::thread::sleep(KEPT);
    socket.exists()
}

#[cfg(not(unix))]
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

#[cfg(not(unix))]
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// Without signals there is one way to end a process and what it started.
#[cfg(not(unix))]
impl Group {
    pub(crate) fn terminate(self) {
        self.kill();
    }

    /// Ends all of them at once.
    pub fn kill(self) {
        let leader = self.leader.to_string();
        let _ = Command::new("taskkill").args(["/T", "/F", "/PID", &leader]).output();
    }

    pub(crate) fn is_there(self) -> bool {
        false
    }
}
