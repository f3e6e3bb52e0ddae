//! A pilot's marks: its whole seconds are its beeps, and when each arrives is read from the track.

use std::ops::Range;

use super::{Block, Lag};
use crate::arrivals::{Delay, Observation, Reason, Recorder, Status};
use crate::signal::{Emission, Pilot};
use crate::units::{MediaTime, Nanos, RunTime, SampleClock};

/// Delays that are looked for: within less than a pilot's period there is one at most. Negative ones are findings about
/// clocks; two that are wrong by 10 s each are still told apart.
const SEARCH: Range<Nanos> = Nanos::from_secs(-20)..Nanos::from_secs(60);
/// A mark is there if the pilot is within this time of it.
const THERE: Nanos = Nanos::from_millis(6);
/// The first one is the pilot's beginning, before which nothing is: what follows it speaks for it.
const AFTER_BEGINNING: Nanos = Nanos::from_millis(20);
/// When a part of the programme is heard again, its marks' first arrivals count: they are this far apart at least.
const AGAIN: Nanos = Nanos::from_millis(15);

/// The delay that a lag is, in a recording by a speaker's pilot; between −20 s and 60 s it is unique.
///
/// `clock` is the recording's, `began` the instant at which the pilot left its mouth. `None`: it is no delay that is
/// looked for.
pub fn delay(lag: &Lag, clock: &SampleClock, began: RunTime) -> Option<Nanos> {
    let since = (lag.value + (clock.start - began)).0 - SEARCH.start.0;
    let delay = Nanos(since.rem_euclid(Pilot::PERIOD.0) + SEARCH.start.0);
    SEARCH.contains(&delay).then_some(delay)
}

/// When a pilot began to leave its mouth: its marks are its seconds.
pub fn began(emissions: &[Emission]) -> Option<RunTime> {
    emissions.first().map(|first| first.at - Nanos(Pilot::MARK_EVERY.0 * i64::from(first.beep)))
}

/// Collects one speaker's marks in one recording, block by block.
#[derive(Clone, Debug)]
pub struct Marks {
    emissions: Vec<Emission>,
    clock: SampleClock,
    /// For each: when it arrived by the nearest block, how far that is from it, and the lag's standard deviation.
    nearest: Vec<Option<(RunTime, Nanos, Nanos)>>,
}

impl Marks {
    /// The marks that left a mouth, in order, and the recording's clock.
    pub fn new(emissions: &[Emission], clock: SampleClock) -> Self {
        Self { emissions: emissions.to_vec(), clock, nearest: vec![None; emissions.len()] }
    }

    /// Takes the speaker's next block.
    pub fn add(&mut self, block: &Block) {
        let (Some(heard), Some(media)) = (block.pilot, block.media()) else { return };
        let every = Pilot::MARK_EVERY.0;
        let number = (media.0 + every / 2).div_euclid(every);
        let past = Nanos(media.0 - number * every);
        let within = if number == 0 && past > Nanos::ZERO { AFTER_BEGINNING } else { THERE };
        if past.abs() > within {
            return;
        }
        let at = self.clock.start + block.at - past;
        // The mark of this number that is as late as delays may be.
        let latest = self.emissions.partition_point(|emission| emission.at <= at - SEARCH.start);
        let period = Pilot::PERIOD.0 / every;
        let same = |emission: &Emission| (i64::from(emission.beep) - number).rem_euclid(period) == 0;
        let candidates = self.emissions[..latest].iter().enumerate().rev();
        let mut near = candidates.take_while(|(_, emission)| at - emission.at <= SEARCH.end);
        let Some((index, _)) = near.find(|(_, emission)| same(emission)) else { return };
        let nearest = &mut self.nearest[index];
        let better = nearest.is_none_or(|(first, distance, _)| (at - first).abs() < AGAIN && past.abs() < distance);
        if better {
            *nearest = Some((at, past.abs(), heard.lag.sd));
        }
    }

    /// One observation for each mark.
    pub fn finish(self, recorder: &Recorder) -> Vec<Observation> {
        let found: Vec<(RunTime, Nanos)> = self
            .emissions
            .iter()
            .zip(&self.nearest)
            .filter_map(|(emission, nearest)| Some((emission.at, (*nearest)?.0 - emission.at)))
            .collect();
        let end = recorder.clock.time(MediaTime(recorder.samples));
        let observe = |(&emission, nearest): (&Emission, &Option<(RunTime, Nanos, Nanos)>)| {
            let Some((at, _, sd)) = nearest else {
                let usual = found.iter().min_by_key(|(other, _)| (*other - emission.at).abs());
                let due = emission.at + usual.map_or(Nanos::ZERO, |(_, delay)| *delay);
                let covered = due >= recorder.clock.start && due < end;
                let reason = Some(if covered { Reason::NotFound } else { Reason::NotRecorded });
                return Observation { emission, status: Status::Missing, reason, delay: None, detection: None };
            };
            let value = *at - emission.at;
            let half = 1.96 * sd.as_secs_f64().hypot(recorder.codec_sd.as_secs_f64());
            let half = Nanos::from_secs_f64(half) + recorder.clock_error;
            let delay = Some(Delay { value, low: value - half, high: value + half });
            Observation { emission, status: Status::Heard, reason: None, delay, detection: None }
        };
        self.emissions.iter().zip(&self.nearest).map(observe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Code;
    use crate::track::Heard;
    use crate::units::Rate;

    #[test]
    fn any_delay_from_minus_twenty_to_sixty_seconds_is_found_without_being_told() {
        let began = RunTime(2_000_000_000);
        let emissions: Vec<Emission> =
            (0..200).map(|beep| Emission { beep, at: began + Nanos::from_secs(i64::from(beep)) }).collect();
        let clock = SampleClock::new(RunTime(-123_456_789), Rate::OPUS);
        let recorder = Recorder { clock, clock_error: Nanos::ZERO, samples: 300 * 48_000, codec_sd: Nanos::ZERO };
        for delay_ms in [-19_900, -9_000, -900, 0, 66, 1_001, 30_000, 59_900] {
            let late = Nanos::from_millis(delay_ms);
            let lag_seconds = (began + late - clock.start).as_secs_f64();
            let lag = Lag { value: Nanos::from_secs_f64(lag_seconds.rem_euclid(128.0)), sd: Nanos(1000) };
            assert_eq!(delay(&lag, &clock, began), Some(late));
            let mut marks = Marks::new(&emissions, clock);
            for n in 0..30_000i64 {
                let at = Nanos::from_millis(10 * n + 5);
                let sounds = (Nanos::ZERO..Nanos::from_secs(200)).contains(&(clock.start + at - late - began));
                let pilot = sounds.then_some(Heard { lag, gain: 1.0, rho: 1.0 });
                marks.add(&Block { code: Code::new(0).unwrap(), at, pilot, level_db: -20.0, rest_db: -90.0 });
            }
            let observations = marks.finish(&recorder);
            let heard = observations.iter().filter(|o| o.delay.is_some_and(|d| d.value == late)).count();
            let before = (-late - (began - clock.start)).max(Nanos::ZERO).as_secs_f64() as usize;
            assert!(heard + before >= 197, "{delay_ms}: {heard}, and {before} were before the recording");
            assert!(observations.iter().all(|o| o.delay.is_none_or(|d| d.value == late)));
        }
        let beyond = Lag { value: Nanos::from_secs(100), sd: Nanos::ZERO };
        assert_eq!(delay(&beyond, &clock, clock.start), None);
    }
}
