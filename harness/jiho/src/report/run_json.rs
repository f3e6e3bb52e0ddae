//! `run.json`: how a run came about.

use std::path::Path;

use anyhow::Context;
use jiho_drivers::media::MediaReport;
use jiho_drivers::udp::Stamps;
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// How a run came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunJson {
    /// [`FORMAT`].
    pub format: u32,
    /// In every row of every table.
    pub run_id: String,
    /// The experiment's name; of a single part of a room, its own.
    pub experiment: String,
    /// `sim` or `loopback`; of a single part, `room` or `device`.
    pub on: String,
    /// Of all random numbers.
    pub seed: u32,
    /// jiho's version.
    pub jiho_version: String,
    /// The codec library's version.
    pub opus_version: String,
    /// The run was ended before its time; what was heard until then was measured.
    pub partial: bool,
    /// What went wrong, in words.
    pub failures: Vec<String>,
    /// Bound of the clocks' disagreement: all participants in a folder share one clock.
    pub clock_bound_ns: i64,
    /// What depends on the machine and the moment; none in simulation, whose runs repeat to the byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

/// The machine, the moment, and how well it kept time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// When the run began, in nanoseconds since 1970.
    pub started_unix_ns: i64,
    /// Which boot of which host, where the system tells: folders that agree in it were made by one clock.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The operating system and architecture that jiho was built for.
    pub system: String,
    /// The kernel, as it names itself.
    pub kernel: Option<String>,
    /// Processors that may be used.
    pub cpus: Option<usize>,
    /// One per thread.
    pub threads: Vec<Thread>,
}

/// How a thread fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Whose.
    pub name: String,
    /// Where receive stamps came from: `kernel` or `user_space`.
    pub stamps: String,
    /// Datagrams.
    pub received: u64,
    /// Datagrams.
    pub sent: u64,
    /// Datagrams that the kernel did not take.
    pub send_errors: u64,
    /// How late the thread woke for its deadlines.
    pub wakeup_median_ns: i64,
    /// 99 of 100 wake-ups were no later than this.
    pub wakeup_p99_ns: i64,
    /// The latest.
    pub wakeup_max_ns: i64,
}

impl Host {
    /// This machine, for a run that began at `started_unix_ns`.
    pub fn this(started_unix_ns: i64, threads: &[MediaReport]) -> Self {
        let line = |path| std::fs::read_to_string(path).ok().map(|text: String| text.trim().to_owned());
        Self {
            started_unix_ns,
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpus: std::thread::available_parallelism().ok().map(usize::from),
            threads: threads.iter().map(Thread::of).collect(),
        }
    }
}

impl Thread {
    fn of(report: &MediaReport) -> Self {
        let stamps = match report.stamps {
            Stamps::Kernel => "kernel",
            Stamps::UserSpace => "user_space",
        };
        Self {
            name: report.name.clone(),
            stamps: stamps.to_owned(),
            received: report.traffic.received,
            sent: report.traffic.sent,
            send_errors: report.traffic.send_errors,
            wakeup_median_ns: report.wakeups.median.0,
            wakeup_p99_ns: report.wakeups.p99.0,
            wakeup_max_ns: report.wakeups.max.0,
        }
    }
}

impl RunJson {
    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or is no `run.json` of this version.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}
