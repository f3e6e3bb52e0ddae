//! Whether packets came with the numbers that their mouths gave them.
//!
//! A mixer sends packets of its own. A server that forwards leaves numbers as they are, or writes its own over them, as
//! Janus's VideoRoom does, so that hearers need not know who comes and goes; so other numbers say little against forwarding,
//! and own numbers much against mixing. Between two of our own clients, as in a mesh, nobody is who could write them anew.

use super::outcome::counted;
use super::series::Room;
use super::{Evidence, Hypothesis, Kind};
use crate::metrics::Relation;

/// How likely it is, as a logarithm, that a mixer numbers what it mixes as what came in; that a server that forwards
/// numbers anew, one in two; and that a packet is not known that came directly.
const MIXER_KEEPS: f64 = -12.0;
const SERVER_RENUMBERS: f64 = -0.7;
const DIRECT_UNKNOWN: f64 = -6.0;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Evidence> {
    let kept = room.routes.iter().filter(|route| route.tier == tier).count();
    let receives = |name: &str| room.observations.receivers.iter().any(|receiver| receiver == name);
    let ears = room.ears(tier).filter(|(name, _)| receives(name)).count();
    let log_likelihood = |hypothesis: &Hypothesis| match hypothesis {
        Hypothesis::Mix | Hypothesis::DelayedMix if kept > 0 => MIXER_KEEPS,
        _ if kept > 0 => 0.0,
        Hypothesis::Mix | Hypothesis::DelayedMix => 0.0,
        Hypothesis::Mesh => DIRECT_UNKNOWN,
        Hypothesis::Forward | Hypothesis::Cascade | Hypothesis::DelayedForward => SERVER_RENUMBERS,
    };
    let sentence = match (kept, ears) {
        (0, 0) => return None,
        (0, _) => format!(
            "No packet came to {} of our own clients with the number that its mouth gave it: a server sent packets of its \
             own, or numbered them anew.",
            counted(ears, "ear")
        ),
        _ => format!(
            "The packets of {} came with the numbers that their mouths gave them: no server mixed them.",
            counted(kept, "pair")
        ),
    };
    Some(Evidence {
        tier,
        kind: Kind::Numbers,
        log_likelihoods: Hypothesis::of(tier).iter().map(|h| (*h, log_likelihood(h))).collect(),
        sentence,
    })
}
