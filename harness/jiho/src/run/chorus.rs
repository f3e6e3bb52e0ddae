//! A run's chorus: what its ears heard of each beat, beside what the delays alone make of it.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::{Role, Status};
use jiho_analysis::metrics::chorus::{
    self, Beat, Cure, Ear, Hold, Matrix, Pair, Singer, Song, Spread, Steady, Tempo, Thresholds, Way,
};
use jiho_analysis::signal::Signal as Rhythm;
use jiho_analysis::units::{Nanos, RunTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::measure::{Findings, RecorderHeard};
use crate::experiment::{Experiment, Sing};

/// Clocks that may be further apart do not foretell where those who sing on the grid lie.
const UNSURE_CLOCKS: Nanos = Nanos::from_micros(500);

/// How a run's speakers sing together, as `run.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Singing {
    /// From one beat to the next.
    pub period_ns: i64,
    /// How those sing who do not merely play what is planned.
    pub singers: BTreeMap<String, Sings>,
    /// By what they are graded.
    pub thresholds: Thresholds,
}

/// How one of them sings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sings {
    /// On what.
    pub on: SingsOn,
    /// So much earlier.
    pub advance_ns: i64,
}

/// On what somebody sings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SingsOn {
    /// On a clock that all share.
    Grid,
    /// On somebody's beat as it is heard.
    Follow(String),
    /// With others: by name, which part of the asynchrony is made up for at the next beat.
    Together(BTreeMap<String, f64>),
}

impl Singing {
    /// What an experiment says of it; `None` if its speakers are no chorus.
    pub fn of(experiment: &Experiment) -> Option<Self> {
        let chorus = experiment.chorus.as_ref()?;
        let sings = |sing: &Sing| {
            let on = match sing {
                Sing::Grid(_) => SingsOn::Grid,
                Sing::Follow(part) => SingsOn::Follow(part.leader.clone()),
                Sing::Together(part) => {
                    let gain = part.correction.unwrap_or_default();
                    SingsOn::Together(part.with.iter().flatten().map(|name| (name.clone(), gain)).collect())
                }
            };
            Sings { on, advance_ns: sing.advance().0 }
        };
        let singers = experiment.speakers.iter();
        Some(Self {
            period_ns: Rhythm::from(&experiment.signal).period.0,
            singers: singers.filter_map(|who| Some((who.name.clone(), sings(who.sing.as_ref()?)))).collect(),
            thresholds: chorus.into(),
        })
    }
}

/// What became of a chorus. Voices and singers go by the index of their speaker in the findings.
#[derive(Clone, Debug)]
pub struct Chorus {
    /// What they sang.
    pub song: Song,
    /// How each sang it.
    pub singers: Vec<Singer>,
    /// What was heard, in the order of the findings' recorders.
    pub ears: Vec<ChorusHeard>,
    /// What the delays alone make of it; `None` if they are not known, if that never settles, or for
    /// [`Chorus::unsure_clocks`].
    pub steady: Option<Steady>,
    /// What would mend it for the audience; `None` as above.
    pub cure: Option<Cure>,
    /// By how much the clocks of those who sing on the grid may be apart, if for that nothing is foretold.
    pub unsure_clocks: Option<Nanos>,
    /// Whether singers could hold time by hearing each other.
    pub holds: Vec<Hold>,
    /// By what that is said.
    pub thresholds: Thresholds,
}

/// What one ear heard of a chorus.
#[derive(Clone, Debug)]
pub struct ChorusHeard {
    /// Beat by beat.
    pub beats: Vec<Beat>,
    /// Voice against voice.
    pub pairs: Vec<PairOfVoices>,
    /// From the first voice to the last.
    pub spread: Option<Spread>,
    /// The same by the delays alone, in milliseconds.
    pub predicted_ms: Option<f64>,
    /// The same with the cure.
    pub cured_ms: Option<f64>,
    /// How fast it went.
    pub tempo: Tempo,
}

/// One voice against another at an ear.
#[derive(Clone, Copy, Debug)]
pub struct PairOfVoices {
    /// As it was heard.
    pub heard: Pair,
    /// By the delays alone, in milliseconds.
    pub predicted_ms: Option<f64>,
    /// With the cure, in milliseconds.
    pub cured_ms: Option<f64>,
}

