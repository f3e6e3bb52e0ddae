//! What a change of somebody's role did to sound: promotion, demotion, join, unmute and mute, measured alike on pilots.
//!
//! Each change is heard from two sides: at its subject's ear, where the others' sound may break off and go on by another
//! way, and from its subject's mouth, at everybody else's ear, where the subject begins to be heard, or ends.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::changes::RoleChange;
use crate::roles::{Change, Step};
use crate::track::{Break, BreakKind, Lag, Segment, breaks, delay};
use crate::units::{Nanos, RunTime, SampleClock};

/// One speaker's pilot at one ear.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'a> {
    /// Whose pilot.
    pub speaker: &'a str,
    /// Whose ear.
    pub recorder: &'a str,
    /// The recording's clock.
    pub clock: SampleClock,
    /// When the recording ends.
    pub ends: RunTime,
    /// When the pilot began to leave its mouth.
    pub began: RunTime,
    /// The pilot's segments in the recording, in order of time.
    pub segments: &'a [Segment],
}

/// When somebody's sound left the mouth: stretches of time of capture.
pub type Spoken = Vec<Range<RunTime>>;

/// From which side a change is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What the subject hears of somebody else.
    Ear,
    /// What somebody else hears of the subject.
    Mouth,
}

/// What a change did to sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Nothing.
    None,
    /// Silence between the old path and the new one.
    SilentGap,
    /// No silence, but a part of the programme was left out.
    Skip,
    /// No silence, but a part of the programme was heard again.
    Replay,
    /// Both paths sounded at once for a while.
    Overlap,
    /// Time was compressed, or stretched, until the new delay was reached.
    CatchUp,
    /// Begins to be heard.
    Begins,
    /// Ends to be heard.
    Ends,
    /// Should have been heard from then on, and was not.
    Unheard,
}

/// What one change did to one speaker's sound at one ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Which of the changes.
    pub change: usize,
    /// From which side.
    pub side: Side,
    /// Whose sound.
    pub speaker: String,
    /// At whose ear.
    pub recorder: String,
    /// Whether somebody else than the change's subject sounded meanwhile: an echo canceller makes much of that.
    pub far_end_active: bool,
    /// What kind of thing it was.
    pub kind: GapKind,
    /// The last instant at which the old path sounds; `None` if there was none, or it never ends.
    pub last_before: Option<RunTime>,
    /// The first instant at which the new path sounds; `None` if it never does.
    pub first_after: Option<RunTime>,
    /// From the one to the other; negative: both sounded for so long.
    pub silence: Option<Nanos>,
    /// Programme that was never heard. From the subject's mouth: what it said after it had been told that it may speak
    /// (first words), or before it was silenced (last words). At the ear of whoever joins: since the command.
    pub lost: Option<Nanos>,
    /// Programme that was heard twice.
    pub repeated: Option<Nanos>,
    /// From the command to the first sound.
    pub first_audio: Option<Nanos>,
    /// From the command until the delay stays within 1 ms of where it settles.
    pub steady: Option<Nanos>,
    /// Bound of the errors of both edges.
    pub resolution: Nanos,
    /// Mouth-to-ear delay on the old path.
    pub delay_before: Option<Nanos>,
    /// The same on the new one.
    pub delay_after: Option<Nanos>,
}

/// After a change's last step, its sound is there within this time.
const SETTLES: Nanos = Nanos::from_secs(2);
/// Whoever begins to speak may be kept back for longer: an echo canceller has to learn first who is echo and who is not.
const BEGINS_BY: Nanos = Nanos::from_secs(8);
/// A delay is watched for this long until it is held to have settled, …
const WATCHED: Nanos = Nanos::from_secs(10);
/// … which it has if it changes by no more.
const STEADY: Nanos = Nanos::from_millis(1);
/// A frame on either side of what left a mouth.
const FRAME: Nanos = Nanos::from_millis(20);
/// Losses are not equally long: a gap is no loss if it is longer by this than any at another time.
const LONGER_THAN_LOSS: Nanos = Nanos::from_millis(20);
/// Up to this, silence is where two sounds meet.
const NO_SILENCE: Nanos = Nanos::from_millis(20);
/// Where a pilot begins or ends with nothing else in its place: what decoders make of it blurs it by less.
const BEGINS_WITHIN: Nanos = Nanos::from_millis(6);

