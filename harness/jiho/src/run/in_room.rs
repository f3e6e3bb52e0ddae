//! A run in a room that somebody else wrote: a thread of its own lets people in and out and changes their roles when the
//! experiment says so, each call to the room taking as long as it takes. Who speaks and hears there are devices on the bus,
//! which record themselves, or probes of ours, which are brought to the room here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::ControlLink;
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::engine::Engine;
use jiho_proto::event::{Event, StepTaken};
use jiho_proto::records::{KeepError, Records};

use super::Played;
use super::cast::{self, Member};
use super::folder::Folder;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::loopback::behind;
use super::on_bus::{BusClock, OnBus, Seat as OnBusSeat};
use super::unsignalled::Unsignalled;
#[cfg(any(feature = "webrtc", feature = "mumble"))]
use crate::experiment::PlainRtp;
use crate::experiment::{Experiment, Mouths, Occasion, Room as Settings};
use crate::report::run_json::InRoom as Told;
use crate::rooms::{self, Making, Party, Probe, Room, RoomError, Seat};

/// How often the room is looked at, and an interrupt is noticed.
const TICK: Duration = Duration::from_millis(50);
/// Whoever speaks by a device is in no packet of ours, and has a number here instead.
const FIRST_NUMBER: u32 = 1;

/// The experiment with enough time for everybody to come in and settle.
pub(super) fn prepared(experiment: &Experiment) -> Experiment {
    let mut prepared = experiment.clone();
    if let Some(room) = &experiment.room {
        prepared.run.warmup = prepared.run.warmup.max(room.warmup());
    }
    prepared
}

/// A room that is up, before anybody is in it.
pub(super) struct InRoom {
    settings: Settings,
    room: Box<dyn Room>,
    folder: Folder,
    parties: Vec<Party>,
    sockets: Vec<Option<Socket>>,
}

impl InRoom {
    /// Starts it.
    ///
    /// # Errors
    /// What it needs is missing, or it does not start.
    pub(super) fn start(
        settings: &Settings,
        experiment: &Experiment,
        folder: &Folder,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let (folder_path, interrupt) = (folder.path().to_owned(), interrupt.clone());
        let making = Making { folder: folder_path, interrupt, runtime: tokio::runtime::Handle::current() };
        let mut room = rooms::make(settings, making)?;
        let own = SocketAddr::new(room.own_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 0);
        let (mut parties, mut sockets) = (Vec::new(), Vec::new());
        let speakers = experiment.speakers.iter().map(|who| (&who.name, Role::Speaker, who.media));
        let listeners = experiment.listeners.iter().map(|who| (&who.name, Role::Listener, who.media));
        for (name, role, media) in speakers.chain(listeners) {
            let socket = Socket::bind(media.unwrap_or(own)).with_context(|| format!("{name}'s socket"))?;
            parties.push(Party { name: name.clone(), role, media: socket.local_addr() });
            sockets.push(Some(socket));
        }
        room.start(&parties).with_context(|| format!("room {}", settings.name()))?;
        Ok(Self { settings: settings.clone(), room, folder: folder.clone(), parties, sockets })
    }

    /// Plays an experiment through; `progress` is told the run time reached.
    ///
    /// # Errors
    /// A thread cannot be had.
    pub(super) fn play(
        &mut self,
        experiment: &Experiment,
        keeper: &Keeper,
        clock: RunClock,
        interrupt: &Interrupt,
        mut on_bus: Option<&mut OnBus>,
        progress: &dyn Fn(RunTime),
    ) -> anyhow::Result<Played> {
        let end = RunTime::START + experiment.run.total();
        let ended = AtomicBool::new(false);
        let mut stage = Stage {
            experiment,
            clock,
            records: (0..self.parties.len()).map(|index| keeper.records(index)).collect(),
            moderator: keeper.staff("moderator"),
            probes: BTreeMap::new(),
            bus_clock: None,
            reports: Vec::new(),
        };
        let agenda = agenda(experiment);
        // Whoever is at a place of ours on the bus tells of its mouth itself.
        let mut seats: Vec<Option<OnBusSeat>> =
            (0..self.parties.len()).map(|index| on_bus.as_deref_mut().and_then(|on_bus| on_bus.seat(index))).collect();
        let on_bus = on_bus.as_deref();
        let bus_clock = on_bus.filter(|_| self.settings.mouths() != Mouths::Network).map(OnBus::clock);
        let result = thread::scope(|scope| {
            let Self { room, parties, sockets, .. } = self;
            let (stage, seats, ended) = (&mut stage, &mut seats, &ended);
            let stop = || ended.load(Ordering::Relaxed);
            // Connections of some rooms live on the runtime.
            let runtime = tokio::runtime::Handle::current();
            let thread = thread::Builder::new().name("room".to_owned());
            let thread = thread.spawn_scoped(scope, move || {
                let _on_the_runtime = runtime.enter();
                let mut scene = Scene { room: room.as_mut(), parties, sockets, seats, stage, keeper };
                let result = scene.play(&agenda, bus_clock.as_ref(), &stop);
                ended.store(true, Ordering::Relaxed);
                result
            });
            let thread = thread.context("cannot start the room's thread")?;
            loop {
                let now = clock.now();
                let silent = on_bus.is_some_and(OnBus::is_over);
                if now >= end || interrupt.wanted() || silent || ended.load(Ordering::Relaxed) {
                    break;
                }
                let left = (end - now).to_std();
                thread::sleep(left.min(TICK));
                progress(clock.now());
            }
            ended.store(true, Ordering::Relaxed);
            let result =
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the room's thread has panicked").into()));
            Ok::<_, anyhow::Error>(result)
        })?;
        stage.stop_all();
        let failure = result.err().map(|error| format!("room {}: {error}", self.settings.name()));
        Ok(Played { threads: stage.reports, interrupted: interrupt.wanted(), failure })
    }

