//! What stands before the samples of a WAV file (RIFF, Multimedia Programming Interface and Data Specifications 1.0;
//! `WAVE_FORMAT_EXTENSIBLE` and `RF64` as in EBU Tech 3306).

use std::fmt;
use std::io::{self, Read};

use jiho_analysis::units::Rate;

use super::reader::ReadFault;

const TAG_PCM: u16 = 0x0001;
const TAG_FLOAT: u16 = 0x0003;
const TAG_EXTENSIBLE: u16 = 0xFFFE;
/// The length that stands for "see elsewhere" (RF64) or "not known" (pipes).
const UNKNOWN: u32 = u32::MAX;

/// How a sample is stored, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    U8,
    I16,
    I24,
    I32,
    F32,
}

impl Encoding {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
        }
    }
}

/// How a file's data is not what its header says. What is there is read all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// The header promises more samples than there are: the file was cut, or its recorder crashed.
    Short {
        /// Samples per channel, by the header.
        promised: u64,
        /// Samples per channel that are there.
        found: u64,
    },
    /// The header does not say how many there are: it was written into a pipe, or its recorder crashed.
    NoLength {
        /// Samples per channel that are there.
        found: u64,
    },
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { promised, found } => {
                write!(f, "its header promises {promised} samples per channel, {found} are there and were read")
            }
            Self::NoLength { found } => {
                write!(f, "its header does not say how long it is; {found} samples per channel were read")
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) rate: Rate,
    pub(super) channels: usize,
    pub(super) encoding: Encoding,
    pub(super) data_start: u64,
    pub(super) length: Length,
}

/// How many samples per channel there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// In a file that is complete.
    Found { frames: u64, truncated: Option<Truncated> },
    /// In a stream, whose end nobody has seen, by its header.
    Promised(Option<u64>),
}

#[derive(Clone, Copy)]
struct Format {
    rate: Rate,
    channels: u16,
    encoding: Encoding,
}

impl Format {
    fn frame_bytes(&self) -> u64 {
        u64::from(self.channels) * self.encoding.bytes() as u64
    }
}

impl Header {
    pub(super) fn frame_bytes(&self) -> usize {
        self.channels * self.encoding.bytes()
    }

    /// Reads up to the first sample, from the first byte on; `file_len` is in bytes, if there is an end.
    pub(super) fn read(source: &mut impl Read, file_len: Option<u64>) -> Result<Self, ReadFault> {
        let mut riff = [0; 12];
        let read = read_up_to(source, &mut riff)?;
        if read == 0 {
            return Err(ReadFault::Empty);
        }
        let is_wave = |len: usize| read >= len && (&riff[..4] == b"RIFF" || &riff[..4] == b"RF64");
        if !is_wave(4) || (is_wave(12) && &riff[8..] != b"WAVE") {
            return Err(ReadFault::NotWav { looks_like: looks_like(&riff[..read]) });
        }
        if !is_wave(12) {
            return Err(ReadFault::HeaderCutOff);
        }
        let riff_len = le_u32(&riff[4..]);

        let mut format = None;
        let mut long_data_len = None;
        let mut at = riff.len() as u64;
        loop {
            let mut chunk = [0; 8];
            if read_up_to(source, &mut chunk)? < chunk.len() {
                return Err(ReadFault::HeaderCutOff);
            }
            at += chunk.len() as u64;
            let len = le_u32(&chunk[4..]);
            // Chunks are padded to an even length.
            let padded = u64::from(len) + u64::from(len % 2);
            let mut content = source.take(padded);
            match &chunk[..4] {
                b"fmt " => format = Some(read_format(&mut content, len)?),
                b"ds64" => {
                    let mut sizes = [0; 16];
                    read_all(&mut content, &mut sizes)?;
                    long_data_len = Some(le_u64(&sizes[8..]));
                }
                b"data" => {
                    let format = format.ok_or(ReadFault::Damaged("its `data` chunk comes before its `fmt ` chunk"))?;
                    // A recorder that never came back to its header leaves both lengths at zero.
                    let unfinished = len == 0 && u64::from(riff_len) < at;
                    let promised = match long_data_len {
                        Some(long) if len == UNKNOWN => Some(long),
                        _ if len == UNKNOWN || unfinished => None,
                        _ => Some(u64::from(len)),
                    };
                    let available = file_len.map(|len| len.saturating_sub(at));
                    return Ok(Self::new(format, at, promised, available));
                }
                _ if !chunk[..4].iter().all(|byte| (b' '..=b'~').contains(byte)) => {
                    return Err(ReadFault::Damaged("one of its chunks has no name"));
                }
                _ => {}
            }
            io::copy(&mut content, &mut io::sink())?;
            at += padded;
        }
    }

