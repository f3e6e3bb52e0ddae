//! What a run's role changes did to sound: events and packets from its folder, pilots from its recordings.

use std::collections::BTreeMap;
use std::ops::Range;

use jiho_analysis::arrivals::{Reason, Role};
use jiho_analysis::metrics::{
    Gap, Hearing, PairDelays, PlayedFrame, Relation, RoleChange, Spoken, Stack, Taken, gaps, role_changes, stack,
};
use jiho_analysis::roles::Change;
use jiho_analysis::signal::Pilot;
use jiho_analysis::track::began;
use jiho_analysis::units::{Nanos, Rate, RunTime};
use jiho_proto::codec::FRAME_SAMPLES;
use jiho_proto::event::PlayoutAction;

use super::folder::Folder;
use super::measure::{PairHeard, RecorderHeard, SpeakerSent};
use crate::report::events::{EventRow, Kind};
use crate::report::packets::{PacketRow, Tap};
use crate::report::table::{Table, TableError};

/// What role changes did.
#[derive(Debug, Default)]
pub struct Changes {
    /// All of them, in order of their commands, with the subject's role before and after.
    pub changes: Vec<(RoleChange, [Option<Role>; 2])>,
    /// What each did to each speaker's sound at each ear, and what that is made of.
    pub gaps: Vec<(Gap, Option<Stack>)>,
}

/// A mark nearer than this to where a pilot breaks off may be missing, too.
const AROUND_A_MARK: Nanos = Nanos::from_millis(25);
/// The name under which relays announce a mix.
const MIX: &str = "mix";

/// What the events and packets of folders say.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    taken: Vec<Taken>,
    spoken: BTreeMap<String, Spoken>,
    /// Of mouths: from when on their sound was for the room, or was not.
    opened: BTreeMap<String, Vec<(RunTime, bool)>>,
    /// By recorder and speaker.
    played: BTreeMap<(String, String), Vec<PlayedFrame>>,
}

impl Stamps {
    /// Adds a folder's, with its run times moved by `shift`. A file that is not there says nothing.
    pub(super) fn add(&mut self, folder: &Folder, shift: Nanos) -> Result<(), TableError> {
        let time = |ns| RunTime(ns) + shift;
        if folder.events().exists() {
            for row in Table::<EventRow>::read(&folder.events())? {
                let opens = match row.event {
                    Kind::MouthResumed | Kind::MouthOpened => Some(true),
                    Kind::MouthPaused => Some(false),
                    _ => None,
                };
                if let Some(opens) = opens {
                    self.opened.entry(row.node.clone()).or_default().push((time(row.at_ns), opens));
                }
                let (Some(change), Some(step)) = (row.event.change(), row.step) else { continue };
                let EventRow { node, subject, change: number, detail, .. } = row;
                self.taken.push(Taken { at: time(row.at_ns), node, number, change, subject, step, detail });
            }
        }
        if folder.packets().exists() {
            for row in Table::<PacketRow>::read(&folder.packets())? {
                match (row.tap, row.at_ns, row.played_ns) {
                    (Tap::Sent, Some(captured), _) => self.spoke(row.speaker, time(captured)),
                    (Tap::Received, Some(received), Some(played)) if row.action == Some(PlayoutAction::Played) => {
                        let frame = PlayedFrame { received: time(received), played: time(played) };
                        self.played.entry((row.endpoint, row.speaker)).or_default().push(frame);
                    }
                    _ => {}
                }
            }
        }
        self.played.values_mut().for_each(|frames| frames.sort_by_key(|frame| frame.played));
        Ok(())
    }

    /// A frame of which the last sample was captured then has been sent.
    fn spoke(&mut self, speaker: String, captured: RunTime) {
        let frame = Rate::OPUS.span(FRAME_SAMPLES as i64);
        let spoken = self.spoken.entry(speaker).or_default();
        match spoken.last_mut() {
            // Clocks that are off, and stamps in whole nanoseconds, part nothing.
            Some(last) if captured - last.end < frame + frame => last.end = captured,
            _ => spoken.push(captured - frame..captured),
        }
    }

