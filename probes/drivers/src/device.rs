//! Sound devices: where sound leaves the computer and comes back.
//!
//! Everything is mono at this boundary: what is played goes to all of a device's channels, what is recorded is its
//! first. Behind [`SoundDevices`] stands cpal, in one file, as the feature `device`; without it the same functions
//! say that jiho was built without.

use jiho_analysis::units::{MediaTime, Rate, RunTime};

use crate::clock::RunClock;

#[cfg(feature = "device")]
mod ring;
#[cfg(feature = "device")]
mod status;
#[cfg(feature = "device")]
mod with_cpal;
#[cfg(not(feature = "device"))]
mod without;

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

/// What can be done with sound devices.
pub trait SoundDevices {
    /// All devices that can play or record.
    ///
    /// # Errors
    /// [`DeviceError::None`] if there is none.
    fn list(&self) -> Result<Vec<DeviceInfo>, DeviceError>;

    /// Plays from a source until the stream is dropped.
    fn play(&self, request: &StreamRequest, source: Source) -> Result<Box<dyn Playing>, DeviceError>;

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
    /// By which the stream's first sample is placed in the run.
    pub clock: RunClock,
}

/// A stream that plays. Dropping it stops it.
pub trait Playing: Send {
    /// How it fares.
    fn status(&self) -> StreamStatus;
}

/// A stream that records. Dropping it stops it.
pub trait Capturing: Send {
    /// How it fares.
    fn status(&self) -> StreamStatus;

    /// Moves what has been recorded since the last call into `out`, in place of what was there, and gives the
    /// position of its first sample. A jump against the end of the last call's samples is what was lost because
    /// calls came too seldom; two seconds are held. To be called until `out` stays empty.
    fn read(&mut self, out: &mut Vec<f32>) -> MediaTime;
}

/// How a stream fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStatus {
    /// The run time of sample 0 at the device, by the device's own word at its first buffer, which is wrong by
    /// milliseconds on several systems: calibrate by a loop-back. `None`: no buffer has come yet.
    pub start: Option<RunTime>,
    /// Buffers that came too late for the device, as far as it tells.
    pub xruns: u64,
    /// Other errors that the device reported.
    pub errors: u64,
    /// Whether the stream has ended by itself, such as by an unplugged device.
    pub ended: bool,
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
