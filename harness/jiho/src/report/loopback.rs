//! What a loop-back says of a pair of devices: one row, or a page of words.

use std::fmt::Write;

use jiho_analysis::device::{Finding, Looped, Measured};
use serde::{Deserialize, Serialize};

use super::words::counted;
use crate::live::loopback::{Asked, Outcome};

/// A loop-back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopbackRow {
    pub(crate) play_device: String,
    pub(crate) record_device: String,
    pub(crate) rate_hz: u32,
    pub(crate) buffer_frames: u32,
    pub(crate) beeps: usize,
    pub(crate) heard: usize,
    pub(crate) channel: Option<usize>,
    pub(crate) round_trip_ms: Option<f64>,
    pub(crate) round_trip_low_ms: Option<f64>,
    pub(crate) round_trip_high_ms: Option<f64>,
    pub(crate) less_straight_ms: Option<f64>,
    pub(crate) less_straight_low_ms: Option<f64>,
    pub(crate) less_straight_high_ms: Option<f64>,
    pub(crate) sd_ms: Option<f64>,
    pub(crate) spread_ms: Option<f64>,
    pub(crate) drift_ppm: Option<f64>,
    pub(crate) score: Option<f64>,
    pub(crate) snr_db: Option<f64>,
    pub(crate) gain_db: Option<f64>,
    pub(crate) peak_dbfs: Option<f64>,
    pub(crate) play_xruns: usize,
    pub(crate) record_xruns: usize,
    pub(crate) play_xrun_samples: i64,
    pub(crate) record_xrun_samples: i64,
    pub(crate) told_xruns: u64,
    pub(crate) play_stamp_sd_ms: f64,
    pub(crate) record_stamp_sd_ms: f64,
    pub(crate) play_skew_ppm: f64,
    pub(crate) record_skew_ppm: f64,
    pub(crate) ended: Option<String>,
    pub(crate) findings: String,
}

/// What people call the system's own choice.
const DEFAULT: &str = "default";

impl LoopbackRow {
    /// One per channel that beeps came back on, the wanted one first; one without figures if there is none.
    pub fn all(asked: &Asked, outcome: &Outcome) -> Vec<Self> {
        let others = outcome.measured.others.iter().copied().map(Some);
        std::iter::once(outcome.measured.looped).chain(others).map(|looped| Self::of(asked, outcome, looped)).collect()
    }

    fn of(asked: &Asked, outcome: &Outcome, looped: Option<Looped>) -> Self {
        let Outcome { measured, played, recorded, ended, .. } = outcome;
        let interval = looped.and_then(|looped| looped.interval_ms);
        let (less_straight, less_straight_interval) = match (looped, straight_of(asked, outcome)) {
            (Some(looped), Some(straight)) if looped.channel != straight.channel => {
                (Some(looped.round_trip_ms - straight.round_trip_ms), looped.less(&straight))
            }
            _ => (None, None),
        };
        let device = |id: &Option<String>| id.clone().unwrap_or_else(|| DEFAULT.to_owned());
        let samples = |stream: &crate::live::loopback::Stream| stream.timeline.jumps.iter().map(|j| j.samples).sum();
        Self {
            play_device: device(&asked.play),
            record_device: device(&asked.record),
            rate_hz: asked.rate.0,
            buffer_frames: asked.buffer_frames,
            beeps: measured.beeps,
            heard: measured.heard,
            channel: looped.map(|looped| looped.channel + 1),
            round_trip_ms: looped.map(|looped| looped.round_trip_ms),
            round_trip_low_ms: interval.map(|interval| interval.low),
            round_trip_high_ms: interval.map(|interval| interval.high),
            less_straight_ms: less_straight,
            less_straight_low_ms: less_straight_interval.map(|interval| interval.low),
            less_straight_high_ms: less_straight_interval.map(|interval| interval.high),
            sd_ms: looped.map(|looped| looped.sd_ms),
            spread_ms: looped.map(|looped| looped.spread_ms),
            drift_ppm: looped.map(|looped| looped.drift_ppm),
            score: looped.map(|looped| looped.score),
            snr_db: looped.map(|looped| looped.snr_db),
            gain_db: looped.map(|looped| looped.gain_db),
            peak_dbfs: measured.peak_dbfs.is_finite().then_some(measured.peak_dbfs),
            play_xruns: played.timeline.jumps.len(),
            record_xruns: recorded.timeline.jumps.len(),
            play_xrun_samples: samples(played),
            record_xrun_samples: samples(recorded),
            told_xruns: played.status.xruns + recorded.status.xruns,
            play_stamp_sd_ms: played.timeline.stamp_sd.as_millis_f64(),
            record_stamp_sd_ms: recorded.timeline.stamp_sd.as_millis_f64(),
            play_skew_ppm: played.timeline.clock.skew.as_ppm(),
            record_skew_ppm: recorded.timeline.clock.skew.as_ppm(),
            ended: ended.map(str::to_owned),
            findings: measured.findings.iter().map(name).collect::<Vec<_>>().join(" "),
        }
    }
}

