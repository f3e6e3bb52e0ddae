//! An experiment's mouths and ears on the bus. Each speaker's voice is played into the mouth's channel, each client's
//! microphone is what is recorded of that channel and its loudspeaker the ear's channel, and the one recording of the bus has
//! all mouths and all ears: when a beep left is heard there, and when it came.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::hear::{Detection, Hearing};
use jiho_analysis::signal::{Emission, Family};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::headset::{Earpiece, HEADSET_DELAY, Microphone, Missing, Pickup, loudspeaker, microphone};
use jiho_drivers::device::steering::Steering;
use jiho_drivers::device::{Capturing, Channels, Cut, Placed, Playing, StreamRequest, StreamStatus, system};
use jiho_drivers::wav::Recorder;
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};
use jiho_proto::speaker::Mouth as MouthSound;

use super::cast::Member;
use super::folder::Folder;
use super::keeper::{Keeper, Participant};
use crate::bus::{Bus, Devices, Layout, OwnPriority, RATE};
use crate::exit::UsageError;
use crate::experiment::Experiment;
use crate::report::run_json::{MissingSound, OnDevices};

/// The sound system that the bus belongs to, as devices' ids have it.
const HOST: &str = "pulseaudio";
/// How often devices are looked at.
const TICK: Duration = Duration::from_millis(10);
/// So much sound is recorded before anything is said of its clock, and before the first beep.
const OPENS_AFTER: Nanos = Nanos::from_secs(2);
/// Devices' first stamps are wrong, and voices wait until they are known.
const SHORTEST_WARMUP: Nanos = Nanos::from_millis(3500);
/// A device that has not started by then never will.
const PATIENCE: Nanos = Nanos::from_secs(6);
/// What was recorded is known whole so much later.
const SETTLES: Nanos = Nanos::from_millis(1600);
/// Voices keep to their plan within this.
const ON_PLAN: Nanos = Nanos::from_millis(100);
/// Bound of what stamps are off by, where beeps are not heard on the bus themselves.
const STAMPS_ERROR: Nanos = Nanos::from_millis(1);

/// Whether an experiment can be held on devices.
///
/// # Errors
/// Somebody sings.
pub(super) fn check(experiment: &Experiment) -> Result<(), UsageError> {
    if let Some(singer) = experiment.speakers.iter().find(|speaker| speaker.sing.is_some()) {
        let text = format!(
            "{} sings on what its own ear plays, and a device's ear plays it too late: sing in simulation or over loopback",
            singer.name
        );
        return Err(UsageError::say(text));
    }
    Ok(())
}

/// The experiment with enough time for devices to start.
pub(super) fn prepared(experiment: &Experiment) -> Experiment {
    let mut prepared = experiment.clone();
    prepared.run.warmup = prepared.run.warmup.max(SHORTEST_WARMUP);
    prepared
}

/// When beeps left is heard on the bus; pilots last, and are taken to have left by plan, which clients of ours say of their
/// packets.
pub(super) fn told(mut participant: Participant, family: Family, clients: Clients) -> Participant {
    if family == Family::Pilot {
        participant.clock_error += STAMPS_ERROR;
    }
    if family != Family::Pilot || clients == Clients::Theirs {
        participant.told = participant.programme.is_some();
    }
    participant
}

/// Whose clients are at the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    /// Ours: their microphones and loudspeakers are made here.
    Ours,
    /// Somebody else's, which know the devices by their names.
    Theirs,
}

/// The time of a bus: its one recording's count of samples, by the clock that it was found to have in the beginning. With
/// clients that are not ours a sound server without a card runs by up to 2 in 1000 fast once they play, and everything at the
/// bus is in its time: what is played is played by count, and what happens is noted by the count that there is then.
#[derive(Clone, Debug, Default)]
pub(super) struct BusClock(Arc<BusTime>);

