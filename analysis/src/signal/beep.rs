//! What the beeps of all codes share: a length, a level, and ends without a click.

use std::f64::consts::PI;

use crate::units::{Nanos, Rate};

/// Raised-cosine ends.
const END_SECONDS: f64 = 0.006;
/// −20 dBFS.
const RMS: f64 = 0.1;

/// A beep, but for its shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beep {
    length: Nanos,
    gain: f64,
}

impl Beep {
    /// A beep of `length`, not yet brought to its level.
    pub(super) fn of(length: Nanos) -> Self {
        Self { length, gain: 1.0 }
    }

    pub(super) fn length(&self) -> Nanos {
        self.length
    }

    /// The same beep at −20 dBFS RMS, given what renders it whole from its start on.
    pub(super) fn levelled(self, render: impl Fn(Self, Rate, &mut [f32])) -> Self {
        let mut samples = vec![0.0f32; Rate::OPUS.samples(self.length) as usize];
        render(self, Rate::OPUS, &mut samples);
        let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64;
        Self { gain: RMS / power.sqrt(), ..self }
    }

    /// Adds the beep to `out`, whose first sample is `seconds` after the beep's start. `shape` gives its value at a
    /// time in seconds, from 0 to below its length.
    pub(super) fn add(&self, seconds: f64, rate: Rate, out: &mut [f32], shape: impl Fn(f64) -> f64) {
        let length = self.length.as_secs_f64();
        let step = 1.0 / rate.hz();
        let first = (-seconds * rate.hz()).ceil().max(0.0) as usize;
        for (n, sample) in out.iter_mut().enumerate().skip(first) {
            let t = seconds + n as f64 * step;
            if t >= length {
                break;
            }
            *sample += (self.gain * envelope(t, length) * shape(t)) as f32;
        }
    }

    /// What brings its shape to its level.
    #[cfg(test)]
    pub(super) fn gain(&self) -> f64 {
        self.gain
    }
}

fn envelope(t: f64, length: f64) -> f64 {
    let from_end = t.min(length - t);
    if from_end >= END_SECONDS { 1.0 } else { 0.5 * (1.0 - (PI * from_end / END_SECONDS).cos()) }
}

#[cfg(test)]
mod tests {
    use crate::signal::{Code, Family, Waveform};
    use crate::units::Rate;

    fn coded() -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(|family| family.is_coded())
    }

    fn waveform(family: Family, number: u8) -> Waveform {
        Waveform::new(family, Code::new(number).unwrap())
    }

    #[test]
    fn every_code_is_20_db_below_full_scale_and_never_clips() {
        for family in coded() {
            for code in Code::all() {
                let beep = Waveform::new(family, code);
                let mut samples = vec![0.0; Rate::OPUS.samples(beep.after_mark()) as usize];
                beep.add(0.0, Rate::OPUS, &mut samples);
                let rms = (samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32).sqrt();
                assert!((rms - 0.1).abs() < 1e-4, "{family} {code}: {rms}");
                assert!(samples.iter().all(|x| x.abs() < 0.7), "{family} {code} peaks too high");
            }
        }
    }

    #[test]
    fn a_beep_rendered_in_pieces_equals_the_whole() {
        for family in coded() {
            let mut whole = vec![0.0; 24_000];
            waveform(family, 3).add(-0.01, Rate::OPUS, &mut whole);
            let mut pieces = vec![0.0; 24_000];
            for (n, piece) in pieces.chunks_mut(777).enumerate() {
                waveform(family, 3).add(-0.01 + (n * 777) as f64 / 48_000.0, Rate::OPUS, piece);
            }
            let worst = whole.iter().zip(&pieces).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "{family}: {worst}");
        }
    }

    #[test]
    fn nothing_sounds_outside_the_beep() {
        for family in coded() {
            let beep = waveform(family, 1);
            let mut samples = vec![0.0; 48_000];
            beep.add(-0.1, Rate::OPUS, &mut samples);
            let end = 4800 + Rate::OPUS.samples(beep.after_mark()) as usize;
            assert!(samples[..4800].iter().all(|&x| x == 0.0), "{family}");
            assert!(samples[end..].iter().all(|&x| x == 0.0), "{family}");
            assert!(samples[4900..end - 100].chunks(100).all(|chunk| chunk.iter().any(|x| x.abs() > 1e-3)), "{family}");
        }
    }
}
