//! What a codec's coding modes do to a beep's place: found by sending the run's own signals through the run's own
//! encoder, and hearing them as any recording is heard.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{CodecLag, UNKNOWN_CODEC_SD};
use jiho_analysis::hear::hear;
use jiho_analysis::signal::{Code, Emission, Family, Signal, Waveform};
use jiho_analysis::stats;
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_proto::codec::{
    Bandwidth, CodecConfig, CodecError, Decoder, Encoder, FRAME_SAMPLES, OpusApplication, OpusMode, Toc,
};
use serde::{Deserialize, Serialize};

/// How late each coding mode of a codec makes a beep against the codec's stated look-ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct CodecBias {
    modes: BTreeMap<(OpusMode, Bandwidth), CodecLag>,
    unknown: CodecLag,
}

/// How the packets that carry a beep are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeepCoding {
    /// All by linear prediction.
    Silk,
    /// All by both layers.
    Hybrid,
    /// All by the transform.
    Celt,
    /// Not all alike.
    Mixed,
}

impl BeepCoding {
    /// Of a beep's packets; `None` if there are none.
    pub fn of(packets: &[Toc]) -> Option<Self> {
        let first = packets.first()?.mode();
        Some(match first {
            _ if packets.iter().any(|toc| toc.mode() != first) => Self::Mixed,
            OpusMode::Silk => Self::Silk,
            OpusMode::Hybrid => Self::Hybrid,
            OpusMode::Celt => Self::Celt,
        })
    }
}

/// What the modes may do to any signal: from 50 µs early to nothing, and 6 µs more to either side. Signals lie at the
/// ends rather than in the middle, so that without this margin half of them would be outside by their noise alone.
const ANY_MODE: [Nanos; 2] = [Nanos::from_micros(-56), Nanos::from_micros(6)];
/// What is tried of each signal: enough for the rarer mode to come up.
const TRIED: Nanos = Nanos::from_secs(64);
/// Codes differ by less than a microsecond: a few stand for all.
const CODES: usize = 4;
/// A mode that came up less often is not known.
const ENOUGH: usize = 3;
/// What is heard farther from where it belongs is something else.
const NEAR_SAMPLES: f64 = 24.0;

impl CodecBias {
    /// Sends beeps of some codes of a family, at all phases of frame and sample, through an encoder set like `codec`.
    ///
    /// # Errors
    /// The codec cannot be set like this.
    pub fn calibrate(codec: &CodecConfig, family: Family, codes: &[Code]) -> Result<Self, CodecError> {
        let CodecConfig::Opus(opus) = codec else {
            return Ok(Self { modes: BTreeMap::new(), unknown: CodecLag::default() });
        };
        let codes = &codes[..codes.len().min(if family.is_coded() { CODES } else { 1 })];
        let mut errors: BTreeMap<(OpusMode, Bandwidth), Vec<Heard>> = BTreeMap::new();
        for &code in codes {
            for heard in try_code(codec, family, code, Nanos(TRIED.0 / codes.len() as i64))? {
                errors.entry(heard.coding).or_default().push(heard);
            }
        }
        let modes: BTreeMap<_, _> =
            errors.iter().filter(|(_, heard)| heard.len() >= ENOUGH).map(|(&mode, heard)| (mode, lag(heard))).collect();
        let possible = if opus.application == OpusApplication::LowDelay { &[][..] } else { &ANY_MODE[..] };
        let biases = || modes.values().map(|lag| lag.bias).chain(possible.iter().copied());
        let unknown = match (biases().min(), biases().max()) {
            (Some(low), Some(high)) => CodecLag::between(low, high),
            // Not even the codec's own output could be heard.
            _ => CodecLag { bias: Nanos::ZERO, sd: UNKNOWN_CODEC_SD },
        };
        Ok(Self { modes, unknown })
    }

    /// Of a codec of which nothing is known.
    pub fn of_unknown_codec() -> Self {
        Self { modes: BTreeMap::new(), unknown: CodecLag { bias: Nanos::ZERO, sd: UNKNOWN_CODEC_SD } }
    }