/// Measures what changes did, from both sides, at every ear: by change, side, recorder and speaker. `spoken` says of each
/// speaker when its sound left its mouth. Whoever was silent all the while makes no row.
pub fn gaps(changes: &[RoleChange], spoken: &BTreeMap<String, Spoken>, hearings: &[Hearing<'_>]) -> Vec<Gap> {
    let mut all = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let next = changes[index + 1..].iter().find(|later| later.subject == change.subject);
        let case = Case { index, change, changes, next: next.map(|later| later.commanded), spoken };
        let mut own: Vec<Gap> = hearings.iter().filter_map(|hearing| case.gap(hearing)).collect();
        own.sort_by(|a, b| (a.side, &a.recorder, &a.speaker).cmp(&(b.side, &b.recorder, &b.speaker)));
        all.extend(own);
    }
    all
}

/// One change among the others.
struct Case<'a> {
    index: usize,
    change: &'a RoleChange,
    changes: &'a [RoleChange],
    /// When the same subject's next change was asked for.
    next: Option<RunTime>,
    spoken: &'a BTreeMap<String, Spoken>,
}

impl Case<'_> {
    fn gap(&self, hearing: &Hearing<'_>) -> Option<Gap> {
        let subject = &self.change.subject;
        match self.change.change {
            _ if hearing.speaker == hearing.recorder => None,
            Change::Join if hearing.recorder == subject => self.joined(hearing),
            Change::Promote | Change::Demote | Change::Mute | Change::Unmute if hearing.recorder == subject => {
                self.went_over(hearing)
            }
            _ if hearing.speaker == subject => {
                let gap = match self.change.change {
                    Change::Join | Change::Promote | Change::Unmute => self.began(hearing),
                    Change::Leave | Change::Remove | Change::Demote | Change::Mute => self.ended(hearing),
                }?;
                Some(Gap { far_end_active: self.others_speak(gap.first_after.or(gap.last_before)), ..gap })
            }
            _ => None,
        }
    }

    /// Until when the change may be heard.
    fn until(&self, hearing: &Hearing<'_>) -> RunTime {
        window(self.change, self.next).end.min(hearing.ends)
    }

    /// What nothing is known of yet.
    fn nothing(&self, side: Side, hearing: &Hearing<'_>) -> Gap {
        Gap {
            change: self.index,
            side,
            speaker: hearing.speaker.to_owned(),
            recorder: hearing.recorder.to_owned(),
            far_end_active: true,
            kind: GapKind::None,
            last_before: None,
            first_after: None,
            silence: None,
            lost: None,
            repeated: None,
            first_audio: None,
            steady: None,
            resolution: Nanos::ZERO,
            delay_before: None,
            delay_after: None,
        }
    }

    /// Whether anybody but the subject spoke until the change was heard.
    fn others_speak(&self, heard: Option<RunTime>) -> bool {
        let during = self.change.commanded..heard.unwrap_or(self.change.ended());
        let speaks = |spoken: &Spoken| spoken.iter().any(|s| s.start <= during.end && s.end >= during.start);
        self.spoken.iter().any(|(speaker, spoken)| *speaker != self.change.subject && speaks(spoken))
    }

    /// The others' sound at the ear of a subject that goes over from one path to another.
    fn went_over(&self, hearing: &Hearing<'_>) -> Option<Gap> {
        let (commanded, until) = (self.change.commanded, self.until(hearing));
        let spoken = self.spoken.get(hearing.speaker)?;
        let mut gap = self.nothing(Side::Ear, hearing);
        let all: Vec<Break> = breaks(hearing.segments.first()?.code, hearing.segments);
        let loss = self.longest_loss(hearing, &all);
        let broke = all
            .iter()
            .filter(|b| {
                hearing.time(b.first_after.max(b.last_before)) > commanded && hearing.time(b.last_before) < until
            })
            // What begins when the recording ends is too short to be sure of.
            .filter(|b| hearing.time(b.first_after) < hearing.ends)
            .filter(|b| !is_loss(b) || loss.is_none_or(|loss| b.silence > loss + LONGER_THAN_LOSS))
            .filter(|b| !paused(hearing, b, spoken))
            .max_by_key(|b| b.silence.abs().max(b.step.abs()).max(b.lost.abs()));
        if let Some(broke) = broke {
            gap.kind = kind(broke);
            gap.last_before = Some(hearing.time(broke.last_before));
            gap.silence = Some(broke.silence);
            gap.lost = Some(broke.lost.max(Nanos::ZERO));
            gap.repeated = Some(broke.repeated());
            gap.resolution = broke.edge_error;
            gap.delay_before = hearing.delay(&broke.before, broke.last_before);
            self.first(&mut gap, hearing, broke.first_after, &broke.after);
            return Some(gap);
        }
        // Broke off, and never came again?
        if let Some(last) = hearing.segments.last().filter(|last| hearing.time(last.to.at) < until - SETTLES) {
            let at = hearing.time(last.to.at);
            let speaks_on = spoken.iter().any(|s| s.start <= at && s.end > at + SETTLES);
            if at > commanded && speaks_on {
                gap.kind = GapKind::Unheard;
                gap.last_before = Some(at);
                gap.delay_before = hearing.delay(&last.to.settled, last.to.at);
                gap.resolution = BEGINS_WITHIN;
                return Some(gap);
            }
        }
        let heard =
            hearing.segments.iter().any(|s| hearing.time(s.from.at) < until && hearing.time(s.to.at) > commanded);
        (gap.silence, gap.lost, gap.repeated) = (Some(Nanos::ZERO), Some(Nanos::ZERO), Some(Nanos::ZERO));
        heard.then_some(gap)
    }

    /// The longest gap that may be a packet loss, of those that no change explains.
    fn longest_loss(&self, hearing: &Hearing<'_>, all: &[Break]) -> Option<Nanos> {
        let windows: Vec<Range<RunTime>> = self.changes.iter().map(|change| window(change, None)).collect();
        let losses =
            all.iter().filter(|b| is_loss(b) && !windows.iter().any(|w| w.contains(&hearing.time(b.last_before))));
        losses.map(|b| b.silence).max()
    }

    /// The others' sound at the ear of a subject that joins.
    fn joined(&self, hearing: &Hearing<'_>) -> Option<Gap> {
        let (commanded, spoken) = (self.change.commanded, self.spoken.get(hearing.speaker)?);
        // Before the pilots begin there is nothing to be missed.
        spoken.iter().find(|spoken| spoken.contains(&commanded))?;
        let mut gap = self.nothing(Side::Ear, hearing);
        self.begins(&mut gap, hearing, commanded);
        Some(gap)
    }

    /// The subject's sound at somebody else's ear, from the change on.
    fn began(&self, hearing: &Hearing<'_>) -> Option<Gap> {
        let (commanded, until) = (self.change.commanded, self.until(hearing));
        let speaks = self.spoken.get(hearing.speaker)?.iter().any(|s| s.start < until && s.end > commanded);
        if !speaks || hearing.ends <= commanded || hearing.clock.start > until {
            return None;
        }
        let told = self.change.at(Step::Granted, &self.change.subject).unwrap_or(commanded);
        let mut gap = self.nothing(Side::Mouth, hearing);
        self.begins(&mut gap, hearing, told);
        Some(gap)
    }

    fn begins(&self, gap: &mut Gap, hearing: &Hearing<'_>, speaks_from: RunTime) {
        let commanded = self.change.commanded;
        let until = (self.change.ended() + BEGINS_BY).min(self.next.unwrap_or(hearing.ends)).min(hearing.ends);
        let first = hearing.segments.iter().find(|s| hearing.time(s.from.at) > commanded);
        let Some(first) = first.filter(|first| hearing.time(first.from.at) < until) else {
            gap.kind = GapKind::Unheard;
            return;
        };
        gap.kind = GapKind::Begins;
        gap.resolution = BEGINS_WITHIN;
        self.first(gap, hearing, first.from.at, &first.from.settled);
        let captured = hearing.spoken(&first.from.lag, first.from.at);
        gap.lost = captured.map(|captured| (captured - speaks_from).max(Nanos::ZERO));
    }

    /// The subject's sound at somebody else's ear, until it ends.
    fn ended(&self, hearing: &Hearing<'_>) -> Option<Gap> {
        let (commanded, until) = (self.change.commanded, self.until(hearing));
        let last = hearing.segments.iter().rev().find(|s| hearing.time(s.from.at) < until)?;
        let at = hearing.time(last.to.at);
        let goes_on = at >= until;
        let mut gap = self.nothing(Side::Mouth, hearing);
        gap.delay_before = hearing.delay(&last.to.settled, last.to.at);
        if !goes_on {
            let spoken = hearing.spoken(&last.to.lag, last.to.at)?;
            // Whoever had ended long before has nothing to end.
            if at + WATCHED < commanded {
                return None;
            }
            gap.kind = GapKind::Ends;
            gap.last_before = Some(at);
            gap.lost = Some((commanded - spoken).max(Nanos::ZERO));
            gap.resolution = BEGINS_WITHIN;
        }
        Some(gap)
    }

    /// Fills in the new path, which sounds from `at` on.
    fn first(&self, gap: &mut Gap, hearing: &Hearing<'_>, from: Nanos, lag: &Lag) {
        let at = hearing.time(from);
        gap.first_after = Some(at);
        gap.first_audio = Some(at - self.change.commanded);
        gap.delay_after = hearing.delay(lag, from);
        let until = (at + WATCHED).min(self.next.unwrap_or(hearing.ends));
        gap.steady = Some(steady_from(hearing, at, until) - self.change.commanded);
    }
}

