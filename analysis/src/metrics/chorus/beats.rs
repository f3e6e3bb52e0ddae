//! What was heard: for each beat at each ear the onset of every voice, the singer's own included.

use super::{Song, bpm};
use crate::stats;
use crate::units::{Nanos, RunTime};

/// Until so many beats are over, or half of those that there are, singers are finding together.
const SETTLING: usize = 8;

/// What one ear heard of a chorus.
#[derive(Clone, Debug, PartialEq)]
pub struct Ear {
    /// Per voice: its beats' numbers and onsets by the ear's clock, in order. A singer hears itself as it sings.
    pub voices: Vec<Vec<(u32, RunTime)>>,
}

/// One beat at one ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// Its number.
    pub number: u32,
    /// By voice: when it began; `None`: not heard.
    pub onsets: Vec<Option<RunTime>>,
}

impl Beat {
    /// How many voices were heard.
    pub fn voices(&self) -> usize {
        self.onsets.iter().flatten().count()
    }

    /// The first voice and its onset.
    pub fn first(&self) -> Option<(usize, RunTime)> {
        self.heard().min_by_key(|&(voice, at)| (at, voice))
    }

    /// The last voice and its onset.
    pub fn last(&self) -> Option<(usize, RunTime)> {
        self.heard().max_by_key(|&(voice, at)| (at, voice))
    }

    /// From the first voice's onset to the last one's; `None` if less than two voices were heard.
    pub fn spread(&self) -> Option<Nanos> {
        (self.voices() > 1).then_some(self.last()?.1 - self.first()?.1)
    }

    fn heard(&self) -> impl Iterator<Item = (usize, RunTime)> + '_ {
        self.onsets.iter().enumerate().filter_map(|(voice, at)| Some((voice, (*at)?)))
    }
}

/// All beats of which at least one voice was heard, in order.
pub fn beats(ear: &Ear) -> Vec<Beat> {
    let mut numbers: Vec<u32> = ear.voices.iter().flatten().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let onset = |voice: &Vec<(u32, RunTime)>, number: u32| {
        voice.binary_search_by_key(&number, |(other, _)| *other).ok().map(|place| voice[place].1)
    };
    let beat = |number| Beat { number, onsets: ear.voices.iter().map(|voice| onset(voice, number)).collect() };
    numbers.into_iter().map(beat).collect()
}

/// Of the beats at an ear, in order and in whatever form, those after singers have found together.
pub fn settled<B>(beats: &[B]) -> &[B] {
    &beats[SETTLING.min(beats.len() / 2)..]
}

/// How much later one voice sounds at an ear than another, once singers have found together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The voice that is the yardstick.
    pub voice: usize,
    /// The one that is so much later.
    pub other: usize,
    /// Beats that both were heard in.
    pub beats: usize,
    /// The median, in milliseconds; negative: earlier.
    pub median_ms: f64,
    /// A robust standard deviation, in milliseconds.
    pub sd_ms: f64,
}

/// All pairs of voices that were heard in one beat at least.
pub fn pairs(beats: &[Beat]) -> Vec<Pair> {
    let beats = settled(beats);
    let voices = beats.first().map_or(0, |beat| beat.onsets.len());
    let all = (0..voices).flat_map(|voice| (voice + 1..voices).map(move |other| (voice, other)));
    all.filter_map(|(voice, other)| {
        let apart = |beat: &Beat| Some((beat.onsets[other]? - beat.onsets[voice]?).as_millis_f64());
        let apart: Vec<f64> = beats.iter().filter_map(apart).collect();
        let (median_ms, sd_ms) = (stats::median(&apart)?, stats::robust_sd(&apart)?);
        Some(Pair { voice, other, beats: apart.len(), median_ms, sd_ms })
    })
    .collect()
}

/// How wide beats are at an ear once singers have found together, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// Nineteen of twenty are no wider.
    pub p95_ms: f64,
}

/// The spread of those beats in which as many voices were heard as in any; `None` if there was one voice at most.
pub fn spread(beats: &[Beat]) -> Option<Spread> {
    let beats = settled(beats);
    let most = beats.iter().map(Beat::voices).max()?;
    let whole = beats.iter().filter(|beat| beat.voices() == most);
    let sorted = stats::sorted(&whole.filter_map(|beat| Some(beat.spread()?.as_millis_f64())).collect::<Vec<_>>());
    Some(Spread { median_ms: stats::quantile(&sorted, 0.5)?, p95_ms: stats::quantile(&sorted, 0.95)? })
}

