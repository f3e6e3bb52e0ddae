//! A sound card that exists in virtual time only, with a cable from its output to its input: latency, drift, periods,
//! xruns, bad starts and disappearance are as its [`Model`] says, to the nanosecond, and nothing happens but when
//! [`VirtualCard::advance`] is called. It brings its buffers to the same callbacks as a real device does.
//!
//! It is no custom host of cpal's: a host has to make buffers of [`cpal::Data`], which takes `unsafe`.

mod cable;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use cpal::SampleFormat;
use cpal::{Sample, SupportedBufferSize, SupportedStreamConfigRange};
use jiho_analysis::units::{MediaTime, Nanos, Ppb, Rate, RunTime, SampleClock};

use self::cable::Cable;
use super::callbacks::{Capturer, Player};
use super::format::with_format;
use super::offer::{Chosen, choose, formats_of, rates_of};
use super::ring::ring;
use super::status::SharedStatus;
use super::streams::{CapturingStream, Following, PlayingStream, marks};
use super::{CAPTURE_SECONDS, Capturing, DeviceError, DeviceInfo, Playing, SoundDevices, Source, StreamRequest};

/// What a card is like.
#[derive(Clone, Debug)]
pub struct Model {
    /// Samples per second, as both sides claim.
    pub rate: Rate,
    /// The format of both sides.
    pub format: SampleFormat,
    /// Channels of both sides.
    pub channels: u16,
    /// How fast it plays.
    pub play: Side,
    /// How fast it captures.
    pub capture: Side,
    /// From the output to the input.
    pub latency: Nanos,
    /// Of what is played so much is captured.
    pub gain: f32,
    /// The input channel that output channel 0 comes back on, and so on, round in a circle.
    pub crossed: u16,
    /// It is pulled out at this time.
    pub disappears: Option<RunTime>,
    /// It brings no buffer from this time on, and says nothing of it.
    pub hangs: Option<RunTime>,
}

/// One side of a card.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// How much faster it counts than it claims.
    pub skew: Ppb,
    /// From the stream's opening to its first sample.
    pub start: Nanos,
    /// So many first stamps are wrong …
    pub wrong_stamps: i64,
    /// … by this much.
    pub wrong_by: Nanos,
    /// Stamps are off by up to this much either way.
    pub scatter: Nanos,
    /// Before these buffers it stumbles by so many samples: silence is played, or sound is dropped.
    pub xruns: Vec<(i64, i64)>,
    /// Whether it owns up to them.
    pub tells: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            rate: Rate::OPUS,
            format: SampleFormat::F32,
            channels: 2,
            play: Side::default(),
            capture: Side::default(),
            latency: Nanos::from_millis(10),
            gain: 1.0,
            crossed: 0,
            disappears: None,
            hangs: None,
        }
    }
}

/// Runs each callback: so a test can watch what it does.
pub type Guard = fn(&mut dyn FnMut());

/// The card. Clones are the same card.
#[derive(Clone)]
pub struct VirtualCard {
    model: Arc<Model>,
    guard: Guard,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    now: RunTime,
    playing: Option<Running<Player>>,
    capturing: Option<Running<Capturer>>,
    cable: Cable,
}

/// One side while it runs.
struct Running<C> {
    callback: C,
    status: Arc<SharedStatus>,
    /// Gone when its stream is dropped.
    stream: Weak<()>,
    clock: SampleClock,
    period: i64,
    /// Buffers so far.
    buffers: i64,
    channels: u16,
}

impl Side {
    /// Samples that it stumbled by before a count.
    fn stumbled(&self, count: i64, period: i64) -> i64 {
        self.xruns.iter().filter(|(buffer, _)| buffer * period <= count).map(|(_, samples)| samples).sum()
    }

    fn time<C>(&self, running: &Running<C>, count: i64) -> RunTime {
        running.clock.time(MediaTime(count + self.stumbled(count, running.period)))
    }

