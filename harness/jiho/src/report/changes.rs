//! Role changes for a terminal: what each did to sound, and the longest silence as a stack of its steps.

use std::fmt::Write;

use jiho_analysis::metrics::{Gap, GapKind, RoleChange, Side, Stack};
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::Nanos;

use crate::run::measure::Findings;

/// Columns of a bar.
const BAR: usize = 48;
/// More names than this are counted.
const MOST_NAMES: usize = 4;

/// All changes, one paragraph each; empty if there were none that anything was heard of.
pub fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for (index, (change, _)) in findings.changes.changes.iter().enumerate() {
        let own: Vec<&(Gap, Option<Stack>)> =
            findings.changes.gaps.iter().filter(|(gap, _)| gap.change == index).collect();
        if own.is_empty() && change.failed().is_none() {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}", title(change));
        if let Some(reason) = change.failed() {
            let _ = writeln!(text, "  It came to nothing: {reason}.");
        }
        for side in [Side::Ear, Side::Mouth] {
            let gaps: Vec<&Gap> = own.iter().map(|(gap, _)| gap).filter(|gap| gap.side == side).collect();
            let mut kinds: Vec<GapKind> = gaps.iter().map(|gap| gap.kind).collect();
            kinds.sort_unstable();
            kinds.dedup();
            for kind in kinds {
                let alike: Vec<&Gap> = gaps.iter().copied().filter(|gap| gap.kind == kind).collect();
                let _ = writeln!(text, "  {}", sentence(change, side, kind, &alike));
            }
            text.push_str(&longest(&own, side));
        }
    }
    text
}

/// What the longest silence of all that anybody whose role changed heard was made of; empty if there was none.
pub fn longest_silence(findings: &Findings) -> String {
    longest(&findings.changes.gaps.iter().collect::<Vec<_>>(), Side::Ear)
}

fn longest(gaps: &[&(Gap, Option<Stack>)], side: Side) -> String {
    let of_side = gaps.iter().filter(|(gap, _)| gap.side == side);
    let longest = of_side.filter_map(|(gap, stack)| Some((gap, stack.as_ref()?))).max_by_key(|(_, stack)| stack.heard);
    longest.map_or(String::new(), |(gap, stack)| drawn(gap, stack))
}

fn title(change: &RoleChange) -> String {
    let name = &change.subject;
    let what = match change.change {
        Change::Join => format!("{name} joins"),
        Change::Leave => format!("{name} leaves"),
        Change::Promote => format!("{name} is promoted"),
        Change::Demote => format!("{name} is demoted"),
        Change::Mute => format!("{name} is muted"),
        Change::Unmute => format!("{name} is unmuted"),
        Change::Remove => format!("{name} is removed"),
    };
    format!("{what}, asked for at {:.3} s", change.commanded.since_start().as_secs_f64())
}

