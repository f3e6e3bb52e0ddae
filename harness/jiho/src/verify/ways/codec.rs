//! Opus, packet by packet, with losses.

use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES, OpusConfig};

use super::luck::Luck;

/// Opus' look-ahead in samples, where its coding mode is not known: between CELT's 312 and the 309.7 that a voice takes
/// through SILK.
pub(super) const UNKNOWN_MODE_SAMPLES: f64 = 311.0;

/// What a codec made of a sound.
pub(super) struct Coded {
    pub(super) sound: Vec<f32>,
    /// The coding mode of every frame of 20 ms (RFC 6716, section 3.1: the configuration, 0 to 31); `None`: lost.
    pub(super) modes: Vec<Option<u8>>,
}

/// Packets are lost each for itself, concealed or restored. A pause of discontinuous transmission is silence, as a
/// listener plays it.
pub(super) fn through(sound: &[f32], opus: OpusConfig, loss: f64, luck: &mut Luck) -> anyhow::Result<Coded> {
    let codec = CodecConfig::Opus(opus);
    let mut encoder = Encoder::new(&codec)?;
    let mut payloads = Vec::with_capacity(sound.len() / FRAME_SAMPLES);
    for spoken in sound.chunks_exact(FRAME_SAMPLES) {
        let mut payload = Vec::new();
        encoder.encode(spoken, &mut payload)?;
        payloads.push((luck.unit() >= loss).then_some(payload));
    }
    let mut decoder = Decoder::new(&codec)?;
    let (mut frame, mut heard) = (Vec::new(), Vec::with_capacity(sound.len()));
    let mut pausing = false;
    for (n, payload) in payloads.iter().enumerate() {
        let next = payloads.get(n + 1).and_then(Option::as_ref).filter(|_| codec.has_fec());
        match (payload, next) {
            // The first payload of a pause is sent, so that the decoder knows; the others are not.
            (Some(payload), _) if pausing && codec.is_pause(payload) => {
                frame.clear();
                frame.resize(FRAME_SAMPLES, 0.0);
            }
            (Some(payload), _) => {
                decoder.decode(payload, &mut frame)?;
                pausing = codec.is_pause(payload);
            }
            (None, Some(next)) => decoder.restore(next, FRAME_SAMPLES, &mut frame),
            (None, None) => decoder.conceal(FRAME_SAMPLES, &mut frame),
        }
        heard.extend_from_slice(&frame);
    }
    let mode = |payload: &Option<Vec<u8>>| Some(payload.as_ref()?.first()? >> 3);
    Ok(Coded { sound: heard, modes: payloads.iter().map(mode).collect() })
}
