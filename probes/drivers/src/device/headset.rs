//! A client's microphone and loudspeaker at sound devices.
//!
//! A client's mouth and ear keep to clocks of their own, and devices to theirs. Between them sound waits for a fixed time,
//! [`HEADSET_DELAY`], and is read where the clocks say: so a client adds what it always adds, whatever devices' clocks do,
//! and what a late thread or a stumbling device spoils is silence, which is counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jiho_analysis::units::{MediaTime, Nanos, Rate, SampleClock};
use jiho_proto::speaker::Mouth;
use rtrb::{Consumer, Producer, RingBuffer};

use super::StreamStatus;
use super::ring::{RingReader, RingWriter, ring};

/// How long sound waits between a device and a client: two buffers of a device, a client's period, and as much again for
/// threads that wake late.
pub const HEADSET_DELAY: Nanos = Nanos::from_millis(80);
/// Clocks that wait to be looked at.
const LOOKS: usize = 128;
/// So much sound is there to be read at most: more than passes until a device is known.
const HELD_SECONDS: usize = 4;
/// A reader that is further off than this goes where it should be at once.
const FAR_SAMPLES: f64 = 240.0;
/// One that is nearer comes nearer by this share of what it is off in each stretch, within seconds: devices' stamps wander
/// by tenths of a millisecond, and a client's delay is not to wander with them.
const APPROACH: f64 = 0.005;

/// Samples that found nothing to be read, of one direction.
#[derive(Clone, Debug, Default)]
pub struct Missing(Arc<AtomicU64>);

impl Missing {
    /// How many so far, since there was sound at all.
    pub fn samples(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sound of one clock, read at the instants of another.
struct Held {
    samples: VecDeque<f32>,
    /// The position of the first one.
    first: i64,
    /// Where the next one to be given is.
    next: Option<f64>,
    missing: Missing,
    /// Samples that were missing, and are to be counted if sound comes again: after the last of it nothing is missing.
    lacked: u64,
}

impl Held {
    fn new(missing: Missing) -> Self {
        let samples = VecDeque::with_capacity(HELD_SECONDS * Rate::OPUS.0 as usize);
        Self { samples, first: 0, next: None, missing, lacked: 0 }
    }

    /// Takes all that has come.
    fn fetch(&mut self, sound: &mut RingReader, piece: &mut Vec<f32>) {
        loop {
            let first = sound.read(piece);
            if piece.is_empty() {
                return;
            }
            self.push(first, piece);
        }
    }

    /// Takes what comes next, from a position on; what never came is silence. What is too old is let go of.
    fn push(&mut self, first: MediaTime, samples: &[f32]) {
        self.missing.0.fetch_add(std::mem::take(&mut self.lacked), Ordering::Relaxed);
        let end = self.first + self.samples.len() as i64;
        let skipped = first.0 - end;
        if skipped < 0 || skipped as usize > self.samples.capacity() {
            self.samples.clear();
            self.first = first.0;
        } else {
            self.put(skipped as usize, std::iter::repeat_n(0.0, skipped as usize));
        }
        self.put(samples.len(), samples.iter().copied());
    }

    /// Never beyond the capacity: a device's thread may not allocate.
    fn put(&mut self, count: usize, samples: impl Iterator<Item = f32>) {
        let over = (self.samples.len() + count).saturating_sub(self.samples.capacity());
        let gone = over.min(self.samples.len());
        self.samples.drain(..gone);
        self.samples.extend(samples.skip(over - gone));
        self.first += over as i64;
    }

    /// Gives the sound from position `from` to `to`, stretched over `out`.
    fn read(&mut self, from: f64, to: f64, out: &mut [f32]) {
        let off = self.next.map_or(f64::INFINITY, |next| from - next);
        let begin = if off.abs() > FAR_SAMPLES { from } else { from - (1.0 - APPROACH) * off };
        let step = (to - from) / out.len().max(1) as f64;
        let mut missing = 0;
        for (n, sample) in out.iter_mut().enumerate() {
            let there = self.at(begin + n as f64 * step);
            missing += u64::from(there.is_none());
            *sample = there.unwrap_or(0.0);
        }
        self.next = Some(begin + out.len() as f64 * step);
        if !self.samples.is_empty() {
            self.lacked += missing;
        }
    }

    /// The sound at a position, by the cubic through the four samples around it (Catmull-Rom): beeps end at a tenth of the
    /// rate, where it is right to a few thousandths and shifts nothing.
    fn at(&self, position: f64) -> Option<f32> {
        let whole = position.floor();
        let index = usize::try_from(whole as i64 - 1 - self.first).ok()?;
        let [a, b, c, d] = [0, 1, 2, 3].map(|n| self.samples.get(index + n).copied());
        let (a, b, c, d) = (a?, b?, c?, d?);
        let x = (position - whole) as f32;
        Some(b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a))))
    }
}

