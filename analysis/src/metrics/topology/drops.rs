//! The drop probe: what our own clients dropped on purpose, and who missed it.
//!
//! A packet that a client *does not let in* was the last hop's: its hole is in one speaker's sound if it was forwarded,
//! and in everybody's at once if it was mixed. A packet that a speaker's client *does not send to one destination* is
//! missed by all ears behind that destination: by all, if it is a server, by one in a mesh.
//!
//! Holes go unheard, and others come about by themselves; both are part of the likelihoods. How many go unheard depends
//! on the room: concealment of one speaker's packet is nearly always noticed, that of a mix in every second pilot, and
//! what a mixer conceals before it mixes at all ears or at none. So likelihoods are averaged over what may be.
//!
//! The first question compares instants of the ear's clock, the second of the speaker's: no two clocks are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Evidence, Hole, Hypothesis, Kind, Observations};
use crate::arrivals::Role;
use crate::metrics::Relation;
use crate::units::{Nanos, RunTime};

/// A packet that one of our own clients dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Whose client.
    pub client: String,
    /// Coming or going.
    pub direction: Direction,
    /// Coming: when it came, by the client's clock. Going: when its first sample was captured.
    pub at: RunTime,
    /// Coming: when the client's ear played what stood in for it, by the client's clock; `None`: that is not known.
    pub played: Option<RunTime>,
    /// How much sound was in it.
    pub length: Nanos,
    /// Going: the destination that it was not sent to, a name without meaning; `None`: it was sent to none.
    pub destination: Option<String>,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the client: it would have been played.
    In,
    /// From the client: it would have been sent.
    Out,
}

/// The probability that a hole of one packet is heard, in one speaker's sound: some values, each as likely as the others
/// in a room. In simulated rooms 0.9 to 1 of them are, and few rooms are worse.
const HEARD_ALONE: &[f64] = &[0.6, 0.8, 0.9, 0.97];
/// The same in each speaker's sound, of a packet that carries all.
const HEARD_MIXED: &[f64] = &[0.25, 0.4, 0.55, 0.7, 0.85, 0.97];
/// The same at each ear, of a packet that a server did not get; which of them it is, is drawn anew for each packet:
/// a mixer conceals it well or badly for all ears at once.
const HEARD_BY_ALL: &[f64] = &[0.03, 0.2, 0.5, 0.8, 0.95, 0.95, 0.97, 0.97];
/// How often anything at all happens in place of what a hypothesis says.
const STRANGE: f64 = 0.01;
/// Edges of a hole are this far from where they should be, at most.
const REACH: Nanos = Nanos::from_millis(30);
/// Where it is not known when a packet would have been played: no jitter buffer holds it longer.
const LONGEST_BUFFER: Nanos = Nanos::from_millis(500);
/// Before anything is seen, how often stage or audience is taken to be a mesh while the other tier is asked about.
const MESH_STAGE: f64 = 0.5;
const MESH_AUDIENCE: f64 = 0.1;

/// What the drop probe says about who serves a tier; `None`: no drop of anybody's says anything.
pub fn look(observations: &Observations, tier: Relation) -> Option<Evidence> {
    let probe = Probe::new(observations);
    let (coming, going) = (probe.coming(tier), probe.going(tier));
    if coming.drops + going.drops == 0 {
        return None;
    }
    let likelihood = |&hypothesis: &Hypothesis| {
        let mixed = matches!(hypothesis, Hypothesis::Mix | Hypothesis::DelayedMix);
        let of_coming = if mixed { coming.all } else { coming.one };
        let of_going = if hypothesis == Hypothesis::Mesh { going.one } else { going.all };
        (hypothesis, of_coming + of_going)
    };
    let mut sentences = Vec::new();
    if coming.drops > 0 {
        sentences.push(format!(
            "Of {} packets that ears did not let in, {} were missing from one speaker's sound, and {} from everybody's \
             at once.",
            coming.drops, coming.in_one, coming.in_all
        ));
    }
    if going.drops > 0 {
        sentences.push(format!(
            "Of {} packets that speakers kept from one destination each, {} were missed by one ear of {}, {} by all, \
             and {} by none.",
            going.drops,
            going.in_one,
            if tier == Relation::Stage { "the stage" } else { "the audience" },
            going.in_all,
            going.in_none
        ));
    }
    Some(Evidence {
        tier,
        kind: Kind::Drops,
        log_likelihoods: Hypothesis::of(tier).iter().map(likelihood).collect(),
        sentence: sentences.join(" "),
    })
}

