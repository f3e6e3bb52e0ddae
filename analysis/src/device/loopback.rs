//! What came back of beeps that were played into a device: how late, how well, and what is wrong.

use crate::arrivals::{Arrival, ArrivalKind, Observation, Recorder, observe};
use crate::hear::{Detection, Hearing};
use crate::signal::{Code, Emission, Family, Waveform};
use crate::stats::{Interval, median, median_interval, robust_sd, sorted, theil_sen};
use crate::units::{Nanos, Rate};

use super::timeline::{Jump, Timeline};

/// What was played.
#[derive(Clone, Copy, Debug)]
pub struct Played<'a> {
    /// Of the beeps.
    pub family: Family,
    /// Of the beeps.
    pub code: Code,
    /// By how much beeps were played softer or louder than their waveform is.
    pub gain_db: f64,
    /// The counts of the marks, in order.
    pub marks: &'a [f64],
    /// So many of the first beeps wake the device, and are not measured.
    pub priming: usize,
    /// Of the stream that played.
    pub timeline: &'a Timeline,
}

/// What was recorded meanwhile, from the stream's first sample on.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// One per channel, all of one length.
    pub channels: &'a [Vec<f32>],
    /// The channel that the beeps should be on, from 0.
    pub wanted: usize,
    /// Of the stream that recorded.
    pub timeline: &'a Timeline,
}

/// What a loop-back says.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// `None`: too few beeps came back.
    pub looped: Option<Looped>,
    /// The round trips of the other channels that beeps came back on: one clock counts them all, so that their
    /// differences are free of what the devices' stamps are off by.
    pub others: Vec<Looped>,
    /// Beeps that were played, without those that wake the device.
    pub beeps: usize,
    /// How many of them came back.
    pub heard: usize,
    /// The highest sample of the wanted channel, in dB relative to full scale; −∞ for digital silence.
    pub peak_dbfs: f64,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

/// The round trip and its quality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Looped {
    /// The channel that it was measured on, from 0.
    pub channel: usize,
    /// From the device's stamp of a mark that is played to its stamp of the mark that is captured, in ms: the median, in
    /// the middle of the measurement.
    pub round_trip_ms: f64,
    /// The median's 95 % interval; `None` for fewer than 6 beeps.
    pub interval_ms: Option<Interval>,
    /// The robust standard deviation of single beeps, in ms.
    pub sd_ms: f64,
    /// From the least to the greatest of single beeps, in ms.
    pub spread_ms: f64,
    /// By how much the recording card counts faster than the playing one, in ppm: by the sound, and taken out.
    pub drift_ppm: f64,
    /// The median of beeps' scores, 0 to 1.
    pub score: f64,
    /// The median of beeps' signal-to-noise ratios in their band, in dB.
    pub snr_db: f64,
    /// The median of beeps' levels against those played, in dB.
    pub gain_db: f64,
}

impl Looped {
    /// The 95 % interval of this round trip less another one of the same measurement, whose errors count as independent.
    /// `None` where one has none.
    pub fn less(&self, straight: &Self) -> Option<Interval> {
        let (own, other) = (self.interval_ms?, straight.interval_ms?);
        let middle = self.round_trip_ms - straight.round_trip_ms;
        let below = (self.round_trip_ms - own.low).hypot(other.high - straight.round_trip_ms);
        let above = (own.high - self.round_trip_ms).hypot(straight.round_trip_ms - other.low);
        Some(Interval { low: middle - below, high: middle + above })
    }
}

/// What is wrong with a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// Nothing was recorded but zeros and dither.
    Silent,
    /// Something was recorded, and no beep in it.
    NotThere,
    /// The beeps are on another channel than the wanted one.
    WrongChannel {
        /// Where they are, from 0.
        found: usize,
    },
    /// Some beeps did not come back.
    Missing,
    /// Beeps get softer, or stop: something takes them for echo or noise.
    Suppressed {
        /// From the first beeps to the last, in dB; `None`: the last did not come at all.
        change_db: Option<f64>,
    },
    /// Flat tops.
    Clipped {
        /// How many samples.
        samples: usize,
    },
    /// The device stumbled.
    Xruns {
        /// Where sound is played.
        played: usize,
        /// Where it is captured.
        captured: usize,
    },
    /// Single beeps differ by more than the round trip is good for.
    Unsteady,
    /// Beeps come back twice.
    Echo {
        /// The second one is this much later, in ms.
        later_ms: f64,
        /// And this much louder, in dB; mostly negative.
        level_db: f64,
    },
    /// Too little stands out of the noise.
    TooQuiet,
}

