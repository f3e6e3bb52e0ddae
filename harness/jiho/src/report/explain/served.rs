//! Who served stage and audience: what is named, what was ruled out and by what, what is open and what would decide.

use jiho_analysis::metrics::topology::{Evidence, Finding, Hypothesis, Ranked, Verdict};

use super::listed;
use crate::report::topology::{described, either, odds, open, tier_name};

/// One after the other for stage and audience.
pub(crate) fn paragraphs(findings: &[Finding]) -> Vec<String> {
    findings.iter().flat_map(tier).collect()
}

fn tier(finding: &Finding) -> Vec<String> {
    let name = tier_name(finding.tier);
    let Some(first) = finding.ranking.first() else { return Vec::new() };
    let mut said = Vec::new();
    let verdict = match finding.verdict() {
        Verdict::Named => {
            format!("- The {name} was served by {}: {}.", described(first.hypothesis), odds(first.log_odds))
        }
        Verdict::Narrowed => {
            format!("- The {name} was served by {}, and by nothing else.", either(&open(finding)))
        }
        Verdict::Undecided => format!("- Who served the {name} is undecided: {}.", listed(&open(finding))),
    };
    let grounds: Vec<&str> = grounds(finding, first.hypothesis).map(|e| e.sentence.as_str()).collect();
    said.push(if grounds.is_empty() { verdict } else { format!("{verdict} {}", grounds.join(" ")) });
    let out: Vec<String> = finding
        .ranking
        .iter()
        .filter(|ranked| !finding.credible.contains(&ranked.hypothesis))
        .map(|ranked| format!("{} by {}", described(ranked.hypothesis), against(finding, ranked, first)))
        .collect();
    if !out.is_empty() {
        said.push(format!("- Ruled out for the {name}: {}.", listed(&out)));
    }
    if let Some(would) = &finding.would_decide {
        said.push(format!("- What would decide it: {would}"));
    }
    said
}

/// What speaks for a hypothesis against any other.
fn grounds(finding: &Finding, hypothesis: Hypothesis) -> impl Iterator<Item = &Evidence> {
    let others = move || finding.ranking.iter().map(|ranked| ranked.hypothesis).filter(move |h| *h != hypothesis);
    finding.evidence.iter().filter(move |e| others().any(|other| e.speaks(hypothesis, other)))
}

/// The kind of evidence that speaks most against one hypothesis and for another.
fn against(finding: &Finding, ruled_out: &Ranked, first: &Ranked) -> &'static str {
    let weight = |e: &&Evidence| e.of(first.hypothesis) - e.of(ruled_out.hypothesis);
    let most = finding.evidence.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)));
    most.map_or("nothing", |evidence| evidence.kind.described())
}
