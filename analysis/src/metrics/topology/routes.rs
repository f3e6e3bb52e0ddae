//! What packets took from each mouth to each ear, without the drift of clocks.
//!
//! Two clocks that drift apart do so on a line. Each pair shows one, but only as well as its jitter lets it; a clock is in
//! many pairs, and all of them together show its rate better.

use std::collections::BTreeMap;

use super::series::tier_of;
use super::{Greeting, Observations};
use crate::metrics::Relation;
use crate::stats;
use crate::units::{Nanos, RunTime};

/// Passages that a pair needs for its drift to be known.
const LEAST: usize = 5;
/// Rounds in which rates settle: each halves what is left, or more.
const ROUNDS: usize = 60;

/// From a mouth to an ear.
#[derive(Debug)]
pub(super) struct Route<'o> {
    pub(super) speaker: &'o str,
    pub(super) recorder: &'o str,
    /// In whose tier the ear is.
    pub(super) tier: Relation,
    /// What the quickest packet took, in ms, as clocks stood at one instant, the same for all routes. Offsets of clocks are in it.
    pub(super) quickest_ms: f64,
    /// By how much most packets took more than the quickest, in ms.
    pub(super) jitter_ms: f64,
    /// By how much the quickest took more than question and answer of the two greetings, in ms.
    pub(super) more_ms: Option<f64>,
}

/// All that there are.
pub(super) fn routes<'o>(observations: &'o Observations) -> Vec<Route<'o>> {
    let tiers: BTreeMap<&str, Relation> =
        observations.ears.iter().map(|ear| (ear.name.as_str(), tier_of(ear.role))).collect();
    let greetings: Greetings<'_> =
        observations.greetings.iter().map(|greeting| (greeting.client.as_str(), greeting)).collect();
    let mut passages: BTreeMap<(&str, &str), Vec<Took>> = BTreeMap::new();
    for passage in observations.passages.iter().filter(|passage| passage.speaker != passage.recorder) {
        let speaker = passage.speaker.as_str();
        let took = Took {
            at_seconds: seconds(&greetings, speaker, passage.captured),
            quickest_ms: passage.quickest.as_millis_f64(),
            usual_ms: passage.usual.as_millis_f64(),
        };
        passages.entry((speaker, &passage.recorder)).or_default().push(took);
    }
    passages.retain(|_, passages| passages.len() >= LEAST);
    let rates = Rates::of(&passages);
    let route = |(&(speaker, recorder), passages): (&(&'o str, &'o str), &Vec<Took>)| {
        let tier = *tiers.get(recorder)?;
        let drift = rates.of_one(recorder) - rates.of_one(speaker);
        let still = |ms: fn(&Took) -> f64| passages.iter().map(move |took| ms(took) - drift * took.at_seconds);
        let quickest_ms = still(|took| took.quickest_ms).fold(f64::INFINITY, f64::min);
        let usual_ms = stats::median(&still(|took| took.usual_ms).collect::<Vec<_>>())?;
        let greeted = || {
            // As the clocks stood at the instant to which the others are brought.
            let stood = |name: &str, instant: RunTime| rates.of_one(name) * seconds(&greetings, name, instant);
            let (from, to) = (greetings.get(speaker)?, greetings.get(recorder)?);
            let question = (from.admitted - from.asked).as_millis_f64() + stood(speaker, from.asked);
            let answer = (to.joined - to.admitted).as_millis_f64() - stood(recorder, to.joined);
            Some(question + answer)
        };
        let more_ms = greeted().filter(|_| !observations.greeted_elsewhere).map(|greeted| quickest_ms - greeted);
        Some(Route { speaker, recorder, tier, quickest_ms, jitter_ms: usual_ms - quickest_ms, more_ms })
    };
    passages.iter().filter_map(route).collect()
}

type Greetings<'o> = BTreeMap<&'o str, &'o Greeting>;

/// What a second's packets took.
struct Took {
    at_seconds: f64,
    quickest_ms: f64,
    usual_ms: f64,
}

/// When an instant of somebody's clock was, by the clock of the server that greeted: to within that client's ways.
fn seconds(greetings: &Greetings<'_>, name: &str, instant: RunTime) -> f64 {
    let behind = greetings.get(name).map_or(Nanos::ZERO, |greeting| greeting.admitted - greeting.asked);
    (instant + behind).0 as f64 * 1e-9
}

/// By how many ms a second each clock runs ahead of the mean of all.
struct Rates<'o>(BTreeMap<&'o str, f64>);

impl<'o> Rates<'o> {
    /// Those that fit best what pairs show of each other, by least squares (Gauss and Seidel's iteration).
    fn of(passages: &BTreeMap<(&'o str, &'o str), Vec<Took>>) -> Self {
        let mut neighbours: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
        for ((speaker, recorder), passages) in passages {
            let at: Vec<f64> = passages.iter().map(|took| took.at_seconds).collect();
            let quickest: Vec<f64> = passages.iter().map(|took| took.quickest_ms).collect();
            let Some(line) = stats::theil_sen(&at, &quickest) else { continue };
            neighbours.entry(speaker).or_default().push((recorder, -line.slope));
            neighbours.entry(recorder).or_default().push((speaker, line.slope));
        }
        let mut rates: BTreeMap<&str, f64> = neighbours.keys().map(|name| (*name, 0.0)).collect();
        for _ in 0..ROUNDS {
            for (name, others) in &neighbours {
                let sum: f64 = others.iter().map(|(other, ahead)| rates.get(other).unwrap_or(&0.0) + ahead).sum();
                // The mean of this and the last keeps two groups that only hear each other from swinging.
                let rate = rates.entry(name).or_default();
                *rate = (*rate + sum / others.len() as f64) / 2.0;
            }
        }
        let mean = rates.values().sum::<f64>() / rates.len().max(1) as f64;
        rates.values_mut().for_each(|rate| *rate -= mean);
        Self(rates)
    }

    fn of_one(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

/// How much jitter there is on most of some routes: cases are counted among rooms alike in that.
pub(super) fn jitter(routes: &[&Route<'_>]) -> Jitter {
    let jitter: Vec<f64> = routes.iter().map(|route| route.jitter_ms).collect();
    match stats::median(&jitter).unwrap_or_default() {
        jitter if jitter < 0.7 => Jitter::Still,
        jitter if jitter < 4.0 => Jitter::Some,
        _ => Jitter::Much,
    }
}

/// How widely packets' ways scatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jitter {
    Still,
    Some,
    Much,
}
