//! Anybody's recordings: which signals are in them, when, and how much later in one than in another.
//!
//! Nothing is known but the sound: not when it was sent, and not when a recording began. A recording's sidecar says so
//! if there is one; else all are held to have begun at one instant.

mod differences;

use std::io::Read;
use std::path::{Path, PathBuf};

use jiho_analysis::arrivals::Recorder;
use jiho_analysis::hear::Detection;
use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::{Nanos, RunTime, SampleClock};
use jiho_drivers::sidecar::Sidecar;
use jiho_drivers::wav::Reader;
use rayon::prelude::*;

use crate::hearing::{self, BlockHeard, ChannelHeard, hear_file};
pub use differences::{Difference, differences};

/// One channel of one recording.
#[derive(Debug)]
pub struct Take {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub channel: usize,
    /// The family of time signals that was listened for.
    pub family: Family,
    /// Its length and its place in time.
    pub recorder: Recorder,
    /// Whether a sidecar gave that place.
    pub placed: bool,
    /// The highest sample, 0 to 1.
    pub peak: f32,
    /// What the file promises and does not hold.
    pub truncated: Option<String>,
    /// Per code that was surely found: its detections in order of time.
    pub voices: Vec<(Code, Vec<Detection>)>,
}

impl Take {
    /// As tables and people call it: the file's name, and the channel where there are several.
    pub fn name(&self) -> String {
        name(&self.path, self.channel)
    }
}

/// As tables and people call a channel of a recording; channels count from 1.
pub fn name(path: &Path, channel: usize) -> String {
    format!("{}#{channel}", path.display())
}

/// Hears all channels of all files; `progress` is told how many more seconds of sound have been heard.
///
/// # Errors
/// A file or a sidecar cannot be read.
pub fn takes(
    paths: &[PathBuf],
    family: Family,
    codes: &[Code],
    progress: &(dyn Fn(f64) + Sync),
) -> anyhow::Result<Vec<Take>> {
    let takes = paths.par_iter().map(|path| {
        let channels = hear_file(path, family, codes, progress)?;
        of_channels(path, channels, family, codes)
    });
    Ok(takes.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Hears a recording that is still being made, to its end; `heard` is told of each block.
///
/// # Errors
/// The sound or a sidecar cannot be read.
pub fn live(
    path: &Path,
    reader: &mut Reader<impl Read>,
    family: Family,
    codes: &[Code],
    heard: &mut dyn FnMut(&BlockHeard),
) -> anyhow::Result<Vec<Take>> {
    let channels = hearing::hear(reader, family, codes, heard)?;
    of_channels(path, channels, family, codes)
}

/// Seconds of sound in all channels of a file.
///
/// # Errors
/// The file cannot be read.
pub fn seconds(path: &Path) -> anyhow::Result<f64> {
    let reader = Reader::open(path)?;
    Ok(reader.frames() as f64 * reader.channels() as f64 / reader.rate().hz())
}

/// All channels of one recording.
fn of_channels(path: &Path, channels: Vec<ChannelHeard>, family: Family, codes: &[Code]) -> anyhow::Result<Vec<Take>> {
    let beside = Sidecar::path_beside(path);
    let sidecar = if beside.is_file() { Some(Sidecar::read(&beside)?) } else { None };
    let take = |(channel, heard)| take(path, channel, heard, sidecar.as_ref(), family, codes);
    Ok((1..).zip(channels).map(take).collect())
}

fn take(
    path: &Path,
    channel: usize,
    heard: ChannelHeard,
    sidecar: Option<&Sidecar>,
    family: Family,
    codes: &[Code],
) -> Take {
    let unplaced = || (SampleClock::new(RunTime::START, heard.clock_rate), Nanos::ZERO);
    let (clock, clock_error) = sidecar.map_or_else(unplaced, |sidecar| {
        (SampleClock { rate: heard.clock_rate, ..sidecar.clock() }, sidecar.start_error)
    });
    let mut voices: Vec<(Code, Vec<Detection>)> = Vec::new();
    for &code in codes {
        // Pure tones are never sure: their correlation has many peaks. A whole time signal scores high nonetheless.
        let tone = |d: &Detection| !family.is_coded() && d.score >= 0.5 && d.peak_ratio >= 1.0;
        let of_code = |d: &&Detection| d.code == code && (d.is_possible() || tone(d));
        let own: Vec<Detection> = heard.detections.iter().filter(of_code).copied().collect();
        if own.iter().any(|d| d.is_sure() || tone(d)) {
            voices.push((code, own));
        }
    }
    Take {
        path: path.to_owned(),
        channel,
        family,
        // The codec's mode moves both sides of a difference; which modes were chosen is not known.
        recorder: Recorder {
            clock,
            clock_error,
            samples: heard.samples,
            codec_sd: jiho_analysis::arrivals::UNKNOWN_CODEC_SD,
        },
        placed: sidecar.is_some(),
        peak: heard.peak,
        truncated: heard.truncated,
        voices,
    }
}
