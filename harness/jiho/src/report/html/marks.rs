//! What is marked beside delays: steps and losses of jitter buffers, and changes of roles.

use std::collections::BTreeMap;

use jiho_analysis::roles::{Change, Step};
use jiho_proto::codec::RATE;
use jiho_proto::event::{PlayoutAction, PlayoutDecision};

use crate::report::packets::Tap;
use crate::report::room::Room;
use crate::report::table::TableError;
use crate::report::tables::Tables;

/// What happened besides sound.
pub(super) struct Marks {
    pub(super) buffer: Vec<BufferMark>,
    pub(super) roles: Vec<RoleMark>,
    /// The first and the last of it, and of all time signals.
    pub(super) span_s: (f64, f64),
}

/// What a jitter buffer did that is worth a mark.
pub(super) struct BufferMark {
    pub(super) at_s: f64,
    pub(super) ear: String,
    /// The place among the room's speakers.
    pub(super) speaker: usize,
    pub(super) action: PlayoutAction,
    pub(super) decision: Option<PlayoutDecision>,
    /// By so much everything is played later from here on.
    pub(super) step_ms: f64,
}

/// A change of somebody's role.
pub(super) struct RoleMark {
    pub(super) at_s: f64,
    pub(super) said: String,
}

impl Marks {
    pub(super) fn read(tables: &Tables, room: &Room<'_>) -> Result<Self, TableError> {
        let mut buffer = Vec::new();
        for row in tables.packets()?.iter().filter(|row| row.tap == Tap::Received) {
            let concealed = row.action == Some(PlayoutAction::Concealed);
            let step = row.step_samples.filter(|step| *step != 0);
            let (Some(action), Some(at_ns)) = (row.action, row.played_ns.or(row.at_ns)) else { continue };
            if !concealed && step.is_none() {
                continue;
            }
            let Some(speaker) = room.speakers.iter().position(|name| *name == row.speaker) else { continue };
            buffer.push(BufferMark {
                at_s: at_ns as f64 / 1e9,
                ear: row.endpoint.clone(),
                speaker,
                action,
                decision: row.decision,
                step_ms: RATE.span(step.unwrap_or(0)).as_millis_f64(),
            });
        }
        let roles = roles(tables)?;
        let times = buffer.iter().map(|mark| mark.at_s).chain(roles.iter().map(|change| change.at_s));
        let span_s = times.fold(room.span_s(), |(from, to), at| (from.min(at), to.max(at)));
        Ok(Self { buffer, roles, span_s })
    }
}

/// Each change at its first step. That somebody came or went is none, as all do.
fn roles(tables: &Tables) -> Result<Vec<RoleMark>, TableError> {
    let mut first: BTreeMap<(Option<u32>, &str, Change), i64> = BTreeMap::new();
    for row in tables.events()? {
        let Some(change) = row.event.change().filter(|change| !matches!(change, Change::Join | Change::Leave)) else {
            continue;
        };
        // At the moderator, before the relay has answered, it has no number yet.
        if row.change.is_none() || row.step == Some(Step::Failed) {
            continue;
        }
        let at = first.entry((row.change, &row.subject, change)).or_insert(row.at_ns);
        *at = (*at).min(row.at_ns);
    }
    let mut marks: Vec<RoleMark> = first
        .into_iter()
        .map(|((_, subject, change), at)| RoleMark {
            at_s: at as f64 / 1e9,
            said: format!("{subject} {}", done(change)),
        })
        .collect();
    marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    Ok(marks)
}

/// What was done to somebody.
pub(super) fn done(change: Change) -> &'static str {
    match change {
        Change::Join => "joins",
        Change::Leave => "leaves",
        Change::Promote => "is promoted",
        Change::Demote => "is demoted",
        Change::Mute => "is muted",
        Change::Unmute => "is unmuted",
        Change::Remove => "is removed",
    }
}
