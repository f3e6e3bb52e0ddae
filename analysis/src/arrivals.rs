//! From what was emitted and what was heard to observations: exactly one per beep and recorder.

use serde::{Deserialize, Serialize};

use crate::hear::Detection;
use crate::signal::Emission;
use crate::units::{MediaTime, Nanos, RunTime, SampleClock};

/// What somebody is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// On the stage: sends and hears.
    Speaker,
    /// In the audience: hears.
    Listener,
}

/// What is known about a beep at a recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Found, and sure by itself.
    Heard,
    /// Found faintly, and believed because its neighbours came with the same delay.
    Weak,
    /// Found, but its signal fits at several delays nearly as well: see the interval.
    Ambiguous,
    /// Not found.
    Missing,
}

/// Why a beep is missing or in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The recording does not cover the instant at which it was due.
    NotRecorded,
    /// Nothing was found.
    NotFound,
    /// Something faint was found, but with a delay that no neighbour shares.
    NotSupported,
    /// Its correlation has a second peak nearly as high as the first.
    SecondPeak,
}

/// A delay with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The estimate.
    pub value: Nanos,
    /// The interval's lower bound.
    pub low: Nanos,
    /// The interval's upper bound.
    pub high: Nanos,
}

/// One beep at one recorder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// What was emitted.
    pub emission: Emission,
    /// What is known.
    pub status: Status,
    /// Why it is missing or in doubt.
    pub reason: Option<Reason>,
    /// Mouth-to-ear delay; none if missing.
    pub delay: Option<Delay>,
    /// The index of its detection.
    pub detection: Option<usize>,
}

/// A detection and what it was found to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// What was detected.
    pub detection: Detection,
    /// When, by the recorder's clock.
    pub at: RunTime,
    /// The beep that it is an arrival of.
    pub beep: Option<u32>,
    /// 1 for a beep's arrival, 2 and more for further arrivals of the same beep; 0 for an arrival of no beep.
    pub rank: u32,
}

/// What a detection was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalKind {
    /// A beep.
    Beep,
    /// A further arrival of a beep: an echo, a second path, or a copy.
    Echo,
    /// Sure by itself, and of no beep that was sent.
    Stranger,
    /// Faint or ambiguous, and of no beep: no neighbour shares its delay. Noise, the shadow that a damaged signal of
    /// another code throws, or a beep of which too little is left: which of them is not known.
    Unsupported,
}

impl Arrival {
    /// What it was found to be.
    pub fn kind(&self) -> ArrivalKind {
        match self.rank {
            0 if self.detection.is_sure() => ArrivalKind::Stranger,
            0 => ArrivalKind::Unsupported,
            1 => ArrivalKind::Beep,
            _ => ArrivalKind::Echo,
        }
    }
}

/// A recording, as far as matching needs it.
#[derive(Clone, Copy, Debug)]
pub struct Recorder {
    /// Maps its samples to run time.
    pub clock: SampleClock,
    /// Bound of the clock's error.
    pub clock_error: Nanos,
    /// Its length.
    pub samples: i64,
    /// Standard deviation of what the codec adds to a delay: its look-ahead depends on the mode that the encoder
    /// chose.
    pub codec_sd: Nanos,
}

/// By how much a codec makes a beep later than its stated look-ahead does, and how well that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecLag {
    /// To be subtracted from a delay; negative where the codec gives the beep early.
    pub bias: Nanos,
    /// Its standard deviation, beyond what noise does.
    pub sd: Nanos,
}

impl CodecLag {
    /// Anywhere between two values: the middle, and a 95 % interval that holds both.
    pub fn between(low: Nanos, high: Nanos) -> Self {
        let half = (high - low).0 as f64 / 2.0;
        Self { bias: Nanos((low.0 + high.0) / 2), sd: Nanos((half / 1.96).ceil() as i64) }
    }
}

/// One codec after another, as where a mixer encodes again.
impl std::ops::Add for CodecLag {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let sd = (self.sd.0 as f64).hypot(other.sd.0 as f64).round() as i64;
        Self { bias: self.bias + other.bias, sd: Nanos(sd) }
    }
}

