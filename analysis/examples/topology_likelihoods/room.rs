//! A room at random, and what would be observed in it: packets' fates without their sound.
//!
//! Every frame of every speaker takes its ways, through servers or past them, and is played by the jitter buffers of
//! `ear.rs`. What is heard of it is as good as hearing is: delays to some microseconds, edges of holes to a millisecond
//! or two, and one hole in fifteen goes unheard.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::topology::{Ear, Greeting, Hole, Hypothesis, Observations, Passage, Sighting};
use jiho_analysis::stats;
use jiho_analysis::units::{MediaTime, Nanos, RunTime};

use crate::ear::Playout;
use crate::luck::Luck;
use crate::way::Way;

const FRAME: f64 = 20.0;
/// What flows to or from a server as one.
const SERVER: usize = usize::MAX;
/// What a client asks, and what it is answered.
const GREETING: usize = usize::MAX - 1;
/// A mixer waits so long for the last speaker's packet of a round, in ms.
const DEADLINE: f64 = 20.0;

/// What a room is, and what is observed in it.
pub(crate) struct Room {
    pub(crate) stage: Hypothesis,
    pub(crate) audience: Hypothesis,
    pub(crate) observations: Observations,
}

/// Who takes part, and where.
struct Person {
    name: String,
    role: Role,
    edge: usize,
    place: (f64, f64),
    up: Way,
    down: Way,
    playout: Playout,
    /// Clock: offset in ms, and drift; sound card's drift; as fractions.
    offset: f64,
    drift: f64,
    card: f64,
    /// When the mouth's first frame begins, in ms.
    phase: f64,
}

/// What stands between.
struct Plan {
    stage: Hypothesis,
    audience: Hypothesis,
    /// In ms from everywhere, if ways are as long as places are apart.
    relays: Vec<(f64, f64)>,
    geographic: bool,
    trunks: Vec<Way>,
    hold: f64,
}

const STAGES: [Hypothesis; 4] = [Hypothesis::Mesh, Hypothesis::Forward, Hypothesis::Mix, Hypothesis::Cascade];

impl Room {
    pub(crate) fn random(seed: u64) -> Self {
        let mut luck = Luck::new(seed);
        let stage = STAGES[luck.one_of(4)];
        let audiences: &[Hypothesis] = match stage {
            Hypothesis::Mesh => &[
                Hypothesis::Mesh,
                Hypothesis::Forward,
                Hypothesis::Mix,
                Hypothesis::DelayedForward,
                Hypothesis::DelayedMix,
            ],
            Hypothesis::Cascade => {
                &[Hypothesis::Cascade, Hypothesis::Mix, Hypothesis::DelayedForward, Hypothesis::DelayedMix]
            }
            _ => &[
                Hypothesis::Forward,
                Hypothesis::Mix,
                Hypothesis::Cascade,
                Hypothesis::DelayedForward,
                Hypothesis::DelayedMix,
            ],
        };
        let audience = audiences[luck.one_of(audiences.len())];
        let (quiet, still) = (luck.chance(0.25), luck.chance(0.5));
        let calm = quiet && still || luck.chance(0.05);
        let cascade = stage == Hypothesis::Cascade || audience == Hypothesis::Cascade;
        let edges = if cascade { 2 + luck.one_of(2) } else { 1 };
        let wide = luck.log_between(3.0, 60.0);
        // So far from the middle at most: one server is rather near it, several are anywhere.
        let within = |luck: &mut Luck, share: f64| {
            let half = share * wide / 2.0;
            (luck.between(-half, half), luck.between(-half, half))
        };
        let place = |luck: &mut Luck| within(luck, 1.0);
        let relay = |luck: &mut Luck| within(luck, if edges > 1 { 1.0 } else { 0.3 });
        let relays: Vec<(f64, f64)> = (0..edges).map(|_| relay(&mut luck)).collect();
        let geographic = luck.chance(0.9);
        let trunks = (1..edges)
            .map(|n| {
                let apart = if geographic {
                    distance(relays[0], relays[n]) + luck.between(1.0, 8.0)
                } else {
                    luck.log_between(5.0, 100.0)
                };
                Way::random(&mut luck, apart, quiet, calm)
            })
            .collect();
        let hold = luck.log_between(200.0, 10_000.0);
        let plan = Plan { stage, audience, relays, geographic, trunks, hold };
        let clocks = luck.chance(0.5);
        let (speakers, listeners) = (2 + luck.one_of(5), 2 + luck.one_of(11));
        let people: Vec<Person> = (0..speakers + listeners)
            .map(|n| {
                let on_stage = n < speakers;
                let edge = if on_stage && stage != Hypothesis::Cascade { 0 } else { luck.one_of(edges) };
                let near = plan.relays[edge];
                let place = if cascade && luck.chance(0.4) {
                    (near.0 + luck.between(-3.0, 3.0), near.1 + luck.between(-3.0, 3.0))
                } else {
                    place(&mut luck)
                };
                let access =
                    |luck: &mut Luck| if geographic { luck.between(1.0, 25.0) } else { luck.log_between(5.0, 80.0) };
                let [up, down] = [access(&mut luck), access(&mut luck)];
                let ppm = |luck: &mut Luck| if clocks { 1e-4 * luck.between(-1.0, 1.0) } else { 0.0 };
                Person {
                    name: if on_stage { format!("s{n}") } else { format!("l{n}") },
                    role: if on_stage { Role::Speaker } else { Role::Listener },
                    edge,
                    place,
                    up: Way::random(&mut luck, up, quiet, calm),
                    down: Way::random(&mut luck, down, quiet, calm),
                    playout: Playout::random(&mut luck),
                    offset: if clocks { luck.between(-5_000.0, 5_000.0) } else { 0.0 },
                    drift: ppm(&mut luck),
                    card: ppm(&mut luck),
                    phase: luck.between(0.0, FRAME),
                }
            })
            .collect();
        let frames = 50 * (15 + luck.one_of(46));
        let observations = plan.observe(people, frames, &mut luck);
        Self { stage, audience, observations }
    }
}

