//! What an Opus packet's first byte says of how the packet is coded (RFC 6716, section 3.1).

use jiho_analysis::units::Nanos;

/// The table-of-contents byte of an Opus packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc(pub u8);

/// Which of Opus' two layers code a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpusMode {
    /// Linear prediction alone: speech at low bit rates.
    Silk,
    /// Linear prediction up to 8 kHz, transform above.
    Hybrid,
    /// Transform alone.
    Celt,
}

/// The band of sound that a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bandwidth {
    /// To 4 kHz.
    Narrow,
    /// To 6 kHz.
    Medium,
    /// To 8 kHz.
    Wide,
    /// To 12 kHz.
    SuperWide,
    /// To 20 kHz.
    Full,
}

impl Toc {
    /// The configuration number, 0 to 31.
    pub const fn config(self) -> u8 {
        self.0 >> 3
    }

    /// Which layers code the packet.
    pub const fn mode(self) -> OpusMode {
        match self.config() {
            0..=11 => OpusMode::Silk,
            12..=15 => OpusMode::Hybrid,
            _ => OpusMode::Celt,
        }
    }

    /// Which band it carries.
    pub const fn bandwidth(self) -> Bandwidth {
        match self.config() {
            0..=3 | 16..=19 => Bandwidth::Narrow,
            4..=7 => Bandwidth::Medium,
            8..=11 | 20..=23 => Bandwidth::Wide,
            12..=13 | 24..=27 => Bandwidth::SuperWide,
            _ => Bandwidth::Full,
        }
    }

    /// How long each of its frames is.
    pub const fn frame(self) -> Nanos {
        let config = self.config();
        match (self.mode(), config % 4) {
            (OpusMode::Silk, 3) => Nanos::from_millis(60),
            (OpusMode::Silk, 2) => Nanos::from_millis(40),
            (OpusMode::Hybrid, _) => Nanos::from_millis(10 + 10 * (config % 2) as i64),
            (_, 0) if config < 12 => Nanos::from_millis(10),
            (_, 1) if config < 12 => Nanos::from_millis(20),
            (_, n) => Nanos::from_micros(2_500 << n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6716, table 2, line by line: first configuration, mode, band, frames in tenths of a millisecond.
    #[test]
    fn every_configuration_is_what_the_rfc_says() {
        const SILK: &[i64] = &[100, 200, 400, 600];
        const HYBRID: &[i64] = &[100, 200];
        const CELT: &[i64] = &[25, 50, 100, 200];
        let table = [
            (0, OpusMode::Silk, Bandwidth::Narrow, SILK),
            (4, OpusMode::Silk, Bandwidth::Medium, SILK),
            (8, OpusMode::Silk, Bandwidth::Wide, SILK),
            (12, OpusMode::Hybrid, Bandwidth::SuperWide, HYBRID),
            (14, OpusMode::Hybrid, Bandwidth::Full, HYBRID),
            (16, OpusMode::Celt, Bandwidth::Narrow, CELT),
            (20, OpusMode::Celt, Bandwidth::Wide, CELT),
            (24, OpusMode::Celt, Bandwidth::SuperWide, CELT),
            (28, OpusMode::Celt, Bandwidth::Full, CELT),
        ];
        let mut configs = 0;
        for (first, mode, bandwidth, frames) in table {
            for (n, &tenths) in (0u8..).zip(frames) {
                // Stereo and the count of frames are other bits.
                for rest in 0..8 {
                    let toc = Toc((first + n) << 3 | rest);
                    let frame = Nanos::from_micros(100 * tenths);
                    assert_eq!((toc.mode(), toc.bandwidth(), toc.frame()), (mode, bandwidth, frame), "{toc:?}");
                }
                configs += 1;
            }
        }
        assert_eq!(configs, 32);
    }
}