/// Fewer beeps make no measurement.
const LEAST_BEEPS: usize = 5;
/// Dither alone is not sound.
const SILENT_DBFS: f64 = -80.0;
/// What is this near to full scale …
const FULL_SCALE: f32 = 0.999;
/// … so often in a row is cut off.
const FLAT: usize = 3;
/// Beeps that lose so much on their way are suppressed.
const SUPPRESSED_DB: f64 = -10.0;
/// A path with less headroom is one that noise may spoil.
const LEAST_SNR_DB: f64 = 10.0;
/// A device whose single beeps differ by more is no measuring instrument.
const UNSTEADY_MS: f64 = 0.5;
/// Echoes agree this well.
const SAME_ECHO_MS: f64 = 0.5;
/// A second peak this near to the first is an echo.
const ECHO_RATIO: f64 = 2.5;

/// Measures a round trip.
pub fn measure(played: &Played, heard: &Heard) -> Measured {
    let tracks: Vec<Track> = (0..heard.channels.len()).map(|channel| Track::of(channel, played, heard)).collect();
    // Of equals the wanted one, then the first.
    let best = tracks.iter().max_by(|a, b| {
        a.worth().total_cmp(&b.worth()).then((a.channel == heard.wanted).cmp(&(b.channel == heard.wanted)))
    });
    let wanted = heard.channels.get(heard.wanted).map_or(&[][..], Vec::as_slice);
    let peak = wanted.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let peak_dbfs = 20.0 * f64::from(peak).log10();
    let beeps = played.marks.len().saturating_sub(played.priming);
    // What stands out elsewhere only is on another channel; cross-talk is not.
    let own = tracks.get(heard.wanted).filter(|track| 2 * track.beeps.len() >= beeps.min(2 * LEAST_BEEPS));
    let Some(track) = own.or(best) else {
        return Measured {
            looped: None,
            others: Vec::new(),
            beeps,
            heard: 0,
            peak_dbfs,
            findings: vec![Finding::Silent],
        };
    };
    let looped = track.looped(played, heard);
    let others = tracks.iter().filter(|other| other.channel != track.channel);
    let others = others.filter_map(|other| other.looped(played, heard)).collect();
    let mut findings = Vec::new();
    match &looped {
        None if peak_dbfs < SILENT_DBFS => findings.push(Finding::Silent),
        None => findings.push(Finding::NotThere),
        Some(_) if track.channel != heard.wanted => findings.push(Finding::WrongChannel { found: track.channel }),
        Some(_) => {}
    }
    findings.extend(track.suppressed(played));
    if looped.is_some() && track.beeps.len() < beeps && !matches!(findings.last(), Some(Finding::Suppressed { .. })) {
        findings.push(Finding::Missing);
    }
    let samples = clipped(&heard.channels[track.channel]);
    if samples > 0 {
        findings.push(Finding::Clipped { samples });
    }
    let (at_mouth, at_ear) = (played.timeline.jumps.len(), heard.timeline.jumps.len());
    if at_mouth + at_ear > 0 {
        findings.push(Finding::Xruns { played: at_mouth, captured: at_ear });
    }
    if let Some(looped) = &looped {
        if looped.spread_ms > UNSTEADY_MS {
            findings.push(Finding::Unsteady);
        }
        findings.extend(track.echo);
        // An echo is what a beep stands out of, too.
        if looped.snr_db < LEAST_SNR_DB && track.echo.is_none() {
            findings.push(Finding::TooQuiet);
        }
    }
    Measured { looped, others, beeps, heard: track.beeps.len(), peak_dbfs, findings }
}

/// A beep that came back.
#[derive(Clone, Copy, Debug)]
struct Beep {
    /// When its mark was played, in seconds of the run.
    sent_s: f64,
    delay_ms: f64,
    gain_db: f64,
    detection: Detection,
    /// No jump is within it.
    whole: bool,
    /// Which beep.
    number: usize,
}