    /// Ends it; gives what is to be told of it.
    pub(super) fn finish(mut self) -> anyhow::Result<Told> {
        for (name, text) in self.room.last_words() {
            let path = self.folder.path().join(&name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let settings = serde_json::to_value(&self.settings)?;
        let settings = settings.get(self.settings.name()).cloned().unwrap_or_default();
        Ok(Told { name: self.settings.name().to_owned(), versions: self.room.versions(), settings })
    }
}

/// What happens to whom.
#[derive(Clone, Copy, Debug)]
struct Act {
    at: RunTime,
    who: usize,
    change: Change,
}

/// In order of time: everybody comes at the beginning who does not come later.
fn agenda(experiment: &Experiment) -> Vec<Act> {
    let begin = RunTime::START + experiment.run.warmup;
    let index: BTreeMap<&str, usize> = experiment.everybody().enumerate().map(|(n, name)| (name, n)).collect();
    let late = |name: &str| experiment.events.iter().any(|e| matches!(&e.what, Occasion::Join(who) if who == name));
    let first = index.iter().filter(|(name, _)| !late(name));
    let mut agenda: Vec<Act> = first.map(|(_, &who)| Act { at: RunTime::START, who, change: Change::Join }).collect();
    agenda.sort_by_key(|act| act.who);
    agenda.extend(experiment.events.iter().filter_map(|event| {
        let change = match &event.what {
            Occasion::Join(_) => Change::Join,
            Occasion::Leave(_) => Change::Leave,
            Occasion::Promote(_) => Change::Promote,
            Occasion::Demote(_) => Change::Demote,
            Occasion::Mute(_) => Change::Mute,
            Occasion::Unmute(_) => Change::Unmute,
        };
        Some(Act { at: begin + event.at, who: *index.get(event.what.name())?, change })
    }));
    agenda.sort_by_key(|act| act.at);
    agenda
}

/// What is noted, and by whom.
struct Stage<'e> {
    experiment: &'e Experiment,
    clock: RunClock,
    records: Vec<Box<dyn Records>>,
    moderator: Box<dyn Records>,
    /// Those that are there.
    probes: BTreeMap<usize, MediaThread>,
    /// Where devices are, their clock.
    bus_clock: Option<BusClock>,
    reports: Vec<MediaReport>,
}

impl Stage<'_> {
    /// By the devices' clock, where there are any.
    fn now(&self) -> RunTime {
        let now = self.clock.now();
        self.bus_clock.as_ref().map_or(now, |clock| clock.at(now))
    }

    fn note(&mut self, who: usize, event: Event) -> Result<(), RoomError> {
        let at = self.now();
        kept(self.records[who].event(at, event))
    }

    fn step(&mut self, who: usize, subject: &str, change: Change, step: Step, detail: &str) -> Result<(), RoomError> {
        let (subject, detail) = (subject.to_owned(), detail.to_owned());
        let event = Event::Step(StepTaken { number: None, change, subject, step, detail });
        let at = self.now();
        match change {
            Change::Join | Change::Leave => kept(self.records[who].event(at, event)),
            _ => kept(self.moderator.event(at, event)),
        }
    }

