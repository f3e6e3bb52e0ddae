//! Hearing at once: for somebody who sings on what is heard, and cannot wait for certainty.
//!
//! [`Hearing`](super::Hearing) takes seconds of sound together, and waits for what else may sound beside a signal. Here a
//! signal is known about 40 ms after its last sample: whatever correlates well enough and better than all near it. Other
//! codes that sound at the same time are not taken out, so that up to about ten voices are told apart, each within a few
//! hundredths of a millisecond.

use std::collections::VecDeque;

use super::bank::Bank;
use crate::signal::{Code, Family, Waveform};
use crate::units::Rate;

/// What is less alike is not believed: two codes that sound at once reach 0.18 at most.
const LEAST_SCORE: f32 = 0.3;
/// The sound is looked at this often …
const LOOK_SECONDS: f64 = 0.020;
/// … and a peak is the highest this far to both sides.
const ALONE_SECONDS: f64 = 0.016;
/// Below −100 dBFS there is nothing but rounding.
const LEAST_POWER: f64 = 1e-10;

/// Listens for codes at one ear as it plays.
pub struct Live {
    codes: Vec<Code>,
    bank: Bank,
    /// The last block of sound.
    sound: VecDeque<f32>,
    /// Samples taken.
    taken: i64,
    /// Samples taken since it was looked at.
    unseen: usize,
    /// How often it is looked at, in samples.
    look: usize,
    /// At the decimated rate.
    alone: usize,
}

/// A time signal that has just been heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeardNow {
    /// Whose.
    pub code: Code,
    /// Where it began, in samples of the recording.
    pub position: f64,
    /// The normalised correlation coefficient, 0 to 1.
    pub score: f64,
}

impl Live {
    /// Listens for some codes of a coded family in sound at `rate`.
    pub fn new(rate: Rate, family: Family, codes: &[Code]) -> Self {
        let templates: Vec<Vec<f32>> = codes.iter().map(|&code| Waveform::new(family, code).template(rate).0).collect();
        let decimated = |seconds: f64, decimation: usize| (seconds * rate.hz() / decimation as f64).ceil() as usize;
        // What is looked at for the first time, what may be greater behind it, and what was before it.
        let values = |decimation| 2 * decimated(LOOK_SECONDS, decimation) + decimated(ALONE_SECONDS, decimation);
        let bank = Bank::prompt(rate, &templates, values(Bank::decimation_at(rate)));
        let (look, alone) = (decimated(LOOK_SECONDS, 1), decimated(ALONE_SECONDS, bank.decimation()));
        let sound = std::iter::repeat_n(0.0, bank.block_len()).collect();
        Self { codes: codes.to_vec(), bank, sound, taken: 0, unseen: 0, look, alone }
    }

    /// Takes samples, and gives what is known with them, by code.
    pub fn push(&mut self, samples: &[f32]) -> Vec<HeardNow> {
        let mut heard = Vec::new();
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.look - self.unseen));
            self.sound.drain(..now.len());
            self.sound.extend(now);
            self.taken += now.len() as i64;
            self.unseen += now.len();
            rest = later;
            if self.unseen == self.look {
                self.unseen = 0;
                self.look_at(&mut heard);
            }
        }
        heard
    }

    fn look_at(&mut self, heard: &mut Vec<HeardNow>) {
        self.bank.look_at(self.sound.iter().copied());
        let (terms, decimation) = (self.bank.template_len(), self.bank.decimation());
        let mut energy = 0.0;
        let before: Vec<f64> = std::iter::once(0.0)
            .chain(self.bank.signal().iter().map(|sample| {
                energy += f64::from(sample.re).powi(2);
                energy
            }))
            .collect();
        // A peak has to be seen whole: what follows it counts, too.
        let (end, look) = (self.bank.hop(), self.look / decimation);
        let judged = end - self.alone - look..end - self.alone;
        let begins = self.taken - self.bank.block_len() as i64;
        for (n, &code) in self.codes.iter().enumerate() {
            let correlation = self.bank.correlation(n);
            let height = |lag: usize| correlation[lag].re.abs();
            for lag in judged.clone() {
                let energy = (before[lag + terms] - before[lag]).max(LEAST_POWER * terms as f64);
                let score = height(lag) / energy.sqrt() as f32;
                if score < LEAST_SCORE {
                    continue;
                }
                let around = lag.saturating_sub(self.alone)..=lag + self.alone;
                if around.clone().any(|other| height(other) > height(lag)) {
                    continue;
                }
                let [left, top, right] = [lag - 1, lag, lag + 1].map(|lag| f64::from(height(lag)));
                let bend = left - 2.0 * top + right;
                let between = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
                let position = begins as f64 + (lag as f64 + between) * decimation as f64;
                heard.push(HeardNow { code, position, score: f64::from(score) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::OPUS;

    fn codes() -> Vec<Code> {
        [3, 17, 40].into_iter().filter_map(Code::new).collect()
    }

    /// What is heard of sound that comes in pieces, and how many samples had been taken when it was.
    fn listen(samples: &[f32], family: Family) -> Vec<(HeardNow, i64)> {
        let mut live = Live::new(RATE, family, &codes());
        let mut taken = 0;
        samples
            .chunks(480)
            .flat_map(|piece| {
                taken += piece.len() as i64;
                live.push(piece).into_iter().map(|heard| (heard, taken)).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn three_voices_at_once_are_heard_soon_after_each_is_over_and_where_they_are() {
        for family in [Family::Voiced, Family::Noise, Family::VoicedRobust] {
            let mut samples = vec![0.0; 5 * 48_000];
            let mut sung = Vec::new();
            for beat in 0..8 {
                for (voice, &code) in codes().iter().enumerate() {
                    let at = 10_000.3 + 25_000.0 * f64::from(beat) + 1234.7 * voice as f64;
                    Waveform::new(family, code).add(-at / RATE.hz(), RATE, &mut samples);
                    sung.push((code, at));
                }
            }
            let heard = listen(&samples, family);
            assert_eq!(heard.len(), sung.len(), "{family}: {heard:?}");
            let length = RATE.samples(Waveform::new(family, codes()[0]).after_mark());
            for (code, at) in sung {
                let is_it = |(now, _): &&(HeardNow, i64)| now.code == code && (now.position - at).abs() < 480.0;
                let (now, taken) = heard.iter().find(is_it).unwrap();
                assert!((now.position - at).abs() < 2.5, "{family} {code}: {} off", now.position - at);
                let late_ms = (*taken as f64 - at - length) / 48.0;
                assert!((0.0..60.0).contains(&late_ms), "{family}: {late_ms} ms after its end");
            }
        }
    }

    #[test]
    fn other_voices_and_noise_are_nobody() {
        let mut samples = vec![0.0; 3 * 48_000];
        for (n, code) in Code::all().filter(|code| !codes().contains(code)).step_by(6).enumerate() {
            Waveform::new(Family::Voiced, code).add(-(0.2 + 0.25 * n as f64), RATE, &mut samples);
        }
        let mut state = 1u32;
        for sample in &mut samples {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += 0.02 * ((state >> 8) as f32 / 8_388_608.0 - 1.0);
        }
        assert_eq!(listen(&samples, Family::Voiced), []);
    }
}
