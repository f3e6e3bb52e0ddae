//! From samples to payloads and back: mono, 48 kHz, −1 to 1.
//!
//! # Codec delay
//!
//! An encoder that looks ahead makes what leaves a decoder lag what entered the encoder. Files carry that lag as
//! *pre-skip* (RFC 7845, section 4.2), and a player drops as many samples at the start. RTP carries no pre-skip
//! (RFC 7587): a receiver plays everything that its decoder gives, so the sample that a packet's timestamp names
//! sounds [`CodecConfig::delay`] samples after the frame's first decoded sample. It is part of the mouth-to-ear delay
//! and is measured with it; whoever wants the path alone subtracts it.
//!
//! The stated delay of Opus, 312 samples, is exact to 1 µs where the transform codes (CELT).
//! What passes the speech layer (SILK, and hybrid below 8 kHz) comes 43 µs, 2.1 samples, earlier: most of it is
//! libopus' decoder resampling to 48 kHz; FFmpeg's own decoder gives the same packets 6 µs early. The high-pass filter
//! that `Voip` puts first takes 3 to 5 µs more off a voice. [`Toc`] tells the modes apart.

mod l16;
mod opus;
mod toc;

use jiho_analysis::units::Rate;
use serde::{Deserialize, Serialize};

pub use self::opus::{OpusApplication, OpusConfig};
pub use self::toc::{Bandwidth, OpusMode, Toc};

/// The rate of all samples, and of the RTP clock of both codecs.
pub const RATE: Rate = Rate::OPUS;

/// The RTP payload type of Opus, by wide habit.
pub const OPUS_PAYLOAD_TYPE: u8 = 111;
/// What a speaker puts into one packet: 20 ms.
pub const FRAME_SAMPLES: usize = 960;

/// Which codec, and how it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CodecConfig {
    /// Opus (RFC 6716) in RTP as RFC 7587 has it.
    Opus(OpusConfig),
    /// Linear PCM of 16 bits (RFC 3551, section 4.5.11): exact to half a step of 2⁻¹⁵.
    L16,
}

impl Default for CodecConfig {
    fn default() -> Self {
        Self::Opus(OpusConfig::default())
    }
}

impl CodecConfig {
    /// The RTP payload type: 111 for Opus, by wide habit, and 96 for L16 at 48 kHz, which has no static one.
    pub const fn payload_type(&self) -> u8 {
        match self {
            Self::Opus(_) => OPUS_PAYLOAD_TYPE,
            Self::L16 => 96,
        }
    }

    /// How many samples a decoder's output lags the encoder's input, as the encoder states it. See the module's
    /// documentation for why a receiver hears it.
    ///
    /// Opus: 2.5 ms of overlap, and 4 ms more unless restricted to low delay (RFC 6716, section 2.1.4).
    pub const fn delay(&self) -> i64 {
        match self {
            Self::Opus(config) => config.delay(),
            Self::L16 => 0,
        }
    }

    /// Whether a payload says that its sender pauses: no more than a header (RFC 7587, section 3.1.3).
    pub const fn is_pause(&self, payload: &[u8]) -> bool {
        match self {
            Self::Opus(config) => config.dtx && payload.len() <= 2,
            Self::L16 => false,
        }
    }

    /// Whether packets may carry what restores the frame before them.
    pub const fn has_fec(&self) -> bool {
        matches!(self, Self::Opus(OpusConfig { fec: true, .. }))
    }

    /// The codec as SDP's `rtpmap` names it. Opus is always announced with two channels (RFC 7587, section 7).
    pub const fn rtpmap(&self) -> &'static str {
        match self {
            Self::Opus(_) => "opus/48000/2",
            Self::L16 => "L16/48000/1",
        }
    }

    /// The codec's parameters as SDP's `fmtp` has them, if there are any.
    pub fn fmtp(&self) -> Option<String> {
        match self {
            Self::Opus(config) => Some(format!(
                "sprop-stereo=0;maxaveragebitrate={};cbr=1{}{}",
                config.bitrate_bps,
                if config.dtx { ";usedtx=1" } else { "" },
                if config.fec { ";useinbandfec=1" } else { "" },
            )),
            Self::L16 => None,
        }
    }
}

/// Why the codec refused.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// libopus did.
    #[error("Opus: {0}")]
    Opus(#[from] ::opus::Error),
    /// The encoder cannot be set like this.
    #[error("Opus cannot code speech at {0} b/s: choose 6000 to 510000")]
    Bitrate(u32),
    /// A payload without any content, or with half a sample at its end.
    #[error("a payload of {0} bytes holds no whole number of samples")]
    Length(usize),
}

