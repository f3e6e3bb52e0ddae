//! What changes of roles did to what people heard, and the steps that a silence was made of.

use std::collections::BTreeMap;

use jiho_analysis::metrics::{EXPLAINED, GapKind, Side};
use jiho_analysis::roles::{Change, Step};

use super::{listed, spoken};
use crate::report::gaps::GapRow;
use crate::report::stack::StackRow;

/// Shorter silences are not worth a person's while, in ms.
const WORTH_MS: f64 = 60.0;

pub(super) fn paragraphs(gaps: &[GapRow], stacks: &[StackRow]) -> Vec<String> {
    let mut of_change: BTreeMap<(i64, &str, u32), Vec<&GapRow>> = BTreeMap::new();
    for gap in gaps.iter().filter(|gap| !matches!(gap.event, Change::Leave)) {
        of_change.entry((gap.commanded_ns, &gap.subject, gap.change.unwrap_or(0))).or_default().push(gap);
    }
    of_change.values().filter_map(|gaps| change(gaps, stacks)).collect()
}

fn change(gaps: &[&GapRow], stacks: &[StackRow]) -> Option<String> {
    let first = gaps.first()?;
    let at = first.commanded_ns as f64 / 1e9;
    let what = match first.event {
        Change::Join => "came in",
        Change::Leave => "left",
        Change::Promote => "was called up to the stage",
        Change::Demote => "went back to the audience",
        Change::Mute => "was muted",
        Change::Unmute => "was unmuted",
        Change::Remove => "was taken out",
    };
    let subject = &first.subject;
    let longest = |side| gaps.iter().filter(move |gap| gap.side == side).max_by_key(|gap| silence(gap));
    let mut text = String::new();
    if let Some(gap) = longest(Side::Ear).filter(|gap| silence(gap) as f64 >= 1e6 * WORTH_MS) {
        text += &match gap.kind {
            GapKind::Begins => format!(" {subject} heard nothing for {} at first.", spoken(silence(gap) as f64 / 1e6)),
            _ => format!(" For {subject} the room fell silent for {}.", spoken(silence(gap) as f64 / 1e6)),
        };
        text += &steps(gap, stacks);
        if let (Some(before), Some(after)) = (gap.delay_before_ns, gap.delay_after_ns) {
            text += &format!(
                " {} came {} late before, and {} late afterwards",
                gap.speaker,
                spoken(before as f64 / 1e6),
                spoken(after as f64 / 1e6)
            );
            text += &match gap.lost_ns.map(|ns| ns as f64 / 1e6) {
                Some(lost) if lost >= WORTH_MS => {
                    format!("; {} of what {} said were never heard there.", spoken(lost), gap.speaker)
                }
                _ => ".".to_owned(),
            };
        }
    }
    if let Some(gap) = longest(Side::Mouth).filter(|gap| gap.kind == GapKind::Begins) {
        let heard = gap.first_audio_ns.unwrap_or_default() as f64 / 1e6;
        text += &format!(" The last to hear {subject} did so after {}", spoken(heard));
        text += &match gap.lost_ns.map(|ns| ns as f64 / 1e6) {
            Some(lost) if lost >= WORTH_MS => format!("; {} of the first words were lost.", spoken(lost)),
            _ => ".".to_owned(),
        };
    }
    (!text.is_empty()).then(|| format!("- At {at:.1} s {subject} {what}.{text}"))
}

/// How long nothing was heard, in ns: of what begins, since the command.
fn silence(gap: &GapRow) -> i64 {
    let heard = if gap.kind == GapKind::Begins { gap.first_audio_ns } else { gap.silence_ns };
    heard.unwrap_or_default()
}

fn steps(gap: &GapRow, stacks: &[StackRow]) -> String {
    let mut spent: BTreeMap<&str, i64> = BTreeMap::new();
    for row in stacks.iter().filter(|row| row.is_of(gap)) {
        *spent.entry(spent_on(row.step)).or_default() += row.length_ns;
    }
    let mut spent: Vec<(i64, &str)> =
        spent.into_iter().map(|(what, ns)| (ns, what)).filter(|(ns, _)| *ns > 0).collect();
    spent.sort_unstable_by_key(|(ns, what)| (std::cmp::Reverse(*ns), *what));
    if spent.is_empty() {
        return String::new();
    }
    let named: Vec<String> = spent.iter().map(|(ns, what)| format!("{} {what}", spoken(*ns as f64 / 1e6))).collect();
    let explained = match gap.unexplained_ns {
        Some(left) if left.abs() > EXPLAINED.0 => format!(", which leaves {} unexplained", spoken(left as f64 / 1e6)),
        Some(_) => ", which is all of it".to_owned(),
        None => String::new(),
    };
    format!(" That was {}{explained}.", listed(&named))
}

/// What a step's time goes by with, as those who wait would say it.
fn spent_on(step: Step) -> &'static str {
    match step {
        Step::Asked | Step::Commanded | Step::Granted | Step::Offered | Step::Answered => {
            "for the offer and its answer"
        }
        Step::FlightSent | Step::FlightRetransmitted | Step::FlightReceived | Step::TransportReady => {
            "for finding each other and agreeing on keys"
        }
        Step::DeviceRestartBegun | Step::DeviceRestartEnded => "for the sound device to restart",
        Step::SubscriberNotified | Step::SubscriberAcknowledged => "for telling those who are to hear",
        Step::FirstMediaSent | Step::FirstMediaArrived | Step::FirstMediaForwarded | Step::FirstMediaReceived => {
            "for the first packet to come through"
        }
        Step::FirstPlayed => "in the jitter buffer",
        Step::OldPathClosed | Step::Done | Step::Failed => "for the rest",
    }
}
