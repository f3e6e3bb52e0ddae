//! What takes out of a voice whatever it takes for noise, and evens out its level.

use nnnoiseless::DenoiseState;
use sonora::config::{AdaptiveDigital, GainController2, NoiseSuppression, NoiseSuppressionLevel};
use sonora::{AudioProcessing, Config, StreamConfig};

/// RNNoise (Valin 2018) gives each frame of 10 ms one frame later, overlapped with the next.
pub(super) const RNNOISE_SAMPLES: f64 = DenoiseState::FRAME_SIZE as f64;
/// WebRTC's suppressor overlaps its blocks by 6 ms, 288 samples; the rest is the filters that split and join its three
/// bands. The tests hold it against the lag of a voice.
pub(super) const WEBRTC_SAMPLES: f64 = 334.0;

pub(super) fn rnnoise(sound: &[f32]) -> Vec<f32> {
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

/// High noise suppression, and the second generation of automatic gain control.
pub(super) fn webrtc(sound: &[f32]) -> anyhow::Result<Vec<f32>> {
    let config = Config {
        noise_suppression: Some(NoiseSuppression { level: NoiseSuppressionLevel::High, ..Default::default() }),
        gain_controller2: Some(GainController2 {
            adaptive_digital: Some(AdaptiveDigital::default()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let stream = StreamConfig::new(48_000, 1);
    let mut processing = AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build();
    let mut heard = vec![0.0; sound.len() / 480 * 480];
    for (spoken, heard) in sound.chunks_exact(480).zip(heard.chunks_exact_mut(480)) {
        processing
            .process_capture_f32(&[spoken], &mut [heard])
            .map_err(|error| anyhow::anyhow!("WebRTC's audio processing refused 10 ms of mono: {error:?}"))?;
    }
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use jiho_analysis::signal::{Code, Family, Waveform};
    use jiho_analysis::units::Rate;

    use super::*;

    /// The lag at which what comes out is most like the coded voice that went in, by correlation sample by sample.
    fn lag(process: impl Fn(&[f32]) -> Vec<f32>) -> f64 {
        let voice = Waveform::new(Family::Voiced, Code::new(5).unwrap());
        let mut sound = vec![0.0; 48_000];
        voice.add(-0.4, Rate::OPUS, &mut sound);
        let heard = process(&sound);
        let likeness = |lag: usize| -> f32 { sound[..40_000].iter().zip(&heard[lag..]).map(|(a, b)| a * b).sum() };
        (0..1000).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap() as f64
    }

    #[test]
    fn a_voice_is_as_late_as_is_stated() {
        assert_eq!(lag(|sound| webrtc(sound).unwrap()), WEBRTC_SAMPLES);
        assert_eq!(lag(rnnoise), RNNOISE_SAMPLES);
    }
}
