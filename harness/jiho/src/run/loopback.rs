//! A run in real time over this machine's loopback: every relay and every participant on a thread and a socket of their
//! own, signalling over TCP. Each is behind the link that the experiment gives it, with the luck that it has in
//! simulation; what the machine itself adds comes on top. Somebody else's relay takes the place of ours; on the bus sound
//! devices take the place of mouths and ears.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT, ControlClient, ControlLink, ControlServer};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::control::Action;
use jiho_proto::engine::Engine;
use jiho_proto::link::{Geography, Impaired, Link};
use jiho_proto::moderator::Moderator;
use jiho_proto::records::Records;

use super::Played;
use super::cast::{self, Member};
use super::door::{Answered, Door};
use super::external::ExternalRelay;
use super::geography;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::on_bus::OnBus;
use super::relays::{self, Station};
use super::unsignalled::Unsignalled;
use crate::experiment::Experiment;

/// How often progress is told, and how soon an interrupt is noticed.
const TICK: Duration = Duration::from_millis(100);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const TOKEN: &str = "loopback";
/// The moderator connects so long before the first command; a relay does not wait long for a client's first word.
const MODERATOR_EARLY: Nanos = Nanos::from_secs(1);

/// Plays an experiment through in real time, in a room of ours or of `theirs`; `progress` is told the run time reached.
///
/// # Errors
/// A socket or a thread cannot be had, the codec cannot be set so, or somebody's sound cannot be kept.
pub(super) async fn play(
    experiment: &Experiment,
    keeper: &Keeper,
    clock: RunClock,
    interrupt: &Interrupt,
    mut theirs: Option<&mut ExternalRelay>,
    mut on_bus: Option<&mut OnBus>,
    progress: &dyn Fn(RunTime),
) -> anyhow::Result<Played> {
    // All have their addresses before anybody comes: who is far from whom goes by these.
    let to_open = if theirs.is_some() { Vec::new() } else { relays::stations(experiment) };
    let sockets = to_open.iter().map(|_| Socket::bind(ANY_PORT)).collect::<Result<Vec<_>, _>>()?;
    let relay_addresses: Vec<SocketAddr> = sockets.iter().map(Socket::local_addr).collect();
    let their_door = experiment.relay.external.as_ref().map(Door::of);
    let own = match their_door {
        Some(door) => door.own_address(experiment).await?,
        None => ANY_PORT,
    };
    let (mut to_come, addresses) = comers(experiment, keeper, own, on_bus.as_deref_mut())?;
    let geography = Arc::new(geography::settled(experiment, &relay_addresses, &addresses));
    let token = theirs.as_ref().map_or(TOKEN, |relay| relay.token()).to_owned();
    let setting = Setting { experiment, clock, geography, token };
    let mut stations: Vec<(ControlServer, MediaThread)> = Vec::new();
    for (index, (station, socket)) in to_open.iter().zip(sockets).enumerate() {
        let parent = station.of.and_then(|of| stations.get(of)).map(|(server, _)| server.local_addr().to_string());
        stations.push(enter_relay(&setting, keeper, index, station, socket, parent).await?);
    }
    let places = relays::places(experiment);
    let mut there: Vec<Player> = Vec::new();
    let mut failure = None;
    let end = RunTime::START + experiment.run.total();
    loop {
        while let Some(comer) = to_come.pop_front_if(|comer| comer.comes <= clock.now()) {
            // The moderator is at the first one.
            let place = places.get(comer.index).copied().unwrap_or_default();
            let player = match their_door {
                Some(door) => comer.enter(&setting, door, None).await?,
                None => {
                    let relay = stations[place].0.local_addr().to_string();
                    comer.enter(&setting, Door::Control(&relay), Some(relay_addresses[place])).await?
                }
            };
            there.push(player);
        }
        // An engine ends early only when something went wrong: its report says what.
        let ended = there.iter().any(|player| player.thread.is_finished() && !player.gone);
        if let Some(relay) = &mut theirs {
            let unanswered = there.iter().find(|player| player.waits_in_vain(clock.now()));
            failure = relay.check("in the middle of the run").err().map(|error| error.to_string());
            failure = failure.or_else(|| unanswered.map(Player::unanswered));
        }
        let silent = on_bus.as_ref().is_some_and(|on_bus| on_bus.is_over());
        if clock.now() >= end || interrupt.wanted() || ended || silent || failure.is_some() {
            break;
        }
        there.iter_mut().for_each(|player| player.go_if_due(clock.now()));
        let comings = to_come.front().map(|comer| comer.comes);
        let goings = there.iter().filter(|player| !player.gone).filter_map(|player| player.goes);
        let next = comings.into_iter().chain(goings).fold(end, RunTime::min);
        let left = (next - clock.now()).max(Nanos::ZERO).to_std();
        tokio::time::sleep(left.min(TICK)).await;
        progress(clock.now());
    }
    if let (Some(relay), None) = (theirs, &failure) {
        // Its participants may have noticed first.
        failure = relay.check("in the middle of the run").err().map(|error| error.to_string());
    }
    there.iter().for_each(|player| player.thread.stop());
    there.sort_by_key(|player| player.index);
    let (threads, clients): (Vec<MediaThread>, Vec<Option<ControlClient>>) =
        there.into_iter().map(|player| (player.thread, player.client)).unzip();
    let mut reports = tokio::task::spawn_blocking(move || -> Vec<MediaReport> {
        threads.into_iter().map(MediaThread::join).collect()
    })
    .await?;
    for client in clients.into_iter().flatten() {
        client.closed().await;
    }
    let (mut servers, mut relays) = (Vec::new(), Vec::new());
    // Edges take their leave before the relay whose edges they are.
    for (server, relay) in stations.into_iter().rev() {
        relay.stop();
        relays.push(tokio::task::spawn_blocking(move || relay.join()).await?);
        servers.push(server);
    }
    reports.splice(..0, relays.into_iter().rev());
    for server in servers {
        server.shutdown().await;
    }
    Ok(Played { threads: reports, interrupted: interrupt.wanted(), failure })
}

