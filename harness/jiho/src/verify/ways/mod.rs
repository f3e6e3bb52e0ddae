//! What a way does to sound, and how late its sound is by construction.

mod codec;
mod luck;
mod noise;
mod passage;
mod processing;
mod room;
mod speech;
mod stretch;

use std::fmt;

use jiho_analysis::arrivals::{CodecLag, UNKNOWN_CODEC_SD};
use jiho_analysis::signal::Family;
use jiho_analysis::units::Nanos;
use jiho_proto::codec::{CodecConfig, OpusApplication, OpusConfig};

use super::biases::Biases;
pub(super) use luck::Luck;
pub(super) use noise::rms as noise_rms;
pub(super) use passage::Coding;
use passage::Passage;
pub(super) use speech::{lacking, speech};
use stretch::Step;

/// −20 dBFS: the level of every beep.
const BEEP_RMS: f64 = 0.1;

/// A way that sound takes from mouths to an ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// How many speakers sound at the same instants.
    pub speakers: u8,
    /// How much faster than the ear's the mouths' clocks are, in ppm.
    pub clock_ppm: f64,
    /// What each voice passes alone, one after the other.
    pub each: Vec<Stage>,
    /// What the sum of the voices passes.
    pub mix: Vec<Stage>,
}

/// Something that sound passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// White noise is added; the ratio is of the beep's power to the noise's, over the whole band of 24 kHz.
    Noise {
        /// In dB.
        snr_db: f64,
    },
    /// Through Opus; lost packets are concealed, or restored where there is forward error correction.
    Opus {
        /// How the encoder is set.
        opus: OpusConfig,
        /// Of packets, 0 to 1, each for itself.
        loss: f64,
    },
    /// Half the level: a mixer keeps clear of full scale.
    Headroom,
    /// Speech by espeak-ng is added, of one voice or of several at once.
    Speech {
        /// Its level above the beep's, in dB.
        level_db: f64,
        /// How many voices.
        voices: u8,
    },
    /// Stretched in time without a change of pitch, by turns faster and slower.
    Stretch {
        /// Of the speed, 0 to 1.
        share: f64,
    },
    /// Through RNNoise (Valin 2018), which takes for noise what is not speech.
    RnNoise,
    /// Through WebRTC's noise suppression, set high, and its automatic gain control.
    WebRtc,
    /// A room: the direct sound, and a tail of noise that decays by 60 dB.
    Room {
        /// The reverberation time (RT60), in ms.
        reverberation_ms: u32,
        /// Direct to reverberant energy, in dB.
        direct_db: f64,
    },
}

/// What arrived at the ear, and how late by construction.
pub(super) struct Heard {
    pub(super) sound: Vec<f32>,
    /// One for every codec on the way: each speaker's own, then those that all share.
    codecs: Vec<Passage>,
    constant_samples: f64,
    clock_ppm: f64,
    steps: Vec<Step>,
}

impl Way {
    /// One voice that passes these.
    pub fn of(stages: &[Stage]) -> Self {
        Self { speakers: 1, clock_ppm: 0.0, each: Vec::new(), mix: stages.to_vec() }
    }

    fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.each.iter().chain(&self.mix)
    }

    /// Why it cannot be gone here.
    pub(super) fn lacking(&self) -> Option<&'static str> {
        self.stages().any(|stage| matches!(stage, Stage::Speech { .. })).then(lacking).flatten()
    }

    /// Every codec on it.
    pub(super) fn codecs(&self) -> impl Iterator<Item = OpusConfig> + '_ {
        self.stages().filter_map(|stage| match stage {
            Stage::Opus { opus, .. } => Some(*opus),
            _ => None,
        })
    }

    /// What has to be allowed for besides codecs: what is not noise moves a beep by nobody knows how much.
    pub(super) fn other_lag(&self) -> CodecLag {
        let known = |stage: &Stage| {
            matches!(stage, Stage::Noise { .. } | Stage::Opus { .. } | Stage::Headroom | Stage::Stretch { .. })
        };
        let sd = if self.stages().all(known) { Nanos::ZERO } else { UNKNOWN_CODEC_SD };
        CodecLag { bias: Nanos::ZERO, sd }
    }

    /// How long after the direct sound its echoes come, in µs.
    pub(super) fn echoes_us(&self) -> f64 {
        let lasting = |stage: &Stage| match stage {
            Stage::Room { reverberation_ms, .. } => f64::from(*reverberation_ms) * 1000.0,
            _ => 0.0,
        };
        self.stages().map(lasting).fold(0.0, f64::max)
    }

    /// Of the noise, in dB, where noise is all that disturbs.
    pub(super) fn only_noise_db(&self) -> Option<f64> {
        match (&self.each[..], &self.mix[..]) {
            ([], &[Stage::Noise { snr_db }]) if self.clock_ppm == 0.0 => Some(snr_db),
            _ => None,
        }
    }

    /// Sends voices along the way; gives what the ear hears.
    pub(super) fn carry(&self, voices: Vec<Vec<f32>>, seed: u64) -> anyhow::Result<Heard> {
        let mut luck = Luck::new(seed);
        let mut heard = Heard {
            sound: Vec::new(),
            codecs: Vec::new(),
            constant_samples: 0.0,
            clock_ppm: self.clock_ppm,
            steps: Vec::new(),
        };
        let mut passed = Vec::with_capacity(voices.len());
        for mut voice in voices {
            // All voices are late alike, and pass a codec each.
            let (mut codecs, mut codec) = (std::mem::take(&mut heard.codecs), 0);
            heard.constant_samples = 0.0;
            for stage in &self.each {
                voice = stage.carry(voice, &mut heard, &mut luck)?;
            }
            for passage in heard.codecs.drain(..) {
                match codecs.get_mut(codec) {
                    Some(known) => known.frames.extend(passage.frames),
                    None => codecs.push(passage),
                }
                codec += 1;
            }
            heard.codecs = codecs;
            passed.push(voice);
        }
        heard.sound = sum(&passed);
        for stage in &self.mix {
            let sound = std::mem::take(&mut heard.sound);
            heard.sound = stage.carry(sound, &mut heard, &mut luck)?;
        }
        Ok(heard)
    }
}

impl Stage {
    fn carry(&self, mut sound: Vec<f32>, heard: &mut Heard, luck: &mut Luck) -> anyhow::Result<Vec<f32>> {
        match *self {
            Self::Noise { snr_db } => noise::add(&mut sound, snr_db, luck),
            Self::Opus { opus, loss } => {
                let coded = codec::through(&sound, opus, loss, luck)?;
                let late_samples = heard.constant_samples;
                heard.codecs.push(Passage { opus, late_samples, frames: vec![coded.frames] });
                heard.constant_samples += CodecConfig::Opus(opus).delay() as f64;
                sound = coded.sound;
            }
            Self::Headroom => sound.iter_mut().for_each(|sample| *sample *= 0.5),
            Self::Speech { level_db, voices } => speech::add(&mut sound, level_db, voices, luck)?,
            Self::Stretch { share } => (sound, heard.steps) = stretch::stretch(&sound, share),
            Self::RnNoise => {
                sound = processing::rnnoise(&sound);
                heard.constant_samples += processing::RNNOISE_SAMPLES;
            }
            Self::WebRtc => {
                sound = processing::webrtc(&sound)?;
                heard.constant_samples += processing::WEBRTC_SAMPLES;
            }
            Self::Room { reverberation_ms, direct_db } => {
                sound = room::reverberate(&sound, reverberation_ms, direct_db, luck);
            }
        }
        Ok(sound)
    }
}

