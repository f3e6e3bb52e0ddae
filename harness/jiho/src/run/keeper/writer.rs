//! Writes what is noted, row by row: the thread behind the keeper's queue. It alone knows the tables, and how far each
//! participant's part of them has got.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use jiho_analysis::metrics::topology::drops::Direction;
use jiho_analysis::roles::Step;
use jiho_analysis::signal::{Code, Emission};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::ear_file::EarFile;
use jiho_drivers::sidecar::Sidecar;
use jiho_proto::event::{Event, Playout, PlayoutAction, SentPacket, StepTaken};

use super::{Author, Keep, Kept, Note, Participant};
use crate::report::RunName;
use crate::report::drops::DropRow;
use crate::report::emissions::EmissionRow;
use crate::report::events::EventRow;
use crate::report::packets::{PacketRow, Tap};
use crate::report::relay::RelayRow;
use crate::report::run_json::Late;
use crate::report::seal::Unopened;
use crate::report::table::Table;
use crate::run::folder::Folder;
use crate::run::unrecorded::Unrecorded;
use crate::run::watch::Feed;

/// Tables are handed to the system when this much of a run has passed since the last time.
const FLUSH_EVERY: Nanos = Nanos::from_millis(500);

pub(super) struct Writer {
    dir: PathBuf,
    run: RunName,
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
    /// Whoever watches.
    feed: Option<Feed>,
}

/// One participant's part of the records.
struct Desk {
    who: Participant,
    ear: Option<Ear>,
    mouth: Option<SampleClock>,
    /// From when until when the mouth sent nothing.
    pauses: Vec<(RunTime, Option<RunTime>)>,
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
        Self {
            who,
            ear: None,
            mouth: None,
            pauses: Vec::new(),
            sent: 0,
            received: 0,
            unopened: 0,
            not_let_in: Vec::new(),
        }
    }

    /// What was due while the mouth sent nothing was not sounded.
    fn resume(&mut self, from: MediaTime) {
        let Some(resumed) = self.mouth.map(|mouth| mouth.time(from)) else { return };
        if let Some((_, emissions)) = &self.who.programme {
            self.sent = self.sent.max(emissions.partition_point(|emission| emission.at < resumed));
        }
        if let Some((_, until)) = self.pauses.last_mut() {
            *until = Some(resumed);
        }
    }

    /// Whether the mouth was open then.
    fn speaks(&self, at: RunTime) -> bool {
        let pauses = |(from, until): &(RunTime, Option<RunTime>)| *from <= at && until.is_none_or(|until| at < until);
        self.mouth.is_some_and(|mouth| mouth.start <= at) && !self.pauses.iter().any(pauses)
    }
}

