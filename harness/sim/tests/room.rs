//! A whole room in virtual time: endpoints and relay as they are, links of known delay and loss. What every ear plays
//! is compared, sample by sample, with what was constructed.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::{CodecConfig, FRAME_SAMPLES, RATE};
use jiho_proto::endpoint::{Endpoint, EndpointConfig, MouthConfig};
use jiho_proto::engine::{Engine, Input, Output};
use jiho_proto::event::{Event, PlayoutAction};
use jiho_proto::link::{Direction, Jitter, Link, Loss};
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::records::{KeepError, Records};
use jiho_proto::speaker::Mouth;
use jiho_proto::wire::rtp;
use jiho_relay::{Relay, RelayConfig};
use jiho_sim::World;
use proptest::prelude::*;

const TOKEN: &str = "secret";
const FRAME: Nanos = Nanos::from_millis(20);
const PLAYOUT: Nanos = Nanos::from_micros(40_010);
const END: RunTime = RunTime(10_000_000_000);
/// One step of 16-bit PCM.
const LSB: f32 = 1.0 / 32_768.0;

/// Somebody in the room, with delays chosen to fall between samples.
#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    /// The port of the media address; for a speaker also the SSRC.
    port: u16,
    up: Nanos,
    down: Nanos,
    ear_phase: Nanos,
    /// `None`: a listener.
    mouth_phase: Option<Nanos>,
}

const ANA: Person = Person {
    name: "ana",
    port: 6001,
    up: Nanos::from_micros(7_013),
    down: Nanos::from_micros(3_101),
    ear_phase: Nanos(1_234_567),
    mouth_phase: Some(Nanos(3_333_333)),
};
const BEN: Person = Person {
    name: "ben",
    port: 6002,
    up: Nanos::from_micros(11_311),
    down: Nanos::from_micros(4_999),
    ear_phase: Nanos(9_999_999),
    mouth_phase: Some(Nanos(17)),
};
const LENA: Person = Person {
    name: "lena",
    port: 6003,
    up: Nanos::from_micros(1_009),
    down: Nanos::from_micros(13_717),
    ear_phase: Nanos(5_000_001),
    mouth_phase: None,
};
const ROOM: [Person; 3] = [ANA, BEN, LENA];

impl Person {
    fn ssrc(&self) -> u32 {
        self.port.into()
    }

    /// Whole steps of 16-bit PCM that leap from sample to sample and come back after 28 001 samples: no other shift
    /// but the right one gives them.
    fn says(&self, sample: i64) -> f32 {
        ((sample * i64::from(self.port) * 7) % 28_001 - 14_000) as f32 * LSB
    }

    /// When the mouth's sample 0 is captured: after the journey of *join* and *joined*, all having begun at 0.
    fn mouth_opens(&self) -> RunTime {
        RunTime::START + self.up + self.down + self.mouth_phase.unwrap_or_default()
    }

    /// The position at the ear of what `speaker` captured as its sample 0: packetisation, both links and the playout
    /// delay later, rounded up to a whole sample of the ear.
    fn hears_first_sample_of(&self, speaker: &Person) -> i64 {
        let at = speaker.mouth_opens() + FRAME + speaker.up + self.down + PLAYOUT;
        let ear_start = RunTime::START + self.ear_phase;
        let nanos = i128::from((at - ear_start).0) * i128::from(RATE.0);
        nanos.div_euclid(1_000_000_000) as i64 + i64::from(nanos.rem_euclid(1_000_000_000) != 0)
    }

    fn speakers_heard(&self, room: &[Person]) -> impl Iterator<Item = Person> {
        room.iter().copied().filter(|other| other.mouth_phase.is_some() && other.name != self.name)
    }
}

#[test]
fn every_ear_plays_what_was_said_after_exactly_the_constructed_delay() {
    expect_constructed_delays(&ROOM);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_delays_and_phases_add_up_at_every_ear(
        delays in prop::collection::vec((0..150_000_000_i64, 0..150_000_000_i64), ROOM.len()),
        phases in prop::collection::vec((0..30_000_000_i64, 0..30_000_000_i64), ROOM.len()),
    ) {
        let mut room = ROOM;
        for (person, ((up, down), (ear, mouth))) in room.iter_mut().zip(delays.into_iter().zip(phases)) {
            (person.up, person.down, person.ear_phase) = (Nanos(up), Nanos(down), Nanos(ear));
            // Whoever joins after the first packet does not hear it: mouths open when everybody is in.
            person.mouth_phase = person.mouth_phase.map(|_| Nanos::from_millis(150) + Nanos(mouth));
        }
        expect_constructed_delays(&room);
    }
}

