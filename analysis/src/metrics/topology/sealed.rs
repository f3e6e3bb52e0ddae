//! What was sealed end to end and heard was mixed by no server.
//!
//! Our own clients know whether they sealed what they sent. Who hears it has opened it, and a server without the key
//! could have passed it on, and not mixed it. If a mix was heard nevertheless, the encryption is none.

use super::series::Room;
use super::{Evidence, Hypothesis, Kind};
use crate::metrics::Relation;

/// How likely it is that a sealed room is mixed all the same, since somebody gave the server the key: a logarithm.
const KEY_GIVEN_AWAY: f64 = -12.0;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Evidence> {
    let sealed = &room.observations.sealed;
    let is_sealed = |speaker: &str| sealed.iter().any(|name| name == speaker);
    let heard: usize = room
        .ears(tier)
        .map(|(_, heard)| heard.series.keys().filter(|speaker| is_sealed(speaker)).count())
        .filter(|speakers| *speakers >= 2)
        .count();
    if heard == 0 {
        return None;
    }
    let mixes = |hypothesis: &Hypothesis| matches!(hypothesis, Hypothesis::Mix | Hypothesis::DelayedMix);
    let likelihood = |hypothesis: &Hypothesis| (*hypothesis, if mixes(hypothesis) { KEY_GIVEN_AWAY } else { 0.0 });
    Some(Evidence {
        tier,
        kind: Kind::Sealed,
        log_likelihoods: Hypothesis::of(tier).iter().map(likelihood).collect(),
        sentence: "What was heard had been sealed end to end with a key that no server has: no server mixed it."
            .to_owned(),
    })
}
