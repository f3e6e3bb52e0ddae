//! Breaks: what happened between two segments of a pilot, and what kind of thing it was.

use serde::{Deserialize, Serialize};

use super::segment::{Lag, Segment};
use crate::signal::Code;
use crate::units::Nanos;

/// A kind of break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// Less than 200 ms of the pilot are missing, the delay is the same after it, and something as loud stood in: a
    /// loss, concealed.
    LossConcealed,
    /// The same, with nothing in its place.
    LossUnconcealed,
    /// The pilot is missing, the delay is the same after it, and something much fainter stood in, as comfort noise does: it
    /// was not sent (DTX, muting). A background that sounds on looks the same.
    NotEmitted,
    /// The delay changes by 20 ms to 200 ms and hardly anything is silent: a buffer moved to another delay.
    Rebase,
    /// Many small steps in one direction, 1 to 10 % of the time that they take: time is stretched or compressed.
    Stretch,
    /// A part of the programme is left out.
    Skip,
    /// A part of the programme is heard again.
    Replay,
    /// Nothing is there for 200 ms and more, or nothing of any level in a shorter break with a step.
    Silence,
}

impl BreakKind {
    /// As files and reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LossConcealed => "loss_concealed",
            Self::LossUnconcealed => "loss_unconcealed",
            Self::NotEmitted => "not_emitted",
            Self::Rebase => "rebase",
            Self::Stretch => "stretch",
            Self::Skip => "skip",
            Self::Replay => "replay",
            Self::Silence => "silence",
        }
    }
}

/// A break in a pilot. Its times are counted from the recording's first sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Break {
    /// Whose pilot.
    pub code: Code,
    /// What kind.
    pub kind: BreakKind,
    /// The last instant before it at which the pilot sounds.
    pub last_before: Nanos,
    /// The first instant after it.
    pub first_after: Nanos,
    /// From the one to the other; negative if both paths sound at once for a while.
    pub silence: Nanos,
    /// Programme that was not heard: from what the pilot itself says in the 40 ms on either side. Negative: programme
    /// that was heard twice.
    pub lost: Nanos,
    /// How much greater the delay is after it: from up to a second on either side without those 40 ms.
    pub step: Nanos,
    /// The lag before, settled.
    pub before: Lag,
    /// The lag after, settled.
    pub after: Lag,
    /// Bound of the error of `silence` and `lost`, as edges go: codecs smear them.
    pub edge_error: Nanos,
    /// How many steps a stretch is made of; 1 in others.
    pub steps: u32,
    /// What sounded in it besides pilots, relative to the pilot before; `None`: too short to say.
    pub filled_db: Option<f64>,
}

impl Break {
    /// Silence − lost programme − step: nothing, if all three are right.
    pub fn closure(&self) -> Nanos {
        self.silence - self.lost - self.step
    }

    /// Programme that was heard twice.
    pub fn repeated(&self) -> Nanos {
        (-self.lost).max(Nanos::ZERO)
    }

    /// Of a stretch: by how much of the time that it took the delay changed; positive: sound was slowed down.
    pub fn slope(&self) -> Option<f64> {
        let took = (self.first_after - self.last_before).as_secs_f64();
        (self.kind == BreakKind::Stretch && took > 0.0).then(|| self.step.as_secs_f64() / took)
    }
}

/// Below this a delay is the same.
const SAME_DELAY: Nanos = Nanos::from_millis(1);
/// Below these, what parts two segments is no break: the tracker went over to a trail of another gain.
const NO_STEP: Nanos = Nanos::from_micros(300);
const NO_SILENCE: Nanos = Nanos::from_millis(4);
/// A re-base takes no more silence than this and a step of at least as much, …
const REBASE: Nanos = Nanos::from_millis(20);
/// … and what takes this is a silence or a skip.
const LONG: Nanos = Nanos::from_millis(200);
/// Nobody pauses for less: what is faint and as short is concealment that fades.
const SHORTEST_PAUSE: Nanos = Nanos::from_millis(100);
/// A splice of a stretch is no larger, …
const SPLICE: Nanos = Nanos::from_millis(16);
/// … nor apart from the next by more than makes this slope.
const LEAST_SLOPE: f64 = 0.008;
const LEAST_SPLICES: usize = 3;
/// Relative to the pilot: above this something stood in for it, below the other nothing did.
const FILLED_DB: f64 = -15.0;
const EMPTY_DB: f64 = -60.0;
/// Edges are as good as this where nothing but silence follows …
const SHARP: Nanos = Nanos::from_millis(1);
/// … as this where something else does, …
const SMEARED: Nanos = Nanos::from_millis(6);
/// … and as this where a loss is concealed: concealment goes on for a while as the pilot would have, and what a decoder
/// makes of the first frame after it may not be like the pilot yet.
const CONCEALED: Nanos = Nanos::from_millis(20);

