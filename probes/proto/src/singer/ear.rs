//! What a singer hears: which beat of whose song, and how late against the grid.

use std::collections::BTreeMap;

use jiho_analysis::hear::{HeardNow, Live};
use jiho_analysis::signal::{Code, Emission, Family};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};

use super::place::{self, Recent};
use crate::codec::RATE;

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
    recent: Recent,
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
        let near = match self.beats.last() {
            // A voice changes its lateness little from beat to beat.
            Some(last) => {
                let due = at - last.lateness;
                place::nearest(song, due).filter(|&n| (song[n].at - due).abs() <= quarter)
            }
            // Who was not heard before sang what they themselves did sing last: sound takes its time.
            None => song.partition_point(|beat| beat.at + own <= at + quarter).checked_sub(1),
        };
        let index = match self.recent.take(at, near, song, period) {
            Some(elsewhere) => {
                self.beats.clear();
                elsewhere
            }
            None => match near {
                Some(index) => index,
                None => return,
            },
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(i64) -> Nanos = Nanos::from_millis;
    const PERIOD: Nanos = Nanos::from_millis(600);

    /// Beats of which the rhythm moves some.
    fn song() -> Vec<Emission> {
        let rhythm = [0, 90, 20, 100, 60, 10, 80, 30, 70, 40, 115, 5, 55, 25, 95, 35, 110, 15, 65, 85, 2, 50, 105, 45];
        let beats = (0u32..40).zip(rhythm.into_iter().cycle());
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
    fn what_fits_nowhere_is_nobodys() {
        assert_eq!(heard(&[(0, 70), (1, 300), (2, 71)], Nanos::ZERO), [(0, 70), (2, 71)]);
    }

    #[test]
    fn who_has_gone_elsewhere_is_found_by_the_rhythm() {
        for late_ms in [300, -250, 900, 1630, -420, 5000] {
            let sounded: Vec<(usize, i64)> =
                (10..30).map(|n| (n, if n < 16 { 70 } else { late_ms + n as i64 % 3 })).collect();
            let heard = heard(&sounded, Nanos::ZERO);
            assert_eq!(heard.last(), Some(&(29, late_ms + 2)), "{late_ms}: {heard:?}");
        }
    }

    #[test]
    fn a_small_jump_does_not_lead_to_another_beat() {
        for late_ms in [20, 50, 90, 130] {
            let sounded: Vec<(usize, i64)> = (10..30).map(|n| (n, if n < 16 { 70 } else { late_ms })).collect();
            assert_eq!(heard(&sounded, Nanos::ZERO), sounded);
        }
    }
}