#[derive(Debug, Default)]
struct BusTime {
    opened: OnceLock<SampleClock>,
    /// By how much it has gone ahead of the run's clock.
    ahead_ns: AtomicI64,
}

impl BusClock {
    /// Maps positions in the recording, once it is known.
    pub(super) fn opened(&self) -> Option<SampleClock> {
        self.0.opened.get().copied()
    }

    /// What it shows at an instant near now.
    pub(super) fn at(&self, now: RunTime) -> RunTime {
        now + Nanos(self.0.ahead_ns.load(Ordering::Relaxed))
    }

    fn open(&self, clock: SampleClock) {
        // It is opened once.
        let _ = self.0.opened.set(clock);
    }

    /// Takes what the recording's stamps say now.
    fn look(&self, status: &StreamStatus, now: RunTime) {
        if let (Some(opened), Some(current)) = (self.opened(), status.clock) {
            let ahead = opened.time_at(current.position(now)) - now;
            self.0.ahead_ns.store(ahead.0, Ordering::Relaxed);
        }
    }
}

/// A run's part on the bus.
pub(super) struct OnBus {
    seats: Vec<Option<Seat>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Fared>,
    missing: Vec<(String, Missing)>,
    priority: OwnPriority,
    opened: BusClock,
    /// How long sound waits between a client and its microphone, and its loudspeaker.
    headset_delay: Nanos,
}

/// A client's place at its devices.
pub(super) struct Seat {
    /// What its mouth says, if it has one.
    microphone: Option<Microphone>,
    earpiece: Earpiece,
}