/// One channel.
struct Track {
    channel: usize,
    /// Without those that wake the device.
    beeps: Vec<Beep>,
    echo: Option<Finding>,
    /// Levels of the beeps that wake the device, where they came.
    first_db: Vec<f64>,
}

impl Track {
    fn of(channel: usize, played: &Played, heard: &Heard) -> Self {
        let samples = &heard.channels[channel];
        let rate = heard.timeline.clock.rate;
        let mut hearing = Hearing::new(rate, played.family, &[played.code]);
        let mut detections = hearing.push(samples);
        detections.extend(hearing.finish());
        let counts: Vec<f64> = detections.iter().map(|found| found.position).collect();
        for found in &mut detections {
            found.position = heard.timeline.position(found.position);
        }
        let emissions: Vec<Emission> =
            (0u32..).zip(played.marks).map(|(beep, &mark)| Emission { beep, at: played.timeline.time(mark) }).collect();
        let recorder = Recorder {
            clock: heard.timeline.clock,
            clock_error: Nanos::ZERO,
            samples: heard.timeline.position(samples.len() as f64) as i64,
            codec_sd: Nanos::ZERO,
        };
        let (observations, arrivals) = observe(&emissions, &detections, &recorder);
        let levels = Levels::new(played, rate);
        let all = observations.iter().zip(played.marks).enumerate();
        let found: Vec<Beep> = all
            .filter_map(|(number, (observation, &mark))| {
                let index = observation.detection?;
                Some(Beep {
                    sent_s: observation.emission.at.since_start().as_secs_f64(),
                    delay_ms: observation.delay?.value.as_millis_f64(),
                    gain_db: levels.gain_db(samples, counts[index]),
                    detection: detections[index],
                    whole: levels.is_whole(mark, &played.timeline.jumps)
                        && levels.is_whole(counts[index], &heard.timeline.jumps),
                    number,
                })
            })
            .collect();
        let (first, beeps): (Vec<Beep>, Vec<Beep>) = found.into_iter().partition(|beep| beep.number < played.priming);
        let echo = echo(&observations, &arrivals, rate);
        Self { channel, beeps, echo, first_db: first.iter().map(|beep| beep.gain_db).collect() }
    }

    /// How much of what was played is on this channel.
    fn worth(&self) -> f64 {
        self.beeps.iter().map(|beep| beep.detection.score).sum()
    }

    fn looped(&self, played: &Played, heard: &Heard) -> Option<Looped> {
        let whole: Vec<&Beep> = self.beeps.iter().filter(|beep| beep.whole).collect();
        if whole.len() < LEAST_BEEPS {
            return None;
        }
        let times: Vec<f64> = whole.iter().map(|beep| beep.sent_s).collect();
        let delays: Vec<f64> = whole.iter().map(|beep| beep.delay_ms).collect();
        let ms_per_s = theil_sen(&times, &delays)?.slope;
        let middle = (times.first()? + times.last()?) / 2.0;
        let by_stamps = heard.timeline.clock.skew.as_ppm() - played.timeline.clock.skew.as_ppm();
        // A millisecond per second is a thousand parts in a million.
        let drift_ppm = by_stamps + 1000.0 * ms_per_s;
        // A card that is faster stretches a beep, which is found where its middle fits: its mark seems later.
        let stretched_ms = 1e-3 * drift_ppm * Levels::new(played, heard.timeline.clock.rate).middle_s;
        let level: Vec<f64> =
            times.iter().zip(&delays).map(|(at, ms)| ms - ms_per_s * (at - middle) - stretched_ms).collect();
        let of = |value: fn(&Beep) -> f64| median(&whole.iter().map(|beep| value(beep)).collect::<Vec<_>>());
        let in_order = sorted(&level);
        Some(Looped {
            channel: self.channel,
            round_trip_ms: median(&level)?,
            interval_ms: median_interval(&level),
            sd_ms: robust_sd(&level)?,
            spread_ms: in_order.last()? - in_order.first()?,
            drift_ppm,
            score: of(|beep| beep.detection.score)?,
            snr_db: of(|beep| beep.detection.snr_db)?,
            gain_db: of(|beep| beep.gain_db)?,
        })
    }

