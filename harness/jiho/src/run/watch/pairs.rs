//! Who was heard by whom, as it becomes certain.
//!
//! A beep that continues its pair's delay is believed at once. Others wait until three of them have delays that follow one
//! another, as [`arrivals::observe`] has it, which also looks at a whole recording; so a pair begins, and so it goes over
//! to another delay. A beep is missed once later ones were heard, or the third after it should have been.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiho_analysis::arrivals::{self, Recorder};
use jiho_analysis::hear::Detection;
use jiho_analysis::signal::{Code, Emission};
use jiho_analysis::track::{self, Block, Tracked};
use jiho_analysis::units::{Nanos, RunTime, SampleClock};

use super::{Begun, Heard, News};

/// Delays go so far; what was sent longer ago is of no use any more.
const LONGEST: Nanos = Nanos::from_secs(60);
const KEPT: Nanos = Nanos::from_secs(65);
/// A beep that is sure by itself continues a delay within this …
const SURE_WITHIN: Nanos = Nanos::from_millis(15);
/// … and any other, or the next after some that were missed, within this.
const FAINT_WITHIN: Nanos = Nanos::from_millis(2);
/// So many beeps make another delay certain, and so many later ones a missing one.
const CERTAIN: usize = 3;
/// More beeps that continue nothing are not kept.
const MOST_STRAYS: usize = 64;
/// A pilot's mark is where it was sent within this.
const MARK_WITHIN: Nanos = Nanos::from_millis(6);
/// Before its first mark there is nothing of a pilot: what follows speaks for it.
const BEGINNING_WITHIN: Nanos = Nanos::from_millis(20);
/// Shorter pauses of a pilot are no gaps: it is placed by 10 ms.
const SHORTEST_GAP: Nanos = Nanos::from_millis(30);

/// An ear and its clock.
pub(super) struct EarTime {
    pub(super) ear: usize,
    pub(super) clock: SampleClock,
}

/// All pairs of a speaker and an ear.
pub(super) struct Pairs {
    coded: bool,
    /// By participant.
    spoken: Vec<Spoken>,
    clock_errors: Vec<Nanos>,
    /// By ear and speaker.
    pairs: BTreeMap<(usize, usize), Pair>,
}

/// What somebody has said lately.
#[derive(Default)]
struct Spoken {
    code: Option<Code>,
    /// When their pilot began.
    began: Option<RunTime>,
    emissions: VecDeque<Emission>,
    /// The number of the first of these, counted from the first of all.
    first: u64,
}

/// A speaker at an ear.
#[derive(Default)]
struct Pair {
    /// When the ear began to play.
    opened: RunTime,
    delay: Option<Nanos>,
    /// The number of the first emission of which nothing is known.
    next: u64,
    /// The numbers of those heard, as far as they are kept.
    heard: BTreeSet<u64>,
    /// When it was last heard.
    last: Option<RunTime>,
    missed_since: bool,
    /// What continues no delay.
    strays: Vec<Detection>,
}

impl Pairs {
    pub(super) fn new(begun: &Begun) -> Self {
        let people = || begun.participants.iter();
        Self {
            coded: begun.family.is_coded(),
            spoken: people().map(|person| Spoken { code: person.code, ..Spoken::default() }).collect(),
            clock_errors: people().map(|person| person.clock_error).collect(),
            pairs: BTreeMap::new(),
        }
    }

    pub(super) fn sent(&mut self, speaker: usize, emission: Emission) {
        let spoken = &mut self.spoken[speaker];
        if spoken.began.is_none() {
            spoken.began = track::began(&[emission]);
        }
        spoken.emissions.push_back(emission);
        while spoken.emissions.front().is_some_and(|first| emission.at - first.at > KEPT) {
            spoken.emissions.pop_front();
            spoken.first += 1;
        }
    }

    /// An ear plays from `at` on.
    pub(super) fn open(&mut self, ear: usize, at: RunTime) {
        for (speaker, spoken) in self.spoken.iter().enumerate().filter(|(_, spoken)| spoken.code.is_some()) {
            let pair = self.pairs.entry((ear, speaker)).or_default();
            (pair.opened, pair.next) = (at, pair.next.max(spoken.first));
        }
    }

    /// Takes what was found at an ear, and that nothing else will be found before a position.
    pub(super) fn beeps(&mut self, time: &EarTime, found: &[Detection], settled: f64, tell: &mut impl FnMut(News)) {
        for detection in found {
            let at = time.clock.time_at(detection.position);
            let Some(speaker) = self.whose(detection, at) else { continue };
            self.with(time.ear, speaker, |pair, spoken, recorder| {
                pair.detected(time, spoken, detection, recorder, &mut |told| tell(told.of(speaker, time.ear)));
            });
        }
        self.settle(time, time.clock.time_at(settled), tell);
    }

