//! From a run's folder to its findings: hears every recording, and matches what is heard with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use jiho_analysis::arrivals::{self, Arrival, CodecLag, Observation, Recorder, Role};
use jiho_analysis::hear::Detection;
use jiho_analysis::metrics::{PairDelays, Relation};
use jiho_analysis::signal::{Code, Emission, Family, Waveform};
use jiho_analysis::stats;
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::sidecar::Sidecar;
use jiho_proto::codec::CodecConfig;
use rayon::prelude::*;

use super::changes::{Changes, Stamps};
use super::chorus::Chorus;
use super::codec_bias::{BeepCoding, CodecBias};
use super::folder::Folder;
use super::gaps::Gaps;
use super::paths::{FramePath, Paths};
use super::pilots::{self, PilotHeard};
use super::time_line::TimeLine;
use super::unrecorded::EarHeard;
use crate::exit::UsageError;
use crate::hearing::hear_file;
use crate::report::RunName;
use crate::report::emissions::EmissionRow;
use crate::report::run_json::RunJson;
use crate::report::table::Table;

/// What a run amounts to.
#[derive(Debug)]
pub struct Findings {
    /// The run.
    pub run_id: String,
    /// Which repetition, from 1.
    pub rep: u32,
    /// The family of time signals that was listened for.
    pub family: Family,
    /// Who spoke, by name.
    pub speakers: Vec<SpeakerSent>,
    /// Who heard what, speakers first, then by name.
    pub recorders: Vec<RecorderHeard>,
    /// What changes of roles did, if the run has pilots.
    pub changes: Changes,
    /// How the speakers sang together, if they did.
    pub chorus: Option<Chorus>,
}

/// What a speaker sent.
#[derive(Debug)]
pub struct SpeakerSent {
    /// The name in the room.
    pub name: String,
    /// The code.
    pub code: Code,
    /// The beeps as they left the mouth.
    pub emissions: Vec<Emission>,
    /// When each of them was planned.
    pub planned: Vec<RunTime>,
    /// Bound of the error of the clock that both are by.
    pub clock_error: Nanos,
}

/// What was heard at one ear.
#[derive(Debug)]
pub struct RecorderHeard {
    /// The name in the room.
    pub name: String,
    /// Stage or audience.
    pub role: Role,
    /// The recording's length.
    pub length: Nanos,
    /// One per speaker who can be heard here, in the order of [`Findings::speakers`].
    pub pairs: Vec<PairHeard>,
    /// Whatever may be a time signal, in order of time; with the index of its speaker if it is of a beep.
    pub arrivals: Vec<(Option<usize>, Arrival)>,
    /// The pilots that sound in it, if the run has pilots.
    pub pilots: Vec<PilotHeard>,
    /// What is wrong with the recording, in words.
    pub flaws: Vec<String>,
}

/// One speaker at one ear.
#[derive(Debug)]
pub struct PairHeard {
    /// Which of [`Findings::speakers`].
    pub speaker: usize,
    /// What the ear is to the speaker.
    pub relation: Relation,
    /// One per beep.
    pub observations: Vec<Observation>,
    /// The way of each beep's first packet; `None` where it is not known, or was lost.
    pub paths: Vec<Option<FramePath>>,
    /// How each beep's packets were coded; `None` where that is not known, or the codec has no modes.
    pub codings: Vec<Option<BeepCoding>>,
    /// Their summary.
    pub delays: PairDelays,
}

impl Findings {
    /// All pairs, by recorder and speaker.
    pub fn pairs(&self) -> impl Iterator<Item = (&RecorderHeard, &SpeakerSent, &PairHeard)> {
        self.recorders
            .iter()
            .flat_map(|recorder| recorder.pairs.iter().map(move |pair| (recorder, pair)))
            .map(|(recorder, pair)| (recorder, &self.speakers[pair.speaker], pair))
    }
}

impl SpeakerSent {
    /// Somebody who has not spoken yet.
    fn new(name: &str, code: Code) -> Self {
        let (emissions, planned, clock_error) = (Vec::new(), Vec::new(), Nanos::ZERO);
        Self { name: name.to_owned(), code, emissions, planned, clock_error }
    }
}

impl PairHeard {
    /// The median of a part of the beeps' ways, in ms.
    pub fn path_median_ms(&self, part: impl Fn(&FramePath) -> Nanos) -> Option<f64> {
        let parts: Vec<f64> = self.paths.iter().flatten().map(|path| part(path).as_millis_f64()).collect();
        stats::median(&parts)
    }
}