/// What all drops of one direction say: logarithms of likelihoods, and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Said {
    /// If each is missing from one speaker's sound, or at one ear.
    one: f64,
    /// If each is missing from everybody's sound, or at all ears.
    all: f64,
    drops: usize,
    /// As it was heard.
    in_one: usize,
    in_all: usize,
    in_none: usize,
}

/// Who could miss a packet, and whether a hole is there.
#[derive(Debug)]
struct Pattern {
    /// For each: is there a hole, and how likely is one by itself.
    seen: Vec<(bool, f64)>,
    /// Of so many more that is not known.
    unseen: usize,
}

impl Pattern {
    fn of(all: impl Iterator<Item = Option<(bool, f64)>>) -> Self {
        let all: Vec<_> = all.collect();
        let seen: Vec<_> = all.iter().flatten().copied().collect();
        Self { unseen: all.len() - seen.len(), seen }
    }

    /// The likelihood, if these miss the packet, and whoever does has a hole that is heard with this probability.
    fn if_missed_by(&self, misses: impl Fn(usize) -> bool, heard: f64) -> f64 {
        let each = self.seen.iter().enumerate().map(|(n, &(hole, by_itself))| {
            let likely = if misses(n) { heard + (1.0 - heard) * by_itself } else { by_itself };
            if hole { likely } else { 1.0 - likely }
        });
        each.product()
    }

    fn by_all(&self, heard: f64) -> f64 {
        self.if_missed_by(|_| true, heard)
    }

    /// The same, if what is heard at one ear is heard at the others too.
    fn by_all_alike(&self) -> f64 {
        HEARD_BY_ALL.iter().map(|&heard| self.by_all(heard)).sum::<f64>() / HEARD_BY_ALL.len() as f64
    }

    fn by_none(&self) -> f64 {
        self.if_missed_by(|_| false, 0.0)
    }

    /// Summed over all that may be the one.
    fn by_each(&self, heard: f64) -> f64 {
        let seen: f64 = (0..self.seen.len()).map(|one| self.if_missed_by(|n| n == one, heard)).sum();
        seen + self.unseen as f64 * self.by_none()
    }

    fn len(&self) -> f64 {
        (self.seen.len() + self.unseen) as f64
    }

    /// The logarithm, if what was expected happens nearly always, and anything else that can be now and then.
    fn log(&self, expected: f64) -> f64 {
        ((1.0 - STRANGE) * expected + STRANGE * 0.5f64.powi(self.seen.len() as i32)).ln()
    }

    fn count(&self, said: &mut Said) {
        let holes = self.seen.iter().filter(|(hole, _)| *hole).count();
        said.drops += 1;
        said.in_all += usize::from(holes > 0 && holes == self.seen.len());
        said.in_one += usize::from(holes == 1 && self.seen.len() > 1);
        said.in_none += usize::from(holes == 0 && self.unseen == 0);
    }
}

struct Probe<'o> {
    observations: &'o Observations,
    roles: BTreeMap<&'o str, Role>,
    /// Whose sound is heard at each ear, and from when to when.
    heard: BTreeMap<(&'o str, &'o str), (RunTime, RunTime)>,
    /// Holes per nanosecond that come about by themselves, by ear and speaker.
    rates: BTreeMap<(&'o str, &'o str), f64>,
}

impl<'o> Probe<'o> {
    fn new(observations: &'o Observations) -> Self {
        let roles = observations.ears.iter().map(|ear| (ear.name.as_str(), ear.role)).collect();
        let mut heard: BTreeMap<(&str, &str), (RunTime, RunTime)> = BTreeMap::new();
        for sighting in &observations.sightings {
            let at = sighting.captured;
            let (from, to) = heard.entry((&sighting.recorder, &sighting.speaker)).or_insert((at, at));
            (*from, *to) = (at.min(*from), at.max(*to));
        }
        let mut probe = Self { observations, roles, heard, rates: BTreeMap::new() };
        probe.rates = probe.heard.keys().map(|&key| (key, probe.rate(key))).collect();
        probe
    }

