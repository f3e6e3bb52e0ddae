//! Which holes in the sound coincide.
//!
//! *At one ear*, across speakers: what carried all of them was lost, so they were mixed before the last hop; a loss of
//! one stream's packet is a hole of one speaker. *Of one speaker*, across ears: the packet was lost before it was copied,
//! so a server copies it; in a mesh each copy has luck of its own. A hole that again and again is in the same group of
//! ears, and in no others, was made between servers.
//!
//! The first compares instants of the ear's clock, the second of the speaker's: no two clocks are compared.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{Outcome, amount, counted, share};
use super::series::Room;
use super::{Hole, Kind};
use crate::metrics::Relation;
use crate::units::Nanos;

/// Holes that begin within this time of each other may be one loss: less than a frame, more than edges are wrong by.
const AT_ONCE: Nanos = Nanos::from_millis(9);
/// Longer ones are outages, which hit everything on a link whatever is in its packets.
const LONGEST: Nanos = Nanos::from_millis(70);

pub(super) fn at_ear(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let (mut events, mut all, mut several) = (0, 0, 0);
    for (_, heard) in room.ears(tier).filter(|(_, heard)| heard.series.len() >= 2) {
        let mut holes = heard.holes.iter().filter(|hole| hole.length <= LONGEST).peekable();
        while let Some(first) = holes.next() {
            let mut speakers = BTreeSet::from([first.speaker.as_str()]);
            while let Some(next) = holes.next_if(|next| next.at - first.at < AT_ONCE) {
                speakers.insert(&next.speaker);
            }
            events += 1;
            all += usize::from(speakers.len() == heard.series.len());
            several += usize::from(speakers.len() > 1);
        }
    }
    if events == 0 {
        return None;
    }
    let case = match (share(all, events), share(several, events)) {
        (all, _) if all >= 0.4 => "all",
        (all, _) if all >= 0.1 => "often_all",
        (_, several) if several >= 0.1 => "several",
        _ => "one",
    };
    let sentence = match case {
        "all" | "often_all" => format!(
            "Of {} at an ear, {all} were in all speakers' sound at once: one packet carried everybody.",
            counted(events, "hole")
        ),
        _ => format!(
            "Of {} at an ear, {all} were in all speakers' sound at once: a packet carries one speaker.",
            counted(events, "hole")
        ),
    };
    Some(Outcome { tier, kind: Kind::HolesAtEar, context: amount(events), case, sentence })
}

pub(super) fn of_speaker(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let mut count = Count::default();
    for (speaker, hearers) in hearers(room) {
        let counted = if tier == Relation::Stage { hearers.stage.len() } else { hearers.audience.len() };
        if counted >= 1 && hearers.stage.len() + hearers.audience.len() >= 2 {
            count.add(tier, &hearers, &holes_of(room, speaker));
        }
    }
    let Count { events, everywhere, elsewhere, several, sets, hearers, .. } = &count;
    if *events == 0 {
        return None;
    }
    let losses = if *events == 1 { "1 loss".to_owned() } else { format!("{events} losses") };
    let often = sets.values().copied().max().unwrap_or_default();
    let grouped = often >= 3 && share(often, *several) >= 0.4;
    let mostly = share(*everywhere, everywhere + several) >= 0.3;
    let case = match (everywhere, grouped) {
        (0..=2, _) if *elsewhere >= 3 && elsewhere > everywhere => "elsewhere",
        (0, false) if *several == 0 => "alone",
        (0, false) => "several",
        (0, true) => "groups",
        (1..=2, false) => "twice",
        (1..=2, true) => "twice_groups",
        (_, false) if mostly => "everywhere",
        (_, true) if mostly => "everywhere_groups",
        (_, false) => "sometimes",
        (_, true) => "sometimes_groups",
    };
    let sentence = match case {
        "elsewhere" => format!(
            "{elsewhere} losses of a speaker's sound were at all ears of the audience at once and nowhere on stage: what \
             the stage hears is sent apart from what the audience's server gets."
        ),
        "alone" | "several" => format!(
            "Of {losses} of a speaker's sound, none was at all ears: each ear is sent packets of its own, or \
             nothing was lost before they were copied."
        ),
        "groups" | "twice_groups" | "sometimes_groups" | "everywhere_groups" => format!(
            "Of {losses} of a speaker's sound, {everywhere} were at all ears, and {often} at the same group of \
             ears and nowhere else."
        ),
        _ => format!(
            "Of {losses} of a speaker's sound, {everywhere} were at all ears at once: a server copies what the \
             speaker sends once."
        ),
    };
    Some(Outcome { tier, kind: Kind::HolesOfSpeaker, context: context(*hearers, *events), case, sentence })
}

