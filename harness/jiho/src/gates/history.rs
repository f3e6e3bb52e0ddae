//! `history.csv`: a row per judged run, in a file that a repository can hold and that apache/otava reads.
//!
//! Rows are only ever appended, figures that are new get columns at the end. Runs of other experiments or on other host
//! classes may be in the same file: each is only ever held against its like.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiho_analysis::stats::{self, ChangePoint, Sought};

use super::amount::shown;
use crate::exit::UsageError;
use crate::figures::Figure;

/// The columns before the figures.
pub const COLUMNS: [&str; 5] = ["time", "commit", "branch", "experiment", "host_class"];

/// A run in a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// RFC 3339, to the second, in UTC.
    pub time: String,
    /// What was measured; empty if nobody knows.
    pub commit: String,
    /// See `commit`.
    pub branch: String,
    /// The experiment's name.
    pub experiment: String,
    /// Of the machine; see [`host_class`](super::host_class).
    pub host_class: String,
    /// Figures by name; those that it lacks are left out.
    pub figures: Vec<(String, f64)>,
}

/// A history's file.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    path: PathBuf,
    /// The figures' names, in order of their columns.
    figures: Vec<String>,
    /// In order of time.
    pub entries: Vec<Entry>,
}

/// A figure in a history, of one experiment on one host class.
#[derive(Clone, Debug, PartialEq)]
pub struct Track<'a> {
    entries: Vec<&'a Entry>,
    values: Vec<f64>,
    /// Where its level changed.
    pub changes: Vec<ChangePoint>,
}

impl History {
    /// Reads a history; a file that is not there yet has no rows.
    ///
    /// # Errors
    /// The file cannot be read, or is no history.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut history = Self { path: path.to_owned(), figures: Vec::new(), entries: Vec::new() };
        if !path.exists() {
            return Ok(history);
        }
        let wrong = |what: String| UsageError::say(format!("{}: {what}", path.display()));
        let mut reader = csv::Reader::from_path(path).with_context(|| format!("cannot read {}", path.display()))?;
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        if !header.iter().take(COLUMNS.len()).eq(COLUMNS) {
            return Err(wrong(format!("this is no history: its first columns are not {}", COLUMNS.join(","))).into());
        }
        history.figures = header.iter().skip(COLUMNS.len()).map(str::to_owned).collect();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let [time, commit, branch, experiment, host_class] =
                [0, 1, 2, 3, 4].map(|n| record.get(n).unwrap_or("").to_owned());
            let mut figures = Vec::new();
            for (name, value) in history.figures.iter().zip(record.iter().skip(COLUMNS.len())) {
                if !value.is_empty() {
                    let value = value.parse::<f64>().ok().filter(|value| value.is_finite());
                    let value = value.ok_or_else(|| wrong(format!("line {line}: {name} is no number")))?;
                    figures.push((name.clone(), value));
                }
            }
            history.entries.push(Entry { time, commit, branch, experiment, host_class, figures });
        }
        Ok(history)
    }

    /// Adds a run to the file. What never ended has no figure: there is no number for it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&mut self, mut entry: Entry) -> anyhow::Result<()> {
        entry.figures.retain(|(_, value)| value.is_finite());
        for (name, _) in &entry.figures {
            if !self.figures.contains(name) {
                self.figures.push(name.clone());
            }
        }
        self.entries.push(entry);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS.iter().copied().chain(self.figures.iter().map(String::as_str)))?;
        for entry in &self.entries {
            let value = |name: &String| {
                let value = entry.figures.iter().find(|(known, _)| known == name);
                // To a nanosecond, or a millionth of all beeps.
                value.map(|(_, value)| ((value * 1e6).round() / 1e6).to_string()).unwrap_or_default()
            };
            let named = [&entry.time, &entry.commit, &entry.branch, &entry.experiment, &entry.host_class];
            writer.write_record(named.into_iter().cloned().chain(self.figures.iter().map(value)))?;
        }
        let text = writer.into_inner().map_err(|error| error.into_error())?;
        // Put in its place at once, so that a crash leaves the old file.
        let new = self.path.with_extension("csv.new");
        std::fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
        std::fs::rename(&new, &self.path).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// How a figure went in runs of an experiment on a host class.
    pub fn track(&self, figure: &str, experiment: &str, host_class: &str) -> Track<'_> {
        let like = self.entries.iter().filter(|entry| entry.experiment == experiment && entry.host_class == host_class);
        let with = like.filter_map(|entry| Some((entry, entry.figures.iter().find(|(name, _)| name == figure)?.1)));
        let (entries, values): (Vec<&Entry>, Vec<f64>) = with.unzip();
        let changes = stats::change_points(&values, Sought::default());
        Track { entries, values, changes }
    }

    /// Host classes that runs of an experiment were made on.
    pub fn host_classes(&self, experiment: &str) -> Vec<&str> {
        let mut classes: Vec<&str> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.experiment == experiment) {
            if !classes.contains(&entry.host_class.as_str()) {
                classes.push(&entry.host_class);
            }
        }
        classes
    }
}

