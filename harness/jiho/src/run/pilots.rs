//! Everybody's pilots in one ear's recording.

use std::collections::BTreeMap;
use std::path::Path;

use jiho_analysis::arrivals::{Observation, Recorder, UNKNOWN_CODEC_SD};
use jiho_analysis::signal::Code;
use jiho_analysis::track::{Break, Marks, Point, Points, Segment, breaks};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_drivers::sidecar::Sidecar;
use jiho_drivers::wav::Reader;
use jiho_proto::codec::CodecConfig;

use super::measure::{Listening, SpeakerSent};
use crate::tracking::{FileTracked, track_file};

/// One speaker's pilot in one ear's recording.
#[derive(Clone, Debug)]
pub struct PilotHeard {
    /// Which of the run's speakers.
    pub speaker: usize,
    /// The recording's clock.
    pub clock: SampleClock,
    /// When the recording ends.
    pub ends: RunTime,
    /// The track, in tenths of a second.
    pub points: Vec<Point>,
    /// Where it sounds without a break, in order of time.
    pub segments: Vec<Segment>,
    /// Where it breaks off, in order of time.
    pub breaks: Vec<Break>,
}

/// What a recording holds of pilots.
pub(super) struct Heard {
    pub(super) file: FileTracked,
    /// One for each speaker.
    pub(super) pilots: Vec<PilotHeard>,
    /// The marks of each speaker.
    pub(super) observations: Vec<Vec<Observation>>,
}

/// Tracks all speakers' pilots in a recording.
pub(super) fn track(
    path: &Path,
    sidecar: &Sidecar,
    speakers: &[SpeakerSent],
    listening: Listening,
    progress: &(dyn Fn(f64) + Sync),
) -> anyhow::Result<Heard> {
    let codes: Vec<Code> = speakers.iter().map(|speaker| speaker.code).collect();
    let clock = SampleClock { rate: Reader::open(path)?.rate(), ..sidecar.clock() };
    let mut marks: BTreeMap<Code, Marks> =
        speakers.iter().map(|speaker| (speaker.code, Marks::new(&speaker.emissions, clock))).collect();
    let (mut points, mut thinned) = (Points::default(), BTreeMap::<Code, Vec<Point>>::new());
    let mut segments = Vec::new();
    let file = track_file(
        path,
        &codes,
        1,
        &mut |_, tracked| {
            for block in &tracked.blocks {
                if let Some(marks) = marks.get_mut(&block.code) {
                    marks.add(block);
                }
                if let Some(point) = points.add(block) {
                    thinned.entry(point.code).or_default().push(point);
                }
            }
            segments.extend(tracked.segments);
        },
        progress,
    )?;
    let codec_sd = match listening.codec {
        Some(CodecConfig::L16) => Nanos::ZERO,
        _ => UNKNOWN_CODEC_SD,
    };
    let recorder = Recorder { clock, clock_error: sidecar.start_error, samples: file.samples, codec_sd };
    let observations =
        codes.iter().map(|code| marks.remove(code).map(|marks| marks.finish(&recorder)).unwrap_or_default()).collect();
    let pilots = codes.iter().enumerate().map(|(speaker, &code)| PilotHeard {
        speaker,
        clock,
        ends: clock.time(MediaTime(file.samples)),
        points: thinned.remove(&code).unwrap_or_default(),
        segments: segments.iter().filter(|segment| segment.code == code).copied().collect(),
        breaks: breaks(code, &segments),
    });
    Ok(Heard { pilots: pilots.collect(), file, observations })
}
