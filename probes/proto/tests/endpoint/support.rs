//! A bench for one endpoint, and a stream whose every sample can be told apart.

use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::{CodecConfig, FRAME_SAMPLES, RATE};
use jiho_proto::control::{Joined, Message};
use jiho_proto::endpoint::{Endpoint, EndpointConfig};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::{Event, Playout, PlayoutAction};
use jiho_proto::playout::PlayoutPolicy;
use jiho_proto::wire::rtp::Repr;

pub(crate) const RELAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4005);
pub(crate) const FRAME: i64 = FRAME_SAMPLES as i64;

/// A listener of PCM whose ear opens at the start of the run.
pub(crate) fn listener(delay_ms: i64) -> EndpointConfig {
    EndpointConfig {
        name: "lena".into(),
        role: Role::Listener,
        token: "secret".into(),
        media: "127.0.0.1:6000".parse().unwrap(),
        codec: CodecConfig::L16,
        playout: PlayoutPolicy::Fixed { delay: Nanos::from_millis(delay_ms) },
        subscribe: None,
        seal: None,
        card: SoundCard::default(),
        ear_phase: Nanos::ZERO,
        mouth: None,
        drop_probe: None,
    }
}

pub(crate) fn ms(millis: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(millis)
}

/// Drives an endpoint and keeps what it says. The ear's samples must be contiguous.
#[derive(Debug)]
pub(crate) struct Bench {
    endpoint: Endpoint,
    pub(crate) ear: Vec<f32>,
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) controls: Vec<Message>,
    pub(crate) events: Vec<(RunTime, Event)>,
    pub(crate) wake_at: Option<RunTime>,
    pub(crate) done: bool,
}

impl Bench {
    pub(crate) fn new(config: EndpointConfig) -> Self {
        Self {
            endpoint: Endpoint::new(config).unwrap(),
            ear: Vec::new(),
            sent: Vec::new(),
            controls: Vec::new(),
            events: Vec::new(),
            wake_at: None,
            done: false,
        }
    }

    /// Started and let in at the start of the run.
    pub(crate) fn seated(config: EndpointConfig) -> Self {
        let joined = joined(config.codec.payload_type());
        let mut bench = Self::new(config);
        bench.input(RunTime::START, Input::Start);
        bench.control(RunTime::START, &joined);
        bench
    }

    pub(crate) fn input(&mut self, now: RunTime, input: Input<'_>) {
        self.endpoint.handle(now, input);
        loop {
            match self.endpoint.poll_output() {
                Output::Send { to, data } => {
                    assert_eq!(to, RELAY);
                    self.sent.push(data.to_vec());
                }
                Output::Control { peer, message } => {
                    assert_eq!(peer, PeerId::RELAY);
                    self.controls.push(message);
                }
                Output::Ear { first, samples } => {
                    assert_eq!(first, MediaTime(self.ear.len() as i64), "the ear is contiguous");
                    self.ear.extend_from_slice(samples);
                }
                Output::Event { at, event } => self.events.push((at, event)),
                Output::Wait(at) => {
                    self.wake_at = at;
                    return;
                }
                Output::Done => {
                    self.done = true;
                    return;
                }
            }
        }
    }

    pub(crate) fn control(&mut self, now: RunTime, message: &Message) {
        self.input(now, Input::Control { peer: PeerId::RELAY, message });
    }

    /// A packet from the relay that is handled as it arrives.
    pub(crate) fn packet(&mut self, received: RunTime, data: &[u8]) {
        self.input(received, Input::Packet { from: RELAY, received, data });
    }

    /// Wakes the endpoint whenever it asks for it, up to an instant.
    pub(crate) fn run_until(&mut self, end: RunTime) {
        while let Some(at) = self.wake_at.filter(|at| *at <= end && !self.done) {
            self.input(at, Input::Timer);
        }
    }

    pub(crate) fn playouts(&self) -> Vec<Playout> {
        let playout = |(_, event): &(RunTime, Event)| match event {
            Event::Playout(playout) => Some(playout.clone()),
            _ => None,
        };
        self.events.iter().filter_map(playout).collect()
    }

