//! Labels for audio editors: `ear-NAME.labels.txt` beside each recording, and for all of them on one time line
//! `recordings.lof` with `recordings.labels.txt`.
//!
//! A label is a line `START⇥END⇥TEXT` in seconds, a point if both are the same
//! (<https://manual.audacityteam.org/man/importing_and_exporting_labels.html>). A list of files has a line
//! `file "NAME" offset SECONDS` for each (<https://manual.audacityteam.org/man/lof_files.html>). Labels of a recording
//! count from its first sample, at the rate that its file states; those of all recordings from where the list of files
//! has its zero: the run's start.

use std::fmt::Write;
use std::path::Path;

use jiho_analysis::arrivals::ArrivalKind;
use jiho_analysis::metrics::GapKind;
use jiho_analysis::roles::Step;
use jiho_analysis::units::RunTime;
use jiho_drivers::sidecar::Sidecar;

use super::arrivals::ArrivalRow;
use super::breaks::BreakRow;
use super::events::EventRow;
use super::gaps::GapRow;
use super::name_of;
use super::tables::Tables;

/// What is written beside a point or a stretch of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// In seconds.
    pub start_s: f64,
    /// In seconds; `start_s` for a point.
    pub end_s: f64,
    /// What is there.
    pub text: String,
}

/// Labels as a file has them.
pub fn text(labels: &[Label]) -> String {
    let mut text = String::new();
    for Label { start_s, end_s, text: what } in labels {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{start_s:.6}\t{end_s:.6}\t{}", what.replace(['\t', '\n', '\r'], " "));
    }
    text
}

/// The labels of one recording, in order of time, from its first sample.
///
/// # Errors
/// A table is damaged.
pub fn of_recording(tables: &Tables, sidecar: &Sidecar) -> anyhow::Result<Vec<Label>> {
    let here = |recorder: &str| recorder == sidecar.recorder;
    let arrivals = tables.arrivals()?.iter().filter(|row| here(&row.recorder)).map(|row| arrival(row, sidecar));
    let breaks = tables.breaks()?.iter().filter(|row| here(&row.recorder)).map(|row| pilot_break(row, sidecar));
    let gaps = tables.gaps()?.iter().filter(|row| here(&row.endpoint) && row.kind != GapKind::None);
    let gaps = gaps.map(|row| gap(row, sidecar));
    let changes = tables.events()?.iter().filter_map(|row| change(row, sidecar));
    let mut labels: Vec<Label> = arrivals.chain(breaks).chain(gaps).chain(changes).collect();
    // Of a recording that was not finished nobody knows the length.
    let end_s = if sidecar.samples > 0 { sidecar.samples as f64 / sidecar.rate.hz() } else { f64::INFINITY };
    labels.retain(|label| label.end_s >= 0.0 && label.start_s <= end_s);
    for label in &mut labels {
        (label.start_s, label.end_s) = (label.start_s.max(0.0), label.end_s.min(end_s));
    }
    labels.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then(a.end_s.total_cmp(&b.end_s)));
    Ok(labels)
}

/// The labels of all recordings, with whose ear each is of, on the time line of [`list_of_files`].
///
/// # Errors
/// A table or a sidecar is damaged.
pub fn of_all(tables: &Tables) -> anyhow::Result<Vec<Label>> {
    let recordings = tables.recordings()?;
    let offsets = offsets_s(&recordings);
    let mut all = Vec::new();
    for ((_, sidecar), offset_s) in recordings.iter().zip(offsets) {
        all.extend(of_recording(tables, sidecar)?.into_iter().map(|label| Label {
            start_s: label.start_s + offset_s,
            end_s: label.end_s + offset_s,
            text: format!("{}: {}", sidecar.recorder, label.text),
        }));
    }
    all.sort_by(|a, b| a.start_s.total_cmp(&b.start_s).then(a.end_s.total_cmp(&b.end_s)));
    Ok(all)
}