    /// Takes what was tracked at an ear since `since`.
    pub(super) fn pilots(&mut self, time: &EarTime, tracked: &Tracked, since: Nanos, tell: &mut impl FnMut(News)) {
        for block in &tracked.blocks {
            let Some(speaker) = self.spoken.iter().position(|spoken| spoken.code == Some(block.code)) else { continue };
            self.with(time.ear, speaker, |pair, spoken, _| {
                pair.tracked(time, spoken, block, since, &mut |told| tell(told.of(speaker, time.ear)));
            });
        }
        if let Some(last) = tracked.blocks.last() {
            self.settle(time, time.clock.start + since + last.at, tell);
        }
    }

    /// An ear has played until `end`, and nothing more will be heard there.
    pub(super) fn end(&mut self, time: &EarTime, end: RunTime, tell: &mut impl FnMut(News)) {
        for speaker in 0..self.spoken.len() {
            self.with(time.ear, speaker, |pair, spoken, recorder| {
                let tell = &mut |told: Told| tell(told.of(speaker, time.ear));
                pair.agree(time, spoken, recorder, 1, tell);
                if speaker == time.ear {
                    return;
                }
                while let Some(emission) = spoken.get(pair.next).filter(|emission| pair.due(emission) < end) {
                    pair.miss(emission, tell);
                }
            });
        }
    }

    fn settle(&mut self, time: &EarTime, until: RunTime, tell: &mut impl FnMut(News)) {
        for speaker in 0..self.spoken.len() {
            // Whoever does not hear itself misses nothing.
            if speaker != time.ear {
                self.with(time.ear, speaker, |pair, spoken, _| {
                    pair.settle(spoken, until, &mut |told| tell(told.of(speaker, time.ear)));
                });
            }
        }
    }

    fn with(&mut self, ear: usize, speaker: usize, work: impl FnOnce(&mut Pair, &Spoken, Nanos)) {
        let error = self.clock_errors[ear] + self.clock_errors[speaker];
        if let Some(pair) = self.pairs.get_mut(&(ear, speaker)) {
            let spoken = &self.spoken[speaker];
            pair.next = pair.next.max(spoken.first);
            pair.heard = pair.heard.split_off(&spoken.first);
            work(pair, spoken, error);
        }
    }

    /// A signal without codes may be anybody's: whoever sounded last before it is held to be the one.
    fn whose(&self, detection: &Detection, at: RunTime) -> Option<usize> {
        if self.coded {
            return self.spoken.iter().position(|spoken| spoken.code == Some(detection.code));
        }
        let last = |spoken: &Spoken| spoken.emissions.iter().rev().find(|emission| emission.at <= at).map(|e| e.at);
        let turns = self.spoken.iter().enumerate().filter_map(|(index, spoken)| Some((last(spoken)?, index)));
        turns.max().map(|(_, index)| index)
    }
}

impl Spoken {
    fn get(&self, number: u64) -> Option<Emission> {
        self.emissions.get(usize::try_from(number.checked_sub(self.first)?).ok()?).copied()
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, Emission)> + '_ {
        (self.first..).zip(self.emissions.iter().copied())
    }
}

/// A beep that is there.
#[derive(Clone, Copy)]
struct Came {
    number: u64,
    emission: Emission,
    at: RunTime,
    score: f64,
}

/// What is told of a pair.
enum Told {
    Heard { beep: u32, at: RunTime, delay: Nanos, score: f64 },
    Missed { beep: u32, due: RunTime },
    Gap { from: RunTime, to: RunTime },
}

impl Told {
    fn of(self, speaker: usize, ear: usize) -> News {
        match self {
            Self::Heard { beep, at, delay, score } => News::Heard(Heard { speaker, ear, beep, at, delay, score }),
            Self::Missed { beep, due } => News::Missed { speaker, ear, beep, due },
            Self::Gap { from, to } => News::Gap { speaker, ear, from, to },
        }
    }
}

impl Pair {
    fn due(&self, emission: &Emission) -> RunTime {
        emission.at + self.delay.unwrap_or(Nanos::ZERO)
    }

    fn detected(
        &mut self,
        time: &EarTime,
        spoken: &Spoken,
        detection: &Detection,
        clock_error: Nanos,
        tell: &mut impl FnMut(Told),
    ) {
        let at = time.clock.time_at(detection.position);
        // After beeps that were missed the delay is likely another: what lies near the old one may do so by chance.
        let within = if detection.is_sure() && !self.missed_since { SURE_WITHIN } else { FAINT_WITHIN };
        if !self.continued(time, spoken, detection, within, tell) && detection.is_sure() {
            self.strays.retain(|stray| at - time.clock.time_at(stray.position) <= LONGEST);
            self.strays.truncate(MOST_STRAYS - 1);
            self.strays.push(*detection);
            self.agree(time, spoken, clock_error, CERTAIN, tell);
        }
    }

