//! What parts of a room cost per packet, in microseconds of this machine and as ratios to each other. Each is run several
//! times in turn, and the least time counts.
//!
//!     cost playout     a listener's jitter buffer, by policy, on a network with jitter
//!     cost seal        end-to-end encryption, beside encoding and decoding
#![allow(clippy::print_stdout)] // a program for the terminal

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES};
use jiho_proto::control::{Joined, Message};
use jiho_proto::endpoint::{Endpoint, EndpointConfig};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::playout::{AdaptiveConfig, BuffersConfig, PlayoutPolicy};
use jiho_proto::seal::Passphrase;
use jiho_proto::wire::rtp::Repr;

#[derive(Parser)]
enum Job {
    Playout,
    Seal,
}

/// A minute of packets.
const PACKETS: u32 = 3_000;
const ROUNDS: usize = 7;
const RELAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4005);

fn main() -> anyhow::Result<()> {
    match Job::parse() {
        Job::Playout => playout(),
        Job::Seal => seal(),
    }
}

/// A voice-like sound: harmonics of a gliding pitch.
fn frames() -> Vec<[f32; FRAME_SAMPLES]> {
    let sample = |n: usize| {
        let seconds = n as f32 / 48_000.0;
        let cycles = 160.0 * seconds + 20.0 * (3.0 * seconds).sin();
        (1..12).map(|h| 0.04 * ((h as f32 * cycles).fract() * std::f32::consts::TAU).sin()).sum()
    };
    (0..PACKETS as usize).map(|frame| std::array::from_fn(|n| sample(frame * FRAME_SAMPLES + n))).collect()
}

fn playout() -> anyhow::Result<()> {
    let policies = [
        ("fixed", PlayoutPolicy::Fixed { delay: Nanos::from_millis(80) }),
        ("adaptive", PlayoutPolicy::Adaptive(AdaptiveConfig::default())),
        ("buffers", PlayoutPolicy::Buffers(BuffersConfig::default())),
    ];
    for codec in [CodecConfig::default(), CodecConfig::L16] {
        let packets = packets(codec)?;
        let mut least = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            for (least, (_, policy)) in least.iter_mut().zip(policies) {
                *least = listen(codec, policy, &packets)?.min(*least);
            }
        }
        println!("{}, {PACKETS} packets of 20 ms with up to 40 ms of jitter:", codec.rtpmap());
        for ((name, _), time) in policies.iter().zip(least) {
            let micros = time.as_secs_f64() * 1e6 / f64::from(PACKETS);
            println!(
                "  {name:<9} {micros:7.2} µs a packet   {:.2} × fixed",
                time.as_secs_f64() / least[0].as_secs_f64()
            );
        }
    }
    Ok(())
}

fn seal() -> anyhow::Result<()> {
    let (codec, passphrase, frames) = (CodecConfig::default(), Passphrase::new("test secret"), frames());
    let mut least = [Duration::MAX; 4];
    let mut added = (0, 0);
    for _ in 0..ROUNDS {
        let (mut encoder, mut decoder) = (Encoder::new(&codec)?, Decoder::new(&codec)?);
        let (mut sealer, opener) = (passphrase.sealer("ana", 7)?, passphrase.opener("ana", 7)?);
        let (mut payloads, mut seals) = (vec![Vec::new(); frames.len()], vec![Vec::new(); frames.len()]);
        let (mut opened, mut pcm) = (Vec::new(), Vec::new());
        let [encode, close, open, decode] = &mut least;
        timed(encode, || {
            frames.iter().zip(&mut payloads).try_for_each(|(frame, payload)| encoder.encode(frame, payload))
        })?;
        timed(close, || payloads.iter().zip(&mut seals).try_for_each(|(payload, seal)| sealer.seal(payload, seal)))?;
        timed(open, || seals.iter().try_for_each(|seal| opener.open(seal, &mut opened)))?;
        timed(decode, || payloads.iter().try_for_each(|payload| decoder.decode(payload, &mut pcm)))?;
        let bytes = |all: &[Vec<u8>]| all.iter().map(Vec::len).sum::<usize>();
        added = (bytes(&payloads), bytes(&seals));
    }
    println!("{}, {PACKETS} frames of 20 ms, {}:", codec.rtpmap(), jiho_proto::seal::CIPHER_SUITE_NAME);
    let [encode, close, open, decode] = least.map(|time| time.as_secs_f64() * 1e6 / f64::from(PACKETS));
    println!("  encode {encode:7.2} µs a frame");
    println!("  seal   {close:7.2} µs a frame   {:.1} % of encoding", 100.0 * close / encode);
    println!("  open   {open:7.2} µs a frame   {:.1} % of decoding", 100.0 * open / decode);
    println!("  decode {decode:7.2} µs a frame");
    let (plain, sealed) = added;
    println!("  {:.2} bytes more in a packet", (sealed - plain) as f64 / f64::from(PACKETS));
    Ok(())
}

