//! `run.json`: how a run came about.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use jiho_analysis::signal::Family;
use jiho_drivers::media::MediaReport;
use jiho_drivers::udp::Stamps;
use jiho_proto::codec::CodecConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunName;
use super::seal::Sealed;
use crate::run::chorus::Singing;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// Who wakes later than this 1 time in 100 sends in gusts, which a jitter buffer takes for the network's,
const LATE_NS: i64 = 20_000_000;
/// and who once wakes later than this holds up all that comes after.
const VERY_LATE_NS: i64 = 150_000_000;

/// Stamped when a packet came in.
const KERNEL: &str = "kernel";

/// How a run came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunJson {
    /// [`FORMAT`].
    pub format: u32,
    /// In every row of every table.
    pub run_id: String,
    /// Which repetition of the run, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub rep: u32,
    /// The experiment's name; of a single part of a room, its own.
    pub experiment: String,
    /// `sim`, `loopback` or `device`; of a single part, `room` or `device`.
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
    /// What sound travelled by; none of a sound device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<CodecConfig>,
    /// The family of the time signals that were spoken; none of who only heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// End-to-end encryption, where there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Sealed>,
    /// How the speakers sang together, where they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub singing: Option<Singing>,
    /// Speakers whose first beeps could not be sounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Late>,
    /// The sound devices that clients spoke and heard by, where they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<OnDevices>,
    /// The room that it was held in, if somebody else wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<InRoom>,
    /// What depends on the machine and the moment; none in simulation, whose runs repeat to the byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
}

const fn first() -> u32 {
    1
}

// As serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_first(rep: &u32) -> bool {
    *rep == 1
}

/// Somebody who joined late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Late {
    /// Who.
    pub name: String,
    /// Beeps that were due before the mouth opened: nobody expects them.
    pub beeps: usize,
}

/// A room that somebody else wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InRoom {
    /// Which.
    pub name: String,
    /// What takes part in it, and its version.
    pub versions: BTreeMap<String, String>,
    /// As in the experiment's file, with what it leaves out.
    pub settings: serde_json::Value,
}

/// Sound devices that clients spoke and heard by, and one recording of all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnDevices {
    /// Whose they were, as devices' ids begin.
    pub host: String,
    /// Why jiho had no real-time priority, if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_time_refused: Option<String>,
    /// How long sound waits between a client and its microphone, and again between it and its loudspeaker.
    pub headset_delay_ns: i64,
    /// By how much the devices counted faster than this host's clock, by which all times are.
    pub skew_ppm: Option<f64>,
    /// How often the recording stumbled.
    pub xruns: usize,
    /// Which devices had nothing to give in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingSound>,
}

/// A device that had nothing to give in time, or a client that had not: silence was played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingSound {
    /// Whose.
    pub device: String,
    /// At 48 kHz.
    pub samples: u64,
}

impl OnDevices {
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(why) = &self.real_time_refused {
            remarks.push(format!("There was no real-time priority ({why}): on a busy machine sound breaks off."));
        }
        if self.xruns > 0 {
            let text = format!(
                "The recording of all devices stumbled {} times: silence stands for what it lacks.",
                self.xruns
            );
            remarks.push(text);
        }
        remarks.extend(self.missing.iter().map(|MissingSound { device, samples }| {
            let missing_ms = *samples as f64 / 48.0;
            format!("{device} had silence for {missing_ms:.0} ms, as sound came too late: this machine was too busy.")
        }));
        remarks
    }
}

/// The machine, the moment, and how well it kept time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What they call themselves, where the system tells.
    #[serde(default)]
    pub cpu: Option<String>,
    /// How often an engine had to wait for the disk.
    #[serde(default)]
    pub stalls: u64,
    /// One per thread.
    pub threads: Vec<Thread>,
}

/// How a thread fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Datagrams dropped because they were longer than any of ours.
    #[serde(default)]
    pub oversized: u64,
    /// Datagrams that the kernel dropped because the thread did not read fast enough, where it tells.
    #[serde(default)]
    pub overflowed: u64,
    /// How late the thread woke for its deadlines.
    pub wakeup_median_ns: i64,
    /// 99 of 100 wake-ups were no later than this.
    pub wakeup_p99_ns: i64,
    /// The latest.
    pub wakeup_max_ns: i64,
}

impl Host {
    /// This machine, for a run that began at `started_unix_ns`.
    pub fn this(started_unix_ns: i64, threads: &[MediaReport], stalls: u64) -> Self {
        let line = |path| std::fs::read_to_string(path).ok().map(|text: String| text.trim().to_owned());
        Self {
            started_unix_ns,
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: line("/proc/sys/kernel/osrelease"),
            cpus: std::thread::available_parallelism().ok().map(usize::from),
            cpu: cpu(),
            stalls,
            threads: threads.iter().map(Thread::of).collect(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self.threads.iter().flat_map(Thread::remarks).collect();
        let stamped_late: Vec<&str> =
            self.threads.iter().filter(|thread| thread.stamps != KERNEL).map(|thread| thread.name.as_str()).collect();
        if !stamped_late.is_empty() {
            remarks.push(format!(
                "Packets were stamped by jiho and not by the kernel, later by as much as this machine was busy: {}.",
                stamped_late.join(", ")
            ));
        }
        if self.stalls > 0 {
            remarks.push(format!(
                "The disk was too slow: {} times an engine waited for it, and what it sent then was late.",
                self.stalls
            ));
        }
        remarks
    }
}

/// The processors' model, from `/proc/cpuinfo`; on ARM, which has none there, the numbers of maker and part.
fn cpu() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let of = |key: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    of("model name").or_else(|| Some(format!("CPU {} {}", of("CPU implementer")?, of("CPU part")?)))
}

impl Thread {
    fn of(report: &MediaReport) -> Self {
        let stamps = match report.stamps {
            Stamps::Kernel => KERNEL,
            Stamps::UserSpace => "user_space",
        };
        Self {
            name: report.name.clone(),
            stamps: stamps.to_owned(),
            received: report.traffic.received,
            sent: report.traffic.sent,
            send_errors: report.traffic.send_errors,
            oversized: report.traffic.oversized,
            overflowed: report.traffic.overflowed,
            wakeup_median_ns: report.wakeups.median.0,
            wakeup_p99_ns: report.wakeups.p99.0,
            wakeup_max_ns: report.wakeups.max.0,
        }
    }