/// The breaks between one pilot's segments, which are in order of time. Segments of other codes are left out of account.
pub fn breaks(code: Code, segments: &[Segment]) -> Vec<Break> {
    let own: Vec<&Segment> = segments.iter().filter(|segment| segment.code == code).collect();
    let all = own.windows(2).filter_map(|pair| between(pair[0], pair[1])).collect();
    stretches(all)
}

fn between(before: &Segment, after: &Segment) -> Option<Break> {
    let silence = after.from.at - before.to.at;
    let step = after.from.settled.step_from(&before.to.settled);
    let lost = silence - after.from.lag.step_from(&before.to.lag);
    if step.abs() < NO_STEP && silence < NO_SILENCE {
        return None;
    }
    let filled_db = after.gap_db;
    let filled = filled_db.is_none_or(|db| db > FILLED_DB);
    let empty = filled_db.is_some_and(|db| db < EMPTY_DB);
    let kind = if step.abs() < SAME_DELAY {
        match (filled, empty) {
            (true, _) if silence < LONG => BreakKind::LossConcealed,
            (_, false) if silence < SHORTEST_PAUSE => BreakKind::LossConcealed,
            (_, true) if silence < LONG => BreakKind::LossUnconcealed,
            (_, true) => BreakKind::Silence,
            _ => BreakKind::NotEmitted,
        }
    } else if silence >= LONG || empty && silence > REBASE {
        BreakKind::Silence
    } else if silence <= REBASE && (REBASE..LONG).contains(&step.abs()) {
        BreakKind::Rebase
    } else if lost >= Nanos::ZERO {
        BreakKind::Skip
    } else {
        BreakKind::Replay
    };
    Some(Break {
        code: before.code,
        kind,
        last_before: before.to.at,
        first_after: after.from.at,
        silence,
        lost,
        step,
        before: before.to.settled,
        after: after.from.settled,
        edge_error: match kind {
            BreakKind::LossConcealed => CONCEALED,
            _ if empty => SHARP,
            _ => SMEARED,
        },
        steps: 1,
        filled_db,
    })
}

/// Puts splices that follow each other together.
fn stretches(all: Vec<Break>) -> Vec<Break> {
    let splice = |b: &Break| b.step.abs() <= SPLICE && b.step.abs() >= NO_STEP && b.silence.abs() <= REBASE;
    let follows = |a: &Break, b: &Break| {
        let apart = (b.last_before - a.last_before).as_secs_f64();
        a.step.0.signum() == b.step.0.signum() && b.step.abs().as_secs_f64() >= LEAST_SLOPE * apart
    };
    let mut merged = Vec::new();
    for run in all.chunk_by(|a, b| splice(a) && splice(b) && follows(a, b)) {
        let [first, .., last] = run else {
            merged.extend_from_slice(run);
            continue;
        };
        if run.len() < LEAST_SPLICES {
            merged.extend_from_slice(run);
            continue;
        }
        let sum = |part: fn(&Break) -> Nanos| run.iter().map(part).fold(Nanos::ZERO, |sum, part| sum + part);
        merged.push(Break {
            kind: BreakKind::Stretch,
            first_after: last.first_after,
            silence: sum(|b| b.silence),
            lost: sum(|b| b.lost),
            step: last.after.step_from(&first.before),
            after: last.after,
            steps: run.len() as u32,
            filled_db: None,
            ..*first
        });
    }
    merged
}
