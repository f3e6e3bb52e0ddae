//! What a singer hears: which beat of whose song, and how late against the grid.

use std::collections::BTreeMap;

use jiho_analysis::hear::{HeardNow, Live};
use jiho_analysis::signal::{Code, Emission, Family};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};

use crate::codec::RATE;

/// So many beats in a row that fit nowhere near where somebody was: their rhythm says where in the song they are.
const LOST: usize = 3;

/// A beat that was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Beat {
    /// Which of the song's.
    pub(super) index: usize,
    /// By how much later than due on the grid it sounded at the ear.
    pub(super) lateness: Nanos,
    /// When it was over and known.
    known: RunTime,
    score: f64,
}

/// Hears those whom a singer heeds.
pub(super) struct Ear {
    live: Option<Live>,
    /// The song's period.
    period: Nanos,
    voices: BTreeMap<Code, Voice>,
    /// The ear's sample that the first one heard is.
    began: Option<MediaTime>,
}

/// What was heard of one of them.
#[derive(Default)]
struct Voice {
    /// In order of the song.
    beats: Vec<Beat>,
    /// Beats in a row that did not fit.
    strays: Vec<RunTime>,
}

impl Ear {
    pub(super) fn new(family: Family, heeded: &[Code], period: Nanos) -> Self {
        let live = (!heeded.is_empty()).then(|| Live::new(RATE, family, heeded));
        let voices = heeded.iter().map(|&code| (code, Voice::default())).collect();
        Self { live, period, voices, began: None }
    }

    /// What is known of somebody's beats at an instant, in order of the song.
    pub(super) fn heard(&self, code: Code, now: RunTime) -> &[Beat] {
        let beats = self.voices.get(&code).map_or(&[][..], |voice| &voice.beats);
        &beats[..beats.partition_point(|beat| beat.known <= now)]
    }

    /// Takes what the ear plays. `own` is by how much the singer itself is late.
    pub(super) fn hear(
        &mut self,
        clock: &SampleClock,
        first: MediaTime,
        samples: &[f32],
        song: &[Emission],
        own: Nanos,
    ) {
        let Some(live) = &mut self.live else { return };
        let began = *self.began.get_or_insert(first);
        let known = clock.time(first + samples.len() as i64);
        for HeardNow { code, position, score } in live.push(samples) {
            let at = clock.time_at(began.0 as f64 + position);
            if let Some(voice) = self.voices.get_mut(&code) {
                voice.take(at, known, score, song, own, self.period);
            }
        }
    }
}

impl Beat {
    /// A beat as clear as can be.
    #[cfg(test)]
    pub(super) fn at(index: usize, lateness: Nanos, known: RunTime) -> Self {
        Self { index, lateness, known, score: 1.0 }
    }
}

impl Voice {
    fn take(&mut self, at: RunTime, known: RunTime, score: f64, song: &[Emission], own: Nanos, period: Nanos) {
        let quarter = Nanos(period.0 / 4);
        let index = match self.beats.last() {
            // A voice changes its lateness little from beat to beat.
            Some(last) => {
                let due = at - last.lateness;
                let next = song.partition_point(|beat| beat.at < due);
                let near = next.saturating_sub(1)..(next + 1).min(song.len());
                near.min_by_key(|&n| (song[n].at - due).abs()).filter(|&n| (song[n].at - due).abs() <= quarter)
            }
            // Who was not heard before sang what they themselves did sing last: sound takes its time.
            None => song.partition_point(|beat| beat.at + own <= at + quarter).checked_sub(1),
        };
        let Some(index) = index else {
            self.strays.push(at);
            if let [.., last] = self.strays[..]
                && self.strays.len() >= LOST
                && let Some(index) = by_rhythm(&self.strays, song, period)
            {
                let lateness = last - song[index].at;
                *self = Self { beats: vec![Beat { index, lateness, known, score }], strays: Vec::new() };
            }
            return;
        };
        self.strays.clear();
        let beat = Beat { index, lateness: at - song[index].at, known, score };
        match self.beats.iter().rposition(|other| other.index <= index) {
            // Echoes and shadows are less alike.
            Some(place) if self.beats[place].index == index => {
                let known = self.beats[place].known;
                if score > self.beats[place].score {
                    self.beats[place] = Beat { known, ..beat };
                }
            }
            // One that was left out is of no use any more once a later one was heard.
            Some(place) if place + 1 == self.beats.len() => self.beats.push(beat),
            None if self.beats.is_empty() => self.beats.push(beat),
            _ => {}
        }
    }
}

