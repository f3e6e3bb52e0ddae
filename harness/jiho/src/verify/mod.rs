//! How good is this instrument? Known truth against what was measured, cell by cell.
//!
//! A cell is a way that sound takes: beeps are rendered at known instants between samples, sent along the way, heard as
//! any recording is heard, and compared with the truth, which comes from construction alone.

mod cells;
mod ways;

use jiho_analysis::arrivals::{Recorder, Status, UNKNOWN_CODEC_SD, observe};
use jiho_analysis::hear::hear;
use jiho_analysis::signal::{Code, Family, Signal, Waveform};
use jiho_analysis::stats;
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use rayon::prelude::*;
use serde::Serialize;

pub use cells::{all, quick};
pub use ways::Way;

/// A figure is wrong if it is this far from the truth.
const WRONG: Nanos = Nanos::from_micros(100);

/// One way to be verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The family of time signals.
    pub family: Family,
    /// The way that sound takes.
    pub way: Way,
    /// How many beeps of each speaker.
    pub beeps: u32,
    /// What must hold.
    pub goal: Goal,
}

/// What must hold of a cell. No beep may ever be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// Of all beeps, so many must be heard.
    pub heard_ratio: f64,
    /// The bias must be within this, in µs; `None`: any.
    pub bias_us: Option<f64>,
    /// The standard deviation must be within this, in µs; `None`: any.
    pub spread_us: Option<f64>,
    /// The root mean square error over the Cramér–Rao bound must be within this; `None`: any.
    pub over_bound: Option<f64>,
}

/// What was found in a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The family of time signals.
    pub family: Family,
    /// The way, in words.
    pub way: String,
    /// Beeps sent.
    pub beeps: usize,
    /// Beeps found, surely or weakly.
    pub heard: usize,
    /// Beeps that were given a delay more than 0.1 ms from the truth.
    pub wrong: usize,
    /// Detections that belong to no beep.
    pub strangers: usize,
    /// The median error, in µs.
    pub bias_us: Option<f64>,
    /// The errors' standard deviation, in µs.
    pub spread_us: Option<f64>,
    /// Root mean square error over the Cramér–Rao bound, where noise is all that disturbs.
    pub over_bound: Option<f64>,
    /// How often the truth lies inside the stated 95 % interval.
    pub covered: Option<f64>,
    /// What had to hold.
    pub goal: Goal,
    /// Whether it does.
    pub passed: bool,
}

/// Verifies cells on all processors; `done` is called after each.
pub fn verify(cells: &[Cell], done: &(dyn Fn() + Sync)) -> anyhow::Result<Vec<Figures>> {
    cells
        .par_iter()
        .enumerate()
        .map(|(index, cell)| {
            let figures = cell.figures(index as u64);
            done();
            figures
        })
        .collect()
}

