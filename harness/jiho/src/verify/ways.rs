//! What a way does to sound, and how late its sound is by construction.

use std::fmt;

use jiho_analysis::units::Nanos;
use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES, OpusApplication, OpusConfig};
use nnnoiseless::DenoiseState;
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// A way that sound takes from mouths to an ear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// White noise is added; the ratio is of the beep's power to the noise's, over the whole band of 24 kHz.
    Noise {
        /// In dB.
        snr_db: f64,
    },
    /// Through Opus; lost packets are concealed.
    Opus {
        /// In bits per second.
        bitrate_bps: u32,
        /// What the encoder is tuned for.
        application: OpusApplication,
        /// Of packets, 0 to 1, each for itself.
        loss: f64,
    },
    /// Several speakers at the same instants, each through Opus at 32 kb/s; what arrives is added, as forwarding does.
    Forwarded {
        /// How many.
        speakers: u8,
    },
    /// Several speakers at the same instants, each through Opus at 32 kb/s, added, and through Opus once more, as a
    /// mixer does.
    Mixed {
        /// How many.
        speakers: u8,
    },
    /// Through RNNoise (Valin 2018), which takes for noise what is not speech.
    Suppressed,
    /// A room: the direct sound, and a tail of noise that decays by 60 dB.
    Room {
        /// The reverberation time (RT60), in ms.
        reverberation_ms: u32,
        /// Direct to reverberant energy, in dB.
        direct_db: f64,
    },
}

/// Opus' look-ahead where its coding mode is not known: between CELT's 312 samples and the 309.7 that a voice takes
/// through SILK.
const UNKNOWN_MODE_SAMPLES: i64 = 311;
/// −20 dBFS: the level of every beep.
const BEEP_RMS: f64 = 0.1;

impl Way {
    pub(super) fn speakers(&self) -> u8 {
        match self {
            Self::Forwarded { speakers } | Self::Mixed { speakers } => *speakers,
            _ => 1,
        }
    }

    /// How late sound is by construction: the look-ahead of every codec that it passes.
    pub(super) fn delay_samples(&self) -> i64 {
        match self {
            Self::Noise { .. } | Self::Room { .. } => 0,
            Self::Opus { .. } | Self::Forwarded { .. } => UNKNOWN_MODE_SAMPLES,
            Self::Mixed { .. } => 2 * UNKNOWN_MODE_SAMPLES,
            // It gives each frame of 10 ms one frame later, overlapped with the next.
            Self::Suppressed => DenoiseState::FRAME_SIZE as i64,
        }
    }

    pub(super) fn codec_sd(&self) -> Nanos {
        match self {
            Self::Noise { .. } => Nanos::ZERO,
            Self::Opus { .. } | Self::Forwarded { .. } | Self::Room { .. } | Self::Suppressed => super::CODEC_SD,
            // Two codecs, and each may be in any mode.
            Self::Mixed { .. } => Nanos((super::CODEC_SD.0 as f64 * std::f64::consts::SQRT_2) as i64),
        }
    }

    /// Of the noise, where noise is all that disturbs.
    pub(super) fn noise_rms(&self) -> Option<f64> {
        match self {
            Self::Noise { snr_db } => Some(BEEP_RMS * 10f64.powf(-snr_db / 20.0)),
            _ => None,
        }
    }

    /// Sends voices along the way; gives what the ear hears.
    pub(super) fn carry(&self, voices: Vec<Vec<f32>>, seed: u64) -> anyhow::Result<Vec<f32>> {
        let mut luck = Luck(Pcg32::seed_from_u64(seed));
        Ok(match self {
            Self::Noise { snr_db } => {
                let rms = BEEP_RMS * 10f64.powf(-snr_db / 20.0);
                let mut heard = sum(&voices);
                heard.iter_mut().for_each(|sample| *sample += (rms * luck.normal()) as f32);
                heard
            }
            Self::Opus { bitrate_bps, application, loss } => {
                through(&sum(&voices), opus(*bitrate_bps, *application), *loss, &mut luck)?
            }
            Self::Forwarded { .. } => sum(&forward(&voices, &mut luck)?),
            Self::Mixed { .. } => {
                // A mixer keeps clear of full scale.
                let mut mix = sum(&forward(&voices, &mut luck)?);
                mix.iter_mut().for_each(|sample| *sample *= 0.5);
                through(&mix, opus(32_000, OpusApplication::Voip), 0.0, &mut luck)?
            }
            Self::Suppressed => suppress(&sum(&voices)),
            Self::Room { reverberation_ms, direct_db } => {
                reverberate(&sum(&voices), f64::from(*reverberation_ms) / 1000.0, *direct_db, &mut luck)
            }
        })
    }
}