/// What all who enter have in common.
struct Setting<'e> {
    experiment: &'e Experiment,
    clock: RunClock,
    geography: Arc<Geography>,
    token: String,
}

/// The `index`-th relay, with its server for signalling; `parent` is the one whose edge it is.
async fn enter_relay(
    setting: &Setting<'_>,
    keeper: &Keeper,
    index: usize,
    station: &Station<'_>,
    socket: Socket,
    parent: Option<String>,
) -> anyhow::Result<(ControlServer, MediaThread)> {
    let Setting { experiment, clock, geography, token } = setting;
    let media = socket.local_addr();
    let (server, signalling) = match &parent {
        Some(parent) => control::serve_edge(ANY_PORT, parent, CONNECT_TIMEOUT, socket.waker()).await?,
        None => control::serve(ANY_PORT, socket.waker()).await?,
    };
    let relay = relays::relay(experiment, index, parent.is_some(), media, token);
    // A link here would lie on the trunks too, so relays of a cascade have none.
    let link = if experiment.edges().is_empty() { relays::link(experiment) } else { Link::default() };
    // Whoever signals to a relay counts the way there and back.
    let relay = behind(link, relay, media, (u64::from(experiment.run.seed), 0), geography, None);
    let thread = MediaThread::spawn(station.name, relay, socket, *clock, signalling, keeper.staff(station.name))
        .with_context(|| format!("cannot start the thread of {}", station.name))?;
    Ok((server, thread))
}

/// Somebody who is still to come: a participant, or the moderator.
struct Comer {
    index: usize,
    name: String,
    socket: Socket,
    comes: RunTime,
    goes: Option<RunTime>,
    part: Part,
    records: Box<dyn Records>,
}

enum Part {
    Member(Box<Member>),
    Moderator(Vec<(RunTime, Action)>),
}

/// Somebody who is there.
struct Player {
    index: usize,
    goes: Option<RunTime>,
    gone: bool,
    thread: MediaThread,
    /// Its signalling, if there is any.
    client: Option<ControlClient>,
    name: String,
    /// Until when the relay is waited for, and whether it has answered; of a participant with signalling.
    answer: Option<(RunTime, Arc<AtomicBool>)>,
}

