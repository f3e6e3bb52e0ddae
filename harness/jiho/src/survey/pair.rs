//! A path by what was sent into it and what came out, as two recordings.

use std::path::Path;

use jiho_analysis::arrivals::{ArrivalKind, Recorder, observe};
use jiho_analysis::hear::Detection;
use jiho_analysis::signal::{Emission, Family};
use jiho_analysis::units::{Nanos, RunTime, SampleClock};
use jiho_drivers::wav;
use rayon::prelude::*;

use super::figures::{Beep, slope};
use super::level::Levels;
use super::locate::{Found, lag_s};
use super::{FAMILIES, Figures, plan};
use crate::exit::UsageError;
use crate::hearing::{ChannelHeard, hear_file};
use crate::takes;

/// What came out of a path.
#[derive(Clone, Debug)]
pub struct Received {
    /// One per family that was sent.
    pub families: Vec<Figures>,
    /// The channel that was taken, from 1.
    pub channel: usize,
    /// How many there are.
    pub channels: usize,
    /// What the recorder's clock counts more than the player's, or fewer, in ppm.
    pub drift_ppm: f64,
    /// What the file promised and does not hold.
    pub truncated: Option<String>,
}

/// Why nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nothing {
    /// Nothing was recorded.
    Silent,
    /// Something was, its highest sample at this level, but not the test recording.
    NotThere {
        /// Relative to full scale.
        peak_dbfs: f64,
    },
}

/// In what was sent nothing disturbs: what fits less is no beep.
const LEAST_SENT_SCORE: f64 = 0.8;
/// Dither alone is not sound.
const SILENT_DBFS: f64 = -80.0;
/// A beep's arrival is within this of its instant, once recordings are laid upon each other.
const WITHIN_S: f64 = 0.5;

