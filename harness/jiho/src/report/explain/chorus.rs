//! How far apart a chorus was, for those on stage and for those in the audience, what became of its tempo, and what would
//! have mended it.

use jiho_analysis::arrivals::Role;
use jiho_analysis::metrics::chorus::{self, bpm};
use jiho_analysis::stats;
use jiho_analysis::units::Nanos;

use super::{listed, spoken};
use crate::report::chorus::{BeatRow, CureRow, HoldRow, On};
use crate::report::emissions::EmissionRow;
use crate::report::table::Table;
use crate::run::folder::Folder;

/// More ears than this are summed up.
const CROWD: usize = 8;
/// Who hears a chorus so much wider than others do hears it apart, in ms.
const APART_MS: f64 = 20.0;
/// A tempo that is off by less is the song's.
const DRAG_BPM: f64 = 0.5;

/// What one ear heard once singers had found together.
struct Ear<'r> {
    name: &'r str,
    role: Role,
    spread_ms: Option<f64>,
    bpm: Option<f64>,
}

/// Nothing if there was no chorus.
///
/// # Errors
/// A table is damaged.
pub(crate) fn paragraphs(folder: &Folder) -> anyhow::Result<Vec<String>> {
    let beats: Vec<BeatRow> = Table::read_if_there(&folder.chorus())?;
    if beats.is_empty() {
        return Ok(Vec::new());
    }
    let cures: Vec<CureRow> = Table::read_if_there(&folder.cure())?;
    let ears: Vec<Ear<'_>> = beats.chunk_by(|a, b| a.recorder == b.recorder).map(ear).collect();
    let mut said = Vec::new();
    said.extend(tier(&ears, Role::Speaker, "On stage"));
    said.extend(tier(&ears, Role::Listener, "In the audience"));
    said.extend(why(&ears));
    said.extend(tempo(&ears, &cures, &Table::read_if_there(&folder.emissions())?));
    said.extend(holds(&Table::read_if_there(&folder.holds())?));
    said.extend(cure(&cures));
    Ok(said)
}

fn ear(beats: &[BeatRow]) -> Ear<'_> {
    let (name, role) = beats.first().map_or(("", Role::Listener), |row| (row.recorder.as_str(), row.role));
    let settled = chorus::settled(beats);
    let most = settled.iter().map(|row| row.voices).max().unwrap_or_default();
    let whole = settled.iter().filter(|row| row.voices == most);
    let spreads: Vec<f64> = whole.filter_map(|row| Some(row.spread_ns? as f64 / 1e6)).collect();
    let tempos: Vec<f64> = settled.iter().filter_map(|row| row.tempo_bpm).collect();
    Ear { name, role, spread_ms: stats::median(&spreads), bpm: stats::median(&tempos) }
}

fn tier(ears: &[Ear<'_>], role: Role, place: &str) -> Option<String> {
    let ears = ears.iter().filter(|ear| ear.role == role);
    let spreads: Vec<(f64, &str)> = ears.filter_map(|ear| Some((ear.spread_ms?, ear.name))).collect();
    let told = match &spreads[..] {
        [] => return None,
        many if many.len() > CROWD => {
            let spreads = stats::sorted(&many.iter().map(|(ms, _)| *ms).collect::<Vec<_>>());
            let at = |p| stats::quantile(&spreads, p).map_or(String::new(), spoken);
            format!("{} in the middle of {} ears, {} at most", at(0.5), many.len(), at(1.0))
        }
        each => listed(&each.iter().map(|(ms, name)| format!("{} at {name}", spoken(*ms))).collect::<Vec<_>>()),
    };
    Some(format!("- {place}, from the first voice of a beat to the last: {told}."))
}

/// Why the stage hears a chorus apart that the audience hears together.
fn why(ears: &[Ear<'_>]) -> Option<String> {
    let median = |role| {
        let spreads = ears.iter().filter(|ear| ear.role == role).filter_map(|ear| ear.spread_ms);
        stats::median(&spreads.collect::<Vec<_>>())
    };
    (median(Role::Speaker)? > median(Role::Listener)? + APART_MS).then(|| {
        "- A singer hears its own voice at once and the others' late; the audience hears everybody late, and so nearer \
         together. That says nothing about mixing. What differs from one kind of room to another is how far apart it is \
         on stage, and how much the tempo drags."
            .to_owned()
    })
}

fn tempo(ears: &[Ear<'_>], cures: &[CureRow], emissions: &[EmissionRow]) -> Option<String> {
    let heard = stats::median(&ears.iter().filter_map(|ear| ear.bpm).collect::<Vec<_>>())?;
    let (beats, planned): (Vec<f64>, Vec<f64>) =
        emissions.iter().map(|row| (f64::from(row.beep), row.planned_ns as f64)).unzip();
    let song = bpm(Nanos(stats::theil_sen(&beats, &planned)?.slope.round() as i64));
    let waits = if cures.iter().any(|cure| cure.sings == On::Together) {
        ", since whoever sings by what is heard of others waits for what comes late"
    } else {
        ""
    };
    Some(if heard < song - DRAG_BPM {
        format!("- The tempo dragged: {heard:.0} beats a minute in place of {song:.0}{waits}.")
    } else if heard > song + DRAG_BPM {
        format!("- The tempo rushed: {heard:.0} beats a minute in place of {song:.0}.")
    } else {
        format!("- The tempo was the song's, {song:.0} beats a minute.")
    })
}

fn holds(holds: &[HoldRow]) -> Vec<String> {
    let (could, could_not): (Vec<_>, Vec<_>) = holds.iter().partition(|hold| hold.grade.holds_time());
    let told = |holds: Vec<&HoldRow>, what: &str| {
        let pair =
            |hold: &&HoldRow| format!("{} and {} ({} one way)", hold.singer, hold.other, spoken(hold.one_way_ms));
        let told = match &holds[..] {
            [] => return None,
            many if many.len() > CROWD => format!("{} pairs of singers", many.len()),
            each => listed(&each.iter().map(pair).collect::<Vec<_>>()),
        };
        Some(format!("- By listening to each other {told} {what}."))
    };
    [told(could, "could hold time"), told(could_not, "could never hold time: they are too far from each other")]
        .into_iter()
        .flatten()
        .collect()
}

fn cure(cures: &[CureRow]) -> Option<String> {
    let ahead = |cure: &CureRow| {
        let way = if cure.cure_ms? < 0.0 { "behind" } else { "ahead" };
        Some(format!("{} {} {way}", cure.singer, spoken(cure.cure_ms?.abs())))
    };
    let ahead = cures.iter().map(ahead).collect::<Option<Vec<_>>>()?;
    (!ahead.is_empty() && ahead.len() <= CROWD)
        .then(|| format!("- What would bring it together for the audience: {} of what they sing on.", listed(&ahead)))
}
