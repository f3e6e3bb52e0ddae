//! How often what was concluded of rooms is what they are.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Finding, Hypothesis, Verdict};

use super::Truth;

/// Ends of the ranges of stated probabilities that are held against how often they came true.
const STATED: [f64; 7] = [0.0, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0];

/// Counts of conclusions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By tier and truth.
    by_truth: BTreeMap<(&'static str, Hypothesis), Count>,
    /// By the range that the first one's probability is in: how many, of which right, and the sum of what was stated.
    stated: [(usize, usize, f64); STATED.len() - 1],
    /// Which was named in place of which, by the room's seed.
    wrong: Vec<(u32, &'static str, Hypothesis, Hypothesis)>,
}

/// What was concluded of rooms with one truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tiers that were looked at.
    pub rooms: usize,
    /// The truth was first.
    pub first: usize,
    /// The truth was named.
    pub named: usize,
    /// Something else was named.
    pub misnamed: usize,
    /// Nothing was named.
    pub undecided: usize,
    /// What was first in place of the truth.
    pub mistaken_for: BTreeMap<Hypothesis, usize>,
}

impl Table {
    /// Takes what was concluded of a room.
    pub fn add(&mut self, seed: u32, truth: Truth, findings: &[Finding]) {
        for finding in findings {
            let (tier, truth) = match finding.tier {
                Relation::Stage => ("stage", truth.stage),
                Relation::Audience => ("audience", truth.audience),
                Relation::Own => continue,
            };
            let Some(first) = finding.ranking.first() else { continue };
            let right = first.hypothesis == truth;
            let count = self.by_truth.entry((tier, truth)).or_default();
            count.rooms += 1;
            count.first += usize::from(right);
            match finding.verdict {
                Verdict::Undecided => count.undecided += 1,
                Verdict::Named if right => count.named += 1,
                Verdict::Named => {
                    count.misnamed += 1;
                    self.wrong.push((seed, tier, truth, first.hypothesis));
                }
            }
            if !right {
                *count.mistaken_for.entry(first.hypothesis).or_default() += 1;
            }
            let probability = 1.0 / (1.0 + (-first.log_odds).exp());
            let range = STATED.windows(2).position(|ends| probability < ends[1]).unwrap_or(STATED.len() - 2);
            let (all, rights, sum) = &mut self.stated[range];
            *all += 1;
            *rights += usize::from(right);
            *sum += probability;
        }
    }

    /// Of a tier's rooms, whatever they are.
    pub fn of(&self, tier: &str) -> Count {
        let own = self.by_truth.iter().filter(|((other, _), _)| *other == tier);
        own.fold(Count::default(), |sum, (_, count)| Count {
            rooms: sum.rooms + count.rooms,
            first: sum.first + count.first,
            named: sum.named + count.named,
            misnamed: sum.misnamed + count.misnamed,
            undecided: sum.undecided + count.undecided,
            mistaken_for: BTreeMap::new(),
        })
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<9} {:<16} rooms  right first  named  misnamed  undecided  mistaken for", "tier", "truth")?;
        let mut row = |tier: &str, truth: &str, count: &Count| {
            let Count { rooms, first, named, misnamed, undecided, mistaken_for } = count;
            let share = percent(*first, *rooms);
            let mistaken: Vec<String> =
                mistaken_for.iter().map(|(hypothesis, count)| format!("{} {count}", hypothesis.name())).collect();
            let mistaken = mistaken.join(", ");
            writeln!(
                f,
                "{tier:<9} {truth:<16} {rooms:>5}  {share:>11}  {named:>5}  {misnamed:>8}  {undecided:>9}  {mistaken}"
            )
        };
        for ((tier, truth), count) in &self.by_truth {
            row(tier, truth.name(), count)?;
        }
        for tier in ["stage", "audience"] {
            row(tier, "all", &self.of(tier))?;
        }
        writeln!(f, "\nstated with       times  right   on average stated")?;
        for (ends, (all, right, sum)) in STATED.windows(2).zip(&self.stated) {
            let range = format!("{} to {} %", 100.0 * ends[0], 100.0 * ends[1]);
            let stated = if *all > 0 { format!("{:.2} %", 100.0 * sum / *all as f64) } else { String::new() };
            writeln!(f, "{range:<16} {all:>6}  {:>7}  {stated}", percent(*right, *all))?;
        }
        for (seed, tier, truth, named) in &self.wrong {
            writeln!(f, "seed {seed}: {tier} is {}, and {} was named", truth.name(), named.name())?;
        }
        Ok(())
    }
}

fn percent(part: usize, all: usize) -> String {
    if all == 0 { String::new() } else { format!("{:.1} %", 100.0 * part as f64 / all as f64) }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::metrics::topology::Ranked;

    use super::*;

    fn finding(tier: Relation, first: Hypothesis, log_odds: f64, verdict: Verdict) -> Finding {
        let ranking = vec![Ranked { hypothesis: first, log_odds }];
        Finding { tier, ranking, verdict, evidence: Vec::new(), would_decide: None }
    }

    #[test]
    fn right_wrong_and_undecided_are_counted_by_truth_and_by_what_was_stated() {
        let truth = Truth { stage: Hypothesis::Mesh, audience: Hypothesis::Mix };
        let mut table = Table::default();
        table.add(1, truth, &[finding(Relation::Stage, Hypothesis::Mesh, 8.0, Verdict::Named)]);
        table.add(2, truth, &[finding(Relation::Stage, Hypothesis::Forward, 8.0, Verdict::Named)]);
        table.add(3, truth, &[finding(Relation::Stage, Hypothesis::Forward, 1.0, Verdict::Undecided)]);
        table.add(4, truth, &[finding(Relation::Audience, Hypothesis::Mix, 1.0, Verdict::Undecided)]);
        let stage = table.of("stage");
        assert_eq!((stage.rooms, stage.first, stage.named, stage.misnamed, stage.undecided), (3, 1, 1, 1, 1));
        assert_eq!(table.of("audience").undecided, 1);
        let text = table.to_string();
        assert!(text.contains("mesh                 3       33.3 %      1         1          1  forward 2"), "{text}");
        assert!(text.contains("99.9 to 100 %         2   50.0 %  99.97 %"), "{text}");
        assert!(text.contains("50 to 80 %            2   50.0 %  73.11 %"), "{text}");
        assert!(text.contains("seed 2: stage is mesh, and forward was named"), "{text}");
    }
}
