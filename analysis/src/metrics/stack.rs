//! What a silence is made of: the steps of a change between the old path's last sample and the new path's first.
//!
//! The steps' lengths come from stamps of packets and events, the silence from sound: two independent accounts of one time.

use super::changes::{RoleChange, Taken};
use super::gaps::{Gap, GapKind, Side};
use crate::roles::{Change, Step};
use crate::units::{Nanos, RunTime, SampleClock};

/// A frame of somebody's sound that an ear played as it came, by the packets' stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayedFrame {
    /// When its packet arrived.
    pub received: RunTime,
    /// When its first sample was played.
    pub played: RunTime,
}

/// The steps that a silence, or a wait for the first sound, is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// In order of time, each where the one before ends.
    pub pieces: Vec<Piece>,
    /// What was heard to take that long.
    pub heard: Nanos,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The step that it ends with, …
    pub step: Step,
    /// … by whose stamp, …
    pub node: String,
    /// … and its detail.
    pub detail: String,
    /// When it begins.
    pub from: RunTime,
    /// When it ends.
    pub to: RunTime,
}

/// A sum within this of what was heard explains it.
pub const EXPLAINED: Nanos = Nanos::from_millis(20);
/// What one packet holds.
const FRAME: Nanos = Nanos::from_millis(20);
/// A stream that plays nothing for longer begins anew.
const PAUSE: Nanos = Nanos::from_millis(200);
/// What an ear decides on at a time: it plays that to its end.
const PERIOD: Nanos = Nanos::from_millis(10);

impl Stack {
    /// All pieces together.
    pub fn sum(&self) -> Nanos {
        self.pieces.iter().fold(Nanos::ZERO, |sum, piece| sum + piece.length())
    }

    /// What was heard and no step explains; negative: the steps took longer.
    pub fn unexplained(&self) -> Nanos {
        self.heard - self.sum()
    }

    /// Whether the steps explain what was heard.
    pub fn explains(&self) -> bool {
        self.unexplained().abs() <= EXPLAINED
    }
}

impl Piece {
    /// How long it took.
    pub fn length(&self) -> Nanos {
        self.to - self.from
    }
}

/// The stack of a gap. `played` are the frames that carry the speaker's sound and were played at the recorder's ear, in
/// order of their playing; a mixer's count for all whom it mixes. `ear` is that ear's clock.
///
/// `None`: there is nothing to explain (no gap, or only an end), or no stamps to explain it with.
pub fn stack(change: &RoleChange, gap: &Gap, played: &[PlayedFrame], ear: &SampleClock) -> Option<Stack> {
    let begins = gap.kind == GapKind::Begins;
    let heard = if begins { gap.first_audio? } else { gap.silence? };
    if matches!(gap.kind, GapKind::None | GapKind::Ends | GapKind::Unheard | GapKind::CatchUp) {
        return None;
    }
    let (from, first) = if begins { beginning(change, gap, played)? } else { hole(change, gap, played, ear)? };
    let own = |taken: &Taken, step| taken.step == step && taken.node == gap.recorder;
    let mut stamps: Vec<(RunTime, Step, &str, &str)> = change
        .taken
        .iter()
        .filter(|taken| concerns(taken, change, gap))
        .filter(|taken| !own(taken, Step::FirstMediaReceived) && !own(taken, Step::FirstPlayed))
        .map(|taken| (taken.at, taken.step, taken.node.as_str(), taken.detail.as_str()))
        .collect();
    stamps.push((first.received, Step::FirstMediaReceived, &gap.recorder, ""));
    stamps.retain(|&(at, ..)| at > from && at < first.played);
    stamps.sort_by_key(|&(at, step, ..)| (at, step));
    stamps.push((first.played, Step::FirstPlayed, &gap.recorder, ""));
    let mut pieces: Vec<Piece> = Vec::new();
    let mut since = from;
    for (at, step, node, detail) in stamps {
        // What happens at one instant is told by the first of it: what came, not what it brought about.
        if at > since {
            let (node, detail) = (node.to_owned(), detail.to_owned());
            pieces.push(Piece { step, node, detail, from: since, to: at });
            since = at;
        }
    }
    Some(Stack { pieces, heard })
}

/// From the command to the first frame.
fn beginning(change: &RoleChange, gap: &Gap, played: &[PlayedFrame]) -> Option<(RunTime, PlayedFrame)> {
    let index = played.iter().position(|frame| frame.received > change.commanded);
    let first = index.map(|index| played[index]);
    let stamped = change.at(Step::FirstPlayed, &gap.recorder).map(|at| PlayedFrame {
        received: change.at(Step::FirstMediaReceived, &gap.recorder).unwrap_or(at),
        played: at,
    });
    // A mixer's packets go on before and after: only whoever played the first knows which it was.
    let before = index.and_then(|index| index.checked_sub(1)).map(|index| played[index]);
    let goes_on = before.zip(first).is_some_and(|(before, first)| first.played - before.played <= PAUSE);
    let first = if gap.side == Side::Mouth && goes_on { stamped.or(first) } else { first.or(stamped) };
    Some((change.commanded, first?))
}

/// The time without frames that is where the silence was heard, and the frame that ends it.
fn hole(change: &RoleChange, gap: &Gap, played: &[PlayedFrame], ear: &SampleClock) -> Option<(RunTime, PlayedFrame)> {
    let (last, first) = (gap.last_before?, gap.first_after?);
    let cuts = [Step::OldPathClosed, Step::DeviceRestartBegun];
    let cuts = cuts.map(|step| change.at(step, &change.subject).filter(|_| change.subject == gap.recorder));
    let hole = |pair: &[PlayedFrame]| {
        let whole = pair[0].played + FRAME;
        // What was decided on when the path was closed is heard: to the end of its period.
        let cut = cuts.iter().flatten().map(|&at| period_end(ear, at)).find(|&end| end > pair[0].played && end < whole);
        let end = cut.unwrap_or(whole);
        (end.min(pair[1].played), pair[1])
    };
    let apart = |(end, next): &(RunTime, PlayedFrame)| (*end - last).abs() + (next.played - first).abs();
    played.windows(2).map(hole).min_by_key(apart)
}

/// When the period of an ear that an instant lies in has been played.
fn period_end(ear: &SampleClock, at: RunTime) -> RunTime {
    let periods = (at - ear.start).0.div_euclid(PERIOD.0) + i64::from((at - ear.start).0.rem_euclid(PERIOD.0) > 0);
    ear.start + Nanos(periods * PERIOD.0)
}

/// Whether a step is on the way to what this gap is about.
fn concerns(taken: &Taken, change: &RoleChange, gap: &Gap) -> bool {
    let aside = taken.node != change.subject && taken.node != gap.recorder && taken.node == "moderator";
    let about_other = !taken.detail.is_empty() && taken.detail != gap.recorder;
    match taken.step {
        Step::Done | Step::Failed => false,
        Step::FirstMediaSent | Step::FirstMediaArrived => gap.side == Side::Mouth,
        Step::SubscriberNotified | Step::SubscriberAcknowledged => gap.side == Side::Mouth && !about_other,
        Step::FirstMediaForwarded => !about_other,
        Step::FirstMediaReceived | Step::FirstPlayed => taken.node == gap.recorder,
        Step::OldPathClosed => gap.side == Side::Ear,
        Step::Asked => change.change == Change::Join || !aside,
        _ => !aside,
    }
}
