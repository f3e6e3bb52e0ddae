//! What was found, in plain words.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::metrics::{Relation, Tier, tier};
use jiho_proto::codec::RATE;

use crate::run::measure::{Findings, PairHeard};
use crate::run::paths::FramePath;

/// Delays of one tier that lie within this of each other are one figure, in ms.
const SAME_MS: f64 = 0.5;
/// Between sound and packets there may be this much, in ms, before it is worth a remark: codecs bend a beep.
const UNEXPLAINED_MS: f64 = 0.3;

/// One sentence after the other: what each tier heard how late, what its delay consists of, what was missing.
pub fn findings(findings: &Findings, lookahead_samples: i64) -> Vec<String> {
    let mut words = Vec::new();
    let of = |relation: Relation| -> Vec<&PairHeard> {
        findings.pairs().map(|(_, _, pair)| pair).filter(|pair| pair.relation == relation).collect()
    };
    let (stage, audience, own) = (of(Relation::Stage), of(Relation::Audience), of(Relation::Own));
    let tiers = [stage.as_slice(), audience.as_slice()].map(|pairs| tier(pairs.iter().map(|pair| &pair.delays)));
    for (name, summary) in ["The stage", "The audience"].into_iter().zip(&tiers) {
        words.extend(heard(name, summary));
    }
    words.extend(offset(&tiers[0], &tiers[1]));
    words.extend(made_of(&[stage, audience].concat(), lookahead_samples));
    if !own.is_empty() {
        words.push("Some speakers hear themselves back through the room.".to_owned());
    }
    words.extend(missing(findings));
    for recorder in &findings.recorders {
        words.extend(recorder.flaws.iter().map(|flaw| format!("Note: {}: {flaw}.", recorder.name)));
    }
    words
}

fn heard(name: &str, tier: &Tier) -> Option<String> {
    let Tier { expected, heard, ambiguous, .. } = tier;
    if tier.pairs == 0 || *expected == 0 {
        return None;
    }
    let Some((low, high)) = tier.medians_ms else {
        return Some(format!("{name} heard none of {expected} beeps."));
    };
    let of_expected = |count: &usize| match count == expected {
        true => format!("all {expected} beeps"),
        false => format!("{count} of {expected} beeps"),
    };
    let when = if high - low <= SAME_MS {
        format!("{:.1} ms", tier.median_ms.unwrap_or(low))
    } else {
        format!("{low:.1} to {high:.1} ms")
    };
    Some(match heard {
        // The figures are then over what is ambiguous.
        0 => format!(
            "{name} heard {}, none of them for sure; most likely {when} after they were sounded.",
            of_expected(ambiguous)
        ),
        _ => format!("{name} heard {}, {when} after they were sounded.", of_expected(heard)),
    })
}

fn offset(stage: &Tier, audience: &Tier) -> Option<String> {
    let offset = audience.median_ms? - stage.median_ms?;
    Some(match offset {
        o if o.abs() <= SAME_MS => "Stage and audience hear equally late.".to_owned(),
        o if o > 0.0 => format!("The audience hears {o:.1} ms later than the stage (medians)."),
        o => format!("The audience hears {:.1} ms earlier than the stage (medians).", -o),
    })
}

/// What the delays consist of, by the packets' stamps, and whether that explains what was heard.
fn made_of(pairs: &[&PairHeard], lookahead_samples: i64) -> Option<String> {
    let lookahead_ms = RATE.span(lookahead_samples).as_millis_f64();
    let mut ways: Vec<(f64, f64, f64)> = Vec::new();
    let mut apart_ms: f64 = 0.0;
    for pair in pairs {
        for (observation, path) in pair.observations.iter().zip(&pair.paths) {
            let (Some(delay), Some(path)) = (observation.delay, path) else { continue };
            let heard_ms = delay.value.as_millis_f64();
            let packets_ms = path.mouth_to_ear().as_millis_f64() + lookahead_ms;
            apart_ms = if (heard_ms - packets_ms).abs() > apart_ms.abs() { heard_ms - packets_ms } else { apart_ms };
            let FramePath { network, buffer } = path;
            ways.push((network.as_millis_f64(), buffer.as_millis_f64(), heard_ms));
        }
    }
    let median =
        |part: fn(&(f64, f64, f64)) -> f64| jiho_analysis::stats::median(&ways.iter().map(part).collect::<Vec<_>>());
    let (network, buffer, heard) = (median(|w| w.0)?, median(|w| w.1)?, median(|w| w.2)?);
    let agreement = if apart_ms.abs() <= UNEXPLAINED_MS {
        format!("for every beep the packets' stamps and the sound agree within {UNEXPLAINED_MS} ms")
    } else {
        format!("packets' stamps and sound differ by up to {apart_ms:+.1} ms")
    };
    let codec = if lookahead_samples > 0 { format!("{lookahead_ms:.1} codec look-ahead, ") } else { String::new() };
    Some(format!(
        "Of the median {heard:.1} ms, 20.0 are packetisation, {codec}{network:.1} network and relay, {buffer:.1} jitter \
         buffer; {agreement}."
    ))
}

fn missing(findings: &Findings) -> Vec<String> {
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    let mut ambiguous = 0;
    for observation in findings.pairs().flat_map(|(_, _, pair)| &pair.observations) {
        match (observation.status, observation.reason) {
            (Status::Missing, Some(reason)) => *counts.entry(reason).or_default() += 1,
            (Status::Ambiguous, _) => ambiguous += 1,
            _ => {}
        }
    }
    let mut words: Vec<String> = counts
        .into_iter()
        .map(|(reason, count)| {
            let beeps = if count == 1 { "1 beep was".to_owned() } else { format!("{count} beeps were") };
            match reason {
                Reason::NotFound => format!("{beeps} not found where they were due: lost, or damaged by loss."),
                Reason::NotRecorded => format!("{beeps} due when the ear was not recording."),
                Reason::NotSupported => format!("{beeps} too faint to be believed."),
                Reason::SecondPeak => format!("{beeps} in doubt."),
            }
        })
        .collect();
    if ambiguous > 0 {
        let arrivals = if ambiguous == 1 { "1 arrival is".to_owned() } else { format!("{ambiguous} arrivals are") };
        words.push(format!(
            "{arrivals} ambiguous: the sound fits nearly as well earlier or later, anywhere within the interval."
        ));
    }
    if !findings.family.is_coded() {
        words.push(
            "This time signal is for people: its tones fit nearly as well a period earlier or later, and without codes \
             a delay beyond one turn looks like a shorter one. For delays without these doubts play [signal.voiced]."
                .to_owned(),
        );
    }
    words
}
