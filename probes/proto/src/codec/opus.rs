//! Opus through libopus: mono, at a constant bit rate; discontinuous transmission and forward error correction where
//! they are asked for.

use serde::{Deserialize, Serialize};

use super::{CodecError, RATE};

/// The longest Opus frame (RFC 6716, section 3.2.1).
const MAX_FRAME_BYTES: usize = 1275;
/// The longest Opus packet: 120 ms (RFC 6716, section 3.2.5).
const MAX_PACKET_SAMPLES: usize = 5760;
/// Concealment comes in multiples of 2.5 ms.
const CONCEALMENT_STEP: usize = 120;

/// How an Opus encoder is set. The bit rate is constant, so that every packet of a stream has the same size; those that
/// tell of a pause are the exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OpusConfig {
    /// Of the payloads, without RTP headers: 32 000 b/s are 80 bytes per frame of 20 ms. 6000 to 510 000.
    pub bitrate_bps: u32,
    /// What the encoder optimises for.
    pub application: OpusApplication,
    /// Discontinuous transmission: in a pause the encoder makes payloads without sound, which need not be sent.
    pub dtx: bool,
    /// In-band forward error correction: a packet of a speech mode also carries the frame before it, coarsely, from
    /// which a decoder restores it if it was lost (RFC 6716, section 2.1.7).
    pub fec: bool,
    /// How many of 100 packets the encoder expects to be lost, 0 to 100: the more, the more bits go into `fec`, and at
    /// none there is none.
    pub expected_loss_percent: u8,
}

impl Default for OpusConfig {
    fn default() -> Self {
        Self {
            bitrate_bps: 32_000,
            application: OpusApplication::Voip,
            dtx: false,
            fec: false,
            expected_loss_percent: 10,
        }
    }
}

impl OpusConfig {
    pub(super) const fn delay(&self) -> i64 {
        match self.application {
            OpusApplication::Voip | OpusApplication::Audio => 312,
            OpusApplication::LowDelay => 120,
        }
    }
}

/// What an Opus encoder optimises for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OpusApplication {
    /// Speech.
    #[default]
    Voip,
    /// Fidelity.
    Audio,
    /// The shortest delay: no speech mode, and 4 ms less look-ahead.
    LowDelay,
}

impl From<OpusApplication> for ::opus::Application {
    fn from(application: OpusApplication) -> Self {
        match application {
            OpusApplication::Voip => Self::Voip,
            OpusApplication::Audio => Self::Audio,
            OpusApplication::LowDelay => Self::LowDelay,
        }
    }
}

#[derive(Debug)]
pub(super) struct Encoder(::opus::Encoder);

impl Encoder {
    pub(super) fn new(config: &OpusConfig) -> Result<Self, CodecError> {
        let bitrate = i32::try_from(config.bitrate_bps).ok().filter(|bps| (6_000..=510_000).contains(bps));
        let bitrate = bitrate.ok_or(CodecError::Bitrate(config.bitrate_bps))?;
        let mut encoder = ::opus::Encoder::new(RATE.0, ::opus::Channels::Mono, config.application.into())?;
        encoder.set_bitrate(::opus::Bitrate::Bits(bitrate))?;
        encoder.set_vbr(false)?;
        encoder.set_dtx(config.dtx)?;
        encoder.set_inband_fec(config.fec)?;
        // Without it the encoder would still choose its modes with losses in mind.
        encoder.set_packet_loss_perc(if config.fec { config.expected_loss_percent.into() } else { 0 })?;
        Ok(Self(encoder))
    }

    pub(super) fn encode(&mut self, frame: &[f32], payload: &mut Vec<u8>) -> Result<(), CodecError> {
        payload.resize(MAX_FRAME_BYTES, 0);
        let len = self.0.encode_float(frame, payload)?;
        payload.truncate(len);
        Ok(())
    }

    pub(super) fn lookahead(&mut self) -> Result<i64, CodecError> {
        Ok(self.0.get_lookahead()?.into())
    }
}

#[derive(Debug)]
pub(super) struct Decoder(::opus::Decoder);

impl Decoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        Ok(Self(::opus::Decoder::new(RATE.0, ::opus::Channels::Mono)?))
    }

    pub(super) fn decode(&mut self, payload: &[u8], pcm: &mut Vec<f32>) -> Result<(), CodecError> {
        if payload.is_empty() {
            // To libopus an empty packet is a lost one.
            return Err(CodecError::Length(0));
        }
        pcm.resize(MAX_PACKET_SAMPLES, 0.0);
        let samples = self.0.decode_float(payload, pcm, false)?;
        pcm.truncate(samples);
        Ok(())
    }

    /// The frame before the one in `payload`, `samples` long, from what `payload` carries of it.
    pub(super) fn restore(&mut self, payload: &[u8], samples: usize, pcm: &mut Vec<f32>) -> Result<(), CodecError> {
        pcm.resize(samples, 0.0);
        self.0.decode_float(payload, pcm, true)?;
        Ok(())
    }

    pub(super) fn conceal(&mut self, samples: usize, pcm: &mut Vec<f32>) {
        pcm.resize(samples.next_multiple_of(CONCEALMENT_STEP), 0.0);
        if self.0.decode_float(&[], pcm, false).is_err() {
            pcm.fill(0.0);
        }
        pcm.truncate(samples);
    }
}
