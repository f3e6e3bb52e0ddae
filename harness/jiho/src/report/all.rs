//! All reports of a run: which there are, in which files, and writing them.

use std::path::Path;

use anyhow::Context;

use super::series::Series;
use super::tables::Tables;
use super::{bencher, benchmark_action, chorus_picture, html, json, junit, labels, prometheus, summary};
use crate::exit::UsageError;
use crate::run::series::folder_of;

/// A chorus as a picture, where there is one.
const CHORUS_PICTURE: &str = "chorus.svg";

/// A report that is made of a run's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole report as one object.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// Gates as test cases.
    Junit,
    /// Bencher Metric Format.
    Bencher,
    /// A page to look at and to listen to.
    Html,
    /// For github-action-benchmark.
    BenchmarkAction,
    /// For node_exporter's textfile collector.
    Prometheus,
    /// All recordings on one time line.
    Lof,
    /// Labels of all recordings, on that time line.
    Labels,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Json,
        Self::Markdown,
        Self::Junit,
        Self::Bencher,
        Self::Html,
        Self::BenchmarkAction,
        Self::Prometheus,
        Self::Lof,
        Self::Labels,
    ];

    /// The file in a run's folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Json => "report.json",
            Self::Html => "report.html",
            Self::Markdown => "summary.md",
            Self::Junit => "junit.xml",
            Self::Bencher => "bencher.json",
            Self::BenchmarkAction => "benchmark-action.json",
            Self::Prometheus => "metrics.prom",
            Self::Lof => "recordings.lof",
            Self::Labels => "recordings.labels.txt",
        }
    }

    /// The text, for a file in `out` if it is for any.
    ///
    /// # Errors
    /// A table is damaged; or it is about recordings, and there are several repetitions, each with a time line of its own.
    pub fn text(self, series: &Series, out: Option<&Path>) -> anyhow::Result<String> {
        match self {
            Self::Json => json::text(series),
            Self::Markdown => summary::text(series),
            Self::Junit => junit::text(series),
            Self::Bencher => bencher::text(series),
            Self::BenchmarkAction => benchmark_action::text(series),
            Self::Prometheus => prometheus::text(series),
            Self::Html => html::page(self.repetition(series)?),
            Self::Lof => labels::list_of_files(self.repetition(series)?, out),
            Self::Labels => Ok(labels::text(&labels::of_all(self.repetition(series)?)?)),
        }
    }

    /// Whether it has the recordings, which each repetition has for itself.
    fn is_of_sound(self) -> bool {
        matches!(self, Self::Html | Self::Lof | Self::Labels)
    }

    fn repetition(self, series: &Series) -> anyhow::Result<&Tables> {
        let several = || {
            let path = series.path().display();
            let (count, file) = (series.repetitions.len(), self.file());
            UsageError::say(format!("{path} has {count} repetitions: {file} is of one of them, such as {path}/rep-1"))
        };
        Ok(series.only().ok_or_else(several)?)
    }
}

/// Writes all reports of the run in `folder` into `out`, which may be the same folder; of repetitions also those of each
/// into a folder of its own.
///
/// # Errors
/// There is no run that was measured, a table is damaged, or a file cannot be written.
pub fn write_all(folder: &Path, out: &Path) -> anyhow::Result<()> {
    let series = Series::open(folder)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    if let Some(tables) = series.only() {
        for (wav, sidecar) in tables.recordings()? {
            let name = wav.with_extension("labels.txt");
            let text = labels::text(&labels::of_recording(tables, &sidecar)?);
            write(&out.join(name.file_name().unwrap_or_default()), &text)?;
        }
        if let Some(picture) = chorus_picture::svg(tables)? {
            write(&out.join(CHORUS_PICTURE), &picture)?;
        }
    } else {
        for rep in (1..).take(series.repetitions.len()) {
            write_all(&folder_of(folder, rep), &folder_of(out, rep))?;
        }
    }
    for kind in Kind::ALL.into_iter().filter(|kind| series.only().is_some() || !kind.is_of_sound()) {
        write(&out.join(kind.file()), &kind.text(&series, Some(out))?)?;
    }
    Ok(())
}

/// At once: whoever reads the file meanwhile, as a collector does, has the old text or the new one.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
