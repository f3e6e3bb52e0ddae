//! What a WAV file cannot say about a recording: a JSON file of the same name beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{Nanos, Ppb, Rate, RunTime, SampleClock};
use serde::{Deserialize, Serialize};

/// The version of the format that is written and read.
pub const FORMAT: u32 = 1;

/// Describes one recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// [`FORMAT`].
    pub format: u32,
    /// Whose ear it is.
    pub recorder: String,
    /// Stage or audience.
    pub role: Role,
    /// Samples per second of run time.
    pub rate: Rate,
    /// By how many parts per billion the ear's sound card counted faster than `rate`, where that is known.
    #[serde(default, rename = "rate_skew_ppb", skip_serializing_if = "Ppb::is_zero")]
    pub skew: Ppb,
    /// The run time of sample 0.
    #[serde(rename = "start_ns")]
    pub start: RunTime,
    /// At most this much `start` is off.
    #[serde(rename = "start_error_ns")]
    pub start_error: Nanos,
    /// What the wall clock said when the run began, in nanoseconds since 1970: for people.
    pub started_unix_ns: i64,
    /// Samples in the recording; 0 while it is being made.
    pub samples: u64,
    /// Samples that were beyond full scale.
    pub clipped: u64,
    /// Where the ear missed something.
    pub discontinuities: Vec<Discontinuity>,
    /// Where the ear's sound device gave more than there was time for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<Cut>,
    /// Whether the recording was brought to its end. If not, its recorder was stopped by force.
    pub complete: bool,
}

/// Samples that were never there. Silence stands in their place, so that positions keep their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discontinuity {
    /// The position of the first one.
    pub sample: u64,
    /// How many.
    pub gap_samples: u64,
}

/// Samples that time had no place for, and that were left out, so that positions keep their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The position of the first one after them.
    pub sample: u64,
    /// How many.
    pub cut_samples: u64,
}

