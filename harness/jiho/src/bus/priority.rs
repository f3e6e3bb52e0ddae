//! Real-time priority: on a busy machine sound that has to wait for its turn breaks off.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// The sound server comes first,
pub(super) const SERVER: u8 = 20;
/// and then we, who play, record and serve the room.
const OWN: u8 = 10;

/// Whether a process has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "real_time")]
pub enum RealTime {
    /// It has.
    Had,
    /// It was not to be had.
    Refused {
        /// In words.
        why: String,
    },
}

impl RealTime {
    /// Asks for it for all threads of a process, by `chrt` of util-linux.
    pub fn give(pid: u32, priority: u8) -> Self {
        chrt(&["-a", "-f", "-p", &priority.to_string(), &pid.to_string()])
    }

    /// Why it was not to be had, if it was not.
    pub fn refused(&self) -> Option<&str> {
        match self {
            Self::Had => None,
            Self::Refused { why } => Some(why),
        }
    }

    /// For people.
    pub fn said(&self) -> String {
        match self {
            Self::Had => "with real-time priority".to_owned(),
            Self::Refused { why } => format!(
                "without real-time priority ({why}): on a busy machine sound may break off; run as root, or with \
                 CAP_SYS_NICE or `ulimit -r`"
            ),
        }
    }
}

/// A program that is started with real-time priority of the round-robin kind, if that is to be had: all that it starts has it
/// too.
pub fn with_priority(program: &Path, priority: u8) -> Command {
    let priority = priority.to_string();
    if chrt(&["-r", &priority, "true"]) != RealTime::Had {
        return Command::new(program);
    }
    let mut command = Command::new("chrt");
    command.args(["-r", &priority]).arg(program);
    command
}

fn chrt(args: &[&str]) -> RealTime {
    let asked = Command::new("chrt").args(args).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let why = match asked {
        Ok(output) if output.status.success() => return RealTime::Had,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            said.lines().next().unwrap_or("chrt refused").trim_start_matches("chrt: ").to_owned()
        }
        Err(_) => "there is no `chrt`".to_owned(),
    };
    RealTime::Refused { why }
}

/// This process's own priority while sound is played; given back when dropped, as measuring is not to keep others waiting.
#[derive(Debug)]
pub struct OwnPriority(RealTime);

impl OwnPriority {
    /// Asks for it for all threads that there are, and those that they start.
    pub fn raise() -> Self {
        Self(RealTime::give(std::process::id(), OWN))
    }

    /// Why it was not to be had, if it was not.
    pub fn refused(&self) -> Option<&str> {
        self.0.refused()
    }
}

impl Drop for OwnPriority {
    fn drop(&mut self) {
        if self.0 == RealTime::Had {
            // What cannot be given back is kept: that harms nobody but others on this machine, for as long as we measure.
            let _ = chrt(&["-a", "-o", "-p", "0", &std::process::id().to_string()]);
        }
    }
}