/// A codec whose mode is not known moves a beep by this much (standard deviation).
pub const UNKNOWN_CODEC_SD: Nanos = Nanos::from_micros(35);

/// Delays that are looked for. Negative ones are findings about clocks.
const SEARCH: std::ops::RangeInclusive<Nanos> = Nanos::from_secs(-1)..=Nanos::from_secs(60);
/// Beeps on either side that may support a delay …
const NEIGHBOURS: usize = 8;
/// … by having nearly the same one.
const SUPPORT_WITHIN: Nanos = Nanos::from_millis(15);
/// So many neighbours make a delay credible by themselves.
const ENOUGH_SUPPORT: usize = 3;
/// A sure detection with less support is still believed this near to the run's usual delay.
const USUAL_WITHIN: Nanos = Nanos::from_millis(500);
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

/// Matches one speaker's beeps with the detections of its code in one recording. Detections are in order of time;
/// `lags` has one entry per emission, which counts in place of the recorder's `codec_sd`.
///
/// No delay is assumed: beeps begin at irregular instants, so that of all pairs of beep and detection the right ones
/// are those whose delay many neighbours share.
pub fn observe_through(
    emissions: &[Emission],
    lags: &[CodecLag],
    detections: &[Detection],
    recorder: &Recorder,
) -> (Vec<Observation>, Vec<Arrival>) {
    let times: Vec<RunTime> = detections.iter().map(|d| recorder.clock.time_at(d.position)).collect();
    let matched = assign(emissions, detections, &times);
    let mut observations: Vec<Observation> = Vec::with_capacity(emissions.len());
    let mut arrivals: Vec<Arrival> =
        detections.iter().zip(&times).map(|(&detection, &at)| Arrival { detection, at, beep: None, rank: 0 }).collect();
    for (index, &emission) in emissions.iter().enumerate() {
        let mut own: Vec<usize> = (0..detections.len()).filter(|&d| matched[d].is_some_and(|m| m.0 == index)).collect();
        // Echoes come with every beep. What came with few is somebody's who sounded on, and fits here by chance.
        let most = own.iter().filter_map(|&d| Some(matched[d]?.1)).max().unwrap_or(0);
        own.retain(|&d| matched[d].is_some_and(|m| 2 * m.1 >= most));
        own.sort_by(|&a, &b| detections[b].score.total_cmp(&detections[a].score));
        for (rank, &d) in (1u32..).zip(&own) {
            arrivals[d].beep = Some(emission.beep);
            arrivals[d].rank = rank;
        }
        observations.push(match own.first() {
            Some(&d) => {
                let lag = lags.get(index).copied().unwrap_or_default();
                found(emission, d, &detections[d], times[d], lag, recorder)
            }
            None => Observation { emission, status: Status::Missing, reason: None, delay: None, detection: None },
        });
    }
    demote_lone_weak_ones(&mut observations, &mut arrivals);
    explain_missing(&mut observations, recorder);
    (observations, arrivals)
}

/// For each detection, the emission that it belongs to, and how many neighbours share its delay.
fn assign(emissions: &[Emission], detections: &[Detection], times: &[RunTime]) -> Vec<Option<(usize, usize)>> {
    let known: Vec<RunTime> =
        times.iter().zip(detections).filter(|(_, d)| d.is_credible()).map(|(&time, _)| time).collect();
    let heard_near = |at: RunTime| {
        let next = known.partition_point(|&t| t < at - SUPPORT_WITHIN);
        known.get(next).is_some_and(|&t| t <= at + SUPPORT_WITHIN)
    };
    let support = |emission: usize, delay: Nanos| {
        let range = emission.saturating_sub(NEIGHBOURS)..(emission + NEIGHBOURS + 1).min(emissions.len());
        range.filter(|&n| n != emission && heard_near(emissions[n].at + delay)).count()
    };
    let mut best: Vec<Option<(usize, usize, Nanos)>> = Vec::with_capacity(detections.len());
    for (detection, &time) in detections.iter().zip(times) {
        if !detection.is_credible() {
            best.push(None);
            continue;
        }
        let from = emissions.partition_point(|e| e.at < time - *SEARCH.end());
        let candidates = emissions[from..].iter().enumerate().take_while(|(_, e)| e.at <= time - *SEARCH.start());
        best.push(
            candidates
                .map(|(n, e)| (support(from + n, time - e.at), from + n, time - e.at))
                // Of equals the smallest delay: the last emission before.
                .max_by_key(|&(support, n, delay)| (support, delay.0 >= 0, n)),
        );
    }
    let supported: Vec<f64> =
        best.iter().flatten().filter(|b| b.0 >= ENOUGH_SUPPORT).map(|b| b.2.as_secs_f64()).collect();
    let usual = crate::stats::median(&supported).map(Nanos::from_secs_f64);
    best.into_iter()
        .map(|best| {
            let (support, emission, delay) = best?;
            let few = emissions.len() <= ENOUGH_SUPPORT;
            let near_usual = |usual: Nanos, delay: Nanos| (delay - usual).abs() <= USUAL_WITHIN;
            match usual {
                _ if support >= ENOUGH_SUPPORT || few => Some((emission, support)),
                // Too lonely to vote for a delay of its own: only the run's usual one will do.
                Some(usual) if near_usual(usual, delay) => Some((emission, support)),
                _ => None,
            }
        })
        .collect()
}

