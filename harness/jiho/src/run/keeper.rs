//! Keeps what engines hand out: recordings, beeps sent, packets, changes of roles. One thread writes all of it, behind a queue: engines
//! wait for the disk only while that is full, which is counted. Rows are on disk about when they become known.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::topology::drops::Direction;
use jiho_analysis::roles::Step;
use jiho_analysis::signal::{Code, Emission, Family};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::ear_file::EarFile;
use jiho_drivers::sidecar::Sidecar;
use jiho_proto::event::{Event, Playout, PlayoutAction, SentPacket, StepTaken};
use jiho_proto::records::{KeepError, Records};

use super::folder::Folder;
use super::unrecorded::Unrecorded;
use crate::report::drops::DropRow;
use crate::report::emissions::EmissionRow;
use crate::report::events::EventRow;
use crate::report::packets::{PacketRow, Tap};
use crate::report::relay::RelayRow;
use crate::report::run_json::Late;
use crate::report::seal::{Seals, Unopened};
use crate::report::table::Table;

/// How many notes may wait for the disk. An ear gives 100 in a second, and every packet sent or received one.
const QUEUE: usize = 16_384;
/// Tables are handed to the system when this much of a run has passed since the last time.
const FLUSH_EVERY: Nanos = Nanos::from_millis(500);

/// A participant, as far as its records need it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The name in the room.
    pub name: String,
    /// Stage or audience.
    pub role: Role,
    /// What a speaker plays.
    pub programme: Option<(Code, Vec<Emission>)>,
    /// It sings the programme on what it hears: when a beep was sung is told as it is sung.
    pub sings: bool,
    /// Its mouth opens in the middle of the run because it is meant to: it joins late or is promoted. What was due
    /// before was not to be sounded, and is no flaw.
    pub speaks_later: bool,
    /// In a sealed room without the key.
    pub keyless: bool,
    /// Bound of the error of its ear's and its mouth's clocks: nothing for virtual ones.
    pub clock_error: Nanos,
    /// What is kept of its ear.
    pub ear: Keep,
}

/// What is kept of an ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Its sound, and the packets that it received.
    Recording,
    /// Only where this family's time signals are in its sound, which is listened to as it plays.
    Detections(Family),
}

/// The thread that writes.
#[derive(Debug)]
pub struct Keeper {
    notes: SyncSender<Note>,
    stalls: Arc<AtomicU64>,
    thread: JoinHandle<anyhow::Result<Kept>>,
}

/// What was noted besides what is in files.
#[derive(Debug, Default)]
pub struct Kept {
    /// Who was let in.
    pub joined: Vec<String>,
    /// Whose part ended early, and why.
    pub failures: Vec<(String, String)>,
    /// Speakers whose first beeps were due before their mouths opened.
    pub late: Vec<Late>,
    /// What end-to-end encryption added to packets.
    pub seals: Seals,
    /// Who received packets that could not be opened.
    pub unopened: Vec<Unopened>,
    /// How often an engine had to wait because the queue was full. In virtual time that costs nothing.
    pub stalls: u64,
}

#[derive(Debug)]
enum Note {
    Ear(usize, MediaTime, Vec<f32>),
    Event(Author, RunTime, Event),
    End,
}

/// Whose event it is.
#[derive(Clone, Debug)]
enum Author {
    Participant(usize),
    /// Somebody who neither speaks nor hears, such as a relay: the name.
    Staff(Arc<str>),
}