    /// Whoever speaks by a device is heard in the room from now on, or is not any more.
    fn speaks(&mut self, who: usize, speaks: bool) -> Result<(), RoomError> {
        let Some(clock) = self.bus_clock.as_ref().and_then(BusClock::opened) else { return Ok(()) };
        let now = self.now();
        self.note(
            who,
            if speaks { Event::MouthResumed { from: clock.first_sample_from(now) } } else { Event::MouthPaused },
        )
    }

    fn stop_all(&mut self) {
        let probes = std::mem::take(&mut self.probes);
        probes.values().for_each(MediaThread::stop);
        self.reports.extend(probes.into_values().map(MediaThread::join));
    }
}

fn kept(result: Result<(), KeepError>) -> Result<(), RoomError> {
    result.map_err(|error| anyhow::anyhow!("{error}").into())
}

/// The room and all who take part, while it is played.
struct Scene<'a, 'e> {
    room: &'a mut dyn Room,
    parties: &'a [Party],
    sockets: &'a mut [Option<Socket>],
    /// Places on the bus, of probes that speak and hear there.
    seats: &'a mut [Option<OnBusSeat>],
    stage: &'a mut Stage<'e>,
    keeper: &'a Keeper,
}

impl Scene<'_, '_> {
    fn play(&mut self, agenda: &[Act], bus_clock: Option<&BusClock>, stop: &dyn Fn() -> bool) -> Result<(), RoomError> {
        if let Some(bus_clock) = bus_clock {
            // Before it is known by which clock ears are recorded, nothing that happens can be placed.
            while bus_clock.opened().is_none() && !stop() {
                thread::sleep(TICK);
            }
            self.open_mouths(bus_clock)?;
        }
        for act in agenda {
            if !self.wait_until(act.at, stop)? {
                return Ok(());
            }
            self.act(act)?;
        }
        self.wait_until(RunTime(i64::MAX), stop).map(drop)
    }

    /// False: the run is over.
    fn wait_until(&mut self, at: RunTime, stop: &dyn Fn() -> bool) -> Result<bool, RoomError> {
        loop {
            if stop() {
                return Ok(false);
            }
            let now = self.stage.now();
            if now >= at {
                return Ok(true);
            }
            self.room.check()?;
            self.check_probes()?;
            let left = Nanos(at.0.saturating_sub(now.0)).to_std();
            thread::sleep(left.min(TICK));
        }
    }

    /// A probe ends early only if something went wrong: its report says what.
    fn check_probes(&mut self) -> Result<(), RoomError> {
        match self.stage.probes.iter().find(|(_, probe)| probe.is_finished()) {
            Some((who, _)) => Err(anyhow::anyhow!("{}'s probe has ended", self.parties[*who].name).into()),
            None => Ok(()),
        }
    }

    /// Voices sound on the bus from the beginning, and are in the room once their clients are.
    fn open_mouths(&mut self, bus_clock: &BusClock) -> Result<(), RoomError> {
        let Some(clock) = bus_clock.opened() else { return Ok(()) };
        self.stage.bus_clock = Some(bus_clock.clone());
        for (who, number) in (0..self.parties.len()).zip(FIRST_NUMBER..) {
            self.stage.note(who, Event::MouthOpened { clock, ssrc: number })?;
            let at = clock.start;
            kept(self.stage.records[who].event(at, Event::MouthPaused))?;
        }
        Ok(())
    }

    fn act(&mut self, act: &Act) -> Result<(), RoomError> {
        let &Act { who, change, .. } = act;
        let party = &self.parties[who];
        self.stage.step(who, &party.name, change, Step::Asked, "")?;
        // What is said from the command on is meant for the room.
        if matches!(change, Change::Promote | Change::Unmute) {
            self.stage.speaks(who, true)?;
        }
        let done = self.bring_about(who, change);
        if let Err(error) = &done {
            // The room's own error is told as the run's; what can be noted besides is.
            let _ = self.stage.step(who, &party.name, change, Step::Failed, &error.to_string());
        }
        done?;
        if matches!(change, Change::Leave | Change::Demote | Change::Mute) {
            self.stage.speaks(who, false)?;
        }
        Ok(())
    }