impl Heard {
    /// The delays, in samples, of what lies at these positions in a mouth's sound: one, where nothing changes it.
    pub(super) fn late(&self, from: f64, to: f64) -> (f64, f64) {
        let drift = [from, to].map(|at| at * self.clock_ppm * 1e-6);
        let (mut low, mut high) = (drift[0].min(drift[1]), drift[0].max(drift[1]));
        // Of what is before the first piece of the sound, the last step; and all that come before its end.
        let near = stretch::SEAM_SAMPLES;
        let first = self.steps.iter().rposition(|step| (step.from as f64) + near <= from).unwrap_or(0);
        let within = self.steps.iter().skip(first).take_while(|step| step.from as f64 - near < to);
        let steps: Vec<f64> = within.map(|step| step.samples).collect();
        low += steps.iter().copied().reduce(f64::min).unwrap_or(0.0);
        high += steps.iter().copied().reduce(f64::max).unwrap_or(0.0);
        (self.constant_samples + low, self.constant_samples + high)
    }

    /// How a speaker's sound was coded between two positions of it.
    pub(super) fn coding(&self, speaker: usize, from: f64, to: f64) -> Coding {
        let mut coding = Coding::Unknown;
        for codec in &self.codecs {
            coding = match (coding, codec.coding(speaker, from, to)) {
                (Coding::Mode(before), Coding::Mode(mode)) => Coding::Mode(32 * before + mode),
                (Coding::Unknown, coding) => coding,
                (worse @ (Coding::Damaged | Coding::Changing), _) => worse,
                (_, worse) => worse,
            };
        }
        coding
    }

    /// What all codecs together do to a beep between two positions of a speaker's sound: as their packets tell, and as
    /// far as is known without them.
    pub(super) fn lags(&self, speaker: usize, from: f64, to: f64, family: Family, biases: &Biases) -> [CodecLag; 2] {
        self.codecs.iter().fold([CodecLag::default(); 2], |[known, unknown], codec| {
            let Some(bias) = biases.get(family, codec.opus) else { return [known, unknown] };
            [known + bias.lag(&codec.packets(speaker, from, to)), unknown + bias.unknown()]
        })
    }
}

fn sum(voices: &[Vec<f32>]) -> Vec<f32> {
    let mut mix = vec![0.0; voices.iter().map(Vec::len).max().unwrap_or(0)];
    for voice in voices {
        mix.iter_mut().zip(voice).for_each(|(mix, sample)| *mix += sample);
    }
    mix
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (self.speakers, self.mix.contains(&Stage::Headroom)) {
            (1, false) => {}
            (speakers, false) => parts.push(format!("{speakers} at once, forwarded")),
            (speakers, true) => {
                let encoders = self.mix.iter().filter(|stage| matches!(stage, Stage::Opus { .. })).count();
                let times = if encoders == 2 { " twice" } else { "" };
                parts.push(format!("{speakers} at once, mixed and re-encoded{times}"));
            }
        }
        if self.clock_ppm != 0.0 {
            parts.push(format!("drift {:+} ppm", self.clock_ppm));
        }
        if self.each.is_empty() {
            parts.extend(self.mix.iter().map(ToString::to_string));
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise { snr_db } => write!(f, "white noise, SNR {snr_db:+} dB"),
            Self::Opus { opus, loss } => {
                let tuned = match opus.application {
                    OpusApplication::Voip => "voip",
                    OpusApplication::Audio => "audio",
                    OpusApplication::LowDelay => "low delay",
                };
                write!(f, "Opus {} kb/s {tuned}", opus.bitrate_bps / 1000)?;
                f.write_str(if opus.dtx { ", DTX" } else { "" })?;
                f.write_str(if opus.fec { ", FEC" } else { "" })?;
                if *loss > 0.0 { write!(f, ", loss {} %", loss * 100.0) } else { Ok(()) }
            }
            Self::Headroom => f.write_str("headroom"),
            Self::Speech { level_db, voices: 1 } => write!(f, "speech at {level_db:+} dB"),
            Self::Speech { level_db, voices } => write!(f, "babble of {voices} at {level_db:+} dB"),
            Self::Stretch { share } => write!(f, "stretch ±{} %", share * 100.0),
            Self::RnNoise => f.write_str("RNNoise"),
            Self::WebRtc => f.write_str("WebRTC noise suppression and gain control"),
            Self::Room { reverberation_ms, direct_db } => {
                write!(f, "room, RT60 {reverberation_ms} ms, direct {direct_db:+} dB")
            }
        }
    }
}
