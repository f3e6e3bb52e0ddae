//! A run, from an experiment to its findings: the cast plays in one of the worlds, the keeper keeps, and what was kept
//! is measured and written out.

pub(crate) mod cast;
pub mod changes;
pub mod chorus;
pub mod codec_bias;
mod door;
pub mod external;
pub mod folder;
mod gaps;
mod geography;
mod in_room;
pub mod interrupt;
pub mod keeper;
mod loopback;
pub mod measure;
pub mod observations;
mod on_bus;
mod passages;
pub mod paths;
pub mod pilots;
mod relays;
pub mod series;
mod simulate;
pub(crate) mod started;
pub mod time_line;
pub(crate) mod unkept;
pub mod unrecorded;
mod unsignalled;
pub mod watch;

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiho_analysis::metrics::topology;
use jiho_analysis::signal::{Family, Signal as Rhythm};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::media::MediaReport;
use jiho_proto::codec::CodecConfig;

use crate::bus;
use crate::exit::UsageError;
use crate::experiment::{Experiment, Mouths, Sealing};
use crate::report::run_json::{self, Host, OnDevices, RunJson};
use crate::report::seal::Sealed;
use crate::report::table::Table;
use crate::report::{
    RunName, arrivals, breaks, chorus as chorus_rows, delays, gaps as gap_rows, pairs, relay as relay_rows, stack,
    steps, topology as topology_rows, track,
};
use chorus::{Chorus, Singing};
use external::ExternalRelay;
use folder::Folder;
use in_room::InRoom;
use interrupt::Interrupt;
use keeper::{Keeper, Kept, Participant};
use measure::{Findings, Listening};
use on_bus::{Clients, OnBus};
use watch::{Begun, Person, Watch, Watcher};

pub use cast::codec;

/// In which world an experiment is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Virtual time, with the links of the experiment.
    Sim,
    /// Real time over this machine's loopback.
    Loopback,
    /// The same, with sound devices for mouths and ears: those of the [bus].
    Device,
}

impl World {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Loopback => "loopback",
            Self::Device => "device",
        }
    }

    /// Whether an experiment can be held there.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(self, experiment: &Experiment) -> Result<(), UsageError> {
        match self {
            Self::Sim if experiment.relay.external.is_some() => {
                let text = "an external relay takes real time: run it over loopback, or leave out [relay.external]";
                Err(UsageError::say(text))
            }
            Self::Sim if experiment.room.is_some() => {
                Err(UsageError::say("a room that somebody else wrote takes real time: leave [room] or --on sim out"))
            }
            Self::Device => on_bus::check(experiment),
            Self::Sim | Self::Loopback => Ok(()),
        }
    }

    /// Whether it takes as long as it takes.
    pub fn is_real_time(self) -> bool {
        self != Self::Sim
    }
}

/// Told how far a run has got: it is shown to whoever waits.
pub trait Progress: Sync {
    /// Sound is played; so much of so much run time has passed.
    fn playing(&self, reached: Nanos, total: Nanos);
    /// Recordings are heard; so many more seconds of sound out of so many.
    fn hearing(&self, seconds: f64, total: f64);

    /// Who watches a run that begins, if anybody does.
    fn watcher(&self, _begun: &Begun) -> Option<Box<dyn Watcher>> {
        None
    }

    /// What is done when the run is asked to end early.
    fn interrupted(&self) -> Box<dyn Fn() + Send> {
        Box::new(|| {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), INTERRUPTED.as_bytes());
        })
    }
}

/// What whoever pressed Ctrl-C is told.
pub const INTERRUPTED: &str = "\nfinishing; Ctrl-C again to leave at once\n";

/// A finished run.
#[derive(Debug)]
pub struct Outcome {
    /// Where its files are.
    pub folder: Folder,
    /// How it came about.
    pub run: RunJson,
    /// What it amounts to.
    pub findings: Findings,
    /// Who served stage and audience, as far as sound tells.
    pub architecture: Vec<topology::Finding>,
}

