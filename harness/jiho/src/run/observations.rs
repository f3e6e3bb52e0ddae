//! What a run's tables say about who served the room.
//!
//! Only tables are read, and of them only what an ear heard and what a client of ours did and saw itself: never the
//! experiment, or what a server called a stream; of `run.json` only whether it ran over loopback, and, if there are
//! several, when its process began.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiho_analysis::arrivals::{Role, Status};
use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::drops::{Direction, Drop};
use jiho_analysis::metrics::topology::{Ear, Greeting, Hole, Observations, Sighting};
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::track::BreakKind;
use jiho_analysis::units::{MediaTime, Nanos, RunTime};

use super::World;
use super::folder::Folder;
use super::passages::Packets;
use super::time_line::TimeLine;
use crate::report::breaks::BreakRow;
use crate::report::delays::DelayRow;
use crate::report::drops::DropRow;
use crate::report::emissions::EmissionRow;
use crate::report::events::{EventRow, Kind};
use crate::report::packets::{PacketRow, Tap};
use crate::report::run_json::RunJson;
use crate::report::table::{Table, TableError};

/// A delay that changes by less over a hole is as before.
const SAME_DELAY: Nanos = Nanos::from_millis(1);
/// Less is no hole: a decoder's seam.
const SHORTEST: Nanos = Nanos::from_millis(6);

/// Reads the tables of a run's folder, or of those of several processes that took part in one room; then the first has
/// what was measured, and what clients did and noted is in their own. Times are on the first folder's line. `delays.csv`
/// and `emissions.csv` have to be there; what others would say is not known without them.
///
/// # Errors
/// There is no folder, a table is missing or damaged, or of several folders one does not say when its process began.
pub fn read(folders: &[Folder]) -> anyhow::Result<Observations> {
    let first = folders.first().context("no folder")?;
    let mut noted = Noted::default();
    for (folder, line) in folders.iter().zip(TimeLine::of_all(folders)?) {
        noted.add(folder, line.shift)?;
    }
    let Noted { emissions, events, drops, sealed, packets } = noted;
    let delays = Table::<DelayRow>::read(&first.delays())?;
    let breaks = Table::<BreakRow>::read_if_there(&first.breaks())?;
    let ears = ears(&delays);
    Ok(Observations {
        sightings: sightings(&emissions, &delays),
        passages: packets.passages(),
        receivers: packets.receivers(),
        holes: breaks.iter().filter_map(hole).collect(),
        greetings: ears.iter().filter_map(|ear| greeting(&ear.name, &events)).collect(),
        greeted_elsewhere: is_on_loopback(first)?,
        ears,
        drops,
        sealed: sealed.into_iter().collect(),
    })
}

/// Over loopback made-up links act on packets, and not on the control connections by which clients come in. A folder that
/// does not say where it ran is taken at its word.
fn is_on_loopback(folder: &Folder) -> anyhow::Result<bool> {
    let path = folder.run_json();
    if !path.is_file() {
        return Ok(false);
    }
    let on = RunJson::read(&path)?.on;
    Ok([World::Loopback, World::Device].iter().any(|world| on == world.name()))
}

/// What clients did and noted.
#[derive(Default)]
struct Noted {
    emissions: Vec<EmissionRow>,
    events: Vec<EventRow>,
    drops: Vec<Drop>,
    sealed: BTreeSet<String>,
    packets: Packets,
}

