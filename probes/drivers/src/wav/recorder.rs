//! Writing 16-bit mono WAV so that a crash costs less than a second.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use jiho_analysis::units::Rate;

/// The header is brought up to date this often per second of sound: what lies behind it is lost with a crash.
const CHECKPOINTS_PER_SECOND: u32 = 4;
/// A WAV file's lengths have 32 bits; some room is left for the header.
const MAX_SAMPLES: u64 = (u32::MAX as u64 - 1024) / 2;
/// Full scale of 16 bits, the inverse of what [`read`](super::read) applies.
const FULL_SCALE: f32 = 32_768.0;

/// A recording could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be made.
    #[error("{}: cannot be created: {source}; check that the folder exists and may be written to", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room.
    #[error("{}: the disk is full; {kept_seconds:.1} s were kept; make room, or record elsewhere", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// How much of the recording can be read.
        kept_seconds: f64,
    },
    /// WAV ends at 4 GiB.
    #[error(
        "{}: a WAV file ends at 4 GiB; {kept_seconds:.1} s were kept; make runs shorter than {} hours",
        path.display(),
        (kept_seconds / 3600.0).floor()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How much of the recording can be read.
        kept_seconds: f64,
    },
    /// Something else.
    #[error("{}: cannot be written: {source}; {kept_seconds:.1} s were kept", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// How much of the recording can be read.
        kept_seconds: f64,
    },
}

/// What a finished recording holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Samples in the file.
    pub samples: u64,
    /// How many of them were beyond full scale and were cut to it.
    pub clipped: u64,
}

/// Writes a recording.
pub struct Recorder {
    path: PathBuf,
    rate: Rate,
    writer: WavWriter<BufWriter<File>>,
    so_far: Recorded,
    kept: u64,
}

impl Recorder {
    /// Makes the file, in place of one of the same name.
    pub fn create(path: &Path, rate: Rate) -> Result<Self, RecordError> {
        let failed = |source| match source {
            source if is_full(&source) => RecordError::DiskFull { path: path.to_owned(), kept_seconds: 0.0 },
            source => RecordError::Create { path: path.to_owned(), source },
        };
        if rate.0 == 0 || rate.0 > u32::MAX / 2 {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "no such sampling rate")));
        }
        let spec = WavSpec { channels: 1, sample_rate: rate.0, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let mut writer = WavWriter::new(file, spec).map_err(|error| failed(into_io(error)))?;
        writer.flush().map_err(|error| failed(into_io(error)))?;
        Ok(Self { path: path.to_owned(), rate, writer, so_far: Recorded { samples: 0, clipped: 0 }, kept: 0 })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has been written so far.
    pub fn so_far(&self) -> Recorded {
        self.so_far
    }

    /// Adds samples, −1 to 1; what is beyond is cut and counted.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), RecordError> {
        for &sample in samples {
            if self.so_far.samples >= MAX_SAMPLES {
                self.checkpoint()?;
                return Err(RecordError::TooLong { path: self.path.clone(), kept_seconds: self.kept_seconds() });
            }
            let clips = !(-1.0..=1.0).contains(&sample);
            // The conversion cuts to the range of 16 bits and makes silence of what is not a number.
            let written = self.writer.write_sample((sample * FULL_SCALE).round() as i16);
            written.map_err(|error| self.failed(error))?;
            self.so_far.samples += 1;
            self.so_far.clipped += u64::from(clips);
        }
        if self.so_far.samples - self.kept >= u64::from(self.rate.0 / CHECKPOINTS_PER_SECOND) {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Brings the header up to date and hands everything to the system: from here on a crash of ours loses nothing
    /// of it.
    pub fn checkpoint(&mut self) -> Result<(), RecordError> {
        self.writer.flush().map_err(|error| self.failed(error))?;
        self.kept = self.so_far.samples;
        Ok(())
    }

    /// Completes the file.
    pub fn finish(mut self) -> Result<Recorded, RecordError> {
        self.checkpoint()?;
        Ok(self.so_far)
    }

    fn kept_seconds(&self) -> f64 {
        self.kept as f64 / self.rate.hz()
    }

    fn failed(&self, error: hound::Error) -> RecordError {
        let (path, kept_seconds) = (self.path.clone(), self.kept_seconds());
        match into_io(error) {
            source if is_full(&source) => RecordError::DiskFull { path, kept_seconds },
            source => RecordError::Write { path, source, kept_seconds },
        }
    }
}

fn into_io(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
