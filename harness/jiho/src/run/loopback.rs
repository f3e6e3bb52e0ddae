//! A run in real time over this machine's loopback: the relay and every participant on a thread and a socket of their
//! own, signalling over TCP. Each is behind the link that the experiment gives it, with the luck that it has in
//! simulation; what the machine itself adds comes on top.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::engine::Engine;
use jiho_proto::link::{Impaired, Link};

use super::cast;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::relays;
use crate::experiment::Experiment;

/// How often progress is told, and how soon an interrupt is noticed.
const TICK: Duration = Duration::from_millis(100);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const TOKEN: &str = "loopback";

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
    let codec = cast::codec(&experiment.media.codec);
    let socket = Socket::bind(ANY_PORT)?;
    let media = socket.local_addr();
    let (server, link) = control::serve(ANY_PORT, socket.waker()).await?;
    let seed = u64::from(experiment.run.seed);
    let relay = behind(relays::link(experiment), relays::relay(experiment, media, TOKEN), media, seed, 0);
    let relay = MediaThread::spawn("relay", relay, socket, clock, link, keeper.staff("relay"))
        .context("cannot start the relay's thread")?;
    let mut threads = Vec::new();
    let mut clients = Vec::new();
    for (index, member) in cast::members(experiment).into_iter().enumerate() {
        let name = member.participant().name;
        let socket = Socket::bind(ANY_PORT)?;
        let (client, signalling) =
            control::connect(&server.local_addr().to_string(), CONNECT_TIMEOUT, socket.waker()).await?;
        let (address, link) = (socket.local_addr(), member.link().clone());
        let records = member.by_own_clock(keeper.records(index));
        let engine = behind(link, member.engine(codec, TOKEN, address)?, address, seed, index as u64 + 1);
        let thread = MediaThread::spawn(&name, engine, socket, clock, signalling, records)
            .with_context(|| format!("cannot start {name}'s thread"))?;
        threads.push(thread);
        clients.push(client);
    }
    let end = RunTime::START + experiment.run.total();
    // An engine ends early only when something went wrong: its report says what.
    while clock.now() < end && !interrupt.wanted() && !threads.iter().any(MediaThread::is_finished) {
        let left = (end - clock.now()).max(Nanos::ZERO).to_std();
        tokio::time::sleep(left.min(TICK)).await;
        progress(clock.now());
    }
    threads.iter().for_each(MediaThread::stop);
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

/// Puts an engine behind a link. `node` is its number in simulation, whose luck it shares.
fn behind<E: Engine + 'static>(link: Link, engine: E, address: SocketAddr, seed: u64, node: u64) -> Box<dyn Engine> {
    if link == Link::default() {
        return Box::new(engine);
    }
    Box::new(Impaired::new(engine, address, link, seed, node))
}