    /// Measures what the changes did to the pilots that were heard.
    pub(super) fn measure(mut self, speakers: &[SpeakerSent], recorders: &[RecorderHeard]) -> Changes {
        self.speak_by_devices(speakers);
        let mut changes = role_changes(&self.taken);
        changes.retain(|change| is_amid(change, speakers));
        let hearings: Vec<Hearing<'_>> = recorders
            .iter()
            .flat_map(|recorder| recorder.pilots.iter().map(move |pilot| (recorder, pilot)))
            .filter_map(|(recorder, pilot)| {
                let speaker = &speakers[pilot.speaker];
                Some(Hearing {
                    speaker: &speaker.name,
                    recorder: &recorder.name,
                    clock: pilot.clock,
                    ends: pilot.ends,
                    began: began(&speaker.emissions)?,
                    segments: &pilot.segments,
                })
            })
            .collect();
        let gaps = gaps(&changes, &self.spoken, &hearings)
            .into_iter()
            .map(|gap| {
                let ear = hearings.iter().find(|hearing| hearing.recorder == gap.recorder);
                let stack = ear.and_then(|ear| stack(&changes[gap.change], &gap, &self.played(&gap), &ear.clock));
                (gap, stack)
            })
            .collect();
        let roles = roles(&changes, recorders);
        Changes { changes: changes.into_iter().zip(roles).collect(), gaps }
    }

    /// Whose client is not ours spoke while the mouth was open, in no packets of ours.
    fn speak_by_devices(&mut self, speakers: &[SpeakerSent]) {
        for SpeakerSent { name, emissions, .. } in speakers {
            if self.spoken.contains_key(name) {
                continue;
            }
            let Some(last) = emissions.last().map(|last| last.at + Pilot::MARK_EVERY) else { continue };
            let mut spoken = Spoken::new();
            let mut since = None;
            for &(at, opens) in self.opened.get(name).into_iter().flatten() {
                match (since, opens) {
                    (None, true) => since = Some(at),
                    (Some(from), false) => {
                        spoken.push(from..at);
                        since = None;
                    }
                    _ => {}
                }
            }
            spoken.extend(since.map(|from| from..last.max(from)));
            self.spoken.insert(name.clone(), spoken);
        }
    }

    /// The frames that carry a gap's speaker: its own, and those of a mix, out of which or into which a change may lead.
    fn played(&self, gap: &Gap) -> Vec<PlayedFrame> {
        let of = |speaker: &str| self.played.get(&(gap.recorder.clone(), speaker.to_owned()));
        let mut played: Vec<PlayedFrame> =
            [of(&gap.speaker), of(MIX)].into_iter().flatten().flatten().copied().collect();
        played.sort_by_key(|frame| frame.played);
        played
    }
}

impl Changes {
    /// Which role somebody had at an instant, who began the run with `first`: what a change has not brought about yet,
    /// for this speaker, is as before.
    fn role_at(&self, name: &str, first: Role, speaker: &str, at: RunTime) -> Role {
        let mut role = first;
        for (index, (change, [_, to])) in self.changes.iter().enumerate().filter(|(_, (c, _))| c.subject == name) {
            let gap = self.gaps.iter().find(|(g, _)| g.change == index && g.recorder == name && g.speaker == speaker);
            let heard = gap.and_then(|(gap, _)| gap.first_after).unwrap_or_else(|| change.ended());
            if let Some(to) = to.filter(|_| heard <= at && change.failed().is_none()) {
                role = to;
            }
        }
        role
    }

    /// Says of the beeps that were not found because a change kept them from an ear that it did.
    pub(super) fn explain(&self, speakers: &[SpeakerSent], recorder: &mut RecorderHeard) {
        for pair in &mut recorder.pairs {
            let speaker = &speakers[pair.speaker].name;
            let gaps = self.gaps.iter().map(|(gap, _)| gap);
            let own = gaps.filter(|gap| gap.recorder == recorder.name && gap.speaker == *speaker);
            let kept: Vec<Range<RunTime>> = own.filter_map(|gap| self.kept_from_the_ear(gap)).collect();
            for observation in pair.observations.iter_mut().filter(|o| o.reason == Some(Reason::NotFound)) {
                if kept.iter().any(|kept| kept.contains(&observation.emission.at)) {
                    observation.reason = Some(Reason::RoleChange);
                }
            }
        }
    }

