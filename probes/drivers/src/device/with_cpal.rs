//! Sound devices through cpal. On Linux its ALSA library writes remarks of its own to stderr when devices are looked
//! for; they cannot be kept from it without touching the process's stderr, and they are harmless.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Data, Device, DeviceId, Error, ErrorKind, Host, StreamInstant, SupportedStreamConfigRange};
use jiho_analysis::units::{Nanos, RunTime};

use super::callbacks::{Capturer, Player};
use super::format::with_format;
use super::offer::{Chosen, choose, formats_of, rates_of};
use super::ring::ring;
use super::status::SharedStatus;
use super::streams::{CapturingStream, Following, PlayingStream, marks};
use super::{CAPTURE_SECONDS, Capturing, DeviceError, DeviceInfo, Playing, SoundDevices, Source, StreamRequest};
use crate::clock::RunClock;

const PLAY: &str = "play";
const RECORD: &str = "record";
const PLAY_OR_RECORD: &str = "play or record";

/// Sound servers that move streams to another device when theirs goes.
const MOVES_STREAMS: [&str; 2] = ["PulseAudio", "PipeWire"];
/// ALSA's bit bucket is always there and is no sound device.
const NOT_DEVICES: [&str; 1] = ["null"];
/// A stream that takes longer to close is left to the end of the process.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);
/// How often the stream's clock and the run's are read together; the narrowest reading is kept.
const READINGS: usize = 5;

pub(super) struct CpalDevices;

impl SoundDevices for CpalDevices {
    fn list(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        let hosts = cpal::available_hosts().into_iter().filter_map(|id| cpal::host_from_id(id).ok());
        let devices: Vec<_> = hosts.flat_map(|host| list_host(&host)).collect();
        if devices.is_empty() {
            return Err(DeviceError::None { wanted: PLAY_OR_RECORD });
        }
        Ok(devices)
    }

    fn play_all(
        &self,
        request: &StreamRequest,
        sources: Vec<(Option<u16>, Source)>,
    ) -> Result<Box<dyn Playing>, DeviceError> {
        let device = find(request, PLAY, Host::default_output_device)?;
        let id = name_of(&device);
        let offers = device.supported_output_configs().map_err(|error| unusable(request, &id, &error, PLAY))?;
        let own = device.default_output_config().ok().map(|config| config.channels());
        let Chosen { format, config } = choose(&id, &offers.collect::<Vec<_>>(), own, request)?;
        let status = Arc::new(SharedStatus::default());
        let (writer, reader) = marks();
        let mut player = Player::new(sources, config.channels, writer);
        let fill = move |data: &mut Data, info: &cpal::OutputCallbackInfo| {
            let at = since_origin(info.timestamp().playback);
            with_format!(data.sample_format(), T => {
                if let Some(frames) = data.as_slice_mut::<T>() {
                    player.fill(frames, at);
                }
            }, else {});
        };
        let stream = device.build_output_stream_raw(config, format, fill, error_counter(&status), None);
        let stream = started(&id, stream)?;
        let origin = origin(&request.clock, &stream);
        Ok(Box::new(PlayingStream {
            following: Following::new(status, reader, request.rate, origin),
            _stream: Open(Some(stream)),
        }))
    }

    fn record(&self, request: &StreamRequest) -> Result<Box<dyn Capturing>, DeviceError> {
        let device = find(request, RECORD, Host::default_input_device)?;
        let id = name_of(&device);
        let offers = device.supported_input_configs().map_err(|error| unusable(request, &id, &error, RECORD))?;
        let own = device.default_input_config().ok().map(|config| config.channels());
        let Chosen { format, config } = choose(&id, &offers.collect::<Vec<_>>(), own, request)?;
        let status = Arc::new(SharedStatus::default());
        let (samples_in, samples) = ring(CAPTURE_SECONDS * request.rate.0 as usize * usize::from(config.channels));
        let (writer, reader) = marks();
        let mut capturer = Capturer::new(samples_in, config.channels, writer);
        let take = move |data: &Data, info: &cpal::InputCallbackInfo| {
            let at = since_origin(info.timestamp().capture);
            with_format!(data.sample_format(), T => {
                if let Some(frames) = data.as_slice::<T>() {
                    capturer.take(frames, at);
                }
            }, else {});
        };
        let stream = device.build_input_stream_raw(config, format, take, error_counter(&status), None);
        let stream = started(&id, stream)?;
        let following = Following::new(status, reader, request.rate, origin(&request.clock, &stream));
        Ok(Box::new(CapturingStream { following, samples, channels: config.channels, _stream: Open(Some(stream)) }))
    }
}

fn since_origin(instant: StreamInstant) -> Nanos {
    Nanos(i64::try_from(instant.as_nanos()).unwrap_or(i64::MAX))
}

/// A stream that is open. PulseAudio's never closes if its device has gone: cpal waits for an answer that does not come.
struct Open(Option<cpal::Stream>);

impl Drop for Open {
    fn drop(&mut self) {
        let Some(stream) = self.0.take() else { return };
        let (closed, closes) = mpsc::channel();
        let close = move || {
            drop(stream);
            // Nobody waits any more if it took too long.
            let _ = closed.send(());
        };
        if thread::Builder::new().spawn(close).is_ok() {
            let _ = closes.recv_timeout(CLOSES_WITHIN);
        }
    }
}