/// The version of the Opus library, as it names itself.
pub fn library_version() -> &'static str {
    ::opus::version()
}

/// Makes payloads of one stream.
#[derive(Debug)]
pub struct Encoder(EncoderKind);

#[derive(Debug)]
enum EncoderKind {
    Opus(opus::Encoder),
    L16,
}

impl Encoder {
    /// Errors if the codec cannot be set like this.
    pub fn new(config: &CodecConfig) -> Result<Self, CodecError> {
        Ok(Self(match config {
            CodecConfig::Opus(config) => EncoderKind::Opus(opus::Encoder::new(config)?),
            CodecConfig::L16 => EncoderKind::L16,
        }))
    }

    /// Replaces `payload` with one frame, coded. Opus takes frames of 2.5, 5, 10, 20, 40 or 60 ms, L16 any.
    pub fn encode(&mut self, frame: &[f32], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        match &mut self.0 {
            EncoderKind::Opus(encoder) => encoder.encode(frame, payload),
            EncoderKind::L16 => {
                l16::encode(frame, payload);
                Ok(())
            }
        }
    }

    /// How many samples a decoder's output will lag, asked of the encoder itself.
    pub fn lookahead(&mut self) -> Result<i64, CodecError> {
        match &mut self.0 {
            EncoderKind::Opus(encoder) => encoder.lookahead(),
            EncoderKind::L16 => Ok(0),
        }
    }

    /// The byte of a payload that names Opus' coding mode (RFC 6716, section 3.1).
    pub fn toc(&self, payload: &[u8]) -> Option<u8> {
        match self.0 {
            EncoderKind::Opus(_) => payload.first().copied(),
            EncoderKind::L16 => None,
        }
    }
}

/// Makes samples from the payloads of one stream.
#[derive(Debug)]
pub struct Decoder(DecoderKind);

#[derive(Debug)]
enum DecoderKind {
    Opus(opus::Decoder),
    L16,
}

impl Decoder {
    /// Errors if there is no memory for it.
    pub fn new(config: &CodecConfig) -> Result<Self, CodecError> {
        Ok(Self(match config {
            CodecConfig::Opus(_) => DecoderKind::Opus(opus::Decoder::new()?),
            CodecConfig::L16 => DecoderKind::L16,
        }))
    }

