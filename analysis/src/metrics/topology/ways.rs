//! Whether packets take the ways to a server, shorter ones, or longer ones.
//!
//! When a client comes in, it asks and is answered. Its question's way, by its own clock and the server's, and the
//! answer's, by the server's clock and its own, are those that its packets take to that server and back. So what a
//! speaker's packets take to an ear, less the speaker's question's way and the ear's answer's, is nothing through one
//! server, and every clock is in it once to and once fro: none has to be right. From one server to another takes longer:
//! even the quickest packet does. By ways past a server packets are quicker: even most of them are. What waits at an ear is
//! left out, since an ear's own client knows when a packet came, whatever its jitter buffer does with it then.

use std::collections::BTreeMap;

use super::outcome::Outcome;
use super::series::Room;
use super::{Greeting, Kind, Passage};
use crate::arrivals::Role;
use crate::metrics::Relation;
use crate::stats;
use crate::units::RunTime;

/// Passages that a pair needs for its drift to be known.
const LEAST: usize = 5;
/// Later by more than any way: held back, in ms.
const HELD_MS: f64 = 100.0;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let pairs = pairs(room, tier);
    let (quickest, usual) = pairs
        .iter()
        .copied()
        .reduce(|(quickest, usual), (other, others_usual)| (quickest.max(other), usual.min(others_usual)))?;
    let (longer, shorter) = (amount(quickest), amount(-usual));
    let case = match (longer, shorter) {
        _ if usual >= HELD_MS => "held",
        (0, 0) => "alike",
        (1, 0) => "little_longer",
        (2, 0) => "longer",
        (_, 0) => "much_longer",
        (0, 1) => "little_shorter",
        (0, 2) => "shorter",
        (0, _) => "much_shorter",
        (longer, shorter) if longer > shorter => "rather_longer",
        (longer, shorter) if longer < shorter => "rather_shorter",
        _ => "both",
    };
    let sentence = match case {
        "held" => format!(
            "All packets take at least {usual:.0} ms more than the ways to a server and from it: they are held back."
        ),
        "alike" | "little_longer" | "little_shorter" => format!(
            "The quickest packets of each of {} take the way to one server and from it, to {:.1} ms.",
            super::outcome::counted(pairs.len(), "pair"),
            quickest.abs().max(-usual).max(0.1)
        ),
        _ if longer > shorter => format!(
            "Even the quickest packets of some pair take {quickest:.0} ms more than the ways to a server and from it: they \
             go from one server to another."
        ),
        _ => format!(
            "Most packets of some pair come {:.0} ms sooner than by way of the server: they go past it.",
            -usual
        ),
    };
    let context = if pairs.len() <= 6 { "few" } else { "many" };
    Some(Outcome { tier, kind: Kind::Ways, context, case, sentence })
}

/// Into how many classes of so many ms.
fn amount(more_ms: f64) -> u8 {
    [1.0, 3.0, 8.0].iter().map(|bound| u8::from(more_ms > *bound)).sum()
}

/// Of each pair of a tier, by how much its quickest packet and most of its packets take more than both ways, in ms.
fn pairs(room: &Room<'_>, tier: Relation) -> Vec<(f64, f64)> {
    let observations = room.observations;
    let greetings: BTreeMap<&str, &Greeting> =
        observations.greetings.iter().map(|greeting| (greeting.client.as_str(), greeting)).collect();
    let role = if tier == Relation::Stage { Role::Speaker } else { Role::Listener };
    let of_tier = |name: &str| observations.ears.iter().any(|ear| ear.name == name && ear.role == role);
    let mut passages: BTreeMap<(&str, &str), Vec<&Passage>> = BTreeMap::new();
    for passage in observations.passages.iter().filter(|passage| passage.speaker != passage.recorder) {
        if of_tier(&passage.recorder) {
            passages.entry((&passage.speaker, &passage.recorder)).or_default().push(passage);
        }
    }
    let of_pair = |((speaker, recorder), passages): (&(&str, &str), &Vec<&Passage>)| {
        more(passages, greetings.get(speaker)?, greetings.get(recorder)?)
    };
    passages.iter().filter_map(of_pair).collect()
}

fn more(passages: &[&Passage], from: &Greeting, to: &Greeting) -> Option<(f64, f64)> {
    if passages.len() < LEAST {
        return None;
    }
    // Clocks that drift apart do so on a line, which is followed back to the greeting.
    let at = |instant: RunTime| (instant - from.joined).as_secs_f64();
    let instants: Vec<f64> = passages.iter().map(|passage| at(passage.captured)).collect();
    let quickest: Vec<f64> = passages.iter().map(|passage| passage.quickest.as_millis_f64()).collect();
    let drift = stats::theil_sen(&instants, &quickest)?.slope;
    let still = |ms: f64, instant: &f64| ms - drift * instant;
    let least = quickest.iter().zip(&instants).map(|(ms, at)| still(*ms, at)).fold(f64::INFINITY, f64::min);
    let usual: Vec<f64> =
        passages.iter().zip(&instants).map(|(passage, at)| still(passage.usual.as_millis_f64(), at)).collect();
    let question = (from.admitted - from.asked).as_millis_f64();
    let answer = (to.joined - to.admitted).as_millis_f64();
    Some((least - question - answer, stats::median(&usual)? - question - answer))
}