/// Keeps the least time that a job took.
fn timed<E>(least: &mut Duration, job: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    let begun = Instant::now();
    job()?;
    *least = begun.elapsed().min(*least);
    Ok(())
}

fn packets(codec: CodecConfig) -> anyhow::Result<Vec<Vec<u8>>> {
    let (mut encoder, mut payload) = (Encoder::new(&codec)?, Vec::new());
    let mut packets = Vec::new();
    for (frame, sound) in (0u32..).zip(frames()) {
        encoder.encode(&sound, &mut payload)?;
        let (sequence, timestamp) = (frame as u16, frame * FRAME_SAMPLES as u32);
        let payload_type = codec.payload_type();
        let mut bytes = Vec::new();
        Repr { marker: false, payload_type, sequence, timestamp, ssrc: 7, payload: &payload }.emit(&mut bytes);
        packets.push(bytes);
    }
    Ok(packets)
}

/// How long an endpoint takes for all packets, each up to 40 ms late.
fn listen(codec: CodecConfig, playout: PlayoutPolicy, packets: &[Vec<u8>]) -> anyhow::Result<Duration> {
    let mut endpoint = Endpoint::new(EndpointConfig {
        name: "lena".to_owned(),
        role: Role::Listener,
        token: String::new(),
        media: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 6000),
        codec,
        playout,
        subscribe: None,
        seal: None,
        card: SoundCard::default(),
        ear_phase: Nanos::ZERO,
        mouth: None,
        drop_probe: None,
    })?;
    let joined = Message::Joined(Joined { media: RELAY, payload_type: codec.payload_type(), sdp: String::new() });
    handle(&mut endpoint, RunTime::START, Input::Start);
    handle(&mut endpoint, RunTime::START, Input::Control { peer: PeerId::RELAY, message: &joined });
    let mut luck = 1u32;
    let mut arrivals: Vec<(RunTime, &Vec<u8>)> = (1i64..)
        .zip(packets)
        .map(|(frame, packet)| {
            luck = luck.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let jitter = i64::from(luck >> 8) * 40_000_000 / (1 << 24);
            (RunTime::START + Nanos(frame * 20_000_000 + jitter), packet)
        })
        .collect();
    arrivals.sort();
    let (end, _) = arrivals.last().context("there are packets")?;
    let end = *end + Nanos::from_millis(200);
    let begun = Instant::now();
    for (received, data) in arrivals {
        handle(&mut endpoint, received, Input::Packet { from: RELAY, received, data });
    }
    handle(&mut endpoint, end, Input::Timer);
    Ok(begun.elapsed())
}

fn handle(endpoint: &mut Endpoint, now: RunTime, input: Input<'_>) {
    endpoint.handle(now, input);
    while !matches!(endpoint.poll_output(), Output::Wait(_) | Output::Done) {}
}