/// What is listened for, and how exactly.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// The family of time signals.
    pub family: Family,
    /// The codec that it came through; `None` if that is not known.
    pub codec: Option<CodecConfig>,
}

/// Measures what is in a run's folder, or in those of several processes that took part in one room: everybody's beeps
/// in everybody's recordings, and at the ears that were not recorded, on the time line of the first folder. `progress` is
/// told how many more seconds of sound have been heard.
///
/// # Errors
/// A file is missing or damaged, or the folders cannot belong together.
pub fn measure(
    folders: &[Folder],
    run: &RunName,
    listening: Listening,
    progress: &(dyn Fn(f64) + Sync),
) -> anyhow::Result<Findings> {
    let time_lines = TimeLine::of_all(folders)?;
    let mut speakers = BTreeMap::new();
    let mut paths = Paths::default();
    let mut stamps = Stamps::default();
    let (mut sidecars, mut unrecorded) = (Vec::new(), Vec::new());
    let mut recorders = BTreeSet::new();
    for (folder, time_line) in folders.iter().zip(&time_lines) {
        for (name, mut speaker) in self::speakers(&Table::read(&folder.emissions())?) {
            speaker.emissions.iter_mut().for_each(|emission| emission.at = emission.at + time_line.shift);
            speaker.planned.iter_mut().for_each(|planned| *planned = *planned + time_line.shift);
            if speakers.insert(name.clone(), speaker).is_some() {
                return Err(twice(folder, "a speaker", &name).into());
            }
        }
        paths.add(&folder.packets(), time_line.shift)?;
        paths.wait(waits(folder)?);
        if listening.family == Family::Pilot {
            stamps.add(folder, time_line.shift)?;
        }
        let mut once = |sidecar: &mut Sidecar| {
            sidecar.start = sidecar.start + time_line.shift;
            if recorders.insert(sidecar.recorder.clone()) {
                Ok(())
            } else {
                Err(twice(folder, "a recording", &sidecar.recorder))
            }
        };
        for (wav, mut sidecar) in folder.sidecars()? {
            once(&mut sidecar)?;
            sidecars.push((wav, sidecar));
        }
        for mut ear in EarHeard::read(&folder.unrecorded())? {
            once(&mut ear.sidecar)?;
            unrecorded.push(ear);
        }
    }
    let speakers: Vec<SpeakerSent> = speakers.into_values().collect();
    if listening.family.is_coded() {
        one_code_each(&speakers)?;
    }
    let codes: Vec<Code> = speakers.iter().map(|speaker| speaker.code).collect();
    let bias = match &listening.codec {
        // A pilot's delay is taken as it is heard: calibration is of beeps.
        _ if listening.family == Family::Pilot => CodecBias::of_unknown_codec(),
        Some(codec) => CodecBias::calibrate(codec, listening.family, &codes).context("calibrating the codec")?,
        None => CodecBias::of_unknown_codec(),
    };
    let lookahead = Rate::OPUS.span(listening.codec.map_or(0, |codec| codec.delay()));
    let coded: Vec<Coded> =
        speakers.par_iter().map(|speaker| Coded::of(speaker, listening.family, &paths, lookahead, &bias)).collect();
    let sent = Sent { listening, speakers: &speakers, coded: &coded, paths: &paths };
    let mut recorders = sidecars
        .par_iter()
        .map(|(wav, sidecar)| {
            let heard = match listening.family {
                Family::Pilot => sent.track(wav, sidecar, progress),
                _ => sent.hear(wav, sidecar, progress),
            };
            heard.with_context(|| format!("measuring what {} heard", sidecar.recorder))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    recorders.par_extend(unrecorded.par_iter().map(|ear| {
        let heard = Heard { rate: ear.sidecar.rate, samples: ear.sidecar.samples as i64, truncated: None };
        sent.matched(&ear.sidecar, heard, &ear.detections)
    }));
    if !TimeLine::share_a_clock(&time_lines) {
        let doubt = "delays between hosts are known only as well as their wall clocks agree, which is unknown";
        recorders.iter_mut().for_each(|recorder| recorder.flaws.push(doubt.to_owned()));
    }
    recorders.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
    let changes = stamps.measure(&speakers, &recorders);
    for recorder in &mut recorders {
        changes.explain(&speakers, recorder);
        changes.part(&speakers, recorder);
    }
    let RunName { run_id, rep } = run.clone();
    let chorus = None;
    Ok(Findings { run_id, rep, family: listening.family, speakers, recorders, changes, chorus })
}

/// How long sound waits before mouths capture it, in a folder of a run on devices.
fn waits(folder: &Folder) -> anyhow::Result<Nanos> {
    let path = folder.run_json();
    if !path.is_file() {
        return Ok(Nanos::ZERO);
    }
    Ok(RunJson::read(&path)?.devices.map_or(Nanos::ZERO, |devices| Nanos(devices.headset_delay_ns)))
}

fn twice(folder: &Folder, what: &str, name: &str) -> UsageError {
    let folder = folder.path().display();
    UsageError::say(format!("{folder}: another folder holds {what} named {name} too: one room, one run, one name each"))
}

fn one_code_each(speakers: &[SpeakerSent]) -> Result<(), UsageError> {
    let mut owners: BTreeMap<Code, &str> = BTreeMap::new();
    for SpeakerSent { name, code, .. } in speakers {
        if let Some(other) = owners.insert(*code, name) {
            return Err(UsageError::say(format!(
                "{other} and {name} both spoke with code {code}, so that nobody can tell whose beep was heard: measure \
                 them apart, or record again with a --code of its own for each speaker"
            )));
        }
    }
    Ok(())
}

fn speakers(rows: &[EmissionRow]) -> BTreeMap<String, SpeakerSent> {
    let mut by_name: BTreeMap<String, SpeakerSent> = BTreeMap::new();
    for row in rows {
        let speaker = by_name.entry(row.speaker.clone()).or_insert_with(|| SpeakerSent::new(&row.speaker, row.code));
        speaker.emissions.push(Emission { beep: row.beep, at: RunTime(row.sent_ns) });
        speaker.planned.push(RunTime(row.planned_ns));
        speaker.clock_error = speaker.clock_error.max(Nanos(row.sent_error_ns));
    }
    by_name
}

/// All that was sent, and what is known of it: what is heard is matched with that.
#[derive(Clone, Copy)]
struct Sent<'a> {
    listening: Listening,
    speakers: &'a [SpeakerSent],
    coded: &'a [Coded],
    paths: &'a Paths,
}

/// What an ear's sound was, besides what was detected in it.
struct Heard {
    rate: Rate,
    samples: i64,
    truncated: Option<String>,
}

impl Sent<'_> {
    /// Hears a recording.
    fn hear(&self, path: &Path, sidecar: &Sidecar, progress: &(dyn Fn(f64) + Sync)) -> anyhow::Result<RecorderHeard> {
        let codes: Vec<Code> = self.speakers.iter().map(|speaker| speaker.code).collect();
        let channel = hear_file(path, self.listening.family, &codes, progress)?.swap_remove(0);
        let heard = Heard { rate: channel.clock_rate, samples: channel.samples, truncated: channel.truncated };
        Ok(self.matched(sidecar, heard, &channel.detections))
    }

    /// Matches what was detected at an ear.
    fn matched(&self, sidecar: &Sidecar, heard: Heard, detections: &[Detection]) -> RecorderHeard {
        let family = self.listening.family;
        let clock = SampleClock { rate: heard.rate, ..sidecar.clock() };
        let (clock_error, samples) = (sidecar.start_error, heard.samples);
        let gaps = Gaps::of(sidecar, clock);
        let mut taken = vec![None; detections.len()];
        let mut pairs = Vec::new();
        for (index, (speaker, coded)) in self.speakers.iter().zip(self.coded).enumerate() {
            let is_own = |detection: &Detection| {
                if family.is_coded() {
                    detection.code == speaker.code
                } else {
                    whose_turn(self.speakers, clock.time_at(detection.position)) == Some(index)
                }
            };
            let own: Vec<usize> = (0..detections.len()).filter(|&d| is_own(&detections[d])).collect();
            let of_speaker: Vec<Detection> = own.iter().map(|&d| detections[d]).collect();
            let clock_error = clock_error + speaker.clock_error;
            let recorder = Recorder { clock, clock_error, samples, codec_sd: Nanos::ZERO };
            let (observations, arrivals) =
                arrivals::observe_through(&speaker.emissions, &coded.lags, &of_speaker, &recorder);
            for (&d, arrival) in own.iter().zip(arrivals) {
                if arrival.beep.is_some() || taken[d].is_none() {
                    taken[d] = Some((arrival.beep.is_some().then_some(index), arrival));
                }
            }
            pairs.extend(self.pair(index, observations, &gaps, sidecar));
        }
        RecorderHeard {
            name: sidecar.recorder.clone(),
            role: sidecar.role,
            length: heard.rate.span(heard.samples),
            pairs,
            arrivals: taken.into_iter().flatten().collect(),
            pilots: Vec::new(),
            flaws: flaws(sidecar, heard.truncated),
        }
    }

    /// Tracks the pilots in a recording.
    fn track(&self, path: &Path, sidecar: &Sidecar, progress: &(dyn Fn(f64) + Sync)) -> anyhow::Result<RecorderHeard> {
        let mut heard = pilots::track(path, sidecar, self.speakers, self.listening, progress)?;
        let clock = SampleClock { rate: heard.file.rate, ..sidecar.clock() };
        let gaps = Gaps::of(sidecar, clock);
        let mut pairs = Vec::new();
        for (index, observations) in heard.observations.into_iter().enumerate() {
            match self.pair(index, observations, &gaps, sidecar) {
                Some(pair) => pairs.push(pair),
                None => heard.pilots.retain(|pilot| pilot.speaker != index),
            }
        }
        Ok(RecorderHeard {
            name: sidecar.recorder.clone(),
            role: sidecar.role,
            length: heard.file.rate.span(heard.file.samples),
            pairs,
            arrivals: Vec::new(),
            pilots: heard.pilots,
            flaws: flaws(sidecar, heard.file.truncated),
        })
    }

    /// One speaker at one ear. A relay does not send a speaker's own sound back: only if it is heard is it a finding.
    fn pair(
        &self,
        index: usize,
        mut observations: Vec<Observation>,
        gaps: &Gaps,
        sidecar: &Sidecar,
    ) -> Option<PairHeard> {
        let speaker = &self.speakers[index];
        let relation = Relation::of(&speaker.name, &sidecar.recorder, sidecar.role);
        if relation == Relation::Own && observations.iter().all(|o| o.delay.is_none()) {
            return None;
        }
        gaps.explain(&mut observations, &Waveform::new(self.listening.family, speaker.code));
        self.paths.explain_sealed(&speaker.name, &sidecar.recorder, &mut observations);
        let way = |observation: &Observation| self.paths.of(&speaker.name, &sidecar.recorder, observation.emission.at);
        let paths = observations.iter().map(way).collect();
        let delays = PairDelays::of(&observations);
        let codings = self.coded[index].codings.clone();
        Some(PairHeard { speaker: index, relation, observations, paths, codings, delays })
    }
}