/// A sidecar could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// There is none, or the system does not give it.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what a sidecar should be; the source names field, line and column.
    #[error("{}: not a recording's description: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Which field, and where.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("{}: `format` is {found}, this version of jiho reads {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
    /// `rate` is 0.
    #[error("{}: `rate` is 0; it is the recording's samples per second", path.display())]
    Rate {
        /// The file.
        path: PathBuf,
    },
    /// A clock that stands still or runs backwards.
    #[error("{}: `rate_skew_ppb` is {found}; it is less than 1000000000 either way", path.display())]
    Skew {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// It could not be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Sidecar {
    /// Describes a recording that begins.
    pub fn new(recorder: &str, role: Role, clock: SampleClock, started_unix_ns: i64) -> Self {
        Self {
            format: FORMAT,
            recorder: recorder.to_owned(),
            role,
            rate: clock.rate,
            skew: clock.skew,
            start: clock.start,
            start_error: Nanos::ZERO,
            started_unix_ns,
            samples: 0,
            clipped: 0,
            discontinuities: Vec::new(),
            cuts: Vec::new(),
            complete: false,
        }
    }

    /// Which run time each sample of the recording belongs to.
    pub fn clock(&self) -> SampleClock {
        SampleClock { start: self.start, rate: self.rate, skew: self.skew }
    }

    /// The sidecar's name, given the recording's.
    pub fn path_beside(recording: &Path) -> PathBuf {
        recording.with_extension("json")
    }

    /// Reads a sidecar.
    pub fn read(path: &Path) -> Result<Self, SidecarError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let malformed = |source| SidecarError::Malformed { path: path.to_owned(), source };
        let text = fs::read(path).map_err(|source| SidecarError::Read { path: path.to_owned(), source })?;
        // The version first: another one's fields would only give a misleading error.
        let Version { format } = serde_json::from_slice(&text).map_err(malformed)?;
        if format != FORMAT {
            return Err(SidecarError::Format { path: path.to_owned(), found: format });
        }
        let sidecar: Self = serde_json::from_slice(&text).map_err(malformed)?;
        if sidecar.rate.0 == 0 {
            return Err(SidecarError::Rate { path: path.to_owned() });
        }
        if sidecar.skew.0.abs() >= 1_000_000_000 {
            return Err(SidecarError::Skew { path: path.to_owned(), found: sidecar.skew.0 });
        }
        Ok(sidecar)
    }

    /// Writes a sidecar so that whoever looks finds the old one or the new one, never half of one.
    pub fn write(&self, path: &Path) -> Result<(), SidecarError> {
        let failed = |source| SidecarError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        let unfinished = path.with_extension("json.tmp");
        fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, path)).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar() -> Sidecar {
        let clock = SampleClock::new(RunTime(1_234_567_890), Rate(48_000));
        Sidecar {
            discontinuities: vec![Discontinuity { sample: 480, gap_samples: 96 }],
            ..Sidecar::new("lena", Role::Listener, clock, 1_700_000_000_123_456_789)
        }
    }

    fn read_text(text: &str) -> Result<Sidecar, SidecarError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ear-lena.json");
        fs::write(&path, text).unwrap();
        Sidecar::read(&path)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = Sidecar::path_beside(&folder.path().join("ear-lena.wav"));
        assert_eq!(path.file_name().unwrap(), "ear-lena.json");
        sidecar().write(&path).unwrap();
        let done = Sidecar { complete: true, samples: 96_000, ..sidecar() };
        done.write(&path).unwrap();
        assert_eq!(Sidecar::read(&path).unwrap(), done);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn units_stand_in_the_field_names() {
        let json: serde_json::Value = serde_json::to_value(sidecar()).unwrap();
        assert_eq!(json["start_ns"], 1_234_567_890);
        assert_eq!(json["start_error_ns"], 0);
        assert_eq!(json["started_unix_ns"], 1_700_000_000_123_456_789_i64);
        assert_eq!(json["role"], "listener");
        assert_eq!(json["discontinuities"][0]["gap_samples"], 96);
    }

    #[test]
    fn a_missing_field_is_named_with_its_file() {
        let error = read_text(r#"{"format":1,"recorder":"lena","role":"listener"}"#).unwrap_err().to_string();
        assert!(error.contains("ear-lena.json") && error.contains("missing field `rate`"), "{error}");
    }

    #[test]
    fn another_format_is_named_before_its_fields_are_looked_at() {
        let error = read_text(r#"{"format":2}"#).unwrap_err().to_string();
        assert!(error.contains("`format` is 2, this version of jiho reads 1"), "{error}");
    }

    #[test]
    fn a_card_s_skew_is_kept_and_left_out_where_there_is_none() {
        assert!(!serde_json::to_string(&sidecar()).unwrap().contains("skew"));
        let skewed = Sidecar { skew: Ppb::from_ppm(-20.5), ..sidecar() };
        let text = serde_json::to_string(&skewed).unwrap();
        assert!(text.contains(r#""rate_skew_ppb":-20500"#), "{text}");
        assert_eq!(read_text(&text).unwrap().clock(), skewed.clock());
        let backwards = serde_json::to_string(&Sidecar { skew: Ppb(-1_000_000_000), ..sidecar() }).unwrap();
        assert!(matches!(read_text(&backwards), Err(SidecarError::Skew { .. })));
    }

    #[test]
    fn cuts_are_kept_and_left_out_where_there_are_none() {
        assert!(!serde_json::to_string(&sidecar()).unwrap().contains("cut"));
        let cut = Sidecar { cuts: vec![Cut { sample: 480, cut_samples: 96 }], ..sidecar() };
        assert_eq!(read_text(&serde_json::to_string(&cut).unwrap()).unwrap(), cut);
    }

    #[test]
    fn a_rate_of_zero_is_refused() {
        let text = serde_json::to_string(&Sidecar { rate: Rate(0), ..sidecar() }).unwrap();
        assert!(matches!(read_text(&text), Err(SidecarError::Rate { .. })));
    }
}
