//! Whether delays are the sum of a speaker's share and an ear's.
//!
//! Through one server they are, D = up(s) + down(l), but for what jitter buffers add stream by stream. In a tetrad,
//! (D_ac − D_bc) − (D_ad − D_bd), both shares cancel, and all clocks' offsets and drifts with them, since it compares which
//! instants of two speakers sound together at two ears. What is left says: nothing at all, to a fraction of a
//! millisecond: both ears hear the same mix. A little: buffers. Much: ways of their own for pairs (a mesh), or, if ears fall
//! into groups within which little is left, servers that are apart (a cascade). With three people on stage there is no
//! tetrad, but the sum round the circle, (D_ac − D_bc) + (D_ba − D_ca) + (D_cb − D_ab), cancels alike.

use std::collections::BTreeMap;

use super::Kind;
use super::outcome::{Outcome, share};
use super::series::{Heard, Room, median_ms, ordered_pairs, tetrad, together};
use crate::metrics::Relation;
use crate::stats;

/// Less is nothing, in ms: a sample of the ear, and what a second coding does.
const NOTHING_MS: f64 = 0.15;
/// Of a circle, where drifting clocks are compared at instants up to 10 s apart.
const NOTHING_ROUND_MS: f64 = 2.0;
/// Jitter buffers alone leave less.
const LITTLE_MS: f64 = 4.0;
const MUCH_MS: f64 = 14.0;
/// Ears are of one group if what is left between them is a smaller share than this of what is left between all.
const WITHIN_GROUP: f64 = 0.25;