    /// Replaces `pcm` with what a payload holds: as many samples as its sender put in, at least one. Errors if it is
    /// not of this codec; `pcm` is then of no use.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut Vec<f32>) -> Result<(), CodecError> {
        match &mut self.0 {
            DecoderKind::Opus(decoder) => decoder.decode(payload, pcm),
            DecoderKind::L16 => l16::decode(payload, pcm),
        }
    }

    /// As [`Decoder::conceal`], where the payload after the frame that did not come is there: restored from Opus'
    /// in-band forward error correction (RFC 6716, section 2.1.7), and concealed where the payload carries none.
    pub fn restore(&mut self, next_payload: &[u8], samples: usize, pcm: &mut Vec<f32>) {
        let restored = match &mut self.0 {
            DecoderKind::Opus(decoder) => decoder.restore(next_payload, samples, pcm).is_ok(),
            DecoderKind::L16 => false,
        };
        if !restored {
            self.conceal(samples, pcm);
        }
    }

    /// Replaces `pcm` with `samples` samples in place of a frame that did not come: Opus' packet loss concealment
    /// (RFC 6716, section 4.4), for L16 silence.
    pub fn conceal(&mut self, samples: usize, pcm: &mut Vec<f32>) {
        match &mut self.0 {
            DecoderKind::Opus(decoder) => decoder.conceal(samples, pcm),
            DecoderKind::L16 => {
                pcm.clear();
                pcm.resize(samples, 0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// White noise, −0.25 to 0.25, by a linear congruential generator.
    fn noise(samples: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        (0..samples).map(|_| (draw() - 0.5) * 0.5).collect()
    }

    fn through(config: CodecConfig, sound: &[f32]) -> Vec<f32> {
        let (mut encoder, mut decoder) = (Encoder::new(&config).unwrap(), Decoder::new(&config).unwrap());
        let (mut payload, mut pcm, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for frame in sound.chunks_exact(FRAME_SAMPLES) {
            encoder.encode(frame, &mut payload).unwrap();
            decoder.decode(&payload, &mut pcm).unwrap();
            out.extend_from_slice(&pcm);
        }
        out
    }

    /// The lag at which `output` is most like `input`, by correlation sample by sample.
    fn lag(input: &[f32], output: &[f32]) -> i64 {
        let likeness = |lag: usize| -> f32 { input.iter().zip(&output[lag..]).map(|(a, b)| a * b).sum() };
        (0..1000).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap() as i64
    }

    fn opus(application: OpusApplication) -> CodecConfig {
        CodecConfig::Opus(OpusConfig { application, ..OpusConfig::default() })
    }

    const APPLICATIONS: [OpusApplication; 3] =
        [OpusApplication::Voip, OpusApplication::Audio, OpusApplication::LowDelay];

    #[test]
    fn opus_makes_80_bytes_of_every_frame_at_32_kbps() {
        let mut encoder = Encoder::new(&CodecConfig::default()).unwrap();
        let mut payload = Vec::new();
        for frame in [noise(9600), vec![0.0; 9600]].concat().chunks_exact(FRAME_SAMPLES) {
            encoder.encode(frame, &mut payload).unwrap();
            assert_eq!(payload.len(), 80);
            assert_eq!(encoder.toc(&payload), Some(payload[0]));
        }
    }

    #[test]
    fn the_stated_delay_is_what_the_encoder_says() {
        for config in APPLICATIONS.map(opus).into_iter().chain([CodecConfig::L16]) {
            assert_eq!(config.delay(), Encoder::new(&config).unwrap().lookahead().unwrap(), "{config:?}");
        }
    }

    #[test]
    fn a_burst_of_noise_leaves_the_decoder_late_by_the_delay() {
        let mut sound = vec![0.0; 24_000];
        sound[9_700..14_500].copy_from_slice(&noise(4_800));
        for config in APPLICATIONS.map(opus) {
            let lag = lag(&sound[..20_000], &through(config, &sound));
            assert!((lag - config.delay()).abs() <= 3, "{config:?}: {lag} samples");
        }
        assert_eq!(lag(&sound[..20_000], &through(CodecConfig::L16, &sound)), 0);
    }

    #[test]
    fn l16_is_exact_to_half_a_step_and_clips_what_is_too_loud() {
        let sound = noise(960);
        for (was, is) in sound.iter().zip(through(CodecConfig::L16, &sound)) {
            assert!((was - is).abs() <= 0.5 / 32_768.0, "{was} became {is}");
        }
        let loud = through(CodecConfig::L16, &[[1.0f32, -1.0, 7.0, -7.0]; 240].concat());
        assert_eq!(loud[..4], [32_767.0 / 32_768.0, -1.0, 32_767.0 / 32_768.0, -1.0]);
    }

    #[test]
    fn l16_is_big_endian() {
        let mut payload = Vec::new();
        Encoder::new(&CodecConfig::L16).unwrap().encode(&[0.5, -1.0 / 32_768.0], &mut payload).unwrap();
        assert_eq!(payload, [0x40, 0x00, 0xff, 0xff]);
    }

    #[test]
    fn concealment_lasts_as_long_as_asked() {
        for config in [CodecConfig::default(), CodecConfig::L16] {
            let mut decoder = Decoder::new(&config).unwrap();
            let mut pcm = Vec::new();
            for samples in [1, 119, 120, 960, 961, 2880, 5760, 20_000] {
                decoder.conceal(samples, &mut pcm);
                assert_eq!(pcm.len(), samples, "{config:?}");
            }
        }
    }

    #[test]
    fn opus_concealment_goes_on_with_the_sound() {
        let sound: Vec<f32> = (0..9600).map(|n| 0.3 * (n as f32 * 0.0288).sin()).collect();
        let config = CodecConfig::default();
        let (mut encoder, mut decoder) = (Encoder::new(&config).unwrap(), Decoder::new(&config).unwrap());
        let (mut payload, mut pcm) = (Vec::new(), Vec::new());
        for frame in sound.chunks_exact(FRAME_SAMPLES) {
            encoder.encode(frame, &mut payload).unwrap();
            decoder.decode(&payload, &mut pcm).unwrap();
        }
        decoder.conceal(FRAME_SAMPLES, &mut pcm);
        let power = pcm.iter().map(|x| x * x).sum::<f32>() / FRAME_SAMPLES as f32;
        assert!(power > 0.1 * 0.045, "the concealed frame is nearly silent: power {power}");
    }

    #[test]
    fn a_pause_needs_no_payloads_with_discontinuous_transmission() {
        let codec = CodecConfig::Opus(OpusConfig { dtx: true, ..OpusConfig::default() });
        let mut encoder = Encoder::new(&codec).unwrap();
        let mut payload = Vec::new();
        let frames = [noise(9600), vec![0.0; 48_000]].concat();
        let pauses: Vec<bool> = frames
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| encoder.encode(frame, &mut payload).map(|()| codec.is_pause(&payload)).unwrap())
            .collect();
        assert!(pauses[..10].iter().all(|pause| !pause), "sound is no pause: {pauses:?}");
        assert!(pauses[30..].iter().filter(|&&pause| pause).count() > 20, "silence is: {pauses:?}");
        assert!(codec.fmtp().unwrap().ends_with(";usedtx=1"));
    }

    #[test]
    fn a_lost_frame_is_restored_from_the_next_payload_better_than_it_is_concealed() {
        // A voice: harmonics of a pitch that glides, so that going on as before is not good enough.
        let sound: Vec<f32> = (0..48_000)
            .map(|n| {
                let seconds = n as f32 / 48_000.0;
                let cycles = 120.0 * seconds + 60.0 * (2.0 * seconds).sin();
                (1..20).map(|h| 0.04 * (std::f32::consts::TAU * h as f32 * cycles).sin()).sum()
            })
            .collect();
        let codec = CodecConfig::Opus(OpusConfig { fec: true, bitrate_bps: 24_000, ..OpusConfig::default() });
        let mut encoder = Encoder::new(&codec).unwrap();
        let payloads: Vec<Vec<u8>> = sound
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload).map(|()| payload).unwrap()
            })
            .collect();
        let error = |restore: bool| -> f32 {
            let (mut whole, mut lossy) = (Decoder::new(&codec).unwrap(), Decoder::new(&codec).unwrap());
            let (mut expected, mut pcm, mut sum) = (Vec::new(), Vec::new(), 0.0);
            for (n, payload) in payloads.iter().enumerate() {
                whole.decode(payload, &mut expected).unwrap();
                match payloads.get(n + 1) {
                    Some(next) if n % 7 == 6 && restore => lossy.restore(next, FRAME_SAMPLES, &mut pcm),
                    Some(_) if n % 7 == 6 => lossy.conceal(FRAME_SAMPLES, &mut pcm),
                    _ => lossy.decode(payload, &mut pcm).unwrap(),
                }
                assert_eq!(pcm.len(), FRAME_SAMPLES);
                sum += expected.iter().zip(&pcm).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            }
            sum
        };
        let (restored, concealed) = (error(true), error(false));
        assert!(restored < 0.6 * concealed, "{restored} against {concealed}");
        assert!(codec.fmtp().unwrap().ends_with(";useinbandfec=1"));
    }

    #[test]
    fn a_bit_rate_out_of_range_is_refused_with_the_range() {
        let config = CodecConfig::Opus(OpusConfig { bitrate_bps: 1, ..OpusConfig::default() });
        assert!(Encoder::new(&config).unwrap_err().to_string().contains("6000 to 510000"));
    }

    #[test]
    fn payloads_without_content_are_refused() {
        for config in [CodecConfig::default(), CodecConfig::L16] {
            assert!(Decoder::new(&config).unwrap().decode(&[], &mut Vec::new()).is_err(), "{config:?}");
        }
        assert!(Decoder::new(&CodecConfig::L16).unwrap().decode(&[1, 2, 3], &mut Vec::new()).is_err());
    }

    #[test]
    fn settings_left_out_have_defaults_and_unknown_ones_are_refused() {
        let config: CodecConfig = serde_json::from_str(r#"{"opus":{"application":"low_delay"}}"#).unwrap();
        assert_eq!(config, opus(OpusApplication::LowDelay));
        assert!(serde_json::from_str::<CodecConfig>(r#"{"opus":{"bitrate":1}}"#).is_err());
    }

    proptest! {
        #[test]
        fn no_payload_makes_a_decoder_panic(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        ) {
            for config in [CodecConfig::default(), CodecConfig::L16] {
                let mut decoder = Decoder::new(&config).unwrap();
                let mut pcm = Vec::new();
                for payload in &payloads {
                    if decoder.decode(payload, &mut pcm).is_ok() {
                        prop_assert!(!pcm.is_empty());
                    }
                }
            }
        }
    }
}