    /// Half a hole is taken to have been there besides those that no drop explains.
    fn rate(&self, (ear, speaker): (&str, &str)) -> f64 {
        let explained = |hole: &Hole| self.observations.drops.iter().any(|drop| explains(drop, hole));
        let unexplained = self.holes(ear, speaker).filter(|hole| !explained(hole)).count();
        let (from, to) = self.heard.get(&(ear, speaker)).copied().unwrap_or_default();
        (unexplained as f64 + 0.5) / ((to - from).0.max(1_000_000_000)) as f64
    }

    fn role(&self, name: &str) -> Option<Role> {
        self.roles.get(name).copied()
    }

    fn holes(&self, ear: &str, speaker: &str) -> impl Iterator<Item = &'o Hole> {
        self.observations.holes.iter().filter(move |hole| hole.recorder == ear && hole.speaker == speaker)
    }

    /// Whether a speaker's sound has a hole at an ear where a drop would have made it, and how likely one is there by
    /// itself. `None`: another drop would have made the same.
    fn at(&self, ear: &str, speaker: &str, drop: &Drop) -> Option<(bool, f64)> {
        let mut holes = self.holes(ear, speaker).filter(|hole| explains(drop, hole)).peekable();
        let hole = holes.peek().is_some();
        let others = || self.observations.drops.iter().filter(|other| *other != drop);
        if holes.any(|hole| others().any(|other| explains(other, hole))) {
            return None;
        }
        let (from, to) = when_heard(drop);
        let rate = self.rates.get(&(ear, speaker)).copied().unwrap_or_default();
        Some((hole, -f64::exp_m1(-rate * (to - from).0 as f64)))
    }

    /// Whether an ear ever hears that somebody else's packet is missing. Some buffers hide it.
    fn notices(&self, ear: &str) -> bool {
        let going = || self.observations.drops.iter().filter(|drop| drop.direction == Direction::Out);
        self.observations.holes.iter().any(|hole| hole.recorder == ear && going().any(|drop| explains(drop, hole)))
    }

    /// What packets say that clients of a tier did not let in.
    fn coming(&self, tier: Relation) -> Said {
        let (mut said, mut patterns) = (Said::default(), Vec::new());
        let own = |drop: &&Drop| drop.direction == Direction::In && self.role(&drop.client) == role(tier);
        for drop in self.observations.drops.iter().filter(own) {
            let speakers = self.heard.keys().filter(|(ear, _)| *ear == drop.client).map(|(_, speaker)| *speaker);
            let pattern = Pattern::of(speakers.map(|speaker| self.at(&drop.client, speaker, drop)));
            // One speaker alone is one and everybody.
            if pattern.len() < 2.0 {
                continue;
            }
            pattern.count(&mut said);
            patterns.push(pattern);
        }
        said.one = averaged(HEARD_ALONE, |heard| {
            patterns.iter().map(|pattern| pattern.log(pattern.by_each(heard) / pattern.len())).sum()
        });
        said.all =
            averaged(HEARD_MIXED, |heard| patterns.iter().map(|pattern| pattern.log(pattern.by_all(heard))).sum());
        said
    }

    /// What packets say that speakers kept from one destination, by the ears of a tier.
    fn going(&self, tier: Relation) -> Said {
        let (mut said, mut patterns) = (Said::default(), Vec::new());
        let own = |drop: &&Drop| drop.direction == Direction::Out && drop.destination.is_some();
        for drop in self.observations.drops.iter().filter(own) {
            let ears: BTreeSet<&str> =
                self.heard.keys().filter(|(_, speaker)| *speaker == drop.client).map(|(ear, _)| *ear).collect();
            let (here, there): (Vec<&str>, Vec<&str>) =
                ears.into_iter().filter(|ear| *ear != drop.client).partition(|ear| self.role(ear) == role(tier));
            if here.is_empty() {
                continue;
            }
            let notices = |ear: &&&str| self.notices(ear);
            let pattern = Pattern::of(
                here.iter().map(|ear| Some(ear).filter(notices).and_then(|ear| self.at(ear, &drop.client, drop))),
            );
            pattern.count(&mut said);
            patterns.push((pattern, there.len() as f64));
        }
        // A server is one destination, whomever it serves; in a mesh each ear is one. So it matters who serves the others.
        let mesh_there = if tier == Relation::Stage { MESH_AUDIENCE } else { MESH_STAGE };
        let either = |no: f64, yes: f64| log_sum([(1.0 - mesh_there).ln() + no, mesh_there.ln() + yes]);
        let sum = |log: &dyn Fn(&Pattern, f64) -> f64| {
            patterns.iter().map(|(pattern, others)| pattern.log(log(pattern, *others))).sum::<f64>()
        };
        said.all = either(
            sum(&|pattern, _| pattern.by_all_alike()),
            sum(&|pattern, others| (pattern.by_all_alike() + others * pattern.by_none()) / (1.0 + others)),
        );
        said.one = averaged(HEARD_ALONE, |heard| {
            let mesh = |pattern: &Pattern, others: f64| {
                (others * pattern.by_none() + pattern.by_each(heard)) / (others + pattern.len())
            };
            either(
                sum(&|pattern, others| mesh(pattern, f64::from(u8::from(others > 0.0)))),
                sum(&|pattern, others| mesh(pattern, others)),
            )
        });
        said
    }
}