/// The channel that comes straight back, if one was named and heard.
fn straight_of(asked: &Asked, outcome: &Outcome) -> Option<Looped> {
    let Measured { looped, others, .. } = &outcome.measured;
    let straight = asked.straight_channel?;
    looped.iter().chain(others).find(|looped| looped.channel == usize::from(straight)).copied()
}

/// The way beyond what comes straight back, in words.
fn less_straight(row: &LoopbackRow, straight: u16) -> Option<String> {
    let interval = row.less_straight_low_ms.zip(row.less_straight_high_ms);
    let interval = interval.map_or(String::new(), |(low, high)| format!(" [{low:.3}, {high:.3}]"));
    Some(format!(
        "  channel {}  {:.3} ms{interval} less channel {}, which comes straight back: by one clock",
        row.channel?,
        row.less_straight_ms?,
        straight + 1
    ))
}

/// For people: the figures, then what is wrong, each with the next step.
pub fn text(asked: &Asked, outcome: &Outcome) -> String {
    let row = LoopbackRow::of(asked, outcome, outcome.measured.looped);
    let mut text = String::new();
    // Writing to a string cannot fail.
    match &outcome.measured.looped {
        None => {
            let _ = writeln!(text, "no round trip: {} of {} came back", row.heard, counted(row.beeps, "beep"));
        }
        Some(looped) => {
            let interval = looped.interval_ms.map_or(String::new(), |i| format!(" [{:.3}, {:.3}]", i.low, i.high));
            let _ = writeln!(text, "round trip  {:.3} ms{interval}", looped.round_trip_ms);
            let _ = writeln!(
                text,
                "  beeps     {} of {}; sd {:.3} ms, from least to greatest {:.3} ms",
                row.heard, row.beeps, looped.sd_ms, looped.spread_ms
            );
            let _ = writeln!(
                text,
                "  drift     {:+.1} ppm between the cards, taken out; they count {:+.0} and {:+.0} ppm faster than this host",
                looped.drift_ppm, row.play_skew_ppm, row.record_skew_ppm
            );
            let _ = writeln!(
                text,
                "  sound     channel {}, score {:.2}, {:+.1} dB against what was played, {:.0} dB over noise",
                looped.channel + 1,
                looped.score,
                looped.gain_db,
                looped.snr_db
            );
        }
    }
    for other in &outcome.measured.others {
        let later = outcome.measured.looped.map_or(0.0, |looped| other.round_trip_ms - looped.round_trip_ms);
        let _ = writeln!(
            text,
            "  channel {}  {:.3} ms, {later:+.3} ms against the first: by one clock",
            other.channel + 1,
            other.round_trip_ms
        );
    }
    if let Some(straight) = asked.straight_channel {
        let lines: Vec<String> =
            LoopbackRow::all(asked, outcome).iter().filter_map(|row| less_straight(row, straight)).collect();
        match straight_of(asked, outcome) {
            Some(_) => lines.iter().for_each(|line| {
                let _ = writeln!(text, "{line}");
            }),
            None => {
                let _ =
                    writeln!(text, "  straight  no beep came back on channel {}: nothing is subtracted", straight + 1);
            }
        }
    }
    let _ = writeln!(
        text,
        "  xruns     {} playing, {} recording, by stamps that scatter by {:.3} and {:.3} ms; {} by the devices' word",
        row.play_xruns, row.record_xruns, row.play_stamp_sd_ms, row.record_stamp_sd_ms, row.told_xruns
    );
    if let Some(which) = outcome.ended {
        let id = if which == "playing" { &row.play_device } else { &row.record_device };
        let _ = writeln!(
            text,
            "the {which} device {id} ended the stream in the middle; is it still connected, and does its sound server run?"
        );
    }
    for finding in &outcome.measured.findings {
        let _ = writeln!(text, "{}: {}", name(finding), advice(finding, asked, outcome));
    }
    text
}