/// How a tempo went at an ear.
#[derive(Clone, Debug, PartialEq)]
pub struct Tempo {
    /// From beat to beat, in beats per minute, by the number of the later one.
    pub by_beat: Vec<(u32, f64)>,
    /// Once singers have found together, in beats per minute: the slope of the beats' lateness against the song
    /// (Theil–Sen); `None` for less than five beats.
    pub steady_bpm: Option<f64>,
}

/// The tempo at an ear: how fast the voices that were heard went through the song.
pub fn tempo(beats: &[Beat], song: &Song) -> Tempo {
    let lateness = |beat: &Beat, voice: usize| Some(beat.onsets[voice]? - *song.due.get(&beat.number)?);
    let step = |pair: &[Beat]| {
        let voices = 0..pair[0].onsets.len();
        let later: Vec<f64> = voices
            .filter_map(|voice| Some((lateness(&pair[1], voice)? - lateness(&pair[0], voice)?).as_secs_f64()))
            .collect();
        let beats = f64::from(pair[1].number - pair[0].number);
        let later = later.iter().sum::<f64>() / later.len() as f64;
        let period = song.period + Nanos::from_secs_f64(later / beats);
        later.is_finite().then_some((pair[1].number, bpm(period)))
    };
    let by_beat = beats.windows(2).filter_map(step).collect();
    let (mut numbers, mut late, mut stretches) = (Vec::new(), Vec::new(), Vec::new());
    for voice in 0..beats.first().map_or(0, |beat| beat.onsets.len()) {
        let from = numbers.len();
        for beat in settled(beats) {
            if let Some(lateness) = lateness(beat, voice) {
                numbers.push(f64::from(beat.number));
                late.push(lateness.as_secs_f64());
            }
        }
        stretches.push(from..numbers.len());
    }
    let trend = stats::theil_sen_in(&numbers, &late, &stretches);
    let steady_bpm = trend.map(|trend| bpm(song.period + Nanos::from_secs_f64(trend.slope)));
    Tempo { by_beat, steady_bpm }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MS: fn(i64) -> Nanos = Nanos::from_millis;

    fn song() -> Song {
        let rhythm = [0, 40, 10, 90, 25, 60, 5, 80, 33, 71, 12, 47, 99, 3, 66, 20, 50, 81, 9, 38];
        let due = (0u32..).zip(rhythm);
        let due: BTreeMap<u32, RunTime> =
            due.map(|(n, ms)| (n, RunTime::START + MS(600 * i64::from(n) + ms))).collect();
        Song { period: MS(600), due }
    }

    /// Two voices, the second 70 ms behind; both slow down by so much a beat. One beat of the second was not heard.
    fn ear(slower: Nanos) -> Ear {
        let voice = |late: Nanos| -> Vec<(u32, RunTime)> {
            song().due.iter().map(|(&n, &at)| (n, at + late + Nanos(slower.0 * i64::from(n)))).collect()
        };
        let mut second = voice(MS(70));
        second.remove(13);
        Ear { voices: vec![voice(Nanos::ZERO), second] }
    }

    #[test]
    fn a_beat_is_as_wide_as_from_its_first_voice_to_its_last() {
        let beats = beats(&ear(Nanos::ZERO));
        assert_eq!(beats.len(), 20);
        assert_eq!((beats[3].voices(), beats[3].spread()), (2, Some(MS(70))));
        assert_eq!((beats[3].first().unwrap().0, beats[3].last().unwrap().0), (0, 1));
        assert_eq!((beats[13].voices(), beats[13].spread()), (1, None), "one voice is not together with itself");
        let pair = pairs(&beats)[0];
        assert_eq!((pair.beats, pair.median_ms, pair.sd_ms), (11, 70.0, 0.0));
    }

    #[test]
    fn the_tempo_is_the_songs_without_its_rhythm_and_slows_as_the_voices_do() {
        for slower in [Nanos::ZERO, MS(15), MS(-7)] {
            let tempo = tempo(&beats(&ear(slower)), &song());
            let expected = bpm(MS(600) + slower);
            assert!((tempo.steady_bpm.unwrap() - expected).abs() < 1e-6, "{tempo:?}");
            assert_eq!(tempo.by_beat.len(), 19);
            assert!(tempo.by_beat.iter().all(|(_, bpm)| (bpm - expected).abs() < 1e-6), "{tempo:?}");
        }
    }
}