    /// The programme between what last came by the old path, or the command, and what first came by the new one.
    fn kept_from_the_ear(&self, gap: &Gap) -> Option<Range<RunTime>> {
        let said = |heard: Option<RunTime>, late: Option<Nanos>| Some(heard? - late?);
        let from = said(gap.last_before, gap.delay_before).unwrap_or(self.changes[gap.change].0.commanded);
        Some(from - AROUND_A_MARK..said(gap.first_after, gap.delay_after)? + AROUND_A_MARK)
    }

    /// Parts what a recorder heard as a speaker from what it heard as a listener, where its role changed.
    pub(super) fn part(&self, speakers: &[SpeakerSent], recorder: &mut RecorderHeard) {
        let moves = |change: &RoleChange| matches!(change.change, Change::Promote | Change::Demote);
        if !self.changes.iter().any(|(change, _)| change.subject == recorder.name && moves(change)) {
            return;
        }
        let pairs = std::mem::take(&mut recorder.pairs);
        for pair in pairs {
            let speaker = &speakers[pair.speaker].name;
            let relation = |index: usize| {
                let observation = &pair.observations[index];
                let heard = observation.emission.at + observation.delay.map_or(Nanos::ZERO, |delay| delay.value);
                let role = self.role_at(&recorder.name, recorder.role, speaker, heard);
                Relation::of(speaker, &recorder.name, role)
            };
            for own in [Relation::Stage, Relation::Audience, Relation::Own] {
                let kept: Vec<usize> = (0..pair.observations.len()).filter(|&n| relation(n) == own).collect();
                if !kept.is_empty() {
                    recorder.pairs.push(pair.only(own, &kept));
                }
            }
        }
    }
}

impl PairHeard {
    /// Some of the beeps, as a pair of their own.
    fn only(&self, relation: Relation, kept: &[usize]) -> Self {
        fn of<T: Clone>(all: &[T], kept: &[usize]) -> Vec<T> {
            kept.iter().filter_map(|&n| all.get(n).cloned()).collect()
        }
        let observations = of(&self.observations, kept);
        let delays = PairDelays::of(&observations);
        let (paths, codings) = (of(&self.paths, kept), of(&self.codings, kept));
        Self { speaker: self.speaker, relation, observations, paths, codings, delays }
    }
}

/// Whoever comes before the first time signal, as most do, or goes after the last, changes nothing that is heard.
fn is_amid(change: &RoleChange, speakers: &[SpeakerSent]) -> bool {
    let mut instants = speakers.iter().flat_map(|speaker| &speaker.emissions).map(|emission| emission.at);
    match change.change {
        Change::Join => instants.any(|at| at <= change.commanded),
        Change::Leave => instants.any(|at| at > change.commanded),
        _ => true,
    }
}

/// Each subject's role before and after each change.
fn roles(changes: &[RoleChange], recorders: &[RecorderHeard]) -> Vec<[Option<Role>; 2]> {
    let first: BTreeMap<&str, Role> = recorders.iter().map(|r| (r.name.as_str(), r.role)).collect();
    let mut latest: BTreeMap<&str, Role> = first.clone();
    let mut roles = Vec::new();
    for change in changes {
        let before = latest.get(change.subject.as_str()).copied();
        let after = match change.change {
            _ if change.failed().is_some() => before,
            Change::Promote => Some(Role::Speaker),
            Change::Demote => Some(Role::Listener),
            Change::Join | Change::Mute | Change::Unmute => before,
            Change::Leave | Change::Remove => None,
        };
        roles.push([before.filter(|_| change.change != Change::Join), after]);
        // Whoever comes again comes as at first.
        let next = after.or_else(|| first.get(change.subject.as_str()).copied());
        if let Some(next) = next {
            latest.insert(&change.subject, next);
        }
    }
    roles
}
