//! Whether what packets take is the sum of a speaker's share and an ear's.
//!
//! The same as `additive` asks of sound, with jitter buffers left out: of the quickest packets, (Q_ac − Q_bc) − (Q_ad − Q_bd)
//! is nothing through one server. No greeting is in it, and every clock once to and once fro. A mesh has ways of its own
//! for each pair; a cascade leaves something only between speakers and ears that are at different servers.

use std::collections::BTreeMap;

use super::Kind;
use super::outcome::{Outcome, counted};
use super::routes::{Jitter, Route, jitter};
use super::series::Room;
use crate::metrics::Relation;
use crate::stats;

/// Of a crowd so many ears are enough.
const ENOUGH_EARS: usize = 24;
/// What is left of half of the tetrads, in ms.
const USUAL_MS: [f64; 5] = [0.4, 1.0, 2.5, 6.0, 15.0];
/// The greatest tenth, in ms, and by how much more than half of them: some pairs are apart from others.
const MOST_MS: f64 = 6.0;
const APART: f64 = 6.0;
const CASES: [[&str; 2]; 6] = [
    ["nothing", "nothing_but_some"],
    ["within_1", "within_1_but_some"],
    ["within_2", "within_2_but_some"],
    ["within_6", "within_6_but_some"],
    ["within_15", "within_15_but_some"],
    ["beyond", "beyond_but_some"],
];

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let own: Vec<&Route<'_>> = room.routes.iter().filter(|route| route.tier == tier).collect();
    // On a stage of two or three nobody hears two whom somebody else hears too, but the audience does.
    let across = own.len() <= 6 && tier == Relation::Stage;
    let with = if across { Relation::Audience } else { tier };
    let others: Vec<&Route<'_>> = room.routes.iter().filter(|route| route.tier == with).collect();
    let left = stats::sorted(&left(&own, &others));
    let (usual, most) = (stats::quantile(&left, 0.5)?, stats::quantile(&left, 0.9)?);
    let some = most > MOST_MS && most > APART * usual;
    let class = USUAL_MS.iter().filter(|bound| usual > **bound).count();
    let case = CASES[class][usize::from(some)];
    let of = if across { " on stage and in the audience" } else { "" };
    let tetrads = counted(left.len(), "pair") + " of speakers and ears" + of;
    let sentence = if some {
        format!(
            "What the quickest packets of {tetrads} take is the sum of a speaker's and an ear's share to {usual:.1} ms in \
             half of them, and up to {most:.0} ms off in others: servers apart from each other."
        )
    } else if usual > USUAL_MS[2] {
        format!(
            "What the quickest packets of {tetrads} take is no sum of a speaker's and an ear's share, by {usual:.1} ms: \
             pairs have ways of their own."
        )
    } else {
        format!(
            "What the quickest packets of {tetrads} take is the sum of a speaker's and an ear's share, to {usual:.1} ms."
        )
    };
    let used: Vec<&Route<'_>> = own.iter().chain(others.iter().filter(|_| across)).copied().collect();
    let context = match (across, jitter(&used), left.len()) {
        (true, Jitter::Still, _) => "across_still",
        (true, Jitter::Some, _) => "across_jitter",
        (true, Jitter::Much, _) => "across_much_jitter",
        (false, Jitter::Still, ..=6) => "still_few",
        (false, Jitter::Still, _) => "still_many",
        (false, Jitter::Some, ..=6) => "jitter_few",
        (false, Jitter::Some, _) => "jitter_many",
        (false, Jitter::Much, ..=6) => "much_jitter_few",
        (false, Jitter::Much, _) => "much_jitter_many",
    };
    Some(Outcome { tier, kind: Kind::Tetrads, context, case, sentence })
}

/// The amounts that are left of tetrads, in ms: of two speakers at an ear of the one and an ear of the other.
fn left(own: &[&Route<'_>], others: &[&Route<'_>]) -> Vec<f64> {
    let (own, others) = (by_ear(own), by_ear(others));
    let mut left = Vec::new();
    for (ear, heard) in own.iter().take(ENOUGH_EARS) {
        for (other, heard_there) in others.iter().take(ENOUGH_EARS) {
            let twice = own.contains_key(other) && other <= ear;
            if ear == other || twice {
                continue;
            }
            let behind: Vec<f64> =
                heard.iter().filter_map(|(speaker, ms)| Some(ms - heard_there.get(speaker)?)).collect();
            for (n, one) in behind.iter().enumerate() {
                left.extend(behind[n + 1..].iter().map(|another| (one - another).abs()));
            }
        }
    }
    left
}

fn by_ear<'o>(routes: &[&Route<'o>]) -> BTreeMap<&'o str, BTreeMap<&'o str, f64>> {
    let mut ears: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for route in routes {
        ears.entry(route.recorder).or_default().insert(route.speaker, route.quickest_ms);
    }
    ears
}
