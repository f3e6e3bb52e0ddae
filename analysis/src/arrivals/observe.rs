//! One observation per beep: its detection on the way that its neighbours came too, or why there is none.

use super::track::{self, Path};
use super::{Arrival, CodecLag, Delay, Observation, Reason, Recorder, Status};
use crate::hear::Detection;
use crate::signal::Emission;
use crate::units::{MediaTime, Nanos, RunTime};

/// A weak detection needs 3 of its 5 nearest neighbours this near.
const WEAK_WITHIN: Nanos = Nanos::from_millis(2);

/// As [`observe_through`], of beeps of which nothing is known but the codec's standard deviation.
pub fn observe(
    emissions: &[Emission],
    detections: &[Detection],
    recorder: &Recorder,
) -> (Vec<Observation>, Vec<Arrival>) {
    let lag = CodecLag { bias: Nanos::ZERO, sd: recorder.codec_sd };
    observe_through(emissions, &vec![lag; emissions.len()], detections, recorder)
}

/// Matches one speaker's beeps with the detections of its code in one recording. Both are in order of time; `lags` has
/// one entry per emission, which counts in place of the recorder's `codec_sd`.
///
/// No delay is assumed: beeps begin at irregular instants, so that of all pairs of beep and detection the right ones
/// are those whose delays follow one another.
pub fn observe_through(
    emissions: &[Emission],
    lags: &[CodecLag],
    detections: &[Detection],
    recorder: &Recorder,
) -> (Vec<Observation>, Vec<Arrival>) {
    let times: Vec<RunTime> = detections.iter().map(|d| recorder.clock.time_at(d.position)).collect();
    let paths = track::paths(emissions, detections, &times, recorder.clock_error, Detection::is_credible);
    let mut observations: Vec<Observation> = Vec::with_capacity(emissions.len());
    let mut arrivals: Vec<Arrival> =
        detections.iter().zip(&times).map(|(&detection, &at)| Arrival { detection, at, beep: None, rank: 0 }).collect();
    for (index, &emission) in emissions.iter().enumerate() {
        let mut own: Vec<usize> = paths.iter().filter_map(|path| path.hits[index]).collect();
        // What comes on another way is an echo, unless the first has ended or not begun.
        let first = main(&paths, index).or_else(|| {
            let ended = paths.first().is_some_and(|path| !path.alive[index]);
            own.iter().copied().filter(|_| ended).max_by(|&a, &b| detections[a].score.total_cmp(&detections[b].score))
        });
        own.retain(|&d| Some(d) != first);
        own.sort_by(|&a, &b| detections[b].score.total_cmp(&detections[a].score));
        for (rank, d) in (1u32..).zip(first).chain((2u32..).zip(own)) {
            arrivals[d].beep = Some(emission.beep);
            arrivals[d].rank = rank;
        }
        observations.push(match first {
            Some(d) => {
                let lag = lags.get(index).copied().unwrap_or_default();
                found(emission, d, &detections[d], times[d], lag, recorder)
            }
            None => Observation { emission, status: Status::Missing, reason: None, delay: None, detection: None },
        });
    }
    demote_lone_weak_ones(&mut observations, &mut arrivals);
    explain_missing(&mut observations, &arrivals, recorder);
    (observations, arrivals)
}

fn main(paths: &[Path], index: usize) -> Option<usize> {
    paths.first()?.hits[index]
}

fn found(
    emission: Emission,
    index: usize,
    detection: &Detection,
    at: RunTime,
    lag: CodecLag,
    recorder: &Recorder,
) -> Observation {
    let delay_at = |at: RunTime| at - emission.at - lag.bias;
    let value = delay_at(at);
    let rate = recorder.clock.rate;
    let variance = (detection.position_sd / rate.hz()).powi(2) + lag.sd.as_secs_f64().powi(2);
    let half = Nanos::from_secs_f64(1.96 * variance.sqrt()) + recorder.clock_error;
    let around = |low: Nanos, high: Nanos| Delay { value, low: low - half, high: high + half };
    let (status, reason, delay) = if let Some(splice) = detection.splice {
        let parts = [splice.first_part, splice.last_part].map(|part| delay_at(recorder.clock.time_at(part)));
        let delay = around(value.min(parts[0]).min(parts[1]), value.max(parts[0]).max(parts[1]));
        (Status::Heard, Some(Reason::Splice), delay)
    } else if detection.is_sure() {
        (Status::Heard, None, around(value, value))
    } else if detection.is_possible() {
        (Status::Weak, None, around(value, value))
    } else {
        let apart = Nanos::from_secs_f64(detection.rival_samples.abs() / rate.hz());
        (Status::Ambiguous, Some(Reason::SecondPeak), around(value - apart, value + apart))
    };
    Observation { emission, status, reason, delay: Some(delay), detection: Some(index) }
}

