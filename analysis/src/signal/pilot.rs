//! The pilot: a coded voice without ends, in which every short piece tells its time.

use rand_core::SeedableRng;
use rand_pcg::Pcg32;

use super::voiced::{NODE_SECONDS, Voice, drawn_pitch_hz, top_hz};
use crate::units::{Nanos, Rate};

/// Nodes of a period: 128 s, well above every delay that is looked for.
const NODES: usize = 6400;
/// −20 dBFS.
const RMS: f64 = 0.1;
/// Raised-cosine ends, so that nothing clicks where a programme begins and ends.
const END_SECONDS: f64 = 0.006;

/// A coded voice that goes on and on, the same again after [`Pilot::PERIOD`].
#[derive(Clone, Debug)]
pub struct Pilot {
    voice: Voice,
    gain: f64,
}

impl Pilot {
    /// After this time it repeats, without a break in its phase.
    pub const PERIOD: Nanos = Nanos::from_secs(128);
    /// Its "beeps": the instants at which so much more of it has left the mouth.
    pub const MARK_EVERY: Nanos = Nanos::from_secs(1);

    /// The pilot of a seed.
    pub(super) fn new(seed: u32) -> Self {
        let mut rng = Pcg32::seed_from_u64(u64::from(seed));
        let mut pitch_hz: Vec<f64> = (0..NODES).map(|_| drawn_pitch_hz(&mut rng)).collect();
        // The fundamental's cycles in a period must be whole: a shift of all nodes by less than 0.01 Hz makes them so.
        let cycles = pitch_hz.iter().sum::<f64>() * NODE_SECONDS;
        let shift_hz = (cycles.round() - cycles) / (NODES as f64 * NODE_SECONDS);
        pitch_hz.iter_mut().for_each(|pitch_hz| *pitch_hz += shift_hz);
        pitch_hz.push(pitch_hz[0]);
        let voice = Voice::new(pitch_hz);
        let gain = RMS / voice.power(top_hz(Rate::OPUS)).sqrt();
        Self { voice, gain }
    }

    /// Adds the pilot to `out`, whose first sample is `seconds` after its beginning. It is silent before its beginning
    /// and, if it has an end, from `end` seconds on.
    pub(super) fn add(&self, seconds: f64, end: Option<f64>, rate: Rate, out: &mut [f32]) {
        let top_hz = top_hz(rate);
        let period = Self::PERIOD.as_secs_f64();
        for (n, sample) in out.iter_mut().enumerate() {
            let t = seconds + n as f64 / rate.hz();
            let from_end = end.map_or(t, |end| t.min(end - t));
            if from_end >= 0.0 {
                *sample += (self.gain * envelope(from_end) * self.voice.at(t.rem_euclid(period), top_hz)) as f32;
            }
        }
    }

    /// The pilot without ends from `seconds` of its time on: what a tracker compares with.
    pub(crate) fn endless(&self, seconds: f64, hz: f64, rate: Rate, out: &mut [f32]) {
        let top_hz = top_hz(rate);
        for (n, sample) in out.iter_mut().enumerate() {
            let t = (seconds + n as f64 / hz).rem_euclid(Self::PERIOD.as_secs_f64());
            *sample = (self.gain * self.voice.at(t, top_hz)) as f32;
        }
    }
}

fn envelope(from_end: f64) -> f64 {
    if from_end >= END_SECONDS { 1.0 } else { 0.5 * (1.0 - (std::f64::consts::PI * from_end / END_SECONDS).cos()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(seconds: f64, samples: usize) -> Vec<f32> {
        let mut out = vec![0.0; samples];
        Pilot::new(20_000).endless(seconds, 48_000.0, Rate::OPUS, &mut out);
        out
    }

    #[test]
    fn it_is_20_db_below_full_scale_and_never_clips() {
        let samples = rendered(0.0, 48_000 * 128);
        let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
        assert!((power.sqrt() - RMS).abs() < 0.001, "{}", power.sqrt());
        assert!(samples.iter().all(|x| x.abs() < 0.7));
    }

    #[test]
    fn it_goes_on_after_its_period_as_if_nothing_were() {
        let (across, begin) = (rendered(127.999, 96), rendered(0.0, 48));
        assert!(across[48..].iter().zip(&begin).all(|(a, b)| (a - b).abs() < 1e-6));
        let steepest = |samples: &[f32]| samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        assert!(steepest(&across[40..56]) <= steepest(&rendered(60.0, 48_000)));
    }

    #[test]
    fn it_begins_and_ends_where_it_is_told_and_between_is_what_it_always_is() {
        let mut out = vec![0.0; 4800];
        Pilot::new(20_000).add(-0.02, Some(0.06), Rate::OPUS, &mut out);
        let sounding: Vec<usize> = (0..out.len()).filter(|&n| out[n] != 0.0).collect();
        assert!(sounding[0] >= 960 && *sounding.last().unwrap() < 3840, "{sounding:?}");
        let endless = rendered(0.0, 2880);
        assert_eq!(out[960 + 300..3840 - 300], endless[300..2880 - 300]);
    }
}