/// Compares every sample of every ear with what was constructed.
fn expect_constructed_delays(room: &[Person]) {
    let kept = hold_room(room, 1, &Direction::default());
    assert!(kept.is_ok(), "{kept:?}");
    for (person, kept) in room.iter().zip(kept.iter().flatten()) {
        let heard: Vec<(Person, i64)> =
            person.speakers_heard(room).map(|speaker| (speaker, person.hears_first_sample_of(&speaker))).collect();
        assert!(kept.ear.len() > 9 * 48_000);
        for (n, played) in kept.ear.iter().enumerate() {
            let said = |(speaker, first): &(Person, i64)| {
                let sample = n as i64 - first;
                if sample < 0 { 0.0 } else { speaker.says(sample) }
            };
            let expected: f32 = heard.iter().map(said).sum();
            assert!((played - expected).abs() <= LSB, "{}: sample {n} is {played}, not {expected}", person.name);
        }
    }
}

#[test]
fn the_recorded_clocks_are_the_constructed_ones() {
    let room = hold_room(&ROOM, 1, &Direction::default()).unwrap();
    for (person, kept) in ROOM.iter().zip(&room) {
        let ear = SampleClock::new(RunTime::START + person.ear_phase, RATE);
        assert!(kept.noted(&Event::EarOpened { clock: ear }));
        let mouth = SampleClock::new(person.mouth_opens(), RATE);
        let opened = kept.noted(&Event::MouthOpened { clock: mouth, ssrc: person.ssrc() });
        assert_eq!(opened, person.mouth_phase.is_some());
        for speaker in person.speakers_heard(&ROOM) {
            assert!(kept.noted(&Event::Talker { name: speaker.name.into(), ssrc: speaker.ssrc() }));
        }
    }
}

#[test]
fn exactly_the_lost_frames_are_concealed() {
    let lossy = Direction { loss: Loss::Independent(0.05), ..Direction::default() };
    let room = hold_room(&ROOM, 2, &lossy).unwrap();
    for (person, kept) in ROOM.iter().zip(&room) {
        for speaker in person.speakers_heard(&ROOM) {
            let first = person.hears_first_sample_of(&speaker);
            let arrived = kept.arrived(&speaker);
            let begun = *arrived.first().unwrap();
            let turns = (kept.ear.len() as i64 - first + FRAME_SAMPLES as i64 - 1) / FRAME_SAMPLES as i64;
            let lost: Vec<u16> = (begun..turns as u16).filter(|frame| !arrived.contains(frame)).collect();
            // Two links with 5 % loss each and about 495 frames: 48 ± 7 are lost.
            assert!((20..80).contains(&lost.len()), "{} lost", lost.len());
            assert_eq!(kept.frames(&speaker, PlayoutAction::Concealed), lost, "{} at {}", speaker.name, person.name);
            let played: Vec<u16> = arrived.range(..turns as u16).copied().collect();
            assert_eq!(kept.frames(&speaker, PlayoutAction::Played), played);
        }
    }
}

