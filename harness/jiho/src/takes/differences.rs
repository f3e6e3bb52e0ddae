//! How much later a signal came in one place than in another.

use jiho_analysis::arrivals::observe;
use jiho_analysis::hear::Detection;
use jiho_analysis::metrics::PairDelays;
use jiho_analysis::signal::{Code, Emission};

use super::Take;

/// A code in one place against a code in another.
#[derive(Debug)]
pub struct Difference {
    /// What is held to be the start: take and code.
    pub from: (usize, Code),
    /// What came later, if the delay is positive.
    pub to: (usize, Code),
    /// Over the beeps of the start.
    pub delays: PairDelays,
}

/// Fewer beeps in common are chance.
const LEAST_COMMON: usize = 3;

/// Every code of the reference take against the same code in every other take, and in each take every code against
/// its first one, if they sound in the same rhythm: differences at one ear, which need no synchronised clocks.
pub fn differences(takes: &[Take], reference: usize) -> Vec<Difference> {
    let mut found = Vec::new();
    for (code, start) in takes.get(reference).into_iter().flat_map(|take| &take.voices) {
        for (index, take) in takes.iter().enumerate().filter(|(index, _)| *index != reference) {
            if let Some((_, voice)) = take.voices.iter().find(|(other, _)| other == code) {
                found.extend(difference(takes, (reference, *code, start), (index, *code, voice)));
            }
        }
    }
    for (index, take) in takes.iter().enumerate() {
        let Some(((first, start), others)) = take.voices.split_first() else { continue };
        for (code, voice) in others {
            found.extend(difference(takes, (index, *first, start), (index, *code, voice)));
        }
    }
    found
}

type Voice<'a> = (usize, Code, &'a [Detection]);

fn difference(takes: &[Take], from: (usize, Code, &Vec<Detection>), to: Voice<'_>) -> Option<Difference> {
    let clock = takes[from.0].recorder.clock;
    let starts: Vec<Emission> = (0u32..)
        .zip(from.2.iter().filter(|detection| detection.peak_ratio >= 1.5 || detection.score >= 0.5))
        .map(|(beep, detection)| Emission { beep, at: clock.time_at(detection.position) })
        .collect();
    let (observations, _) = observe(&starts, to.2, &takes[to.0].recorder);
    let delays = PairDelays::of(&observations);
    let common = delays.heard + delays.ambiguous;
    (common >= LEAST_COMMON.min(starts.len()) && common > 0).then_some(Difference {
        from: (from.0, from.1),
        to: (to.0, to.1),
        delays,
    })
}
