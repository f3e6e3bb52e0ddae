//! How late everybody heard everybody; where clocks are too unsure for that, what there and back tells.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Reason, Status};
use jiho_analysis::metrics::Relation;
use jiho_analysis::stats;

use super::{listed, spoken};
use crate::report::delays::DelayRow;
use crate::report::drops::DropRow;

/// More ears than this are summed up.
const CROWD: usize = 8;
/// Delays at one ear that lie within this of each other are one figure, in ms.
const SAME_MS: f64 = 3.0;
/// Clocks that may be further apart do not tell delays, in ms.
const UNSURE_MS: f64 = 10.0;

/// A speaker's time marks at an ear, those left out that could not come.
#[derive(Default)]
struct Marks {
    expected: usize,
    delays_ms: Vec<f64>,
    /// How unsure each delay is.
    errors_ms: Vec<f64>,
}

impl Marks {
    fn add(&mut self, row: &DelayRow) {
        if matches!(row.reason, Some(Reason::RoleChange | Reason::NotRecorded)) {
            return;
        }
        self.expected += 1;
        if let (Some(ns), Status::Heard | Status::Weak) = (row.delay_ns, row.status) {
            self.delays_ms.push(ns as f64 / 1e6);
            self.errors_ms.extend(row.low_ns.zip(row.high_ns).map(|(low, high)| (high - low) as f64 / 2e6));
        }
    }

    fn median_ms(&self) -> Option<f64> {
        stats::median(&self.delays_ms)
    }

    /// By how much clocks may be apart, if that is too much; the least if the sound came before it was said.
    fn unsure_ms(&self) -> Option<f64> {
        let error = stats::median(&self.errors_ms)?;
        (error > UNSURE_MS || self.median_ms()? < 0.0).then_some(error)
    }
}

/// By ear and speaker.
type Ears<'r> = BTreeMap<&'r str, BTreeMap<&'r str, Marks>>;

fn ears(rows: &[DelayRow], relation: Relation) -> Ears<'_> {
    let mut ears: Ears<'_> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.relation == relation) {
        ears.entry(&row.recorder).or_default().entry(&row.speaker).or_default().add(row);
    }
    ears
}

/// `drops` is what our own clients dropped on purpose.
pub(super) fn paragraphs(rows: &[DelayRow], drops: &[DropRow]) -> Vec<String> {
    let tiers = [(Relation::Stage, "on stage"), (Relation::Audience, "in the audience")];
    let tiers = tiers.map(|(relation, place)| (ears(rows, relation), place));
    let marks = tiers.iter().flat_map(|(ears, _)| ears.values()).flat_map(BTreeMap::values);
    let unsure_ms = marks.filter_map(Marks::unsure_ms).reduce(f64::max);
    let mut paragraphs = Vec::new();
    for (ears, place) in &tiers {
        if ears.len() > CROWD {
            paragraphs.push(crowd(ears, place, unsure_ms.is_some()));
        } else {
            paragraphs.extend(ears.iter().map(|(ear, speakers)| one(ear, place, speakers, unsure_ms.is_some())));
        }
    }
    if let Some(ms) = unsure_ms {
        paragraphs.extend(there_and_back(&tiers[0].0));
        let apart = if ms > UNSURE_MS { format!("may be {} apart", spoken(ms)) } else { "disagree".to_owned() };
        paragraphs.push(format!("- These people's clocks {apart}: how late one heard another cannot be said."));
    }
    if !drops.is_empty() {
        paragraphs.push(format!(
            "- {} dropped on purpose, for what that tells; time marks in them count as missing.",
            match drops.len() {
                1 => "1 packet was".to_owned(),
                many => format!("{many} packets were"),
            }
        ));
    }
    paragraphs
}

fn one(ear: &str, place: &str, speakers: &BTreeMap<&str, Marks>, unsure: bool) -> String {
    let medians: Vec<(&str, f64)> =
        speakers.iter().filter_map(|(speaker, marks)| Some((*speaker, marks.median_ms()?))).collect();
    let names = || medians.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let mut text = match &alike(&medians)[..] {
        [] => return format!("- {ear}, {place}, heard nobody."),
        _ if unsure => format!("- {ear}, {place}, heard {}.", listed(&names())),
        [(names, ms)] if names.len() > 1 => {
            format!("- {ear}, {place}, heard {} {} late, all alike.", listed(names), spoken(*ms))
        }
        groups => {
            let each = groups.iter().map(|(names, ms)| format!("{} {} late", listed(names), spoken(*ms)));
            format!("- {ear}, {place}, heard {}.", listed(&each.collect::<Vec<_>>()))
        }
    };
    let unheard = speakers.iter().filter(|(_, marks)| marks.median_ms().is_none() && marks.expected > 0);
    let unheard: Vec<String> = unheard.map(|(name, _)| (*name).to_owned()).collect();
    if !unheard.is_empty() {
        text += &format!(" Of {} nothing arrived.", listed(&unheard));
    }
    let heard = || speakers.values().filter(|marks| marks.median_ms().is_some());
    let expected: usize = heard().map(|marks| marks.expected).sum();
    let missing = expected - heard().map(|marks| marks.delays_ms.len()).sum::<usize>();
    if missing * 50 > expected {
        let whose = if unheard.is_empty() { "" } else { " of the others" };
        text += &format!(" Of {expected} time marks{whose} {missing} went unheard.");
    }
    text
}

