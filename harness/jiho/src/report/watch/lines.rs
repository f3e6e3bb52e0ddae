//! A run as it goes on where there is no terminal: a line for what was heard every few seconds, and one per happening.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiho_analysis::stats;
use jiho_analysis::units::{Nanos, RunTime};

use super::matrix::Matrix;
use crate::run::watch::{Begun, Heard, News};

/// What was heard is summed up so often.
const EVERY: Nanos = Nanos::from_secs(5);
/// More pairs than this are summed up.
const PAIRS: usize = 6;
/// More happenings between two sums are counted.
const HAPPENINGS: usize = 20;

/// Makes lines of what becomes known, at most so many in a time.
#[derive(Debug)]
pub struct Lines {
    matrix: Matrix,
    /// When the next sum is due.
    next: RunTime,
    /// Since the last one, by speaker and ear: delays, and how many were missed.
    since: BTreeMap<(usize, usize), (Vec<f64>, usize)>,
    happened: usize,
}

impl Lines {
    /// Nothing is heard yet.
    pub fn new(begun: &Begun) -> Self {
        let next = RunTime::START + EVERY;
        Self { matrix: Matrix::new(begun), next, since: BTreeMap::new(), happened: 0 }
    }

    /// What is to be said about something that has become known: whole lines, or nothing.
    pub fn said(&mut self, news: &News) -> String {
        let mut said = String::new();
        match news {
            News::Reached(at) => self.matrix.note(&News::Reached(*at)),
            News::Heard(Heard { speaker, ear, delay, .. }) => {
                self.since.entry((*speaker, *ear)).or_default().0.push(delay.as_millis_f64());
            }
            News::Missed { speaker, ear, .. } => self.since.entry((*speaker, *ear)).or_default().1 += 1,
            _ => {}
        }
        if self.matrix.reached >= self.next || matches!(news, News::Ended { .. }) {
            self.sum_up(&mut said);
            self.next = self.matrix.reached + EVERY;
        }
        if let Some(happening) = self.matrix.happening(news) {
            self.happened += 1;
            if self.happened <= HAPPENINGS {
                line(&mut said, happening.at, &happening.words);
            }
        }
        said
    }

    fn sum_up(&mut self, said: &mut String) {
        let since = std::mem::take(&mut self.since);
        let happened = std::mem::take(&mut self.happened);
        if happened > HAPPENINGS {
            line(said, self.matrix.reached, &format!("and {} happenings more", happened - HAPPENINGS));
        }
        if since.is_empty() {
            return;
        }
        let part = |((speaker, ear), (delays, missed)): (&(usize, usize), &(Vec<f64>, usize))| {
            let median = stats::median(delays).map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2} ms"));
            let counts = format!("{}/{}", delays.len(), delays.len() + missed);
            format!("{}→{} {median} {counts}", self.matrix.name(*speaker), self.matrix.name(*ear))
        };
        let words = if since.len() <= PAIRS {
            since.iter().map(part).collect::<Vec<_>>().join(", ")
        } else {
            let delays: Vec<f64> = since.values().flat_map(|(delays, _)| delays).copied().collect();
            let missed: usize = since.values().map(|(_, missed)| missed).sum();
            let sorted = stats::sorted(&delays);
            let at = |ms: Option<&f64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.2}"));
            format!(
                "{} pairs: {} of {} beeps heard, {} to {} ms",
                since.len(),
                delays.len(),
                delays.len() + missed,
                at(sorted.first()),
                at(sorted.last())
            )
        };
        line(said, self.matrix.reached, &words);
    }
}

fn line(said: &mut String, at: RunTime, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(said, "{:>8.1} s  {words}", at.since_start().as_secs_f64());
}
