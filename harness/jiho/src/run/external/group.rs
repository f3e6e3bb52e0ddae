//! A command and all that it starts, as one: told to end together, and killed together.

use std::process::{Child, Command};

/// A group of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The number of the process that leads it.
    leader: u32,
}

impl Group {
    pub(super) fn of(child: &Child) -> Self {
        Self { leader: child.id() }
    }
}

/// A command for a shell, which leads a group of its own: Ctrl-C at the terminal does not reach it.
#[cfg(unix)]
pub(super) fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(shell.arg("-c").arg(command), 0);
    shell
}

#[cfg(unix)]
impl Group {
    /// Asks all of them to end.
    pub(super) fn terminate(self) {
        self.signal(Some(nix::sys::signal::Signal::SIGTERM));
    }

    /// Ends all of them at once.
    pub fn kill(self) {
        self.signal(Some(nix::sys::signal::Signal::SIGKILL));
    }

    /// Whether one of them is still there.
    pub(super) fn is_there(self) -> bool {
        self.signal(None)
    }

    /// False: there is nobody to get it.
    fn signal(self, signal: Option<nix::sys::signal::Signal>) -> bool {
        let Ok(leader) = i32::try_from(self.leader) else { return false };
        nix::sys::signal::killpg(nix::unistd::Pid::from_raw(leader), signal).is_ok()
    }
}

#[cfg(not(unix))]
pub(super) fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

/// Without signals there is one way to end a process and what it started.
#[cfg(not(unix))]
impl Group {
    pub(super) fn terminate(self) {
        self.kill();
    }

    /// Ends all of them at once.
    pub fn kill(self) {
        let leader = self.leader.to_string();
        let _ = Command::new("taskkill").args(["/T", "/F", "/PID", &leader]).output();
    }

    pub(super) fn is_there(self) -> bool {
        false
    }
}
