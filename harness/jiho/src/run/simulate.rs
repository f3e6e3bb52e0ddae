//! A run in virtual time.

use std::net::SocketAddr;

use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::link::{Direction, Jitter, Link, Loss};
use jiho_sim::World;

use super::cast;
use super::interrupt::Interrupt;
use super::keeper::Keeper;
use super::relays;
use crate::experiment::{self, Experiment};

/// Progress is told this often, in virtual time.
const SLICE: Nanos = Nanos::from_millis(250);
const TOKEN: &str = "simulation";

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
    let relay_addr = SocketAddr::from(([10, 0, 0, 1], 4005));
    let way = |name: &String| experiment.links.get(name).map(link).unwrap_or_default();
    let relay_link = experiment.relay.link.as_ref().map(way).unwrap_or_default();
    let relay = relays::relay(experiment, relay_addr, TOKEN);
    let relay = world.add_node(relay_addr, Box::new(relay), keeper.staff("relay"), relay_link);
    world.start_at(relay, RunTime::START);
    let end = RunTime::START + experiment.run.total();
    let mut nodes = Vec::new();
    for (index, (member, link_name)) in cast::members(experiment).into_iter().enumerate() {
        let host = (index as u32 + 2).to_be_bytes();
        let addr = SocketAddr::from(([10, host[1], host[2], host[3]], 5004));
        let link = experiment.links.get(link_name).map(link).unwrap_or_default();
        let engine = member.engine(codec, TOKEN, addr)?;
        let node = world.add_node(addr, Box::new(engine), keeper.records(index), link);
        world.connect(node, relay);
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

fn link(link: &experiment::Link) -> Link {
    Link { up: direction(&link.up), down: direction(&link.down) }
}

fn direction(direction: &experiment::Direction) -> Direction {
    Direction {
        delay: direction.delay,
        loss: Loss::Independent(direction.loss.fraction()),
        jitter: match direction.jitter {
            Some(experiment::Jitter::Normal(sd)) => Jitter::Normal { sd },
            Some(experiment::Jitter::Uniform(max)) => Jitter::Uniform { max },
            None => Jitter::None,
        },
        ..Direction::default()
    }
}
