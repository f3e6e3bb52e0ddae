//! A run in real time over this machine's loopback: the relay and every participant on a thread and a socket of their
//! own, signalling over TCP. Each is behind the link that the experiment gives it, with the luck that it has in
//! simulation; what the machine itself adds comes on top.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT, ControlClient};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::control::Action;
use jiho_proto::engine::Engine;
use jiho_proto::link::{Impaired, Link};
use jiho_proto::moderator::Moderator;
use jiho_proto::records::Records;

use super::cast::{self, Member};
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::relays;
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
    /// The relay's, then the participants' in the experiment's order.
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
    let socket = Socket::bind(ANY_PORT)?;
    let media = socket.local_addr();
    let (server, link) = control::serve(ANY_PORT, socket.waker()).await?;
    let seed = u64::from(experiment.run.seed);
    let relay = behind(relays::link(experiment), relays::relay(experiment, media, TOKEN), media, seed, 0);
    let relay = MediaThread::spawn("relay", relay, socket, clock, link, keeper.staff("relay"))
        .context("cannot start the relay's thread")?;
    let address = server.local_addr().to_string();
    let mut to_come: VecDeque<Comer> = comers(experiment, keeper).into();
    let mut there: Vec<Player> = Vec::new();
    let end = RunTime::START + experiment.run.total();
    loop {
        while let Some(comer) = to_come.pop_front_if(|comer| comer.comes <= clock.now()) {
            there.push(comer.enter(experiment, &address, clock).await?);
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
    relay.stop();
    reports.insert(0, tokio::task::spawn_blocking(move || relay.join()).await?);
    server.shutdown().await;
    Ok(Played { threads: reports, interrupted: interrupt.wanted() })
}

/// Somebody who is still to come: a participant, or the moderator.
struct Comer {
    index: usize,
    name: String,
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

/// Everybody, in order of their coming.
fn comers(experiment: &Experiment, keeper: &Keeper) -> Vec<Comer> {
    let members = cast::members(experiment).into_iter().enumerate().map(|(index, member)| Comer {
        index,
        name: member.participant().name,
        comes: member.comes.unwrap_or(RunTime::START),
        goes: member.goes,
        records: member.by_own_clock(keeper.records(index)),
        part: Part::Member(Box::new(member)),
    });
    let mut comers: Vec<Comer> = members.collect();
    let agenda = cast::agenda(experiment);
    if let Some(&(first, _)) = agenda.first() {
        comers.push(Comer {
            index: comers.len(),
            name: "moderator".to_owned(),
            comes: first + -MODERATOR_EARLY,
            goes: None,
            part: Part::Moderator(agenda),
            records: keeper.staff("moderator"),
        });
    }
    comers.sort_by_key(|comer| comer.comes);
    comers
}

impl Comer {
    async fn enter(self, experiment: &Experiment, relay: &str, clock: RunClock) -> anyhow::Result<Player> {
        let Self { index, name, goes, part, records, .. } = self;
        let socket = Socket::bind(ANY_PORT)?;
        let (client, signalling) = control::connect(relay, CONNECT_TIMEOUT, socket.waker()).await?;
        let engine: Box<dyn Engine> = match part {
            Part::Member(member) => {
                let (address, link) = (socket.local_addr(), member.link().clone());
                let engine = member.engine(cast::codec(&experiment.media.codec), TOKEN, address)?;
                behind(link, engine, address, u64::from(experiment.run.seed), index as u64 + 1)
            }
            Part::Moderator(agenda) => Box::new(Moderator::new(TOKEN.to_owned(), agenda)),
        };
        let thread = MediaThread::spawn(&name, engine, socket, clock, signalling, records)
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

/// Puts an engine behind a link. `node` is its number in simulation, whose luck it shares.
fn behind<E: Engine + 'static>(link: Link, engine: E, address: SocketAddr, seed: u64, node: u64) -> Box<dyn Engine> {
    if link == Link::default() {
        return Box::new(engine);
    }
    Box::new(Impaired::new(engine, address, link, seed, node))
}
