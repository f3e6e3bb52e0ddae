//! How exactly a beep can be placed in white noise at all.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Rate;

/// √Σ s′² by family and code, in 1/s: rendered once.
static SLOPES: LazyLock<Mutex<BTreeMap<(Family, Code), f64>>> = LazyLock::new(Mutex::default);

/// The Cramér–Rao bound σ / √Σ s′² (Kay, Fundamentals of Statistical Signal Processing, vol. I, section 3.11) in µs,
/// from the rendered waveform itself.
pub(super) fn bound_us(family: Family, code: Code, noise_rms: f64) -> f64 {
    let known = SLOPES.lock().unwrap_or_else(PoisonError::into_inner).get(&(family, code)).copied();
    let slope = known.unwrap_or_else(|| slope(family, code));
    SLOPES.lock().unwrap_or_else(PoisonError::into_inner).insert((family, code), slope);
    noise_rms / slope * 1e6
}

fn slope(family: Family, code: Code) -> f64 {
    let waveform = Waveform::new(family, code);
    let length = Rate::OPUS.samples(waveform.after_mark()) as usize;
    // The derivative by central differences at 16 times the rate, where the waveform is smooth.
    let fine = Rate(Rate::OPUS.0 * 16);
    let mut samples = vec![0.0f32; length * 16 + 2];
    waveform.add(-1.0 / fine.hz(), fine, &mut samples);
    let slopes = samples.windows(3).step_by(16).map(|w| f64::from(w[2] - w[0]) / 2.0 * fine.hz());
    slopes.map(|slope| slope * slope).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_falls_with_the_noise_and_with_the_length_of_the_beep() {
        let code = Code::new(3).unwrap();
        let usual = bound_us(Family::Noise, code, 0.1);
        assert!((bound_us(Family::Noise, code, 0.01) / usual - 0.1).abs() < 1e-9);
        // Flat from 300 to 3400 Hz: an RMS bandwidth of 2π·√((300² + 300·3400 + 3400²)/3); 0.2 s at the noise's power.
        let bandwidth = std::f64::consts::TAU * ((300.0f64.powi(2) + 300.0 * 3400.0 + 3400.0f64.powi(2)) / 3.0).sqrt();
        let expected = 1e6 / (bandwidth * 9600.0f64.sqrt());
        assert!((usual / expected - 1.0).abs() < 0.1, "{usual} against {expected}");
        let robust = bound_us(Family::NoiseRobust, code, 0.1);
        assert!((usual / robust - std::f64::consts::SQRT_2).abs() < 0.15, "{usual} against {robust}");
    }
}
