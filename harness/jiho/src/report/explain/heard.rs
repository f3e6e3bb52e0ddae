//! How late everybody heard everybody.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Status;
use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;

use super::{listed, spoken};
use crate::report::delays::DelayRow;

/// More ears than this are summed up.
const CROWD: usize = 8;
/// Delays at one ear that lie within this of each other are one figure, in ms.
const SAME_MS: f64 = 3.0;

/// Median delays and how much was heard, by ear and speaker.
type Ears<'r> = BTreeMap<&'r str, BTreeMap<&'r str, Vec<Option<f64>>>>;

pub(super) fn paragraphs(rows: &[DelayRow]) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for (relation, place) in [(Relation::Stage, "on stage"), (Relation::Audience, "in the audience")] {
        let mut ears: Ears<'_> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.relation == relation) {
            let heard = matches!(row.status, Status::Heard | Status::Weak);
            let delay = row.delay_ns.filter(|_| heard).map(|ns| ns as f64 / 1e6);
            ears.entry(&row.recorder).or_default().entry(&row.speaker).or_default().push(delay);
        }
        if ears.len() > CROWD {
            paragraphs.push(crowd(&ears, place));
        } else {
            paragraphs.extend(ears.iter().map(|(ear, speakers)| one(ear, place, speakers)));
        }
    }
    if paragraphs.iter().any(|paragraph| paragraph.contains("before it was said")) {
        paragraphs.push(
            "Nobody hears anything before it is said: these people's clocks disagree. Differences at one ear are right \
             all the same."
                .to_owned(),
        );
    }
    paragraphs
}

fn median(delays: &[Option<f64>]) -> Option<f64> {
    stats::median(&delays.iter().flatten().copied().collect::<Vec<_>>())
}

fn one(ear: &str, place: &str, speakers: &BTreeMap<&str, Vec<Option<f64>>>) -> String {
    let medians: Vec<(&str, f64)> =
        speakers.iter().filter_map(|(speaker, delays)| Some((*speaker, median(delays)?))).collect();
    let unheard: Vec<String> =
        speakers.iter().filter(|(_, delays)| median(delays).is_none()).map(|(name, _)| (*name).to_owned()).collect();
    let low = medians.iter().map(|(_, ms)| *ms).fold(f64::INFINITY, f64::min);
    let high = medians.iter().map(|(_, ms)| *ms).fold(f64::NEG_INFINITY, f64::max);
    let names: Vec<String> = medians.iter().map(|(name, _)| (*name).to_owned()).collect();
    let heard = match &medians[..] {
        [] => format!("{ear}, {place}, heard nobody."),
        many if many.len() > 1 && high - low < SAME_MS => {
            format!("{ear}, {place}, heard {} {}, all alike.", listed(&names), late(low))
        }
        each => {
            let each: Vec<String> = each.iter().map(|(name, ms)| format!("{name} {}", late(*ms))).collect();
            format!("{ear}, {place}, heard {}.", listed(&each))
        }
    };
    let (expected, missing) = speakers
        .values()
        .fold((0, 0), |(all, none), delays| (all + delays.len(), none + delays.iter().filter(|d| d.is_none()).count()));
    let mut text = format!("- {heard}");
    if !unheard.is_empty() && !medians.is_empty() {
        text += &format!(" Of {} nothing arrived.", listed(&unheard));
    } else if missing * 50 > expected {
        text += &format!(" Of {expected} time marks {missing} did not arrive.");
    }
    text
}

fn late(ms: f64) -> String {
    if ms < 0.0 { format!("{} before it was said", spoken(-ms)) } else { format!("{} late", spoken(ms)) }
}

fn crowd(ears: &Ears<'_>, place: &str) -> String {
    let of_ear = |speakers: &BTreeMap<&str, Vec<Option<f64>>>| {
        stats::median(&speakers.values().filter_map(|delays| median(delays)).collect::<Vec<_>>())
    };
    let mut medians: Vec<(f64, &str)> = ears.iter().filter_map(|(ear, s)| Some((of_ear(s)?, *ear))).collect();
    medians.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some(first), Some(middle), Some(last)) = (medians.first(), medians.get(medians.len() / 2), medians.last())
    else {
        return format!("- The {} people {place} heard nobody.", ears.len());
    };
    format!(
        "- The {} people {place} heard the stage {} in the middle; {} was first with {}, {} last with {}.",
        ears.len(),
        late(middle.0),
        first.1,
        spoken(first.0),
        last.1,
        spoken(last.0)
    )
}
