//! A sound device listened to: what arrives is said as soon as it is heard, and nothing is kept.

use std::collections::BTreeMap;

use jiho_analysis::hear::{Detection, Hearing};
use jiho_analysis::signal::{Code, Programme, Signal};
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::{Channels, Placed, StreamRequest, system};

use super::sound::{Sound, TICK, Watch, request};
use super::{beats, interrupt};
use crate::report::listen::ListenRow;

/// Peaks of so long are remembered, for the level of what is heard some seconds later.
const LEVELS: Nanos = Nanos::from_secs(10);
/// Clocks that agree to no more than this do not make an arrival early by a whole period.
const CLOCKS_AGREE: Nanos = Nanos::from_millis(20);

/// Listens until the time is over or somebody stops it; gives how many arrivals were sure by themselves.
///
/// # Errors
/// The device cannot be used, or ends by itself; or `heard` cannot say what it is told.
pub fn listen(
    sound: &Sound,
    signal: &Signal,
    codes: &[Code],
    heard: &mut dyn FnMut(&ListenRow) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    crate::run::block_on(async {
        let interrupt = interrupt();
        let clock = RunClock::start();
        let end = RunTime::START + sound.duration;
        let mut arrivals = Arrivals::new(signal, codes, clock.started_unix_ns(), end);
        let mut stream = system().record(&StreamRequest { channels: Channels::Most, ..request(sound, clock) })?;
        let mut channels: Vec<Channel> =
            (0..stream.channels()).map(|_| Channel::new(sound.rate, signal, codes)).collect();
        let (mut placed, mut samples, mut watch) = (Placed::default(), Vec::new(), Watch::of(sound.device.as_ref()));
        let mut sure = 0;
        while clock.now() < end && !interrupt.wanted() {
            tokio::time::sleep(TICK).await;
            if watch.look(&stream.status(), clock.now())?.is_none() {
                continue;
            }
            stream.read_placed(&mut placed, &mut samples);
            let Some(timeline) = stream.timeline() else { continue };
            for (n, channel) in channels.iter_mut().enumerate() {
                let own: Vec<f32> = samples.iter().skip(n).step_by(stream.channels()).copied().collect();
                for (detection, level) in channel.push(&own) {
                    sure += usize::from(detection.is_sure());
                    heard(&arrivals.row(n + 1, &detection, level, &timeline.clock, clock.wall_ahead()))?;
                }
            }
        }
        Ok(sure)
    })
}

/// One channel's sound.
struct Channel {
    hearing: Hearing,
    rate: Rate,
    /// By the end of each block, its highest sample.
    peaks: Vec<(f64, f32)>,
    samples: f64,
}

impl Channel {
    fn new(rate: Rate, signal: &Signal, codes: &[Code]) -> Self {
        Self { hearing: Hearing::new(rate, signal.family, codes), rate, peaks: Vec::new(), samples: 0.0 }
    }

    /// What is complete with these samples, and the highest sample about it.
    fn push(&mut self, samples: &[f32]) -> Vec<(Detection, f32)> {
        self.samples += samples.len() as f64;
        self.peaks.push((self.samples, samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))));
        let oldest = self.samples - LEVELS.as_secs_f64() * self.rate.hz();
        self.peaks.retain(|(end, _)| *end >= oldest);
        let around = 0.1 * self.rate.hz();
        let level = |position: f64| {
            let near = self.peaks.iter().filter(|(end, _)| (position - around..position + around).contains(end));
            near.map(|(_, peak)| *peak).fold(0.0, f32::max)
        };
        let found = self.hearing.push(samples).into_iter().filter(Detection::is_possible);
        found.map(|detection| (detection, level(detection.position))).collect()
    }
}

/// What arrivals say of each other and of the wall clock.
struct Arrivals {
    period: Nanos,
    started_unix_ns: i64,
    /// By code: the instants of the wall clock at which its speaker beeps if it keeps to that.
    planned: BTreeMap<Code, Programme>,
    /// The last arrival of each code on each channel.
    last: BTreeMap<(usize, Code), RunTime>,
}