/// Where whoever reads a device puts what it recorded for a client.
pub struct Pickup {
    sound: RingWriter,
    clocks: Producer<SampleClock>,
}

/// A client's mouth that says what a device records.
pub struct Microphone {
    sound: RingReader,
    clocks: Consumer<SampleClock>,
    /// By which the device counts, as far as is known.
    clock: Option<SampleClock>,
    held: Held,
    piece: Vec<f32>,
}

/// A microphone at 48 kHz, from its device's end to its client's.
pub fn microphone() -> (Pickup, Microphone) {
    let (writer, reader) = ring(HELD_SECONDS * Rate::OPUS.0 as usize);
    let (looks, clocks) = RingBuffer::new(LOOKS);
    let microphone =
        Microphone { sound: reader, clocks, clock: None, held: Held::new(Missing::default()), piece: Vec::new() };
    (Pickup { sound: writer, clocks: looks }, microphone)
}

impl Pickup {
    /// What the device recorded next, and what is known of its clock.
    pub fn record(&mut self, samples: impl ExactSizeIterator<Item = f32>, status: &StreamStatus) {
        self.sound.write(samples);
        if let Some(clock) = status.clock {
            let start = clock.start + Nanos::from_secs_f64(status.jumped() as f64 / clock.hz());
            // Who takes no sound needs no clock.
            let _ = self.clocks.push(SampleClock { start, ..clock });
        }
    }
}

impl Microphone {
    /// What will be missing of it.
    pub fn missing(&self) -> Missing {
        self.held.missing.clone()
    }
}

impl Mouth for Microphone {
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        self.held.fetch(&mut self.sound, &mut self.piece);
        while let Ok(clock) = self.clocks.pop() {
            self.clock = Some(clock);
        }
        let Some(device) = self.clock else { return out.fill(0.0) };
        let count = |sample| device.position(clock.time(sample) - HEADSET_DELAY);
        self.held.read(count(first), count(first + out.len() as i64), out);
    }
}

/// Where a client puts what its ear hears.
pub struct Earpiece {
    sound: RingWriter,
    clock: Arc<OnceLock<SampleClock>>,
}

/// What a device plays of it.
pub struct Loudspeaker {
    sound: RingReader,
    clock: Arc<OnceLock<SampleClock>>,
    held: Held,
    piece: Vec<f32>,
}

/// A loudspeaker at 48 kHz, from its client's end to its device's.
pub fn loudspeaker() -> (Earpiece, Loudspeaker) {
    let samples = HELD_SECONDS * Rate::OPUS.0 as usize;
    let (writer, reader) = ring(samples);
    let clock = Arc::new(OnceLock::new());
    let earpiece = Earpiece { sound: writer, clock: Arc::clone(&clock) };
    let held = Held::new(Missing::default());
    (earpiece, Loudspeaker { sound: reader, clock, held, piece: Vec::with_capacity(samples) })
}

impl Earpiece {
    /// The ear opens; once.
    pub fn open(&self, clock: SampleClock) {
        // An ear opens once.
        let _ = self.clock.set(clock);
    }

