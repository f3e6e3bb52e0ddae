//! Sound devices: where sound leaves the computer and comes back.
//!
//! A stream counts its samples; the count is its clock. What the device says of each buffer's time is set against the
//! count ([`Timekeeper`](jiho_analysis::device::Timekeeper)), so that dropped samples are found whether the device
//! owns up to them or not. Behind [`SoundDevices`] stand cpal (`with_cpal`) and a card that exists in virtual time only
//! ([`virtual_card`]); both hand buffers to the same callbacks (`callbacks`). Without the feature `device` the same
//! functions say that jiho was built without.

use jiho_analysis::device::{Jump, Timeline};
use jiho_analysis::units::{MediaTime, Rate, RunTime, SampleClock};

use crate::clock::RunClock;

#[cfg(feature = "device")]
mod callbacks;
#[cfg(feature = "device")]
mod format;
pub mod headset;
pub mod hosts;
#[cfg(feature = "device")]
mod offer;
mod placed;
mod ring;
#[cfg(feature = "device")]
mod status;
pub mod steering;
#[cfg(feature = "device")]
mod streams;
#[cfg(feature = "device")]
pub mod virtual_card;
#[cfg(feature = "device")]
mod with_cpal;
#[cfg(not(feature = "device"))]
mod without;

pub use placed::{Cut, Placed};

/// The usual size of a device's buffer: 10 ms at 48 kHz. Never leave it to the system: PulseAudio would take 2 s.
pub const DEFAULT_BUFFER_FRAMES: u32 = 480;

/// Fills the samples from a position on, −1 to 1. Called on the device's real-time thread: it must not wait, lock,
/// allocate or touch files.
pub type Source = Box<dyn FnMut(MediaTime, &mut [f32]) + Send>;

/// The system's devices.
pub fn system() -> Box<dyn SoundDevices> {
    #[cfg(feature = "device")]
    return Box::new(with_cpal::CpalDevices);
    #[cfg(not(feature = "device"))]
    Box::new(without::NoDevices)
}

/// Whether a device of that id is there still, as far as can be told without disturbing it: sound servers are asked, others
/// end a stream whose device has gone.
pub fn is_there(id: &str) -> bool {
    #[cfg(feature = "device")]
    return with_cpal::is_there(id);
    #[cfg(not(feature = "device"))]
    !id.is_empty()
}

/// What can be done with sound devices.
pub trait SoundDevices {
    /// All devices that can play or record.
    ///
    /// # Errors
    /// [`DeviceError::None`] if there is none.
    fn list(&self) -> Result<Vec<DeviceInfo>, DeviceError>;

    /// Plays from sources until the stream is dropped, each on its own channel, from 0, or on all (`None`). Where nobody plays
    /// there is silence.
    fn play_all(
        &self,
        request: &StreamRequest,
        sources: Vec<(Option<u16>, Source)>,
    ) -> Result<Box<dyn Playing>, DeviceError>;

    /// Plays from one source until the stream is dropped.
    fn play(&self, request: &StreamRequest, source: Source) -> Result<Box<dyn Playing>, DeviceError> {
        self.play_all(request, vec![(request.only, source)])
    }

    /// Records until the stream is dropped.
    fn record(&self, request: &StreamRequest) -> Result<Box<dyn Capturing>, DeviceError>;
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// By which [`StreamRequest`] asks for it, such as `alsa:hw:CARD=0`.
    pub id: String,
    /// For people.
    pub name: String,
    /// The system that it belongs to, such as `ALSA`.
    pub host: String,
    /// Channels that it can record; 0: none.
    pub inputs: u16,
    /// Channels that it can play; 0: none.
    pub outputs: u16,
    /// Those of the usual rates that it takes.
    pub rates: Vec<Rate>,
    /// Sample formats that it takes, such as `i16`.
    pub formats: Vec<String>,
    /// Whether it is recorded from when none is named.
    pub default_input: bool,
    /// Whether it is played to when none is named.
    pub default_output: bool,
}

/// Which device, and how.
#[derive(Clone, Debug)]
pub struct StreamRequest {
    /// A [`DeviceInfo::id`]; `None`: the system's default.
    pub device: Option<String>,
    /// Samples per second.
    pub rate: Rate,
    /// The device's buffer: [`DEFAULT_BUFFER_FRAMES`], unless it does not take that.
    pub buffer_frames: u32,
    /// How many channels.
    pub channels: Channels,
    /// Play on this channel only, from 0; `None`: on all.
    pub only: Option<u16>,
    /// By which the stream's samples are placed in the run.
    pub clock: RunClock,
}

/// How many channels a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// As few as the device offers.
    Fewest,
    /// As many as the device itself has; where it does not say, as many as it offers up to [`MOST_CHANNELS`].
    Most,
    /// So many.
    Exactly(u16),
}

/// What [`Channels::Most`] asks for at most.
pub const MOST_CHANNELS: u16 = 8;

/// A stream that plays. Dropping it stops it.
pub trait Playing: Send {
    /// How it fares.
    fn status(&mut self) -> StreamStatus;

    /// When each sample is played, and where the device stumbled, as far as is known by now. `None`: not yet.
    fn timeline(&mut self) -> Option<Timeline>;
}

/// A stream that records. Dropping it stops it.
pub trait Capturing: Send {
    /// How it fares.
    fn status(&mut self) -> StreamStatus;

