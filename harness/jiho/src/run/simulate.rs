//! A run in virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::link::Link;
use jiho_proto::moderator::Moderator;
use jiho_sim::World;

use super::cast;
use super::geography;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::relays;
use crate::experiment::Experiment;

/// Progress is told this often, in virtual time.
const SLICE: Nanos = Nanos::from_millis(250);
const TOKEN: &str = "simulation";
const MODERATOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254)), 5004);
const FIRST_RELAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 4005);

/// Plays an experiment through; `progress` is told the run time reached.
///
/// # Errors
/// The codec cannot be set so, or the run's files cannot be written.
pub(super) fn play(
    experiment: &Experiment,
    keeper: &Keeper,
    interrupt: &Interrupt,
    progress: &dyn Fn(RunTime),
) -> anyhow::Result<()> {
    let codec = cast::codec(&experiment.media.codec);
    let mut world = World::new(u64::from(experiment.run.seed));
    let mut stations = Vec::new();
    let (mut relay_addresses, mut addresses) = (Vec::new(), Vec::new());
    for (index, station) in relays::stations(experiment).into_iter().enumerate() {
        let [.., high, low] = (index as u32).to_be_bytes();
        let addr = if index == 0 { FIRST_RELAY } else { SocketAddr::from(([10, 255, high, low], 4005)) };
        let relay = Box::new(relays::relay(experiment, index, station.of.is_some(), addr, TOKEN));
        let node = world.add_node(addr, relay, keeper.staff(station.name), relays::link(experiment));
        relay_addresses.push(addr);
        world.set_send_cost(node, experiment.relay.cost_per_packet);
        if let Some(&parent) = station.of.and_then(|of| stations.get(of)) {
            world.add_trunk(node, parent, relays::trunk(experiment, &station));
            world.connect(node, parent);
        }
        world.start_at(node, RunTime::START);
        stations.push(node);
    }
    let end = RunTime::START + experiment.run.total();
    let places = relays::places(experiment);
    let mut nodes = Vec::new();
    for (index, member) in cast::members(experiment).into_iter().enumerate() {
        let host = (index as u32 + 2).to_be_bytes();
        let addr = SocketAddr::from(([10, host[1], host[2], host[3]], 5004));
        addresses.push(addr);
        let (link, wake_up) = (member.link().clone(), member.wake_up().cloned());
        let records = member.by_own_clock(keeper.records(index));
        let (comes, goes) = (member.comes.unwrap_or(RunTime::START), member.goes);
        let engine = member.engine(codec, TOKEN, addr)?;
        let node = world.add_node(addr, Box::new(engine), records, link);
        if let Some(wake_up) = wake_up {
            world.set_wake_up(node, wake_up);
        }
        world.connect(node, stations[places[index]]);
        world.start_at(node, comes);
        if let Some(goes) = goes {
            world.stop_at(node, goes);
        }
        nodes.push(node);
    }
    world.set_geography(geography::settled(experiment, &relay_addresses, &addresses));
    let agenda = cast::agenda(experiment);
    if !agenda.is_empty() {
        // Nothing lies between the moderator and the relay: what is commanded at an instant is there at that instant.
        let moderator = Box::new(Moderator::new(TOKEN.to_owned(), agenda));
        let node = world.add_node(MODERATOR, moderator, keeper.staff("moderator"), Link::default());
        world.connect(node, stations[0]);
        world.start_at(node, RunTime::START);
        nodes.push(node);
    }
    while world.now() < end && !interrupt.wanted() {
        world.run_until((world.now() + SLICE).min(end))?;
        progress(world.now());
    }
    let end = world.now();
    nodes.into_iter().for_each(|node| world.stop_at(node, end));
    Ok(world.run_until(end)?)
}