/// Runs an experiment; `given` is its file's text and `out` the folder to make.
///
/// # Errors
/// The folder cannot be made, or something could not be played, kept or measured. What was recorded stays.
pub fn run(
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Outcome> {
    interruptible(progress.interrupted(), |interrupt| {
        run_under(interrupt, name(experiment, world), experiment, given, world, out, progress)
    })
}

/// Does something that Ctrl-C may end; `told` is called at the first. Whoever waits for long recordings to be heard may
/// lose patience too: it is listened for until the end.
pub(crate) fn interruptible<T>(
    told: impl Fn() + Send + 'static,
    task: impl FnOnce(&Interrupt) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    block_on(async {
        let interrupt = Interrupt::listen(told);
        tokio::task::block_in_place(|| task(&interrupt))
    })
}

/// As [`run`], of several that one interrupt ends.
fn run_under(
    interrupt: &Interrupt,
    name: RunName,
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Outcome> {
    world.check(experiment)?;
    block_on(run_until(interrupt, name, experiment, given, world, out, progress))
}

/// A simulation is named by what it is, so that equal ones have equal names; any other run by its moment.
fn name(experiment: &Experiment, world: World) -> RunName {
    RunName::once(match world {
        World::Sim => format!("{}-sim-{:08x}", experiment.name, fnv1a(experiment.ungated().to_toml().as_bytes())),
        World::Loopback | World::Device => format!("{}-{}", experiment.name, stamp()),
    })
}

async fn run_until(
    interrupt: &Interrupt,
    name: RunName,
    experiment: &Experiment,
    given: &str,
    world: World,
    out: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Outcome> {
    let prepared = in_room::prepared(experiment);
    let prepared = if world == World::Device { on_bus::prepared(&prepared) } else { prepared };
    let experiment = &prepared;
    let bus = if world == World::Device { Some(bus::entered()?) } else { None };
    let folder = Folder::create(out)?;
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(folder.experiment_given(), given)?;
    write(folder.experiment_effective(), &experiment.to_toml())?;
    let mut theirs = match &experiment.relay.external {
        Some(external) => Some(ExternalRelay::ready(external, &folder, interrupt).await?),
        None => None,
    };
    let mut in_room = match &experiment.room {
        Some(room) => Some(tokio::task::block_in_place(|| InRoom::start(room, experiment, &folder, interrupt))?),
        None => None,
    };
    let clock = RunClock::start();
    let started_unix_ns = match world {
        World::Sim => 0,
        World::Loopback | World::Device => clock.started_unix_ns(),
    };
    let members = cast::members(experiment);
    let mut participants: Vec<_> = members.iter().map(cast::Member::participant).collect();
    let theirs_there = experiment.room.as_ref().is_some_and(|room| room.mouths() != Mouths::Network);
    let clients = if theirs_there { Clients::Theirs } else { Clients::Ours };
    if bus.is_some() {
        let family = experiment.signal.family();
        participants = participants.into_iter().map(|who| on_bus::told(who, family, clients)).collect();
    }
    let begun = begun(experiment, world, &name, &participants);
    let watcher = progress.watcher(&begun);
    let watched = watcher.map(|watcher| Watch::start(&begun, world == World::Sim, watcher)).transpose()?;
    let keeper = Keeper::start_watched(&folder, name.clone(), started_unix_ns, participants, watched)?;
    let mut on_bus = match &bus {
        Some(bus) => Some(OnBus::open(bus, clients, experiment, &members, &folder, &keeper, clock)?),
        None => None,
    };
    let total = experiment.run.total();
    let told = |reached: RunTime| progress.playing(reached.since_start(), total);
    let played = match world {
        World::Sim => tokio::task::block_in_place(|| simulate::play(experiment, &keeper, interrupt, &told))
            .map(|()| Played { interrupted: interrupt.wanted(), ..Played::default() }),
        World::Loopback | World::Device if let Some(in_room) = &mut in_room => {
            tokio::task::block_in_place(|| in_room.play(experiment, &keeper, clock, interrupt, on_bus.as_mut(), &told))
        }
        World::Loopback | World::Device => {
            loopback::play(experiment, &keeper, clock, interrupt, theirs.as_mut(), on_bus.as_mut(), &told).await
        }
    };
    let fared = on_bus.map(|on_bus| tokio::task::block_in_place(|| on_bus.finish()));
    let in_room = in_room.map(|in_room| tokio::task::block_in_place(|| in_room.finish())).transpose()?;
    if let Some(theirs) = theirs {
        tokio::task::block_in_place(|| drop(theirs));
        relay_rows::adopt(&folder, &name, started_unix_ns)?;
    }
    // Whoever cannot hand on what is to be kept fails too, and does not know why: the keeper does.
    let kept = keeper.finish()?;
    let mut run = run_json(experiment, world, name, started_unix_ns, played?, &kept, fared);
    run.room = in_room;
    run.write(&folder.run_json())?;
    if let (true, Some(failure)) = (kept.joined.is_empty(), run.failures.first()) {
        anyhow::bail!("{failure}; nobody was let in, and nothing was heard");
    }
    let seconds = total.as_secs_f64() * experiment.recorded().count() as f64;
    let heard = |heard| progress.hearing(heard, seconds);
    let mut findings = tokio::task::block_in_place(|| {
        measure::measure(std::slice::from_ref(&folder), &run.name(), listening(experiment), &heard)
    })?;
    findings.chorus = run.singing.as_ref().map(|singing| Chorus::of(&findings, singing));
    write_tables(&folder, &findings)?;
    let architecture = write_architecture(std::slice::from_ref(&folder), &findings)?;
    Ok(Outcome { folder, run, findings, architecture })
}

/// Writes the tables of what was found.
///
/// # Errors
/// A file cannot be written.
pub fn write_tables(folder: &Folder, findings: &Findings) -> anyhow::Result<()> {
    Table::write(&folder.arrivals(), arrivals::of_run(findings))?;
    Table::write(&folder.delays(), delays::rows(findings))?;
    Table::write(&folder.pairs(), pairs::rows(findings))?;
    Table::write(&folder.steps(), steps::rows(findings))?;
    if let Some(chorus) = &findings.chorus {
        Table::write(&folder.chorus(), chorus_rows::beats(findings, chorus))?;
        Table::write(&folder.asynchrony(), chorus_rows::asynchronies(findings, chorus))?;
        Table::write(&folder.cure(), chorus_rows::cures(findings, chorus))?;
        Table::write(&folder.holds(), chorus_rows::holds(findings, chorus))?;
    }
    if findings.family == Family::Pilot {
        Table::write(&folder.track(), track::rows(findings))?;
        Table::write(&folder.breaks(), breaks::rows(findings))?;
        Table::write(&folder.gaps(), gap_rows::rows(findings))?;
        Table::write(&folder.stack(), stack::rows(findings))?;
    }
    Ok(())
}

/// Writes what folders' tables alone can say about who served the room, into the first folder.
///
/// # Errors
/// A table is missing or damaged, or the file cannot be written.
pub fn write_architecture(folders: &[Folder], findings: &Findings) -> anyhow::Result<Vec<topology::Finding>> {
    let architecture = architecture(folders)?;
    if let Some(first) = folders.first() {
        Table::write(&first.topology(), topology_rows::rows(&findings.run_id, findings.rep, &architecture))?;
    }
    Ok(architecture)
}

/// Who served stage and audience, as far as the tables tell of one run, or of the processes of one room.
///
/// # Errors
/// A table is missing or damaged.
pub fn architecture(folders: &[Folder]) -> anyhow::Result<Vec<topology::Finding>> {
    Ok(topology::findings(&observations::read(folders)?, &topology::Counts::standard()?))
}

/// What an experiment's recordings are listened to for.
pub fn listening(experiment: &Experiment) -> Listening {
    let family = Rhythm::from(&experiment.signal).family;
    Listening { family, codec: own_codec(experiment) }
}

/// What sound travels by, where that is ours to say.
fn own_codec(experiment: &Experiment) -> Option<CodecConfig> {
    let theirs = experiment.room.as_ref().is_some_and(|room| room.mouths() != Mouths::Network);
    (!theirs).then(|| codec(&experiment.media.codec))
}

/// Where something of that name goes if nobody says where: a folder that is not there yet.
pub fn usual_folder(name: &str) -> PathBuf {
    let folder = |number: u32| match number {
        1 => PathBuf::from("runs").join(format!("{name}-{}", stamp())),
        _ => PathBuf::from("runs").join(format!("{name}-{}-{number}", stamp())),
    };
    (1..1000).map(folder).find(|folder| !folder.exists()).unwrap_or_else(|| folder(1000))
}

/// The moment, as part of a name: UTC to the second.
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// How the threads fared, and why the run was cut short, if it was.
#[derive(Debug, Default)]
struct Played {
    /// The relays', then the participants' in the experiment's order; none in virtual time.
    threads: Vec<MediaReport>,
    /// Ctrl-C came.
    interrupted: bool,
    /// What made the run end, besides what engines say of themselves.
    failure: Option<String>,
}

fn begun(experiment: &Experiment, world: World, name: &RunName, participants: &[Participant]) -> Begun {
    let person = |who: &Participant| Person {
        name: who.name.clone(),
        role: who.role,
        code: who.programme.as_ref().map(|(code, _)| *code),
        clock_error: who.clock_error,
    };
    Begun {
        run: name.clone(),
        experiment: experiment.name.clone(),
        on: world.name(),
        seed: experiment.run.seed,
        family: experiment.signal.family(),
        total: experiment.run.total(),
        participants: participants.iter().map(person).collect(),
    }
}

/// Runs what carries signalling and listens for Ctrl-C; media has threads of its own.
pub(crate) fn block_on<T>(task: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    let done = runtime.block_on(task);
    // The system may be looking up a name still: nobody wants to know it any more.
    runtime.shutdown_background();
    done
}

fn run_json(
    experiment: &Experiment,
    world: World,
    name: RunName,
    started_unix_ns: i64,
    played: Played,
    kept: &Kept,
    fared: Option<(OnDevices, Option<String>)>,
) -> RunJson {
    let Played { threads, interrupted, failure } = played;
    let (devices, gone) = fared.unzip();
    // The cause before its consequences.
    let mut failures: Vec<String> = gone.flatten().into_iter().chain(failure).collect();
    failures.extend(kept.failures.iter().map(|(name, reason)| format!("{name}: {reason}")));
    failures.extend(threads.iter().filter_map(|report| Some(report.outcome.as_ref().err()?.to_string())));
    RunJson {
        format: run_json::FORMAT,
        run_id: name.run_id,
        rep: name.rep,
        experiment: experiment.name.clone(),
        on: world.name().to_owned(),
        seed: experiment.run.seed,
        jiho_version: env!("CARGO_PKG_VERSION").to_owned(),
        opus_version: jiho_proto::codec::library_version().to_owned(),
        partial: interrupted || !failures.is_empty(),
        failures,
        clock_bound_ns: 0,
        codec: own_codec(experiment),
        family: Some(Rhythm::from(&experiment.signal).family),
        seal: (experiment.media.seal.as_ref())
            .map(|Sealing::Sframe(_)| Sealed::sframe(kept.seals, kept.unopened.clone())),
        singing: Singing::of(experiment),
        room: None,
        late: kept.late.clone(),
        devices,
        host: world.is_real_time().then(|| Host::this(started_unix_ns, &threads, kept.stalls)),
    }
}

/// FNV-1a of 32 bits.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
