//! How much more than the way takes is added to the audience's delays than to the stage's.
//!
//! When a client comes in it asks and is answered. Half of the time that this takes is the way to its server, and it says
//! how far the client's clock is from the server's, to within that way. So a delay without clocks' offsets and without the
//! two ways is known: what is left are buffers, frames and coding, some 50 to 200 ms, and whatever holds sound back. What
//! is left for the audience, less what is left for the stage, is what is added for a class of ears: nothing or little, or
//! a delayed tier. A mesh has shorter ways than those to the server, so that less is left.

use std::collections::BTreeMap;

use super::series::{Room, median_ms};
use super::{Greeting, Kind, outcome::Outcome};
use crate::metrics::Relation;
use crate::stats;

/// A client's way to its server and its clock, in ms.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// How much its clock shows more than the server's.
    ahead: f64,
    /// One way, half of there and back.
    way: f64,
}

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let places: BTreeMap<&str, Place> =
        room.observations.greetings.iter().map(|greeting| (greeting.client.as_str(), Place::of(greeting))).collect();
    let stage = stats::median(&left(room, Relation::Stage, &places))?;
    let audience = left(room, Relation::Audience, &places);
    let least = audience.iter().copied().fold(f64::INFINITY, f64::min);
    if audience.is_empty() {
        return None;
    }
    let added = least - stage;
    let case = match added {
        added if added < -100.0 => "below_-100",
        added if added < -50.0 => "below_-50",
        added if added < -20.0 => "below_-20",
        added if added < 0.0 => "below_0",
        added if added < 30.0 => "below_30",
        added if added < 80.0 => "below_80",
        added if added < 160.0 => "below_160",
        added if added < 300.0 => "below_300",
        _ => "beyond",
    };
    let sentence = if added >= 160.0 {
        format!(
            "Every ear in the audience hears at least {added:.0} ms later than the ways to it and the stage's buffers \
             account for: sound is held back for the audience."
        )
    } else {
        format!(
            "Beyond the ways of sound, the audience's nearest ear hears {added:+.0} ms later than the stage does: no more \
             than buffers differ by."
        )
    };
    Some(Outcome { tier, kind: Kind::Classes, context: "all", case, sentence })
}

impl Place {
    fn of(greeting: &Greeting) -> Self {
        let Greeting { asked, admitted, joined, .. } = greeting;
        let (there, back) = ((*asked - *admitted).as_millis_f64(), (*joined - *admitted).as_millis_f64());
        Self { ahead: 0.5 * (there + back), way: 0.5 * (back - there) }
    }
}

/// What is left of the median delay of each pair of a tier, for each ear the least.
fn left(room: &Room<'_>, tier: Relation, places: &BTreeMap<&str, Place>) -> Vec<f64> {
    let mut left = Vec::new();
    for (ear, heard) in room.ears(tier) {
        let Some(to) = places.get(ear) else { continue };
        let of_pair = |(speaker, series): (&&str, &Vec<_>)| {
            let from = places.get(speaker)?;
            Some(median_ms(series) + from.ahead - to.ahead - from.way - to.way)
        };
        left.extend(heard.series.iter().filter_map(of_pair).min_by(f64::total_cmp));
    }
    left
}