fn sentence(change: &RoleChange, side: Side, kind: GapKind, gaps: &[&Gap]) -> String {
    let who = &change.subject;
    let span = |part: fn(&Gap) -> Option<Nanos>| range(gaps, part);
    let others = names(gaps, |gap| if side == Side::Ear { &gap.speaker } else { &gap.recorder });
    let far_end = match (side, gaps.iter().any(|gap| gap.far_end_active)) {
        (Side::Ear, _) => "",
        (Side::Mouth, true) => " (far end active)",
        (Side::Mouth, false) => " (far end silent)",
    };
    let first = || format!("first sound {} after the command", span(|gap| gap.first_audio));
    let steady = || format!("steady {} after it", span(|gap| gap.steady));
    let lost = || match (span(|gap| gap.lost), span(|gap| gap.repeated)) {
        (lost, repeated) if repeated == "0 ms" => format!("{lost} of the programme lost"),
        (lost, repeated) if lost == "0 ms" => format!("{repeated} of the programme heard again"),
        (lost, repeated) => format!("{lost} of the programme lost, {repeated} heard again"),
    };
    let silent = || format!("{} of silence", span(|gap| gap.silence));
    match (side, kind) {
        (Side::Ear, GapKind::None) => format!("{who} hears {others} on without a gap."),
        (Side::Ear, GapKind::Unheard) => format!("{who} hears {others} no more."),
        (Side::Ear, GapKind::Begins | GapKind::Ends) => {
            format!("{who} hears {others}: {}, {}; {} missed until then.", first(), steady(), span(|gap| gap.lost))
        }
        (Side::Ear, GapKind::Overlap) => {
            format!("{who} hears {others} by both ways at once: {}, {}, {}.", silent(), lost(), steady())
        }
        (Side::Ear, GapKind::SilentGap) => {
            format!("{who} hears {others} after {}, with {}: {}, {}.", silent(), lost(), first(), steady())
        }
        (Side::Ear, GapKind::Skip | GapKind::Replay) => {
            format!("{who} hears {others} go on elsewhere, with {}: {}, {}.", lost(), first(), steady())
        }
        (Side::Ear, GapKind::CatchUp) => {
            format!("{who} hears {others} faster or slower for a while: {}.", steady())
        }
        (Side::Mouth, GapKind::Begins) => format!(
            "{others} hear {who}{far_end}: {}, {}; {} of the first words cut.",
            first(),
            steady(),
            span(|gap| gap.lost)
        ),
        (Side::Mouth, GapKind::Unheard) => format!("{others} do not hear {who}{far_end}."),
        (Side::Mouth, GapKind::Ends) => {
            let after = |gap: &Gap| gap.last_before.map_or(0.0, |at| (at - change.commanded).as_millis_f64());
            let last: Vec<f64> = gaps.iter().map(|gap| after(gap)).collect();
            format!("{others} hear {who} until {} after the command{far_end}.", between(&last))
        }
        (Side::Mouth, _) => format!("{others} hear {who} on{far_end}."),
    }
}

/// The lowest and the highest of a figure over several ears or speakers.
fn range(gaps: &[&Gap], part: impl Fn(&Gap) -> Option<Nanos>) -> String {
    between(&gaps.iter().filter_map(|gap| Some(part(gap)?.as_millis_f64())).collect::<Vec<_>>())
}

fn between(ms: &[f64]) -> String {
    let low = ms.iter().copied().fold(f64::INFINITY, f64::min).round();
    let high = ms.iter().copied().fold(f64::NEG_INFINITY, f64::max).round();
    match ms {
        [] => "unknown".to_owned(),
        _ if low == high => format!("{low:.0} ms"),
        _ => format!("{low:.0} to {high:.0} ms"),
    }
}

