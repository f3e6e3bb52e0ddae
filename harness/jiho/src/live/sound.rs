//! A sound device in place of a room's stream: plays a time signal into it, or records it.

use std::path::PathBuf;
use std::time::Duration;

use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::{Code, Signal};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::steering::Steering;
use jiho_drivers::device::{Channels, Cut, DEFAULT_BUFFER_FRAMES, Placed, Source, StreamRequest, StreamStatus, system};
use jiho_proto::event::Event;
use jiho_proto::records::Records;

use super::host_clock::HostClock;
use super::presence::Presence;
use super::record::Record;
pub use super::record::Stayed;
use super::stall::Stall;
use super::{beats, interrupt, say};
use crate::report::emissions::EmissionRow;
use crate::report::table::Table;
use crate::run::interrupt::Interrupt;
use crate::run::keeper::{Keep, Keeper, Kept, Participant};

/// How often the device's state is looked at, and what was recorded is fetched.
pub(super) const TICK: Duration = Duration::from_millis(20);
/// An assumption: devices that were not calibrated place their first sample this well.
const START_ERROR: Nanos = Nanos::from_millis(10);
/// A device that has not started by then never will.
const PATIENCE: Nanos = Nanos::from_secs(3);

/// Which device, and for how long.
#[derive(Clone, Debug)]
pub struct Sound {
    /// As `jiho device list` has it; `None`: the system's default.
    pub device: Option<String>,
    /// Of its beeps or its recording.
    pub name: String,
    /// Samples per second.
    pub rate: Rate,
    /// From its start to its end.
    pub duration: Nanos,
    /// The folder to make.
    pub out: PathBuf,
}

/// When beeps are to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// As if the device began at once: late by as much as it takes to begin.
    FromStart,
    /// At their instants of the host's wall clock, so that speakers at several hosts sound together.
    AtWallClock,
}

/// Plays a time signal, and notes when each beep left.
///
/// # Errors
/// The device cannot be used, or ends by itself; or a file cannot be written.
pub fn play(sound: &Sound, signal: &Signal, code: Code, beat: Beat) -> anyhow::Result<Stayed> {
    crate::run::block_on(async {
        let interrupt = interrupt();
        let record = Record::begin(&sound.out, &sound.name, "device", None, Some(signal.family))?;
        let played = play_into(sound, signal, code, beat, &record, &interrupt).await;
        finish(record, played, "played")
    })
}

/// Records, as a listener's ear.
///
/// # Errors
/// The device cannot be used, or ends by itself; or a file cannot be written.
pub fn record(sound: &Sound) -> anyhow::Result<Stayed> {
    crate::run::block_on(async {
        let interrupt = interrupt();
        let record = Record::begin(&sound.out, &sound.name, "device", None, None)?;
        let recorded = record_from(sound, &record, &interrupt).await;
        finish(record, recorded.map(|()| 0), "recorded")
    })
}

fn finish(record: Record, done: anyhow::Result<usize>, what: &str) -> anyhow::Result<Stayed> {
    let lasted = record.clock.now().since_start();
    let begun = record.folder.has_sound();
    match done {
        Ok(beeps) => Ok(Stayed { folder: record.finish(&[], &Kept::default(), None)?, lasted, beeps }),
        Err(error) if begun => {
            let folder = record.finish(&[], &Kept::default(), Some(error.to_string()))?;
            Err(error.context(format!("ended early; what was {what} is in {}", folder.path().display())))
        }
        Err(error) => {
            record.folder.discard()?;
            Err(error)
        }
    }
}