impl OnBus {
    /// Opens everybody's devices.
    ///
    /// # Errors
    /// A device cannot be had, or somebody is not on the bus.
    pub(super) fn open(
        bus: &Bus,
        clients: Clients,
        experiment: &Experiment,
        members: &[Member],
        folder: &Folder,
        keeper: &Keeper,
        clock: RunClock,
    ) -> anyhow::Result<Self> {
        let devices = system();
        let family = experiment.signal.family();
        // The recording first: it must miss nothing.
        let channels = Channels::Exactly(bus.layout.channels());
        let all = devices.record(&request(Devices::ALL, RECORDING_FRAMES, channels, clock))?;
        let (mut seats, mut taps, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        let (mut steering, mut sources) = (Steering::default(), Vec::new());
        for (index, member) in members.iter().enumerate() {
            let Participant { name, programme, .. } = member.participant();
            let not_there = || UsageError::say(format!("{name} has no mouth and no ear on the bus"));
            let party = bus.layout.of(&name).ok_or_else(not_there)?;
            let mut says = None;
            let mut tap = Tap { name: name.clone(), party, records: keeper.records(index), mouth: None };
            if let (Some(voice), Some((code, planned))) = (member.voice(), programme) {
                sources.push((Some(Layout::mouth(party)), steering.source(voice)));
                let mut pickup = None;
                if clients == Clients::Ours {
                    let (picks_up, microphone) = microphone();
                    missing.push((format!("{name}'s microphone"), microphone.missing()));
                    (pickup, says) = (Some(picks_up), Some(microphone));
                }
                let path = folder.path().join(format!("mouth-{name}.wav"));
                let hearing = (family != Family::Pilot).then(|| Hearing::new(RATE, family, &[code]));
                let file = Recorder::create(&path, RATE)?;
                tap.mouth = Some(Mouth { pickup, file, hearing, planned, positions: 0 });
            }
            if clients == Clients::Ours {
                let (earpiece, speaker) = loudspeaker();
                missing.push((format!("{name}'s loudspeaker"), speaker.missing()));
                sources.push((Some(Layout::ear(party)), steering.source(speaker)));
                seats.push(Some(Seat { microphone: says, earpiece }));
            }
            taps.push(tap);
        }
        let playing = devices.play_all(&request(Devices::BUS, PLAYING_FRAMES, channels, clock), sources)?;
        let priority = OwnPriority::raise();
        let stop = Arc::new(AtomicBool::new(false));
        let opened = BusClock::default();
        let desk = Desk { all, taps, playing, steering, clients, clock, opened: opened.clone(), ended: None };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("bus".to_owned());
        let thread =
            thread.spawn(move || desk.run(&stopped)).context("cannot start the thread that records the bus")?;
        let headset_delay = if clients == Clients::Ours { HEADSET_DELAY } else { Nanos::ZERO };
        Ok(Self { seats, stop, thread, missing, priority, opened, headset_delay })
    }

    /// The clock of the one recording, once it is known.
    pub(super) fn clock(&self) -> BusClock {
        self.opened.clone()
    }

    /// A client's place; once.
    pub(super) fn seat(&mut self, index: usize) -> Option<Seat> {
        self.seats.get_mut(index)?.take()
    }

    /// Whether the devices have gone, and there is nothing to be heard any more.
    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Records to the end; says how devices fared, and what failed if something did: a device ended by itself, or something
    /// could not be kept.
    pub(super) fn finish(self) -> (OnDevices, Option<String>) {
        let Self { seats, stop, thread, missing, priority, headset_delay, .. } = self;
        // Afterwards there is nothing to be heard, and nothing missing.
        let missing = missing.into_iter().map(|(device, missing)| MissingSound { device, samples: missing.samples() });
        let missing = missing.filter(|missing| missing.samples > 0).collect();
        stop.store(true, Ordering::Relaxed);
        let fared = thread.join().unwrap_or_else(|_| Fared {
            failure: Some(anyhow::anyhow!("the thread that records the bus has panicked")),
            ..Fared::default()
        });
        drop(seats);
        let devices = OnDevices {
            host: HOST.to_owned(),
            real_time_refused: priority.refused().map(str::to_owned),
            headset_delay_ns: headset_delay.0,
            skew_ppm: fared.clock.map(|clock| clock.skew.as_ppm()),
            xruns: fared.xruns,
            missing,
        };
        (devices, fared.failure.map(|failure| format!("{failure:#}")))
    }
}

/// Of all that is recorded of a PulseAudio device, what a client does not take within a buffer's time is dropped: the
/// recording's is long, as it is not waited for.
const RECORDING_FRAMES: u32 = 1920;
/// What is played has to be ready so long before, twice.
const PLAYING_FRAMES: u32 = 960;

fn request(device: &str, buffer_frames: u32, channels: Channels, clock: RunClock) -> StreamRequest {
    StreamRequest { device: Some(format!("{HOST}:{device}")), rate: RATE, buffer_frames, channels, only: None, clock }
}

impl Seat {
    /// What the client's engine writes to.
    pub(super) fn records(self, records: Box<dyn Records>) -> (Option<Box<dyn MouthSound>>, Box<dyn Records>) {
        let microphone = self.microphone.map(|microphone| Box::new(microphone) as Box<dyn MouthSound>);
        (microphone, Box::new(AtDevices { records, earpiece: self.earpiece }))
    }
}

/// The records of a client whose ear is a loudspeaker: what it plays is heard on the bus.
struct AtDevices {
    records: Box<dyn Records>,
    earpiece: Earpiece,
}

impl Records for AtDevices {
    fn ear(&mut self, _: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.earpiece.play(samples);
        Ok(())
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        match event {
            Event::EarOpened { clock } => {
                self.earpiece.open(clock);
                Ok(())
            }
            // What the mouth says was said earlier, on the bus.
            Event::MouthOpened { clock, ssrc } => {
                let clock = SampleClock { start: clock.start - HEADSET_DELAY, ..clock };
                self.records.event(at, Event::MouthOpened { clock, ssrc })
            }
            event => self.records.event(at, event),
        }
    }
}

/// A party on the bus.
struct Tap {
    name: String,
    party: usize,
    records: Box<dyn Records>,
    mouth: Option<Mouth>,
}

/// What leaves a mouth.
struct Mouth {
    /// To its client, if that is ours.
    pickup: Option<Pickup>,
    file: Recorder,
    /// `None`: nothing that could be heard by itself.
    hearing: Option<Hearing>,
    planned: Vec<Emission>,
    /// Samples so far.
    positions: i64,
}

/// The thread that records the bus.
struct Desk {
    all: Box<dyn Capturing>,
    taps: Vec<Tap>,
    playing: Box<dyn Playing>,
    steering: Steering,
    clients: Clients,
    clock: RunClock,
    /// The bus's clock, once it is known.
    opened: BusClock,
    /// When it was told to stop.
    ended: Option<RunTime>,
}

/// How the bus fared.
#[derive(Default)]
struct Fared {
    clock: Option<SampleClock>,
    xruns: usize,
    failure: Option<anyhow::Error>,
}

impl Desk {
    fn run(mut self, stop: &AtomicBool) -> Fared {
        let recorded = self.record(stop);
        let clock = self.opened.opened();
        let told = self.taps.iter_mut().map(|tap| tap.finish(clock.as_ref())).collect::<anyhow::Result<Vec<()>>>();
        Fared { clock, xruns: self.all.status().jumps.len(), failure: recorded.err().or(told.err()) }
    }