/// The run time of the origin of a stream's clock: each host has another one.
fn origin(clock: &RunClock, stream: &cpal::Stream) -> RunTime {
    let readings = (0..READINGS).map(|_| {
        let before = clock.now();
        let there = since_origin(stream.now());
        let width = clock.now() - before;
        (width, before + Nanos(width.0 / 2) - there)
    });
    readings.min_by_key(|reading| reading.0).map_or(RunTime::START, |reading| reading.1)
}

/// Errors come in storms of thousands from some back ends: they are counted, not told one by one.
fn error_counter(status: &Arc<SharedStatus>) -> impl FnMut(Error) + Send + 'static {
    let status = status.clone();
    move |error| match error.kind() {
        ErrorKind::Xrun => status.xrun(),
        // The stream goes on, as good as before.
        ErrorKind::DeviceChanged => {}
        ErrorKind::RealtimeDenied => status.realtime_denied(),
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => status.ended(),
        _ => status.error(),
    }
}

fn started(id: &str, stream: Result<cpal::Stream, Error>) -> Result<cpal::Stream, DeviceError> {
    let stream = stream.map_err(|error| failed(id, &error))?;
    stream.play().map_err(|error| failed(id, &error))?;
    Ok(stream)
}

fn find(
    request: &StreamRequest,
    wanted: &'static str,
    default: impl Fn(&Host) -> Option<Device>,
) -> Result<Device, DeviceError> {
    let Some(id) = &request.device else {
        return default(&cpal::default_host()).filter(is_device).ok_or(DeviceError::None { wanted });
    };
    let unknown = || DeviceError::Unknown { id: id.clone(), wanted };
    let parsed: DeviceId = id.parse().map_err(|_| unknown())?;
    let host = cpal::host_from_id(parsed.host()).map_err(|error| failed(id, &error))?;
    host.device_by_id(&parsed).ok_or_else(unknown)
}

/// Of hosts whose servers move streams when their devices go.
pub(super) fn is_there(id: &str) -> bool {
    let Some(parsed) = id.parse::<DeviceId>().ok().filter(|parsed| MOVES_STREAMS.contains(&parsed.host().name()))
    else {
        return true;
    };
    cpal::host_from_id(parsed.host()).is_ok_and(|host| host.device_by_id(&parsed).is_some())
}

fn is_device(device: &Device) -> bool {
    device.id().is_ok_and(|id| !NOT_DEVICES.contains(&id.id()))
}

fn name_of(device: &Device) -> String {
    device.id().map_or_else(|_| "of unknown name".to_owned(), |id| id.to_string())
}

/// ALSA has a default device even where there is no sound card; it fails when it is looked at.
fn unusable(request: &StreamRequest, id: &str, error: &Error, wanted: &'static str) -> DeviceError {
    match (&request.device, error.kind()) {
        (None, ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable) => DeviceError::None { wanted },
        _ => failed(id, error),
    }
}

fn failed(id: &str, error: &Error) -> DeviceError {
    let mend = match error.kind() {
        ErrorKind::DeviceBusy => {
            "; another program holds it, most often a sound server: go through that (its devices are in `jiho device list`), \
             or stop it (PulseAudio: `pasuspender -- jiho …`)"
        }
        ErrorKind::DeviceNotAvailable => "; `jiho device list` shows what there is",
        ErrorKind::HostUnavailable => "; start its sound server",
        ErrorKind::PermissionDenied => "; on Linux join the group `audio`, elsewhere allow the microphone",
        _ => "",
    };
    DeviceError::Failed { id: id.to_owned(), reason: format!("{}{mend}", error.to_string().trim_end_matches('.')) }
}

fn list_host(host: &Host) -> Vec<DeviceInfo> {
    let default_input = host.default_input_device().and_then(|device| device.id().ok());
    let default_output = host.default_output_device().and_then(|device| device.id().ok());
    let devices = host.devices().into_iter().flatten().filter(is_device);
    devices
        .filter_map(|device| {
            let id = device.id().ok()?;
            let inputs: Vec<_> = device.supported_input_configs().into_iter().flatten().collect();
            let outputs: Vec<_> = device.supported_output_configs().into_iter().flatten().collect();
            let most = |configs: &[SupportedStreamConfigRange]| {
                configs.iter().map(SupportedStreamConfigRange::channels).max().unwrap_or(0)
            };
            let info = DeviceInfo {
                name: device.description().map_or_else(|_| id.id().to_owned(), |about| about.name().to_owned()),
                host: host.id().name().to_owned(),
                inputs: most(&inputs),
                outputs: most(&outputs),
                rates: rates_of(&[&inputs[..], &outputs[..]].concat()),
                formats: formats_of(&[inputs, outputs].concat()),
                default_input: default_input.as_ref() == Some(&id),
                default_output: default_output.as_ref() == Some(&id),
                id: id.to_string(),
            };
            (info.inputs > 0 || info.outputs > 0).then_some(info)
        })
        .collect()
}
