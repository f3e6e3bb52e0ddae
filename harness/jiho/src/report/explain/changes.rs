//! What changes of roles did to what people heard, and the steps that a silence was made of.

use std::collections::BTreeMap;

use jiho_analysis::metrics::{EXPLAINED, GapKind, Side};
use jiho_analysis::roles::Change;

use super::{listed, spoken};
use crate::report::changes::label;
use crate::report::gaps::GapRow;
use crate::report::stack::StackRow;

/// Shorter silences are not worth a person's while, in ms.
const WORTH_MS: f64 = 60.0;
/// So many steps of a silence are named.
const STEPS: usize = 5;

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
                " Before, {} came {} late, and {} afterwards.",
                gap.speaker,
                spoken(before as f64 / 1e6),
                spoken(after as f64 / 1e6)
            );
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
    let is_of = |row: &&StackRow| {
        (row.change, &row.subject, row.side, &row.endpoint, &row.speaker)
            == (gap.change, &gap.subject, gap.side, &gap.endpoint, &gap.speaker)
            && row.event == gap.event
    };
    let mut own: Vec<&StackRow> = stacks.iter().filter(is_of).collect();
    own.sort_by_key(|row| std::cmp::Reverse(row.length_ns));
    if own.is_empty() {
        return String::new();
    }
    let named: Vec<String> = own
        .iter()
        .take(STEPS)
        .map(|row| format!("{} {}", spoken(row.length_ns as f64 / 1e6), label(row.step, &row.node, &row.detail)))
        .collect();
    let rest: i64 = own.iter().skip(STEPS).map(|row| row.length_ns).sum();
    let mut named = named;
    if rest > 0 {
        named.push(format!("{} in {} smaller steps", spoken(rest as f64 / 1e6), own.len() - STEPS));
    }
    let explained = match gap.unexplained_ns {
        Some(left) if left.abs() > EXPLAINED.0 => format!(", which leaves {} unexplained", spoken(left as f64 / 1e6)),
        _ => ", which is all of it".to_owned(),
    };
    format!(" That was {}{explained}.", listed(&named))
}