    /// Of a beep that these packets carry: of one mode, its lag; of several, anything between theirs; of none, or of a
    /// mode that was never tried, [`Self::unknown`].
    pub fn lag(&self, packets: &[Toc]) -> CodecLag {
        let lags: Option<Vec<CodecLag>> =
            packets.iter().map(|toc| self.modes.get(&(toc.mode(), toc.bandwidth())).copied()).collect();
        let Some(lags) = lags else { return self.unknown };
        let low = lags.iter().map(|lag| lag.bias).min();
        match (lags.first(), low, lags.iter().map(|lag| lag.bias).max()) {
            (Some(first), Some(low), Some(high)) if low == high => *first,
            (_, Some(low), Some(high)) => CodecLag::between(low, high),
            _ => self.unknown,
        }
    }

    /// Of a beep whose packets nobody saw.
    pub fn unknown(&self) -> CodecLag {
        self.unknown
    }
}

/// One beep that came through.
struct Heard {
    coding: (OpusMode, Bandwidth),
    error_samples: f64,
    /// What noise alone would do, the coding's own included.
    sd_samples: f64,
}

fn try_code(codec: &CodecConfig, family: Family, code: Code, duration: Nanos) -> Result<Vec<Heard>, CodecError> {
    // Sample 0 at an odd instant: beeps begin between samples.
    let clock = SampleClock::new(RunTime(-12_345_678), Rate::OPUS);
    let waveform = Waveform::new(family, code);
    let sound = waveform.before_mark() + waveform.after_mark();
    let period = Nanos::from_secs((sound + Signal::VOICED.spread).0 / Nanos::from_secs(1).0 + 1);
    let signal = Signal { family, period, ..Signal::VOICED };
    let programmes = signal.programmes(&[code], RunTime::START, duration.max(Nanos(3 * period.0)));
    let Some(programme) = programmes.first() else { return Ok(Vec::new()) };
    let (mut encoder, mut decoder) = (Encoder::new(codec)?, Decoder::new(codec)?);
    let (mut frame, mut payload, mut pcm) = (vec![0.0; FRAME_SAMPLES], Vec::new(), Vec::new());
    let (mut packets, mut heard) = (Vec::new(), Vec::new());
    let last = programme.emissions().last().map_or(RunTime::START, |emission| emission.at);
    let end = clock.position(last + waveform.after_mark()) + clock.rate.hz() / 2.0;
    for first in (0..end as i64).step_by(FRAME_SAMPLES) {
        programme.render(&clock, MediaTime(first), &mut frame);
        encoder.encode(&frame, &mut payload)?;
        packets.push(payload.first().map(|&byte| Toc(byte)));
        decoder.decode(&payload, &mut pcm)?;
        heard.extend_from_slice(&pcm);
    }
    let detections = hear(&heard, clock.rate, family, &[code]);
    let delay = codec.delay() as f64;
    let one = |emission: &Emission| {
        let due = clock.position(emission.at) + delay;
        let detection = detections
            .iter()
            .filter(|detection| (detection.position - due).abs() <= NEAR_SAMPLES)
            .max_by(|a, b| a.score.total_cmp(&b.score))?;
        let frame_of = |at: RunTime| ((clock.position(at) + delay) / FRAME_SAMPLES as f64) as usize;
        let carrying = frame_of(emission.at - waveform.before_mark())..=frame_of(emission.at + waveform.after_mark());
        let tocs: Vec<Toc> = packets.get(carrying)?.iter().copied().collect::<Option<_>>()?;
        let coding = |toc: &Toc| (toc.mode(), toc.bandwidth());
        let first = coding(tocs.first()?);
        let alike = tocs.iter().all(|toc| coding(toc) == first);
        let error_samples = detection.position - due;
        alike.then_some(Heard { coding: first, error_samples, sd_samples: detection.position_sd })
    };
    Ok(programme.emissions().iter().filter_map(one).collect())
}