pub(super) fn look(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let ears: Vec<(&str, &Heard<'_>)> = room.ears(tier).collect();
    let left = Left::between(&ears);
    if left.count == 0 {
        return circle(&ears, tier);
    }
    left.outcome(tier, Kind::Additive, ears.len())
}

/// What the audience's delays say of the servers that the stage shares with it: groups of its ears are groups of
/// the stage's.
pub(super) fn servers(room: &Room<'_>, tier: Relation) -> Option<Outcome> {
    let ears: Vec<(&str, &Heard<'_>)> = room.ears(Relation::Audience).collect();
    let left = Left::between(&ears);
    (tier == Relation::Stage && left.count > 0).then(|| left.outcome(tier, Kind::Servers, ears.len()))?
}

/// What is left of tetrads.
#[derive(Debug, Default)]
struct Left {
    /// How many there are, and in how many nothing is left for most of the time.
    count: usize,
    exact: usize,
    /// The amount of each, in ms.
    medians: Vec<f64>,
    /// The greatest median of each pair of ears, by their places.
    of_ears: BTreeMap<(usize, usize), f64>,
}

impl Left {
    fn outcome(&self, tier: Relation, kind: Kind, ears: usize) -> Option<Outcome> {
        let exact = share(self.exact, self.count);
        let left = stats::sorted(&self.medians);
        let (spread, most) = (stats::quantile(&left, 0.5)?, stats::quantile(&left, 0.9)?);
        let groups = self.groups(ears, LITTLE_MS.max(WITHIN_GROUP * most));
        let grouped = ears >= 4 && (2..=ears / 2).contains(&groups);
        let case = match spread {
            _ if exact >= 0.9 => "exact",
            _ if exact >= 0.2 && most >= LITTLE_MS && grouped => "exact_groups",
            _ if exact >= 0.4 => "mostly_exact",
            _ if grouped && most >= 30.0 => "far_groups",
            _ if grouped && most >= MUCH_MS => "groups",
            spread if spread < 1.0 => "within_1",
            spread if spread < LITTLE_MS => "within_4",
            spread if spread < 8.0 => "within_8",
            spread if spread < MUCH_MS => "within_14",
            spread if spread < 30.0 => "within_30",
            _ => "beyond",
        };
        let sentence = match case {
            "exact" if kind == Kind::Servers => {
                "The audience's ears fall into no groups, as servers that are apart from each \
                                                 other would make them."
                    .to_owned()
            }
            "exact" => "Which instants of two speakers sound together is the same at all ears to a fraction of a \
                        millisecond: all hear one mix."
                .to_owned(),
            "mostly_exact" => format!(
                "Which instants of two speakers sound together is the same to a fraction of a millisecond in {:.0} % of \
                 comparisons between ears.",
                100.0 * exact
            ),
            _ if case.ends_with("groups") => format!(
                "Delays are not a sum of a speaker's and an ear's share, by up to {most:.0} ms, but within each of \
                 {groups} groups of ears they nearly are: servers apart from each other."
            ),
            _ if spread < MUCH_MS => format!(
                "Delays are a sum of a speaker's and an ear's share to {spread:.1} ms: as if all ways led through one \
                 place, and buffers did the rest."
            ),
            _ => format!(
                "Delays are not a sum of a speaker's and an ear's share, by {spread:.0} ms and up to {most:.0} ms: \
                 pairs have ways of their own."
            ),
        };
        let context = match (ears, self.count) {
            (_, 0..=4) => "few",
            (0..=3, _) => "some",
            _ => "many",
        };
        Some(Outcome { tier, kind, context, case, sentence })
    }

    fn between(ears: &[(&str, &Heard<'_>)]) -> Self {
        let mut left = Self::default();
        let mut known = BTreeMap::new();
        for (place, (_, heard)) in ears.iter().enumerate() {
            for (a, b) in ordered_pairs(heard) {
                known.entry((a, b)).or_insert_with(Vec::new).push((place, together(heard, a, b)));
            }
        }
        for at_ears in known.values() {
            for (n, (one, behind)) in at_ears.iter().enumerate() {
                for (other, other_behind) in &at_ears[n + 1..] {
                    left.add((*one, *other), &tetrad(behind, other_behind));
                }
            }
        }
        left
    }

    fn add(&mut self, ears: (usize, usize), tetrads: &[f64]) {
        let Some(median) = stats::median(tetrads) else { return };
        let nothing = tetrads.iter().filter(|left| left.abs() < NOTHING_MS).count();
        self.count += 1;
        self.exact += usize::from(share(nothing, tetrads.len()) >= 0.7);
        self.medians.push(median.abs());
        let most = self.of_ears.entry(ears).or_default();
        *most = most.max(median.abs());
    }

    /// Into how many groups ears fall if those are joined between which less than so much is left.
    fn groups(&self, ears: usize, within_ms: f64) -> usize {
        let mut group: Vec<usize> = (0..ears).collect();
        for ((one, other), _) in self.of_ears.iter().filter(|(_, left)| **left < within_ms) {
            let (from, to) = (group[*one], group[*other]);
            group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
        group.sort_unstable();
        group.dedup();
        group.len()
    }
}

/// Three who hear each other.
fn circle(ears: &[(&str, &Heard<'_>)], tier: Relation) -> Option<Outcome> {
    let [(a, at_a), (b, at_b), (c, at_c)] = ears else { return None };
    let delay = |heard: &Heard<'_>, speaker: &str| heard.series.get(speaker).map(|series| median_ms(series));
    let round =
        delay(at_c, a)? - delay(at_c, b)? + delay(at_a, b)? - delay(at_a, c)? + delay(at_b, c)? - delay(at_b, a)?;
    let case = match round.abs() {
        left if left < NOTHING_ROUND_MS => "exact",
        left if left < 2.0 * LITTLE_MS => "little",
        left if left < 2.0 * MUCH_MS => "some",
        _ => "much",
    };
    let sentence = format!(
        "Once round the three on stage the differences of delays add up to {round:+.1} ms; through one place they would \
         add up to nothing but what buffers leave."
    );
    Some(Outcome { tier, kind: Kind::Additive, context: "circle", case, sentence })
}