    /// Whether something holds the beeps down once it has learned them.
    fn suppressed(&self, played: &Played) -> Option<Finding> {
        let before: Vec<f64> =
            self.first_db.iter().copied().chain(self.beeps.iter().take(2).map(|b| b.gain_db)).collect();
        let last = self.beeps.iter().map(|beep| beep.number).max().or(self.first_db.len().checked_sub(1))?;
        let quarter = played.marks.len() / 4;
        if last + quarter.max(3) < played.marks.len() {
            return Some(Finding::Suppressed { change_db: None });
        }
        let end: Vec<f64> = self.beeps.iter().rev().take(quarter.max(3)).map(|beep| beep.gain_db).collect();
        let change_db = median(&end)? - before.iter().copied().reduce(f64::max)?;
        (change_db < SUPPRESSED_DB).then_some(Finding::Suppressed { change_db: Some(change_db) })
    }
}

/// How loud beeps are.
struct Levels {
    before: f64,
    after: f64,
    played_power: f64,
    /// From its mark to the middle of its energy, in seconds.
    middle_s: f64,
}

impl Levels {
    fn new(played: &Played, rate: Rate) -> Self {
        let waveform = Waveform::new(played.family, played.code);
        let (before, after) = (rate.samples(waveform.before_mark()), rate.samples(waveform.after_mark()));
        let mut sound = vec![0.0; (before + after).ceil() as usize];
        waveform.add(-before / rate.hz(), rate, &mut sound);
        let played_power = power(&sound) * 10.0_f64.powf(played.gain_db / 10.0);
        let energy = |sample: &f32| f64::from(*sample).powi(2);
        let moment: f64 = sound.iter().enumerate().map(|(n, sample)| (n as f64 - before) * energy(sample)).sum();
        let middle_s = moment / sound.iter().map(energy).sum::<f64>() / rate.hz();
        Self { before, after, played_power, middle_s }
    }

    fn gain_db(&self, samples: &[f32], mark: f64) -> f64 {
        let from = (mark - self.before).max(0.0) as usize;
        let to = ((mark + self.after).max(0.0) as usize).min(samples.len());
        10.0 * (power(samples.get(from..to).unwrap_or(&[])) / self.played_power).log10()
    }

    /// Whether no jump is within a beep, or so near that its place may be off.
    fn is_whole(&self, mark: f64, jumps: &[Jump]) -> bool {
        let (from, to) = (mark - self.before, mark + 2.0 * self.after);
        !jumps.iter().any(|jump| (from..=to).contains(&(jump.at.0 as f64)))
    }
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

/// A second arrival that most beeps have, at the same distance.
fn echo(observations: &[Observation], arrivals: &[Arrival], rate: Rate) -> Option<Finding> {
    let mut seconds: Vec<(f64, f64)> = Vec::new();
    for observation in observations {
        let Some(first) = observation.detection.and_then(|index| arrivals.get(index)) else { continue };
        let own =
            |arrival: &&Arrival| arrival.kind() == ArrivalKind::Echo && arrival.beep == Some(observation.emission.beep);
        let later = arrivals.iter().find(own).map(|echo| {
            ((echo.at - first.at).as_millis_f64(), 20.0 * (echo.detection.score / first.detection.score).log10())
        });
        let rival = || {
            let near = first.detection.peak_ratio < ECHO_RATIO;
            near.then(|| (1000.0 * first.detection.rival_samples / rate.hz(), first.detection.second_peak_db()))
        };
        seconds.extend(later.or_else(rival));
    }
    let later_ms = median(&seconds.iter().map(|second| second.0).collect::<Vec<_>>())?;
    let same: Vec<f64> =
        seconds.iter().filter(|second| (second.0 - later_ms).abs() < SAME_ECHO_MS).map(|second| second.1).collect();
    let heard = observations.iter().filter(|observation| observation.detection.is_some()).count();
    (2 * same.len() > heard).then(|| Finding::Echo { later_ms, level_db: median(&same).unwrap_or(0.0) })
}

/// Samples in flat tops at full scale.
fn clipped(samples: &[f32]) -> usize {
    let tops = samples.chunk_by(|a, b| (a.abs() >= FULL_SCALE) == (b.abs() >= FULL_SCALE));
    tops.filter(|run| run.len() >= FLAT && run[0].abs() >= FULL_SCALE).map(<[f32]>::len).sum()
}

#[cfg(test)]
mod tests;