fn context(hearers: usize, events: usize) -> &'static str {
    match (hearers, amount(events)) {
        (2, "few") => "two_few",
        (2, "some") => "two_some",
        (2, _) => "two_many",
        (3..=5, "few") => "five_few",
        (3..=5, "some") => "five_some",
        (3..=5, _) => "five_many",
        (_, "few") => "more_few",
        (_, "some") => "more_some",
        _ => "more_many",
    }
}

/// Who hears a speaker.
#[derive(Debug, Default)]
struct Hearers<'o> {
    stage: BTreeSet<&'o str>,
    audience: BTreeSet<&'o str>,
}

fn hearers<'o>(room: &Room<'o>) -> BTreeMap<&'o str, Hearers<'o>> {
    let mut hearers: BTreeMap<&str, Hearers<'_>> = BTreeMap::new();
    for tier in [Relation::Stage, Relation::Audience] {
        for (ear, heard) in room.ears(tier) {
            for speaker in heard.series.keys() {
                let of_speaker = hearers.entry(speaker).or_default();
                let of_tier = if tier == Relation::Stage { &mut of_speaker.stage } else { &mut of_speaker.audience };
                of_tier.insert(ear);
            }
        }
    }
    hearers
}

/// One speaker's holes at all ears, in order of the speaker's time.
fn holes_of<'o>(room: &Room<'o>, speaker: &str) -> Vec<&'o Hole> {
    let of_speaker = |hole: &&Hole| hole.speaker == speaker && hole.length <= LONGEST;
    let mut holes: Vec<&Hole> = room.observations.holes.iter().filter(of_speaker).collect();
    holes.sort_by_key(|hole| hole.captured);
    holes
}

/// At how many ears losses were.
#[derive(Debug, Default)]
struct Count<'o> {
    /// Those that the tier's ears hear, and of these …
    events: usize,
    /// … those at all ears of the tier, or nearly all of many, and of the stage's also in the audience; …
    everywhere: usize,
    /// … at one ear; …
    single: usize,
    /// … at more; …
    several: usize,
    /// … and how often at the same of them.
    sets: BTreeMap<Vec<&'o str>, usize>,
    /// Of the stage: those at all ears of the audience, and at none on stage.
    elsewhere: usize,
    /// How many ears there are, of the speaker with most.
    hearers: usize,
}

impl<'o> Count<'o> {
    fn add(&mut self, tier: Relation, hearers: &Hearers<'o>, holes: &[&'o Hole]) {
        let Hearers { stage, audience } = hearers;
        let on_stage = tier == Relation::Stage;
        self.hearers = self.hearers.max(if on_stage { stage.len() + audience.len() } else { audience.len() });
        let mut holes = holes.iter().peekable();
        while let Some(first) = holes.next() {
            let mut at = BTreeSet::from([first.recorder.as_str()]);
            while let Some(next) = holes.next_if(|next| next.captured - first.captured < AT_ONCE) {
                at.insert(&next.recorder);
            }
            let (of_stage, of_audience) = (at.intersection(stage).count(), at.intersection(audience).count());
            let all_audience = nearly_all(of_audience, audience.len());
            let (own, everywhere) = match on_stage {
                true => (of_stage, nearly_all(of_stage, stage.len()) && (audience.is_empty() || all_audience)),
                false => (of_audience, all_audience),
            };
            if own == 0 {
                self.elsewhere += usize::from(on_stage && audience.len() >= 2 && all_audience);
                continue;
            }
            at.retain(
                |ear| if on_stage { stage.contains(ear) || audience.contains(ear) } else { audience.contains(ear) },
            );
            self.events += 1;
            match at.len() {
                1 => self.single += 1,
                _ if everywhere => self.everywhere += 1,
                _ => {
                    self.several += 1;
                    *self.sets.entry(at.into_iter().collect()).or_default() += 1;
                }
            }
        }
    }
}

/// A hole may go unheard at one ear in six.
fn nearly_all(part: usize, all: usize) -> bool {
    all > 0 && 6 * (all - part.min(all)) <= all
}
