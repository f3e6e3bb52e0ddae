//! From what ears play to what was heard in it, as it plays.

use jiho_analysis::hear::{Detection, Ears};
use jiho_analysis::signal::{Code, Emission, Family};
use jiho_analysis::track::Tracker;
use jiho_analysis::units::{MediaTime, SampleClock};
use jiho_proto::codec::RATE;

use super::pairs::{EarTime, Pairs};
use super::{Begun, News};

/// Samples that never came are silence, if they are no more than this; after more, an ear is listened to anew.
const LONGEST_SILENCE: i64 = 48_000;

/// Listens at all ears of a run.
pub struct Listener {
    codes: Vec<Code>,
    /// `None`: pilots are tracked.
    beeps: Option<Ears>,
    /// By participant.
    ears: Vec<Option<Ear>>,
    pairs: Pairs,
}

/// An ear that plays.
struct Ear {
    clock: SampleClock,
    sound: Sound,
    /// The position that its sound is listened to from.
    origin: i64,
    /// The position of the sample that is to come.
    next: i64,
}

enum Sound {
    /// Which ear of [`Listener::beeps`].
    Beeps(usize),
    Pilots(Box<Tracker>),
    /// Somebody else listens.
    Elsewhere,
}

impl Listener {
    /// Nobody plays anything yet.
    pub fn new(begun: &Begun) -> Self {
        let mut codes: Vec<Code> = begun.participants.iter().filter_map(|person| person.code).collect();
        if !begun.family.is_coded() {
            // All members of a family without codes sound alike: one is enough.
            codes.truncate(1);
        }
        let beeps = (begun.family != Family::Pilot).then(|| Ears::new(RATE, begun.family, &codes));
        Self { beeps, codes, ears: begun.participants.iter().map(|_| None).collect(), pairs: Pairs::new(begun) }
    }

    /// A beep left a mouth.
    pub fn sent(&mut self, speaker: usize, emission: Emission) {
        self.pairs.sent(speaker, emission);
    }

    /// An ear plays from now on, perhaps again.
    pub fn ear_opened(&mut self, ear: usize, clock: SampleClock) {
        let ears = &mut self.ears[ear];
        match ears {
            Some(open) => (open.clock, open.next) = (clock, i64::MIN),
            None => *ears = Some(Ear { clock, sound: Sound::Elsewhere, origin: 0, next: i64::MIN }),
        }
        self.pairs.open(ear, clock.start);
    }

    /// An ear plays samples, from position `first` on.
    pub fn sound(&mut self, ear: usize, first: MediaTime, samples: &[f32], tell: &mut impl FnMut(News)) {
        let Some(open) = &mut self.ears[ear] else { return };
        let missing = first.0.saturating_sub(open.next);
        if (1..=LONGEST_SILENCE).contains(&missing) {
            self.listen(ear, &vec![0.0; missing as usize], tell);
        } else if missing != 0 {
            (open.origin, open.next) = (first.0, first.0);
            open.sound = match (&open.sound, &mut self.beeps) {
                (_, None) => Sound::Pilots(Box::new(Tracker::new(RATE, &self.codes))),
                (Sound::Beeps(number), Some(beeps)) => {
                    beeps.restart(*number);
                    Sound::Beeps(*number)
                }
                (_, Some(beeps)) => Sound::Beeps(beeps.open()),
            };
        }
        self.listen(ear, samples, tell);
    }

    /// Somebody else has listened at an ear: what was found, up to a position.
    pub fn detected(&mut self, ear: usize, found: &[Detection], settled: f64, tell: &mut impl FnMut(News)) {
        if let Some(open) = &mut self.ears[ear] {
            open.next = settled as i64;
            self.pairs.beeps(&EarTime { ear, clock: open.clock }, found, settled, tell);
        }
    }

    /// The run is over.
    pub fn finish(mut self, tell: &mut impl FnMut(News)) {
        let mut rest = self.beeps.map(Ears::finish).unwrap_or_default();
        for (ear, open) in self.ears.into_iter().enumerate() {
            let Some(Ear { clock, sound, origin, next }) = open else { continue };
            let (time, next) = (EarTime { ear, clock }, next.max(0));
            match sound {
                Sound::Beeps(number) => {
                    let found = placed(std::mem::take(&mut rest[number]), origin);
                    self.pairs.beeps(&time, &found, next as f64, tell);
                }
                Sound::Pilots(tracker) => self.pairs.pilots(&time, &tracker.finish(), RATE.span(origin), tell),
                Sound::Elsewhere => {}
            }
            self.pairs.end(&time, clock.time(MediaTime(next)), tell);
        }
    }

    fn listen(&mut self, ear: usize, samples: &[f32], tell: &mut impl FnMut(News)) {
        let Some(open) = &mut self.ears[ear] else { return };
        open.next += samples.len() as i64;
        let time = EarTime { ear, clock: open.clock };
        match (&mut open.sound, &mut self.beeps) {
            (Sound::Beeps(number), Some(beeps)) => {
                let found = placed(beeps.push(*number, samples), open.origin);
                let settled = beeps.settled(*number) + open.origin as f64;
                self.pairs.beeps(&time, &found, settled, tell);
            }
            (Sound::Pilots(tracker), _) => {
                self.pairs.pilots(&time, &tracker.push(samples), RATE.span(open.origin), tell);
            }
            (Sound::Beeps(_), None) | (Sound::Elsewhere, _) => {}
        }
    }
}

/// What may be time signals, by its place in the whole recording.
fn placed(mut found: Vec<Detection>, origin: i64) -> Vec<Detection> {
    found.retain(Detection::is_credible);
    found.iter_mut().for_each(|detection| detection.position += origin as f64);
    found
}