/// The median, and what spreads beyond noise, with what is not known of the median itself.
fn lag(heard: &[Heard]) -> CodecLag {
    let errors: Vec<f64> = heard.iter().map(|heard| heard.error_samples).collect();
    let count = errors.len() as f64;
    let median = stats::median(&errors).unwrap_or(0.0);
    let square = errors.iter().map(|error| (error - median).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let noise = heard.iter().map(|heard| heard.sd_samples.powi(2)).sum::<f64>() / count;
    // A median of n values varies as π/2 as much as their mean (Kendall & Stuart, section 10.12).
    let variance = (square - noise).max(0.0) + std::f64::consts::FRAC_PI_2 * square / count;
    let time = |samples: f64| Nanos::from_secs_f64(samples / Rate::OPUS.hz());
    CodecLag { bias: time(median), sd: time(variance.sqrt()) }
}

#[cfg(test)]
mod tests {
    use jiho_proto::codec::OpusConfig;

    use super::*;

    const SILK: Toc = Toc(9 << 3);
    const HYBRID: Toc = Toc(15 << 3);
    const CELT: Toc = Toc(31 << 3);

    fn calibrated(bitrate_bps: u32, application: OpusApplication) -> CodecBias {
        let codes: Vec<Code> = Code::all().take(2).collect();
        let codec = CodecConfig::Opus(OpusConfig { bitrate_bps, application, ..OpusConfig::default() });
        CodecBias::calibrate(&codec, Family::Voiced, &codes).unwrap()
    }

    fn within(lag: CodecLag, low_us: i64, high_us: i64) -> bool {
        (Nanos::from_micros(low_us)..=Nanos::from_micros(high_us)).contains(&lag.bias)
            && lag.sd <= Nanos::from_micros(10)
    }

    /// The truth is FFmpeg's, by the slope of the cross-spectrum's phase of band-passed noise at 12 and 32 kb/s through
    /// libopus' decoder: 43 µs early in SILK and hybrid, 0 in CELT; in voip, by phase from 300 Hz to 3.4 kHz, 51 and 4.
    #[test]
    fn the_speech_layer_comes_early_and_the_transform_on_time() {
        let (voip, audio) = (OpusApplication::Voip, OpusApplication::Audio);
        assert!(within(calibrated(12_000, audio).lag(&[SILK; 11]), -46, -40));
        let both = calibrated(24_000, audio);
        assert!(within(both.lag(&[HYBRID; 11]), -46, -40), "{both:?}");
        assert!(within(both.lag(&[CELT; 11]), -1, 1), "{both:?}");
        assert!(within(calibrated(12_000, voip).lag(&[SILK; 11]), -52, -44));
        assert!(within(calibrated(64_000, voip).lag(&[CELT; 11]), -6, -1));
    }

    #[test]
    fn what_is_mixed_or_not_known_is_as_wide_as_what_it_may_be() {
        let bias = calibrated(24_000, OpusApplication::Audio);
        let holds =
            |lag: CodecLag, us: i64| (Nanos::from_micros(us) - lag.bias).0.abs() <= (1.96 * lag.sd.0 as f64) as i64;
        let mixed = bias.lag(&[HYBRID, HYBRID, CELT]);
        assert!(holds(mixed, -43) && holds(mixed, -1) && mixed.sd < Nanos::from_micros(15), "{mixed:?}");
        for unknown in [bias.unknown(), bias.lag(&[]), bias.lag(&[CELT, SILK])] {
            assert!(holds(unknown, -55) && holds(unknown, 5) && unknown.sd < Nanos::from_micros(17), "{unknown:?}");
        }
        let twice = bias.unknown() + bias.unknown();
        assert_eq!(twice.bias, bias.unknown().bias + bias.unknown().bias);
        assert!((twice.sd.0 as f64 / bias.unknown().sd.0 as f64 - 2f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn codecs_without_a_speech_layer_move_nothing() {
        let l16 = CodecBias::calibrate(&CodecConfig::L16, Family::Voiced, &[]).unwrap();
        assert_eq!(l16.lag(&[]), CodecLag::default());
        let low_delay = calibrated(32_000, OpusApplication::LowDelay);
        assert!(within(low_delay.lag(&[CELT; 11]), -1, 1) && within(low_delay.unknown(), -1, 1), "{low_delay:?}");
    }

    #[test]
    fn a_beep_is_of_one_mode_or_mixed() {
        assert_eq!(BeepCoding::of(&[SILK, SILK]), Some(BeepCoding::Silk));
        assert_eq!(BeepCoding::of(&[HYBRID]), Some(BeepCoding::Hybrid));
        assert_eq!(BeepCoding::of(&[CELT, CELT]), Some(BeepCoding::Celt));
        assert_eq!(BeepCoding::of(&[CELT, HYBRID]), Some(BeepCoding::Mixed));
        assert_eq!(BeepCoding::of(&[]), None);
    }
}
