//! One take of a cell: beeps rendered at known instants, sent along the way, heard as any recording is heard, and held
//! against the truth.

use jiho_analysis::arrivals::{Arrival, CodecLag, Recorder, Status, observe_through};
use jiho_analysis::hear::hear;
use jiho_analysis::metrics::PairDelays;
use jiho_analysis::signal::{Code, Programme, Signal, Waveform};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};

use super::Cell;
use super::biases::Biases;
use super::bound::bound_us;
use super::ways::{Coding, Heard, noise_rms};

/// Beeps begin within this time of their slot's start.
const SPREAD: Nanos = Nanos::from_millis(300);
/// Further from where a beep was a detection is of no beep, in µs.
const STRANGE_US: f64 = 1000.0;
/// Mouths whose sample 0 lies at an odd instant: beeps begin between samples.
const CLOCK: SampleClock = SampleClock::new(RunTime(-12_345_678), Rate::OPUS);

/// What was found in a take.
pub(super) struct Take {
    pub(super) beeps: Vec<Beep>,
    /// Sure detections where no beep was.
    pub(super) strangers: usize,
    /// By speaker: the drift that was measured, less the true one, in ppm; `None`: none was given.
    pub(super) drift_errors_ppm: Vec<Option<f64>>,
}

/// What was found of one beep.
pub(super) struct Beep {
    pub(super) status: Status,
    pub(super) coding: Coding,
    /// Measured less true delay, in µs; the middle of the true ones, where there are several. None if missing.
    pub(super) error_us: Option<f64>,
    /// The same for somebody who has not seen how the packets are coded.
    pub(super) unknown_us: Option<f64>,
    /// How far from the true delays, in µs.
    pub(super) off_us: f64,
    /// Half the stated 95 % interval, in µs.
    pub(super) half_us: f64,
    /// The Cramér–Rao bound, in µs, where white noise is all that disturbs.
    pub(super) bound_us: Option<f64>,
}

impl Beep {
    pub(super) const MISSING: Self = Self {
        status: Status::Missing,
        coding: Coding::Unknown,
        error_us: None,
        unknown_us: None,
        off_us: 0.0,
        half_us: 0.0,
        bound_us: None,
    };
}