    fn record(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let (mut recorded, mut placed, mut samples) = (Vec::new(), Placed::default(), Vec::new());
        loop {
            thread::sleep(TICK);
            let now = self.clock.now();
            if stop.load(Ordering::Relaxed) {
                self.ended.get_or_insert(now);
            }
            let gone = self.look(now).err();
            let status = self.all.status();
            loop {
                let first = self.all.read(&mut recorded);
                if recorded.is_empty() {
                    break;
                }
                self.pick_up(&recorded, &status);
                placed.push(first, &recorded, self.all.channels());
            }
            while self.open(now)? {
                let first = placed.take(&status, &mut samples);
                if samples.is_empty() {
                    break;
                }
                self.take(first, &samples, &placed.cuts())?;
            }
            if let Some(gone) = gone {
                return Err(gone);
            }
            if self.ended.is_some_and(|ended| now - ended > SETTLES) {
                return Ok(());
            }
        }
    }

    /// Looks at all that plays, and whether all is still there.
    fn look(&mut self, now: RunTime) -> anyhow::Result<()> {
        let recording = self.all.status();
        alive("recording", &recording, now)?;
        let playing = self.playing.status();
        alive("playing", &playing, now)?;
        if self.clients == Clients::Theirs && self.opened.opened().is_some() {
            self.opened.look(&recording, now);
        } else {
            self.steering.look(&playing, now, Nanos::ZERO);
        }
        Ok(())
    }

    /// Whether the ears are open: once enough is known of the bus's clock, by which everything is from then on.
    fn open(&mut self, now: RunTime) -> anyhow::Result<bool> {
        if self.opened.opened().is_none()
            && self.all.status().start().is_some_and(|start| now - start > OPENS_AFTER)
            && let Some(timeline) = self.all.timeline()
        {
            for tap in &mut self.taps {
                kept(tap.records.event(timeline.clock.start, Event::EarOpened { clock: timeline.clock }))?;
            }
            self.opened.open(timeline.clock);
        }
        Ok(self.opened.opened().is_some())
    }

    /// Brings what was recorded of mouths to their clients, at once.
    fn pick_up(&mut self, recorded: &[f32], status: &StreamStatus) {
        let channels = self.all.channels();
        for tap in &mut self.taps {
            if let Some(pickup) = tap.mouth.as_mut().and_then(|mouth| mouth.pickup.as_mut()) {
                let own = recorded.iter().skip(usize::from(Layout::mouth(tap.party))).step_by(channels);
                pickup.record(own.copied(), status);
            }
        }
    }

