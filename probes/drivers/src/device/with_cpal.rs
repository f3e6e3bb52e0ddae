//! Sound devices through cpal. On Linux its ALSA library writes remarks of its own to stderr when devices are looked
//! for; they cannot be kept from it without touching the process's stderr, and they are harmless.

use std::sync::Arc;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, DeviceId, Error, ErrorKind, FromSample, Host, SampleFormat, SizedSample, StreamConfig,
    SupportedBufferSize, SupportedStreamConfigRange,
};
use jiho_analysis::units::{MediaTime, Nanos, Rate};

use super::ring::{RingReader, RingWriter, ring};
use super::status::SharedStatus;
use super::{Capturing, DeviceError, DeviceInfo, Playing, SoundDevices, Source, StreamRequest, StreamStatus};
use crate::clock::RunClock;

const PLAY: &str = "play";
const RECORD: &str = "record";
const PLAY_OR_RECORD: &str = "play or record";

/// How much may wait to be read from a recording stream.
const CAPTURE_SECONDS: usize = 2;
/// A device's buffer is filled in pieces of at most this many frames.
const PIECE_FRAMES: usize = 1024;
/// The rates that devices are asked for.
const USUAL_RATES: [Rate; 7] =
    [Rate(8_000), Rate(16_000), Rate(32_000), Rate(44_100), Rate(48_000), Rate(96_000), Rate(192_000)];
/// ALSA's bit bucket is always there and is no sound device.
const NOT_DEVICES: [&str; 1] = ["null"];

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

    fn play(&self, request: &StreamRequest, source: Source) -> Result<Box<dyn Playing>, DeviceError> {
        let device = find(request, PLAY, Host::default_output_device)?;
        let id = name_of(&device);
        let configs = device.supported_output_configs().map_err(|error| unusable(request, &id, &error, PLAY))?;
        let chosen = choose(&id, configs.collect(), request)?;
        let status = Arc::new(SharedStatus::default());
        let player = Player { clock: request.clock, status: status.clone(), source, position: MediaTime(0) };
        let stream = match chosen.format {
            SampleFormat::F32 => player.stream::<f32>(&device, chosen.config),
            SampleFormat::I32 => player.stream::<i32>(&device, chosen.config),
            SampleFormat::I16 => player.stream::<i16>(&device, chosen.config),
            _ => player.stream::<u8>(&device, chosen.config),
        };
        Ok(Box::new(PlayingStream { status, _stream: started(&id, stream)? }))
    }

    fn record(&self, request: &StreamRequest) -> Result<Box<dyn Capturing>, DeviceError> {
        let device = find(request, RECORD, Host::default_input_device)?;
        let id = name_of(&device);
        let configs = device.supported_input_configs().map_err(|error| unusable(request, &id, &error, RECORD))?;
        let chosen = choose(&id, configs.collect(), request)?;
        let status = Arc::new(SharedStatus::default());
        let (writer, samples) = ring(CAPTURE_SECONDS * request.rate.0 as usize);
        let capturer = Capturer { clock: request.clock, status: status.clone(), writer };
        let stream = match chosen.format {
            SampleFormat::F32 => capturer.stream::<f32>(&device, chosen.config),
            SampleFormat::I32 => capturer.stream::<i32>(&device, chosen.config),
            SampleFormat::I16 => capturer.stream::<i16>(&device, chosen.config),
            _ => capturer.stream::<u8>(&device, chosen.config),
        };
        Ok(Box::new(CapturingStream { status, samples, _stream: started(&id, stream)? }))
    }
}

struct PlayingStream {
    status: Arc<SharedStatus>,
    _stream: cpal::Stream,
}

impl Playing for PlayingStream {
    fn status(&self) -> StreamStatus {
        self.status.get()
    }
}

struct CapturingStream {
    status: Arc<SharedStatus>,
    samples: RingReader,
    _stream: cpal::Stream,
}

impl Capturing for CapturingStream {
    fn status(&self) -> StreamStatus {
        self.status.get()
    }

    fn read(&mut self, out: &mut Vec<f32>) -> MediaTime {
        self.samples.read(out)
    }
}

struct Player {
    clock: RunClock,
    status: Arc<SharedStatus>,
    source: Source,
    position: MediaTime,
}

