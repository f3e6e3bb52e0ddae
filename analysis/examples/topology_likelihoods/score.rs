//! How well what is said holds.

use std::collections::BTreeMap;
use std::fmt;

use jiho_analysis::metrics::topology::{Finding, Hypothesis, Verdict};

/// Judgements on rooms of which the truth is known.
#[derive(Default)]
pub(crate) struct Score {
    /// By tier and truth: rooms, the right one first, named, narrowed to several, said to be what it is not.
    tiers: BTreeMap<(&'static str, Hypothesis), [u32; 5]>,
    /// By the odds of the first, as a probability in percent: how many, and how many are right.
    calibration: BTreeMap<u32, [u32; 2]>,
    confused: BTreeMap<(&'static str, Hypothesis, Hypothesis), u32>,
}

/// Lower ends of classes of probability, in tenths of percent.
const CLASSES: [u32; 9] = [0, 300, 500, 700, 850, 930, 970, 990, 999];

impl Score {
    pub(crate) fn add(&mut self, finding: &Finding, truth: Hypothesis) {
        let tier = if finding.tier == jiho_analysis::metrics::Relation::Stage { "stage" } else { "audience" };
        let Some(first) = finding.ranking.first() else { return };
        let right = first.hypothesis == truth;
        let misstated = !finding.credible.contains(&truth);
        let row = self.tiers.entry((tier, truth)).or_default();
        row[0] += 1;
        row[1] += u32::from(right);
        row[2] += u32::from(finding.verdict() == Verdict::Named);
        row[3] += u32::from(finding.verdict() == Verdict::Narrowed);
        row[4] += u32::from(misstated);
        if !right {
            *self.confused.entry((tier, truth, first.hypothesis)).or_default() += 1;
        }
        let probability = 1.0 / (1.0 + (-first.log_odds).exp());
        let class = CLASSES.iter().rev().find(|low| probability * 1000.0 >= f64::from(**low)).copied().unwrap_or(0);
        let class = self.calibration.entry(class).or_default();
        class[0] += 1;
        class[1] += u32::from(right);
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "tier      truth            rooms  first  named  narrowed  misstated")?;
        for ((tier, truth), [rooms, first, named, narrowed, misstated]) in &self.tiers {
            let truth = truth.name();
            writeln!(f, "{tier:<9} {truth:<16} {rooms:>5} {first:>6} {named:>6} {narrowed:>9} {misstated:>10}")?;
        }
        writeln!(f, "taken for another:")?;
        for ((tier, truth, other), rooms) in &self.confused {
            writeln!(f, "{tier:<9} {:<16} {:<16} {rooms:>5}", truth.name(), other.name())?;
        }
        writeln!(f, "probability from   findings  right")?;
        for (class, [all, right]) in &self.calibration {
            let share = 100.0 * f64::from(*right) / f64::from(*all);
            writeln!(f, "{:>14.1} %   {all:>8}  {share:.1} %", f64::from(*class) / 10.0)?;
        }
        Ok(())
    }
}