    fn new(format: Format, data_start: u64, promised: Option<u64>, available: Option<u64>) -> Self {
        let frames = |bytes: u64| bytes / format.frame_bytes();
        let length = match available {
            None => Length::Promised(promised.map(frames)),
            Some(available) => {
                let found = frames(promised.unwrap_or(available).min(available));
                let truncated = match promised {
                    None => Some(Truncated::NoLength { found }),
                    Some(promised) if promised > available => {
                        Some(Truncated::Short { promised: frames(promised), found })
                    }
                    Some(_) => None,
                };
                Length::Found { frames: found, truncated }
            }
        };
        Self {
            rate: format.rate,
            channels: usize::from(format.channels),
            encoding: format.encoding,
            data_start,
            length,
        }
    }
}

fn read_format(source: &mut impl Read, len: u32) -> Result<Format, ReadFault> {
    if len < 16 {
        return Err(ReadFault::Damaged("its `fmt ` chunk is too short"));
    }
    let mut bytes = [0; 40];
    let bytes = &mut bytes[..(len as usize).min(40)];
    read_all(source, bytes)?;
    let mut tag = le_u16(&bytes[0..]);
    let (channels, rate) = (le_u16(&bytes[2..]), le_u32(&bytes[4..]));
    let (frame_bytes, bits) = (le_u16(&bytes[12..]), le_u16(&bytes[14..]));
    if tag == TAG_EXTENSIBLE {
        // The first two bytes of the sub-format's GUID are the tag of old.
        tag = match bytes.get(24..26) {
            Some(sub_format) => le_u16(sub_format),
            None => return Err(ReadFault::Damaged("its extended `fmt ` chunk is too short")),
        };
    }
    if !matches!(tag, TAG_PCM | TAG_FLOAT) {
        return Err(ReadFault::Unsupported { encoding: name_of(tag) });
    }
    if channels == 0 {
        return Err(ReadFault::Damaged("it claims to have no channels"));
    }
    if rate == 0 {
        return Err(ReadFault::Damaged("it claims a sampling rate of 0 Hz"));
    }
    if frame_bytes == 0 || frame_bytes % channels != 0 {
        return Err(ReadFault::Damaged("its frames are not a whole number of samples"));
    }
    // Fewer bits than fit stand in the upper ones: the container tells how to read them.
    let container = frame_bytes / channels;
    if bits == 0 || bits > container.saturating_mul(8) {
        return Err(ReadFault::Damaged("its samples do not fit into its frames"));
    }
    let encoding = match (tag, container) {
        (TAG_PCM, 1) => Encoding::U8,
        (TAG_PCM, 2) => Encoding::I16,
        (TAG_PCM, 3) => Encoding::I24,
        (TAG_PCM, 4) => Encoding::I32,
        (TAG_FLOAT, 4) => Encoding::F32,
        (TAG_FLOAT, _) => return Err(ReadFault::Unsupported { encoding: format!("{bits}-bit float") }),
        _ => return Err(ReadFault::Unsupported { encoding: format!("{bits}-bit integer") }),
    };
    Ok(Format { rate: Rate(rate), channels, encoding })
}

/// The format tags that one meets (RFC 2361, appendix A).
fn name_of(tag: u16) -> String {
    match tag {
        0x0002 | 0x0011 => "ADPCM".to_owned(),
        0x0006 => "A-law".to_owned(),
        0x0007 => "µ-law".to_owned(),
        0x0050 | 0x0055 => "MPEG audio".to_owned(),
        0x0031 => "GSM".to_owned(),
        _ => format!("format 0x{tag:04x}"),
    }
}

/// What a file that is no WAV may be, by its first bytes.
fn looks_like(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 10] = [
        (b"OggS", "an Ogg file"),
        (b"fLaC", "a FLAC file"),
        (b"ID3", "an MP3 file"),
        (b"FORM", "an AIFF file"),
        (b"caff", "a CAF file"),
        (b"riff", "a Wave64 file"),
        (b"RIFX", "a big-endian WAV file"),
        (b"#!AMR", "an AMR file"),
        (b"\x1A\x45\xDF\xA3", "a Matroska or WebM file"),
        (b"\x30\x26\xB2\x75", "a WMA file"),
    ];
    match start {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an MP4 or M4A file"),
        // ISO/IEC 13818-3, 2.4.1.3: eleven bits of synchronisation, then the version and the layer, which AAC has none of.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some("an AAC file"),
        [0xFF, second, ..] if second & 0xE6 != 0xE0 && second & 0xE0 == 0xE0 => Some("an MP3 file"),
        _ => KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| *name),
    }
}

fn read_all(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), ReadFault> {
    if read_up_to(source, buffer)? < buffer.len() {
        return Err(ReadFault::HeaderCutOff);
    }
    Ok(())
}

/// Fills the buffer, or as much of it as there is.
fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match source.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn le_u16(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[0], bytes[1]])
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn le_u64(bytes: &[u8]) -> u64 {
    u64::from(le_u32(bytes)) | u64::from(le_u32(&bytes[4..])) << 32
}
