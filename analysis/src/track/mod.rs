//! The pilot tracker: which instant of a pilot each short piece of a recording holds, and where it breaks off.
//!
//! A pilot is a coded voice without ends ([`crate::signal::Pilot`]). Its *lag* is how much later the recording's time is
//! than the pilot's own: it stays the same while sound comes steadily, drifts with clocks, and steps where a buffer
//! skips, repeats or waits. Since a pilot repeats after 128 s only, a lag is a delay of −20 to 60 s without doubt once it is
//! known when the pilot began.
//!
//! input (about 12 kHz, evened out) → search (where in its period is it?) → trail (followed hop by hop) → path (on which
//! trail, if on any) → segment (edges, lags) → [`breaks`].
//!
//! Several pilots are tracked at once: each is measured in what the others leave of the recording.

mod breaks;
mod input;
mod marks;
mod path;
mod points;
mod search;
mod segment;
mod table;
mod trail;
mod voice;

pub use breaks::{Break, BreakKind, breaks};
pub use marks::{Marks, began, delay};
pub use points::{Point, Points};
pub use segment::{Edge, Lag, Segment};

use rayon::prelude::*;

use crate::signal::{Code, Pilot};
use crate::units::{Nanos, Rate};
use input::{EMPHASIS, Input};
use segment::{Local, Writer, decibels};
use voice::{Voice, Window};

/// A hop: the grain in which a pilot's presence is decided. Two make a block.
const HOP_SECONDS: f64 = 0.005;
const BLOCK_HOPS: usize = 2;
/// Hops that are taken in at a time,
const STEP_HOPS: usize = 50;
/// that lie between what is decided on and the newest: a pilot that comes back has to be found in its whole period, which
/// takes 0.7 s of it, before it is said when it did,
const AHEAD_HOPS: usize = 400;
/// and that are kept of what has been decided.
const KEPT_HOPS: usize = 40;
/// Sweeps over all voices that bring their gains to the joint least squares.
const SWEEPS: usize = 3;

/// Tracks pilots in one channel of a recording, as a stream: memory does not grow with its length.
pub struct Tracker {
    hz: f64,
    input: Input,
    window: Window,
    voices: Vec<Voice>,
    writers: Vec<Writer>,
    /// Hops of the window that have been decided on.
    decided: usize,
    blocks: Vec<Blocks>,
    /// What emphasis is taken from again: the sound's and the rest's last sample.
    plain: [f32; 2],
    pending: Vec<f32>,
}

/// What is new in a track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracked {
    /// In order of time, and of the codes within.
    pub blocks: Vec<Block>,
    /// In order of their ends.
    pub segments: Vec<Segment>,
}

/// 10 ms of a recording, as far as one pilot goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Whose pilot.
    pub code: Code,
    /// The block's middle, counted from the recording's first sample.
    pub at: Nanos,
    /// The pilot; `None`: it is not there, or it is not sure which instant of it this is.
    pub pilot: Option<Heard>,
    /// Level of all sound below about 6 kHz, relative to full scale.
    pub level_db: f64,
    /// The same of what is of no pilot that is tracked.
    pub rest_db: f64,
}

/// A pilot in a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// How much later the recording's time is than the pilot's.
    pub lag: Lag,
    /// The pilot's gain over −20 dBFS RMS, with its sign.
    pub gain: f64,
    /// The normalised correlation coefficient, once other pilots are taken out and all frequencies count alike.
    pub rho: f64,
}

impl Block {
    /// Which instant of the pilot the block's middle holds: 0 to [`Pilot::PERIOD`].
    pub fn media(&self) -> Option<Nanos> {
        self.pilot.map(|pilot| Nanos((self.at.0 - pilot.lag.value.0).rem_euclid(Pilot::PERIOD.0)))
    }
}

/// A block that is being put together.
#[derive(Clone, Copy, Debug, Default)]
struct Blocks {
    hops: usize,
    present: usize,
    level: f64,
    rest: f64,
}

impl Tracker {
    /// Tracks the pilots of some codes in a recording at `rate`.
    pub fn new(rate: Rate, codes: &[Code]) -> Self {
        let input = Input::new(rate);
        let hz = rate.hz() / input.ratio() as f64;
        let hop = (hz * HOP_SECONDS).round().max(1.0) as usize;
        let voices: Vec<Voice> =
            codes.iter().map(|&code| Voice::new(code, table::shared(code, rate, input.ratio()))).collect();
        voices.par_iter().for_each(|voice| voice.prepare());
        Self {
            hz,
            input,
            window: Window { hop, first: 0, sound: Vec::new(), rest: Vec::new() },
            writers: voices.iter().map(|_| Writer::default()).collect(),
            blocks: vec![Blocks::default(); voices.len()],
            voices,
            decided: 0,
            plain: [0.0; 2],
            pending: Vec::new(),
        }
    }

