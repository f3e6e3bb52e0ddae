//! What a process of its own leaves behind: a run's folder like any other.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use jiho_analysis::signal::Family;
use jiho_analysis::units::Nanos;
use jiho_drivers::clock::RunClock;
use jiho_drivers::media::MediaReport;
use jiho_proto::codec::CodecConfig;

use crate::report::run_json::{FORMAT, Host, RunJson};
use crate::run;
use crate::run::folder::Folder;
use crate::run::keeper::Kept;

/// What is left when somebody has taken part.
#[derive(Debug)]
pub struct Stayed {
    /// Where the files are.
    pub folder: Folder,
    /// How long it took.
    pub lasted: Nanos,
    /// Beeps that were sounded.
    pub beeps: usize,
}

/// A folder that is being filled.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) folder: Folder,
    pub(super) run: RunJson,
    pub(super) clock: RunClock,
}

impl Record {
    /// Makes the folder; `on` says where the sound goes. Until [`finish`](Self::finish) its `run.json` calls the run
    /// partial: so a process that is killed leaves the truth behind.
    /// `codec` is what sound travels by, `family` what is spoken, if anything is.
    pub(super) fn begin(
        out: &Path,
        name: &str,
        on: &str,
        codec: Option<CodecConfig>,
        family: Option<Family>,
    ) -> anyhow::Result<Self> {
        let folder = Folder::create(out)?;
        let clock = RunClock::start();
        let run = RunJson {
            format: FORMAT,
            run_id: format!("{name}-{}", run::stamp()),
            rep: 1,
            experiment: name.to_owned(),
            on: on.to_owned(),
            // The standard library's one source of the system's randomness.
            seed: RandomState::new().hash_one(name) as u32,
            jiho_version: env!("CARGO_PKG_VERSION").to_owned(),
            opus_version: jiho_proto::codec::library_version().to_owned(),
            partial: true,
            failures: Vec::new(),
            clock_bound_ns: 0,
            codec,
            family,
            seal: None,
            singing: None,
            room: None,
            late: Vec::new(),
            devices: None,
            host: Some(Host::this(clock.started_unix_ns(), &[], 0)),
        };
        run.write(&folder.run_json())?;
        Ok(Self { folder, run, clock })
    }

    /// Completes `run.json`; `failure` says why the run ended before its time.
    pub(super) fn finish(
        mut self,
        threads: &[MediaReport],
        kept: &Kept,
        failure: Option<String>,
    ) -> anyhow::Result<Folder> {
        self.run.host = Some(Host::this(self.clock.started_unix_ns(), threads, kept.stalls));
        self.run.late.clone_from(&kept.late);
        self.run.partial = failure.is_some();
        self.run.failures.extend(failure);
        self.run.write(&self.folder.run_json())?;
        Ok(self.folder)
    }
}