impl Writer {
    pub(super) fn new(
        folder: &Folder,
        run: RunName,
        started_unix_ns: i64,
        participants: Vec<Participant>,
        feed: Option<Feed>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            dir: folder.path().to_owned(),
            run,
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
            feed,
        })
    }

    pub(super) fn run(mut self, inbox: &Receiver<Note>) -> anyhow::Result<Kept> {
        let written = self.write_all(inbox);
        let unrecorded_ears: Vec<(usize, usize)> = (self.desks.iter().enumerate())
            .filter_map(|(who, desk)| if let Some(Ear::Unrecorded(ear)) = desk.ear { Some((who, ear)) } else { None })
            .collect();
        let closed = self.close();
        written.and(closed)?;
        if let Some(unrecorded) = self.unrecorded {
            let mut last = unrecorded.write(&self.unrecorded_path)?;
            for (who, ear) in unrecorded_ears {
                let (found, end) = std::mem::take(&mut last[ear]);
                if let Some(feed) = &self.feed {
                    feed.detected(who, found, end);
                }
            }
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
                Note::Ear(who, first, samples) => self.heard(who, first, samples)?,
                Note::Event(author, at, event) => self.event(&author, at, event)?,
                Note::End => break,
            }
        }
        Ok(())
    }

    fn heard(&mut self, who: usize, first: MediaTime, samples: Vec<f32>) -> anyhow::Result<()> {
        match (&mut self.desks[who].ear, &mut self.unrecorded) {
            (Some(Ear::Recorded(file)), _) => {
                file.write(first, &samples)?;
                if let Some(feed) = &self.feed {
                    feed.sound(who, first, samples);
                }
            }
            (Some(Ear::Unrecorded(ear)), Some(unrecorded)) => {
                let found = unrecorded.push(*ear, first, &samples);
                if let (Some(feed), Some((found, settled))) = (&self.feed, found) {
                    feed.detected(who, found, settled);
                }
            }
            _ => {}
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
        if let Some(row) = EventRow::of(&self.run, node, at.0, &event) {
            self.events.row(&row)?;
            // Few, and no packet may follow for long: between two paths nobody hears anything.
            self.events.flush()?;
        }
        if let Some(feed) = &mut self.feed {
            feed.event(node, at, &event);
        }
        match author {
            Author::Participant(who) => self.of_participant(*who, at, event)?,
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
                let row = RelayRow::of(&self.run, name, speaker, &packet);
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

    fn of_participant(&mut self, who: usize, at: RunTime, event: Event) -> anyhow::Result<()> {
        let desk = &mut self.desks[who];
        match event {
            Event::Joined => self.kept.joined.push(desk.who.name.clone()),
            Event::Failed { reason } => self.kept.failures.push((desk.who.name.clone(), reason)),
            Event::EarOpened { clock } => {
                let sidecar = Sidecar {
                    start_error: desk.who.clock_error,
                    ..Sidecar::new(&desk.who.name, desk.who.role, clock, self.started_unix_ns)
                };
                if let Some(feed) = &self.feed {
                    feed.ear_opened(who, clock);
                }
                desk.ear = Some(match &mut self.unrecorded {
                    Some(unrecorded) if desk.who.ear != Keep::Recording => Ear::Unrecorded(unrecorded.open(sidecar)),
                    _ => Ear::Recorded(Box::new(EarFile::open(&self.dir, sidecar)?)),
                });
            }
            Event::EarCut { at, samples } => {
                if let Some(Ear::Recorded(file)) = &mut desk.ear {
                    file.cut(at, samples);
                }
            }
            Event::MouthOpened { clock, ssrc } => {
                desk.mouth = Some(clock);
                // What was due before could not be sounded.
                if let Some((_, emissions)) = &desk.who.programme {
                    desk.sent = emissions.partition_point(|emission| emission.at < clock.start);
                    if desk.sent > 0 && !desk.who.speaks_later && !desk.who.told {
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
                let row = DropRow::of(&self.run, &desk.who.name, &packet);
                match packet.direction {
                    // What stands in for it has still to be played.
                    Direction::In => desk.not_let_in.push(row),
                    Direction::Out => self.dropped(&row)?,
                }
            }
            Event::MouthResumed { from } => desk.resume(from),
            Event::MouthPaused => desk.pauses.push((at, None)),
            Event::Step(_) => {}
            // Said by relays.
            Event::Admitted { .. } | Event::Left { .. } | Event::Refused { .. } | Event::Relayed(_) => {}
        }
        Ok(())
    }

    fn sent(&mut self, who: usize, packet: &SentPacket) -> anyhow::Result<()> {
        self.kept.seals.note(packet.size_bytes, packet.seal_bytes);
        self.packets.row(&PacketRow {
            run_id: self.run.run_id.clone(),
            rep: self.run.rep,
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
        let (Some((_, emissions)), false) = (&desk.who.programme, desk.who.told) else { return Ok(()) };
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
            Some(&planned) if self.desks[who].speaks(sung.at) => self.emission(who, planned, sung.at),
            _ => Ok(()),
        }
    }

    /// A beep that left a mouth.
    fn emission(&mut self, who: usize, planned: Emission, sent: RunTime) -> anyhow::Result<()> {
        let Desk { who: Participant { name, programme, clock_error, .. }, mouth, .. } = &self.desks[who];
        let (Some(mouth), Some((code, _))) = (mouth, programme) else { return Ok(()) };
        if let Some(feed) = &self.feed {
            feed.sent(who, Emission { beep: planned.beep, at: sent });
        }
        Ok(self.emissions.row(&EmissionRow {
            run_id: self.run.run_id.clone(),
            rep: self.run.rep,
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
            run_id: self.run.run_id.clone(),
            rep: self.run.rep,
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