    /// What the ear plays next.
    pub fn play(&mut self, samples: &[f32]) {
        self.sound.write(samples.iter().copied());
    }
}

impl Loudspeaker {
    /// What will be missing of it.
    pub fn missing(&self) -> Missing {
        self.held.missing.clone()
    }
}

/// Called on a device's thread, with the clock that the device plays by.
impl Mouth for Loudspeaker {
    fn fill(&mut self, clock: &SampleClock, first: MediaTime, out: &mut [f32]) {
        self.held.fetch(&mut self.sound, &mut self.piece);
        let Some(ear) = self.clock.get() else { return out.fill(0.0) };
        let position = |sample| ear.position(clock.time(sample) - HEADSET_DELAY);
        self.held.read(position(first), position(first + out.len() as i64), out);
    }
}

#[cfg(all(test, feature = "device"))]
mod tests {
    use jiho_analysis::hear::hear;
    use jiho_analysis::signal::{Code, Family, Signal};
    use jiho_analysis::units::{Ppb, RunTime};

    use super::*;
    use crate::clock::RunClock;
    use crate::device::steering::Steering;
    use crate::device::virtual_card::{Model, Side, VirtualCard};
    use crate::device::{Channels, SoundDevices, StreamRequest};

    const TICK: Nanos = Nanos::from_millis(10);
    const TICK_SAMPLES: i64 = 480;

    fn request() -> StreamRequest {
        StreamRequest {
            device: None,
            rate: Rate::OPUS,
            buffer_frames: 480,
            channels: Channels::Fewest,
            only: None,
            clock: RunClock::start(),
        }
    }

    fn card(skew_ppm: f64) -> VirtualCard {
        let side = Side { skew: Ppb::from_ppm(skew_ppm), ..Side::default() };
        VirtualCard::new(Model { play: side.clone(), capture: side, latency: Nanos::ZERO, ..Model::default() })
    }

    /// How much later than planned beeps are found in a sound of that clock, in ms: the least and the most.
    fn late_ms(sound: &[f32], clock: &SampleClock, planned: &[RunTime], code: Code) -> (f64, f64, usize) {
        let found = hear(sound, Rate::OPUS, Family::Voiced, &[code]);
        let late = found.iter().filter(|beep| beep.is_sure()).filter_map(|beep| {
            let at = clock.time_at(beep.position);
            let after = planned.iter().map(|planned| at - *planned).filter(|late| late.0 >= 0);
            after.min().map(Nanos::as_millis_f64)
        });
        late.fold((f64::INFINITY, f64::NEG_INFINITY, 0), |(least, most, n), late| {
            (least.min(late), most.max(late), n + 1)
        })
    }

    /// A voice is played into a card, whose sound a microphone brings to a client, which counts by the run's clock.
    #[test]
    fn a_microphone_is_late_by_the_same_time_whatever_the_card_counts() {
        for skew_ppm in [0.0, 200.0, -200.0, 2500.0] {
            let card = card(skew_ppm);
            let code = Code::new(5).unwrap();
            let programme = Signal::VOICED.programmes(&[code], RunTime(2_000_000_000), Nanos::from_secs(18)).remove(0);
            let planned: Vec<RunTime> = programme.emissions().iter().map(|emission| emission.at).collect();
            let mut voice_at = Steering::default();
            let source = voice_at.source(programme);
            let mut voice = card.play(&request(), source).unwrap();
            let mut device = card.record(&request()).unwrap();
            let (mut pickup, mut microphone) = microphone();
            let clock = SampleClock::new(RunTime(3_000_000), Rate::OPUS);
            let (mut said, mut recorded, mut period) = (Vec::new(), Vec::new(), vec![0.0; TICK_SAMPLES as usize]);
            for n in 0..2000 {
                card.advance(TICK);
                voice_at.look(&voice.status(), card.now(), Nanos::ZERO);
                device.read(&mut recorded);
                let channels = device.channels();
                pickup.record(recorded.iter().step_by(channels).copied(), &device.status());
                microphone.fill(&clock, MediaTime(n * TICK_SAMPLES), &mut period);
                said.extend_from_slice(&period);
            }
            let (least, most, beeps) = late_ms(&said, &clock, &planned, code);
            let wait = HEADSET_DELAY.as_millis_f64();
            assert!(
                beeps > 14 && (least - wait).abs() < 0.05 && (most - wait).abs() < 0.05,
                "{skew_ppm}: {least} {most}"
            );
            assert_eq!(microphone.missing().samples(), 0, "{skew_ppm}");
        }
    }

