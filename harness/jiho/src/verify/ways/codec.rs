//! Opus, packet by packet, with losses.

use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES, OpusConfig, Toc};

use super::luck::Luck;

/// What a codec made of a sound.
pub(super) struct Coded {
    pub(super) sound: Vec<f32>,
    /// One for each 20 ms.
    pub(super) frames: Vec<Frame>,
}

/// What became of 20 ms of sound.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// How it was coded.
    pub(super) toc: Option<Toc>,
    pub(super) lost: bool,
}

/// Packets are lost each for itself, concealed or restored. A pause of discontinuous transmission is silence, as a
/// listener plays it.
pub(super) fn through(sound: &[f32], opus: OpusConfig, loss: f64, luck: &mut Luck) -> anyhow::Result<Coded> {
    let codec = CodecConfig::Opus(opus);
    let mut encoder = Encoder::new(&codec)?;
    let (mut payloads, mut frames) = (Vec::new(), Vec::new());
    for spoken in sound.chunks_exact(FRAME_SAMPLES) {
        let mut payload = Vec::new();
        encoder.encode(spoken, &mut payload)?;
        let lost = luck.unit() < loss;
        frames.push(Frame { toc: payload.first().copied().map(Toc), lost });
        payloads.push((!lost).then_some(payload));
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
    Ok(Coded { sound: heard, frames })
}