/// Compares two recordings. The second may begin at any time and have another rate; of its channels the one in which
/// most is found is taken, or `channel`, from 1. `progress` is told how many more seconds of sound have been heard,
/// of [`seconds`].
///
/// # Errors
/// A file cannot be read, has no such channel, or nothing to compare with was sent.
pub fn compare(
    sent: &Path,
    received: &Path,
    channel: Option<usize>,
    progress: &(dyn Fn(f64) + Sync),
) -> anyhow::Result<Result<Received, Nothing>> {
    let channels = wav::Reader::open(received).map_err(UsageError::new)?.channels();
    if channel.is_some_and(|channel| !(1..=channels).contains(&channel)) {
        let no_such = format!("{}: its channels go from 1 to {channels}", received.display());
        return Err(UsageError::say(no_such).into());
    }
    let mut emitted: Vec<Found> =
        Listened::to(sent, progress)?.into_iter().take(1).flat_map(|first| first.found).collect();
    emitted.retain(|found| found.detection.score >= LEAST_SENT_SCORE);
    if !emitted.iter().any(|found| found.family.is_coded()) {
        let sent = sent.display();
        let mend = format!("{sent} holds no time signals: make what is sent with `jiho signal survey --render FILE`");
        return Err(UsageError::say(mend).into());
    }
    let mut heard = Listened::to(received, progress)?;
    heard.retain(|listened| channel.is_none_or(|channel| channel == listened.index + 1));
    let peak = heard.iter().map(|channel| channel.peak).fold(0.0, f32::max);
    // Of equals the first.
    let located = heard.iter().rev().filter_map(|channel| Some((channel, lag_s(&emitted, &channel.found)?)));
    let sum = |channel: &Listened| channel.found.iter().map(|found| found.detection.score).sum::<f64>();
    let Some((best, lag)) = located.max_by(|a, b| sum(a.0).total_cmp(&sum(b.0))) else {
        let peak_dbfs = 20.0 * f64::from(peak).log10();
        return Ok(Err(if peak_dbfs < SILENT_DBFS { Nothing::Silent } else { Nothing::NotThere { peak_dbfs } }));
    };
    let matched = FAMILIES
        .into_iter()
        .map(|family| Matched::of(family, &emitted, best, lag, (sent, received)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let beeps: Vec<Vec<Beep>> = matched.iter().map(|matched| matched.beeps.clone()).collect();
    let slope = slope(&beeps);
    let families = matched.iter().map(|m| Figures::of(m.family, &m.beeps, m.echoes, slope)).collect();
    let truncated = best.truncated.clone();
    // A millisecond per second is a thousand parts in a million.
    Ok(Ok(Received { families, channel: best.index + 1, channels, drift_ppm: 1000.0 * slope, truncated }))
}

/// How much sound is heard in a comparison, in seconds.
///
/// # Errors
/// A file cannot be read.
pub fn seconds(sent: &Path, received: &Path) -> anyhow::Result<f64> {
    Ok(FAMILIES.len() as f64 * (takes::seconds(sent)? + takes::seconds(received)?))
}

/// One channel with all that was found in it.
struct Listened {
    /// From 0.
    index: usize,
    clock: SampleClock,
    samples: i64,
    peak: f32,
    truncated: Option<String>,
    found: Vec<Found>,
}

impl Listened {
    /// All channels.
    fn to(path: &Path, progress: &(dyn Fn(f64) + Sync)) -> anyhow::Result<Vec<Self>> {
        let codes = plan::codes();
        let heard = FAMILIES
            .into_par_iter()
            .map(|family| Ok((family, hear_file(path, family, &codes, progress).map_err(UsageError::new)?)))
            .collect::<Result<Vec<(Family, Vec<ChannelHeard>)>, UsageError>>()?;
        let mut channels: Vec<Self> = Vec::new();
        for (family, heard) in heard {
            for (index, ChannelHeard { detections, clock_rate, samples, peak, truncated }) in
                heard.into_iter().enumerate()
            {
                if channels.len() == index {
                    let clock = SampleClock::new(RunTime::START, clock_rate);
                    channels.push(Self { index, clock, samples, peak, truncated, found: Vec::new() });
                }
                let placed =
                    |detection: Detection| Found { family, detection, at_s: detection.position / clock_rate.hz() };
                channels[index].found.extend(detections.into_iter().map(placed));
            }
        }
        Ok(channels)
    }
}

/// What became of one family's beeps.
struct Matched {
    family: Family,
    beeps: Vec<Beep>,
    echoes: usize,
}

impl Matched {
    fn of(
        family: Family,
        emitted: &[Found],
        received: &Listened,
        lag_s: f64,
        (sent_file, received_file): (&Path, &Path),
    ) -> anyhow::Result<Self> {
        let sent: Vec<&Found> = emitted.iter().filter(|found| found.family == family).collect();
        let at = |found: &Found| RunTime::START + Nanos::from_secs_f64(found.at_s);
        let emissions: Vec<Emission> =
            (0u32..).zip(&sent).map(|(beep, found)| Emission { beep, at: at(found) }).collect();
        // Codes take turns: what is of another code than the one whose turn it is, is a shadow.
        let in_turn = |found: &&Found| {
            let at_s = found.at_s - lag_s;
            let next = sent.partition_point(|sent| sent.at_s < at_s - WITHIN_S);
            let near = sent[next..].iter().take_while(|sent| sent.at_s <= at_s + WITHIN_S);
            let nearest = near.min_by(|a, b| (a.at_s - at_s).abs().total_cmp(&(b.at_s - at_s).abs()));
            nearest.is_some_and(|sent| sent.detection.code == found.detection.code)
        };
        let own = received.found.iter().filter(|found| found.family == family).filter(in_turn);
        let detections: Vec<Detection> = own.map(|found| found.detection).collect();
        let lag = Nanos::from_secs_f64(lag_s);
        let recorder = Recorder {
            clock: SampleClock { start: RunTime::START - lag, ..received.clock },
            clock_error: Nanos::ZERO,
            samples: received.samples,
            codec_sd: Nanos::ZERO,
        };
        let (observations, arrivals) = observe(&emissions, &detections, &recorder);
        let mut levels_sent = Levels::open(sent_file, 0, family)?;
        let mut levels_received = Levels::open(received_file, received.index, family)?;
        let mut beeps = Vec::new();
        for (observation, sent) in observations.iter().zip(&sent) {
            let detection = observation.detection.and_then(|index| detections.get(index)).copied();
            let level_change_db = match &detection {
                Some(found) => {
                    let (from, to) = (levels_sent.gain_db(&sent.detection)?, levels_received.gain_db(found)?);
                    from.zip(to).map(|(from, to)| to - from)
                }
                None => None,
            };
            beeps.extend(
                Beep::of(0, observation, detection, level_change_db)
                    .map(|beep| Beep { delay_ms: beep.delay_ms.map(|ms| ms + lag.as_millis_f64()), ..beep }),
            );
        }
        let echoes = arrivals.iter().filter(|arrival| arrival.kind() == ArrivalKind::Echo).count();
        Ok(Self { family, beeps, echoes })
    }
}
