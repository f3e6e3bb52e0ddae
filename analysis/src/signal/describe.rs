//! What a time signal is, in figures: how loud, in which band, how exactly it can be placed, and with what it could be
//! mistaken.

use std::f64::consts::TAU;

use rayon::prelude::*;
use realfft::RealFftPlanner;
use serde::Serialize;

use super::{Code, Comparison, Family, Waveform};
use crate::units::{Nanos, Rate};

/// Hearing works below this: what counts as noise is what is below it too.
const HEARD_HZ: f64 = 6000.0;
/// So many lines of a signal's spectrum, 1/length apart, are averaged for its band: the lines of a coded beep vary
/// at random.
const LINES: usize = 20;

/// A time signal in figures. Everything but `length` is about the part that a matched filter looks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The family.
    pub family: Family,
    /// The code; `None`: the family carries none.
    pub code: Option<Code>,
    /// How long it sounds before its mark.
    pub before_mark_ms: f64,
    /// How long it sounds from its mark on.
    pub after_mark_ms: f64,
    /// Root mean square while it sounds, relative to full scale.
    pub rms_dbfs: f64,
    /// The highest sample at 48 kHz, relative to full scale.
    pub peak_dbfs: f64,
    /// Peak over RMS.
    pub crest_factor_db: f64,
    /// The lowest and the highest frequency whose power density is within 3 dB of the highest.
    pub band_3db_hz: [f64; 2],
    /// The same within 20 dB.
    pub band_20db_hz: [f64; 2],
    /// The width over which the spectrum is averaged for its band.
    pub band_resolution_hz: f64,
    /// β/2π = √(∫ f²·|S(f)|² df / ∫ |S(f)|² df) below 6 kHz (Kay, Fundamentals of Statistical Signal Processing,
    /// vol. I, section 3.11).
    pub rms_bandwidth_hz: f64,
    /// The Cramér–Rao bound of a beep's standard deviation in time, in white noise that is as strong below 6 kHz as
    /// the signal is on average: 1 / (β·√(2E/N₀)). It falls by a factor of ten for 20 dB more.
    pub cramer_rao_at_0_db_us: f64,
    /// What in its own correlation looks most like its peak.
    pub side_lobe: SideLobe,
    /// The other code of its family that it is most like; `None`: the family carries none.
    pub worst_cross_peak: Option<CrossPeak>,
}

/// The highest value of a signal's correlation with itself more than 1 ms from its peak.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SideLobe {
    /// Relative to the peak.
    pub level_db: f64,
    /// How far from the peak, before and after it.
    pub lag_ms: f64,
}

/// The highest peak of the correlation with another code.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CrossPeak {
    /// The other code.
    pub code: Code,
    /// Relative to a code with itself.
    pub level_db: f64,
}

impl Description {
    /// Describes a family's code.
    pub fn of(family: Family, code: Code) -> Self {
        let rate = Rate::OPUS;
        let waveform = Waveform::new(family, code);
        let (samples, _) = waveform.template(rate);
        let spectrum = Spectrum::of(&samples, rate);
        let energy: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
        let sounding = samples.iter().filter(|&&x| x != 0.0).count();
        let rms_dbfs = 10.0 * (energy / sounding as f64).log10();
        let peak_dbfs = 20.0 * f64::from(samples.iter().fold(0.0f32, |peak, x| peak.max(x.abs()))).log10();
        let rms_bandwidth_hz = spectrum.rms_bandwidth_hz();
        let seconds = samples.len() as f64 / rate.hz();
        // White noise of the signal's mean power below `HEARD_HZ`: 2E/N₀ = 2·P·T·HEARD_HZ/P.
        let twice_energy_over_density = 2.0 * HEARD_HZ * seconds;
        let comparison = Comparison::new(family, rate);
        let own = family.book().map_or(0, |seeds| seeds[usize::from(code.number())]);
        let own = comparison.candidate(own);
        let (lag_seconds, level_db) = comparison.side_lobe(&own);
        let cross_peak = |(code, seed): (Code, u32)| CrossPeak {
            code,
            level_db: comparison.cross_peak_db(&own, &comparison.candidate(seed)),
        };
        let worst_cross_peak = family.book().and_then(|seeds| {
            let others: Vec<_> = Code::all().zip(*seeds).filter(|(other, _)| *other != code).collect();
            others.into_par_iter().map(cross_peak).max_by(|a, b| a.level_db.total_cmp(&b.level_db))
        });
        Self {
            family,
            code: family.is_coded().then_some(code),
            before_mark_ms: waveform.before_mark().as_millis_f64(),
            after_mark_ms: waveform.after_mark().as_millis_f64(),
            rms_dbfs,
            peak_dbfs,
            crest_factor_db: peak_dbfs - rms_dbfs,
            band_3db_hz: spectrum.band_hz(3.0),
            band_20db_hz: spectrum.band_hz(20.0),
            band_resolution_hz: spectrum.resolution_hz(),
            rms_bandwidth_hz,
            cramer_rao_at_0_db_us: 1e6 / (TAU * rms_bandwidth_hz * twice_energy_over_density.sqrt()),
            side_lobe: SideLobe { level_db, lag_ms: 1000.0 * lag_seconds },
            worst_cross_peak,
        }
    }