#[test]
fn a_lost_frame_is_a_hole_in_its_own_speaker_alone() {
    let room = hold_room(&ROOM, 2, &Direction { loss: Loss::Independent(0.05), ..Direction::default() }).unwrap();
    for (person, kept) in ROOM.iter().zip(&room) {
        let arrived: Vec<_> = person.speakers_heard(&ROOM).map(|speaker| (speaker, kept.arrived(&speaker))).collect();
        for (n, played) in kept.ear.iter().enumerate() {
            let said = |(speaker, arrived): &(Person, BTreeSet<u16>)| {
                let sample = n as i64 - person.hears_first_sample_of(speaker);
                let there = sample >= 0 && arrived.contains(&((sample / FRAME_SAMPLES as i64) as u16));
                if there { speaker.says(sample) } else { 0.0 }
            };
            let expected: f32 = arrived.iter().map(said).sum();
            assert!((played - expected).abs() <= LSB, "{}: sample {n} is {played}, not {expected}", person.name);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_room_and_another_seed_another() {
    let jitter = Jitter::Normal { sd: Nanos::from_millis(8) };
    let rough = Direction { jitter, loss: Loss::Independent(0.05), reorder: true, ..Direction::default() };
    let [first, again, other] = [3, 3, 4].map(|seed| hold_room(&ROOM, seed, &rough).unwrap());
    for ((first, again), other) in first.iter().zip(&again).zip(&other) {
        assert_eq!(first, again);
        assert_ne!(first.ear, other.ear);
        assert_ne!(first.events, other.events);
    }
    let late = first.iter().flat_map(|kept| kept.frames(&ANA, PlayoutAction::Late)).count();
    assert!(late > 0, "the jitter was chosen to make packets late");
}

/// What one endpoint left behind.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    ear: Vec<f32>,
    events: Vec<(RunTime, Event)>,
    /// The streams and sequence numbers of the packets that reached the endpoint.
    arrived: Vec<(u32, u16)>,
}

impl Kept {
    fn noted(&self, event: &Event) -> bool {
        self.events.iter().any(|(_, noted)| noted == event)
    }

    /// The frames of a speaker that reached the endpoint.
    fn arrived(&self, speaker: &Person) -> BTreeSet<u16> {
        self.arrived.iter().filter(|(ssrc, _)| *ssrc == speaker.ssrc()).map(|(_, sequence)| *sequence).collect()
    }

    /// The frames of a speaker with which the jitter buffer dealt like this.
    fn frames(&self, speaker: &Person, action: PlayoutAction) -> Vec<u16> {
        let playouts = self.events.iter().filter_map(|(_, event)| match event {
            Event::Playout(playout) => Some(playout),
            _ => None,
        });
        playouts.filter(|p| p.ssrc == speaker.ssrc() && p.action == action).map(|p| p.sequence).collect()
    }
}

/// Holds the room for 10 s of virtual time, over links that have `roughness` besides their constructed delays.
fn hold_room(room: &[Person], seed: u64, roughness: &Direction) -> Result<Vec<Kept>, Box<dyn Error>> {
    let mut world = World::new(seed);
    let media = addr(4000);
    let relay = Relay::new(RelayConfig::forwarding(media, TOKEN.into(), CodecConfig::L16));
    let relay = world.add_node(media, Box::new(relay), Box::new(Shelf::default()), Link::default());
    world.start_at(relay, RunTime::START);
    let mut shelves = Vec::new();
    for person in room {
        let shelf = Shelf::default();
        let engine = Tapped { endpoint: Endpoint::new(config(person))?, shelf: shelf.clone() };
        let rough = |delay| Direction { delay, ..roughness.clone() };
        let link = Link { up: rough(person.up), down: rough(person.down) };
        let node = world.add_node(addr(person.port), Box::new(engine), Box::new(shelf.clone()), link);
        world.connect(node, relay);
        world.start_at(node, RunTime::START);
        world.stop_at(node, END);
        shelves.push(shelf);
    }
    world.run_until(END)?;
    Ok(shelves.iter().map(|shelf| shelf.open().clone()).collect())
}

fn config(person: &Person) -> EndpointConfig {
    let mouth = person.mouth_phase.map(|phase| MouthConfig {
        ssrc: person.ssrc(),
        first_sequence: 0,
        first_timestamp: u32::MAX - 100_000,
        phase,
        mouth: Box::new(*person),
    });
    EndpointConfig {
        name: person.name.into(),
        role: if mouth.is_some() { Role::Speaker } else { Role::Listener },
        token: TOKEN.into(),
        media: addr(person.port),
        codec: CodecConfig::L16,
        playout: PlayoutPolicy::Fixed { delay: PLAYOUT },
        subscribe: None,
        seal: None,
        card: SoundCard::default(),
        ear_phase: person.ear_phase,
        mouth,
        drop_probe: None,
    }
}

fn addr(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Mouth for Person {
    fn fill(&mut self, _: &SampleClock, first: MediaTime, out: &mut [f32]) {
        for (n, sample) in out.iter_mut().enumerate() {
            *sample = self.says(first.0 + n as i64);
        }
    }
}

/// Records that stay readable while the world writes them.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Kept>>);

impl Shelf {
    fn open(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records for Shelf {
    fn ear(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        let ear = &mut self.open().ear;
        if first.0 != ear.len() as i64 {
            return Err(format!("sample {} follows {} samples", first.0, ear.len()).into());
        }
        ear.extend_from_slice(samples);
        Ok(())
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        self.open().events.push((at, event));
        Ok(())
    }
}

/// An endpoint with a look at what reaches it, independent of what it says about it.
struct Tapped {
    endpoint: Endpoint,
    shelf: Shelf,
}

impl Engine for Tapped {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        if let Input::Packet { data, .. } = input
            && let Ok(packet) = rtp::Packet::new_checked(data)
        {
            self.shelf.open().arrived.push((packet.ssrc(), packet.sequence()));
        }
        self.endpoint.handle(now, input);
    }

    fn poll_output(&mut self) -> Output<'_> {
        self.endpoint.poll_output()
    }
}