/// `recordings.lof`, for the folder `out`: recordings that lie there are named by name, others by their whole path.
///
/// # Errors
/// A sidecar is damaged, or the folder cannot be found.
pub fn list_of_files(tables: &Tables, out: Option<&Path>) -> anyhow::Result<String> {
    let recordings = tables.recordings()?;
    let folder = tables.folder().path().canonicalize()?;
    let beside = out.map(Path::canonicalize).transpose()?.is_some_and(|out| out == folder);
    let mut text = String::new();
    for ((wav, _), offset_s) in recordings.iter().zip(offsets_s(&recordings)) {
        let name = wav.file_name().unwrap_or_default();
        let path = if beside { name.into() } else { folder.join(name) };
        let _ = writeln!(text, "file \"{}\" offset {offset_s:.6}", path.display());
    }
    Ok(text)
}

/// Where recordings begin, in seconds since the run's start; should one have begun before that, since then.
fn offsets_s(recordings: &[(std::path::PathBuf, Sidecar)]) -> Vec<f64> {
    let starts = || recordings.iter().map(|(_, sidecar)| sidecar.start.since_start().as_secs_f64());
    let zero = starts().fold(0.0, f64::min);
    starts().map(|start| start - zero).collect()
}

/// Where an instant of the run lies in a recording, in seconds of its file.
fn position_s(sidecar: &Sidecar, at_ns: i64) -> f64 {
    sidecar.clock().position(RunTime(at_ns)) / sidecar.rate.hz()
}

fn arrival(row: &ArrivalRow, sidecar: &Sidecar) -> Label {
    let at_s = row.arrival_sample / sidecar.rate.hz();
    let beep = row.speaker.as_ref().zip(row.beep).map(|(speaker, beep)| format!("{speaker} {beep}"));
    let code = row.code.map(|code| format!(" of code {code}")).unwrap_or_default();
    // Older tables have no kind; a further arrival has a greater rank.
    let is_echo = row.kind.map_or(row.rank > Some(1), |kind| kind == ArrivalKind::Echo);
    let text = match beep {
        Some(beep) if is_echo => format!("echo of {beep}"),
        Some(beep) => beep,
        None if row.kind == Some(ArrivalKind::Stranger) => format!("stranger{code}"),
        None => format!("unsupported{code}"),
    };
    Label { start_s: at_s, end_s: at_s, text }
}

fn pilot_break(row: &BreakRow, sidecar: &Sidecar) -> Label {
    let speaker = row.speaker.as_deref().unwrap_or("a pilot");
    Label {
        start_s: position_s(sidecar, row.last_before_ns),
        end_s: position_s(sidecar, row.first_after_ns),
        text: format!("break of {speaker}: {}", row.kind.name()),
    }
}

/// From the last sound on the old path to the first on the new one; where there is only one of them, there.
fn gap(row: &GapRow, sidecar: &Sidecar) -> Label {
    let edges = [row.last_before_ns, row.first_after_ns];
    let known = || edges.into_iter().flatten().map(|at_ns| position_s(sidecar, at_ns));
    let commanded = position_s(sidecar, row.commanded_ns);
    let (start_s, end_s) =
        (known().reduce(f64::min).unwrap_or(commanded), known().reduce(f64::max).unwrap_or(commanded));
    let text = format!("{} {}: {} of {}", row.event.name(), row.subject, name_of(&row.kind), row.speaker);
    Label { start_s, end_s, text }
}

/// When a change of a role was asked for, and when it was complete or came to nothing.
fn change(row: &EventRow, sidecar: &Sidecar) -> Option<Label> {
    let change = row.event.change()?;
    let reached = match row.step? {
        Step::Asked => "asked for",
        Step::Done if row.node == "relay" => "done",
        Step::Failed => "failed",
        _ => return None,
    };
    let at_s = position_s(sidecar, row.at_ns);
    Some(Label { start_s: at_s, end_s: at_s, text: format!("{} {}: {reached}", change.name(), row.subject) })
}