fn demote_lone_weak_ones(observations: &mut [Observation], arrivals: &mut [Arrival]) {
    let found: Vec<(usize, Nanos)> =
        observations.iter().enumerate().filter_map(|(n, o)| Some((n, o.delay?.value))).collect();
    for (place, &(index, delay)) in found.iter().enumerate() {
        let observation = &mut observations[index];
        if observation.status != Status::Weak {
            continue;
        }
        let before = found[..place].iter().rev().take(3);
        let after = found[place + 1..].iter().take(3);
        let near = before.chain(after).take(5).filter(|(_, other)| (*other - delay).abs() <= WEAK_WITHIN).count();
        if near < 3 {
            if let Some(arrival) = observation.detection.and_then(|d| arrivals.get_mut(d)) {
                (arrival.beep, arrival.rank) = (None, 0);
            }
            let emission = observation.emission;
            let (status, reason) = (Status::Missing, Some(Reason::NotSupported));
            *observation = Observation { emission, status, reason, delay: None, detection: None };
        }
    }
}

fn explain_missing(observations: &mut [Observation], arrivals: &[Arrival], recorder: &Recorder) {
    let found: Vec<(RunTime, Nanos)> =
        observations.iter().filter_map(|o| Some((o.emission.at, o.delay?.value))).collect();
    let nobodys: Vec<RunTime> =
        arrivals.iter().filter(|a| a.beep.is_none() && a.detection.is_credible()).map(|arrival| arrival.at).collect();
    let end = recorder.clock.time(MediaTime(recorder.samples));
    for observation in observations.iter_mut().filter(|o| o.status == Status::Missing && o.reason.is_none()) {
        let at = observation.emission.at;
        let next = found.partition_point(|(other, _)| *other < at);
        let neighbours = &found[next.saturating_sub(1)..(next + 1).min(found.len())];
        let nearest = neighbours.iter().min_by_key(|(other, _)| (*other - at).abs());
        let due = at + nearest.map_or(Nanos::ZERO, |(_, delay)| *delay);
        let something = nobodys.partition_point(|&there| there < due - track::STEP);
        let something = nobodys.get(something).is_some_and(|&there| there <= due + track::STEP);
        observation.reason = Some(match due >= recorder.clock.start && due < end {
            false => Reason::NotRecorded,
            true if something => Reason::NotSupported,
            true => Reason::NotFound,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::ArrivalKind;
    use crate::signal::{Cadence, Code, Schedule};
    use crate::units::{Rate, SampleClock};

    fn emissions(slots: u32) -> Vec<Emission> {
        let schedule = Schedule {
            start: RunTime(1_000_000_000),
            period: Nanos::from_secs(1),
            spread: Nanos::from_millis(300),
            slots,
            cadence: Cadence::Every,
            turns: 1,
            turn: 0,
            key: Schedule::TOGETHER,
            first: 0,
        };
        schedule.emissions().collect()
    }

    fn recorder(seconds: i64) -> Recorder {
        Recorder {
            clock: SampleClock::new(RunTime(-12_345), Rate::OPUS),
            clock_error: Nanos::ZERO,
            samples: seconds * 48_000,
            codec_sd: Nanos::ZERO,
        }
    }

    fn detection(recorder: &Recorder, at: RunTime, score: f64, peak_ratio: f64) -> Detection {
        Detection {
            code: Code::new(0).unwrap(),
            position: recorder.clock.position(at),
            score,
            peak_ratio,
            rival_samples: 50.0,
            snr_db: 10.0,
            position_sd: 0.01,
            inverted: false,
            splice: None,
        }
    }

    fn delays(observations: &[Observation]) -> Vec<Option<i64>> {
        observations.iter().map(|o| o.delay.map(|d| d.value.as_millis_f64().round() as i64)).collect()
    }

    #[test]
    fn any_delay_up_to_a_minute_is_found_without_being_told() {
        let emissions = emissions(30);
        for delay_ms in [-400, 0, 66, 999, 1000, 5_500, 30_000, 59_000] {
            let recorder = recorder(100);
            let heard: Vec<_> =
                emissions.iter().map(|e| detection(&recorder, e.at + Nanos::from_millis(delay_ms), 0.9, 5.0)).collect();
            let (observations, _) = observe(&emissions, &heard, &recorder);
            assert_eq!(delays(&observations), vec![Some(delay_ms); 30]);
        }
    }

    #[test]
    fn every_beep_has_one_observation_and_the_lost_ones_say_so() {
        let (emissions, recorder) = (emissions(20), recorder(60));
        let heard: Vec<_> = emissions
            .iter()
            .filter(|e| e.beep % 4 != 1)
            .map(|e| detection(&recorder, e.at + Nanos::from_millis(80), 0.9, 5.0))
            .collect();
        let (observations, _) = observe(&emissions, &heard, &recorder);
        for (n, observation) in observations.iter().enumerate() {
            assert_eq!(observation.emission.beep, n as u32);
            let lost = n % 4 == 1;
            assert_eq!(observation.status, if lost { Status::Missing } else { Status::Heard });
            assert_eq!(observation.reason, lost.then_some(Reason::NotFound));
        }
    }

    #[test]
    fn a_beep_after_the_recordings_end_was_not_recorded() {
        let (emissions, recorder) = (emissions(20), recorder(11));
        let heard: Vec<_> = emissions[..10]
            .iter()
            .map(|e| detection(&recorder, e.at + Nanos::from_millis(300), 0.9, 5.0))
            .filter(|d| d.position < recorder.samples as f64)
            .collect();
        let (observations, _) = observe(&emissions, &heard, &recorder);
        assert_eq!(observations[19].reason, Some(Reason::NotRecorded));
    }

    #[test]
    fn a_step_of_the_jitter_buffer_is_followed() {
        let (emissions, recorder) = (emissions(24), recorder(60));
        let delay = |n: u32| if n < 12 { 60 } else { 180 };
        let heard: Vec<_> = emissions
            .iter()
            .map(|e| detection(&recorder, e.at + Nanos::from_millis(delay(e.beep)), 0.9, 5.0))
            .collect();
        let (observations, _) = observe(&emissions, &heard, &recorder);
        assert_eq!(delays(&observations), (0..24).map(|n| Some(delay(n))).collect::<Vec<_>>());
    }

    #[test]
    fn an_echo_is_a_second_arrival_of_its_beep() {
        let (emissions, recorder) = (emissions(10), recorder(60));
        let mut heard = Vec::new();
        for e in &emissions {
            heard.push(detection(&recorder, e.at + Nanos::from_millis(60), 0.8, 2.5));
            heard.push(detection(&recorder, e.at + Nanos::from_millis(105), 0.35, 0.6));
        }
        let (observations, arrivals) = observe(&emissions, &heard, &recorder);
        assert_eq!(delays(&observations), vec![Some(60); 10]);
        assert!(arrivals.chunks(2).enumerate().all(|(n, pair)| {
            let beep = Some(n as u32);
            (pair[0].beep, pair[0].rank, pair[1].beep, pair[1].rank) == (beep, 1, beep, 2)
                && (pair[0].kind(), pair[1].kind()) == (ArrivalKind::Beep, ArrivalKind::Echo)
        }));
    }

    #[test]
    fn whoever_sounds_on_after_the_last_beep_is_not_taken_for_late_arrivals() {
        let (sent, recorder) = (emissions(10), recorder(100));
        let heard: Vec<_> = emissions(60)
            .iter()
            .map(|e| detection(&recorder, e.at + Nanos::from_millis(20), 0.9 + f64::from(e.beep) / 1000.0, 5.0))
            .collect();
        let (observations, _) = observe(&sent, &heard, &recorder);
        assert_eq!(delays(&observations), vec![Some(20); 10]);
    }

    #[test]
    fn a_faint_detection_alone_is_not_believed_and_among_its_like_it_is() {
        let (emissions, recorder) = (emissions(10), recorder(60));
        let heard: Vec<_> = emissions
            .iter()
            .map(|e| {
                let off = if e.beep == 7 { 90 } else { 60 };
                detection(&recorder, e.at + Nanos::from_millis(off), 0.2, 1.7)
            })
            .collect();
        let (observations, arrivals) = observe(&emissions, &heard, &recorder);
        assert_eq!(observations[3].status, Status::Weak);
        assert_eq!(observations[7].status, Status::Missing);
        assert_eq!(arrivals[7].beep, None);
        assert_eq!(arrivals[7].kind(), ArrivalKind::Unsupported, "it may be a shadow, and is no stranger");
    }

    #[test]
    fn strangers_match_nothing() {
        let (emissions, recorder) = (emissions(20), recorder(60));
        let mut heard: Vec<_> =
            emissions.iter().map(|e| detection(&recorder, e.at + Nanos::from_millis(60), 0.9, 5.0)).collect();
        heard.push(detection(&recorder, RunTime(45_678_901_234), 0.9, 5.0));
        let (observations, arrivals) = observe(&emissions, &heard, &recorder);
        assert_eq!(delays(&observations), vec![Some(60); 20]);
        assert_eq!((arrivals[20].beep, arrivals[20].rank), (None, 0));
        assert_eq!(arrivals[20].kind(), ArrivalKind::Stranger);
    }
}
