//! How often what was concluded of rooms is what they are.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Finding, Hypothesis, Verdict};

use super::RandomRoom;

/// Ends of the ranges of stated probabilities that are held against how often they came true.
const STATED: [f64; 7] = [0.0, 0.5, 0.8, 0.95, 0.99, 0.999, 1.0];

/// Counts of conclusions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By tier and truth.
    by_truth: BTreeMap<(&'static str, Hypothesis), Count>,
    /// By the range that the first one's probability is in: how many, of which right, and the sum of what was stated.
    stated: [(usize, usize, f64); STATED.len() - 1],
    /// What was said of which truth that it does not hold, by the room's seed.
    wrong: Vec<(u32, &'static str, Hypothesis, Vec<Hypothesis>)>,
}

/// What was concluded of rooms with one truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tiers that were looked at.
    pub rooms: usize,
    /// The truth was first.
    pub first: usize,
    /// One hypothesis was named, whichever.
    pub named: usize,
    /// By how many hypotheses were left: how often some were, and others not.
    pub narrowed: BTreeMap<usize, usize>,
    /// The truth was among fewer than all.
    pub within: usize,
    /// The truth was not among those that it was said to be.
    pub misstated: usize,
    /// Nothing was said.
    pub undecided: usize,
    /// What was first in place of the truth.
    pub mistaken_for: BTreeMap<Hypothesis, usize>,
}

impl Table {
    /// Takes what was concluded of a room.
    pub fn add(&mut self, room: &RandomRoom, findings: &[Finding]) {
        for finding in findings {
            let tier = match finding.tier {
                Relation::Stage => "stage",
                Relation::Audience => "audience",
                Relation::Own => continue,
            };
            let truth = room.truth.of(finding.tier);
            let Some(first) = finding.ranking.first() else { continue };
            let right = first.hypothesis == truth;
            let count = self.by_truth.entry((tier, truth)).or_default();
            count.rooms += 1;
            count.first += usize::from(right);
            match finding.verdict() {
                Verdict::Undecided => count.undecided += 1,
                Verdict::Named => count.named += 1,
                Verdict::Narrowed => *count.narrowed.entry(finding.credible.len()).or_default() += 1,
            }
            match finding.credible.contains(&truth) {
                true => count.within += usize::from(finding.verdict() != Verdict::Undecided),
                false => {
                    count.misstated += 1;
                    self.wrong.push((room.seed, tier, truth, finding.credible.clone()));
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
        own.fold(Count::default(), |mut sum, (_, count)| {
            for (left, rooms) in &count.narrowed {
                *sum.narrowed.entry(*left).or_default() += rooms;
            }
            Count {
                rooms: sum.rooms + count.rooms,
                first: sum.first + count.first,
                named: sum.named + count.named,
                within: sum.within + count.within,
                misstated: sum.misstated + count.misstated,
                undecided: sum.undecided + count.undecided,
                ..sum
            }
        })
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<9} {:<16} rooms  first    named  narrowed to  within  undecided  misstated  mistaken for",
            "tier", "truth"
        )?;
        let mut row = |tier: &str, truth: &str, count: &Count| {
            let Count { rooms, first, named, within, misstated, undecided, .. } = count;
            let first = percent(*first, *rooms);
            let listed = |parts: Vec<String>| parts.join(", ");
            let narrowed = listed(count.narrowed.iter().map(|(left, rooms)| format!("{left}: {rooms}")).collect());
            let mistaken =
                count.mistaken_for.iter().map(|(hypothesis, rooms)| format!("{} {rooms}", hypothesis.name()));
            let mistaken = listed(mistaken.collect());
            let line = format!(
                "{tier:<9} {truth:<16} {rooms:>5}  {first:>7}  {named:>5}  {narrowed:<11}  {within:>6}  \
                 {undecided:>9}  {misstated:>9}  {mistaken}"
            );
            writeln!(f, "{}", line.trim_end())
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
        for (seed, tier, truth, stated) in &self.wrong {
            let stated: Vec<&str> = stated.iter().map(|hypothesis| hypothesis.name()).collect();
            writeln!(f, "seed {seed}: {tier} is {}, and was said to be {}", truth.name(), stated.join(" or "))?;
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
    use crate::random_rooms::{Truth, Wish, draw};

    /// The first of some stage's or audience's hypotheses, and how many are credible.
    fn finding(tier: Relation, ranking: &[(Hypothesis, f64)], credible: usize) -> Finding {
        let ranking: Vec<Ranked> =
            ranking.iter().map(|&(hypothesis, log_odds)| Ranked { hypothesis, log_odds }).collect();
        let credible = ranking.iter().take(credible).map(|ranked| ranked.hypothesis).collect();
        Finding { tier, ranking, credible, evidence: Vec::new(), would_decide: None }
    }

    #[test]
    fn what_was_said_is_counted_by_truth_and_by_the_probability_that_was_stated() {
        use Hypothesis::{Cascade, Forward, Mesh, Mix};
        let truth = Truth { stage: Forward, audience: Mix };
        let room = |seed| RandomRoom { seed, truth, ..draw(seed, Wish::default()) };
        let mut table = Table::default();
        let mut add = |seed, tier, ranking: &[(Hypothesis, f64)], credible| {
            table.add(&room(seed), &[finding(tier, ranking, credible)]);
        };
        add(1, Relation::Stage, &[(Forward, 8.0), (Cascade, -9.0), (Mesh, -9.0)], 1);
        add(2, Relation::Stage, &[(Mesh, 8.0), (Cascade, -8.1), (Forward, -9.0)], 1);
        add(3, Relation::Stage, &[(Cascade, 1.0), (Forward, -1.0), (Mesh, -9.0)], 2);
        add(4, Relation::Audience, &[(Mix, 1.0), (Forward, -1.0), (Mesh, -9.0)], 3);
        let stage = table.of("stage");
        assert_eq!((stage.rooms, stage.first, stage.named), (3, 1, 2));
        assert_eq!((stage.within, stage.misstated, stage.undecided), (2, 1, 0));
        assert_eq!(stage.narrowed, BTreeMap::from([(2, 1)]));
        assert_eq!(table.of("audience").undecided, 1);
        let text = table.to_string();
        let row = "forward              3   33.3 %      2  2: 1              2          0          1";
        assert!(text.contains(&format!("{row}  mesh 1, cascade 1")), "{text}");
        assert!(text.contains("99.9 to 100 %         2   50.0 %  99.97 %"), "{text}");
        assert!(text.contains("50 to 80 %            2   50.0 %  73.11 %"), "{text}");
        assert!(text.contains("seed 2: stage is forward, and was said to be mesh"), "{text}");
    }
}
