//! What is known of all pairs by now. Its size does not depend on how long a run goes on.

use std::collections::{BTreeMap, VecDeque};

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::stats;
use jiho_analysis::units::{Nanos, RunTime};

use crate::run::watch::{Begun, Heard, News};

/// A pair's median is over so many beeps.
pub(super) const RECENT: usize = 100;
/// More happenings than these are not kept.
const HAPPENINGS: usize = 100;

/// All pairs of a run, and what happened lately.
#[derive(Debug)]
pub struct Matrix {
    pub(super) begun: Begun,
    /// How far the run has got.
    pub(super) reached: RunTime,
    /// By speaker and ear.
    pub(super) pairs: BTreeMap<(usize, usize), Pair>,
    /// The latest last.
    pub(super) happenings: VecDeque<Happening>,
}

/// A speaker at an ear.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) heard: u64,
    pub(super) missed: u64,
    /// The last beeps, by number: their delays, or nothing for those that were missed.
    pub(super) recent: BTreeMap<u32, Option<Nanos>>,
}

/// Something that happened, in words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happening {
    pub(super) at: RunTime,
    pub(super) words: String,
    pub(super) grave: bool,
}

impl Pair {
    /// Of the last beep that was heard.
    pub(super) fn last_ms(&self) -> Option<f64> {
        self.recent.values().rev().find_map(|delay| delay.map(Nanos::as_millis_f64))
    }

    /// Of the recent ones.
    pub(super) fn median_ms(&self) -> Option<f64> {
        stats::median(&self.recent.values().flatten().map(|delay| delay.as_millis_f64()).collect::<Vec<_>>())
    }

    fn note(&mut self, beep: u32, delay: Option<Nanos>) {
        match delay {
            Some(_) => self.heard += 1,
            None => self.missed += 1,
        }
        if let Some(None) = self.recent.insert(beep, delay) {
            // It was late, and not missed.
            self.missed = self.missed.saturating_sub(1);
        }
        if self.recent.len() > RECENT {
            self.recent.pop_first();
        }
    }
}

impl Matrix {
    /// Nothing is heard yet.
    pub fn new(begun: &Begun) -> Self {
        Self { begun: begun.clone(), reached: RunTime::START, pairs: BTreeMap::new(), happenings: VecDeque::new() }
    }

    /// Takes what has become known.
    pub fn note(&mut self, news: &News) {
        match news {
            News::Reached(at) => self.reached = self.reached.max(*at),
            News::Heard(Heard { speaker, ear, beep, delay, .. }) => self.pair(*speaker, *ear).note(*beep, Some(*delay)),
            News::Missed { speaker, ear, beep, .. } => self.pair(*speaker, *ear).note(*beep, None),
            _ => {}
        }
        if let Some(happening) = self.happening(news) {
            self.happenings.push_back(happening);
            if self.happenings.len() > HAPPENINGS {
                self.happenings.pop_front();
            }
        }
    }

    /// What is worth a line of its own.
    pub(super) fn happening(&self, news: &News) -> Option<Happening> {
        let (at, words, grave) = match news {
            News::Joined { at, name } => (*at, format!("{name} is in the room"), false),
            News::Gap { speaker, ear, from, to } => {
                let length = (*to - *from).as_secs_f64();
                (*to, format!("{} hears {} again, after {length:.2} s", self.name(*ear), self.name(*speaker)), true)
            }
            News::Step { change: Change::Join, .. } => return None,
            News::Step { at, change: Change::Leave, subject, step: Step::Asked, .. } => {
                (*at, format!("{subject} leaves"), false)
            }
            News::Step { at, node, change, subject, step: step @ (Step::Asked | Step::Done), .. } => {
                let said = if *step == Step::Asked { "asked for" } else { "done" };
                (*at, format!("{} of {subject}: {said} ({node})", change.name()), false)
            }
            News::Failed { at, node, reason } => (*at, format!("{node}: {reason}"), true),
            News::Ended { left_out: left_out @ 1.. } => {
                let words = format!("{left_out} updates were left out here; the recordings have them");
                (self.reached, words, true)
            }
            _ => return None,
        };
        Some(Happening { at, words, grave })
    }

    pub(super) fn name(&self, participant: usize) -> &str {
        self.begun.participants.get(participant).map_or("", |person| &person.name)
    }

    /// The pairs that end in a tier, by speaker.
    pub(super) fn tier(&self, role: Role) -> Vec<((usize, usize), &Pair)> {
        let ends = |ear: usize| self.begun.participants.get(ear).is_some_and(|person| person.role == role);
        self.pairs.iter().filter(|((_, ear), _)| ends(*ear)).map(|(who, pair)| (*who, pair)).collect()
    }

    fn pair(&mut self, speaker: usize, ear: usize) -> &mut Pair {
        self.pairs.entry((speaker, ear)).or_default()
    }
}