impl Person {
    /// What its clock shows, in ms.
    fn clock(&self, at: f64) -> f64 {
        at + self.offset + self.drift * at
    }

    /// When its mouth's frame begins.
    fn captured(&self, frame: usize) -> f64 {
        1000.0 + self.phase + FRAME * frame as f64 * (1.0 - self.card)
    }
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn run_time(ms: f64) -> RunTime {
    RunTime((1e6 * ms).round() as i64)
}

/// When the packets of each stream arrive that is heard somewhere: by hearer and speaker, or by hearer alone if it is a mix.
struct Fates {
    streams: BTreeMap<(usize, usize), Vec<Option<f64>>>,
    mixes: BTreeMap<usize, Vec<Option<f64>>>,
    /// Of what is mixed for a tier: whether a round has a speaker's frame, which one it is, and by speaker.
    mixed: BTreeMap<(bool, usize), (Vec<bool>, i64)>,
}

impl Plan {
    fn between(&self, a: (f64, f64), b: (f64, f64)) -> f64 {
        if self.geographic { distance(a, b) } else { 0.0 }
    }

    fn serves(&self, on_stage: bool) -> Hypothesis {
        if on_stage { self.stage } else { self.audience }
    }

    fn observe(mut self, mut people: Vec<Person>, frames: usize, luck: &mut Luck) -> Observations {
        let mut observations = Observations::default();
        for person in &mut people {
            observations.ears.push(Ear { name: person.name.clone(), role: person.role });
            observations.receivers.push(person.name.clone());
            let between = self.between(person.place, self.relays[person.edge]);
            let asked = luck.between(0.0, 100.0);
            let admitted = asked + between + person.up.take(GREETING, luck);
            let joined = admitted + between + person.down.take(GREETING, luck);
            observations.greetings.push(Greeting {
                client: person.name.clone(),
                asked: run_time(person.clock(asked)),
                admitted: run_time(admitted),
                joined: run_time(person.clock(joined)),
            });
        }
        let fates = self.carry(&mut people, frames, luck);
        for (ear, person) in people.iter().enumerate() {
            fates.heard(person, ear, &people, luck, &mut observations);
        }
        observations
    }