async fn play_into(
    sound: &Sound,
    signal: &Signal,
    code: Code,
    beat: Beat,
    record: &Record,
    interrupt: &Interrupt,
) -> anyhow::Result<usize> {
    let end = RunTime::START + sound.duration;
    let programme = beats::programme(signal, code, record.clock.started_unix_ns(), end)?;
    let before_mark = programme.waveform().before_mark();
    let emissions = programme.emissions().to_vec();
    let mut table = Table::create(&record.folder.emissions())?;
    // When the device begins is known only afterwards: without the wall clock beeps are rendered as if it began at once, and
    // noted as it did.
    let assumed = SampleClock::new(record.clock.now(), sound.rate);
    let (mut steering, source, clock_error): (Option<Steering>, Source, Nanos) = match beat {
        Beat::FromStart => {
            let render = move |first, samples: &mut [f32]| programme.render(&assumed, first, samples);
            (None, Box::new(render), Nanos::ZERO)
        }
        Beat::AtWallClock => {
            let host = HostClock::ask();
            say(&host.described());
            let mut steering = Steering::default();
            let source = steering.source(programme);
            (Some(steering), source, host.error.unwrap_or_default())
        }
    };
    let mut stream = system().play(&request(sound, record.clock), source)?;
    let mut gone = 0;
    let mut beeps = 0;
    let mut watch = Watch::of(sound.device.as_ref());
    while record.clock.now() < end && !interrupt.wanted() {
        tokio::time::sleep(TICK).await;
        let status = stream.status();
        let Some(start) = watch.look(&status, record.clock.now())? else { continue };
        let ahead = record.clock.wall_ahead();
        if let Some(steering) = &mut steering {
            steering.look(&status, record.clock.now(), ahead);
        }
        let sent = |at: RunTime| match beat {
            Beat::AtWallClock => at - ahead,
            Beat::FromStart => {
                // Silence that the device put in has made later beeps later.
                let count = assumed.first_sample_from(at);
                let put_in: i64 =
                    status.jumps.iter().take_while(|jump| jump.at <= count).map(|jump| jump.samples).sum();
                at + (start - assumed.start) + sound.rate.span(put_in)
            }
        };
        let due = emissions[gone..].iter().take_while(|emission| sent(emission.at) <= record.clock.now());
        for emission in due {
            gone += 1;
            if steering.as_ref().is_some_and(|steering| !steering.plays(sent(emission.at) - before_mark)) {
                continue;
            }
            beeps += 1;
            table.row(&EmissionRow {
                run_id: record.run.run_id.clone(),
                rep: 1,
                speaker: sound.name.clone(),
                beep: emission.beep,
                code,
                planned_ns: emission.at.0,
                sent_ns: sent(emission.at).0,
                sent_error_ns: (START_ERROR + clock_error).0,
                media_time: assumed.first_sample_from(emission.at).0,
            })?;
        }
        table.flush()?;
    }
    Ok(beeps)
}

async fn record_from(sound: &Sound, record: &Record, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut stream = system().record(&request(sound, record.clock))?;
    let ear = Participant {
        name: sound.name.clone(),
        role: Role::Listener,
        programme: None,
        told: false,
        speaks_later: false,
        keyless: false,
        clock_error: START_ERROR,
        ear: Keep::Recording,
    };
    let keeper = Keeper::start(&record.folder, record.run.name(), record.clock.started_unix_ns(), vec![ear])?;
    let recorded = fetch(sound, record, interrupt, stream.as_mut(), &keeper).await;
    drop(stream);
    keeper.finish()?;
    recorded
}

