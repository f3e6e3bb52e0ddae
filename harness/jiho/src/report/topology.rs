//! `topology.csv`: one row per hypothesis on who served stage and audience; and what may be said of it in words.

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::{Evidence, Finding, Hypothesis, Ranked, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A hypothesis on one tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopologyRow {
    pub(crate) run_id: String,
    pub(crate) rep: u32,
    pub(crate) tier: Relation,
    pub(crate) hypothesis: Hypothesis,
    /// Natural logarithm of its odds against all others together.
    pub(crate) log_odds: f64,
    /// What each kind of evidence says of it: natural logarithms of how much less likely it is by this hypothesis than
    /// by the one that suits it best.
    pub(crate) evidence: String,
    pub(crate) verdict: RowVerdict,
}

/// What may be said of a hypothesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowVerdict {
    /// It was this one.
    Named,
    /// It was this one or another that is open.
    Open,
    /// It was not this one.
    RuledOut,
}

/// All rows, by tier, the likeliest first.
pub fn rows<'f>(run_id: &'f str, rep: u32, findings: &'f [Finding]) -> impl Iterator<Item = TopologyRow> + 'f {
    findings.iter().flat_map(move |finding| {
        finding.ranking.iter().map(move |ranked| TopologyRow {
            run_id: run_id.to_owned(),
            rep,
            tier: finding.tier,
            hypothesis: ranked.hypothesis,
            log_odds: hundredths(ranked.log_odds),
            evidence: evidence(finding, ranked.hypothesis),
            verdict: verdict(finding, ranked),
        })
    })
}

fn verdict(finding: &Finding, ranked: &Ranked) -> RowVerdict {
    match finding.verdict() {
        _ if !finding.credible.contains(&ranked.hypothesis) => RowVerdict::RuledOut,
        Verdict::Named => RowVerdict::Named,
        Verdict::Narrowed | Verdict::Undecided => RowVerdict::Open,
    }
}

fn evidence(finding: &Finding, hypothesis: Hypothesis) -> String {
    let less = |evidence: &Evidence| {
        let best = evidence.log_likelihoods.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        format!("{} {:.2}", evidence.kind.name(), hundredths(evidence.of(hypothesis) - best))
    };
    finding.evidence.iter().map(less).collect::<Vec<_>>().join("; ")
}

fn hundredths(value: f64) -> f64 {
    // No minus sign before a nothing.
    (value * 100.0).round() / 100.0 + 0.0
}

/// One sentence per tier: what served it, or what may have.
pub fn sentences(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(sentence).collect()
}

fn sentence(finding: &Finding) -> String {
    let tier = tier_name(finding.tier);
    let by = |hypothesis: Hypothesis| {
        let speaks = |e: &&Evidence| {
            let others = finding.ranking.iter().filter(|other| other.hypothesis != hypothesis);
            others.clone().any(|other| e.speaks(hypothesis, other.hypothesis))
        };
        finding.evidence.iter().filter(speaks).map(|e| e.kind.name()).collect::<Vec<_>>().join(", ")
    };
    let Some(first) = finding.ranking.first() else {
        return format!("From sound nothing can be said about who served the {tier}.");
    };
    match finding.verdict() {
        Verdict::Named => format!(
            "From sound, the {tier} was served by {} ({}), by {}.",
            described(first.hypothesis),
            odds(first.log_odds),
            by(first.hypothesis)
        ),
        Verdict::Narrowed => format!(
            "From sound, the {tier} was served by {}, and by nothing else, by {}.",
            either(&open(finding)),
            by(first.hypothesis)
        ),
        Verdict::Undecided => {
            format!("From sound, who served the {tier} is undecided: {}.", open(finding).join(", "))
        }
    }
}

/// One sentence per tier, as the table has it.
pub fn sentences_of_rows(rows: &[TopologyRow]) -> Vec<String> {
    let of_tier = rows.chunk_by(|a, b| a.tier == b.tier);
    let sentence = |rows: &[TopologyRow]| {
        let open = rows.iter().filter(|row| row.verdict != RowVerdict::RuledOut);
        let open: Vec<String> = open.map(|row| with_probability(row.hypothesis, row.log_odds)).collect();
        let tier = tier_name(rows.first()?.tier);
        Some(format!("From sound, the {tier} was served by {}.", either(&open)))
    };
    of_tier.filter_map(sentence).collect()
}

/// `a`, `a or b`, `a, b or c`.
pub fn either(open: &[String]) -> String {
    match open {
        [most @ .., one, last] => {
            most.iter().chain([&format!("{one} or {last}")]).cloned().collect::<Vec<_>>().join(", ")
        }
        _ => open.concat(),
    }
}

/// What it may have been, each with its probability.
pub fn open(finding: &Finding) -> Vec<String> {
    let may_be = |ranked: &&Ranked| finding.credible.contains(&ranked.hypothesis);
    let said = |ranked: &Ranked| with_probability(ranked.hypothesis, ranked.log_odds);
    finding.ranking.iter().filter(may_be).map(said).collect()
}

fn with_probability(hypothesis: Hypothesis, log_odds: f64) -> String {
    format!("{} ({})", described(hypothesis), percent(log_odds))
}

/// Stage or audience.
pub fn tier_name(tier: Relation) -> &'static str {
    match tier {
        Relation::Stage => "stage",
        Relation::Audience => "audience",
        Relation::Own => "own voice",
    }
}

/// For a sentence.
pub fn described(hypothesis: Hypothesis) -> &'static str {
    match hypothesis {
        Hypothesis::Mesh => "a mesh",
        Hypothesis::Forward => "a forwarding server",
        Hypothesis::Mix => "a mixing server",
        Hypothesis::Cascade => "a cascade of forwarding servers",
        Hypothesis::DelayedForward => "a forwarding server behind a delayed tier",
        Hypothesis::DelayedMix => "a mixing server behind a delayed tier",
    }
}

/// How probable it is what has these odds.
pub fn percent(log_odds: f64) -> String {
    match 100.0 / (1.0 + (-log_odds).exp()) {
        percent if percent < 1.0 => "less than 1 %".to_owned(),
        percent if percent > 99.0 => "more than 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// Odds as people say them; more than a million to one is said of nothing.
pub fn odds(log_odds: f64) -> String {
    match log_odds.exp() {
        odds if odds >= 1e6 => "over a million to one".to_owned(),
        odds if odds >= 1.0 => format!("{odds:.0} to one"),
        odds => format!("one to {:.0}", 1.0 / odds),
    }
}