fn names<'a>(gaps: &[&'a Gap], name: impl Fn(&'a Gap) -> &'a String) -> String {
    let mut names: Vec<&str> = gaps.iter().map(|gap| name(gap).as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match &names[..] {
        [] => "nobody".to_owned(),
        [one] => (*one).to_owned(),
        many if many.len() > MOST_NAMES => format!("{} participants", many.len()),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A gap's steps below each other, each as a bar where it lies in time.
fn drawn(gap: &Gap, stack: &Stack) -> String {
    let (heard, sum) = (stack.heard.as_millis_f64(), stack.sum().as_millis_f64());
    let what = match gap.kind {
        GapKind::Begins => format!("The wait until {} is heard at {}", gap.speaker, gap.recorder),
        _ => format!("The silence of {} at {}", gap.speaker, gap.recorder),
    };
    let verdict = match stack.explains() {
        true => format!("its steps explain it: together they take {sum:.0} ms"),
        false => format!(
            "its steps do not explain it: together they take {sum:.0} ms, and {:+.0} ms are unexplained",
            stack.unexplained().as_millis_f64()
        ),
    };
    let mut text = format!("  {what}, {heard:.0} ms; {verdict}.\n");
    let Some(start) = stack.pieces.first().map(|piece| piece.from) else { return text };
    let total = stack.sum().0.max(1) as f64;
    let column = |since: Nanos| (since.0 as f64 / total * BAR as f64).round() as usize;
    for piece in &stack.pieces {
        let (from, to) = (column(piece.from - start).min(BAR - 1), column(piece.to - start));
        let bar = format!("{}{}", " ".repeat(from), "█".repeat(to.saturating_sub(from).max(1)));
        let _ = writeln!(
            text,
            "    {:>8.1} ms  {bar:<BAR$}  {}",
            piece.length().as_millis_f64(),
            label(piece.step, &piece.node, &piece.detail)
        );
    }
    text
}

/// What a piece's time goes by with.
pub(super) fn label(step: Step, node: &str, detail: &str) -> String {
    let what = match step {
        Step::Asked => "until it is asked for",
        Step::Commanded => "command on its way",
        Step::Granted => "grant",
        Step::OldPathClosed => "until the old path is closed",
        Step::Offered => "offer",
        Step::Answered => "answer",
        Step::FlightSent => "until a flight leaves",
        Step::FlightRetransmitted => "until a flight is sent again",
        Step::FlightReceived => "flight on its way",
        Step::TransportReady => "until the transport is ready",
        Step::DeviceRestartBegun => "until the device stops",
        Step::DeviceRestartEnded => "device restart",
        Step::FirstMediaSent => "until the first packet leaves",
        Step::FirstMediaArrived => "first packet on its way to the relay",
        Step::SubscriberNotified => "until the notice leaves",
        Step::SubscriberAcknowledged => "notice and acknowledgement",
        Step::FirstMediaForwarded => "until the relay sends on the first packet",
        Step::FirstMediaReceived => "first packet on its way",
        Step::FirstPlayed => "jitter buffer",
        Step::Done | Step::Failed => "end",
    };
    match detail.is_empty() || detail == node {
        true => format!("{what} ({node})"),
        false => format!("{what} ({node}: {detail})"),
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::metrics::Piece;
    use jiho_analysis::units::RunTime;

    use super::*;

    fn gap(recorder: &str, silence_ms: i64) -> Gap {
        let span = |ms| Some(Nanos::from_millis(ms));
        Gap {
            change: 0,
            side: Side::Ear,
            speaker: "ana".to_owned(),
            recorder: recorder.to_owned(),
            far_end_active: true,
            kind: GapKind::SilentGap,
            last_before: Some(RunTime::START),
            first_after: Some(RunTime(silence_ms * 1_000_000)),
            silence: span(silence_ms),
            lost: span(silence_ms + 200),
            repeated: Some(Nanos::ZERO),
            first_audio: span(silence_ms + 50),
            steady: span(silence_ms + 90),
            resolution: Nanos::from_millis(1),
            delay_before: span(300),
            delay_after: span(100),
        }
    }

    #[test]
    fn a_stack_is_drawn_step_below_step_with_what_it_does_not_explain() {
        let piece = |step, from_ms: i64, to_ms: i64| Piece {
            step,
            node: "lena".to_owned(),
            detail: String::new(),
            from: RunTime(from_ms * 1_000_000),
            to: RunTime(to_ms * 1_000_000),
        };
        let pieces = vec![piece(Step::FlightReceived, 0, 500), piece(Step::FirstPlayed, 500, 1000)];
        let stack = Stack { pieces, heard: Nanos::from_millis(1100) };
        let text = drawn(&gap("lena", 1100), &stack);
        let half = BAR / 2;
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "  The silence of ana at lena, 1100 ms; its steps do not explain it: together they take 1000 ms, and \
                 +100 ms are unexplained."
                    .to_owned(),
                format!("       500.0 ms  {}{}  flight on its way (lena)", "█".repeat(half), " ".repeat(half)),
                format!("       500.0 ms  {}{}  jitter buffer (lena)", " ".repeat(half), "█".repeat(half)),
            ]
        );
    }

    #[test]
    fn what_many_hear_alike_is_one_sentence_with_its_range() {
        let change = RoleChange {
            number: Some(1),
            change: Change::Promote,
            subject: "lena".to_owned(),
            commanded: RunTime::START,
            taken: Vec::new(),
        };
        let (a, b) = (gap("lena", 1100), Gap { speaker: "ben".to_owned(), ..gap("lena", 1120) });
        assert_eq!(
            sentence(&change, Side::Ear, GapKind::SilentGap, &[&a, &b]),
            "lena hears ana and ben after 1100 to 1120 ms of silence, with 1300 to 1320 ms of the programme lost: first \
             sound 1150 to 1170 ms after the command, steady 1190 to 1210 ms after it."
        );
    }
}