    /// Sends all frames on their ways.
    fn carry(&mut self, people: &mut [Person], frames: usize, luck: &mut Luck) -> Fates {
        let speakers: Vec<usize> = (0..people.len()).filter(|n| people[*n].role == Role::Speaker).collect();
        let mut fates = Fates { streams: BTreeMap::new(), mixes: BTreeMap::new(), mixed: BTreeMap::new() };
        // At each server, when each frame of each speaker is there.
        let mut at_servers: BTreeMap<(usize, usize), Vec<Option<f64>>> = BTreeMap::new();
        for frame in 0..frames {
            for &speaker in &speakers {
                let sent = people[speaker].captured(frame) + FRAME;
                let (place, edge) = (people[speaker].place, people[speaker].edge);
                let through_server = [true, false].iter().any(|stage| self.serves(*stage) != Hypothesis::Mesh);
                let first = through_server.then(|| {
                    let to_server = self.between(place, self.relays[edge]);
                    Some(sent + to_server + people[speaker].up.pass(SERVER, luck)?)
                });
                if let Some(first) = first {
                    for server in 0..self.relays.len() {
                        let there = self.trunk((edge, server), speaker, first, luck);
                        at_servers.entry((server, speaker)).or_default().push(there);
                    }
                }
                for ear in (0..people.len()).filter(|ear| *ear != speaker) {
                    let on_stage = people[ear].role == Role::Speaker;
                    let arrival = match self.serves(on_stage) {
                        Hypothesis::Mesh => {
                            let way = self.between(place, people[ear].place);
                            let up = people[speaker].up.pass(ear, luck);
                            up.and_then(|up| Some(sent + up + way + people[ear].down.pass(speaker, luck)?))
                        }
                        Hypothesis::Mix | Hypothesis::DelayedMix => continue,
                        served => {
                            let server = people[ear].edge;
                            let way = self.between(self.relays[server], people[ear].place);
                            let hold = if served == Hypothesis::DelayedForward { self.hold } else { 0.0 };
                            let there = at_servers[&(server, speaker)][frame];
                            there.and_then(|there| Some(there + hold + way + people[ear].down.pass(speaker, luck)?))
                        }
                    };
                    fates.streams.entry((ear, speaker)).or_default().push(arrival);
                }
            }
        }
        for on_stage in [true, false] {
            if matches!(self.serves(on_stage), Hypothesis::Mix | Hypothesis::DelayedMix) {
                self.mix(on_stage, &speakers, people, &at_servers, luck, &mut fates);
            }
        }
        fates
    }

    /// From one server to another: by the first one, to which all trunks lead.
    fn trunk(&mut self, (from, to): (usize, usize), flow: usize, at: Option<f64>, luck: &mut Luck) -> Option<f64> {
        let mut at = at?;
        if from != to {
            for server in [from, to].into_iter().filter(|server| *server != 0) {
                at += self.trunks[server - 1].pass(flow, luck)?;
            }
        }
        Some(at)
    }

