//! How rightly the architectures of finished runs are named from their sound, and what is to be counted of them.
//!
//! `cargo run --release -p jiho --example topology -- runs/*` sets what is said of each run's folder beside its
//! experiment, which only this program looks at. A folder without one is a random room's, named after its seed; random
//! rooms are tabled at the end. With `--counts PRIOR.csv WEIGHT` it prints the outcomes of these runs, beside those of many simpler
//! rooms that weigh as much as so many of each architecture, as `analysis/src/metrics/topology/likelihoods.csv` has them; `--likelihoods FILE.csv` judges by others than those.

// A program for people.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;

use anyhow::Context;
use jiho::experiment::{Architecture, Experiment, Through};
use jiho::random_rooms::{RandomRoom, Table, Wish, draw};
use jiho::report::topology::tier_name;
use jiho::run;
use jiho::run::folder::Folder;
use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Counts, Finding, Hypothesis, Verdict, findings, outcomes};

fn main() -> anyhow::Result<()> {
    let mut counts = Counts::default();
    let mut standard = Counts::standard()?;
    let mut table = Table::default();
    let mut score = [0; 4];
    let mut counting = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut file = || -> anyhow::Result<Counts> {
            let path = arguments.next().context("there is no file behind it")?;
            Ok(Counts::read(&std::fs::read_to_string(&path).with_context(|| path)?)?)
        };
        match argument.as_str() {
            "--counts" => {
                let prior = file().context("--counts")?;
                let weight = arguments.next().context("--counts FILE.csv: there is no weight behind it")?;
                counts = prior.as_prior(weight.parse()?);
                counting = true;
                continue;
            }
            "--likelihoods" => {
                standard = file().context("--likelihoods")?;
                continue;
            }
            _ => {}
        }
        let folder = Folder::open(Path::new(&argument))?;
        let room = random_room(Path::new(&argument));
        let truths = match &room {
            Some(RandomRoom { truth, .. }) => [Relation::Stage, Relation::Audience].map(|tier| (tier, truth.of(tier))),
            None => {
                let given = std::fs::read_to_string(folder.experiment_effective())?;
                truth(&Experiment::parse(&given, &folder.experiment_effective())?)
            }
        };
        let observations = run::observations::read(std::slice::from_ref(&folder))?;
        for (tier, truth) in truths {
            outcomes(&observations, tier).iter().for_each(|outcome| counts.add(outcome, truth));
        }
        let found = findings(&observations, &standard);
        for finding in &found {
            let truth = truths.iter().find(|(tier, _)| *tier == finding.tier).map(|(_, truth)| *truth);
            judge(&argument, finding, truth, &mut score);
        }
        room.iter().for_each(|room| table.add(room, &found));
    }
    if counting {
        print!("{}", counts.write());
    }
    let [all, first, named, wrong] = score;
    if table != Table::default() {
        eprintln!("{table}");
    }
    eprintln!("{all} tiers: {first} with the right one first, {named} named, {wrong} said to be what they are not");
    Ok(())
}

/// What was drawn from the seed that a folder without an experiment is named after.
fn random_room(folder: &Path) -> Option<RandomRoom> {
    let seed = folder.file_name()?.to_str()?.parse().ok()?;
    (!Folder::open(folder).ok()?.experiment_effective().exists()).then(|| draw(seed, Wish::default()))
}

fn judge(run: &str, finding: &Finding, truth: Option<Hypothesis>, score: &mut [u32; 4]) {
    let Some(first) = finding.ranking.first() else { return };
    let right = Some(first.hypothesis) == truth;
    let named = finding.verdict() == Verdict::Named;
    for (count, counts) in
        score.iter_mut().zip([true, right, named, truth.is_some_and(|truth| !finding.credible.contains(&truth))])
    {
        *count += u32::from(counts);
    }
    let ranking = finding.ranking.iter().map(|r| format!("{} {:+.1}", r.hypothesis.name(), r.log_odds));
    eprintln!(
        "{run} {} is {}{}{}: {}",
        tier_name(finding.tier),
        truth.map_or("unknown", Hypothesis::name),
        if right { "" } else { ", NOT FIRST" },
        if named { ", named" } else { "" },
        ranking.collect::<Vec<_>>().join(", ")
    );
    for evidence in &finding.evidence {
        let own = truth.map_or(0.0, |truth| evidence.of(truth) - evidence.of(first.hypothesis));
        eprintln!("    {:<16} {own:+.2}  {}", evidence.kind.name(), evidence.sentence);
    }
}

/// What the experiment says.
fn truth(experiment: &Experiment) -> [(Relation, Hypothesis); 2] {
    let cascade = matches!(experiment.stage, Architecture::Cascade(_));
    let of = |architecture: &Architecture| match architecture {
        Architecture::Mesh {} => Hypothesis::Mesh,
        Architecture::Forward {} if cascade => Hypothesis::Cascade,
        Architecture::Forward {} => Hypothesis::Forward,
        Architecture::Mix(_) => Hypothesis::Mix,
        Architecture::Cascade(_) => Hypothesis::Cascade,
        Architecture::Tier(tier) => match tier.through {
            Through::Forward {} => Hypothesis::DelayedForward,
            Through::Mix(_) => Hypothesis::DelayedMix,
        },
    };
    [(Relation::Stage, of(&experiment.stage)), (Relation::Audience, of(&experiment.audience))]
}