    /// What was done about each frame, by its number in the stream and in the order in which it was done.
    pub(crate) fn actions(&self, stream: &Stream) -> Vec<(i64, PlayoutAction)> {
        let frame = |p: &Playout| i64::from(p.sequence.wrapping_sub(stream.first_sequence).cast_signed());
        self.playouts().iter().filter(|p| p.ssrc == stream.ssrc).map(|p| (frame(p), p.action)).collect()
    }

    /// What was noted, but for the steps of role changes.
    pub(crate) fn events_without_steps(&self) -> Vec<(RunTime, Event)> {
        self.events.iter().filter(|(_, event)| !matches!(event, Event::Step(_))).cloned().collect()
    }

    /// The ear's clock.
    pub(crate) fn ear_clock(&self) -> SampleClock {
        let clock = |(_, event): &(RunTime, Event)| match event {
            Event::EarOpened { clock } => Some(*clock),
            _ => None,
        };
        self.events.iter().find_map(clock).expect("the ear is open")
    }

    /// At which positions of the ear the sound of a stream's frames begins, with the frames' numbers. Whatever else
    /// the ear holds must be silence.
    pub(crate) fn heard(&self, stream: &Stream) -> Vec<(usize, i64)> {
        let mut heard = Vec::new();
        let mut at = 0;
        while at < self.ear.len() {
            if self.ear[at] == 0.0 {
                at += 1;
                continue;
            }
            let media = stream.position(self.ear[at]);
            assert_eq!(media % stream.frame_samples, 0, "sound at {at} begins within a frame");
            let len = (stream.frame_samples as usize).min(self.ear.len() - at);
            let whole = (media..).zip(&self.ear[at..at + len]).all(|(n, sample)| *sample == stream.sample(n));
            assert!(whole, "the frame at {at} is not whole");
            heard.push((at, media / stream.frame_samples));
            at += len;
        }
        heard
    }
}

pub(crate) fn joined(payload_type: u8) -> Message {
    Message::Joined(Joined { media: RELAY, payload_type, sdp: String::new() })
}

/// A stream of PCM. No sample is zero, and within two thirds of a second no two are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    pub(crate) first_sequence: u16,
    pub(crate) first_timestamp: u32,
    pub(crate) frame_samples: i64,
}

impl Stream {
    pub(crate) const LENGTH: i64 = 32_640;

    /// Both counters wrap early.
    pub(crate) const USUAL: Self =
        Self { ssrc: 7, first_sequence: 65_530, first_timestamp: u32::MAX - 2_000, frame_samples: FRAME };

    /// The sample at a position in the stream, which repeats itself after `LENGTH`.
    pub(crate) fn sample(&self, position: i64) -> f32 {
        (position.rem_euclid(Self::LENGTH) + 1) as f32 / 32_768.0
    }

    fn position(&self, sample: f32) -> i64 {
        (sample * 32_768.0) as i64 - 1
    }

    /// The packet of a frame.
    pub(crate) fn packet(&self, frame: i64) -> Vec<u8> {
        self.packet_at(frame, frame * self.frame_samples)
    }

    /// The packet of a frame whose timestamp is not where frames without a pause would be.
    pub(crate) fn packet_at(&self, frame: i64, timestamp: i64) -> Vec<u8> {
        let first = frame * self.frame_samples;
        let samples = (first..first + self.frame_samples).map(|n| (self.sample(n) * 32_768.0) as i16);
        let payload: Vec<u8> = samples.flat_map(i16::to_be_bytes).collect();
        let packet = Repr {
            marker: frame == 0,
            payload_type: CodecConfig::L16.payload_type(),
            sequence: self.first_sequence.wrapping_add(frame as u16),
            timestamp: self.first_timestamp.wrapping_add(timestamp as u32),
            ssrc: self.ssrc,
            payload: &payload,
        };
        let mut bytes = Vec::new();
        packet.emit(&mut bytes);
        bytes
    }

    /// How long a number of frames lasts.
    pub(crate) fn span(&self, frames: i64) -> Nanos {
        RATE.span(frames * self.frame_samples)
    }
}
