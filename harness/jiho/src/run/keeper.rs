//! Keeps what engines hand out: recordings, beeps sent, packets, changes of roles. One thread writes all of it
//! (`writer`), behind a queue: engines wait for the disk only while that is full, which is counted. Rows are on disk
//! about when they become known.

mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::signal::{Code, Emission, Family};
use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};

use self::writer::Writer;
use super::folder::Folder;
use super::watch::{Feed, Watch};
use crate::report::RunName;
use crate::report::run_json::Late;
use crate::report::seal::{Seals, Unopened};

/// How many notes may wait for the disk. An ear gives 100 in a second, and every packet sent or received one.
const QUEUE: usize = 16_384;

/// A participant, as far as its records need it.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The name in the room.
    pub name: String,
    /// Stage or audience.
    pub role: Role,
    /// What a speaker plays.
    pub programme: Option<(Code, Vec<Emission>)>,
    /// When a beep leaves is told as it does, by [`Event::Sung`], as it is sung on what is heard or played into a device;
    /// otherwise beeps leave as planned.
    pub told: bool,
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
    watch: Option<Watch>,
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
        run: RunName,
        started_unix_ns: i64,
        participants: Vec<Participant>,
    ) -> anyhow::Result<Self> {
        Self::start_watched(folder, run, started_unix_ns, participants, None)
    }

    /// As [`Keeper::start`], with somebody who watches what is kept.
    ///
    /// # Errors
    /// A file cannot be made there.
    pub(super) fn start_watched(
        folder: &Folder,
        run: RunName,
        started_unix_ns: i64,
        participants: Vec<Participant>,
        watched: Option<(Watch, Feed)>,
    ) -> anyhow::Result<Self> {
        let (notes, inbox) = sync_channel(QUEUE);
        let (watch, feed) = watched.unzip();
        let writer = Writer::new(folder, run, started_unix_ns, participants, feed)?;
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || writer.run(&inbox))
            .context("cannot start the thread that keeps recordings")?;
        Ok(Self { notes, stalls: Arc::default(), thread, watch })
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
            self.thread.join().unwrap_or_else(|_| anyhow::bail!("the thread that keeps recordings has panicked"));
        if let Some(watch) = self.watch {
            watch.finish();
        }
        Ok(Kept { stalls: self.stalls.load(Ordering::Relaxed), ..kept? })
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

#[cfg(test)]
mod tests {
    use jiho_analysis::units::{Rate, SampleClock};
    use jiho_proto::event::SentPacket;

    use super::*;
    use crate::report::emissions::EmissionRow;
    use crate::report::events::EventRow;
    use crate::report::table::Table;

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
            told: false,
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
        let keeper = Keeper::start(&folder, RunName::once("late"), 0, vec![ana()]).unwrap();
        let clock = SampleClock::new(RunTime(2_500_000_000), Rate::OPUS);
        keeper.records(0).event(clock.start, Event::MouthOpened { clock, ssrc: 1 }).unwrap();
        assert_eq!(keeper.finish().unwrap().late, [Late { name: "ana".to_owned(), beeps: 3 }]);
    }

    #[test]
    fn what_was_due_while_a_mouth_was_muted_is_not_counted_as_sent() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::create(temporary.path()).unwrap();
        let keeper = Keeper::start(&folder, RunName::once("muted"), 0, vec![ana()]).unwrap();
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