/// The logarithm of a likelihood's mean over values of something that is not known.
fn averaged(values: &[f64], log_likelihood: impl Fn(f64) -> f64) -> f64 {
    log_sum(values.iter().map(|&value| log_likelihood(value))) - (values.len() as f64).ln()
}

/// The logarithm of a sum of what logarithms are given of.
fn log_sum(logs: impl IntoIterator<Item = f64>) -> f64 {
    let logs: Vec<f64> = logs.into_iter().collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

/// Who ends there.
fn role(tier: Relation) -> Option<Role> {
    match tier {
        Relation::Stage => Some(Role::Speaker),
        Relation::Audience => Some(Role::Listener),
        Relation::Own => None,
    }
}

/// When its hole is to be heard: coming, by the time of the client's ear; going, by that of the client's mouth.
fn when_heard(drop: &Drop) -> (RunTime, RunTime) {
    match (drop.direction, drop.played) {
        (Direction::In, Some(played)) => (played - REACH, played + REACH),
        (Direction::In, None) => (drop.at - REACH, drop.at + LONGEST_BUFFER),
        (Direction::Out, _) => (drop.at - REACH, drop.at + REACH),
    }
}

/// Whether a hole is where a drop would have made it.
fn explains(drop: &Drop, hole: &Hole) -> bool {
    let (from, to) = when_heard(drop);
    let (client, at) = match drop.direction {
        Direction::In => (&hole.recorder, hole.at),
        Direction::Out => (&hole.speaker, hole.captured),
    };
    *client == drop.client && from <= at && at <= to
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::topology::{Ear, Sighting};

    const SPEAKERS: [&str; 3] = ["ana", "ben", "cem"];
    const LISTENERS: [&str; 3] = ["lena", "mei", "omar"];
    const SECOND: Nanos = Nanos::from_secs(1);
    const FRAME: Nanos = Nanos::from_millis(20);

    /// Which ears miss what a speaker keeps from its n-th destination, and whose sound the n-th packet carries that an
    /// ear does not let in.
    struct Served {
        kept: fn(&str, usize) -> Vec<&'static str>,
        carried: fn(&str, usize) -> Vec<&'static str>,
    }

    const FORWARD: Served = Served { kept: everybody, carried: one };
    const MIX: Served = Served { kept: everybody, carried: others };
    /// The stage alone is a mesh.
    const MESH: Served = Served { kept: one_or_the_audience, carried: one };

    fn all() -> impl Iterator<Item = &'static str> {
        SPEAKERS.into_iter().chain(LISTENERS)
    }

    fn others(name: &str, _: usize) -> Vec<&'static str> {
        SPEAKERS.into_iter().filter(|other| *other != name).collect()
    }

    fn everybody(name: &str, _: usize) -> Vec<&'static str> {
        all().filter(|other| *other != name).collect()
    }

    fn one(name: &str, n: usize) -> Vec<&'static str> {
        let others = others(name, n);
        vec![others[n % others.len()]]
    }

    fn one_or_the_audience(name: &str, n: usize) -> Vec<&'static str> {
        if n.is_multiple_of(3) { LISTENERS.to_vec() } else { one(name, n) }
    }

    /// A room in which ana, ben, lena and mei drop `each` packets each way. Of the holes so many percent go unheard, and
    /// in each second of each pair's sound one comes about by itself in so many percent.
    fn room(served: &Served, each: usize, unheard: u32, natural: u32, seed: u32) -> Observations {
        let mut state = seed;
        let mut percent = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(state >> 8) * 100) >> 24) as u32
        };
        let ear = |name: &str| Ear {
            name: name.to_owned(),
            role: if SPEAKERS.contains(&name) { Role::Speaker } else { Role::Listener },
        };
        let mut room = Observations { ears: all().map(ear).collect(), ..Observations::default() };
        // Every clock is wrong by another number of seconds.
        let clock = |name: &str| Nanos(SECOND.0 * (name.bytes().map(i64::from).sum::<i64>() % 11 - 5));
        let mut holes = Vec::new();
        let hole = |speaker: &str, recorder: &str, at: RunTime| Hole {
            speaker: speaker.to_owned(),
            recorder: recorder.to_owned(),
            at: at + clock(recorder) + Nanos::from_millis(80),
            captured: at + clock(speaker),
            length: FRAME,
        };
        for recorder in all() {
            for speaker in others(recorder, 0) {
                for second in 0..30 {
                    let at = RunTime::START + Nanos(SECOND.0 * second);
                    room.sightings.push(Sighting {
                        speaker: speaker.to_owned(),
                        recorder: recorder.to_owned(),
                        captured: at + clock(speaker),
                        delay: Nanos::from_millis(80) + clock(recorder) - clock(speaker),
                        position: None,
                    });
                    if percent() < natural {
                        holes.push(hole(speaker, recorder, at + Nanos(i64::from(percent()) * 10_000_000)));
                    }
                }
            }
        }
        let mut at = RunTime::START + SECOND;
        for n in 0..each {
            for client in ["ana", "ben", "lena", "mei"] {
                for speaker in (served.carried)(client, n) {
                    if percent() >= unheard {
                        holes.push(hole(speaker, client, at));
                    }
                }
                let played = Some(at + clock(client) + Nanos::from_millis(80));
                let drop = Drop {
                    client: client.to_owned(),
                    direction: Direction::In,
                    at: at + clock(client),
                    played,
                    length: FRAME,
                    destination: None,
                };
                room.drops.push(drop.clone());
                at = at + Nanos::from_millis(200);
                if !SPEAKERS.contains(&client) {
                    continue;
                }
                for recorder in (served.kept)(client, n) {
                    if percent() >= unheard {
                        holes.push(hole(client, recorder, at));
                    }
                }
                let (at_mouth, destination) = (at + clock(client), Some("there".to_owned()));
                room.drops.push(Drop { direction: Direction::Out, at: at_mouth, played: None, destination, ..drop });
                at = at + Nanos::from_millis(200);
            }
        }
        room.holes = holes;
        room
    }

    fn likeliest(evidence: &Evidence, margin: f64) -> BTreeSet<Hypothesis> {
        let most = evidence.log_likelihoods.iter().map(|(_, log)| *log).fold(f64::MIN, f64::max);
        evidence
            .log_likelihoods
            .iter()
            .filter(|(_, log)| most - log < margin)
            .map(|(hypothesis, _)| *hypothesis)
            .collect()
    }

    const FORWARDED: [Hypothesis; 3] = [Hypothesis::Forward, Hypothesis::Cascade, Hypothesis::DelayedForward];
    const MIXED: [Hypothesis; 2] = [Hypothesis::Mix, Hypothesis::DelayedMix];

    #[test]
    fn five_drops_each_way_tell_a_mix_from_what_is_forwarded_and_a_mesh_from_a_server() {
        for seed in 0..50 {
            // Up to one hole in ten goes unheard, and in every second up to one in eight comes about by itself.
            let (unheard, natural) = (seed % 3 * 5, seed % 4 * 4);
            // Of what a speaker of a mesh keeps from one destination, the audience can miss little.
            for (served, stage, audience, margin) in [
                (FORWARD, FORWARDED.to_vec(), FORWARDED.to_vec(), 2.0),
                (MIX, MIXED.to_vec(), MIXED.to_vec(), 2.0),
                (MESH, vec![Hypothesis::Mesh], FORWARDED.to_vec(), 1.0),
            ] {
                let room = room(&served, 5, unheard, natural, seed);
                for (tier, right) in [(Relation::Stage, stage), (Relation::Audience, audience)] {
                    let right = right.into_iter().filter(|h| Hypothesis::of(tier).contains(h)).collect();
                    let evidence = look(&room, tier).unwrap();
                    assert_eq!(likeliest(&evidence, margin), right, "{seed}, {tier:?}: {evidence:?}");
                }
            }
        }
    }

    #[test]
    fn who_drops_nothing_learns_nothing() {
        let room = Observations { drops: Vec::new(), ..room(&MIX, 5, 0, 0, 1) };
        assert_eq!(look(&room, Relation::Stage), None);
    }

    #[test]
    fn what_is_kept_from_all_destinations_and_what_one_hears_of_one_alone_say_nothing() {
        let mut room = room(&FORWARD, 5, 0, 0, 1);
        room.drops.iter_mut().for_each(|drop| drop.destination = None);
        room.sightings.retain(|sighting| sighting.speaker == "ana");
        assert_eq!(look(&room, Relation::Audience), None);
    }

    #[test]
    fn one_drop_that_went_as_no_hypothesis_has_it_does_not_outweigh_ten() {
        let mut room = room(&MIX, 6, 0, 0, 1);
        // One packet was missing from one speaker's sound alone.
        let first = room.drops.iter().find(|drop| drop.client == "lena").unwrap().played.unwrap();
        let mut kept = false;
        room.holes.retain(|hole| hole.recorder != "lena" || hole.at != first || !std::mem::replace(&mut kept, true));
        let evidence = look(&room, Relation::Audience).unwrap();
        assert_eq!(likeliest(&evidence, 5.0), BTreeSet::from(MIXED), "{evidence:?}");
        assert!(evidence.sentence.contains("from everybody's at once"), "{}", evidence.sentence);
    }

    #[test]
    fn a_hole_that_two_drops_explain_speaks_for_neither() {
        // What the speakers withhold is heard at the very instants at which packets are not let in.
        let mut room = room(&FORWARD, 5, 0, 0, 1);
        let coming: Vec<Drop> = room.drops.iter().filter(|drop| drop.client == "lena").cloned().collect();
        for (drop, speaker) in coming.iter().flat_map(|drop| others("lena", 0).into_iter().map(move |s| (drop, s))) {
            let at = drop.played.unwrap();
            let (client, captured) = (speaker.to_owned(), at + Nanos(SECOND.0 * 7));
            room.holes.push(Hole { speaker: client.clone(), recorder: "lena".to_owned(), at, captured, length: FRAME });
            let (direction, destination) = (Direction::Out, Some("there".to_owned()));
            room.drops.push(Drop { client, direction, at: captured, played: None, length: FRAME, destination });
        }
        room.drops.retain(|drop| drop.client == "lena" || drop.direction == Direction::Out);
        let evidence = look(&room, Relation::Audience).unwrap();
        let of = |hypothesis| evidence.log_likelihoods.iter().find(|(other, _)| *other == hypothesis).unwrap().1;
        assert!((of(Hypothesis::Mix) - of(Hypothesis::Forward)).abs() < 0.1, "{evidence:?}");
    }

    #[test]
    fn without_the_instant_of_playing_a_hole_is_looked_for_as_long_as_buffers_hold() {
        let mut room = room(&MIX, 5, 10, 5, 3);
        room.drops.iter_mut().for_each(|drop| drop.played = None);
        assert_eq!(likeliest(&look(&room, Relation::Audience).unwrap(), 3.0), BTreeSet::from(MIXED));
    }
}