impl Arrivals {
    fn new(signal: &Signal, codes: &[Code], started_unix_ns: i64, end: RunTime) -> Self {
        // One period more than we listen, and two before: what was sounded before we began may come still.
        let before = Nanos(3 * signal.period.0);
        let plan = |code: &Code| {
            let programme = beats::programme(signal, *code, started_unix_ns - before.0, end + before + before).ok()?;
            Some((*code, programme))
        };
        let planned = codes.iter().filter_map(plan).collect();
        Self { period: signal.period, started_unix_ns: started_unix_ns - before.0, planned, last: BTreeMap::new() }
    }

    fn row(
        &mut self,
        channel: usize,
        detection: &Detection,
        level: f32,
        clock: &SampleClock,
        wall_ahead: Nanos,
    ) -> ListenRow {
        let before = Nanos(3 * self.period.0);
        let code = detection.code;
        let at = clock.time_at(detection.position);
        let unix_ns = self.started_unix_ns + before.0 + (at + wall_ahead).0;
        // Everybody's beeps of one period are within half of it, or nobody can tell which belong together.
        let others = self.last.iter().filter(|((of, other), _)| *of == channel && *other != code);
        let first = others.filter(|(_, then)| (at - **then).0.abs() < self.period.0 / 2).min_by_key(|(_, then)| **then);
        let behind = first.map(|((_, other), then)| (*other, at - *then));
        self.last.insert((channel, code), at);
        let by_plan = at + wall_ahead + before + CLOCKS_AGREE;
        let emissions = self.planned.get(&code).map(Programme::emissions).unwrap_or_default();
        let planned = emissions[..emissions.partition_point(|emission| emission.at <= by_plan)].last();
        ListenRow {
            channel,
            code: code.number(),
            unix_ns,
            score: detection.score,
            snr_db: detection.snr_db,
            level_dbfs: (level > 0.0).then(|| 20.0 * f64::from(level).log10()),
            sure: detection.is_sure(),
            behind_code: behind.map(|(other, _)| other.number()),
            behind_ms: behind.map(|(_, behind)| behind.as_millis_f64()),
            wall_delay_ms: planned.map(|planned| (by_plan - CLOCKS_AGREE - planned.at).as_millis_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: i64 = 1_700_000_000_123_456_789;

    fn detection(code: u8, position: f64) -> Detection {
        Detection {
            code: Code::new(code).unwrap(),
            position,
            score: 0.9,
            peak_ratio: 5.0,
            rival_samples: 100.0,
            snr_db: 20.0,
            position_sd: 0.01,
            inverted: false,
            splice: None,
        }
    }

    #[test]
    fn an_arrival_is_set_beside_the_wall_clock_and_beside_the_first_of_the_others() {
        let codes = [3, 7].map(|number| Code::new(number).unwrap());
        let end = RunTime(60_000_000_000);
        let mut arrivals = Arrivals::new(&Signal::VOICED, &codes, STARTED, end);
        // The device's sample 0 was 250 ms after we began; its clock is our only one.
        let clock = SampleClock::new(RunTime(250_000_000), Rate::OPUS);
        // Both speakers sound at these instants since 1970.
        let unix: Vec<i64> = beats::programme(&Signal::VOICED, codes[0], STARTED, end)
            .unwrap()
            .emissions()
            .iter()
            .map(|emission| STARTED + emission.at.0)
            .collect();
        for planned in &unix[2..6] {
            let at = |late_ms: f64| clock.position(RunTime(planned - STARTED) + Nanos::from_secs_f64(1e-3 * late_ms));
            let first = arrivals.row(1, &detection(3, at(80.0)), 0.5, &clock, Nanos::ZERO);
            let second = arrivals.row(1, &detection(7, at(101.5)), 0.5, &clock, Nanos::ZERO);
            let near = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 0.001;
            assert!(near(first.wall_delay_ms, 80.0) && first.behind_ms.is_none(), "{first:?}");
            assert!(near(second.wall_delay_ms, 101.5) && near(second.behind_ms, 21.5), "{second:?}");
            assert_eq!((second.behind_code, (first.unix_ns - planned + 500) / 1000), (Some(3), 80_000));
            assert!(near(first.level_dbfs, -6.0206), "{first:?}");
        }
        // Another channel is another ear.
        let elsewhere = arrivals.row(2, &detection(7, 9e5), 0.0, &clock, Nanos::ZERO);
        assert_eq!((elsewhere.behind_code, elsewhere.level_dbfs), (None, None));
    }
}