fn opus(bitrate_bps: u32, application: OpusApplication) -> CodecConfig {
    CodecConfig::Opus(OpusConfig { bitrate_bps, application })
}

fn sum(voices: &[Vec<f32>]) -> Vec<f32> {
    let mut mix = vec![0.0; voices.iter().map(Vec::len).max().unwrap_or(0)];
    for voice in voices {
        mix.iter_mut().zip(voice).for_each(|(mix, sample)| *mix += sample);
    }
    mix
}

fn forward(voices: &[Vec<f32>], luck: &mut Luck) -> anyhow::Result<Vec<Vec<f32>>> {
    voices.iter().map(|voice| through(voice, opus(32_000, OpusApplication::Voip), 0.0, luck)).collect()
}

fn through(sound: &[f32], codec: CodecConfig, loss: f64, luck: &mut Luck) -> anyhow::Result<Vec<f32>> {
    let (mut encoder, mut decoder) = (Encoder::new(&codec)?, Decoder::new(&codec)?);
    let (mut payload, mut frame, mut heard) = (Vec::new(), Vec::new(), Vec::with_capacity(sound.len()));
    for spoken in sound.chunks_exact(FRAME_SAMPLES) {
        encoder.encode(spoken, &mut payload)?;
        if luck.unit() < loss {
            decoder.conceal(FRAME_SAMPLES, &mut frame);
        } else {
            decoder.decode(&payload, &mut frame)?;
        }
        heard.extend_from_slice(&frame);
    }
    Ok(heard)
}

fn suppress(sound: &[f32]) -> Vec<f32> {
    // It expects the range of 16-bit samples.
    const SCALE: f32 = 32_768.0;
    let mut state = DenoiseState::new();
    let mut frame = [0.0; DenoiseState::FRAME_SIZE];
    let mut heard = Vec::with_capacity(sound.len());
    for spoken in sound.chunks_exact(DenoiseState::FRAME_SIZE) {
        let scaled: Vec<f32> = spoken.iter().map(|sample| sample * SCALE).collect();
        state.process_frame(&mut frame, &scaled);
        heard.extend(frame.iter().map(|sample| sample / SCALE));
    }
    heard
}

/// Convolves, sample by sample, with a sparse tail: 2,000 reflections are dense enough for an ear and a correlator.
fn reverberate(sound: &[f32], seconds: f64, direct_db: f64, luck: &mut Luck) -> Vec<f32> {
    const REFLECTIONS: usize = 2000;
    let length = (seconds * 48_000.0) as usize;
    let mut tail: Vec<(usize, f64)> = (0..REFLECTIONS)
        .map(|_| {
            // The first reflection comes 3 ms after the direct sound.
            let at = 144 + (luck.unit() * length as f64) as usize;
            (at, luck.normal() * 10f64.powf(-3.0 * at as f64 / length as f64))
        })
        .collect();
    let energy: f64 = tail.iter().map(|(_, gain)| gain * gain).sum();
    let scale = (10f64.powf(-direct_db / 10.0) / energy).sqrt();
    tail.iter_mut().for_each(|(_, gain)| *gain *= scale);
    let mut heard = sound.to_vec();
    for (at, gain) in tail {
        heard.iter_mut().skip(at).zip(sound).for_each(|(heard, sound)| *heard += gain as f32 * sound);
    }
    heard
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise { snr_db } => write!(f, "white noise, SNR {snr_db:+} dB"),
            Self::Opus { bitrate_bps, application, loss } => {
                let tuned = match application {
                    OpusApplication::Voip => "voip",
                    OpusApplication::Audio => "audio",
                    OpusApplication::LowDelay => "low delay",
                };
                write!(f, "Opus {} kb/s {tuned}, loss {} %", bitrate_bps / 1000, loss * 100.0)
            }
            Self::Forwarded { speakers } => write!(f, "{speakers} at once, forwarded"),
            Self::Mixed { speakers } => write!(f, "{speakers} at once, mixed and re-encoded"),
            Self::Suppressed => write!(f, "RNNoise"),
            Self::Room { reverberation_ms, direct_db } => {
                write!(f, "room, RT60 {reverberation_ms} ms, direct {direct_db:+} dB")
            }
        }
    }
}

struct Luck(Pcg32);

impl Luck {
    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// Standard normal, by Box & Muller (1958).
    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
