//! From a file, or from sound that is still coming, to detections: block by block, all channels at once.

use std::io::Read;
use std::path::Path;

use jiho_analysis::hear::{Detection, Hearing};
use jiho_analysis::signal::{Code, Family};
use jiho_analysis::units::Rate;
use jiho_drivers::wav::{ReadError, Reader};
use rayon::prelude::*;

/// One channel of a recording, heard.
#[derive(Debug)]
pub struct ChannelHeard {
    /// All that may be time signals, in order of time.
    pub detections: Vec<Detection>,
    /// The recording's rate.
    pub clock_rate: Rate,
    /// The recording's length.
    pub samples: i64,
    /// The highest sample, 0 to 1.
    pub peak: f32,
    /// What the file promised and does not hold.
    pub truncated: Option<String>,
}

/// Hears all channels of a file; at least one. `progress` is told how many more seconds of sound have been heard, the
/// channels counted one by one.
///
/// # Errors
/// The file cannot be read.
pub fn hear_file(
    path: &Path,
    family: Family,
    codes: &[Code],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<ChannelHeard>, ReadError> {
    let mut reader = Reader::open(path)?;
    let (hz, channels) = (reader.rate().hz(), reader.channels());
    hear(&mut reader, family, codes, &mut |block| progress((block.frames * channels) as f64 / hz))
}

/// What a block of sound brought.
#[derive(Debug)]
pub struct BlockHeard {
    /// Samples per channel.
    pub frames: usize,
    /// Per channel: the highest sample, 0 to 1.
    pub peaks: Vec<f32>,
    /// Per channel: what is complete with it.
    pub detections: Vec<Vec<Detection>>,
}

/// Hears all channels to the end of their sound, however long it takes to come; `heard` is told of each block, and of
/// what was left at the end. Memory grows with what is detected, by about 100 bytes each, and with nothing else.
///
/// # Errors
/// The sound cannot be read.
pub fn hear(
    reader: &mut Reader<impl Read>,
    family: Family,
    codes: &[Code],
    heard: &mut dyn FnMut(&BlockHeard),
) -> Result<Vec<ChannelHeard>, ReadError> {
    let rate = reader.rate();
    // All members of a family without codes sound alike: one is enough.
    let codes = if family.is_coded() { codes } else { &codes[..codes.len().min(1)] };
    let mut channels: Vec<Channel> = (0..reader.channels())
        .map(|_| {
            let hearing = (!codes.is_empty()).then(|| Hearing::new(rate, family, codes));
            Channel { hearing, detections: Vec::new(), peak: 0.0 }
        })
        .collect();
    let mut samples = 0;
    let mut block: Vec<Vec<f32>> = Vec::new();
    loop {
        let frames = reader.next_block(&mut block)?;
        if frames == 0 {
            break;
        }
        samples += frames as i64;
        let detections = channels.par_iter_mut().zip(&block).map(|(channel, samples)| channel.push(samples)).collect();
        let peaks = block.iter().map(|samples| peak(samples)).collect();
        heard(&BlockHeard { frames, peaks, detections });
    }
    let truncated = reader.truncated().map(|truncated| truncated.to_string());
    let (channels, rest): (Vec<ChannelHeard>, Vec<Vec<Detection>>) =
        channels.into_par_iter().map(|channel| channel.finish(rate, samples, truncated.clone())).unzip();
    heard(&BlockHeard { frames: 0, peaks: vec![0.0; rest.len()], detections: rest });
    Ok(channels)
}

struct Channel {
    /// `None`: nobody said anything, and nothing is looked for.
    hearing: Option<Hearing>,
    detections: Vec<Detection>,
    peak: f32,
}

impl Channel {
    fn push(&mut self, samples: &[f32]) -> Vec<Detection> {
        self.peak = self.peak.max(peak(samples));
        let detections = credible(self.hearing.as_mut().map(|hearing| hearing.push(samples)).unwrap_or_default());
        self.detections.extend_from_slice(&detections);
        detections
    }

    fn finish(mut self, clock_rate: Rate, samples: i64, truncated: Option<String>) -> (ChannelHeard, Vec<Detection>) {
        let rest = credible(self.hearing.map(|hearing| hearing.finish()).unwrap_or_default());
        self.detections.extend_from_slice(&rest);
        let heard = ChannelHeard { detections: self.detections, clock_rate, samples, peak: self.peak, truncated };
        (heard, rest)
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
}

fn credible(mut detections: Vec<Detection>) -> Vec<Detection> {
    detections.retain(Detection::is_credible);
    detections
}