impl Noted {
    /// Takes a folder's, whose times are to be so much later.
    fn add(&mut self, folder: &Folder, shift: Nanos) -> Result<(), TableError> {
        self.emissions.extend(Table::<EmissionRow>::read(&folder.emissions())?.into_iter().map(|mut row| {
            row.sent_ns += shift.0;
            row
        }));
        self.events.extend(Table::<EventRow>::read_if_there(&folder.events())?.into_iter().map(|mut row| {
            row.at_ns += shift.0;
            row
        }));
        // In place of a packet that came and has no row when it would have been played, nothing was played: no hole.
        let can_be_missed = |row: &&DropRow| row.direction == Direction::Out || row.played_ns.is_some();
        self.drops.extend(Table::<DropRow>::read_if_there(&folder.drops())?.iter().filter(can_be_missed).map(|row| {
            let drop = row.observed();
            Drop { at: drop.at + shift, played: drop.played.map(|played| played + shift), ..drop }
        }));
        let packets = Table::<PacketRow>::read_if_there(&folder.packets())?;
        self.sealed.extend(sealed(&packets));
        self.packets.add(&packets, shift);
        Ok(())
    }
}

/// Everybody who heard as one of stage and audience throughout: whose role changed heard by two ways.
fn ears(delays: &[DelayRow]) -> Vec<Ear> {
    let mut roles: BTreeMap<&str, BTreeSet<Role>> = BTreeMap::new();
    for row in delays {
        let role = match row.relation {
            Relation::Stage => Role::Speaker,
            Relation::Audience => Role::Listener,
            Relation::Own => continue,
        };
        roles.entry(&row.recorder).or_default().insert(role);
    }
    let only = |roles: &BTreeSet<Role>| roles.first().copied().filter(|_| roles.len() == 1);
    roles.iter().filter_map(|(name, roles)| Some(Ear { name: (*name).to_owned(), role: only(roles)? })).collect()
}

fn sightings(emissions: &[EmissionRow], delays: &[DelayRow]) -> Vec<Sighting> {
    let sent: BTreeMap<(&str, u32), &EmissionRow> =
        emissions.iter().map(|row| ((row.speaker.as_str(), row.beep), row)).collect();
    let sighting = |row: &DelayRow| {
        let emission = sent.get(&(row.speaker.as_str(), row.beep))?;
        let delay = row.delay_ns.filter(|_| matches!(row.status, Status::Heard | Status::Weak))?;
        Some(Sighting {
            speaker: row.speaker.clone(),
            recorder: row.recorder.clone(),
            captured: RunTime(emission.sent_ns),
            delay: Nanos(delay),
            position: Some(MediaTime(emission.media_time)),
        })
    };
    delays.iter().filter_map(sighting).collect()
}

fn hole(row: &BreakRow) -> Option<Hole> {
    let is_loss = matches!(row.kind, BreakKind::LossConcealed | BreakKind::LossUnconcealed | BreakKind::Silence);
    let (at, length) = (RunTime(row.last_before_ns), Nanos(row.silence_ns));
    (is_loss && Nanos(row.step_ns).abs() < SAME_DELAY && length >= SHORTEST).then_some(())?;
    Some(Hole {
        speaker: row.speaker.clone()?,
        recorder: row.recorder.clone(),
        at,
        captured: at + -Nanos(row.delay_before_ns?),
        length,
    })
}

/// When a client asked to come in, was let in, and heard so.
fn greeting(client: &str, events: &[EventRow]) -> Option<Greeting> {
    let own = |wanted: &dyn Fn(&EventRow) -> bool| {
        events.iter().find(|row| row.node == client && wanted(row)).map(|row| RunTime(row.at_ns))
    };
    let asked = own(&|row| row.event.change() == Some(Change::Join) && row.step == Some(Step::Asked))?;
    let joined = own(&|row| row.event == Kind::Joined)?;
    let admitted = events.iter().find(|row| row.event == Kind::Admitted && row.subject == client)?;
    Some(Greeting { client: client.to_owned(), asked, admitted: RunTime(admitted.at_ns), joined })
}

/// Who sealed what they sent.
fn sealed(packets: &[PacketRow]) -> impl Iterator<Item = String> {
    let sealed = packets.iter().filter(|row| row.tap == Tap::Sent && row.seal_bytes.is_some_and(|bytes| bytes > 0));
    sealed.map(|row| row.endpoint.clone())
}