impl Chorus {
    /// Looks at what a run found as a chorus.
    pub fn of(findings: &Findings, singing: &Singing) -> Self {
        let song = song(findings, Nanos(singing.period_ns));
        let singers = singers(findings, singing);
        let columns = columns(findings);
        let matrix = matrix(findings, &columns);
        let audience = |ear: &usize| {
            columns
                .get(*ear)
                .and_then(|recorder| *recorder)
                .is_some_and(|n| findings.recorders[n].role == Role::Listener)
        };
        let listeners: Vec<usize> = (0..columns.len()).filter(audience).collect();
        let steady = Steady::of(&singers, &matrix);
        let unsure_clocks = steady.as_ref().and_then(|steady| unsure_clocks(findings, &singers, steady));
        let is_foretold = unsure_clocks.is_none();
        let steady = steady.filter(|_| is_foretold);
        let cure = chorus::cure(&singers, &matrix, &listeners).filter(|_| is_foretold);
        let ears = (0..findings.recorders.len())
            .map(|recorder| {
                let beats = chorus::beats(&ear(findings, &findings.recorders[recorder]));
                let column = columns.iter().position(|other| *other == Some(recorder)).unwrap_or(usize::MAX);
                let with_cure = cure.as_ref().map(|cure| &cure.steady);
                let spread = |steady: Option<&Steady>| steady?.spread_ms(&matrix, column);
                let pairs = chorus::pairs(&beats).into_iter().map(|heard| {
                    let apart =
                        |steady: Option<&Steady>| steady?.asynchrony_ms(&matrix, column, heard.voice, heard.other);
                    PairOfVoices { heard, predicted_ms: apart(steady.as_ref()), cured_ms: apart(with_cure) }
                });
                ChorusHeard {
                    pairs: pairs.collect(),
                    spread: chorus::spread(&beats),
                    predicted_ms: spread(steady.as_ref()),
                    cured_ms: spread(with_cure),
                    tempo: chorus::tempo(&beats, &song),
                    beats,
                }
            })
            .collect();
        let holds = chorus::holds(&matrix, &singing.thresholds);
        Self { song, singers, ears, steady, cure, unsure_clocks, holds, thresholds: singing.thresholds }
    }
}

/// By how much the clocks of those who sing on the grid may be apart, where that is too much for what goes by them.
fn unsure_clocks(findings: &Findings, singers: &[Singer], steady: &Steady) -> Option<Nanos> {
    let on_grid = findings.speakers.iter().zip(singers).filter(|(_, singer)| singer.way == Way::Grid);
    let mut errors: Vec<Nanos> = on_grid.map(|(speaker, _)| speaker.clock_error).collect();
    errors.sort_unstable();
    // The two that are known worst.
    let apart = Nanos(errors.iter().rev().take(2).map(|error| error.0).sum());
    (!steady.clock_free && apart > UNSURE_CLOCKS).then_some(apart)
}

fn song(findings: &Findings, period: Nanos) -> Song {
    let beats = |speaker: &super::measure::SpeakerSent| -> Vec<(u32, RunTime)> {
        speaker.emissions.iter().zip(&speaker.planned).map(|(sung, &planned)| (sung.beep, planned)).collect()
    };
    Song { period, due: findings.speakers.iter().flat_map(beats).collect() }
}

/// Whoever is not said to sing plays what is planned.
fn singers(findings: &Findings, singing: &Singing) -> Vec<Singer> {
    let index = |name: &String| findings.speakers.iter().position(|speaker| speaker.name == *name);
    let singer = |name: &String| {
        let sings = singing.singers.get(name);
        let way = match sings.map(|sings| &sings.on) {
            None | Some(SingsOn::Grid) => Way::Grid,
            // Whoever follows somebody who sang nothing has sung nothing either.
            Some(SingsOn::Follow(leader)) => index(leader).map_or(Way::Grid, Way::Follow),
            Some(SingsOn::Together(gains)) => {
                Way::Together(gains.iter().filter_map(|(name, gain)| Some((index(name)?, *gain))).collect())
            }
        };
        Singer { way, advance: Nanos(sings.map_or(0, |sings| sings.advance_ns)) }
    };
    findings.speakers.iter().map(|speaker| singer(&speaker.name)).collect()
}

/// The recorder of each ear of the matrix: the singers' own in their order, then the others.
fn columns(findings: &Findings) -> Vec<Option<usize>> {
    let recorder = |name: &str| findings.recorders.iter().position(|recorder| recorder.name == name);
    let own: Vec<Option<usize>> = findings.speakers.iter().map(|speaker| recorder(&speaker.name)).collect();
    let others = (0..findings.recorders.len()).map(Some).filter(|recorder| !own.contains(recorder));
    own.iter().copied().chain(others).collect()
}

fn matrix(findings: &Findings, columns: &[Option<usize>]) -> Matrix {
    let delay = |speaker: usize, recorder: Option<usize>| {
        let pairs = findings.recorders[recorder?].pairs.iter().filter(|pair| pair.speaker == speaker);
        // Of somebody who has been on the stage and in the audience, where most was heard.
        let pair = pairs.max_by_key(|pair| pair.delays.heard)?;
        Some(pair.delays.distribution.as_ref()?.quantile_ms(0.5))
    };
    let row = |speaker| columns.iter().map(|&recorder| delay(speaker, recorder)).collect();
    Matrix { delay_ms: (0..findings.speakers.len()).map(row).collect() }
}

/// When each voice was heard; one's own, when it was sung.
fn ear(findings: &Findings, recorder: &RecorderHeard) -> Ear {
    let voice = |(index, speaker): (usize, &super::measure::SpeakerSent)| -> Vec<(u32, RunTime)> {
        if speaker.name == recorder.name {
            return speaker.emissions.iter().map(|sung| (sung.beep, sung.at)).collect();
        }
        let pairs = recorder.pairs.iter().filter(|pair| pair.speaker == index);
        let heard = pairs.flat_map(|pair| &pair.observations);
        let heard = heard.filter(|seen| matches!(seen.status, Status::Heard | Status::Weak));
        let mut onsets: Vec<(u32, RunTime)> =
            heard.filter_map(|seen| Some((seen.emission.beep, seen.emission.at + seen.delay?.value))).collect();
        onsets.sort_unstable();
        onsets
    };
    Ear { voices: findings.speakers.iter().enumerate().map(voice).collect() }
}
