//! Pilots in a file: block by block, all channels at once.

use std::path::Path;

use jiho_analysis::signal::Code;
use jiho_analysis::track::{Tracked, Tracker};
use jiho_analysis::units::Rate;
use jiho_drivers::wav::{ReadError, Reader};
use rayon::prelude::*;

/// A recording that was tracked.
#[derive(Clone, Debug)]
pub struct FileTracked {
    /// Its rate.
    pub rate: Rate,
    /// Its length.
    pub samples: i64,
    /// How many channels it has.
    pub channels: usize,
    /// What the file promised and does not hold.
    pub truncated: Option<String>,
}

/// Tracks the pilots of some codes in the first channels of a file, at most so many; `told` is given what is new in a
/// channel, counted from 0, and `progress` how many more seconds of sound have been tracked, the channels counted one by
/// one.
///
/// # Errors
/// The file cannot be read.
pub fn track_file(
    path: &Path,
    codes: &[Code],
    channels: usize,
    told: &mut dyn FnMut(usize, Tracked),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<FileTracked, ReadError> {
    let mut reader = Reader::open(path)?;
    let rate = reader.rate();
    let channels = reader.channels().min(channels);
    let mut trackers: Vec<Tracker> = (0..channels).map(|_| Tracker::new(rate, codes)).collect();
    let mut samples = 0;
    let mut block: Vec<Vec<f32>> = Vec::new();
    loop {
        let frames = reader.next_block(&mut block)?;
        if frames == 0 {
            break;
        }
        samples += frames as i64;
        let new: Vec<Tracked> =
            trackers.par_iter_mut().zip(&block).map(|(tracker, samples)| tracker.push(samples)).collect();
        new.into_iter().enumerate().for_each(|(channel, new)| told(channel, new));
        progress((frames * channels) as f64 / rate.hz());
    }
    let rest: Vec<Tracked> = trackers.into_par_iter().map(Tracker::finish).collect();
    rest.into_iter().enumerate().for_each(|(channel, rest)| told(channel, rest));
    Ok(FileTracked { rate, samples, channels, truncated: reader.truncated().map(|truncated| truncated.to_string()) })
}
