//! Playing at given instants, whatever a device's start and its card's rate are.
//!
//! When a device plays its first sample is known only some buffers later, and its card runs by a clock of its own. So there
//! is silence until the device's stamps have settled, and from then on sound is rendered where the stamps, looked at again
//! and again, say that the clock is. One look moves it by microseconds.

use jiho_analysis::units::{Nanos, RunTime, SampleClock};
use jiho_proto::speaker::Mouth;
use rtrb::{Consumer, Producer, RingBuffer};

use super::{Source, StreamStatus};

/// Clocks that wait for a device's thread.
const LOOKS: usize = 64;

/// Tells the device's thread, which may not wait, by which clock what it plays now is in time.
#[derive(Debug, Default)]
pub struct Steering {
    /// One for each source.
    clocks: Vec<Producer<SampleClock>>,
    /// From when on it was known.
    since: Option<RunTime>,
}

impl Steering {
    /// What the device is to play, which asks for it by counts.
    pub fn source(&mut self, mut mouth: impl Mouth + 'static) -> Source {
        let (clocks, mut looks): (_, Consumer<SampleClock>) = RingBuffer::new(LOOKS);
        let mut last = None;
        self.clocks.push(clocks);
        Box::new(move |first, samples: &mut [f32]| {
            while let Ok(clock) = looks.pop() {
                last = Some(clock);
            }
            match &last {
                Some(clock) => mouth.fill(clock, first, samples),
                None => samples.fill(0.0),
            }
        })
    }

    /// Takes what the device's stamps say now, and how far the clock that is kept to has gone ahead of the run clock.
    pub fn look(&mut self, status: &StreamStatus, now: RunTime, ahead: Nanos) {
        let Some(clock) = status.clock else { return };
        let count = clock.position(now) - status.jumped() as f64;
        let start = now + ahead - Nanos::from_secs_f64(count / clock.hz());
        for clocks in &mut self.clocks {
            // A device that does not ask is not told.
            let _ = clocks.push(SampleClock { start, ..clock });
        }
        self.since.get_or_insert(now);
    }

    /// Whether what begins then is played whole.
    pub fn plays(&self, begins: RunTime) -> bool {
        self.since.is_some_and(|since| since <= begins)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::hear::Hearing;
    use jiho_analysis::signal::{Code, Family, Programme, Signal};
    use jiho_analysis::units::{MediaTime, Ppb, Rate};

    use super::*;

    /// A minute of beeps.
    fn beeps(code: Code) -> Programme {
        Signal::VOICED.programmes(&[code], RunTime::START, Nanos::from_secs(60)).remove(0)
    }

    /// Plays a minute on a card that starts late and runs fast, while the wall clock is slewed; gives by how much beeps
    /// were off their instants of the wall clock, at worst, in ms, and how many there were.
    fn worst_ms(card_ppm: f64, started_ms: i64, slewed_ppm: f64) -> (f64, usize) {
        let code = Code::new(3).unwrap();
        let programme = beeps(code);
        let mut steering = Steering::default();
        let mut source = steering.source(programme.clone());
        let start = RunTime(started_ms * 1_000_000);
        let clock = SampleClock { skew: Ppb::from_ppm(card_ppm), ..SampleClock::new(start, Rate::OPUS) };
        let status = StreamStatus { clock: Some(clock), ..StreamStatus::default() };
        let ahead = |at: RunTime| Nanos((1e-6 * slewed_ppm * at.0 as f64) as i64);
        let mut hearing = Hearing::new(Rate::OPUS, Family::Voiced, &[code]);
        let (mut heard, mut buffer) = (Vec::new(), vec![0.0; 480]);
        for n in 0..5900 {
            let first = MediaTime(480 * n);
            let now = clock.time(first);
            if n >= 40 && n % 2 == 0 {
                steering.look(&status, now, ahead(now));
            }
            source(first, &mut buffer);
            heard.extend(hearing.push(&buffer));
        }
        heard.extend(hearing.finish());
        let off = heard.iter().filter(|beep| beep.is_sure()).map(|beep| {
            let at = clock.time_at(beep.position);
            let wall = at + ahead(at);
            let planned = programme.emissions().iter().map(|emission| (wall - emission.at).abs());
            planned.min().unwrap().as_millis_f64()
        });
        let off: Vec<f64> = off.collect();
        (off.iter().copied().fold(0.0, f64::max), off.len())
    }

    #[test]
    fn beeps_are_played_when_the_wall_clock_says_so() {
        // A beep is stretched by what the wall clock is slewed by, as the last one's: its middle is as late as that.
        let cases = [(0.0, 0, 0.0, 0.01), (150.0, 731, -40.0, 0.05), (-200.0, 20, 500.0, 0.1)];
        for (card_ppm, started_ms, slewed_ppm, within_ms) in cases {
            let (worst_ms, beeps) = worst_ms(card_ppm, started_ms, slewed_ppm);
            assert!(worst_ms < within_ms && beeps > 50, "{worst_ms} ms, {beeps} beeps");
        }
    }

    #[test]
    fn before_the_device_is_known_it_is_silent() {
        let programme = beeps(Code::new(0).unwrap());
        let mut steering = Steering::default();
        let mut source = steering.source(programme);
        let mut samples = vec![1.0; 48_000];
        source(MediaTime(48_000), &mut samples);
        assert!(samples.iter().all(|sample| *sample == 0.0));
        assert!(!steering.plays(RunTime::START));
    }
}
