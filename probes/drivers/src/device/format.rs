//! Sample formats: every one that cpal knows as numbers.

use cpal::SampleFormat;

/// Runs `$body` with the type of a [`SampleFormat`] as `$type`; formats of single bits, which hold no numbers, run
/// `$other`.
macro_rules! with_format {
    ($format:expr, $type:ident => $body:expr, else $other:expr) => {
        match $format {
            cpal::SampleFormat::I8 => {
                type $type = i8;
                $body
            }
            cpal::SampleFormat::I16 => {
                type $type = i16;
                $body
            }
            cpal::SampleFormat::I24 => {
                type $type = cpal::I24;
                $body
            }
            cpal::SampleFormat::I32 => {
                type $type = i32;
                $body
            }
            cpal::SampleFormat::I64 => {
                type $type = i64;
                $body
            }
            cpal::SampleFormat::U8 => {
                type $type = u8;
                $body
            }
            cpal::SampleFormat::U16 => {
                type $type = u16;
                $body
            }
            cpal::SampleFormat::U24 => {
                type $type = cpal::U24;
                $body
            }
            cpal::SampleFormat::U32 => {
                type $type = u32;
                $body
            }
            cpal::SampleFormat::U64 => {
                type $type = u64;
                $body
            }
            cpal::SampleFormat::F32 => {
                type $type = f32;
                $body
            }
            cpal::SampleFormat::F64 => {
                type $type = f64;
                $body
            }
            _ => $other,
        }
    };
}

pub(super) use with_format;

/// The best come first: those that lose nothing of 24 bits, then the rest by how much they keep.
const BY_PREFERENCE: [SampleFormat; 12] = [
    SampleFormat::F32,
    SampleFormat::I32,
    SampleFormat::I24,
    SampleFormat::F64,
    SampleFormat::I64,
    SampleFormat::U32,
    SampleFormat::U24,
    SampleFormat::U64,
    SampleFormat::I16,
    SampleFormat::U16,
    SampleFormat::I8,
    SampleFormat::U8,
];

/// How good a format is: the lower, the better. `None`: it cannot be used.
pub(super) fn rank(format: SampleFormat) -> Option<usize> {
    BY_PREFERENCE.iter().position(|known| *known == format)
}