/// One word for programs.
fn name(finding: &Finding) -> &'static str {
    match finding {
        Finding::Silent => "silent",
        Finding::NotThere => "not_there",
        Finding::WrongChannel { .. } => "wrong_channel",
        Finding::Missing => "missing",
        Finding::Suppressed { .. } => "suppressed",
        Finding::Clipped { .. } => "clipped",
        Finding::Xruns { .. } => "xruns",
        Finding::Unsteady => "unsteady",
        Finding::Echo { .. } => "echo",
        Finding::TooQuiet => "too_quiet",
    }
}

/// What it means, and what to do.
fn advice(finding: &Finding, asked: &Asked, outcome: &Outcome) -> String {
    match finding {
        Finding::Silent => "nothing was recorded but silence: unmute the microphone and give it its permission, check \
                            that the cable is in, or name another device with --record"
            .to_owned(),
        Finding::NotThere => format!(
            "something was recorded, peaks at {:.0} dBFS, and none of the beeps: turn the loudspeaker up and bring the \
             microphone near it, or check with --play and --record that the two belong together",
            outcome.measured.peak_dbfs
        ),
        Finding::WrongChannel { found } => {
            let (found, wanted) = (found + 1, asked.input_channel + 1);
            format!(
                "the beeps came on channel {found}, not on {wanted}: say --input-channel {found}, or move the cable"
            )
        }
        Finding::Missing => format!(
            "{} of {} beeps came back: listen for what else sounds, or turn the loudspeaker up",
            outcome.measured.heard, outcome.measured.beeps
        ),
        Finding::Suppressed { change_db } => {
            let what =
                change_db.map_or("the beeps stopped".to_owned(), |db| format!("the beeps fell by {:.0} dB", -db));
            format!(
                "{what} while they were played alike: something takes them for echo or noise; switch off echo \
                 cancellation, noise suppression and automatic gain, or use another device"
            )
        }
        Finding::Clipped { samples } => {
            let samples = counted(*samples, "sample");
            format!("{samples} at full scale: turn the microphone or the loudspeaker down")
        }
        Finding::Xruns { played, captured } => format!(
            "the devices stumbled, {played} playing and {captured} recording; beeps that it hit are left out: close other \
             programs, or ask for more with --buffer {}",
            2 * asked.buffer_frames
        ),
        Finding::Unsteady => {
            "single beeps differ by more than half a millisecond, though no stamp tells of it: measure \
                              again, with a greater --buffer, or through another host"
                .to_owned()
        }
        Finding::Echo { later_ms, level_db } => format!(
            "each beep comes a second time, {later_ms:+.1} ms from the first at {level_db:.0} dB: a monitor path is on, or \
             the room echoes; mute the monitoring of the input, or bring the microphone nearer"
        ),
        Finding::TooQuiet => {
            "the beeps hardly stand out of the noise: turn the loudspeaker up, or bring the microphone \
                              nearer"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::Table;

    #[test]
    fn every_column_is_explained() {
        let formats = include_str!("../../../../docs/formats.md");
        for column in Table::<LoopbackRow>::columns() {
            assert!(formats.contains(&format!("`{column}`")), "docs/formats.md does not explain `{column}`");
        }
    }
}
