//! The test recording: every family's beeps, one family after another.

use std::path::Path;

use jiho_analysis::signal::{Code, Programme, Schedule, Signal as Rhythm, Waveform};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::wav::{RecordError, Recorder};

use super::FAMILIES;
use crate::experiment::Signal;

/// How many codes of a family take turns: what holds of one may not hold of all.
const CODES: u8 = 4;
/// Silence before the first beep and after the last: a recorder may start late.
const SILENCE: Nanos = Nanos::from_secs(1);
/// Every code sounds once at least.
pub const SHORTEST: Nanos = Nanos::from_secs(CODES as i64);

/// The codes that take turns.
pub fn codes() -> Vec<Code> {
    Code::all().take(usize::from(CODES)).collect()
}

/// What sounds when.
#[derive(Clone, Debug)]
pub struct Plan {
    programmes: Vec<Programme>,
    length: Nanos,
}

impl Plan {
    /// All families, each for this long; at least [`SHORTEST`]. Those without codes sound twice, however long that
    /// takes.
    pub fn new(each: Nanos) -> Self {
        let mut programmes = Vec::new();
        let mut start = RunTime::START + SILENCE;
        for family in FAMILIES {
            let rhythm = Rhythm::from(&Signal::of(family));
            let each = if family.is_coded() { each.max(SHORTEST) } else { rhythm.period + rhythm.period };
            programmes.extend(in_turns(&rhythm, start, each));
            start = start + each;
        }
        Self { programmes, length: start.since_start() + SILENCE }
    }

    /// How long it takes.
    pub fn length(&self) -> Nanos {
        self.length
    }

    /// How many beeps there are.
    pub fn beeps(&self) -> usize {
        self.programmes.iter().map(|programme| programme.emissions().len()).sum()
    }

    /// Fills `out` with the samples from `first` on.
    pub fn render(&self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        out.fill(0.0);
        let mut one = vec![0.0; out.len()];
        for programme in &self.programmes {
            programme.render(clock, first, &mut one);
            out.iter_mut().zip(&one).for_each(|(sum, sample)| *sum += sample);
        }
    }

    /// Writes it as a WAV file: mono, 16 bits.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path, rate: Rate) -> Result<(), RecordError> {
        let clock = SampleClock::new(RunTime::START, rate);
        let end = clock.first_sample_from(RunTime::START + self.length);
        let mut recorder = Recorder::create(path, rate)?;
        let mut samples = [0.0; 4096];
        let mut first = MediaTime(0);
        while first < end {
            let length = usize::try_from(end - first).unwrap_or(usize::MAX).min(samples.len());
            self.render(&clock, first, &mut samples[..length]);
            recorder.write(&samples[..length])?;
            first = first + length as i64;
        }
        recorder.finish()?;
        Ok(())
    }
}

/// One programme per code; a family without codes has one.
fn in_turns(rhythm: &Rhythm, start: RunTime, each: Nanos) -> Vec<Programme> {
    let codes = if rhythm.family.is_coded() { codes() } else { codes().into_iter().take(1).collect() };
    let turns = codes.len() as u32;
    (0u32..)
        .zip(codes)
        .map(|(turn, code)| {
            let waveform = Waveform::new(rhythm.family, code);
            let schedule = Schedule {
                start: start + waveform.before_mark(),
                period: rhythm.period,
                spread: rhythm.spread,
                slots: u32::try_from(each.0 / rhythm.period.0).unwrap_or(u32::MAX),
                cadence: rhythm.cadence,
                turns,
                turn,
                key: Schedule::TOGETHER,
                // Each family has instants of its own.
                first: (start.0 / rhythm.period.0).unsigned_abs(),
            };
            Programme::new(waveform, code, &schedule)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_sound_one_after_another_and_codes_take_turns() {
        let plan = Plan::new(Nanos::from_secs(8));
        assert_eq!(plan.length(), Nanos::from_secs(1 + 4 * 8 + 2 * 20 + 1));
        let mut marks: Vec<(RunTime, Code)> = Vec::new();
        for programme in &plan.programmes {
            marks.extend(programme.emissions().iter().map(|emission| (emission.at, programme.code())));
        }
        marks.sort();
        let apart = marks.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap();
        assert!(apart > Nanos::from_millis(600), "beeps of 400 ms must not overlap: {apart:?}");
        let turns: Vec<u8> = marks.iter().map(|(_, code)| code.number()).collect();
        assert_eq!(turns[..9], [0, 1, 2, 3, 0, 1, 2, 3, 0]);
        assert_eq!(plan.beeps(), 4 * 8 + 2 * 2);
    }
}
