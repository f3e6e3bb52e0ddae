//! How rightly the architectures of finished runs are named from their sound, and what is to be counted of them.
//!
//! `cargo run --release -p jiho --example topology -- runs/*` sets what is said of each run's folder beside its
//! experiment, which only this program looks at. With `--counts` it prints the outcomes of these runs as
//! `analysis/src/metrics/topology/likelihoods.csv` has them.

// A program for people.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;

use jiho::experiment::{Architecture, Experiment, Through};
use jiho::report::topology::tier_name;
use jiho::run;
use jiho::run::folder::Folder;
use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Counts, Finding, Hypothesis, Verdict, outcomes};

fn main() -> anyhow::Result<()> {
    let mut counts = Counts::default();
    let mut score = [0; 4];
    let mut counting = false;
    for argument in std::env::args().skip(1) {
        if argument == "--counts" {
            counting = true;
            continue;
        }
        let folder = Folder::open(Path::new(&argument))?;
        let given = std::fs::read_to_string(folder.experiment_effective())?;
        let experiment = Experiment::parse(&given, &folder.experiment_effective())?;
        let observations = run::observations::read(std::slice::from_ref(&folder))?;
        for (tier, truth) in truth(&experiment) {
            outcomes(&observations, tier).iter().for_each(|outcome| counts.add(outcome, truth));
        }
        for finding in run::architecture(std::slice::from_ref(&folder))? {
            let truth = truth(&experiment).into_iter().find(|(tier, _)| *tier == finding.tier).map(|(_, truth)| truth);
            judge(&argument, &finding, truth, &mut score);
        }
    }
    if counting {
        print!("{}", counts.write());
    }
    let [all, first, named, wrong] = score;
    eprintln!("{all} tiers: {first} with the right one first, {named} named, {wrong} of these wrongly");
    Ok(())
}

fn judge(run: &str, finding: &Finding, truth: Option<Hypothesis>, score: &mut [u32; 4]) {
    let Some(first) = finding.ranking.first() else { return };
    let right = Some(first.hypothesis) == truth;
    let named = finding.verdict == Verdict::Named;
    for (count, counts) in score.iter_mut().zip([true, right, named, named && !right]) {
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
