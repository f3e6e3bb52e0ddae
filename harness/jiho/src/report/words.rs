//! What was found, in plain words.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::metrics::{Relation, Tier, tier};
use jiho_analysis::stats;
use jiho_analysis::units::Nanos;
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
    let beeps = findings.pairs().flat_map(|(_, _, pair)| &pair.observations);
    words.extend(missing(beeps.map(|beep| (beep.status, beep.reason))));
    if !findings.family.is_coded() {
        words.push(
            "This time signal is for people: its tones fit nearly as well a period earlier or later, and without codes \
             a delay beyond one turn looks like a shorter one. For delays without these doubts play [signal.voiced]."
                .to_owned(),
        );
    }
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
        return Some(match expected {
            1 => format!("{name} did not hear the only beep."),
            _ => format!("{name} heard none of {expected} beeps."),
        });
    };
    let of_expected = |count: &usize| match (count == expected, expected) {
        (true, 1) => "the only beep".to_owned(),
        (true, _) => format!("all {expected} beeps"),
        (false, _) => format!("{count} of {}", counted(*expected, "beep")),
    };
    let sounded = if *expected == 1 { "it was sounded" } else { "they were sounded" };
    let doubt = if *expected == 1 { "not for sure" } else { "none of them for sure" };
    let when = if high - low <= SAME_MS {
        format!("{:.1} ms", tier.median_ms.unwrap_or(low))
    } else {
        format!("{low:.1} to {high:.1} ms")
    };
    Some(match heard {
        // The figures are then over what is ambiguous.
        0 => format!("{name} heard {}, {doubt}; most likely {when} after {sounded}.", of_expected(ambiguous)),
        _ => format!("{name} heard {}, {when} after {sounded}.", of_expected(heard)),
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
    let of_pair = |pair: &&PairHeard| -> Vec<Way> {
        let known = pair.observations.iter().zip(&pair.paths);
        known.filter_map(|(heard, path)| Some(Way::of(heard.delay?.value, path.as_ref()?, lookahead_ms))).collect()
    };
    let ways: Vec<Way> = pairs.iter().flat_map(of_pair).collect();
    let typical = Way::nearest_the_median(&ways)?;
    let apart_ms = ways.iter().map(Way::unexplained_ms).max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    let beeps = match ways.len() {
        1 => "the one beep whose packets came".to_owned(),
        count => format!("all {count} beeps whose packets came"),
    };
    let agreement = if apart_ms.abs() <= UNEXPLAINED_MS {
        format!("for {beeps} the packets' stamps and the sound agree within {UNEXPLAINED_MS} ms")
    } else {
        format!("over {beeps} the packets' stamps and the sound differ by up to {apart_ms:+.1} ms")
    };
    Some(format!("{}; {agreement}.", typical.in_words()))
}

/// What the delay of one beep consists of, in ms.
#[derive(Clone, Copy, Debug)]
struct Way {
    heard: f64,
    packetisation: f64,
    codec: f64,
    network: f64,
    buffer: f64,
    devices: f64,
}

impl Way {
    fn of(heard: Nanos, path: &FramePath, lookahead_ms: f64) -> Self {
        let (network, buffer) = (path.network.as_millis_f64(), path.buffer.as_millis_f64());
        let packetisation = path.mouth_to_ear().as_millis_f64() - network - buffer;
        let devices = path.devices.as_millis_f64();
        Self { heard: heard.as_millis_f64(), packetisation, codec: lookahead_ms, network, buffer, devices }
    }

    /// The parts of one beep add up; medians of each part would not.
    fn nearest_the_median(ways: &[Self]) -> Option<Self> {
        let median = stats::median(&ways.iter().map(|way| way.heard).collect::<Vec<_>>())?;
        let from_median = |way: &Self| (way.heard - median).abs();
        ways.iter().copied().min_by(|a, b| from_median(a).total_cmp(&from_median(b)))
    }

    /// What was heard less what the packets say: negative if it was heard earlier.
    fn unexplained_ms(&self) -> f64 {
        self.heard - (self.packetisation + self.codec + self.network + self.buffer + self.devices)
    }

    fn in_words(self) -> String {
        let Self { heard, packetisation, codec, network, buffer, devices } = self;
        let devices = if devices > 0.0 { format!(", {devices:.1} between clients and devices") } else { String::new() };
        let codec = if codec > 0.0 { format!("{codec:.1} codec look-ahead, ") } else { String::new() };
        let rest = self.unexplained_ms();
        let rest = if rest.abs() > UNEXPLAINED_MS { format!(", {rest:+.1} unexplained") } else { String::new() };
        format!(
            "Of the {heard:.1} ms of the beep nearest the median, {packetisation:.1} are packetisation, \
             {codec}{network:.1} network and relay, {buffer:.1} jitter buffer{devices}{rest}"
        )
    }
}

/// A number of things: `1 beep`, `2 beeps`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// How many beeps are missing or in doubt, and why: one sentence each.
pub fn missing(beeps: impl Iterator<Item = (Status, Option<Reason>)>) -> Vec<String> {
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    let mut ambiguous = 0;
    for (status, reason) in beeps {
        match (status, reason) {
            (Status::Missing, Some(reason)) => *counts.entry(reason).or_default() += 1,
            (Status::Ambiguous, _) => ambiguous += 1,
            _ => {}
        }
    }
    let mut words: Vec<String> = counts.into_iter().map(|(reason, count)| missed(reason, count)).collect();
    if ambiguous > 0 {
        let arrivals = if ambiguous == 1 { "1 arrival is".to_owned() } else { format!("{ambiguous} arrivals are") };
        words.push(format!(
            "{arrivals} ambiguous: the sound fits nearly as well earlier or later, anywhere within the interval."
        ));
    }
    words
}

fn missed(reason: Reason, count: usize) -> String {
    let (were, they) = if count == 1 { ("was", "it") } else { ("were", "they") };
    let beeps = format!("{} {were}", counted(count, "beep"));
    match reason {
        Reason::NotFound => format!("{beeps} not found where {they} {were} due: lost, or damaged by loss."),
        Reason::NotRecorded => format!("{beeps} due when the ear was not recording."),
        Reason::NotSupported => {
            format!("{beeps} not believed: what was heard near was too faint, or came alone with another delay.")
        }
        Reason::RoleChange => format!("{beeps} said while a role changed, when no path led to the ear."),
        Reason::NoKey => format!("{beeps} not heard for want of a key: sealed packets came, and could not be opened."),
        Reason::SecondPeak | Reason::Splice => format!("{beeps} in doubt."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(network_ms: i64, buffer_ms: i64, heard_us: i64) -> Way {
        let [network, buffer] = [network_ms, buffer_ms].map(Nanos::from_millis);
        let path = FramePath { network, buffer, devices: Nanos::ZERO };
        Way::of(Nanos(heard_us * 1_000), &path, 6.5)
    }

    /// All figures in a text.
    fn figures(text: &str) -> Vec<f64> {
        text.split([' ', ',']).filter_map(|word| word.parse().ok()).collect()
    }

    #[test]
    fn the_parts_that_are_said_add_up_to_the_whole() {
        // Network and buffer vary against each other: medians of each part would add up to 20 + 6.5 + 30 + 40.
        let ways = [way(10, 40, 76_600), way(30, 90, 146_400), way(80, 10, 116_500)];
        let typical = Way::nearest_the_median(&ways).unwrap();
        let said = figures(&typical.in_words());
        assert_eq!(said, [116.5, 20.0, 6.5, 80.0, 10.0]);
        assert!((said[0] - said[1..].iter().sum::<f64>()).abs() < 0.3);
    }

    #[test]
    fn what_packets_do_not_explain_is_a_part_too() {
        let said = way(10, 40, 78_000).in_words();
        assert!(said.ends_with("40.0 jitter buffer, +1.5 unexplained"), "{said}");
        assert_eq!(figures(&said), [78.0, 20.0, 6.5, 10.0, 40.0, 1.5]);
    }

    #[test]
    fn one_beep_is_spoken_of_in_the_singular() {
        let said = missed(Reason::NotFound, 1);
        assert_eq!(said, "1 beep was not found where it was due: lost, or damaged by loss.");
        let said = missed(Reason::NotFound, 2);
        assert_eq!(said, "2 beeps were not found where they were due: lost, or damaged by loss.");
        assert!(missed(Reason::NotRecorded, 1).starts_with("1 beep was due"));
        assert_eq!([0, 1, 2].map(|count| counted(count, "step")), ["0 steps", "1 step", "2 steps"]);
    }

    #[test]
    fn the_only_beep_is_not_all_of_them() {
        let tier = |heard: usize, expected: usize| Tier {
            pairs: 1,
            expected,
            heard,
            ambiguous: 0,
            median_ms: (heard > 0).then_some(66.9),
            medians_ms: (heard > 0).then_some((66.9, 66.9)),
        };
        let said = |heard_of, expected| heard("The stage", &tier(heard_of, expected)).unwrap();
        assert_eq!(said(1, 1), "The stage heard the only beep, 66.9 ms after it was sounded.");
        assert_eq!(said(0, 1), "The stage did not hear the only beep.");
        assert_eq!(said(1, 2), "The stage heard 1 of 2 beeps, 66.9 ms after they were sounded.");
        assert_eq!(said(2, 2), "The stage heard all 2 beeps, 66.9 ms after they were sounded.");
    }
}
