//! White noise.

use super::BEEP_RMS;
use super::luck::Luck;

/// Of noise that stands in this ratio to a beep's power, over the whole band of 24 kHz.
pub(in crate::verify) fn rms(snr_db: f64) -> f64 {
    BEEP_RMS * 10f64.powf(-snr_db / 20.0)
}

pub(super) fn add(sound: &mut [f32], snr_db: f64, luck: &mut Luck) {
    let rms = rms(snr_db);
    sound.iter_mut().for_each(|sample| *sample += (rms * luck.normal()) as f32);
}