/// How a speaker's beeps were coded, one entry each.
struct Coded {
    codings: Vec<Option<BeepCoding>>,
    lags: Vec<CodecLag>,
}

impl Coded {
    fn of(speaker: &SpeakerSent, family: Family, paths: &Paths, lookahead: Nanos, bias: &CodecBias) -> Self {
        let waveform = Waveform::new(family, speaker.code);
        let packets = |emission: &Emission| {
            let (from, to) = (emission.at - waveform.before_mark(), emission.at + waveform.after_mark());
            paths.coded(&speaker.name, from, to, lookahead).unwrap_or_default()
        };
        let (codings, lags) = speaker
            .emissions
            .iter()
            .map(|emission| {
                let packets = packets(emission);
                (BeepCoding::of(&packets), bias.lag(&packets))
            })
            .unzip();
        Self { codings, lags }
    }
}

/// A signal without codes may be anybody's: whoever sounded last before it is held to be the one.
fn whose_turn(speakers: &[SpeakerSent], at: RunTime) -> Option<usize> {
    let last = |speaker: &SpeakerSent| {
        let sounded = speaker.emissions.partition_point(|emission| emission.at <= at);
        Some(speaker.emissions.get(sounded.checked_sub(1)?)?.at)
    };
    let turns = speakers.iter().enumerate().filter_map(|(index, speaker)| Some((last(speaker)?, index)));
    turns.max().map(|(_, index)| index)
}

/// What is wrong with a recording, in words; `truncated` is what is wrong with its file.
pub fn flaws(sidecar: &Sidecar, truncated: Option<String>) -> Vec<String> {
    let mut flaws = Vec::new();
    if !sidecar.complete {
        flaws.push("the recording was not finished; what is there was measured".to_owned());
    }
    flaws.extend(truncated);
    flaws.extend(Gaps::words(&sidecar.discontinuities));
    if sidecar.clipped > 0 {
        flaws.push(format!("{} samples are clipped: the mix was louder than full scale", sidecar.clipped));
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(name: &str, code: u8) -> SpeakerSent {
        SpeakerSent::new(name, Code::new(code).unwrap())
    }

    #[test]
    fn two_speakers_with_one_code_are_refused_by_name_with_the_mend() {
        one_code_each(&[speaker("ana", 0), speaker("ben", 1)]).unwrap();
        let error = one_code_each(&[speaker("ana", 3), speaker("ben", 1), speaker("cem", 3)]).unwrap_err().to_string();
        assert!(error.starts_with("ana and cem both spoke with code 3") && error.contains("--code"), "{error}");
    }
}
