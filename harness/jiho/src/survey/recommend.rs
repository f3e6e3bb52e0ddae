//! Which family to take, and why.

use jiho_analysis::signal::Family;

use super::Figures;

/// What is recommended.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// `None`: no family with codes came through. Tones are never recommended: they fit at several delays.
    pub family: Option<Family>,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether so little was heard, even of it, that the path is in doubt.
    pub is_doubtful: bool,
}

/// Families whose heard ratios differ by less than this are heard as often.
const AS_OFTEN: f64 = 0.02;
/// Families whose spreads differ by less than this, in µs, are as exact: no clock in a room is.
const AS_EXACT_US: f64 = 1.0;

/// Chooses: the family that is heard most often; of those the one whose delays spread least; of those the first of
/// [`super::FAMILIES`]. Where coded noise is taken out and coded voices are not, only voices are looked at.
pub fn recommend(families: &[Figures]) -> Recommendation {
    let suppressed = suppression(families);
    let candidates: Vec<&Figures> = families
        .iter()
        .filter(|figures| figures.family.is_coded() && figures.heard > 0)
        .filter(|figures| suppressed.is_none() || is_voiced(figures.family))
        .collect();
    let most = candidates.iter().map(|figures| figures.heard_ratio()).fold(0.0, f64::max);
    let often: Vec<&Figures> = candidates.iter().filter(|f| f.heard_ratio() > most - AS_OFTEN).copied().collect();
    let least_us = often.iter().map(|figures| spread_us(figures)).fold(f64::INFINITY, f64::min);
    let exact: Vec<&Figures> = often.iter().filter(|f| spread_us(f) <= least_us + AS_EXACT_US).copied().collect();
    let Some(&best) = exact.first() else {
        let reason = "No coded family came through: there is nothing to recommend.".to_owned();
        return Recommendation { family: None, reason, is_doubtful: true };
    };
    let family = best.family;
    let counted = format!("{} of {} beeps", best.heard, best.expected);
    let second =
        candidates.iter().filter(|f| f.family != family).max_by(|a, b| a.heard_ratio().total_cmp(&b.heard_ratio()));
    let reason = match (suppressed, second) {
        (Some(noise), _) => format!(
            "Of coded noise {} of {} beeps are left, as noise suppression does; {family} is heard ({counted}).",
            noise.heard, noise.expected
        ),
        (None, None) => format!("No other coded family is heard: {counted}."),
        (None, Some(second)) if often.len() == 1 => {
            let (other, heard, expected) = (second.family, second.heard, second.expected);
            format!("It is heard most often: {counted}; of {other} it is {heard} of {expected}.")
        }
        (None, Some(_)) if exact.len() == 1 => {
            let rival =
                often.iter().filter(|f| f.family != family).min_by(|a, b| spread_us(a).total_cmp(&spread_us(b)));
            let rival =
                rival.map_or(String::new(), |rival| format!("; those of {} by {}", rival.family, micros(rival)));
            format!("None is heard more often ({counted}), and its delays spread least: by {}{rival}.", micros(best))
        }
        (None, Some(_)) => {
            let others: Vec<&str> =
                exact.iter().map(|f| f.family.name()).filter(|name| *name != family.name()).collect();
            let advantage =
                if is_voiced(family) { "noise suppression spares it" } else { "it is the shortest of them" };
            let others = others.join(", ");
            format!("It is heard as often ({counted}) and as exactly as {others}, and {advantage}.")
        }
    };
    Recommendation { family: Some(family), reason, is_doubtful: best.heard_ratio() < 0.5 }
}

/// The coded noise, if most of it is missing while a coded voice of the same length is there.
fn suppression(families: &[Figures]) -> Option<&Figures> {
    let of = |family| families.iter().find(|figures| figures.family == family && figures.expected > 0);
    let (voiced, noise) = (of(Family::Voiced)?, of(Family::Noise)?);
    (voiced.heard_ratio() >= 0.5 && noise.heard_ratio() < voiced.heard_ratio() / 2.0).then_some(noise)
}

fn is_voiced(family: Family) -> bool {
    matches!(family, Family::Voiced | Family::VoicedRobust)
}

fn spread_us(figures: &Figures) -> f64 {
    figures.spread_us.unwrap_or(f64::INFINITY)
}

fn micros(figures: &Figures) -> String {
    figures.spread_us.map_or("an unknown amount".to_owned(), |us| format!("{us:.1} µs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(family: Family, heard: usize, spread_us: f64) -> Figures {
        let none = Figures::of(family, &[], 0, 0.0);
        Figures { expected: 16, heard, spread_us: (heard > 1).then_some(spread_us), ..none }
    }

    fn families(voiced: (usize, f64), noise: (usize, f64), robust: (usize, f64)) -> Vec<Figures> {
        vec![
            heard(Family::Voiced, voiced.0, voiced.1),
            heard(Family::Noise, noise.0, noise.1),
            heard(Family::VoicedRobust, robust.0, robust.1),
            heard(Family::Jiho, 16, 0.0),
        ]
    }

    #[test]
    fn the_family_that_is_heard_most_is_recommended_then_the_most_exact_then_the_shorter_voice() {
        for (families, family, reason) in [
            (families((16, 0.1), (16, 0.05), (16, 0.07)), Family::Voiced, "as exactly as noise, voiced_robust"),
            (
                families((16, 9.0), (16, 2.0), (16, 7.0)),
                Family::Noise,
                "its delays spread least: by 2.0 µs; those of voiced_robust by 7.0 µs",
            ),
            (
                families((12, 1.0), (11, 1.0), (16, 90.0)),
                Family::VoicedRobust,
                "most often: 16 of 16 beeps; of voiced it is 12 of 16",
            ),
            (families((15, 9.0), (0, 0.0), (15, 20.0)), Family::Voiced, "0 of 16 beeps are left, as noise suppression"),
        ] {
            let recommended = recommend(&families);
            assert_eq!(recommended.family, Some(family), "{}", recommended.reason);
            assert!(recommended.reason.contains(reason) && !recommended.is_doubtful, "{}", recommended.reason);
        }
    }

    #[test]
    fn tones_are_no_rulers_however_well_they_are_heard_and_little_is_in_doubt() {
        assert_eq!(recommend(&families((0, 0.0), (0, 0.0), (0, 0.0))).family, None);
        let little = recommend(&families((7, 1.0), (6, 1.0), (5, 1.0)));
        assert!(little.is_doubtful && little.family == Some(Family::Voiced), "{little:?}");
    }
}
