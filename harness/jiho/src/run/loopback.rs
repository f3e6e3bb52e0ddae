//! A run in real time over this machine's loopback: every relay and every participant on a thread and a socket of their
//! own, signalling over TCP. Each is behind the link that the experiment gives it, with the luck that it has in
//! simulation; what the machine itself adds comes on top.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT, ControlClient, ControlServer};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::control::Action;
use jiho_proto::engine::Engine;
use jiho_proto::link::{Geography, Impaired, Link};
use jiho_proto::moderator::Moderator;
use jiho_proto::records::Records;

use super::cast::{self, Member};
use super::geography;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::relays::{self, Station};
use crate::experiment::Experiment;

/// How often progress is told, and how soon an interrupt is noticed.
const TICK: Duration = Duration::from_millis(100);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const TOKEN: &str = "loopback";
/// The moderator connects so long before the first command; a relay does not wait long for a client's first word.
const MODERATOR_EARLY: Nanos = Nanos::from_secs(1);

/// How the threads fared, and whether the run was cut short.
#[derive(Debug)]
pub(super) struct Played {
    /// The relays', then the participants' in the experiment's order.
    pub(super) threads: Vec<MediaReport>,
    /// Ctrl-C came.
    pub(super) interrupted: bool,
}

/// Plays an experiment through in real time; `progress` is told the run time reached.
///
/// # Errors
/// A socket or a thread cannot be had, the codec cannot be set so, or somebody's sound cannot be kept.
pub(super) async fn play(
    experiment: &Experiment,
    keeper: &Keeper,
    clock: RunClock,
    interrupt: &Interrupt,
    progress: &dyn Fn(RunTime),
) -> anyhow::Result<Played> {
    // All have their addresses before anybody comes: who is far from whom goes by these.
    let to_open = relays::stations(experiment);
    let sockets = to_open.iter().map(|_| Socket::bind(ANY_PORT)).collect::<Result<Vec<_>, _>>()?;
    let relay_addresses: Vec<SocketAddr> = sockets.iter().map(Socket::local_addr).collect();
    let (mut to_come, addresses) = comers(experiment, keeper)?;
    let geography = Arc::new(geography::settled(experiment, &relay_addresses, &addresses));
    let setting = Setting { experiment, clock, geography };
    let mut stations: Vec<(ControlServer, MediaThread)> = Vec::new();
    for (index, (station, socket)) in to_open.iter().zip(sockets).enumerate() {
        let parent = station.of.and_then(|of| stations.get(of)).map(|(server, _)| server.local_addr().to_string());
        stations.push(enter_relay(&setting, keeper, index, station, socket, parent).await?);
    }
    let places = relays::places(experiment);
    let mut there: Vec<Player> = Vec::new();
    let end = RunTime::START + experiment.run.total();
    loop {
        while let Some(comer) = to_come.pop_front_if(|comer| comer.comes <= clock.now()) {
            // The moderator is at the first one.
            let place = places.get(comer.index).copied().unwrap_or_default();
            let relay = stations[place].0.local_addr().to_string();
            there.push(comer.enter(&setting, &relay, relay_addresses[place]).await?);
        }
        // An engine ends early only when something went wrong: its report says what.
        let ended = there.iter().any(|player| player.thread.is_finished() && !player.gone);
        if clock.now() >= end || interrupt.wanted() || ended {
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
    there.iter().for_each(|player| player.thread.stop());
    there.sort_by_key(|player| player.index);
    let (threads, clients): (Vec<MediaThread>, Vec<ControlClient>) =
        there.into_iter().map(|player| (player.thread, player.client)).unzip();
    let mut reports = tokio::task::spawn_blocking(move || -> Vec<MediaReport> {
        threads.into_iter().map(MediaThread::join).collect()
    })
    .await?;
    for client in clients {
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
    Ok(Played { threads: reports, interrupted: interrupt.wanted() })
}

/// What all who enter have in common.
struct Setting<'e> {
    experiment: &'e Experiment,
    clock: RunClock,
    geography: Arc<Geography>,
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
    let Setting { experiment, clock, geography } = setting;
    let media = socket.local_addr();
    let (server, signalling) = match &parent {
        Some(parent) => control::serve_edge(ANY_PORT, parent, CONNECT_TIMEOUT, socket.waker()).await?,
        None => control::serve(ANY_PORT, socket.waker()).await?,
    };
    let relay = relays::relay(experiment, index, parent.is_some(), media, TOKEN);
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
    client: ControlClient,
}

/// Everybody, in order of their coming, and the participants' addresses in the experiment's order.
fn comers(experiment: &Experiment, keeper: &Keeper) -> anyhow::Result<(VecDeque<Comer>, Vec<SocketAddr>)> {
    let mut comers = Vec::new();
    for (index, member) in cast::members(experiment).into_iter().enumerate() {
        comers.push(Comer {
            index,
            name: member.participant().name,
            socket: Socket::bind(ANY_PORT)?,
            comes: member.comes.unwrap_or(RunTime::START),
            goes: member.goes,
            records: member.by_own_clock(keeper.records(index)),
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
    /// Comes in at the relay whose address for signalling is `relay`, and for media `relay_media`.
    async fn enter(self, setting: &Setting<'_>, relay: &str, relay_media: SocketAddr) -> anyhow::Result<Player> {
        let Setting { experiment, clock, geography } = setting;
        let Self { index, name, socket, goes, part, records, .. } = self;
        let (client, signalling) = control::connect(relay, CONNECT_TIMEOUT, socket.waker()).await?;
        let engine: Box<dyn Engine> = match part {
            Part::Member(member) => {
                let (address, link) = (socket.local_addr(), member.link().clone());
                let engine = member.engine(cast::codec(&experiment.media.codec), TOKEN, address)?;
                let luck = (u64::from(experiment.run.seed), index as u64 + 1);
                behind(link, engine, address, luck, geography, Some(relay_media))
            }
            Part::Moderator(agenda) => Box::new(Moderator::new(TOKEN.to_owned(), agenda)),
        };
        let thread = MediaThread::spawn(&name, engine, socket, *clock, signalling, records)
            .with_context(|| format!("cannot start {name}'s thread"))?;
        Ok(Player { index, goes, gone: false, thread, client })
    }
}

impl Player {
    fn go_if_due(&mut self, now: RunTime) {
        if self.goes.is_some_and(|goes| goes <= now) && !self.gone {
            self.gone = true;
            self.thread.stop();
        }
    }
}

/// Puts an engine behind a link and into its place; `luck` is the run's seed and the engine's number in simulation, whose
/// luck it shares. Its signalling goes to `control`.
fn behind<E: Engine + 'static>(
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
