//! What a relay has of a room that is sealed end to end: bytes to pass on.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_analysis::hear::hear;
use jiho_analysis::signal::{Code, Family, Signal};
use jiho_analysis::units::{MediaTime, Nanos, RunTime, SampleClock};
use jiho_proto::codec::{CodecConfig, Decoder, Encoder, FRAME_SAMPLES, RATE};
use jiho_proto::control::{Join, Message, Trunk};
use jiho_proto::seal::Passphrase;
use jiho_proto::wire::rtp;
use jiho_relay::{Hold, RelayConfig, Serving, Through, Timing};

use crate::desk::{Desk, NOW, Said, TOKEN, addr, join};

const SSRC: u32 = 9;

/// Ana's packets of some seconds of beeps, sealed.
fn sealed_packets(code: Code, passphrase: &Passphrase) -> Vec<Vec<u8>> {
    let signal = Signal { family: Family::Voiced, ..Signal::VOICED };
    let programme = signal.programmes(&[code], RunTime::START, Nanos::from_secs(4)).remove(0);
    let clock = SampleClock::new(RunTime::START, RATE);
    let mut encoder = Encoder::new(&CodecConfig::default()).unwrap();
    let mut sealer = passphrase.sealer("ana", SSRC).unwrap();
    let (mut frame, mut payload, mut sealed) = ([0.0; FRAME_SAMPLES], Vec::new(), Vec::new());
    let packet = |n: u16| {
        programme.render(&clock, MediaTime(i64::from(n) * FRAME_SAMPLES as i64), &mut frame);
        encoder.encode(&frame, &mut payload).unwrap();
        sealer.seal(&payload, &mut sealed).unwrap();
        let (payload_type, timestamp) = (111, u32::from(n) * FRAME_SAMPLES as u32);
        let mut bytes = Vec::new();
        rtp::Repr { marker: false, payload_type, sequence: n, timestamp, ssrc: SSRC, payload: &sealed }
            .emit(&mut bytes);
        bytes
    };
    (0..200).map(packet).collect()
}

/// How many beeps are in what some payloads decode to; whatever does not decode is silence.
fn beeps(code: Code, payloads: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut decoder = Decoder::new(&CodecConfig::default()).unwrap();
    let (mut pcm, mut sound) = (Vec::new(), Vec::new());
    for payload in payloads {
        match decoder.decode(&payload, &mut pcm) {
            Ok(()) => sound.extend_from_slice(&pcm),
            Err(_) => sound.extend([0.0; FRAME_SAMPLES]),
        }
    }
    hear(&sound, RATE, Family::Voiced, &[code]).iter().filter(|found| found.is_sure()).count()
}

/// The relay is made of an address, a token, a codec and architectures: there is no key among them. What it forwards is
/// what came, to the byte; it decodes to no beep, and is opened by whoever has the key and by nobody else.
#[test]
fn a_relay_passes_on_what_it_can_neither_open_nor_decode() {
    let (code, passphrase) = (Code::new(11).unwrap(), Passphrase::new("test secret"));
    let packets = sealed_packets(code, &passphrase);
    let config = RelayConfig::forwarding(addr(1), TOKEN.into(), CodecConfig::default());
    assert!(!format!("{config:?}").contains("test secret"));
    let mut desk = Desk::of(config);
    for (port, name, role) in [(2, "ana", Speaker), (4, "lena", Listener)] {
        let said = desk.control(port, &Message::Join(Join { sealed: true, ..join(port as u16, name, role) }));
        assert!(said.iter().any(|said| matches!(said, Said::Control(_, Message::Joined(_)))), "{said:?}");
    }
    let mut forwarded = Vec::new();
    for packet in &packets {
        let copies = desk.packet(2, packet);
        forwarded.extend(copies.into_iter().filter_map(|said| match said {
            Said::Packet(to, data) => Some((to, data)),
            _ => None,
        }));
    }
    assert_eq!(forwarded.len(), packets.len());
    assert!(forwarded.iter().zip(&packets).all(|((to, data), packet)| *to == addr(4) && data == packet));

    let payload = |(_, data): &(_, Vec<u8>)| rtp::Packet::new_checked(data).unwrap().payload().to_vec();
    assert_eq!(beeps(code, forwarded.iter().map(payload)), 0, "decoded as it is");
    let opened_by = |passphrase: &str, name: &str| {
        let opener = Passphrase::new(passphrase).opener(name, SSRC).unwrap();
        let open = |sealed: Vec<u8>| {
            let mut opened = Vec::new();
            opener.open(&sealed, &mut opened).ok().map(|()| opened)
        };
        forwarded.iter().map(payload).filter_map(open).collect::<Vec<_>>()
    };
    // What the relay does know: the token and the names.
    assert_eq!(opened_by(TOKEN, "ana").len(), 0);
    assert_eq!(opened_by("", "ana").len(), 0);
    assert_eq!(opened_by("test secret", "lena").len(), 0, "another's key");
    let opened = opened_by("test secret", "ana");
    assert_eq!(opened.len(), packets.len());
    assert_eq!(beeps(code, opened.into_iter()), 4);
}

