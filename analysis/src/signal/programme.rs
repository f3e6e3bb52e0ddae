//! What one speaker plays through a run.

use super::{Cadence, Code, Emission, Family, Pilot, Schedule, Waveform};
use crate::units::{MediaTime, Nanos, RunTime, SampleClock};

/// Which time signal is played, and in what rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The family of time signals.
    pub family: Family,
    /// One beep in each period.
    pub period: Nanos,
    /// Beeps begin within this time of their period's start.
    pub spread: Nanos,
    /// All speakers sound at the same instants, told apart by code alone. Ignored by signals without a code, whose
    /// speakers take turns.
    pub together: bool,
    /// Which periods have a beep.
    pub cadence: Cadence,
}

impl Signal {
    /// The default: a coded voice of 200 ms once a second, everybody at the same instants.
    pub const VOICED: Self = Self {
        family: Family::Voiced,
        period: Nanos::from_secs(1),
        spread: Nanos::from_millis(300),
        together: true,
        cadence: Cadence::Every,
    };

    /// A pilot, whose marks are its seconds.
    pub const PILOT: Self =
        Self { family: Family::Pilot, period: Pilot::MARK_EVERY, spread: Nanos::ZERO, ..Self::VOICED };

    /// The programmes of all speakers, in the order of `codes`, for beeps whose whole sound lies between `start` and
    /// `start + duration`.
    pub fn programmes(&self, codes: &[Code], start: RunTime, duration: Nanos) -> Vec<Programme> {
        let takes_turns = !self.family.is_coded();
        (0u32..)
            .zip(codes)
            .map(|(turn, &code)| {
                let waveform = Waveform::new(self.family, code);
                let sound = self.spread + waveform.before_mark() + waveform.after_mark();
                let slots = (duration - sound).0.div_euclid(self.period.0) + 1;
                let schedule = Schedule {
                    start: start + waveform.before_mark(),
                    period: self.period,
                    spread: self.spread,
                    slots: slots.clamp(0, i64::from(u32::MAX)) as u32,
                    cadence: self.cadence,
                    turns: if takes_turns { codes.len() as u32 } else { 1 },
                    turn: if takes_turns { turn } else { 0 },
                    key: if self.together { Schedule::TOGETHER } else { Schedule::own_key(code) },
                    first: 0,
                };
                Programme::new(waveform, code, &schedule)
            })
            .collect()
    }
}

/// A speaker's time signal: which waveform sounds when.
#[derive(Clone, Debug)]
pub struct Programme {
    waveform: Waveform,
    code: Code,
    emissions: Vec<Emission>,
}

impl Programme {
    /// A waveform on a schedule.
    pub fn new(waveform: Waveform, code: Code, schedule: &Schedule) -> Self {
        Self { waveform, code, emissions: schedule.emissions().collect() }
    }

    /// The same voice, which sounds no beep yet.
    pub fn silent(&self) -> Self {
        Self { waveform: self.waveform.clone(), code: self.code, emissions: Vec::new() }
    }

    /// Lets it sound one more beep, not earlier than those that it has.
    pub fn add(&mut self, emission: Emission) {
        self.emissions.push(emission);
    }

    /// How long each beep sounds from its mark on.
    pub fn after_mark(&self) -> Nanos {
        self.waveform.after_mark()
    }

    /// The speaker's code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Its beeps, in order of time.
    pub fn emissions(&self) -> &[Emission] {
        &self.emissions
    }

    /// What each beep is.
    pub fn waveform(&self) -> &Waveform {
        &self.waveform
    }

    /// Fills `out` with the samples from `first` on, by the mouth's clock; silence between beeps. A pilot sounds from
    /// its first mark until a second after its last. Sound is laid where the clock says that `first` is, and from there on
    /// at the claimed rate: keep `out` short where the clock has a skew.
    pub fn render(&self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        out.fill(0.0);
        if let (Waveform::Pilot(pilot), [begin, ..]) = (&self.waveform, &self.emissions[..]) {
            let seconds = (first.0 as f64 - clock.position(begin.at)) / clock.hz();
            let length = self.emissions.last().map_or(Nanos::ZERO, |last| last.at - begin.at) + Pilot::MARK_EVERY;
            pilot.add(seconds, Some(length.as_secs_f64()), clock.rate, out);
            return;
        }
        let from = clock.time(first) - self.waveform.after_mark();
        let to = clock.time(first + out.len() as i64) + self.waveform.before_mark();
        let begin = self.emissions.partition_point(|e| e.at < from);
        for emission in self.emissions[begin..].iter().take_while(|e| e.at < to) {
            let seconds = (first.0 as f64 - clock.position(emission.at)) / clock.hz();
            self.waveform.add(seconds, clock.rate, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    fn sounding(programme: &Programme, seconds: usize) -> Vec<usize> {
        let clock = SampleClock::new(RunTime::START, Rate::OPUS);
        let mut samples = vec![0.0; 48_000 * seconds];
        for (n, frame) in samples.chunks_mut(960).enumerate() {
            programme.render(&clock, MediaTime(n as i64 * 960), frame);
        }
        (0..samples.len()).filter(|&n| samples[n].abs() > 1e-3).collect()
    }

    #[test]
    fn speakers_of_a_chorus_sound_at_the_same_instants_and_differently() {
        let codes = [Code::new(0).unwrap(), Code::new(1).unwrap()];
        let [a, b] = &Signal::VOICED.programmes(&codes, RunTime::START, Nanos::from_secs(5))[..] else { panic!() };
        assert_eq!(a.emissions(), b.emissions());
        assert_eq!(a.emissions().len(), 5);
        assert_ne!(sounding(a, 1), sounding(b, 1));
    }

    #[test]
    fn a_programme_sounds_within_its_time_only() {
        let start = RunTime(1_000_000_000);
        let programme = &Signal::VOICED.programmes(&[Code::new(7).unwrap()], start, Nanos::from_secs(3))[0];
        let sounding = sounding(programme, 6);
        assert!(*sounding.first().unwrap() >= 48_000);
        assert!(*sounding.last().unwrap() < 4 * 48_000);
    }

    #[test]
    fn a_pilot_sounds_throughout_its_time_and_has_a_mark_each_second() {
        let start = RunTime(1_000_010_000);
        let programme = &Signal::PILOT.programmes(&[Code::new(7).unwrap()], start, Nanos::from_millis(3_500))[0];
        assert_eq!(
            programme.emissions().iter().map(|e| (e.at - start).0).collect::<Vec<_>>(),
            [0, 1, 2].map(|s| s * 1_000_000_000)
        );
        let sounding = sounding(programme, 6);
        assert!(
            (48_000..48_200).contains(&sounding[0])
                && (4 * 48_000 - 200..4 * 48_000 + 1).contains(sounding.last().unwrap())
        );
        assert!(sounding.windows(2).all(|pair| pair[1] - pair[0] < 480), "it never pauses");
    }

    #[test]
    fn time_signals_without_codes_take_turns() {
        let signal =
            Signal { family: Family::Jiho, period: Nanos::from_secs(10), spread: Nanos::ZERO, ..Signal::VOICED };
        let codes = [Code::new(0).unwrap(), Code::new(1).unwrap()];
        let programmes = signal.programmes(&codes, RunTime::START, Nanos::from_secs(40));
        let marks = |n: usize| programmes[n].emissions().iter().map(|e| e.at.0 / 1_000_000_000).collect::<Vec<_>>();
        assert_eq!((marks(0), marks(1)), (vec![3, 23], vec![13, 33]));
    }
}