    /// Keeps what was recorded of all channels.
    fn take(&mut self, first: MediaTime, samples: &[f32], cuts: &[Cut]) -> anyhow::Result<()> {
        let Some(clock) = self.opened.opened() else { return Ok(()) };
        let channels = self.all.channels();
        let of = |channel: u16| -> Vec<f32> {
            samples.iter().skip(usize::from(channel)).step_by(channels).copied().collect()
        };
        for tap in &mut self.taps {
            for &Cut { at, samples } in cuts {
                kept(tap.records.event(self.clock.now(), Event::EarCut { at, samples }))?;
            }
            kept(tap.records.ear(first, &of(Layout::ear(tap.party))))?;
            let sound = of(Layout::mouth(tap.party));
            tap.say(first, &sound, &clock)?;
        }
        Ok(())
    }
}

fn alive(what: &str, status: &StreamStatus, now: RunTime) -> anyhow::Result<()> {
    if status.ended {
        anyhow::bail!("the bus: the sound server ended the stream for {what}, as if it had been stopped");
    }
    if status.clock.is_none() && now.since_start() > PATIENCE {
        anyhow::bail!("the bus: the sound server takes the stream for {what} and does not run it");
    }
    Ok(())
}

fn kept(result: Result<(), KeepError>) -> anyhow::Result<()> {
    result.map_err(|error| anyhow::anyhow!("{error}"))
}

impl Tap {
    /// Takes what left the mouth; what was never recorded is silence.
    fn say(&mut self, first: MediaTime, sound: &[f32], clock: &SampleClock) -> anyhow::Result<()> {
        let Some(mouth) = &mut self.mouth else { return Ok(()) };
        let silence = vec![0.0; usize::try_from(first.0 - mouth.positions).unwrap_or(0)];
        let mut heard = Vec::new();
        for piece in [&silence[..], sound] {
            mouth.file.write(piece)?;
            mouth.positions += piece.len() as i64;
            heard.extend(mouth.hearing.as_mut().map(|hearing| hearing.push(piece)).unwrap_or_default());
        }
        self.tell(&heard, clock)?;
        self.tell_by_plan(clock)
    }

    /// A pilot's parts leave as they were planned; whoever has a client of ours is told so by that.
    fn tell_by_plan(&mut self, clock: &SampleClock) -> anyhow::Result<()> {
        let Some(mouth) = self.mouth.as_mut().filter(|mouth| mouth.hearing.is_none() && mouth.pickup.is_none()) else {
            return Ok(());
        };
        let until = clock.time(MediaTime(mouth.positions));
        let gone = mouth.planned.partition_point(|planned| planned.at < until);
        for Emission { beep, at } in mouth.planned.drain(..gone) {
            kept(self.records.event(at, Event::Sung { beep, at }))?;
        }
        Ok(())
    }

    fn tell(&mut self, heard: &[Detection], clock: &SampleClock) -> anyhow::Result<()> {
        let Some(mouth) = &self.mouth else { return Ok(()) };
        for beep in heard.iter().filter(|beep| beep.is_sure()) {
            let at = clock.time_at(beep.position);
            let planned = mouth.planned.iter().min_by_key(|planned| (planned.at - at).abs());
            if let Some(planned) = planned.filter(|planned| (planned.at - at).abs() < ON_PLAN) {
                kept(self.records.event(at, Event::Sung { beep: planned.beep, at }))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, clock: Option<&SampleClock>) -> anyhow::Result<()> {
        let hearing = self.mouth.as_mut().and_then(|mouth| mouth.hearing.take());
        if let (Some(hearing), Some(clock)) = (hearing, clock) {
            self.tell(&hearing.finish(), clock)?;
        }
        let Some(mouth) = self.mouth.take() else { return Ok(()) };
        mouth.file.finish().map(drop).with_context(|| format!("what {} said", self.name))
    }
}
