//! Where a cascade and one forwarding server are the same thing to the ear.
//!
//! What a cascade adds to a pair's delay is the way between two servers. If for all pairs that a tier hears it is a share
//! of the speaker plus a share of the ear, nobody can tell it from longer ways to one server.

use jiho_analysis::metrics::Relation;
use jiho_analysis::metrics::topology::Hypothesis;

use super::RandomRoom;

/// At which of so many servers somebody is whom a cascade serves: all over them.
pub(super) fn edge_of(n: usize, of: usize, edges: usize) -> usize {
    n * edges / of.max(1)
}

impl RandomRoom {
    /// Whether no delay in a tier differs between one forwarding server and a cascade as these rooms have them: as this
    /// room has it, or would.
    pub fn sounds_alike(&self, tier: Relation) -> bool {
        let edges = self.edges.max(2);
        let speakers_apart = tier == Relation::Stage || self.truth.stage == Hypothesis::Cascade;
        let from = |n: usize| if speakers_apart { edge_of(n, self.speakers, edges) } else { 0 };
        let ears = if tier == Relation::Stage { self.speakers } else { self.listeners };
        let to = |n: usize| edge_of(n, ears, edges);
        let hears = |speaker: usize, ear: usize| tier != Relation::Stage || speaker != ear;
        let trunks = |speaker: usize, ear: usize| match (from(speaker), to(ear)) {
            (here, there) if here == there => 0,
            (0, _) | (_, 0) => 1,
            _ => 2,
        };
        let speakers = || 0..self.speakers;
        // Two speakers at two ears: what is left is no share of anybody.
        let adds_up = |a: usize, b: usize, c: usize, d: usize| {
            let heard = [(a, c), (b, c), (a, d), (b, d)].iter().all(|(speaker, ear)| hears(*speaker, *ear));
            !heard || trunks(a, c) + trunks(b, d) == trunks(b, c) + trunks(a, d)
        };
        speakers().all(|a| speakers().all(|b| (0..ears).all(|c| (0..ears).all(|d| adds_up(a, b, c, d)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_rooms::{Truth, Wish, draw};

    fn room(stage: Hypothesis, audience: Hypothesis, speakers: usize, edges: usize) -> RandomRoom {
        let room = draw(0, Wish::default());
        RandomRoom { truth: Truth { stage, audience }, speakers, listeners: 4, edges, ..room }
    }

    #[test]
    fn it_takes_two_speakers_apart_and_two_ears_apart_to_hear_a_cascade() {
        use Hypothesis::{Cascade, Forward};
        // Two or three on stage do not hear two others at two ears apart.
        for (speakers, alike) in [(2, true), (3, true), (4, false), (6, false)] {
            assert_eq!(room(Cascade, Cascade, speakers, 2).sounds_alike(Relation::Stage), alike, "{speakers}");
            assert_eq!(room(Forward, Forward, speakers, 1).sounds_alike(Relation::Stage), alike, "{speakers}");
        }
        assert!(!room(Cascade, Cascade, 2, 2).sounds_alike(Relation::Audience));
        // All speakers are at one server.
        assert!(room(Forward, Cascade, 6, 3).sounds_alike(Relation::Audience));
        assert!(room(Forward, Forward, 6, 1).sounds_alike(Relation::Audience));
    }
}
