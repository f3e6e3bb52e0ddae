//! A loop-back: beeps are played into one sound device and recorded from another, or the same.

use jiho_analysis::device::{Heard, Measured, Played, Timeline, measure};
use jiho_analysis::signal::{Code, Programme, Signal};
use jiho_analysis::units::{MediaTime, Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::{Capturing, Channels, Playing, SoundDevices, StreamRequest, StreamStatus};

use super::both::Both;

/// The first beeps wake the devices, and are not measured.
pub const PRIMING: usize = 2;
/// Streams run for so long before the first beep: until then devices' stamps are often wrong.
const BEFORE: Nanos = Nanos::from_millis(1500);
/// The longest round trip that is waited for.
const AFTER: Nanos = Nanos::from_secs(2);
/// Irregular, so that a sequence of beeps fits at one delay only.
const RHYTHM: Signal = Signal { period: Nanos::from_millis(600), spread: Nanos::from_millis(200), ..Signal::VOICED };

/// What is to be looped.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The device that plays; `None`: the system's default.
    pub play: Option<String>,
    /// The device that records; `None`: the system's default.
    pub record: Option<String>,
    /// Samples per second of both.
    pub rate: Rate,
    /// Both devices' buffers.
    pub buffer_frames: u32,
    /// Beeps that are measured.
    pub beeps: u32,
    /// Against the waveform as it is, in dB.
    pub gain_db: f64,
    /// Play on this channel only, from 0; `None`: on all.
    pub output_channel: Option<u16>,
    /// The beeps should come back on this channel, from 0.
    pub input_channel: u16,
    /// What comes straight back is on this channel, from 0: it is subtracted from what comes back on others.
    pub straight_channel: Option<u16>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was measured.
    pub measured: Measured,
    /// The playing stream.
    pub played: Stream,
    /// The recording stream.
    pub recorded: Stream,
    /// How many channels were recorded.
    pub channels: usize,
    /// Which device ended before its time, if one did.
    pub ended: Option<&'static str>,
}

/// How a stream fared.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its time.
    pub timeline: Timeline,
    /// What the device told.
    pub status: StreamStatus,
}

/// Loops; `wait` lets a little time pass, and gives the time.
///
/// # Errors
/// A device cannot be used, or does not run.
pub fn run(
    devices: &dyn SoundDevices,
    clock: RunClock,
    asked: &Asked,
    wait: &mut dyn FnMut() -> RunTime,
) -> anyhow::Result<Outcome> {
    let no_beeps = || anyhow::anyhow!("no beeps to play");
    let code = Code::all().next().ok_or_else(no_beeps)?;
    let media = SampleClock::new(RunTime::START, asked.rate);
    let length = RHYTHM.period.0 * (i64::from(asked.beeps) + PRIMING as i64);
    let programme = RHYTHM.programmes(&[code], RunTime::START + BEFORE, Nanos(length)).pop().ok_or_else(no_beeps)?;
    let marks: Vec<f64> = programme.emissions().iter().map(|emission| media.position(emission.at)).collect();
    let request = |device: &Option<String>, channels, only| StreamRequest {
        device: device.clone(),
        rate: asked.rate,
        buffer_frames: asked.buffer_frames,
        channels,
        only,
        clock,
    };
    // The ear first: it must not miss the first beep.
    let mut ear = devices.record(&request(&asked.record, Channels::Most, Some(asked.input_channel)))?;
    let source = sounding(programme, media, asked.gain_db);
    let mut mouth = devices.play(&request(&asked.play, Channels::Fewest, asked.output_channel), source)?;
    let end = RunTime::START + BEFORE + Nanos(length) + AFTER;
    let mut sound = Sound::default();
    let mut both = Both::of(asked.play.as_ref(), asked.record.as_ref(), wait());
    let ended = loop {
        let now = wait();
        sound.fetch(ear.as_mut());
        let (playing, recording) = (mouth.status(), ear.status());
        if let Some(ended) = both.look(&playing, &recording, now)? {
            break Some(ended);
        }
        if playing.start().is_some_and(|start| now - start > end.since_start()) {
            break None;
        }
    };
    sound.fetch(ear.as_mut());
    let (played, recorded) = (followed_playing(mouth.as_mut())?, followed_recording(ear.as_mut())?);
    let measured = measure(
        &Played {
            family: RHYTHM.family,
            code,
            gain_db: asked.gain_db,
            marks: &marks,
            priming: PRIMING,
            timeline: &played.timeline,
        },
        &Heard { channels: &sound.channels, wanted: usize::from(asked.input_channel), timeline: &recorded.timeline },
    );
    Ok(Outcome { measured, played, recorded, channels: sound.channels.len(), ended })
}

fn sounding(programme: Programme, media: SampleClock, gain_db: f64) -> jiho_drivers::device::Source {
    let gain = 10.0_f64.powf(gain_db / 20.0) as f32;
    Box::new(move |first: MediaTime, samples: &mut [f32]| {
        programme.render(&media, first, samples);
        samples.iter_mut().for_each(|sample| *sample *= gain);
    })
}

const TOO_SHORT: &str = "the device ended before anything could be said of its clock";

fn followed_playing(stream: &mut dyn Playing) -> anyhow::Result<Stream> {
    let timeline = stream.timeline().ok_or_else(|| anyhow::anyhow!(TOO_SHORT))?;
    Ok(Stream { timeline, status: stream.status() })
}

fn followed_recording(stream: &mut dyn Capturing) -> anyhow::Result<Stream> {
    let timeline = stream.timeline().ok_or_else(|| anyhow::anyhow!(TOO_SHORT))?;
    Ok(Stream { timeline, status: stream.status() })
}

/// All that was recorded, by channel.
#[derive(Default)]
struct Sound {
    channels: Vec<Vec<f32>>,
    piece: Vec<f32>,
}

impl Sound {
    fn fetch(&mut self, ear: &mut dyn Capturing) {
        let count = ear.channels();
        self.channels.resize(count, Vec::new());
        loop {
            let first = ear.read(&mut self.piece);
            if self.piece.is_empty() {
                break;
            }
            for (n, channel) in self.channels.iter_mut().enumerate() {
                // What was not fetched in time is silence.
                channel.resize(usize::try_from(first.0).unwrap_or(0).max(channel.len()), 0.0);
                channel.extend(self.piece.iter().skip(n).step_by(count));
            }
        }
    }
}

#[cfg(all(test, feature = "device"))]
mod tests;
