//! What an ear missed: places of a recording that hold silence because its samples never came.

use std::ops::Range;

use jiho_analysis::arrivals::{Observation, Reason, Status};
use jiho_analysis::signal::Waveform;
use jiho_analysis::stats;
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::sidecar::{Discontinuity, Sidecar};

/// The gaps of one recording, in order of time.
#[derive(Debug)]
pub(super) struct Gaps(Vec<Range<RunTime>>);

impl Gaps {
    /// Those that a recording's description names; `clock` maps its samples.
    pub(super) fn of(sidecar: &Sidecar, clock: SampleClock) -> Self {
        let time = |sample: u64| clock.time(MediaTime(i64::try_from(sample).unwrap_or(i64::MAX)));
        let gap = |gap: &Discontinuity| time(gap.sample)..time(gap.sample.saturating_add(gap.gap_samples));
        Self(sidecar.discontinuities.iter().map(gap).collect())
    }

    /// The flaw in words, if there is one.
    pub(super) fn words(discontinuities: &[Discontinuity]) -> Option<String> {
        let samples: u64 = discontinuities.iter().map(|gap| gap.gap_samples).sum();
        let places = match discontinuities.len() {
            0 => return None,
            1 => "1 place".to_owned(),
            n => format!("{n} places"),
        };
        Some(format!("{samples} samples were missed in {places}; silence stands there"))
    }

    /// Says of the beeps that were not found because they were due in a gap that they were not recorded: of these at
    /// least half would have sounded there, with the delay that the others usually had.
    pub(super) fn explain(&self, observations: &mut [Observation], waveform: &Waveform) {
        let delays: Vec<f64> = observations.iter().filter_map(|o| Some(o.delay?.value.as_secs_f64())).collect();
        let Some(usual) = stats::median(&delays).map(Nanos::from_secs_f64) else { return };
        for observation in observations {
            let due = observation.emission.at + usual;
            let (from, to) = (due - waveform.before_mark(), due + waveform.after_mark());
            let not_found = observation.status == Status::Missing && observation.reason == Some(Reason::NotFound);
            if not_found && self.within(from, to).0 * 2 >= (to - from).0 {
                observation.reason = Some(Reason::NotRecorded);
            }
        }
    }

    /// How much of a time lies in gaps.
    fn within(&self, from: RunTime, to: RunTime) -> Nanos {
        let overlap = |gap: &Range<RunTime>| (gap.end.min(to) - gap.start.max(from)).max(Nanos::ZERO);
        self.0.iter().map(overlap).fold(Nanos::ZERO, |sum, overlap| sum + overlap)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::arrivals::{Delay, Role};
    use jiho_analysis::signal::{Code, Emission, Family};
    use jiho_analysis::units::Rate;

    use super::*;

    /// A beep in each second, 60 ms late, the ones named missing.
    fn observations(missing: &[u32]) -> Vec<Observation> {
        let value = Nanos::from_millis(60);
        (0..10)
            .map(|beep| {
                let lost = missing.contains(&beep);
                Observation {
                    emission: Emission { beep, at: RunTime::START + Nanos::from_secs(i64::from(beep)) },
                    status: if lost { Status::Missing } else { Status::Heard },
                    reason: lost.then_some(Reason::NotFound),
                    delay: (!lost).then_some(Delay { value, low: value, high: value }),
                    detection: None,
                }
            })
            .collect()
    }

    #[test]
    fn a_beep_that_was_due_in_a_gap_was_not_recorded_and_another_was_lost() {
        let clock = SampleClock::new(RunTime::START, Rate(48_000));
        let mut sidecar = Sidecar::new("lena", Role::Listener, clock, 0);
        sidecar.discontinuities = vec![
            // Covers beep 3, due from 3.06 s to 3.26 s, though not the instant at which it was sent.
            Discontinuity { sample: 48_000 * 305 / 100, gap_samples: 12_000 },
            // 10 ms of beep 6: not why it is missing.
            Discontinuity { sample: 48_000 * 610 / 100, gap_samples: 480 },
        ];
        let mut observations = observations(&[3, 6, 8]);
        let voice = Waveform::new(Family::Voiced, Code::new(0).unwrap());
        Gaps::of(&sidecar, clock).explain(&mut observations, &voice);
        let reasons = [3, 6, 8].map(|beep| observations[beep].reason.unwrap());
        assert_eq!(reasons, [Reason::NotRecorded, Reason::NotFound, Reason::NotFound]);
        assert!(observations.iter().filter(|o| o.status == Status::Heard).all(|o| o.reason.is_none()));
        let words = Gaps::words(&sidecar.discontinuities).unwrap();
        assert_eq!(words, "12480 samples were missed in 2 places; silence stands there");
        assert_eq!(Gaps::words(&[]), None);
    }
}