    /// Believes what continued nothing, if so many agree on a delay.
    fn agree(
        &mut self,
        time: &EarTime,
        spoken: &Spoken,
        clock_error: Nanos,
        least: usize,
        tell: &mut impl FnMut(Told),
    ) {
        if self.strays.len() < least {
            return;
        }
        let (numbers, emissions): (Vec<u64>, Vec<Emission>) =
            spoken.numbered().filter(|(number, _)| !self.heard.contains(number)).unzip();
        let samples = self.strays.last().map_or(0, |last| last.position.ceil() as i64 + 1);
        let recorder = Recorder { clock: time.clock, clock_error, samples, codec_sd: Nanos::ZERO };
        let (observations, _) = arrivals::observe(&emissions, &self.strays, &recorder);
        let found: Vec<_> = numbers
            .iter()
            .zip(&observations)
            .filter_map(|(number, o)| Some((*number, o.emission, o.detection?)))
            .collect();
        if found.len() < least {
            return;
        }
        let strays = std::mem::take(&mut self.strays);
        let agreed: BTreeSet<usize> = found.iter().map(|(_, _, stray)| *stray).collect();
        for (number, emission, stray) in found {
            let Detection { position, score, .. } = strays[stray];
            self.hear(spoken, Came { number, emission, at: time.clock.time_at(position), score }, tell);
        }
        // Others may continue what they have agreed on.
        for stray in (0..strays.len()).filter(|stray| !agreed.contains(stray)) {
            if !self.continued(time, spoken, &strays[stray], SURE_WITHIN, tell) {
                self.strays.push(strays[stray]);
            }
        }
    }

    /// Whether a detection continues the pair's delay, or comes again where something did; then it is heard.
    fn continued(
        &mut self,
        time: &EarTime,
        spoken: &Spoken,
        detection: &Detection,
        within: Nanos,
        tell: &mut impl FnMut(Told),
    ) -> bool {
        let (Some(delay), at) = (self.delay, time.clock.time_at(detection.position)) else { return false };
        let off = |emission: &Emission| (emission.at + delay - at).abs();
        let own = spoken.numbered().filter(|(_, emission)| off(emission) <= within);
        let Some((number, emission)) = own.min_by_key(|(_, emission)| off(emission)) else { return false };
        // What comes again is an echo.
        if !self.heard.contains(&number) {
            self.hear(spoken, Came { number, emission, at, score: detection.score }, tell);
        }
        true
    }

    fn hear(&mut self, spoken: &Spoken, came: Came, tell: &mut impl FnMut(Told)) {
        let before = (self.last, came.number >= self.next);
        self.arrive(spoken, came, tell);
        if let (Some(from), true) = before
            && std::mem::take(&mut self.missed_since)
        {
            tell(Told::Gap { from, to: came.at });
        }
    }

    /// A beep is there. Those before it that nothing was known of are missed.
    fn arrive(&mut self, spoken: &Spoken, came: Came, tell: &mut impl FnMut(Told)) {
        let Came { number, emission, at, score } = came;
        let delay = at - emission.at;
        self.delay = Some(delay);
        while let Some(earlier) = spoken.get(self.next).filter(|_| self.next < number) {
            self.miss(earlier, tell);
        }
        self.next = self.next.max(number + 1);
        self.heard.insert(number);
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        tell(Told::Heard { beep: emission.beep, at, delay, score });
    }

    /// The next one was not heard. What was due before the ear played could not be.
    fn miss(&mut self, emission: Emission, tell: &mut impl FnMut(Told)) {
        self.next += 1;
        let due = self.due(&emission);
        if due >= self.opened {
            self.missed_since = true;
            tell(Told::Missed { beep: emission.beep, due });
        }
    }

    fn settle(&mut self, spoken: &Spoken, until: RunTime, tell: &mut impl FnMut(Told)) {
        while let Some(emission) = spoken.get(self.next) {
            let certain = match self.delay {
                Some(delay) => spoken.get(self.next + CERTAIN as u64).is_some_and(|later| later.at + delay <= until),
                None => emission.at + LONGEST <= until,
            };
            if !certain {
                break;
            }
            self.miss(emission, tell);
        }
    }

    fn tracked(&mut self, time: &EarTime, spoken: &Spoken, block: &Block, since: Nanos, tell: &mut impl FnMut(Told)) {
        let Some(pilot) = block.pilot else { return };
        let clock = SampleClock { start: time.clock.start + since, ..time.clock };
        let Some(delay) = spoken.began.and_then(|began| track::delay(&pilot.lag, &clock, began)) else { return };
        let at = clock.start + block.at;
        if let Some(from) = self.last.filter(|from| at - *from > SHORTEST_GAP) {
            tell(Told::Gap { from, to: at });
        }
        self.last = Some(at);
        let near = |emission: &Emission| {
            let within = if emission.beep == 0 { BEGINNING_WITHIN } else { MARK_WITHIN };
            (emission.at + delay - at).abs() <= within
        };
        let mark = spoken.numbered().find(|(_, emission)| near(emission));
        if let Some((number, emission)) = mark.filter(|(number, _)| !self.heard.contains(number)) {
            self.arrive(spoken, Came { number, emission, at: emission.at + delay, score: pilot.rho }, tell);
        }
    }
}

#[cfg(test)]
mod tests;