/// Everybody, in order of their coming, and the participants' addresses in the experiment's order.
fn comers(
    experiment: &Experiment,
    keeper: &Keeper,
    own: SocketAddr,
    mut on_bus: Option<&mut OnBus>,
) -> anyhow::Result<(VecDeque<Comer>, Vec<SocketAddr>)> {
    let mut comers = Vec::new();
    let speakers = experiment.speakers.iter().map(|speaker| speaker.media);
    let media: Vec<_> = speakers.chain(experiment.listeners.iter().map(|listener| listener.media)).collect();
    for (index, mut member) in cast::members(experiment).into_iter().enumerate() {
        let mut records = member.by_own_clock(keeper.records(index));
        if let Some(seat) = on_bus.as_mut().and_then(|on_bus| on_bus.seat(index)) {
            let microphone;
            (microphone, records) = seat.records(records);
            member = member.through(microphone);
        }
        comers.push(Comer {
            index,
            name: member.participant().name,
            socket: Socket::bind(media.get(index).copied().flatten().unwrap_or(own))?,
            comes: member.comes.unwrap_or(RunTime::START),
            goes: member.goes,
            records,
            part: Part::Member(Box::new(member)),
        });
    }
    let addresses = comers.iter().map(|comer| comer.socket.local_addr()).collect();
    let agenda = cast::agenda(experiment);
    if let Some(&(first, _)) = agenda.first() {
        comers.push(Comer {
            index: comers.len(),
            name: "moderator".to_owned(),
            socket: Socket::bind(ANY_PORT)?,
            comes: first + -MODERATOR_EARLY,
            goes: None,
            part: Part::Moderator(agenda),
            records: keeper.staff("moderator"),
        });
    }
    comers.sort_by_key(|comer| comer.comes);
    Ok((comers.into(), addresses))
}

impl Comer {
    /// Comes in by a door; `media` is where the relay takes media, if that is known beforehand.
    async fn enter(self, setting: &Setting<'_>, door: Door<'_>, media: Option<SocketAddr>) -> anyhow::Result<Player> {
        let Setting { experiment, clock, geography, token } = setting;
        let Self { index, name, socket, goes, part, records, .. } = self;
        let (client, signalling) = match door {
            Door::Control(relay) => {
                let (client, signalling) = control::connect(relay, CONNECT_TIMEOUT, socket.waker()).await?;
                (Some(client), signalling)
            }
            Door::Plain(_) => (None, ControlLink::none()),
        };
        let (records, answered) = Answered::new(records);
        let mut answer = None;
        let engine: Box<dyn Engine> = match part {
            Part::Member(member) => {
                let (address, link) = (socket.local_addr(), member.link().clone());
                let codec = cast::codec(&experiment.media.codec);
                let engine = member.engine(codec, token, address)?;
                let luck = (u64::from(experiment.run.seed), index as u64 + 1);
                match door {
                    Door::Control(_) => {
                        answer = Some((clock.now() + Nanos::from(CONNECT_TIMEOUT), answered));
                        behind(link, engine, address, luck, geography, media)
                    }
                    Door::Plain(rtp) => {
                        let engine = Unsignalled::new(engine, rtp, codec.payload_type());
                        behind(link, engine, address, luck, geography, media)
                    }
                }
            }
            Part::Moderator(agenda) => Box::new(Moderator::new(token.clone(), agenda)),
        };
        let thread = MediaThread::spawn(&name, engine, socket, *clock, signalling, Box::new(records))
            .with_context(|| format!("cannot start {name}'s thread"))?;
        Ok(Player { index, goes, gone: false, thread, client, name, answer })
    }
}

impl Player {
    /// The relay has had its time to let it in, or to refuse.
    fn waits_in_vain(&self, now: RunTime) -> bool {
        self.answer.as_ref().is_some_and(|(until, answered)| now > *until && !answered.load(Ordering::Relaxed))
    }

    fn unanswered(&self) -> String {
        let seconds = CONNECT_TIMEOUT.as_secs();
        format!("{}: the relay did not answer within {seconds} s; does it speak jiho's signalling?", self.name)
    }

    fn go_if_due(&mut self, now: RunTime) {
        if self.goes.is_some_and(|goes| goes <= now) && !self.gone {
            self.gone = true;
            self.thread.stop();
        }
    }
}

/// Puts an engine behind a link and into its place; `luck` is the run's seed and the engine's number in simulation, whose
/// luck it shares. Its signalling goes to `control`.
pub(super) fn behind<E: Engine + 'static>(
    link: Link,
    engine: E,
    address: SocketAddr,
    luck: (u64, u64),
    geography: &Arc<Geography>,
    control: Option<SocketAddr>,
) -> Box<dyn Engine> {
    if link == Link::default() && **geography == Geography::default() {
        return Box::new(engine);
    }
    Box::new(Impaired::new(engine, address, link, luck.0, luck.1).placed(Arc::clone(geography), control))
}
