//! What a silence is made of: the steps of a change between the old path's last sample and the new path's first.
//!
//! The steps' lengths come from stamps of packets and events, the silence from sound: two independent accounts of one time.

use super::changes::{RoleChange, Taken};
use super::gaps::{Gap, GapKind, Side};
use crate::roles::{Change, Step};
use crate::units::{Nanos, RunTime};

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
/// order of their playing; a mixer's count for all whom it mixes.
///
/// `None`: there is nothing to explain (no gap, or only an end), or no stamps to explain it with.
pub fn stack(change: &RoleChange, gap: &Gap, played: &[PlayedFrame]) -> Option<Stack> {
    let begins = gap.kind == GapKind::Begins;
    let heard = if begins { gap.first_audio? } else { gap.silence? };
    if matches!(gap.kind, GapKind::None | GapKind::Ends | GapKind::Unheard | GapKind::CatchUp) {
        return None;
    }
    let (from, first) = if begins { beginning(change, gap, played)? } else { hole(change, gap, played)? };
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
        // What happens at one instant is told by the last of it.
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
    let after = |frame: &&PlayedFrame| frame.received > change.commanded;
    let first = played.iter().find(after).copied();
    // A mixer's packets go on before and after: only whoever played the first knows which it was.
    let stamped = change.at(Step::FirstPlayed, &gap.recorder).map(|at| PlayedFrame {
        received: change.at(Step::FirstMediaReceived, &gap.recorder).unwrap_or(at),
        played: at,
    });
    let first = if gap.side == Side::Mouth { stamped.or(first) } else { first.or(stamped) };
    Some((change.commanded, first?))
}

/// The longest time without frames while the change went on, and the frame that ends it.
fn hole(change: &RoleChange, gap: &Gap, played: &[PlayedFrame]) -> Option<(RunTime, PlayedFrame)> {
    let near = gap.last_before? - Nanos::from_secs(1)..gap.first_after? + Nanos::from_secs(1);
    let closed = change.at(Step::OldPathClosed, &change.subject).filter(|_| change.subject == gap.recorder);
    let mut longest: Option<(RunTime, PlayedFrame)> = None;
    for pair in played.windows(2) {
        let whole = pair[0].played + FRAME;
        // A path that is closed in the middle of a frame ends there.
        let end = closed.filter(|&closed| closed >= pair[0].played && closed < whole).unwrap_or(whole);
        let longer = longest.is_none_or(|(from, first)| pair[1].played - end > first.played - from);
        if pair[1].played > near.start && pair[0].played < near.end && longer {
            longest = Some((end, pair[1]));
        }
    }
    longest.map(|(from, first)| (from.min(first.played), first))
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