impl Keeper {
    /// Begins to keep a run in its folder.
    ///
    /// # Errors
    /// A file cannot be made there.
    pub fn start(
        folder: &Folder,
        run_id: &str,
        started_unix_ns: i64,
        participants: Vec<Participant>,
    ) -> anyhow::Result<Self> {
        let (notes, inbox) = sync_channel(QUEUE);
        let writer = Writer {
            dir: folder.path().to_owned(),
            run_id: run_id.to_owned(),
            started_unix_ns,
            emissions: Table::create(&folder.emissions())?,
            packets: Table::create(&folder.packets())?,
            events: Table::create(&folder.events())?,
            relay: None,
            relay_path: folder.relay(),
            drops: None,
            drops_path: folder.drops(),
            talkers: BTreeMap::new(),
            flushed: RunTime::START,
            kept: Kept::default(),
            unrecorded: unrecorded(&participants),
            unrecorded_path: folder.unrecorded(),
            desks: participants.into_iter().map(Desk::new).collect(),
        };
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || writer.run(&inbox))
            .context("cannot start the thread that keeps recordings")?;
        Ok(Self { notes, stalls: Arc::default(), thread })
    }

    /// What the engine of a participant writes to.
    pub fn records(&self, participant: usize) -> Box<dyn Records> {
        self.pen(Author::Participant(participant))
    }

    /// What the engine of somebody writes to who neither speaks nor hears: a relay, or the moderator.
    pub fn staff(&self, name: &str) -> Box<dyn Records> {
        self.pen(Author::Staff(name.into()))
    }

    fn pen(&self, author: Author) -> Box<dyn Records> {
        Box::new(Pen { author, notes: self.notes.clone(), stalls: self.stalls.clone() })
    }

    /// Completes all files.
    ///
    /// # Errors
    /// Something could not be written; what was written before is kept.
    pub fn finish(self) -> anyhow::Result<Kept> {
        // If the thread has ended early, its result says why.
        let _ = self.notes.send(Note::End);
        let kept =
            self.thread.join().unwrap_or_else(|_| anyhow::bail!("the thread that keeps recordings has panicked"))?;
        Ok(Kept { stalls: self.stalls.load(Ordering::Relaxed), ..kept })
    }
}

struct Pen {
    author: Author,
    notes: SyncSender<Note>,
    stalls: Arc<AtomicU64>,
}

impl Pen {
    fn write(&self, note: Note) -> Result<(), KeepError> {
        let gone = || KeepError::from("the run's files cannot be written any more");
        match self.notes.try_send(note) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(_)) => Err(gone()),
            Err(TrySendError::Full(note)) => {
                self.stalls.fetch_add(1, Ordering::Relaxed);
                self.notes.send(note).map_err(|_| gone())
            }
        }
    }
}

impl Records for Pen {
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        match self.author {
            Author::Participant(who) => self.write(Note::Ear(who, first, samples.to_vec())),
            Author::Staff(_) => Ok(()),
        }
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        self.write(Note::Event(self.author.clone(), at, event))
    }
}

struct Writer {
    dir: PathBuf,
    run_id: String,
    started_unix_ns: i64,
    emissions: Table<EmissionRow>,
    packets: Table<PacketRow>,
    events: Table<EventRow>,
    /// Begun with the first row: most runs have none.
    relay: Option<Table<RelayRow>>,
    relay_path: PathBuf,
    /// Likewise.
    drops: Option<Table<DropRow>>,
    drops_path: PathBuf,
    /// Names of streams.
    talkers: BTreeMap<u32, String>,
    flushed: RunTime,
    kept: Kept,
    /// There if anybody is not recorded.
    unrecorded: Option<Unrecorded>,
    unrecorded_path: PathBuf,
    desks: Vec<Desk>,
}

/// One participant's part of the records.
struct Desk {
    who: Participant,
    ear: Option<Ear>,
    mouth: Option<SampleClock>,
    /// How many of the programme's beeps are over: sent, or due before the mouth opened.
    sent: usize,
    /// Packets that came, and how many of them could not be opened.
    received: u64,
    unopened: u64,
    /// Packets that its endpoint dropped on their way in, until their turn has come.
    not_let_in: Vec<DropRow>,
}

/// Listens for everybody's codes where nothing is recorded.
fn unrecorded(participants: &[Participant]) -> Option<Unrecorded> {
    let family = participants.iter().find_map(|who| match who.ear {
        Keep::Recording => None,
        Keep::Detections(family) => Some(family),
    })?;
    let codes: Vec<Code> = participants.iter().filter_map(|who| Some(who.programme.as_ref()?.0)).collect();
    Some(Unrecorded::new(family, &codes))
}

/// Where an ear's sound goes.
enum Ear {
    Recorded(Box<EarFile>),
    Unrecorded(usize),
}

impl Desk {
    fn new(who: Participant) -> Self {
        Self { who, ear: None, mouth: None, sent: 0, received: 0, unopened: 0, not_let_in: Vec::new() }
    }

