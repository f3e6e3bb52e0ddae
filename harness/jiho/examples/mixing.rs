//! What a mixer costs and what it adds to a delay, printed side by side.
//!
//!     mixing          CPU time of a mixer and of a forwarder per second of sound and listener, by their number;
//!                     the wait of packets in a mixer that mixes by arrival, and in one that mixes by tick
//!
//! The engine alone works here, without sockets: what is counted is decoding, mixing, coding and addressing.
#![allow(clippy::print_stdout)] // a program for the terminal

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use jiho_analysis::arrivals::Role;
use jiho_analysis::stats;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_proto::codec::{CodecConfig, Encoder, FRAME_SAMPLES};
use jiho_proto::control::{Join, Message};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::wire::rtp;
use jiho_relay::{Relay, RelayConfig, Serving, Timing};

const FRAME: Nanos = Nanos::from_millis(20);
const SPEAKERS: u16 = 3;
const SECONDS: i64 = 10;
const ARRIVAL: Serving = Serving::Mix(Timing::Arrival { deadline: FRAME });

fn main() -> anyhow::Result<()> {
    let payloads = payloads()?;
    println!("{SPEAKERS} speakers, Opus at 32 kb/s: µs of CPU per second of sound and listener");
    println!("{:>10} {:>10} {:>10} {:>20}", "listeners", "mix", "forward", "mix, against 1");
    let mut one = None;
    for listeners in [1, 10, 100, 1000] {
        let (mix, _) = work(ARRIVAL, listeners, &payloads);
        let (forward, _) = work(Serving::Forward, listeners, &payloads);
        let first = *one.get_or_insert(mix);
        println!("{listeners:>10} {mix:>10.1} {forward:>10.1} {:>20.4}", mix / first);
    }
    println!("\nWait of a speaker's packet in the mixer, over all phases of {SPEAKERS} speakers, in ms");
    println!("{:>10} {:>10} {:>10} {:>10}", "timing", "median", "mean", "most");
    for (name, serving) in [("arrival", ARRIVAL), ("tick", Serving::Mix(Timing::Tick))] {
        let waits = (0..100).flat_map(|draw| waits(serving, draw, &payloads)).collect::<Vec<f64>>();
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        let (median, most) = (stats::median(&waits).unwrap_or_default(), waits.iter().copied().fold(0.0, f64::max));
        println!("{name:>10} {median:>10.2} {mean:>10.2} {most:>10.2}");
    }
    Ok(())
}

/// A second of a tone, coded.
fn payloads() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(&CodecConfig::default())?;
    (0..50usize)
        .map(|frame| {
            let tone = |n: usize| 0.2 * ((frame * FRAME_SAMPLES + n) as f32 * 0.0288).sin();
            let mut payload = Vec::new();
            encoder.encode(&(0..FRAME_SAMPLES).map(tone).collect::<Vec<f32>>(), &mut payload)?;
            Ok(payload)
        })
        .collect()
}

/// Where somebody is.
fn addr(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A room with speakers at ports 2 and on, and listeners after them.
fn room(audience: Serving, listeners: u16) -> Relay {
    let config = RelayConfig::forwarding(addr(1), "secret".to_owned(), CodecConfig::default());
    let mut relay = Relay::new(RelayConfig { audience, note_packets: true, ..config });
    for port in 2..2 + SPEAKERS + listeners {
        let role = if port < 2 + SPEAKERS { Role::Speaker } else { Role::Listener };
        let (name, token) = (format!("p{port}"), "secret".to_owned());
        let join = Message::Join(Join { name, role, token, media: addr(port), subscribe: None, sealed: false });
        relay.handle(RunTime::START, Input::Control { peer: PeerId(port.into()), message: &join });
    }
    drain(&mut relay, |_, _| {});
    relay
}

/// Takes all that the relay has to say; `noted` is told of each packet of it that was noted.
fn drain(relay: &mut Relay, mut noted: impl FnMut(RunTime, usize)) -> Option<RunTime> {
    loop {
        match relay.poll_output() {
            Output::Event { event: Event::Relayed(packet), .. } => noted(packet.sent, packet.size_bytes),
            Output::Wait(wake) => return wake,
            Output::Done => return None,
            _ => {}
        }
    }
}

/// Frame `n` of each speaker at its phase, in order of time.
fn packets(phases: [Nanos; SPEAKERS as usize], payloads: &[Vec<u8>], n: i64) -> Vec<(RunTime, u16, Vec<u8>)> {
    let mut packets: Vec<_> = (2..)
        .zip(phases)
        .map(|(port, phase)| {
            let payload = &payloads[n as usize % payloads.len()];
            let (sequence, timestamp) = (n as u16, (n * FRAME_SAMPLES as i64) as u32);
            let ssrc = u32::from(port);
            let packet = rtp::Repr { marker: false, payload_type: 111, sequence, timestamp, ssrc, payload };
            let mut bytes = Vec::new();
            packet.emit(&mut bytes);
            (RunTime::START + phase + Nanos(n * FRAME.0), port, bytes)
        })
        .collect();
    packets.sort();
    packets
}

/// Takes a packet as it comes, after all that was due before it.
fn give(relay: &mut Relay, at: RunTime, port: u16, data: &[u8], noted: &mut impl FnMut(RunTime, usize)) {
    let mut wake = drain(relay, &mut *noted);
    while let Some(due) = wake.filter(|due| *due < at) {
        relay.handle(due, Input::Timer);
        wake = drain(relay, &mut *noted);
    }
    relay.handle(at, Input::Packet { from: addr(port), received: at, data });
    drain(relay, noted);
}

/// µs of CPU per second of sound and listener, and how many packets went out.
fn work(audience: Serving, listeners: u16, payloads: &[Vec<u8>]) -> (f64, usize) {
    let mut relay = room(audience, listeners);
    let mut sent = 0;
    let began = Instant::now();
    for n in 0..50 * SECONDS {
        for (at, port, data) in packets([Nanos::ZERO; SPEAKERS as usize], payloads, n) {
            give(&mut relay, at, port, &data, &mut |_, _| sent += 1);
        }
    }
    let micros = began.elapsed().as_secs_f64() * 1e6;
    (micros / SECONDS as f64 / f64::from(listeners), sent)
}

/// How long each speaker's packets wait, in ms, once all are in step, with phases drawn from a number.
fn waits(audience: Serving, draw: u32, payloads: &[Vec<u8>]) -> Vec<f64> {
    let mut state = draw;
    let phases = [0; SPEAKERS as usize].map(|_: i64| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Nanos((i64::from(state >> 8) * FRAME.0) >> 24)
    });
    let mut relay = room(audience, 1);
    let mut last = RunTime::START;
    // A forwarded packet has 92 bytes; that of a mix names three streams and has twelve more.
    let mut noted = |at: RunTime, size: usize| {
        if size > 100 {
            last = at
        }
    };
    for n in 0..20 {
        for (at, port, data) in packets(phases, payloads, n) {
            give(&mut relay, at, port, &data, &mut noted);
        }
    }
    phases.map(|phase| Nanos((last - (RunTime::START + phase)).0.rem_euclid(FRAME.0)).as_millis_f64()).to_vec()
}
