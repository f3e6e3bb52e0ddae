//! Reading anybody's recordings: WAV with integers of 8, 16, 24 and 32 bits, floats of 32, at 8 to 384 kHz, up to 64 channels; from
//! files, and from what is still coming.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiho_analysis::units::Rate;

use super::decode::decode;
use super::header::{Encoding, Header, Length, Truncated};

/// Sampling rates that are read, in Hz: below them the time signals do not fit into the band.
const RATES: RangeInclusive<u32> = 8_000..=384_000;
/// More channels than any recorder has; what claims more is damaged or no recording.
const MOST_CHANNELS: usize = 64;
/// What is read at one go.
const BLOCK_BYTES: usize = 64 * 1024;

/// A file that could not be read, and why.
#[derive(Debug)]
pub struct ReadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: ReadFault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The system does not give it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// It is something else.
    #[error("is not a WAV file{}", looks_like.map_or_else(String::new, |kind| format!(" but looks like {kind}")))]
    NotWav {
        /// What it seems to be.
        looks_like: Option<&'static str>,
    },
    /// It is of a kind that is read, but cannot be decoded.
    #[error("cannot be decoded: {why}")]
    NotDecoded {
        /// As the decoder says.
        why: String,
    },
    /// It ends before its first sample.
    #[error("ends within its header")]
    HeaderCutOff,
    /// Its header contradicts itself.
    #[error("is damaged: {0}")]
    Damaged(&'static str),
    /// Its samples are stored in a way that we do not read.
    #[error("holds {encoding} samples, which are not supported")]
    Unsupported {
        /// How they are stored.
        encoding: String,
    },
    /// Its sampling rate is out of bounds.
    #[error("has a sampling rate of {} Hz; from {} to {} Hz are read", .0.0, RATES.start(), RATES.end())]
    RateOutOfRange(Rate),
    /// It has more channels than are read.
    #[error("has {0} channels; up to {MOST_CHANNELS} are read")]
    TooManyChannels(usize),
    /// There is nothing in it.
    #[error("holds no samples")]
    NoSamples,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path}: {}", self.fault)?;
        match self.fault {
            ReadFault::Io(_) => Ok(()),
            ReadFault::NotWav { .. } | ReadFault::NotDecoded { .. } | ReadFault::Unsupported { .. } => {
                write!(
                    f,
                    "; convert it with: ffmpeg -i '{path}' -c:a pcm_s24le '{}'",
                    self.path.with_extension("pcm.wav").display()
                )
            }
            ReadFault::RateOutOfRange(_) => {
                write!(
                    f,
                    "; convert it with: ffmpeg -i '{path}' -ar 48000 '{}' (a recording below {} Hz lacks the time \
                     signals: make it again at 48000 Hz)",
                    self.path.with_extension("48k.wav").display(),
                    RATES.start()
                )
            }
            ReadFault::TooManyChannels(_) => {
                write!(
                    f,
                    "; take out the channel you want with: ffmpeg -i '{path}' -af 'pan=mono|c0=c0' '{}'",
                    self.path.with_extension("mono.wav").display()
                )
            }
            ReadFault::Empty | ReadFault::HeaderCutOff | ReadFault::Damaged(_) | ReadFault::NoSamples => {
                write!(f, "; record or copy it again")
            }
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            ReadFault::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// A whole recording in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Its sampling rate.
    pub rate: Rate,
    /// Its samples, −1 to 1, one list per channel.
    pub channels: Vec<Vec<f32>>,
    /// Set if the file's header does not tell the truth about its length.
    pub truncated: Option<Truncated>,
}

/// Reads a whole recording. For hours of it use [`Reader`].
pub fn read(path: &Path) -> Result<Recording, ReadError> {
    let mut reader = Reader::open(path)?;
    let mut recording =
        Recording { rate: reader.rate(), channels: vec![Vec::new(); reader.channels()], truncated: reader.truncated() };
    let mut block = Vec::new();
    while reader.next_block(&mut block)? > 0 {
        for (channel, samples) in recording.channels.iter_mut().zip(&block) {
            channel.extend_from_slice(samples);
        }
    }
    Ok(recording)
}

/// Reads a recording block by block.
#[derive(Debug)]
pub struct Reader<R> {
    path: PathBuf,
    source: R,
    header: Header,
    /// Frames; `None`: whatever comes.
    left: Option<u64>,
    bytes: Vec<u8>,
    /// How many of `bytes` are the beginning of a frame that is not complete.
    begun: usize,
}

impl Reader<BufReader<File>> {
    /// Opens a file. One that is no WAV is decoded first, which takes as much room in the folder for temporary files
    /// as it has samples.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let failed = |fault| ReadError { path: path.to_owned(), fault };
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        match Self::new(BufReader::new(file), path) {
            Err(ReadError { fault: ReadFault::NotWav { looks_like: Some(_) }, .. }) => {
                Self::new(decode(path).map_err(failed)?, path)
            }
            opened => opened,
        }
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Reads what is complete; `path` is what errors call it.
    pub fn new(mut source: R, path: &Path) -> Result<Self, ReadError> {
        let header = source
            .seek(SeekFrom::End(0))
            .and_then(|len| source.rewind().map(|()| len))
            .map_err(ReadFault::from)
            .and_then(|len| Header::read(&mut source, Some(len)));
        let left = |length| match length {
            Length::Found { frames, .. } => Some(frames),
            Length::Promised(frames) => frames,
        };
        Self::of(source, path, header, left)
    }

    /// Samples per channel in the whole file; at least one.
    pub fn frames(&self) -> u64 {
        match self.header.length {
            Length::Found { frames, .. } => frames,
            Length::Promised(frames) => frames.unwrap_or(0),
        }
    }