impl Hearing<'_> {
    /// When it was, by the rate that the recorder's card has in truth.
    fn time(&self, since_first_sample: Nanos) -> RunTime {
        self.clock.time_at(since_first_sample.as_secs_f64() * self.clock.rate.hz())
    }

    /// The delay that a lag is at some place in the recording.
    fn delay(&self, lag: &Lag, at: Nanos) -> Option<Nanos> {
        Some(delay(lag, &self.clock, self.began)? + (self.time(at) - (self.clock.start + at)))
    }

    /// When what sounds at a place in the recording left its mouth.
    fn spoken(&self, lag: &Lag, at: Nanos) -> Option<RunTime> {
        Some(self.time(at) - self.delay(lag, at)?)
    }
}

/// When a change may be heard: from the command until a while after its last step, or until the next one.
fn window(change: &RoleChange, next: Option<RunTime>) -> Range<RunTime> {
    let end = change.ended() + SETTLES;
    change.commanded..next.map_or(end, |next| next.min(end).max(change.commanded))
}

fn is_loss(found: &Break) -> bool {
    matches!(found.kind, BreakKind::LossConcealed | BreakKind::LossUnconcealed)
}

/// Whether a pilot broke off because its speaker did: for most of what is missing.
fn paused(hearing: &Hearing<'_>, found: &Break, spoken: &[Range<RunTime>]) -> bool {
    let last = hearing.spoken(&found.before, found.last_before);
    let first = hearing.spoken(&found.after, found.first_after);
    let (Some(last), Some(first)) = (last, first) else { return false };
    let missed = |pair: &[Range<RunTime>]| first.min(pair[1].start + FRAME) - last.max(pair[0].end - FRAME);
    spoken.windows(2).any(|pair| 2 * missed(pair).0 > (first - last).0)
}

fn kind(found: &Break) -> GapKind {
    if found.kind == BreakKind::Stretch {
        GapKind::CatchUp
    } else if found.silence < -found.edge_error {
        GapKind::Overlap
    } else if found.silence > NO_SILENCE || found.step.abs() < STEADY {
        GapKind::SilentGap
    } else if found.lost > Nanos::ZERO {
        GapKind::Skip
    } else {
        GapKind::Replay
    }
}

/// From when on a pilot that sounds from `from` on keeps its delay until `until`. Drift is not counted.
fn steady_from(hearing: &Hearing<'_>, from: RunTime, until: RunTime) -> RunTime {
    let within = |s: &&Segment| hearing.time(s.from.at) < until && hearing.time(s.to.at) > from;
    let segments: Vec<&Segment> = hearing.segments.iter().filter(within).collect();
    let stepped = |pair: &&[&Segment]| pair[1].from.settled.step_from(&pair[0].to.settled).abs() > STEADY;
    let last = segments.windows(2).rev().find(stepped);
    last.map_or(from, |pair| hearing.time(pair[1].from.at).max(from))
}