impl Track<'_> {
    /// The values since the last change.
    pub fn last_level(&self) -> &[f64] {
        &self.values[self.changes.last().map_or(0, |change| change.at)..]
    }

    /// Each change in a line: when, at which commit, from what to what, and how sure that is.
    pub fn changes_in_words(&self, figure: &Figure) -> Vec<String> {
        let unit = figure.unit();
        let line = |change: &ChangePoint| {
            let entry = self.entries[change.at];
            let commit: String = entry.commit.chars().take(10).collect();
            let (before, after) = (shown(change.before, unit), shown(change.after, unit));
            let sign = if change.after >= change.before { "+" } else { "−" };
            let size = shown((change.after - change.before).abs(), unit);
            let share = if change.before == 0.0 {
                String::new()
            } else {
                format!(", {sign}{:.1} %", 100.0 * ((change.after - change.before) / change.before).abs())
            };
            let p = change.p_value;
            format!("{figure} at {} {commit}: {before} → {after} ({sign}{size}{share}), p = {p:.1e}", entry.time)
        };
        self.changes.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// By `scripts/make-history`, and where apache/otava finds its changes by `scripts/judge-history`.
    const HISTORY: &str = include_str!("../../../../fixtures/history/history.csv");
    const OTAVA: &str = include_str!("../../../../fixtures/history/history.otava.csv");
    const HOST: &str = "AMD EPYC 7B13, 2 cpus, linux x86_64";

    fn history(text: &str) -> (tempfile::TempDir, History) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        std::fs::write(&path, text).unwrap();
        let read = History::read(&path).unwrap();
        (folder, read)
    }

    fn entry(host_class: &str, figures: &[(&str, f64)]) -> Entry {
        let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let [time, commit] = ["2026-12-01T00:00:00Z", "abc"].map(str::to_owned);
        let [branch, experiment] = ["main", "room"].map(str::to_owned);
        Entry { time, commit, branch, experiment, host_class: host_class.to_owned(), figures }
    }

    #[test]
    fn what_otava_reads_is_what_is_written() {
        let mut lines: Vec<&str> = HISTORY.lines().collect();
        let last = lines.pop().unwrap();
        let (folder, mut history) = history(&(lines.join("\n") + "\n"));
        let whole = super::History { path: folder.path().join("whole.csv"), ..history.clone() };
        std::fs::write(&whole.path, HISTORY).unwrap();
        let added = History::read(&whole.path).unwrap().entries.pop().unwrap();
        assert!(last.starts_with(&added.time));
        history.record(added).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("history.csv")).unwrap(), HISTORY);
    }

    #[test]
    fn levels_change_where_otava_says_and_with_its_probabilities() {
        let (_folder, history) = history(HISTORY);
        let mut otava: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
        for line in OTAVA.lines().skip(1) {
            let [figure, run, p] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
            otava.entry(figure).or_default().push((run.parse().unwrap(), p.parse().unwrap()));
        }
        assert_eq!((history.figures.len(), otava.len()), (3, 2));
        for figure in &history.figures {
            let track = history.track(figure, "room", HOST);
            let theirs = otava.remove(figure.as_str()).unwrap_or_default();
            assert_eq!(track.changes.len(), theirs.len(), "{figure}");
            for (ours, (at, p)) in track.changes.iter().zip(theirs) {
                assert_eq!(ours.at, at, "{figure}");
                assert!((ours.p_value - p).abs() <= 1e-6 * p.max(1e-9), "{figure}: {ours:?} and {p}");
            }
        }
        let track = history.track("speaker_to_audience.p95", "room", HOST);
        let words = track.changes_in_words(&"speaker_to_audience.p95".parse().unwrap());
        assert!(
            words[0].starts_with("speaker_to_audience.p95 at 2026-10-11T03:00:00Z af3e133428: 74.09 ms → 77.023 ms"),
            "{words:?}"
        );
        assert_eq!(track.last_level().len(), 20);
    }

    #[test]
    fn other_machines_and_other_experiments_are_left_alone() {
        let (_folder, mut history) = history(HISTORY);
        history.record(entry("another machine", &[("speaker_to_audience.p95", 200.0)])).unwrap();
        let track = history.track("speaker_to_audience.p95", "room", HOST);
        assert!(track.last_level().iter().all(|value| *value < 80.0));
        assert_eq!(history.track("speaker_to_audience.p95", "room", "another machine").last_level(), [200.0]);
        assert_eq!(history.track("speaker_to_audience.p95", "choir", HOST).last_level(), [0.0; 0]);
        assert_eq!(history.host_classes("room"), [HOST, "another machine"]);
    }

    #[test]
    fn new_figures_get_columns_at_the_end_and_what_never_ended_no_number() {
        let (folder, mut history) = history("time,commit,branch,experiment,host_class,delay.p95\n");
        history.record(entry("here", &[("delay.p95", 61.5)])).unwrap();
        history.record(entry("here", &[("heard_ratio", 0.99), ("join.silence.max", f64::INFINITY)])).unwrap();
        let text = std::fs::read_to_string(folder.path().join("history.csv")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "time,commit,branch,experiment,host_class,delay.p95,heard_ratio");
        assert!(lines[1].ends_with("here,61.5,") && lines[2].ends_with("here,,0.99"), "{text}");
    }

    #[test]
    fn what_is_no_history_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delays.csv");
        std::fs::write(&path, "run_id,rep\n1,2\n").unwrap();
        let error = History::read(&path).unwrap_err().to_string();
        assert!(error.contains("this is no history"), "{error}");
        std::fs::write(&path, "time,commit,branch,experiment,host_class,delay.p95\na,b,c,d,e,fast\n").unwrap();
        let error = History::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2: delay.p95 is no number"), "{error}");
    }
}