    /// Mixes what is at each server, by arrival.
    fn mix(
        &self,
        on_stage: bool,
        speakers: &[usize],
        people: &mut [Person],
        at_servers: &BTreeMap<(usize, usize), Vec<Option<f64>>>,
        luck: &mut Luck,
        fates: &mut Fates,
    ) {
        let hold = if self.serves(on_stage) == Hypothesis::DelayedMix { self.hold } else { 0.0 };
        for server in 0..self.relays.len() {
            let of = |speaker: usize| &at_servers[&(server, speaker)];
            let usual = |speaker: usize| {
                let late = of(speaker).iter().enumerate().filter_map(|(k, at)| Some((*at)? - FRAME * k as f64));
                let late: Vec<f64> = late.take(50).collect();
                late.iter().sum::<f64>() / late.len().max(1) as f64
            };
            let reference = usual(speakers[0]);
            let behind: Vec<i64> = speakers.iter().map(|s| ((usual(*s) - reference) / FRAME).round() as i64).collect();
            let rounds = of(speakers[0]).len();
            let mut released = Vec::new();
            let mut there = vec![Vec::new(); speakers.len()];
            for round in 0..rounds {
                let arrivals: Vec<Option<f64>> = speakers
                    .iter()
                    .zip(&behind)
                    .map(|(s, behind)| of(*s).get(usize::try_from(round as i64 - behind).ok()?).copied().flatten())
                    .collect();
                let first = arrivals.iter().flatten().copied().fold(f64::INFINITY, f64::min);
                let last = arrivals.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
                let all = arrivals.iter().all(Option::is_some);
                let at = if all { last.min(first + DEADLINE) } else { first + DEADLINE };
                let before = released.last().copied().flatten().unwrap_or(f64::NEG_INFINITY);
                released.push(first.is_finite().then_some(at.max(before)));
                for (n, arrival) in arrivals.iter().enumerate() {
                    there[n].push(arrival.is_some_and(|arrival| arrival <= at));
                }
            }
            for (n, speaker) in speakers.iter().enumerate() {
                fates.mixed.insert((on_stage, server * people.len() + speaker), (there[n].clone(), behind[n]));
            }
            let ears = (0..people.len()).filter(|ear| (people[*ear].role == Role::Speaker) == on_stage);
            for ear in ears.filter(|ear| people[*ear].edge == server).collect::<Vec<_>>() {
                let way = hold + self.between(self.relays[server], people[ear].place);
                let down = &mut people[ear].down;
                let arrivals = released.iter().map(|at| Some((*at)? + way + down.pass(SERVER, luck)?)).collect();
                fates.mixes.insert(ear, arrivals);
            }
        }
    }
}

impl Fates {
    /// What one ear hears of everybody.
    fn heard(&self, person: &Person, ear: usize, people: &[Person], luck: &mut Luck, into: &mut Observations) {
        let on_stage = person.role == Role::Speaker;
        let mix = self.mixes.get(&ear).map(|arrivals| {
            let rate = person.card - people[0].card;
            person.playout.play(arrivals, rate, luck)
        });
        for (speaker, who) in people.iter().enumerate().filter(|(n, who)| *n != ear && who.role == Role::Speaker) {
            let played: Vec<Option<f64>> = match (&mix, self.streams.get(&(ear, speaker))) {
                (Some(mix), _) => {
                    let Some((there, behind)) = self.mixed.get(&(on_stage, person.edge * people.len() + speaker))
                    else {
                        continue;
                    };
                    let frames = 0..there.len() as i64;
                    let of_frame = |frame: i64| {
                        let round = usize::try_from(frame + behind).ok()?;
                        there.get(round)?.then(|| mix[round]).flatten()
                    };
                    frames.map(of_frame).collect()
                }
                (None, Some(arrivals)) => {
                    into.passages.extend(passages(who, person, arrivals));
                    person.playout.play(arrivals, person.card - who.card, luck)
                }
                (None, None) => continue,
            };
            note(who, person, &played, luck, into);
        }
    }
}

/// What a second's packets of somebody take to a person.
fn passages(who: &Person, person: &Person, arrivals: &[Option<f64>]) -> Vec<Passage> {
    let took = |(frame, at): (usize, &Option<f64>)| {
        let captured = who.clock(who.captured(frame) + FRAME);
        Some((person.clock((*at)?) - captured, captured))
    };
    let seconds = (0..arrivals.len()).step_by(50).map(|first| {
        let frames = arrivals.iter().enumerate().skip(first).take(50);
        let packets: Vec<(f64, f64)> = frames.filter_map(took).collect();
        let (quickest, captured) = packets.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0))?;
        let usual = stats::median(&packets.iter().map(|(took, _)| *took).collect::<Vec<_>>())?;
        let [quickest, usual] = [quickest, usual].map(|ms| Nanos((1e6 * ms).round() as i64));
        let (speaker, recorder) = (who.name.clone(), person.name.clone());
        Some(Passage { speaker, recorder, captured: run_time(captured), quickest, usual })
    });
    seconds.flatten().collect()
}

/// Notes what a person hears of another, whose frames are played then.
fn note(who: &Person, person: &Person, played: &[Option<f64>], luck: &mut Luck, into: &mut Observations) {
    for frame in (7..played.len()).step_by(50) {
        let Some(at) = played[frame] else { continue };
        // A mark is the same instant at all ears.
        let within = (7.3 * (frame as f64 / 50.0 + who.phase)).rem_euclid(FRAME);
        let captured = run_time(who.clock(who.captured(frame) + within));
        let heard = run_time(person.clock(at + within) + 0.006 * luck.normal());
        into.sightings.push(Sighting {
            speaker: who.name.clone(),
            recorder: person.name.clone(),
            captured,
            delay: heard - captured,
            position: Some(MediaTime((48.0 * (FRAME * frame as f64 + within)).round() as i64)),
        });
    }
    let mut frame = 0;
    while frame < played.len() {
        let missing = played[frame..].iter().take_while(|at| at.is_none()).count();
        let before = frame.checked_sub(1).and_then(|before| played[before]);
        if let (1.., Some(before)) = (missing, before)
            && frame + missing < played.len()
            && luck.chance(0.93)
        {
            let late = luck.normal().abs() + if luck.chance(0.1) { 6.0 * luck.unit() } else { 0.0 };
            into.holes.push(Hole {
                speaker: who.name.clone(),
                recorder: person.name.clone(),
                at: run_time(person.clock(before + FRAME + late)),
                captured: run_time(who.clock(who.captured(frame) + late)),
                length: Nanos::from_secs_f64(1e-3 * FRAME * missing as f64),
            });
        }
        frame += missing.max(1);
    }
}
