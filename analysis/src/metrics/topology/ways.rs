//! Whether packets take the ways to a server, shorter ones, or longer ones.
//!
//! When a client comes in, it asks and is answered. Its question's way, by its own clock and the server's, and the
//! answer's, by the server's clock and its own, are those that its packets take to that server and back. So what a
//! speaker's packets take to an ear, less the speaker's question's way and the ear's answer's, is nothing through one
//! server, and every clock is in it once to and once fro: none has to be right. From one server to another takes longer:
//! even the quickest packet does. By ways past a server packets are quicker. A question or an answer that was late by
//! jitter makes them seem quicker too, but never all of them everywhere. What waits at an ear is left out, since an ear's own
//! client knows when a packet came, whatever its jitter buffer does with it then.

use super::Kind;
use super::outcome::{Outcome, counted};
use super::routes::{Jitter, Route, jitter};
use super::series::Room;
use crate::metrics::Relation;

/// Later by more than any way: held back, in ms.
const HELD_MS: f64 = 100.0;
/// Where the longest way and the shortest fall, each in ms.
const LONGER_MS: [f64; 5] = [-1.0, -0.15, 0.5, 2.0, 6.0];
const SHORTER_MS: [f64; 4] = [0.25, 1.0, 3.0, 10.0];
/// Of ways that are not longer, by the longest, then by the shortest.
const CASES: [[&str; 5]; 3] = [
    ["all_shorter", "all_shorter", "all_shorter_some_more", "all_shorter_some_much", "all_shorter_some_far"],
    ["all_hardly_shorter", "all_hardly", "all_hardly_some_more", "all_hardly_some_much", "all_hardly_some_far"],
    ["alike", "little_shorter", "shorter", "much_shorter", "far_shorter"],
];

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let greeted: Vec<&Route<'_>> = room.routes.iter().filter(|r| r.tier == tier && r.more_ms.is_some()).collect();
    let more = || greeted.iter().filter_map(|route| route.more_ms);
    let longest = more().reduce(f64::max)?;
    let shortest = more().reduce(f64::min)?;
    let class = |amount: f64, bounds: &[f64]| bounds.iter().filter(|bound| amount > **bound).count();
    let case = match shortest {
        shortest if shortest >= HELD_MS => "held",
        _ => match (class(longest, &LONGER_MS), class(-shortest, &SHORTER_MS)) {
            (5, _) => "much_longer",
            (4, _) => "longer",
            (3, ..=2) => "little_longer",
            (3, _) => "little_longer_some_shorter",
            (longer, shorter) => CASES[longer][shorter],
        },
    };
    let pairs = counted(greeted.len(), "pair");
    let sentence = match case {
        "held" => format!(
            "All packets take at least {shortest:.0} ms more than the ways to a server and from it: they are held back."
        ),
        _ if longest > LONGER_MS[3] => format!(
            "Even the quickest packets of some pair take {longest:.0} ms more than the ways to a server and from it: they \
             go from one server to another."
        ),
        _ if longest <= LONGER_MS[0] => format!(
            "The quickest packets of each of {pairs} come at least {:.1} ms sooner than by way of the server: they go past \
             it, or greetings were late.",
            -longest
        ),
        _ if -shortest > SHORTER_MS[2] => format!(
            "The quickest packets of {pairs} take up to {:.0} ms less than the ways to one server and from it: some go past \
             it, or some greetings were late.",
            -shortest
        ),
        _ => format!(
            "The quickest packets of each of {pairs} take the way to one server and from it, to {:.1} ms.",
            longest.abs().max(-shortest).max(0.1)
        ),
    };
    let context = match (jitter(&greeted), greeted.len()) {
        (Jitter::Still, ..=2) => "still_two",
        (Jitter::Still, ..=6) => "still_few",
        (Jitter::Still, _) => "still_many",
        (Jitter::Some, ..=2) => "jitter_two",
        (Jitter::Some, ..=6) => "jitter_few",
        (Jitter::Some, _) => "jitter_many",
        (Jitter::Much, ..=6) => "much_jitter_few",
        (Jitter::Much, _) => "much_jitter_many",
    };
    Some(Outcome { tier, kind: Kind::Ways, context, case, sentence })
}
