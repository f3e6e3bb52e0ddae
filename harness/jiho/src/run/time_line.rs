//! How the run times of several folders stand to each other.

use jiho_analysis::units::Nanos;

use super::folder::Folder;
use crate::exit::UsageError;
use crate::report::run_json::{Host, RunJson};

/// How one folder's run times become the first folder's.
///
/// Every process counts run time from its own start, and notes what the wall clock said then. On one host that aligns
/// them exactly, unless somebody sets the clock in between; between hosts it does as well as their wall clocks agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLine {
    /// To be added to the folder's run times.
    pub shift: Nanos,
    /// Which clock it was: one boot of one host.
    boot_id: Option<String>,
}

impl TimeLine {
    /// One per folder. A single folder needs no wall clock.
    ///
    /// # Errors
    /// A `run.json` cannot be read or does not say when its run began.
    pub fn of_all(folders: &[Folder]) -> anyhow::Result<Vec<Self>> {
        if folders.len() < 2 {
            return Ok(vec![Self { shift: Nanos::ZERO, boot_id: None }; folders.len()]);
        }
        let hosts = folders.iter().map(host).collect::<anyhow::Result<Vec<_>>>()?;
        let first = hosts[0].started_unix_ns;
        let line = |host: Host| Self { shift: Nanos(host.started_unix_ns - first), boot_id: host.boot_id };
        Ok(hosts.into_iter().map(line).collect())
    }

    /// Whether all run times come from one clock. If they do not, or nobody knows, delays between the folders are
    /// known only as well as wall clocks agree.
    pub fn share_a_clock(lines: &[Self]) -> bool {
        lines.len() < 2 || lines.iter().all(|line| line.boot_id.is_some() && line.boot_id == lines[0].boot_id)
    }
}

fn host(folder: &Folder) -> anyhow::Result<Host> {
    RunJson::read(&folder.run_json())?.host.ok_or_else(|| {
        let path = folder.path().display();
        UsageError::say(format!("{path}: made in simulation, which has no wall clock: measure that folder alone"))
            .into()
    })
}
