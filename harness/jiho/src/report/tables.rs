//! A run's tables, read back from its folder: what reports, gates and comparisons are made of.
//!
//! Each table is read when somebody asks for it, once. One that the run does not have is empty. Rows of older runs lack
//! the columns that have been appended since; what is optional is then missing.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use jiho_drivers::sidecar::Sidecar;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RunName;
use super::arrivals::ArrivalRow;
use super::breaks::BreakRow;
use super::chorus::{AsynchronyRow, BeatRow, CureRow, HoldRow};
use super::delays::DelayRow;
use super::drops::DropRow;
use super::emissions::EmissionRow;
use super::events::EventRow;
use super::gaps::GapRow;
use super::gates::GateRow;
use super::packets::PacketRow;
use super::pairs::PairRow;
use super::relay::RelayRow;
use super::run_json::RunJson;
use super::stack::StackRow;
use super::steps::StepRow;
use super::table::{Table, TableError};
use super::topology::TopologyRow;
use super::track::TrackRow;
use crate::exit::UsageError;
use crate::run::folder::Folder;

/// A run that was, as far as its folder tells.
#[derive(Debug)]
pub struct Tables {
    folder: Folder,
    /// How it came about; `None` where the process was killed before that was written.
    pub run: Option<RunJson>,
    emissions: OnceCell<Vec<EmissionRow>>,
    packets: OnceCell<Vec<PacketRow>>,
    relay: OnceCell<Vec<RelayRow>>,
    drops: OnceCell<Vec<DropRow>>,
    events: OnceCell<Vec<EventRow>>,
    arrivals: OnceCell<Vec<ArrivalRow>>,
    delays: OnceCell<Vec<DelayRow>>,
    pairs: OnceCell<Vec<PairRow>>,
    steps: OnceCell<Vec<StepRow>>,
    track: OnceCell<Vec<TrackRow>>,
    breaks: OnceCell<Vec<BreakRow>>,
    gaps: OnceCell<Vec<GapRow>>,
    stack: OnceCell<Vec<StackRow>>,
    beats: OnceCell<Vec<BeatRow>>,
    asynchrony: OnceCell<Vec<AsynchronyRow>>,
    cure: OnceCell<Vec<CureRow>>,
    holds: OnceCell<Vec<HoldRow>>,
    topology: OnceCell<Vec<TopologyRow>>,
    gates: OnceCell<Vec<GateRow>>,
}

/// A reader of each table.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident, $path:ident: $row:ty;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The table is damaged.
            pub fn $name(&self) -> Result<&[$row], TableError> {
                once(&self.$name, &self.folder.$path())
            }
        )*
    };
}

impl Tables {
    /// The tables of a run that was measured.
    ///
    /// # Errors
    /// The folder holds no run, or one that nobody has measured yet.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = Folder::open(path)?;
        if !folder.pairs().is_file() {
            let folder = folder.path().display();
            let missing = format!("{folder} has no pairs.csv: `jiho analyze {folder}` makes it from the recordings");
            return Err(UsageError::say(missing).into());
        }
        let run = folder.run_json().is_file().then(|| RunJson::read(&folder.run_json())).transpose()?;
        Ok(Self {
            folder,
            run,
            emissions: OnceCell::new(),
            packets: OnceCell::new(),
            relay: OnceCell::new(),
            drops: OnceCell::new(),
            events: OnceCell::new(),
            arrivals: OnceCell::new(),
            delays: OnceCell::new(),
            pairs: OnceCell::new(),
            steps: OnceCell::new(),
            track: OnceCell::new(),
            breaks: OnceCell::new(),
            gaps: OnceCell::new(),
            stack: OnceCell::new(),
            beats: OnceCell::new(),
            asynchrony: OnceCell::new(),
            cure: OnceCell::new(),
            holds: OnceCell::new(),
            topology: OnceCell::new(),
            gates: OnceCell::new(),
        })
    }

    /// Where they are.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Which run, and which repetition of it: what is in every row.
    pub fn name(&self) -> RunName {
        let folder = || self.folder.path().file_name().map(|name| name.to_string_lossy().into_owned());
        self.run.as_ref().map_or_else(|| RunName::once(folder().unwrap_or_default()), RunJson::name)
    }

    /// The recordings with their sidecars, by name.
    ///
    /// # Errors
    /// The folder or a sidecar cannot be read.
    pub fn recordings(&self) -> anyhow::Result<Vec<(PathBuf, Sidecar)>> {
        self.folder.sidecars()
    }

    tables! {
        /// Beeps sent.
        emissions, emissions: EmissionRow;
        /// Packets at mouths and ears.
        packets, packets: PacketRow;
        /// Packets that a relay passed on.
        relay, relay: RelayRow;
        /// Packets that were dropped on purpose.
        drops, drops: DropRow;
        /// Comings, goings, and the steps of role changes.
        events, events: EventRow;
        /// Detections in recordings.
        arrivals, arrivals: ArrivalRow;
        /// Expected beeps at recorders.
        delays, delays: DelayRow;
        /// Speakers at recorders.
        pairs, pairs: PairRow;
        /// Jumps of delays.
        steps, steps: StepRow;
        /// Pilots in recordings.
        track, track: TrackRow;
        /// Where pilots broke off.
        breaks, breaks: BreakRow;
        /// What changes of roles did to sound.
        gaps, gaps: GapRow;
        /// What silences are made of.
        stack, stack: StackRow;
        /// Beats of a chorus at ears.
        beats, chorus: BeatRow;
        /// Pairs of voices of a chorus at ears.
        asynchrony, asynchrony: AsynchronyRow;
        /// By how much singers would have to be ahead.
        cure, cure: CureRow;
        /// Whether pairs of singers could hold time.
        holds, holds: HoldRow;
        /// Who may have served stage and audience.
        topology, topology: TopologyRow;
        /// What gates came to.
        gates, gates: GateRow;
    }
}

fn once<'a, R: Serialize + DeserializeOwned>(cell: &'a OnceCell<Vec<R>>, path: &Path) -> Result<&'a [R], TableError> {
    if let Some(rows) = cell.get() {
        return Ok(rows);
    }
    let rows = Table::read_if_there(path)?;
    Ok(cell.get_or_init(|| rows))
}