    /// Goes to a frame; what is next is read from there. Beyond the end there is nothing more.
    pub fn seek(&mut self, frame: u64) -> Result<(), ReadError> {
        let frame = frame.min(self.frames());
        let at = self.header.data_start + frame * self.header.frame_bytes() as u64;
        self.source.seek(SeekFrom::Start(at)).map_err(|error| self.failed(error))?;
        self.left = Some(self.frames() - frame);
        self.begun = 0;
        Ok(())
    }
}

impl<R: Read> Reader<R> {
    /// Reads what comes through a pipe, up to the length that its header promises, if any, or to its end. `name` is
    /// what errors call it.
    pub fn piped(mut source: R, name: &Path) -> Result<Self, ReadError> {
        let header = Header::read(&mut source, None);
        Self::of(source, name, header, |length| match length {
            // A writer that cannot go back leaves the length at nothing.
            Length::Promised(frames) => frames.filter(|&frames| frames > 0),
            Length::Found { frames, .. } => Some(frames),
        })
    }

    /// Reads what is still being written to its end, whatever its header promised at first; `path` is what errors call
    /// it.
    pub fn growing(mut source: R, path: &Path) -> Result<Self, ReadError> {
        let header = Header::read(&mut source, None);
        Self::of(source, path, header, |_| None)
    }

    fn of(
        source: R,
        path: &Path,
        header: Result<Header, ReadFault>,
        left: impl Fn(Length) -> Option<u64>,
    ) -> Result<Self, ReadError> {
        let checked = header.and_then(|header| match header {
            Header { rate, .. } if !RATES.contains(&rate.0) => Err(ReadFault::RateOutOfRange(rate)),
            Header { channels, .. } if channels > MOST_CHANNELS => Err(ReadFault::TooManyChannels(channels)),
            Header { length: Length::Found { frames: 0, .. }, .. } => Err(ReadFault::NoSamples),
            _ => Ok(header),
        });
        match checked {
            Ok(header) => Ok(Self {
                path: path.to_owned(),
                source,
                left: left(header.length),
                header,
                bytes: Vec::new(),
                begun: 0,
            }),
            Err(fault) => Err(ReadError { path: path.to_owned(), fault }),
        }
    }

    /// The sampling rate; 8 to 384 kHz.
    pub fn rate(&self) -> Rate {
        self.header.rate
    }

    /// How many channels there are; 1 to 64.
    pub fn channels(&self) -> usize {
        self.header.channels
    }

    /// Set if a complete file's header does not tell the truth about its length.
    pub fn truncated(&self) -> Option<Truncated> {
        match self.header.length {
            Length::Found { truncated, .. } => truncated,
            Length::Promised(_) => None,
        }
    }

    /// Gives the next samples, −1 to 1: one list per channel, all of the same length, in place of what was in
    /// `block`. Waits for as many as come at once, and returns their number; 0 at the end. What is not a number in the
    /// file is given as silence.
    pub fn next_block(&mut self, block: &mut Vec<Vec<f32>>) -> Result<usize, ReadError> {
        let frame_bytes = self.header.frame_bytes();
        let most = (BLOCK_BYTES / frame_bytes).max(1);
        let frames = self.left.map_or(most, |left| usize::try_from(left).unwrap_or(most).min(most));
        self.bytes.resize(frames * frame_bytes, 0);
        let mut filled = self.begun;
        while filled < frame_bytes.min(self.bytes.len()) {
            match self.source.read(&mut self.bytes[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        let whole = filled / frame_bytes * frame_bytes;
        let frames = whole / frame_bytes;
        let was_there = matches!(self.header.length, Length::Found { .. });
        if was_there && frames == 0 && self.left.is_some_and(|left| left > 0) {
            return Err(self.failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left = self.left.map(|left| left - frames as u64);

        block.resize_with(self.header.channels, Vec::new);
        block.iter_mut().for_each(Vec::clear);
        let (bytes, size) = (&self.bytes[..whole], self.header.encoding.bytes());
        match self.header.encoding {
            Encoding::U8 => deal(bytes, size, block, |s| (f32::from(s[0]) - 128.0) / 128.0),
            Encoding::I16 => deal(bytes, size, block, |s| f32::from(i16::from_le_bytes([s[0], s[1]])) / 32_768.0),
            Encoding::I24 => deal(bytes, size, block, |s| from_i32(i32::from_le_bytes([0, s[0], s[1], s[2]]))),
            Encoding::I32 => deal(bytes, size, block, |s| from_i32(i32::from_le_bytes([s[0], s[1], s[2], s[3]]))),
            Encoding::F32 => deal(bytes, size, block, |s| {
                let sample = f32::from_le_bytes([s[0], s[1], s[2], s[3]]);
                if sample.is_finite() { sample } else { 0.0 }
            }),
        }
        self.bytes.copy_within(whole..filled, 0);
        self.begun = filled - whole;
        Ok(frames)
    }

    fn failed(&self, error: io::Error) -> ReadError {
        ReadError { path: self.path.clone(), fault: error.into() }
    }
}

/// Deals interleaved samples out to their channels.
fn deal(bytes: &[u8], size: usize, channels: &mut [Vec<f32>], decode: impl Fn(&[u8]) -> f32) {
    for frame in bytes.chunks_exact(size * channels.len()) {
        for (channel, sample) in channels.iter_mut().zip(frame.chunks_exact(size)) {
            channel.push(decode(sample));
        }
    }
}

fn from_i32(sample: i32) -> f32 {
    (f64::from(sample) / 2_147_483_648.0) as f32
}
