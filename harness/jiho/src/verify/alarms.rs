//! False alarms: hours of speech, and of codes that are not listened for. Nothing there is a beep of ours.

use jiho_analysis::hear::Hearing;
use jiho_analysis::signal::{Code, Family, Waveform};
use jiho_analysis::units::Rate;
use rayon::prelude::*;
use serde::Serialize;

use super::ways::{Luck, lacking, speech};

/// Codes that are listened for.
const LISTENED: u8 = 8;
/// What is heard at a time, by one processor.
const STRETCH_SECONDS: u32 = 600;
const SECOND: usize = 48_000;

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// Speech by espeak-ng: many voices, languages, speeds and pitches, as loud as speech is.
    Speech,
    /// Beeps of the family's other codes, up to four at once.
    OtherCodes,
}

/// What was found where there is nothing to be found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alarms {
    /// The family of time signals that was listened for.
    pub family: Family,
    /// In what.
    pub sound: Sound,
    /// Why there are no figures: something is missing here.
    pub not_run: Option<String>,
    /// How long.
    pub hours: f64,
    /// How many codes.
    pub codes: u8,
    /// Detections that were sure by themselves: none should be.
    pub sure: usize,
    /// Detections that would be believed if neighbours agreed.
    pub possible: usize,
}

/// Listens to a sound for so many seconds, on all processors, in bounded memory; `done` is called after each stretch of
/// at most ten minutes.
pub fn listen(family: Family, sound: Sound, seconds: u32, done: &(dyn Fn() + Sync)) -> anyhow::Result<Alarms> {
    let alarms = |not_run: Option<&str>, hours, sure, possible| {
        let not_run = not_run.map(ToOwned::to_owned);
        Alarms { family, sound, not_run, hours, codes: LISTENED, sure, possible }
    };
    if sound == Sound::Speech
        && let Some(reason) = lacking()
    {
        return Ok(alarms(Some(reason), 0.0, 0, 0));
    }
    let stretches: Vec<u32> = (0..seconds).step_by(STRETCH_SECONDS as usize).collect();
    let counts: Vec<(usize, usize)> = stretches
        .par_iter()
        .map(|&from| {
            let counts = stretch(family, sound, from, STRETCH_SECONDS.min(seconds - from));
            done();
            counts
        })
        .collect::<anyhow::Result<_>>()?;
    let (sure, possible) = counts.iter().fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    Ok(alarms(None, f64::from(seconds) / 3600.0, sure, possible))
}

/// How many stretches `listen` has.
pub fn stretches(seconds: u32) -> u32 {
    seconds.div_ceil(STRETCH_SECONDS)
}

fn stretch(family: Family, sound: Sound, seed: u32, seconds: u32) -> anyhow::Result<(usize, usize)> {
    let codes: Vec<Code> = Code::all().take(LISTENED.into()).collect();
    let mut hearing = Hearing::new(Rate::OPUS, family, &codes);
    let mut luck = Luck::new(u64::from(seed));
    let mut source = match sound {
        Sound::Speech => Source::Speech,
        Sound::OtherCodes => Source::others(family),
    };
    let (mut sure, mut possible, mut left) = (0, 0, seconds as usize * SECOND);
    let mut count = |detections: &[jiho_analysis::hear::Detection]| {
        sure += detections.iter().filter(|detection| detection.is_sure()).count();
        possible += detections.iter().filter(|detection| detection.is_possible()).count();
    };
    while left > 0 {
        let mut piece = source.next(&mut luck)?;
        piece.truncate(left);
        left -= piece.len();
        count(&hearing.push(&piece));
    }
    count(&hearing.finish());
    Ok((sure, possible))
}

enum Source {
    Speech,
    Others(Vec<Vec<f32>>),
}

impl Source {
    fn others(family: Family) -> Self {
        let beeps = Code::all().skip(LISTENED.into()).map(|code| {
            let waveform = Waveform::new(family, code);
            let mut beep = vec![0.0; Rate::OPUS.samples(waveform.after_mark()) as usize];
            waveform.add(0.0, Rate::OPUS, &mut beep);
            beep
        });
        Self::Others(beeps.collect())
    }

    fn next(&mut self, luck: &mut Luck) -> anyhow::Result<Vec<f32>> {
        match self {
            Self::Speech => speech(luck),
            Self::Others(beeps) => {
                let mut second = vec![0.0f32; SECOND];
                for _ in 0..1 + luck.below(4) {
                    let beep = &beeps[luck.below(beeps.len())];
                    let at = luck.below(SECOND - beep.len());
                    second[at..].iter_mut().zip(beep).for_each(|(sum, sample)| *sum += sample);
                }
                Ok(second)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beeps_of_the_codes_that_are_listened_for_would_be_counted() {
        let own = Waveform::new(Family::Voiced, Code::new(3).unwrap());
        let mut samples = vec![0.0; SECOND];
        own.add(-0.3, Rate::OPUS, &mut samples);
        let codes: Vec<Code> = Code::all().take(LISTENED.into()).collect();
        let sure = |samples: &[f32]| {
            let detections = jiho_analysis::hear::hear(samples, Rate::OPUS, Family::Voiced, &codes);
            detections.iter().filter(|detection| detection.is_sure()).count()
        };
        assert_eq!(sure(&samples), 1);
        let others = listen(Family::Voiced, Sound::OtherCodes, 20, &|| {}).unwrap();
        assert_eq!((others.sure, others.hours), (0, 20.0 / 3600.0));
    }
}
