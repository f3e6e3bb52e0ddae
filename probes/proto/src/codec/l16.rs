//! Linear PCM: 16 bits, two's complement, most significant byte first (RFC 3551, section 4.5.11).

use super::CodecError;

const FULL_SCALE: f32 = 32_768.0;

pub(super) fn encode(frame: &[f32], payload: &mut Vec<u8>) {
    payload.clear();
    // The cast saturates: what is too loud is clipped.
    payload.extend(frame.iter().flat_map(|sample| ((sample * FULL_SCALE).round() as i16).to_be_bytes()));
}

pub(super) fn decode(payload: &[u8], pcm: &mut Vec<f32>) -> Result<(), CodecError> {
    let (samples, rest) = payload.as_chunks();
    if samples.is_empty() || !rest.is_empty() {
        return Err(CodecError::Length(payload.len()));
    }
    pcm.clear();
    pcm.extend(samples.iter().map(|bytes| f32::from(i16::from_be_bytes(*bytes)) / FULL_SCALE));
    Ok(())
}