    /// How long it sounds.
    pub fn length(&self) -> Nanos {
        Nanos::from_secs_f64((self.before_mark_ms + self.after_mark_ms) / 1000.0)
    }
}

/// A signal's power at equally spaced frequencies.
struct Spectrum {
    power: Vec<f64>,
    step_hz: f64,
    /// So many of `power` are averaged for the band.
    width: usize,
}

impl Spectrum {
    /// Four points for each line that the signal's length can tell apart.
    fn of(samples: &[f32], rate: Rate) -> Self {
        let points = 4 * samples.len();
        let fft = RealFftPlanner::<f64>::new().plan_fft_forward(points);
        let mut padded = fft.make_input_vec();
        padded.iter_mut().zip(samples).for_each(|(padded, &sample)| *padded = f64::from(sample));
        let mut spectrum = fft.make_output_vec();
        // The lengths are the plan's own, so the transform cannot fail.
        let _ = fft.process(&mut padded, &mut spectrum);
        let step_hz = rate.hz() / points as f64;
        let heard = (HEARD_HZ / step_hz) as usize;
        Self { power: spectrum[..=heard].iter().map(|bin| bin.norm_sqr()).collect(), step_hz, width: 4 * LINES }
    }

    fn resolution_hz(&self) -> f64 {
        self.width as f64 * self.step_hz
    }

    fn rms_bandwidth_hz(&self) -> f64 {
        let (mut weighted, mut total) = (0.0, 0.0);
        for (n, power) in self.power.iter().enumerate() {
            weighted += (n as f64 * self.step_hz).powi(2) * power;
            total += power;
        }
        (weighted / total).sqrt()
    }

    /// The edges of what is at most so many decibels below the highest average.
    fn band_hz(&self, below_db: f64) -> [f64; 2] {
        let averages: Vec<f64> = self.power.windows(self.width).map(|window| window.iter().sum()).collect();
        let least = averages.iter().fold(0.0f64, |a, &b| a.max(b)) * 10f64.powf(-below_db / 10.0);
        let within = |average: &f64| *average >= least;
        let centre = |n: usize| (n as f64 + (self.width - 1) as f64 / 2.0) * self.step_hz;
        let low = averages.iter().position(within).unwrap_or(0);
        let high = averages.iter().rposition(within).unwrap_or(0);
        [centre(low), centre(high)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(family: Family) -> Description {
        Description::of(family, Code::new(9).unwrap())
    }

    #[test]
    fn noise_is_as_its_definition_says() {
        for (family, length_ms) in [(Family::Noise, 200.0), (Family::NoiseRobust, 400.0)] {
            let noise = described(family);
            assert_eq!((noise.before_mark_ms, noise.after_mark_ms), (0.0, length_ms));
            assert!((noise.rms_dbfs + 20.0).abs() < 0.01, "{noise:?}");
            let edge = noise.band_resolution_hz / 2.0;
            for (found, edge) in noise.band_3db_hz.into_iter().zip([300.0 + edge / 4.0, 3400.0 - edge / 4.0]) {
                assert!((found - edge).abs() <= noise.band_resolution_hz / 2.0, "{found} for {edge}");
            }
            // A flat band from a to b: β²/4π² = (a² + ab + b²)/3.
            let flat = ((300.0f64.powi(2) + 300.0 * 3400.0 + 3400.0f64.powi(2)) / 3.0).sqrt();
            assert!((noise.rms_bandwidth_hz / flat - 1.0).abs() < 0.02, "{} for {flat}", noise.rms_bandwidth_hz);
        }
    }

    #[test]
    fn twice_the_length_is_worth_3_db() {
        let [once, twice] = [Family::Noise, Family::NoiseRobust].map(|family| described(family).cramer_rao_at_0_db_us);
        assert!((once / twice - 2f64.sqrt()).abs() < 0.03, "{once} and {twice}");
    }

    #[test]
    fn a_code_has_one_peak_and_a_tone_has_many() {
        for family in Family::ALL {
            let description = described(family);
            let half_cycle_ms = match family {
                Family::Jiho => 500.0 / 880.0,
                Family::Bbc => 0.5,
                _ => {
                    assert!(description.side_lobe.level_db < -12.0, "{description:?}");
                    assert!(description.worst_cross_peak.unwrap().level_db < -15.0, "{description:?}");
                    assert_ne!(description.worst_cross_peak.unwrap().code, description.code.unwrap());
                    continue;
                }
            };
            assert!(description.side_lobe.level_db > -0.5, "{description:?}");
            let half_cycles = description.side_lobe.lag_ms / half_cycle_ms;
            assert!((half_cycles - half_cycles.round()).abs() < 0.02 && half_cycles < 5.0, "{description:?}");
            assert_eq!((description.code, description.worst_cross_peak), (None, None));
        }
    }

    #[test]
    fn the_bound_is_the_one_that_hearing_states() {
        // var ≥ 1/(terms·SNR·β²) with 12 000 terms a second: for noise of 200 ms and a flat band.
        let noise = described(Family::Noise);
        let expected_us = 1e6 / (TAU * noise.rms_bandwidth_hz * 2400f64.sqrt());
        assert!((noise.cramer_rao_at_0_db_us - expected_us).abs() < 0.01, "{noise:?}");
    }
}