impl Player {
    fn stream<T: SizedSample + FromSample<f32>>(
        mut self,
        device: &Device,
        config: StreamConfig,
    ) -> Result<cpal::Stream, Error> {
        let (channels, on_error) = (usize::from(config.channels), error_counter(&self.status));
        let mut mono = [0.0; PIECE_FRAMES];
        device.build_output_stream(
            config,
            move |frames: &mut [T], info: &cpal::OutputCallbackInfo| {
                let times = info.timestamp();
                let ahead = Nanos::from(times.playback.duration_since(times.callback));
                self.status.started(|| self.clock.now() + ahead);
                for piece in frames.chunks_mut(PIECE_FRAMES * channels) {
                    let mono = &mut mono[..piece.len() / channels];
                    (self.source)(self.position, mono);
                    self.position = self.position + mono.len() as i64;
                    for (frame, &sample) in piece.chunks_exact_mut(channels).zip(mono.iter()) {
                        frame.fill(T::from_sample(sample));
                    }
                }
            },
            on_error,
            None,
        )
    }
}

struct Capturer {
    clock: RunClock,
    status: Arc<SharedStatus>,
    writer: RingWriter,
}

impl Capturer {
    fn stream<T: SizedSample>(mut self, device: &Device, config: StreamConfig) -> Result<cpal::Stream, Error>
    where
        f32: FromSample<T>,
    {
        let (channels, on_error) = (usize::from(config.channels), error_counter(&self.status));
        device.build_input_stream(
            config,
            move |frames: &[T], info: &cpal::InputCallbackInfo| {
                let times = info.timestamp();
                let ago = Nanos::from(times.callback.duration_since(times.capture));
                self.status.started(|| self.clock.now() - ago);
                self.writer.write(frames.chunks_exact(channels).map(|frame| frame[0].to_sample::<f32>()));
            },
            on_error,
            None,
        )
    }
}

/// Errors come in storms of thousands from some back ends: they are counted, not told one by one.
fn error_counter(status: &Arc<SharedStatus>) -> impl FnMut(Error) + Send + 'static {
    let status = status.clone();
    move |error| match error.kind() {
        ErrorKind::Xrun => status.xrun(),
        // The stream goes on, as good as before.
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
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
        ErrorKind::DeviceBusy => "; another program uses it: stop that, or go through a sound server",
        ErrorKind::DeviceNotAvailable => "; `jiho device list` shows what there is",
        ErrorKind::HostUnavailable => "; start its sound server",
        ErrorKind::PermissionDenied => "; on Linux join the group `audio`, elsewhere allow the microphone",
        _ => "",
    };
    DeviceError::Failed { id: id.to_owned(), reason: format!("{}{mend}", error.to_string().trim_end_matches('.')) }
}

struct Chosen {
    format: SampleFormat,
    config: StreamConfig,
}

/// The best sample format that takes the rate, with as few channels as the device has it.
fn choose(id: &str, configs: Vec<SupportedStreamConfigRange>, request: &StreamRequest) -> Result<Chosen, DeviceError> {
    let rank = |format| {
        [SampleFormat::F32, SampleFormat::I32, SampleFormat::I16, SampleFormat::U8]
            .iter()
            .position(|&known| known == format)
    };
    let best = configs
        .iter()
        .filter(|config| config.contains_rate(request.rate.0) && config.channels() > 0)
        .filter_map(|config| Some((rank(config.sample_format())?, config.channels(), config)))
        .min_by_key(|&(rank, channels, _)| (rank, channels));
    let Some((_, channels, config)) = best else {
        return Err(DeviceError::Rate { id: id.to_owned(), rate: request.rate, rates: rates_of(&configs) });
    };
    let frames = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => request.buffer_frames.clamp(min, max),
        _ => request.buffer_frames,
    };
    Ok(Chosen {
        format: config.sample_format(),
        config: StreamConfig { channels, sample_rate: request.rate.0, buffer_size: BufferSize::Fixed(frames) },
    })
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
                rates: rates_of(&[inputs, outputs].concat()),
                default_input: default_input.as_ref() == Some(&id),
                default_output: default_output.as_ref() == Some(&id),
                id: id.to_string(),
            };
            (info.inputs > 0 || info.outputs > 0).then_some(info)
        })
        .collect()
}

fn rates_of(configs: &[SupportedStreamConfigRange]) -> Vec<Rate> {
    USUAL_RATES.into_iter().filter(|rate| configs.iter().any(|config| config.contains_rate(rate.0))).collect()
}