    fn bring_about(&mut self, who: usize, change: Change) -> Result<(), RoomError> {
        let party = &self.parties[who];
        let mut kept = Ok(());
        match change {
            Change::Join => {
                if let Some(probe) = self.room.probe(party) {
                    self.bring_probe(who, probe)?;
                }
                let stage = &mut *self.stage;
                let mut steps = |step: Step| {
                    let noted = stage.step(who, &party.name, change, step, "");
                    kept = std::mem::replace(&mut kept, Ok(())).and(noted);
                };
                let seat = self.room.join(party, &mut steps)?;
                kept?;
                self.stage.step(who, &party.name, change, Step::Granted, "")?;
                match seat {
                    Seat::Devices => {
                        self.stage.note(who, Event::Joined)?;
                        if party.role == Role::Speaker {
                            self.stage.speaks(who, true)?;
                        }
                        Ok(())
                    }
                    Seat::Probe(probe) => self.bring_probe(who, probe),
                    Seat::ProbeThere => Ok(()),
                }
            }
            Change::Leave | Change::Remove => {
                if let Some(probe) = self.stage.probes.remove(&who) {
                    probe.stop();
                    self.stage.reports.push(probe.join());
                }
                self.room.leave(party)
            }
            Change::Promote | Change::Demote | Change::Mute | Change::Unmute => {
                let stage = &mut *self.stage;
                let mut steps = |step: Step| {
                    let noted = stage.step(who, &party.name, change, step, "");
                    kept = std::mem::replace(&mut kept, Ok(())).and(noted);
                };
                self.room.change(party, change, &mut steps)?;
                kept?;
                self.stage.step(who, &party.name, change, Step::Done, "")
            }
        }
    }

    /// Brings one of our probes to where the room said.
    fn bring_probe(&mut self, who: usize, probe: Probe) -> Result<(), RoomError> {
        let Stage { experiment, clock, .. } = *self.stage;
        let name = &self.parties[who].name;
        let lacks = || anyhow::anyhow!("{name} has come and gone, and cannot come again");
        let socket = self.sockets[who].take().ok_or_else(lacks)?;
        let mut member = cast::members(experiment).into_iter().nth(who).ok_or_else(lacks)?;
        let (address, link) = (socket.local_addr(), member.link().clone());
        let mut records = member.by_own_clock(self.keeper.records(who));
        if let Some(seat) = self.seats[who].take() {
            let microphone;
            (microphone, records) = seat.records(records);
            member = member.through(microphone);
        }
        let control = control(&probe, &socket);
        let engine = engine(member, experiment, address, clock, probe)?;
        let luck = (u64::from(experiment.run.seed), who as u64 + 1);
        let engine = behind(link, engine, address, luck, &Arc::default(), None);
        let thread = MediaThread::spawn(name, engine, socket, clock, control, records)
            .with_context(|| format!("cannot start {name}'s thread"))?;
        self.stage.probes.insert(who, thread);
        Ok(())
    }
}

/// What a probe is told besides packets.
fn control(probe: &Probe, socket: &Socket) -> ControlLink {
    match probe {
        #[cfg(feature = "mumble")]
        Probe::Mumble(connection) => connection.control(socket.waker()),
        _ => {
            let _ = socket;
            ControlLink::none()
        }
    }
}

/// A participant's engine, as the room wants it spoken to.
fn engine(
    member: Member,
    experiment: &Experiment,
    address: SocketAddr,
    #[cfg_attr(not(feature = "webrtc"), allow(unused_variables))] clock: RunClock,
    probe: Probe,
) -> anyhow::Result<Box<dyn Engine>> {
    let codec = cast::codec(&experiment.media.codec);
    let endpoint = member.engine(codec, "", address)?;
    Ok(match probe {
        Probe::Rtp(rtp) => Box::new(Unsignalled::new(endpoint, &rtp, codec.payload_type())),
        Probe::KnockingRtp(rtp) => {
            let endpoint = Unsignalled::new(endpoint, &rtp, codec.payload_type());
            Box::new(endpoint.knocking(rtp.send_to, codec.payload_type()))
        }
        #[cfg(feature = "mumble")]
        Probe::Mumble(connection) => {
            let rtp = PlainRtp { send_to: connection.server, hear_from: Vec::new() };
            let endpoint = Unsignalled::new(endpoint, &rtp, codec.payload_type());
            let mumble =
                jiho_proto::mumble::Mumble::new(endpoint, &connection.keys, connection.server, codec.payload_type());
            Box::new(mumble.on_line(connection.line.clone()))
        }
        // To the endpoint its connections are one room at its own address.
        #[cfg(feature = "webrtc")]
        Probe::Webrtc(connections) => {
            let rtp = PlainRtp { send_to: address, hear_from: Vec::new() };
            let endpoint = Unsignalled::new(endpoint, &rtp, codec.payload_type());
            Box::new(jiho_drivers::webrtc::WebRtc::new(endpoint, connections, clock, codec.payload_type()))
        }
    })
}