/// Those with about the same delay together, in order.
fn alike<'s>(medians: &[(&'s str, f64)]) -> Vec<(Vec<&'s str>, f64)> {
    let mut groups: Vec<(Vec<&str>, f64)> = Vec::new();
    for (name, ms) in medians {
        match groups.iter_mut().find(|(_, first)| (ms - first).abs() < SAME_MS) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], *ms)),
        }
    }
    groups
}

fn crowd(ears: &Ears<'_>, place: &str, unsure: bool) -> String {
    let of_ear = |speakers: &BTreeMap<&str, Marks>| {
        stats::median(&speakers.values().filter_map(Marks::median_ms).collect::<Vec<_>>())
    };
    let mut medians: Vec<(f64, &str)> = ears.iter().filter_map(|(ear, s)| Some((of_ear(s)?, *ear))).collect();
    medians.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (Some(first), Some(middle), Some(last)) = (medians.first(), medians.get(medians.len() / 2), medians.last())
    else {
        return format!("- The {} people {place} heard nobody.", ears.len());
    };
    if unsure {
        return format!("- Of the {} people {place} {} heard the stage.", ears.len(), medians.len());
    }
    format!(
        "- The {} people {place} heard the stage {} late in the middle; {} was first with {}, {} last with {}.",
        ears.len(),
        spoken(middle.0),
        first.1,
        spoken(first.0),
        last.1,
        spoken(last.0)
    )
}

/// From one speaker to another and back, where what clocks are off by cancels.
fn there_and_back(stage: &Ears<'_>) -> Option<String> {
    let delay = |from: &str, to: &str| stage.get(to)?.get(from)?.median_ms();
    let mut round: Vec<(f64, String)> = Vec::new();
    for one in stage.keys() {
        for other in stage.keys().filter(|other| *other > one) {
            let both = delay(one, other).zip(delay(other, one)).map(|(there, back)| there + back);
            round.extend(both.map(|ms| (ms, format!("{one} and {other}"))));
        }
    }
    round.sort_by(|a, b| a.0.total_cmp(&b.0));
    let told = match &round[..] {
        [] => return None,
        [(first, between), .., (last, far)] if round.len() > CROWD => {
            format!("{} between {between}, who are nearest, and {} between {far}", spoken(*first), spoken(*last))
        }
        each => listed(&each.iter().map(|(ms, who)| format!("{} between {who}", spoken(*ms))).collect::<Vec<_>>()),
    };
    Some(format!("- There and back, which needs no clocks, sound took {told}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Ten marks from one to another; of some, nothing arrived.
    fn pair(
        speaker: &str,
        recorder: &str,
        relation: Relation,
        delay_ms: i64,
        error_ms: i64,
        lost: u32,
    ) -> Vec<DelayRow> {
        let row = |beep: u32| DelayRow {
            run_id: "r".to_owned(),
            rep: 1,
            speaker: speaker.to_owned(),
            recorder: recorder.to_owned(),
            relation,
            beep,
            status: if beep < lost { Status::Missing } else { Status::Heard },
            reason: (beep < lost).then_some(Reason::NotFound),
            delay_ns: (beep >= lost).then_some(delay_ms * MS),
            low_ns: (beep >= lost).then_some((delay_ms - error_ms) * MS),
            high_ns: (beep >= lost).then_some((delay_ms + error_ms) * MS),
            network_ns: None,
            buffer_ns: None,
            codec_mode: None,
        };
        (0..10).map(row).collect()
    }

    #[test]
    fn who_is_not_heard_at_all_hides_nobody_elses_losses() {
        let rows = [
            pair("ana", "lena", Relation::Audience, 90, 0, 0),
            pair("ben", "lena", Relation::Audience, 95, 0, 4),
            pair("chloe", "lena", Relation::Audience, 0, 0, 10),
        ];
        assert_eq!(
            paragraphs(&rows.concat(), &[]),
            [
                "- lena, in the audience, heard ana 90 ms late and ben 95 ms late. Of chloe nothing arrived. Of 20 time marks \
              of the others 4 went unheard."
            ]
        );
    }

    #[test]
    fn marks_that_could_not_come_were_not_lost() {
        let mut rows = pair("ana", "lena", Relation::Audience, 90, 0, 5);
        rows.iter_mut().filter(|row| row.reason.is_some()).for_each(|row| row.reason = Some(Reason::RoleChange));
        assert_eq!(paragraphs(&rows, &[]), ["- lena, in the audience, heard ana 90 ms late."]);
    }

    #[test]
    fn of_clocks_that_are_unsure_only_there_and_back_is_told() {
        let stage = |error| {
            [
                pair("ana", "ben", Relation::Stage, 3085, error, 0),
                pair("ben", "ana", Relation::Stage, -2915, error, 0),
                pair("ana", "lena", Relation::Audience, 400, error, 0),
            ]
        };
        let told = |last: &str| {
            vec![
                "- ana, on stage, heard ben.".to_owned(),
                "- ben, on stage, heard ana.".to_owned(),
                "- lena, in the audience, heard ana.".to_owned(),
                "- There and back, which needs no clocks, sound took 170 ms between ana and ben.".to_owned(),
                format!("- These people's clocks {last}: how late one heard another cannot be said."),
            ]
        };
        assert_eq!(paragraphs(&stage(3000).concat(), &[]), told("may be 3.00 s apart"));
        assert_eq!(paragraphs(&stage(0).concat(), &[]), told("disagree"));
    }
}
