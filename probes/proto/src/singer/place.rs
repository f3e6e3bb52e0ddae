//! Where in the song somebody is, by the rhythm: of all places at which the last beats may be, the one that has them evenly
//! late.

use std::collections::VecDeque;

use jiho_analysis::signal::Emission;
use jiho_analysis::units::{Nanos, RunTime};

/// A rhythm is known by so many beats.
const BEATS: usize = 6;
/// How far from where it is due a beat is looked for: sound may be held back for longer than a beat.
const REACH: Nanos = Nanos::from_secs(10);
/// Another place has to fit so many times better than the one at hand …
const BETTER: f64 = 3.0;
/// … and by this much.
const BETTER_SECONDS: f64 = 0.002;

/// The instants of a voice's last beats.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<RunTime>);

impl Recent {
    /// Takes a beat that is held to be the song's `near`-th, and gives the one that it is if it is clearly another.
    pub(super) fn take(&mut self, at: RunTime, near: Option<usize>, song: &[Emission], period: Nanos) -> Option<usize> {
        // So soon after the last one it is an echo.
        if self.0.back().is_some_and(|&last| at - last < Nanos(period.0 / 3)) {
            return None;
        }
        self.0.push_back(at);
        if self.0.len() > BEATS {
            self.0.pop_front();
        }
        if self.0.len() < BEATS {
            return None;
        }
        let at_hand = near.map_or(f64::INFINITY, |index| self.misfit(index, song));
        let from = song.partition_point(|beat| beat.at < at - REACH);
        let to = song.partition_point(|beat| beat.at <= at + REACH);
        let all = (from..to).map(|index| (self.misfit(index, song), index));
        let (misfit, index) = all.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let clearly = BETTER * misfit + BETTER_SECONDS < at_hand;
        (clearly && misfit.is_finite() && near != Some(index)).then_some(index)
    }

    /// How unevenly late the beats would be, in seconds, if the last were the song's `index`-th: what a straight line
    /// leaves, since a tempo may be another than the song's.
    fn misfit(&self, index: usize, song: &[Emission]) -> f64 {
        let mut lateness: Vec<(f64, f64)> = Vec::with_capacity(BEATS);
        let (mut place, mut late) = (index + 1, None);
        for &at in self.0.iter().rev() {
            let found = match late {
                None => Some(index),
                Some(late) => nearest(&song[..place], at - late),
            };
            let Some(found) = found else { return f64::INFINITY };
            place = found;
            late = Some(at - song[found].at);
            lateness.push((found as f64, (at - song[found].at).as_secs_f64()));
        }
        let count = lateness.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| lateness.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let (xx, xy) = lateness
            .iter()
            .fold((0.0, 0.0), |(xx, xy), point| (xx + (point.0 - x).powi(2), xy + (point.0 - x) * (point.1 - y)));
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        let rest = lateness.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum::<f64>();
        (rest / count).sqrt()
    }
}

/// The beat that is due nearest to an instant.
pub(super) fn nearest(song: &[Emission], at: RunTime) -> Option<usize> {
    let next = song.partition_point(|beat| beat.at < at);
    (next.saturating_sub(1)..(next + 1).min(song.len())).min_by_key(|&n| (song[n].at - at).abs())
}
