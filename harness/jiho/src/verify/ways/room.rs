//! A room, as simple as can be: the direct sound, and a tail that decays.

use super::luck::Luck;

/// Dense enough for an ear and a correlator.
const REFLECTIONS: usize = 2000;
/// The first reflection comes 3 ms after the direct sound.
const FIRST_SAMPLES: usize = 144;

/// Adds reflections at random instants, which decay by 60 dB within the reverberation time. The direct sound stays where
/// it was.
pub(super) fn reverberate(sound: &[f32], reverberation_ms: u32, direct_db: f64, luck: &mut Luck) -> Vec<f32> {
    let length = f64::from(reverberation_ms) * 48.0;
    let mut tail: Vec<(usize, f64)> = (0..REFLECTIONS)
        .map(|_| {
            let at = FIRST_SAMPLES + luck.below(length as usize);
            (at, luck.normal() * 10f64.powf(-3.0 * at as f64 / length))
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