    /// What it says of a buffer's time.
    fn stamp<C>(&self, running: &Running<C>) -> Nanos {
        let at = self.time(running, running.buffers * running.period);
        let wrong = if running.buffers < self.wrong_stamps { self.wrong_by } else { Nanos::ZERO };
        let dice = dice(running.buffers);
        (at + wrong + Nanos(self.scatter.0 * dice / 1000)).since_start()
    }

    fn own_up<C>(&self, running: &Running<C>) {
        if self.tells && self.xruns.iter().any(|(buffer, _)| *buffer == running.buffers) {
            running.status.xrun();
        }
    }
}

/// From −1000 to 1000: reproducible, and without any rhythm that a line could follow (SplitMix64's mixing).
fn dice(number: i64) -> i64 {
    let mut mixed = (number as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % 2001) as i64 - 1000
}

impl VirtualCard {
    /// A card at the start of the run.
    pub fn new(model: Model) -> Self {
        Self::guarded(model, |callback| callback())
    }

    /// A card whose callbacks run within `guard`.
    pub fn guarded(model: Model, guard: Guard) -> Self {
        Self { model: Arc::new(model), guard, shared: Arc::default() }
    }

    /// What its time is.
    pub fn now(&self) -> RunTime {
        self.shared().now
    }

    /// Lets time pass, with all callbacks that fall into it.
    pub fn advance(&self, span: Nanos) {
        let mut shared = self.shared();
        let until = shared.now + span;
        let Model { disappears, hangs, .. } = &*self.model;
        let end = [*disappears, *hangs].into_iter().flatten().fold(until, RunTime::min);
        while self.next_buffer(&mut shared, end) {}
        if disappears.is_some_and(|gone| gone < until) {
            shared.playing.take().iter().for_each(|side| side.status.ended());
            shared.capturing.take().iter().for_each(|side| side.status.ended());
        }
        shared.now = until;
    }

    /// The next callback, if it is due by `end`.
    fn next_buffer(&self, shared: &mut Shared, end: RunTime) -> bool {
        shared.playing.take_if(|side| side.stream.strong_count() == 0);
        shared.capturing.take_if(|side| side.stream.strong_count() == 0);
        // A buffer is played two periods after it was asked for, and captured when it is full.
        let plays = shared
            .playing
            .as_ref()
            .map(|side| self.model.play.time(side, side.buffers * side.period) - side.clock.rate.span(2 * side.period));
        let captures = shared
            .capturing
            .as_ref()
            .map(|side| self.model.capture.time(side, side.buffers * side.period) + side.clock.rate.span(side.period));
        let due = |at: Option<RunTime>| at.is_some_and(|at| at <= end);
        match (plays, captures) {
            (plays, captures)
                if due(plays) && captures.is_none_or(|captures| plays.is_some_and(|at| at <= captures)) =>
            {
                self.play_one(shared);
                true
            }
            (_, captures) if due(captures) => {
                self.capture_one(shared);
                true
            }
            _ => false,
        }
    }

    fn play_one(&self, shared: &mut Shared) {
        let Shared { playing: Some(side), cable, .. } = shared else { return };
        self.model.play.own_up(side);
        let at = self.model.play.stamp(side);
        let length = side.period as usize * usize::from(side.channels);
        with_format!(self.model.format, T => {
            let mut frames = vec![T::EQUILIBRIUM; length];
            (self.guard)(&mut || side.callback.fill(&mut frames, at));
            cable.put(frames.iter().map(|sample| sample.to_sample::<f32>()), side.channels);
        }, else {});
        side.buffers += 1;
    }

