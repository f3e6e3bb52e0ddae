//! Playing at instants of the wall clock, whatever a device's start and its card's rate are.
//!
//! When a device plays its first sample is known only some buffers later, and its card runs by a clock of its own. So there
//! is silence until the device's stamps have settled, and from then on sound is rendered where the stamps, looked at again
//! and again, say that the wall clock is. One look moves it by microseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiho_analysis::device::Timeline;
use jiho_analysis::signal::Programme;
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::device::Source;

/// Nothing is known yet.
const NEVER: i64 = i64::MIN;

/// Shared with the device's thread, which may not wait: when count 0 would have been, for what plays now to play in time.
#[derive(Clone, Debug)]
pub(super) struct Steering {
    start_ns: Arc<AtomicI64>,
    rate: Rate,
    /// From when on it was known.
    since: Option<RunTime>,
}

impl Steering {
    pub(super) fn new(rate: Rate) -> Self {
        Self { start_ns: Arc::new(AtomicI64::new(NEVER)), rate, since: None }
    }

    /// What the device is to play.
    pub(super) fn source(&self, programme: Programme) -> Source {
        let (start_ns, rate) = (Arc::clone(&self.start_ns), self.rate);
        Box::new(move |first, samples: &mut [f32]| match start_ns.load(Ordering::Relaxed) {
            NEVER => samples.fill(0.0),
            start => programme.render(&SampleClock::new(RunTime(start), rate), first, samples),
        })
    }

    /// Takes what the device's stamps say now, and how far the wall clock has gone ahead of the run clock.
    pub(super) fn look(&mut self, timeline: &Timeline, now: RunTime, wall_ahead: Nanos) {
        let put_in: i64 = timeline.jumps.iter().map(|jump| jump.samples).sum();
        let count = timeline.clock.position(now) - put_in as f64;
        let start = now + wall_ahead - Nanos::from_secs_f64(count / self.rate.hz());
        self.start_ns.store(start.0, Ordering::Relaxed);
        self.since.get_or_insert(now);
    }

    /// Whether what begins then is played whole.
    pub(super) fn plays(&self, begins: RunTime) -> bool {
        self.since.is_some_and(|since| since <= begins)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::hear::Hearing;
    use jiho_analysis::signal::{Code, Family, Signal};
    use jiho_analysis::units::{MediaTime, Ppb};

    use super::*;
    use crate::live::beats;

    /// Plays a minute on a card that starts late and runs fast, while the wall clock is slewed; gives by how much beeps
    /// were off their instants of the wall clock, at worst, in ms, and how many there were.
    fn worst_ms(card_ppm: f64, started_ms: i64, slewed_ppm: f64) -> (f64, usize) {
        let code = Code::new(3).unwrap();
        let programme = beats::programme(&Signal::VOICED, code, 0, RunTime(60_000_000_000)).unwrap();
        let mut steering = Steering::new(Rate::OPUS);
        let mut source = steering.source(programme.clone());
        let start = RunTime(started_ms * 1_000_000);
        let clock = SampleClock { skew: Ppb::from_ppm(card_ppm), ..SampleClock::new(start, Rate::OPUS) };
        let timeline = Timeline { clock, jumps: Vec::new(), stamp_sd: Nanos::ZERO, least_jump: 12, strays: 0 };
        let ahead = |at: RunTime| Nanos((1e-6 * slewed_ppm * at.0 as f64) as i64);
        let mut hearing = Hearing::new(Rate::OPUS, Family::Voiced, &[code]);
        let (mut heard, mut buffer) = (Vec::new(), vec![0.0; 480]);
        for n in 0..5900 {
            let first = MediaTime(480 * n);
            let now = clock.time(first);
            if n >= 40 && n % 2 == 0 {
                steering.look(&timeline, now, ahead(now));
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
        // A beep is stretched by all that clocks differ by, as the last are by 700 ppm: its middle is as late as that.
        let cases = [(0.0, 0, 0.0, 0.01), (150.0, 731, -40.0, 0.05), (-200.0, 20, 500.0, 0.1)];
        for (card_ppm, started_ms, slewed_ppm, within_ms) in cases {
            let (worst_ms, beeps) = worst_ms(card_ppm, started_ms, slewed_ppm);
            assert!(worst_ms < within_ms && beeps > 50, "{worst_ms} ms, {beeps} beeps");
        }
    }

    #[test]
    fn before_the_device_is_known_it_is_silent() {
        let programme = beats::programme(&Signal::VOICED, Code::new(0).unwrap(), 0, RunTime(9_000_000_000)).unwrap();
        let steering = Steering::new(Rate::OPUS);
        let mut samples = vec![1.0; 48_000];
        steering.source(programme)(MediaTime(48_000), &mut samples);
        assert!(samples.iter().all(|sample| *sample == 0.0));
        assert!(!steering.plays(RunTime::START));
    }
}