#[test]
fn nobody_needs_to_decode_to_mesh() {
    let mut desk = Desk::serving(Serving::Mesh, Serving::Mesh);
    let said = desk.control(2, &Message::Join(Join { sealed: true, ..join(2, "ana", Speaker) }));
    assert!(said.iter().any(|said| matches!(said, Said::Control(_, Message::Joined(_)))), "{said:?}");
}

#[test]
fn a_relay_that_mixes_refuses_who_seals_and_says_why() {
    let mix = Serving::Mix(Timing::Tick);
    let mixed_later = Serving::Tier { hold: Hold::DelayLine(Nanos::from_secs(1)), through: Through::Mix(Timing::Tick) };
    for (stage, audience) in [(mix, Serving::Forward), (Serving::Forward, mix), (Serving::Forward, mixed_later)] {
        let mut desk = Desk::serving(stage, audience);
        let said = desk.control(2, &Message::Join(Join { sealed: true, ..join(2, "ana", Speaker) }));
        let refused = said.iter().any(|said| {
            matches!(said, Said::Control(_, Message::Refused { reason }) if reason.contains("sealed end to end"))
        });
        assert!(refused, "{said:?}");
        let said = desk.control(3, &Message::Join(join(3, "ben", Speaker)));
        assert!(said.iter().any(|said| matches!(said, Said::Control(_, Message::Joined(_)))), "{said:?}");
    }
}

#[test]
fn cascades_and_delayed_tiers_pass_on_the_same_bytes() {
    let (code, passphrase) = (Code::new(11).unwrap(), Passphrase::new("test secret"));
    let packet = &sealed_packets(code, &passphrase)[0];
    let tier = Serving::Tier { hold: Hold::DelayLine(Nanos::from_secs(1)), through: Through::Forward };
    let mut desk = Desk::serving(Serving::Forward, tier);
    for (port, name, role) in [(2, "ana", Speaker), (4, "lena", Listener)] {
        desk.control(port, &Message::Join(Join { sealed: true, ..join(port as u16, name, role) }));
    }
    let mut sent = desk.packet_at(NOW, 2, packet);
    sent.extend(desk.run_until(NOW + Nanos::from_secs(2)));
    assert_eq!(sent, [(NOW + Nanos::from_secs(1), addr(4), packet.clone())]);

    let mut desk = Desk::new();
    desk.control(2, &Message::Join(Join { sealed: true, ..join(2, "ana", Speaker) }));
    desk.control(10, &Message::Trunk(Trunk { token: TOKEN.into(), media: addr(10) }));
    let said = desk.packet(2, packet);
    assert!(said.contains(&Said::Packet(addr(10), packet.clone())), "{said:?}");
}