    /// What this machine lost by itself, or held up.
    fn remarks(&self) -> Vec<String> {
        let Self { name, send_errors, oversized, overflowed, wakeup_p99_ns, wakeup_max_ns, .. } = self;
        let late = (*wakeup_p99_ns > LATE_NS || *wakeup_max_ns > VERY_LATE_NS).then(|| {
            let [p99_ms, max_ms] = [*wakeup_p99_ns, *wakeup_max_ns].map(|ns| ns as f64 * 1e-6);
            format!(
                "{name} woke too late for what was due, 1 time in 100 by {p99_ms:.0} ms or more, at most by {max_ms:.0} ms: \
                 this machine was too busy, and delays have that in them."
            )
        });
        let lost = [
            (*overflowed, "were dropped by the system before they were read"),
            (*oversized, "were too long and were dropped unread"),
            (*send_errors, "could not be sent"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{name}: {count} packets {what}: this machine lost them, not the network."));
        lost.chain(late).collect()
    }
}

impl RunJson {
    /// As its rows have it.
    pub fn name(&self) -> RunName {
        RunName { run_id: self.run_id.clone(), rep: self.rep }
    }

    /// What a report has to say about how the run came about, one sentence each: what the instrument itself lost must
    /// not look like a loss on the way.
    pub fn remarks(&self) -> Vec<String> {
        let late = self.late.iter().map(|Late { name, beeps }| {
            let beeps = if *beeps == 1 { "1 beep was".to_owned() } else { format!("{beeps} beeps were") };
            format!("{name} joined late: {beeps} due before it spoke.")
        });
        let seal = self.seal.iter().flat_map(Sealed::remarks);
        let devices = self.devices.iter().flat_map(OnDevices::remarks);
        late.chain(seal).chain(devices).chain(self.host.iter().flat_map(Host::remarks)).collect()
    }

    /// What went wrong, what there is to remark, and whether the run is whole: one sentence each.
    pub fn said(&self) -> Vec<String> {
        let failures = self.failures.iter().map(|failure| format!("Failed: {failure}."));
        let partial = self.partial.then(|| "This run is partial: it ended before its time.".to_owned());
        failures.chain(self.remarks()).chain(partial).collect()
    }

    /// Who could open nothing, as the experiment has it.
    pub fn keyless(&self) -> Vec<String> {
        let unopened = self.seal.iter().flat_map(|seal| &seal.unopened);
        unopened.filter(|who| who.keyless).map(|who| who.name.clone()).collect()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was written before codec, family, late speakers, stalls and dropped datagrams were noted.
    const OLDER: &str = r#"{
        "format": 1, "run_id": "ana-1", "experiment": "ana", "on": "room", "seed": 1, "jiho_version": "0.1.0",
        "opus_version": "libopus 1.5", "partial": false, "failures": [], "clock_bound_ns": 0,
        "host": { "started_unix_ns": 1, "system": "linux", "kernel": null, "cpus": 2, "threads": [{
            "name": "ana", "stamps": "kernel", "received": 5, "sent": 6, "send_errors": 0,
            "wakeup_median_ns": 1, "wakeup_p99_ns": 2, "wakeup_max_ns": 3 }] } }"#;

    #[test]
    fn a_file_without_the_fields_that_may_be_missing_is_read_and_gives_no_remark() {
        let run: RunJson = serde_json::from_str(OLDER).unwrap();
        assert_eq!((run.codec, run.family), (None, None));
        assert_eq!(run.remarks(), Vec::<String>::new());
    }

    #[test]
    fn what_the_machine_itself_lost_or_delayed_is_said() {
        let mut run: RunJson = serde_json::from_str(OLDER).unwrap();
        run.late.push(Late { name: "ben".to_owned(), beeps: 3 });
        let host = run.host.as_mut().unwrap();
        host.stalls = 4;
        let thread = &mut host.threads[0];
        (thread.overflowed, thread.oversized, thread.stamps) = (7, 2, "user_space".to_owned());
        let remarks = run.remarks();
        assert_eq!(remarks.len(), 5, "{remarks:?}");
        assert_eq!(remarks[0], "ben joined late: 3 beeps were due before it spoke.");
        for (remark, part) in remarks[1..].iter().zip(["ana: 7 packets", "ana: 2 packets", "by jiho", "4 times"]) {
            assert!(remark.contains(part), "{remarks:?}");
        }
    }
}
