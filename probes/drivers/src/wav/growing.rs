//! A file that somebody is still writing.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How often the file is looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Reads a file as it grows: at its end it waits for more, until it is known or believed to be complete.
#[derive(Debug)]
pub struct Growing<E> {
    file: File,
    patience: Duration,
    grew: Instant,
    is_complete: E,
}

impl<E: FnMut() -> bool> Growing<E> {
    /// Opens a file. It ends where nothing more has come for `patience`, or once `is_complete` says so; that is asked
    /// before each look, so that nothing written before it is lost.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(path: &Path, patience: Duration, is_complete: E) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, patience, grew: Instant::now(), is_complete })
    }
}

impl<E: FnMut() -> bool> Read for Growing<E> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let is_complete = (self.is_complete)();
            let read = self.file.read(bytes)?;
            if read > 0 {
                self.grew = Instant::now();
            }
            if read > 0 || is_complete || bytes.is_empty() || self.grew.elapsed() >= self.patience {
                return Ok(read);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}
