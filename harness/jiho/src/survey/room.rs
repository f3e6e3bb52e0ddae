//! A path as an experiment describes it: the same room, once per family.

use std::collections::BTreeMap;
use std::path::Path;

use jiho_analysis::arrivals::{Arrival, ArrivalKind};
use jiho_analysis::metrics::Relation;
use jiho_analysis::signal::Family;

use super::figures::Beep;
use super::level::Levels;
use super::{FAMILIES, Figures};
use crate::experiment::{Experiment, Signal};
use crate::run::measure::{Findings, RecorderHeard};
use crate::run::{self, Outcome, Progress, World};

/// Of each way so many beeps tell its level.
const LEVELS: usize = 5;

/// Runs the experiment with each family in turn, whatever signal it names; runs are kept in folders of `out` that are
/// named as the families are. Fewer families are given if a run was interrupted.
///
/// # Errors
/// As of [`run::run`].
pub fn survey(
    experiment: &Experiment,
    world: World,
    out: &Path,
    progress: &dyn Progress,
) -> anyhow::Result<Vec<Figures>> {
    let mut families = Vec::new();
    for family in FAMILIES {
        let experiment = Experiment { signal: with(&experiment.signal, family), ..experiment.clone() };
        let outcome = run::run(&experiment, &experiment.to_toml(), world, &out.join(family.name()), progress)?;
        families.push(figures(family, &outcome)?);
        if outcome.run.partial {
            break;
        }
    }
    Ok(families)
}

/// A family in its default rhythm; whether everybody sounds at once is the experiment's choice.
fn with(given: &Signal, family: Family) -> Signal {
    let mut signal = Signal::of(family);
    let coded = |signal: &Signal| match signal {
        Signal::Voiced(coded) | Signal::VoicedRobust(coded) | Signal::Noise(coded) | Signal::NoiseRobust(coded) => {
            Some(coded.together)
        }
        _ => None,
    };
    if let (
        Some(given),
        Signal::Voiced(own) | Signal::VoicedRobust(own) | Signal::Noise(own) | Signal::NoiseRobust(own),
    ) = (coded(given), &mut signal)
    {
        own.together = given;
    }
    signal
}

fn figures(family: Family, outcome: &Outcome) -> anyhow::Result<Figures> {
    let mut beeps = Vec::new();
    let mut echoes = 0;
    let mut way = 0;
    let Outcome { findings, folder, .. } = outcome;
    for recorder in &findings.recorders {
        let mut levels = Levels::open(&folder.path().join(format!("ear-{}.wav", recorder.name)), 0, family)?;
        let firsts = firsts(recorder);
        for pair in recorder.pairs.iter().filter(|pair| pair.relation != Relation::Own) {
            way += 1;
            let mut measured = 0;
            for observation in &pair.observations {
                let arrival = firsts.get(&(pair.speaker, observation.emission.beep));
                let detection = arrival.filter(|_| observation.delay.is_some()).map(|arrival| arrival.detection);
                let level = match &detection {
                    Some(detection) if measured < LEVELS => levels.gain_db(detection)?,
                    _ => None,
                };
                measured += usize::from(level.is_some());
                beeps.extend(Beep::of(way, observation, detection, level));
            }
        }
        echoes += echoes_of_others(recorder, findings);
    }
    // One clock for all: what changes is the path.
    Ok(Figures::of(family, &beeps, echoes, 0.0))
}

/// The arrivals of beeps, by speaker and beep.
fn firsts(recorder: &RecorderHeard) -> BTreeMap<(usize, u32), &Arrival> {
    let of_beeps = recorder.arrivals.iter().filter(|(_, arrival)| arrival.kind() == ArrivalKind::Beep);
    of_beeps.filter_map(|(speaker, arrival)| Some((((*speaker)?, arrival.beep?), arrival))).collect()
}

fn echoes_of_others(recorder: &RecorderHeard, findings: &Findings) -> usize {
    let other = |speaker: &Option<usize>| speaker.is_some_and(|index| findings.speakers[index].name != recorder.name);
    let echoes = recorder.arrivals.iter().filter(|(_, arrival)| arrival.kind() == ArrivalKind::Echo);
    echoes.filter(|(speaker, _)| other(speaker)).count()
}