    /// A client's ear plays a voice, which a card brings to whoever records it.
    #[test]
    fn a_loudspeaker_is_late_by_the_same_time_whatever_the_card_counts() {
        for skew_ppm in [0.0, 200.0, -200.0, 2500.0] {
            let card = card(skew_ppm);
            let code = Code::new(9).unwrap();
            let mut programme =
                Signal::VOICED.programmes(&[code], RunTime(2_000_000_000), Nanos::from_secs(18)).remove(0);
            let planned: Vec<RunTime> = programme.emissions().iter().map(|emission| emission.at).collect();
            let (mut earpiece, loudspeaker) = loudspeaker();
            let missing = loudspeaker.missing();
            let mut device_at = Steering::default();
            let source = device_at.source(loudspeaker);
            let mut device = card.play(&request(), source).unwrap();
            let mut recorded = card.record(&request()).unwrap();
            let ear = SampleClock::new(RunTime(3_000_000), Rate::OPUS);
            earpiece.open(ear);
            let (mut sound, mut piece, mut period) = (Vec::new(), Vec::new(), vec![0.0; TICK_SAMPLES as usize]);
            for n in 0..2000 {
                card.advance(TICK);
                Mouth::fill(&mut programme, &ear, MediaTime(n * TICK_SAMPLES), &mut period);
                earpiece.play(&period);
                device_at.look(&device.status(), card.now(), Nanos::ZERO);
                recorded.read(&mut piece);
                sound.extend(piece.iter().step_by(recorded.channels()));
            }
            let clock = recorded.status().clock.unwrap();
            let (least, most, beeps) = late_ms(&sound, &clock, &planned, code);
            let wait = HEADSET_DELAY.as_millis_f64();
            // A beep is stretched to the card's count: its middle is as late as that.
            let within = 0.05 + 1e-4 * skew_ppm.abs();
            assert!(
                beeps > 14 && (least - wait).abs() < within && (most - wait).abs() < within && most - least < 0.05,
                "{skew_ppm}: {least} {most}"
            );
            assert_eq!(missing.samples(), 0, "{skew_ppm}");
        }
    }

    #[test]
    fn what_is_not_there_is_silence_and_counted() {
        let mut held = Held::new(Missing::default());
        held.push(MediaTime(0), &[1.0; 100]);
        let mut out = [9.0; 50];
        held.read(80.0, 130.0, &mut out);
        assert_eq!((out[0], out[17], out[18], out[49]), (1.0, 1.0, 0.0, 0.0));
        assert_eq!(held.missing.samples(), 0, "nothing may come any more");
        held.push(MediaTime(100), &[1.0; 100]);
        assert_eq!(held.missing.samples(), 32);
    }

    #[test]
    fn what_waits_too_long_is_let_go_of_and_nothing_is_allocated() {
        let mut held = Held::new(Missing::default());
        let room = held.samples.capacity();
        for n in 0..60 {
            held.push(MediaTime(n * 10_000), &vec![n as f32; 9_000]);
        }
        assert_eq!(held.samples.capacity(), room);
        assert_eq!(held.at(599_000.0 - 3.0), Some(59.0));
        assert_eq!(held.at(590_000.0 - 500.0), Some(0.0), "what never came");
        assert_eq!(held.at(3.0), None);
    }
}