impl Cell {
    fn figures(&self, seed: u64) -> anyhow::Result<Figures> {
        let speakers = usize::from(self.way.speakers());
        // Different cells try different codes.
        let from = seed as usize * 8 % usize::from(Code::COUNT);
        let codes: Vec<Code> = Code::all().skip(from).take(speakers).collect();
        let signal = Signal { family: self.family, ..Signal::VOICED };
        let duration = Nanos::from_secs(i64::from(self.beeps));
        // Mouths whose sample 0 lies at odd instants: beeps begin between samples.
        let clock = SampleClock { start: RunTime(-12_345_678), rate: Rate::OPUS };
        let programmes = signal.programmes(&codes, RunTime::START, duration);
        let samples = Rate::OPUS.samples(duration + Nanos::from_secs(1)) as usize / 960 * 960;
        let voices: Vec<Vec<f32>> = programmes
            .iter()
            .map(|programme| {
                let mut voice = vec![0.0; samples];
                programme.render(&clock, MediaTime(0), &mut voice);
                voice
            })
            .collect();
        let heard = self.way.carry(voices, seed)?;
        let detections = hear(&heard, Rate::OPUS, self.family, &codes);
        let recorder =
            Recorder { clock, clock_error: Nanos::ZERO, samples: samples as i64, codec_sd: self.way.codec_sd() };
        let truth = Rate::OPUS.span(self.way.delay_samples());
        let (mut errors, mut covered, mut expected, mut strangers) = (Vec::new(), 0usize, 0usize, 0usize);
        for programme in &programmes {
            let own: Vec<_> = detections.iter().copied().filter(|d| d.code == programme.code()).collect();
            let (observations, arrivals) = observe(programme.emissions(), &own, &recorder);
            expected += observations.len();
            strangers += arrivals.iter().filter(|a| a.beep.is_none() && a.detection.is_sure()).count();
            for observation in observations.iter().filter(|o| o.status != Status::Missing) {
                let Some(delay) = observation.delay else { continue };
                errors.push((delay.value - truth).0 as f64 / 1000.0);
                covered += usize::from(delay.low <= truth && truth <= delay.high);
            }
        }
        let wrong = errors.iter().filter(|error| error.abs() > WRONG.0 as f64 / 1000.0).count();
        let count = errors.len() as f64;
        let mean_square = errors.iter().map(|error| error * error).sum::<f64>() / count;
        let bound_us = self.way.noise_rms().map(|noise| self.bound_us(&codes, noise));
        let mut figures = Figures {
            family: self.family,
            way: self.way.to_string(),
            beeps: expected,
            heard: errors.len(),
            wrong,
            strangers,
            bias_us: stats::median(&errors),
            spread_us: (count > 1.0).then(|| {
                let mean = errors.iter().sum::<f64>() / count;
                (errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
            }),
            over_bound: bound_us.map(|bound| mean_square.sqrt() / bound).filter(|ratio| ratio.is_finite()),
            covered: (count > 0.0).then(|| covered as f64 / count),
            goal: self.goal,
            passed: false,
        };
        figures.passed = figures.meets(&self.goal);
        Ok(figures)
    }

    /// The Cramér–Rao bound in white noise: σ / √Σ s′² (Kay, Fundamentals of Statistical Signal Processing, vol. I,
    /// section 3.11), from the rendered waveform itself, as the mean over codes.
    fn bound_us(&self, codes: &[Code], noise_rms: f64) -> f64 {
        let bound = |code: &Code| {
            let waveform = Waveform::new(self.family, *code);
            let length = Rate::OPUS.samples(waveform.after_mark()) as usize;
            // The derivative by central differences at 16 times the rate, where the waveform is smooth.
            let fine = Rate(Rate::OPUS.0 * 16);
            let mut samples = vec![0.0f32; length * 16 + 2];
            waveform.add(-1.0 / fine.hz(), fine, &mut samples);
            let slopes = samples.windows(3).step_by(16).map(|w| f64::from(w[2] - w[0]) / 2.0 * fine.hz());
            noise_rms / slopes.map(|slope| slope * slope).sum::<f64>().sqrt() * 1e6
        };
        codes.iter().map(bound).sum::<f64>() / codes.len() as f64
    }
}

impl Figures {
    fn meets(&self, goal: &Goal) -> bool {
        let within = |figure: Option<f64>, limit: Option<f64>| match (figure, limit) {
            (_, None) => true,
            (Some(figure), Some(limit)) => figure.abs() <= limit,
            (None, Some(_)) => false,
        };
        self.wrong == 0
            && self.strangers == 0
            && self.heard as f64 >= goal.heard_ratio * self.beeps as f64
            && within(self.bias_us, goal.bias_us)
            && within(self.spread_us, goal.spread_us)
            && within(self.over_bound, goal.over_bound)
    }
}

/// The codec's share of a stated interval, where the way has a codec.
const CODEC_SD: Nanos = UNKNOWN_CODEC_SD;

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        Figures {
            family: Family::Voiced,
            way: String::new(),
            beeps: 100,
            heard: 100,
            wrong: 0,
            strangers: 0,
            bias_us: Some(-10.0),
            spread_us: Some(5.0),
            over_bound: None,
            covered: Some(0.95),
            goal: Goal { heard_ratio: 0.99, bias_us: Some(20.0), spread_us: Some(10.0), over_bound: None },
            passed: true,
        }
    }

    #[test]
    fn a_goal_is_missed_by_any_of_its_figures() {
        let goal = figures().goal;
        assert!(figures().meets(&goal));
        for worse in [
            Figures { heard: 98, ..figures() },
            Figures { wrong: 1, ..figures() },
            Figures { strangers: 1, ..figures() },
            Figures { bias_us: Some(-20.5), ..figures() },
            Figures { spread_us: Some(10.5), ..figures() },
            Figures { spread_us: None, ..figures() },
        ] {
            assert!(!worse.meets(&goal), "{worse:?}");
        }
        assert!(!figures().meets(&Goal { over_bound: Some(1.1), ..goal }), "a figure that is missing meets no limit");
    }

    #[test]
    fn a_way_that_is_later_than_it_says_is_found_out() {
        let goal = Goal { heard_ratio: 1.0, bias_us: Some(35.0), spread_us: None, over_bound: None };
        let cell = Cell { family: Family::Voiced, way: Way::Noise { snr_db: 20.0 }, beeps: 6, goal };
        let figures = cell.figures(0).map(|figures| (figures.bias_us, figures.passed));
        let (bias_us, passed) = figures.unwrap();
        assert!(passed && bias_us.unwrap().abs() < 1.0, "{bias_us:?}");
        let cell = Cell { way: Way::Room { reverberation_ms: 200, direct_db: -20.0 }, ..cell };
        assert!(!cell.figures(0).unwrap().passed, "a room that drowns the direct sound must not pass");
    }
}