    fn capture_one(&self, shared: &mut Shared) {
        let Shared { playing, capturing: Some(side), cable, .. } = shared else { return };
        let Model { capture, play, latency, gain, crossed, .. } = &*self.model;
        capture.own_up(side);
        let at = capture.stamp(side);
        let first = side.buffers * side.period;
        let mut sound = Vec::with_capacity(side.period as usize * usize::from(side.channels));
        for count in first..first + side.period {
            let sent = capture.time(side, count) - *latency;
            let position = playing
                .as_ref()
                .and_then(|mouth| cable::count_at(mouth.clock.position(sent), &play.xruns, mouth.period));
            for channel in 0..side.channels {
                let from = (channel + side.channels - crossed % side.channels) % side.channels;
                sound.push(gain * position.map_or(0.0, |position| cable.at(position, usize::from(from))));
            }
        }
        with_format!(self.model.format, T => {
            let frames: Vec<T> = sound.iter().map(|sample| sample.to_sample::<T>()).collect();
            (self.guard)(&mut || side.callback.take(&frames, at));
        }, else {});
        side.buffers += 1;
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offers(&self) -> [SupportedStreamConfigRange; 1] {
        let Model { rate, format, channels, .. } = &*self.model;
        let sizes = SupportedBufferSize::Range { min: 16, max: 8192 };
        [SupportedStreamConfigRange::new(*channels, rate.0, rate.0, sizes, *format)]
    }

    fn open<C>(
        &self,
        request: &StreamRequest,
        side: &Side,
        make: impl FnOnce(&Chosen) -> C,
    ) -> Result<(Running<C>, Arc<()>), DeviceError> {
        if let Some(id) = request.device.as_ref().filter(|id| *id != VIRTUAL) {
            return Err(DeviceError::Unknown { id: id.clone(), wanted: "play or record" });
        }
        let chosen = choose(VIRTUAL, &self.offers(), None, request)?;
        let cpal::BufferSize::Fixed(frames) = chosen.config.buffer_size else {
            return Err(DeviceError::Failed { id: VIRTUAL.to_owned(), reason: "no fixed buffer size".to_owned() });
        };
        let stream = Arc::new(());
        let start = self.now() + side.start;
        let running = Running {
            callback: make(&chosen),
            status: Arc::default(),
            stream: Arc::downgrade(&stream),
            clock: SampleClock { skew: side.skew, ..SampleClock::new(start, request.rate) },
            period: i64::from(frames),
            buffers: 0,
            channels: chosen.config.channels,
        };
        Ok((running, stream))
    }
}

/// The card's id.
const VIRTUAL: &str = "virtual:card";

impl SoundDevices for VirtualCard {
    fn list(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        let channels = self.model.channels;
        Ok(vec![DeviceInfo {
            id: VIRTUAL.to_owned(),
            name: "a card in virtual time".to_owned(),
            host: "virtual".to_owned(),
            inputs: channels,
            outputs: channels,
            rates: rates_of(&self.offers()),
            formats: formats_of(&self.offers()),
            default_input: true,
            default_output: true,
        }])
    }

    fn play_all(
        &self,
        request: &StreamRequest,
        sources: Vec<(Option<u16>, Source)>,
    ) -> Result<Box<dyn Playing>, DeviceError> {
        let (writer, reader) = marks();
        let make = |chosen: &Chosen| Player::new(sources, chosen.config.channels, writer);
        let (running, stream) = self.open(request, &self.model.play, make)?;
        let status = running.status.clone();
        let mut shared = self.shared();
        shared.playing = Some(running);
        shared.cable = Cable::default();
        let following = Following::new(status, reader, request.rate, RunTime::START);
        Ok(Box::new(PlayingStream { following, _stream: stream }))
    }

    fn record(&self, request: &StreamRequest) -> Result<Box<dyn Capturing>, DeviceError> {
        let (writer, reader) = marks();
        let channels = self.model.channels;
        let (samples_in, samples) = ring(CAPTURE_SECONDS * request.rate.0 as usize * usize::from(channels));
        let make = |chosen: &Chosen| Capturer::new(samples_in, chosen.config.channels, writer);
        let (running, stream) = self.open(request, &self.model.capture, make)?;
        let status = running.status.clone();
        self.shared().capturing = Some(running);
        let following = Following::new(status, reader, request.rate, RunTime::START);
        Ok(Box::new(CapturingStream { following, samples, channels, _stream: stream }))
    }
}