impl Cell {
    /// Takes differ in codes, noise and luck.
    pub(super) fn take(&self, index: u32, biases: &Biases) -> anyhow::Result<Take> {
        let speakers = usize::from(self.way.speakers);
        let first = index as usize * speakers;
        let all: Vec<Code> = Code::all().collect();
        let codes: Vec<Code> = (first..first + speakers).map(|n| all[n % all.len()]).collect();
        let sound = Waveform::new(self.family, codes[0]).after_mark();
        let period = SPREAD + sound + self.pause;
        let signal = Signal { family: self.family, period, spread: SPREAD, ..Signal::VOICED };
        let duration = Nanos(period.0 * i64::from(self.beeps));
        let programmes = signal.programmes(&codes, RunTime::START, duration);
        let samples = Rate::OPUS.samples(duration + Nanos::from_secs(1)) as usize / 960 * 960;
        let voices = programmes.iter().map(|programme| self.voice(programme, samples)).collect();
        let heard = self.way.carry(voices, u64::from(self.seed) << 32 | u64::from(index))?;
        let detections = hear(&heard.sound, Rate::OPUS, self.family, &codes);
        let samples = samples as i64;
        let recorder = Recorder { clock: CLOCK, clock_error: Nanos::ZERO, samples, codec_sd: Nanos::ZERO };
        let other = self.way.other_lag();
        let mut take = Take { beeps: Vec::new(), strangers: 0, drift_errors_ppm: Vec::new() };
        for (speaker, programme) in programmes.iter().enumerate() {
            let own: Vec<_> = detections.iter().copied().filter(|d| d.code == programme.code()).collect();
            let (known, unknown): (Vec<CodecLag>, Vec<CodecLag>) = programme
                .emissions()
                .iter()
                .map(|emission| {
                    let from = self.position(emission.at);
                    let [known, unknown] =
                        heard.lags(speaker, from, from + Rate::OPUS.samples(sound), self.family, biases);
                    (known + other, unknown + other)
                })
                .unzip();
            let (observations, arrivals) = observe_through(programme.emissions(), &known, &own, &recorder);
            let strange =
                |arrival: &&Arrival| arrival.detection.is_sure() && !self.was_there(arrival, programme, &heard);
            take.strangers += arrivals.iter().filter(strange).count();
            let drift_ppm = PairDelays::of(&observations).drift_ppm;
            take.drift_errors_ppm.push(drift_ppm.map(|ppm| ppm - self.way.clock_ppm));
            let bound_us = self.way.only_noise_db().map(|db| bound_us(self.family, programme.code(), noise_rms(db)));
            take.beeps.extend(observations.iter().zip(known.iter().zip(&unknown)).map(|(observation, lags)| {
                let from = self.position(observation.emission.at);
                let to = from + Rate::OPUS.samples(sound);
                let (low, high) = truth(&heard, from, to);
                let coding = heard.coding(speaker, from, to);
                let missing = Beep { status: observation.status, coding, bound_us, ..Beep::MISSING };
                let Some(delay) = observation.delay else { return missing };
                let value = micros(delay.value);
                let error_us = value - (low + high) / 2.0;
                Beep {
                    error_us: Some(error_us),
                    unknown_us: Some(error_us + micros(lags.0.bias - lags.1.bias)),
                    off_us: (low - value).max(value - high).max(0.0),
                    half_us: micros(delay.high - delay.low) / 2.0,
                    ..missing
                }
            }));
        }
        Ok(take)
    }

    /// Whether a beep arrived at that time.
    fn was_there(&self, arrival: &Arrival, programme: &Programme, heard: &Heard) -> bool {
        let length = Rate::OPUS.samples(Waveform::new(self.family, programme.code()).after_mark());
        programme.emissions().iter().any(|emission| {
            let from = self.position(emission.at);
            let (low, high) = truth(heard, from, from + length);
            let late = micros(arrival.at - emission.at);
            (low - STRANGE_US..=high + self.way.echoes_us() + STRANGE_US).contains(&late)
        })
    }

    /// Where in a mouth's sound an instant lies, by a clock that may be fast or slow.
    fn position(&self, at: RunTime) -> f64 {
        CLOCK.position(at) * (1.0 + self.way.clock_ppm * 1e-6)
    }

    fn voice(&self, programme: &Programme, samples: usize) -> Vec<f32> {
        let mut voice = vec![0.0; samples];
        if self.way.clock_ppm == 0.0 {
            programme.render(&CLOCK, MediaTime(0), &mut voice);
            return voice;
        }
        // Sample by sample: a beep is a function of continuous time, and no rate in whole Hz is off by a few ppm.
        let waveform = Waveform::new(self.family, programme.code());
        let hz = Rate::OPUS.hz() * (1.0 + self.way.clock_ppm * 1e-6);
        for emission in programme.emissions() {
            let start = self.position(emission.at);
            let count = (waveform.after_mark().as_secs_f64() * hz).ceil() as usize;
            for n in start.ceil() as usize..=start.ceil() as usize + count {
                if let Some(sample) = voice.get_mut(n) {
                    waveform.add((n as f64 - start) / hz, Rate::OPUS, std::slice::from_mut(sample));
                }
            }
        }
        voice
    }
}

/// The lowest and the highest true delay of what lies between two positions in a mouth's sound, in µs.
fn truth(heard: &Heard, from: f64, to: f64) -> (f64, f64) {
    let (low, high) = heard.late(from, to);
    let micros = |samples: f64| samples / Rate::OPUS.hz() * 1e6;
    (micros(low), micros(high))
}

fn micros(span: Nanos) -> f64 {
    span.0 as f64 / 1000.0
}