async fn fetch(
    sound: &Sound,
    record: &Record,
    interrupt: &Interrupt,
    stream: &mut dyn jiho_drivers::device::Capturing,
    keeper: &Keeper,
) -> anyhow::Result<()> {
    let end = RunTime::START + sound.duration;
    let mut records = keeper.records(0);
    let kept = |result: Result<(), jiho_proto::records::KeepError>| result.map_err(|e| anyhow::anyhow!("{e}"));
    let mut watch = Watch::of(sound.device.as_ref());
    let mut opened = false;
    let (mut placed, mut samples, mut mono) = (Placed::default(), Vec::new(), Vec::new());
    let channels = stream.channels();
    let mut keep = |records: &mut dyn Records, first: MediaTime, samples: &[f32], cuts: Vec<Cut>| {
        for Cut { at, samples } in cuts {
            kept(records.event(record.clock.now(), Event::EarCut { at, samples }))?;
        }
        mono.clear();
        mono.extend(samples.iter().step_by(channels));
        kept(records.ear(first, &mono))
    };
    let ended = loop {
        if record.clock.now() >= end || interrupt.wanted() {
            break Ok(());
        }
        tokio::time::sleep(TICK).await;
        let start = match watch.look(&stream.status(), record.clock.now()) {
            Ok(Some(start)) => start,
            Ok(None) => continue,
            Err(error) => break Err(error),
        };
        if !opened {
            opened = true;
            let clock = SampleClock::new(start, sound.rate);
            kept(records.event(start, Event::EarOpened { clock }))?;
        }
        let mut first = stream.read_placed(&mut placed, &mut samples);
        // A device that runs faster than time must not go on for ever.
        while !samples.is_empty() && record.clock.now() < end {
            keep(records.as_mut(), first, &samples, placed.cuts())?;
            first = stream.read_placed(&mut placed, &mut samples);
        }
    };
    if opened {
        // What has come since, and what waited for stamps that will not come.
        let mut first = stream.read_placed(&mut placed, &mut samples);
        let status = stream.status();
        loop {
            if samples.is_empty() {
                first = placed.take_rest(&status, &mut samples);
            }
            if samples.is_empty() {
                break;
            }
            keep(records.as_mut(), first, &samples, placed.cuts())?;
            samples.clear();
        }
    }
    ended
}

pub(super) fn request(sound: &Sound, clock: RunClock) -> StreamRequest {
    StreamRequest {
        device: sound.device.clone(),
        rate: sound.rate,
        buffer_frames: DEFAULT_BUFFER_FRAMES,
        channels: Channels::Fewest,
        only: None,
        clock,
    }
}

/// Says once when a device begins, and each time that it stumbles.
#[derive(Default)]
pub(super) struct Watch {
    /// `None`: the system's default.
    device: Option<String>,
    started: bool,
    stall: Stall,
    presence: Presence,
    /// By its own word, and by its stamps.
    stumbled: (u64, usize),
}

impl Watch {
    /// Of a device, which errors name.
    pub(super) fn of(device: Option<&String>) -> Self {
        Self { device: device.cloned(), presence: Presence::of(device), ..Self::default() }
    }

    fn name(&self) -> String {
        self.device.as_ref().map_or_else(|| "the default sound device".to_owned(), |id| format!("sound device {id}"))
    }

    /// When the device's sample 0 was, once it is known.
    pub(super) fn look(&mut self, status: &StreamStatus, now: RunTime) -> anyhow::Result<Option<RunTime>> {
        if status.ended {
            anyhow::bail!("{}: ended the stream; is it still connected, and does its sound server run?", self.name());
        }
        if status.start().is_none() && now.since_start() > PATIENCE {
            anyhow::bail!("{}: takes the stream and does not run it: try another one or another rate", self.name());
        }
        if self.stall.look(status, now) {
            anyhow::bail!("{}: stands still; is it still connected, and does its sound server run?", self.name());
        }
        if self.presence.is_over(now) {
            anyhow::bail!(
                "{}: has gone; is it still connected? (its sound server may go on with another device)",
                self.name()
            );
        }
        if status.start().is_some() && !self.started {
            self.started = true;
            say("the sound device runs");
        }
        let stumbled = (status.xruns, status.jumps.len());
        if stumbled != self.stumbled {
            say(&format!(
                "the sound device dropped out: {} times so far by its own word, {} by its stamps",
                stumbled.0, stumbled.1
            ));
            self.stumbled = stumbled;
        }
        Ok(status.start())
    }
}
