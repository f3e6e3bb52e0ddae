//! A room with somebody on the stage, somebody in the audience, and a moderator.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::Action;
use jiho_proto::endpoint::{Endpoint, EndpointConfig, MouthConfig};
use jiho_proto::event::{Event, StepTaken};
use jiho_proto::handshake::Promotion;
use jiho_proto::link::{Direction, Link};
use jiho_proto::moderator::Moderator;
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::records::{KeepError, Records};
use jiho_proto::speaker::Mouth;
use jiho_relay::{Relay, RelayConfig, Serving};
use jiho_sim::{NodeId, World};

pub(crate) const TOKEN: &str = "secret";
/// One way between an endpoint and the relay.
pub(crate) const DELAY: Nanos = Nanos::from_millis(50);
/// When the moderator commands.
pub(crate) const ASKED: RunTime = RunTime(2_000_000_000);

/// Says the same all the time, as loud as its name is long.
#[derive(Debug)]
struct Hum(f32);

impl Mouth for Hum {
    fn fill(&mut self, _: &SampleClock, _: MediaTime, out: &mut [f32]) {
        out.fill(self.0);
    }
}

#[derive(Clone, Default)]
pub(crate) struct Notebook(Arc<Mutex<Kept>>);

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) ear: Vec<f32>,
    pub(crate) events: Vec<(RunTime, Event)>,
}

impl Notebook {
    /// What is in it so far.
    pub(crate) fn take(&self) -> Kept {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Records for Notebook {
    fn ear(&mut self, _: MediaTime, samples: &[f32]) -> Result<(), KeepError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ear.extend_from_slice(samples);
        Ok(())
    }

    fn event(&mut self, at: RunTime, event: Event) -> Result<(), KeepError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).events.push((at, event));
        Ok(())
    }
}

/// What one node did.
pub(crate) struct Noted(pub(crate) Kept);

impl Noted {
    /// When a step of a change was taken, and its detail; in order.
    pub(crate) fn steps(&self, change: Change) -> Vec<(RunTime, Step, String)> {
        let step = |(at, event): &(RunTime, Event)| match event {
            Event::Step(StepTaken { change: of, step, detail, .. }) if *of == change => {
                Some((*at, *step, detail.clone()))
            }
            _ => None,
        };
        self.0.events.iter().filter_map(step).collect()
    }

    /// When a step was taken for the first time.
    pub(crate) fn at(&self, change: Change, step: Step) -> Option<RunTime> {
        self.steps(change).into_iter().find(|(_, taken, _)| *taken == step).map(|(at, ..)| at)
    }

    /// How often a step was taken.
    pub(crate) fn count(&self, change: Change, step: Step) -> usize {
        self.steps(change).iter().filter(|(_, taken, _)| *taken == step).count()
    }
}

pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) relay: NodeId,
    pub(crate) lena: NodeId,
    books: Vec<Notebook>,
}

pub(crate) const RELAY: usize = 0;
pub(crate) const ANA: usize = 1;
pub(crate) const LENA: usize = 2;
pub(crate) const MODERATOR: usize = 3;

pub(crate) fn addr(host: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, host), 5004).into()
}

pub(crate) fn promote() -> Action {
    Action::Promote("lena".to_owned())
}

impl House {
    /// Ana on the stage, Lena in the audience over `link`; commands at [`ASKED`] and so much later.
    pub(crate) fn new(seed: u64, promotion: Promotion, link: Direction, agenda: Vec<(Nanos, Action)>) -> Self {
        Self::serving([Serving::Forward; 2], seed, promotion, link, agenda)
    }

    /// The same with a stage and an audience of these architectures.
    pub(crate) fn serving(
        [stage, audience]: [Serving; 2],
        seed: u64,
        promotion: Promotion,
        link: Direction,
        agenda: Vec<(Nanos, Action)>,
    ) -> Self {
        let mut world = World::new(seed);
        let mut books = Vec::new();
        let mut book = || {
            let book = Notebook::default();
            books.push(book.clone());
            Box::new(book)
        };
        let config = RelayConfig::forwarding(addr(1), TOKEN.to_owned(), CodecConfig::L16);
        let config = RelayConfig { promotion, stage, audience, ..config };
        let relay = world.add_node(addr(1), Box::new(Relay::new(config)), book(), Link::default());
        let ana = world.add_node(addr(2), endpoint("ana", Role::Speaker, 2), book(), Link::symmetric(link.clone()));
        let lena = world.add_node(addr(3), endpoint("lena", Role::Listener, 3), book(), Link::symmetric(link));
        let agenda = agenda.into_iter().map(|(after, action)| (ASKED + after, action)).collect();
        let moderator = Moderator::new(TOKEN.to_owned(), agenda);
        let moderator = world.add_node(addr(4), Box::new(moderator), book(), Link::default());
        world.start_at(relay, RunTime::START);
        for client in [ana, lena, moderator] {
            world.connect(client, relay);
            world.start_at(client, RunTime::START);
        }
        Self { world, relay, lena, books }
    }

    /// Runs up to an instant and gives what everybody noted, by [`RELAY`], [`ANA`], [`LENA`] and [`MODERATOR`].
    pub(crate) fn run(mut self, until: RunTime) -> Vec<Noted> {
        self.world.run_until(until).unwrap();
        self.books.into_iter().map(|book| Noted(book.take())).collect()
    }
}

/// Somebody whose mouth and ear begin with the room.
fn endpoint(name: &str, role: Role, number: u8) -> Box<Endpoint> {
    let config = EndpointConfig {
        name: name.to_owned(),
        role,
        token: TOKEN.to_owned(),
        media: addr(number),
        codec: CodecConfig::L16,
        playout: PlayoutPolicy::Fixed { delay: Nanos::from_millis(40) },
        subscribe: None,
        seal: None,
        card: SoundCard::default(),
        ear_phase: Nanos::ZERO,
        mouth: Some(MouthConfig {
            ssrc: number.into(),
            first_sequence: 0,
            first_timestamp: 0,
            phase: Nanos::ZERO,
            mouth: Box::new(Hum(0.1 * name.len() as f32)),
        }),
        drop_probe: None,
    };
    Box::new(Endpoint::new(config).unwrap())
}

/// Lena, in the audience.
pub(crate) fn listener() -> Box<Endpoint> {
    endpoint("lena", Role::Listener, 3)
}

/// Links that delay every packet alike.
pub(crate) fn constant() -> Direction {
    Direction { delay: DELAY, ..Direction::default() }
}