/// Which beat the last of some is whose instants are known, by the rhythm alone: where they are all as late as each
/// other.
fn by_rhythm(heard: &[RunTime], song: &[Emission], period: Nanos) -> Option<usize> {
    let (&last, before) = heard.split_last()?;
    let reach = Nanos(2 * period.0);
    let from = song.partition_point(|beat| beat.at < last - reach);
    let to = song.partition_point(|beat| beat.at <= last + reach);
    let unlike = |index: usize| -> i64 {
        let lateness = last - song[index].at;
        let nearest = |at: RunTime| song.iter().map(|beat| (beat.at + lateness - at).abs().0).min().unwrap_or_default();
        before.iter().map(|&at| nearest(at)).sum()
    };
    (from..to).min_by_key(|&index| unlike(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(i64) -> Nanos = Nanos::from_millis;
    const PERIOD: Nanos = Nanos::from_millis(600);

    /// Ten beats, of which the rhythm moves some.
    fn song() -> Vec<Emission> {
        let rhythm = [0, 90, 20, 100, 60, 10, 80, 30, 70, 40];
        let beats = (0u32..).zip(rhythm);
        beats.map(|(beep, ms)| Emission { beep, at: RunTime::START + MS(600 * i64::from(beep) + ms) }).collect()
    }

    /// Which beats are heard, of some that sound so late.
    fn heard(sounded: &[(usize, i64)], own: Nanos) -> Vec<(usize, i64)> {
        let (song, mut voice) = (song(), Voice::default());
        for &(index, late_ms) in sounded {
            let at = song[index].at + MS(late_ms);
            voice.take(at, at + MS(250), 0.9, &song, own, PERIOD);
        }
        voice.beats.iter().map(|beat| (beat.index, beat.lateness.0 / 1_000_000)).collect()
    }

    #[test]
    fn a_voice_is_followed_however_late_it_is_and_becomes() {
        for late_ms in [0, 70, 330] {
            let sounded: Vec<(usize, i64)> = (0..10).map(|n| (n, late_ms + 60 * n as i64)).collect();
            assert_eq!(heard(&sounded, Nanos::ZERO), sounded);
        }
        // Who is late themselves takes what they hear for what they sang, too.
        assert_eq!(heard(&[(4, 700)], MS(640)), [(4, 700)]);
    }

    #[test]
    fn beats_that_are_lost_leave_the_others_where_they_are() {
        assert_eq!(heard(&[(0, 70), (1, 72), (5, 75), (9, 80)], Nanos::ZERO), [(0, 70), (1, 72), (5, 75), (9, 80)]);
    }

    #[test]
    fn what_fits_nowhere_is_nobodys_until_it_goes_on() {
        assert_eq!(heard(&[(0, 70), (1, 300), (2, 71)], Nanos::ZERO), [(0, 70), (2, 71)]);
        // After three in a row it is where their rhythm says, however far that is from where it was.
        for late_ms in [300, -250, 900] {
            let gone = heard(&[(2, 70), (3, late_ms), (4, late_ms + 9), (5, late_ms), (6, late_ms)], Nanos::ZERO);
            assert_eq!(gone, [(5, late_ms), (6, late_ms)]);
        }
    }
}