    /// When each sample was captured, and where the device stumbled, as far as is known by now. `None`: not yet.
    fn timeline(&mut self) -> Option<Timeline>;

    /// How many channels are interleaved.
    fn channels(&self) -> usize;

    /// Moves what has been recorded since the last call into `out`, in place of what was there, its channels
    /// interleaved, and gives the count of its first sample. A jump against the end of the last call's samples is what
    /// was lost because calls came too seldom; [`CAPTURE_SECONDS`] are held. To be called until `out` stays empty.
    fn read(&mut self, out: &mut Vec<f32>) -> MediaTime;

    /// As [`read`](Self::read), with samples where time has them: those that the device dropped leave their place empty.
    /// Sound waits here until it is known whether a jump is in it.
    fn read_placed(&mut self, placed: &mut Placed, out: &mut Vec<f32>) -> MediaTime {
        let first = self.read(out);
        placed.push(first, out, self.channels());
        let status = self.status();
        placed.take(&status, out)
    }
}

/// How much may wait to be read from a recording stream.
pub const CAPTURE_SECONDS: usize = 4;

/// How a stream fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// Maps counts, with the jumps before them added, to run time, by the line through the device's last stamps, which are
    /// wrong by milliseconds on several systems: calibrate by a loop-back. `None`: too few buffers have come yet.
    pub clock: Option<SampleClock>,
    /// Before this count all jumps are known.
    pub settled: MediaTime,
    /// The count of the first sample of the last buffer: a stream that stands still has no newer one. `None`: none came.
    pub newest: Option<MediaTime>,
    /// Where time jumped against the count, and by how many samples.
    pub jumps: Vec<Jump>,
    /// Buffers that came too late for the device, as far as it tells.
    pub xruns: u64,
    /// Other errors that the device reported.
    pub errors: u64,
    /// Whether the stream has ended by itself, such as by an unplugged device.
    pub ended: bool,
    /// Whether the system refused its thread real-time priority, as far as it tells.
    pub realtime_denied: bool,
}

impl StreamStatus {
    /// The run time of sample 0 at the device.
    pub fn start(&self) -> Option<RunTime> {
        self.clock.map(|clock| clock.start)
    }

    /// By how many samples the count is behind time, after all jumps so far.
    pub fn jumped(&self) -> i64 {
        self.jumps.iter().map(|jump| jump.samples).sum()
    }
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The feature was left out.
    #[error("built without sound devices: rebuild with `cargo build --features device` (needs libasound on Linux)")]
    NotBuilt,
    /// There is none.
    #[error(
        "no sound device: the system has none that can {wanted}; check that a sound card is connected and seen \
         (Linux: `aplay -l`, `arecord -l`), that a sound server runs, and that you may use it (group `audio`)"
    )]
    None {
        /// What for.
        wanted: &'static str,
    },
    /// None of that name.
    #[error("sound device {id}: there is none of that id that can {wanted}; `jiho device list` shows them")]
    Unknown {
        /// As it was given.
        id: String,
        /// What for.
        wanted: &'static str,
    },
    /// It does not take the rate.
    #[error("sound device {id}: does not take {} Hz; it takes {}", rate.0, in_words(rates))]
    Rate {
        /// The device.
        id: String,
        /// What was asked for.
        rate: Rate,
        /// Those of the usual ones that it takes.
        rates: Vec<Rate>,
    },
    /// It has not as many channels.
    #[error("sound device {id}: has no {wanted} channels at {} Hz; `jiho device list` shows how many it has", rate.0)]
    Channels {
        /// The device.
        id: String,
        /// How many were asked for.
        wanted: u16,
        /// At which rate.
        rate: Rate,
    },
    /// Anything else.
    #[error("sound device {id}: {reason}")]
    Failed {
        /// The device.
        id: String,
        /// In words.
        reason: String,
    },
}

fn in_words(rates: &[Rate]) -> String {
    if rates.is_empty() {
        return "none of the usual rates".to_owned();
    }
    rates.iter().map(|rate| format!("{} Hz", rate.0)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(device: Option<&str>) -> StreamRequest {
        StreamRequest {
            device: device.map(str::to_owned),
            rate: Rate::OPUS,
            buffer_frames: DEFAULT_BUFFER_FRAMES,
            channels: Channels::Fewest,
            only: None,
            clock: RunClock::start(),
        }
    }

    #[test]
    fn a_device_that_does_not_exist_is_named() {
        for id in ["alsa:no such card", "no host:x", "no colon"] {
            let errors = [
                system().record(&request(Some(id))).err(),
                system().play(&request(Some(id)), Box::new(|_, samples| samples.fill(0.0))).err(),
            ];
            for error in errors.into_iter().flatten() {
                let (named, built) = (error.to_string().contains(id), error != DeviceError::NotBuilt);
                assert_eq!(named, built, "{error}");
                assert_eq!(built, cfg!(feature = "device"));
            }
        }
    }

    #[test]
    fn without_any_device_the_default_is_not_there_either() {
        if let Err(DeviceError::None { .. }) = system().list() {
            assert_eq!(system().record(&request(None)).err(), Some(DeviceError::None { wanted: "record" }));
        }
    }

    #[test]
    fn a_listed_device_can_do_something() {
        match system().list() {
            Ok(devices) => assert!(devices.iter().all(|device| device.inputs > 0 || device.outputs > 0)),
            Err(error) => assert!(error.to_string().contains("sound device"), "{error}"),
        }
    }
}