    /// Takes samples, and gives what can be said with them: up to 2.3 s stay undecided.
    pub fn push(&mut self, samples: &[f32]) -> Tracked {
        let mut tracked = Tracked::default();
        // A long piece is taken in parts, so that memory stays small.
        for part in samples.chunks(1 << 16) {
            self.input.push(part, &mut self.pending);
            let step = STEP_HOPS * self.window.hop;
            let whole = self.pending.len() / step;
            for n in 0..whole {
                let from = n * step;
                self.window.sound.extend_from_slice(&self.pending[from..from + step]);
                self.advance(AHEAD_HOPS, &mut tracked);
            }
            self.pending.drain(..whole * step);
        }
        tracked
    }

    /// Ends the recording, and gives the rest.
    pub fn finish(mut self) -> Tracked {
        let mut tracked = Tracked::default();
        self.input.finish(&mut self.pending);
        self.window.sound.append(&mut self.pending);
        self.advance(0, &mut tracked);
        for (writer, voice) in self.writers.iter_mut().zip(&self.voices) {
            tracked.segments.extend(writer.finish(voice, &self.window));
        }
        tracked
    }

    /// Works on what is new in the window, and decides on all hops but the last `ahead`.
    fn advance(&mut self, ahead: usize, tracked: &mut Tracked) {
        let window = &mut self.window;
        let new = window.hops();
        let hops = window.sound.len() / window.hop;
        window.rest.extend_from_slice(&window.sound[new * window.hop..hops * window.hop]);
        self.voices.iter_mut().for_each(|voice| voice.extend(window));
        // One voice alone is at its least squares at once.
        let sweeps = if self.voices.len() > 1 { SWEEPS } else { 1 };
        for _ in 0..sweeps {
            self.voices.iter_mut().for_each(|voice| voice.cancel(window));
        }
        for voice in &mut self.voices {
            voice.update(window, self.decided, new);
        }
        if self.voices.len() > 1 {
            for _ in 0..SWEEPS {
                self.voices.iter_mut().for_each(|voice| voice.cancel(window));
            }
        }
        let decided = hops.saturating_sub(ahead).max(self.decided);
        self.write(decided, tracked);
        self.decided = decided;
        let gone = self.decided.saturating_sub(KEPT_HOPS);
        let samples = gone * self.window.hop;
        self.window.sound.drain(..samples);
        self.window.rest.drain(..samples);
        self.window.first += samples as i64;
        self.voices.iter_mut().for_each(|voice| voice.forget(gone, self.window.hop));
        self.decided -= gone;
    }

    /// Writes down the hops up to `end`.
    fn write(&mut self, end: usize, tracked: &mut Tracked) {
        let hop = self.window.hop;
        let owns: Vec<Vec<f32>> = self.voices.iter().map(|voice| voice.own(&self.window)).collect();
        for n in self.decided..end {
            let range = n * hop..(n + 1) * hop;
            let level = self.power(0, range.clone());
            let rest = self.power(1, range);
            for (index, voice) in self.voices.iter().enumerate() {
                let ended = self.writers[index].hop(voice, &self.window, &owns[index], n);
                tracked.segments.extend(ended);
                let block = &mut self.blocks[index];
                block.hops += 1;
                block.present += usize::from(voice.path[n].is_some());
                block.level += level / BLOCK_HOPS as f64;
                block.rest += rest / BLOCK_HOPS as f64;
                if block.hops == BLOCK_HOPS {
                    let at = (self.window.first + ((n + 1) * hop) as i64) as f64 - (BLOCK_HOPS * hop) as f64 / 2.0;
                    let whole = block.present == BLOCK_HOPS;
                    let heard = if whole { Local::around(voice, n) } else { None };
                    tracked.blocks.push(Block {
                        code: voice.code,
                        at: Nanos::from_secs_f64(at / self.hz),
                        pilot: heard.map(|local| Heard {
                            lag: Lag::of(local.lag / self.hz, local.sd / self.hz),
                            gain: local.gain,
                            rho: local.rho,
                        }),
                        level_db: decibels(block.level),
                        rest_db: decibels(block.rest),
                    });
                    *block = Blocks::default();
                }
            }
        }
    }

    /// Mean power of the sound (0) or of the rest (1) over some samples, without emphasis.
    fn power(&mut self, which: usize, range: std::ops::Range<usize>) -> f64 {
        let samples = if which == 0 { &self.window.sound[range] } else { &self.window.rest[range] };
        let plain = &mut self.plain[which];
        let mut power = 0.0;
        for sample in samples {
            *plain = sample + EMPHASIS * *plain;
            power += f64::from(*plain).powi(2);
        }
        power / samples.len() as f64
    }
}
