//! One ear's recording on disk: the sound and its description.

use std::path::{Path, PathBuf};

use jiho_analysis::units::MediaTime;

use crate::sidecar::{Cut, Discontinuity, Sidecar, SidecarError};
use crate::wav::{RecordError, Recorder};

/// Silence is written in pieces of this length.
const SILENCE: [f32; 480] = [0.0; 480];

/// Writes `ear-NAME.wav` and `ear-NAME.json`.
pub struct EarFile {
    recorder: Recorder,
    sidecar: Sidecar,
    sidecar_path: PathBuf,
}

/// An ear could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum EarFileError {
    /// The recorder's name cannot be part of a file's name.
    #[error("recorder {0:?}: the name becomes part of a file's name; use letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// Sound came for a place that has been written already.
    #[error("{}: samples from {first} on came again, {written} had been written", path.display())]
    Repeated {
        /// The recording.
        path: PathBuf,
        /// Where they should have gone.
        first: i64,
        /// How many there were.
        written: u64,
    },
    /// The recording failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The description failed.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
}

impl EarFile {
    /// Makes both files in `dir`, in place of any of the same name. The description is marked incomplete until
    /// [`finish`](Self::finish).
    pub fn open(dir: &Path, sidecar: Sidecar) -> Result<Self, EarFileError> {
        let name = &sidecar.recorder;
        if name.is_empty() || name.contains(['/', '\\', ':', '\0']) {
            return Err(EarFileError::Name(name.clone()));
        }
        // Not `with_extension`: a name may hold dots.
        let path = dir.join(format!("ear-{name}.wav"));
        let sidecar_path = Sidecar::path_beside(&path);
        let recorder = Recorder::create(&path, sidecar.rate)?;
        sidecar.write(&sidecar_path)?;
        Ok(Self { recorder, sidecar, sidecar_path })
    }

    /// The recording.
    pub fn path(&self) -> &Path {
        self.recorder.path()
    }

    /// Adds the samples from position `first` on. If some before them never came, silence takes their place and the
    /// description says so.
    pub fn write(&mut self, first: MediaTime, samples: &[f32]) -> Result<(), EarFileError> {
        let written = self.recorder.so_far().samples;
        let gap_samples = u64::try_from(first.0).ok().and_then(|first| first.checked_sub(written));
        let Some(gap_samples) = gap_samples else {
            return Err(EarFileError::Repeated { path: self.path().to_owned(), first: first.0, written });
        };
        if gap_samples > 0 {
            self.sidecar.discontinuities.push(Discontinuity { sample: written, gap_samples });
            let mut left = gap_samples;
            while left > 0 {
                let piece = left.min(SILENCE.len() as u64);
                self.recorder.write(&SILENCE[..piece as usize])?;
                left -= piece;
            }
        }
        Ok(self.recorder.write(samples)?)
    }

    /// Notes that samples before a position had no place in time, and were left out.
    pub fn cut(&mut self, at: MediaTime, cut_samples: u64) {
        self.sidecar.cuts.push(Cut { sample: u64::try_from(at.0).unwrap_or(0), cut_samples });
    }

    /// Completes both files and gives the description.
    pub fn finish(mut self) -> Result<Sidecar, EarFileError> {
        let recorded = self.recorder.finish()?;
        self.sidecar.samples = recorded.samples;
        self.sidecar.clipped = recorded.clipped;
        self.sidecar.complete = true;
        self.sidecar.write(&self.sidecar_path)?;
        Ok(self.sidecar)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::arrivals::Role;
    use jiho_analysis::units::{Rate, RunTime, SampleClock};

    use super::*;
    use crate::wav::read;

    fn sidecar(name: &str) -> Sidecar {
        Sidecar::new(name, Role::Listener, SampleClock::new(RunTime(7), Rate::OPUS), 0)
    }

    #[test]
    fn the_description_is_incomplete_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut ear = EarFile::open(folder.path(), sidecar("lena.2")).unwrap();
        let beside = folder.path().join("ear-lena.2.json");
        assert!(!Sidecar::read(&beside).unwrap().complete);
        ear.write(MediaTime(0), &[0.5, 2.0]).unwrap();
        let done = ear.finish().unwrap();
        assert_eq!(Sidecar::read(&beside).unwrap(), done);
        assert_eq!((done.samples, done.clipped, done.complete), (2, 1, true));
    }

    #[test]
    fn missing_samples_become_silence_and_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let mut ear = EarFile::open(folder.path(), sidecar("lena")).unwrap();
        ear.write(MediaTime(0), &[0.5; 10]).unwrap();
        ear.write(MediaTime(1000), &[0.25; 10]).unwrap();
        let path = ear.path().to_owned();
        let done = ear.finish().unwrap();
        assert_eq!(done.discontinuities, [Discontinuity { sample: 10, gap_samples: 990 }]);
        let sound = &read(&path).unwrap().channels[0];
        assert_eq!(sound.len(), 1010);
        assert!(sound[10..1000].iter().all(|&sample| sample == 0.0) && sound[1000] == 0.25);
    }

    #[test]
    fn samples_that_were_cut_are_noted_and_move_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut ear = EarFile::open(folder.path(), sidecar("lena")).unwrap();
        ear.write(MediaTime(0), &[0.5; 10]).unwrap();
        ear.cut(MediaTime(10), 7);
        ear.write(MediaTime(10), &[0.25; 10]).unwrap();
        let done = ear.finish().unwrap();
        assert_eq!((done.samples, done.discontinuities), (20, vec![]));
        assert_eq!(done.cuts, [Cut { sample: 10, cut_samples: 7 }]);
    }

    #[test]
    fn samples_that_come_again_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut ear = EarFile::open(folder.path(), sidecar("lena")).unwrap();
        ear.write(MediaTime(0), &[0.5; 10]).unwrap();
        let error = ear.write(MediaTime(9), &[0.5]).unwrap_err().to_string();
        assert!(error.contains("ear-lena.wav: samples from 9 on came again, 10 had been written"), "{error}");
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = EarFile::open(folder.path(), sidecar("../lena")).err().unwrap();
        assert!(matches!(error, EarFileError::Name(_)));
    }
}