    /// What was due while the mouth sent nothing was not sounded.
    fn skip_until(&mut self, resumed: MediaTime) {
        if let (Some(mouth), Some((_, emissions))) = (self.mouth, &self.who.programme) {
            let silent = emissions.partition_point(|emission| emission.at < mouth.time(resumed));
            self.sent = self.sent.max(silent);
        }
    }
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Note>) -> anyhow::Result<Kept> {
        let written = self.write_all(inbox);
        let closed = self.close();
        written.and(closed)?;
        if let Some(unrecorded) = self.unrecorded {
            unrecorded.write(&self.unrecorded_path)?;
        }
        let shut = self.desks.into_iter().filter(|desk| desk.unopened > 0);
        self.kept.unopened = shut
            .map(|desk| Unopened {
                name: desk.who.name,
                packets: desk.unopened,
                received: desk.received,
                keyless: desk.who.keyless,
            })
            .collect();
        Ok(self.kept)
    }

    fn write_all(&mut self, inbox: &Receiver<Note>) -> anyhow::Result<()> {
        while let Ok(note) = inbox.recv() {
            match note {
                Note::Ear(who, first, samples) => match &mut self.desks[who].ear {
                    Some(Ear::Recorded(file)) => file.write(first, &samples)?,
                    Some(Ear::Unrecorded(ear)) => {
                        if let Some(unrecorded) = &mut self.unrecorded {
                            unrecorded.push(*ear, first, &samples);
                        }
                    }
                    None => {}
                },
                Note::Event(author, at, event) => self.event(&author, at, event)?,
                Note::End => break,
            }
        }
        Ok(())
    }

    fn close(&mut self) -> anyhow::Result<()> {
        let mut closed = Ok(());
        for ear in self.desks.iter_mut().filter_map(|desk| desk.ear.take()) {
            if let Ear::Recorded(file) = ear {
                closed = closed.and(file.finish().map(drop).map_err(anyhow::Error::from));
            }
        }
        for row in self.desks.iter_mut().flat_map(|desk| std::mem::take(&mut desk.not_let_in)).collect::<Vec<_>>() {
            self.dropped(&row)?;
        }
        self.flush()?;
        closed
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        self.emissions.flush()?;
        self.packets.flush()?;
        self.relay.as_mut().map_or(Ok(()), Table::flush)?;
        self.drops.as_mut().map_or(Ok(()), Table::flush)?;
        Ok(self.events.flush()?)
    }

    fn event(&mut self, author: &Author, at: RunTime, event: Event) -> anyhow::Result<()> {
        let node = match author {
            Author::Participant(who) => &*self.desks[*who].who.name,
            Author::Staff(name) => name,
        };
        if let Some(row) = EventRow::of(&self.run_id, node, at.0, &event) {
            self.events.row(&row)?;
            // Few, and no packet may follow for long: between two paths nobody hears anything.
            self.events.flush()?;
        }
        match author {
            Author::Participant(who) => self.of_participant(*who, event)?,
            Author::Staff(name) => self.of_staff(name, event)?,
        }
        if at - self.flushed >= FLUSH_EVERY {
            self.flushed = at;
            self.flush()?;
        }
        Ok(())
    }

    /// What a command came to that was given in vain is as much a failure as somebody's early end.
    fn of_staff(&mut self, name: &str, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Relayed(packet) => {
                let speaker = self.talkers.get(&packet.ssrc).map_or("", String::as_str);
                let row = RelayRow::of(&self.run_id, name, speaker, &packet);
                let table = match &mut self.relay {
                    Some(table) => table,
                    None => self.relay.insert(Table::create(&self.relay_path)?),
                };
                table.row(&row)?;
            }
            Event::Failed { reason } => self.kept.failures.push((name.to_owned(), reason)),
            Event::Step(StepTaken { change, subject, step: Step::Failed, detail, .. }) => {
                let reason = format!("{} {subject}: {detail}", change.name());
                self.kept.failures.push((name.to_owned(), reason));
            }
            _ => {}
        }
        Ok(())
    }

    fn of_participant(&mut self, who: usize, event: Event) -> anyhow::Result<()> {
        let desk = &mut self.desks[who];
        match event {
            Event::Joined => self.kept.joined.push(desk.who.name.clone()),
            Event::Failed { reason } => self.kept.failures.push((desk.who.name.clone(), reason)),
            Event::EarOpened { clock } => {
                let sidecar = Sidecar {
                    start_error: desk.who.clock_error,
                    ..Sidecar::new(&desk.who.name, desk.who.role, clock, self.started_unix_ns)
                };
                desk.ear = Some(match &mut self.unrecorded {
                    Some(unrecorded) if desk.who.ear != Keep::Recording => Ear::Unrecorded(unrecorded.open(sidecar)),
                    _ => Ear::Recorded(Box::new(EarFile::open(&self.dir, sidecar)?)),
                });
            }
            Event::MouthOpened { clock, ssrc } => {
                desk.mouth = Some(clock);
                // What was due before could not be sounded.
                if let Some((_, emissions)) = &desk.who.programme {
                    desk.sent = emissions.partition_point(|emission| emission.at < clock.start);
                    if desk.sent > 0 && !desk.who.speaks_later && !desk.who.sings {
                        self.kept.late.push(Late { name: desk.who.name.clone(), beeps: desk.sent });
                    }
                }
                self.talkers.insert(ssrc, desk.who.name.clone());
            }
            Event::Talker { name, ssrc } => {
                self.talkers.insert(ssrc, name);
            }
            Event::Sent(packet) => self.sent(who, &packet)?,
            Event::Sung { beep, at } => self.sung(who, Emission { beep, at })?,
            Event::Playout(playout) => self.received(who, &playout)?,
            Event::Dropped(packet) => {
                let row = DropRow::of(&self.run_id, &desk.who.name, &packet);
                match packet.direction {
                    // What stands in for it has still to be played.
                    Direction::In => desk.not_let_in.push(row),
                    Direction::Out => self.dropped(&row)?,
                }
            }
            Event::MouthResumed { from } => desk.skip_until(from),
            Event::MouthPaused | Event::Step(_) => {}
            // Said by relays.
            Event::Admitted { .. } | Event::Left { .. } | Event::Refused { .. } | Event::Relayed(_) => {}
        }
        Ok(())
    }

    fn sent(&mut self, who: usize, packet: &SentPacket) -> anyhow::Result<()> {
        self.kept.seals.note(packet.size_bytes, packet.seal_bytes);
        self.packets.row(&PacketRow {
            run_id: self.run_id.clone(),
            rep: 1,
            endpoint: self.desks[who].who.name.clone(),
            tap: Tap::Sent,
            speaker: self.desks[who].who.name.clone(),
            ssrc: packet.ssrc,
            sequence: packet.sequence,
            media_time: Some(packet.media_time.0),
            size_bytes: Some(packet.size_bytes),
            at_ns: Some(packet.captured.0),
            played_ns: None,
            action: None,
            toc: packet.toc,
            decision: None,
            step_samples: None,
            target_ns: None,
            seal_bytes: Some(packet.seal_bytes),
        })?;
        let desk = &mut self.desks[who];
        let (Some((_, emissions)), false) = (&desk.who.programme, desk.who.sings) else { return Ok(()) };
        let gone = emissions[desk.sent..].iter().take_while(|emission| emission.at <= packet.captured);
        let gone: Vec<Emission> = gone.copied().collect();
        desk.sent += gone.len();
        // A virtual mouth renders a beep at its very instant, between samples if need be.
        gone.into_iter().try_for_each(|emission| self.emission(who, emission, emission.at))
    }

    /// The song has the beat's plan.
    fn sung(&mut self, who: usize, sung: Emission) -> anyhow::Result<()> {
        let song = self.desks[who].who.programme.as_ref().map(|(_, emissions)| emissions);
        let planned = song.and_then(|song| song.iter().find(|emission| emission.beep == sung.beep));
        match planned {
            Some(&planned) => self.emission(who, planned, sung.at),
            None => Ok(()),
        }
    }

    /// A beep that left a mouth.
    fn emission(&mut self, who: usize, planned: Emission, sent: RunTime) -> anyhow::Result<()> {
        let Desk { who: Participant { name, programme, clock_error, .. }, mouth, .. } = &self.desks[who];
        let (Some(mouth), Some((code, _))) = (mouth, programme) else { return Ok(()) };
        Ok(self.emissions.row(&EmissionRow {
            run_id: self.run_id.clone(),
            rep: 1,
            speaker: name.clone(),
            beep: planned.beep,
            code: *code,
            planned_ns: planned.at.0,
            sent_ns: sent.0,
            sent_error_ns: clock_error.0,
            media_time: mouth.first_sample_from(sent).0,
        })?)
    }

    fn dropped(&mut self, row: &DropRow) -> anyhow::Result<()> {
        let table = match &mut self.drops {
            Some(table) => table,
            None => self.drops.insert(Table::create(&self.drops_path)?),
        };
        Ok(table.row(row)?)
    }

    fn received(&mut self, who: usize, playout: &Playout) -> anyhow::Result<()> {
        let own = |row: &mut DropRow| (row.ssrc, row.sequence) == (playout.ssrc, playout.sequence);
        let stood_in_for = self.desks[who].not_let_in.extract_if(.., own).next();
        if let Some(mut row) = stood_in_for {
            row.played_ns = playout.played.map(|at| at.0);
            self.dropped(&row)?;
        }
        self.desks[who].received += u64::from(playout.received.is_some());
        self.desks[who].unopened += u64::from(playout.action == PlayoutAction::Sealed);
        if self.desks[who].who.ear != Keep::Recording {
            return Ok(());
        }
        self.packets.row(&PacketRow {
            run_id: self.run_id.clone(),
            rep: 1,
            endpoint: self.desks[who].who.name.clone(),
            tap: Tap::Received,
            speaker: self.talkers.get(&playout.ssrc).cloned().unwrap_or_default(),
            ssrc: playout.ssrc,
            sequence: playout.sequence,
            media_time: None,
            size_bytes: playout.size_bytes,
            at_ns: playout.received.map(|at| at.0),
            played_ns: playout.played.map(|at| at.0),
            action: Some(playout.action),
            toc: None,
            decision: playout.decision,
            step_samples: playout.decision.map(|_| playout.step_samples),
            target_ns: playout.target.map(|target| target.0),
            seal_bytes: None,
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::units::Rate;

    use super::*;

    #[test]
    fn a_full_queue_makes_an_engine_wait_and_is_counted() {
        let (notes, inbox) = sync_channel(1);
        let stalls = Arc::default();
        let pen = Pen { author: Author::Participant(0), notes, stalls: Arc::clone(&stalls) };
        pen.write(Note::End).unwrap();
        let disk = thread::spawn({
            let stalls = Arc::clone(&stalls);
            move || {
                while stalls.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                inbox.iter().take(2).count()
            }
        });
        pen.write(Note::End).unwrap();
        assert_eq!((disk.join().unwrap(), stalls.load(Ordering::Relaxed)), (2, 1));
        assert!(pen.write(Note::End).is_err(), "nobody writes any more");
    }

    /// A speaker with a beep in each of five seconds.
    fn ana() -> Participant {
        let beep = |beep: u32| Emission { beep, at: RunTime::START + Nanos::from_secs(beep.into()) };
        Participant {
            name: "ana".to_owned(),
            role: Role::Speaker,
            programme: Some((Code::new(0).unwrap(), (0..5).map(beep).collect())),
            sings: false,
            speaks_later: false,
            keyless: false,
            clock_error: Nanos::ZERO,
            ear: Keep::Recording,
        }
    }

    #[test]
    fn beeps_that_were_due_before_the_mouth_opened_are_counted() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::create(temporary.path()).unwrap();
        let keeper = Keeper::start(&folder, "late", 0, vec![ana()]).unwrap();
        let clock = SampleClock::new(RunTime(2_500_000_000), Rate::OPUS);
        keeper.records(0).event(clock.start, Event::MouthOpened { clock, ssrc: 1 }).unwrap();
        assert_eq!(keeper.finish().unwrap().late, [Late { name: "ana".to_owned(), beeps: 3 }]);
    }

    #[test]
    fn what_was_due_while_a_mouth_was_muted_is_not_counted_as_sent() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::create(temporary.path()).unwrap();
        let keeper = Keeper::start(&folder, "muted", 0, vec![ana()]).unwrap();
        let clock = SampleClock::new(RunTime::START, Rate::OPUS);
        let mut records = keeper.records(0);
        let mut note = |millis, event| records.event(RunTime::START + Nanos::from_millis(millis), event).unwrap();
        let sent = |second: i64| {
            let captured = RunTime::START + Nanos::from_millis(second * 1000 + 20);
            Event::Sent(SentPacket {
                ssrc: 1,
                sequence: 0,
                media_time: MediaTime(second * 48_000),
                captured,
                size_bytes: 80,
                toc: None,
                seal_bytes: 0,
            })
        };
        note(0, Event::MouthOpened { clock, ssrc: 1 });
        note(1020, sent(1));
        note(1500, Event::MouthPaused);
        note(3500, Event::MouthResumed { from: MediaTime(168_000) });
        note(4020, sent(4));
        keeper.finish().unwrap();
        let beeps = Table::<EmissionRow>::read(&folder.emissions()).unwrap();
        assert_eq!(beeps.iter().map(|row| row.beep).collect::<Vec<_>>(), [0, 1, 4]);
        let events = Table::<EventRow>::read(&folder.events()).unwrap();
        assert_eq!(events.iter().map(|row| row.at_ns / 1_000_000).collect::<Vec<_>>(), [0, 1500, 3500]);
    }
}