fn found(
    emission: Emission,
    index: usize,
    detection: &Detection,
    at: RunTime,
    lag: CodecLag,
    recorder: &Recorder,
) -> Observation {
    let value = at - emission.at - lag.bias;
    let rate = recorder.clock.rate;
    let variance = (detection.position_sd / rate.hz()).powi(2) + lag.sd.as_secs_f64().powi(2);
    let (status, reason, half) = if detection.is_sure() {
        (Status::Heard, None, 1.96 * variance.sqrt())
    } else if detection.is_possible() {
        (Status::Weak, None, 1.96 * variance.sqrt())
    } else {
        let apart = detection.rival_samples.abs() / rate.hz();
        (Status::Ambiguous, Some(Reason::SecondPeak), 1.96 * variance.sqrt() + apart)
    };
    let half = Nanos::from_secs_f64(half) + recorder.clock_error;
    let delay = Some(Delay { value, low: value - half, high: value + half });
    Observation { emission, status, reason, delay, detection: Some(index) }
}

fn demote_lone_weak_ones(observations: &mut [Observation], arrivals: &mut [Arrival]) {
    let delays: Vec<Option<Nanos>> = observations.iter().map(|o| o.delay.map(|d| d.value)).collect();
    for (index, observation) in observations.iter_mut().enumerate() {
        let (Status::Weak, Some(delay)) = (observation.status, delays[index]) else { continue };
        let before = delays[..index].iter().rev().flatten().take(3);
        let after = delays[index + 1..].iter().flatten().take(3);
        let near = before.chain(after).take(5).filter(|&&other| (other - delay).abs() <= WEAK_WITHIN).count();
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

fn explain_missing(observations: &mut [Observation], recorder: &Recorder) {
    let found: Vec<(RunTime, Nanos)> =
        observations.iter().filter_map(|o| Some((o.emission.at, o.delay?.value))).collect();
    let end = recorder.clock.time(MediaTime(recorder.samples));
    for observation in observations.iter_mut().filter(|o| o.status == Status::Missing && o.reason.is_none()) {
        let at = observation.emission.at;
        let nearest = found.iter().min_by_key(|(other, _)| (*other - at).abs());
        let due = at + nearest.map_or(Nanos::ZERO, |(_, delay)| *delay);
        let covered = due >= recorder.clock.start && due < end;
        observation.reason = Some(if covered { Reason::NotFound } else { Reason::NotRecorded });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Code, Schedule};
    use crate::units::Rate;

    fn emissions(slots: u32) -> Vec<Emission> {
        let schedule = Schedule {
            start: RunTime(1_000_000_000),
            period: Nanos::from_secs(1),
            spread: Nanos::from_millis(300),
            slots,
            turns: 1,
            turn: 0,
            key: Schedule::TOGETHER,
            first: 0,
        };
        schedule.emissions().collect()
    }

    fn recorder(seconds: i64) -> Recorder {
        Recorder {
            clock: SampleClock { start: RunTime(-12_345), rate: Rate::OPUS },
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
