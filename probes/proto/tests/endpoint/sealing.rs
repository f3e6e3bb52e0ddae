//! End-to-end encryption, as endpoints have it.

use jiho_analysis::arrivals::Role;
use jiho_analysis::hear::hear;
use jiho_analysis::signal::{Code, Family, Signal};
use jiho_analysis::units::{MediaTime, Nanos};
use jiho_proto::codec::{CodecConfig, Decoder, FRAME_SAMPLES, RATE};
use jiho_proto::control::{Message, Talker};
use jiho_proto::endpoint::{EndpointConfig, MouthConfig};
use jiho_proto::engine::Input;
use jiho_proto::event::{Event, PlayoutAction, SentPacket};
use jiho_proto::seal::{Passphrase, Seal};
use jiho_proto::wire::rtp::Packet;

use crate::support::{Bench, joined, listener, ms};

const SSRC: u32 = 0xabcd;

fn code() -> Code {
    Code::new(5).unwrap()
}

fn keyed(passphrase: &str) -> Option<Seal> {
    Some(Seal::Keyed(Passphrase::new(passphrase)))
}

/// What ana says in five seconds of beeps, and what the packets were.
fn said(codec: CodecConfig, seal: Option<Seal>) -> (Vec<Vec<u8>>, Vec<SentPacket>) {
    let programme =
        Signal { family: Family::Voiced, ..Signal::VOICED }.programmes(&[code()], ms(0), Nanos::from_secs(5));
    let mouth = MouthConfig {
        ssrc: SSRC,
        first_sequence: 65_500,
        first_timestamp: 7,
        phase: Nanos::ZERO,
        mouth: Box::new(programme.into_iter().next().unwrap()),
    };
    let mut bench = Bench::seated(EndpointConfig {
        name: "ana".into(),
        role: Role::Speaker,
        codec,
        seal,
        mouth: Some(mouth),
        ..listener(40)
    });
    bench.run_until(ms(5_000));
    let sent = |(_, event): &_| if let Event::Sent(sent) = event { Some(sent.clone()) } else { None };
    (bench.sent.clone(), bench.events.iter().filter_map(sent).collect())
}

/// Somebody who hears it.
fn heard(codec: CodecConfig, seal: Option<Seal>, packets: &[Vec<u8>]) -> Bench {
    let mut bench = Bench::new(EndpointConfig { codec, seal, ..listener(40) });
    bench.input(ms(0), Input::Start);
    bench.control(ms(0), &joined(codec.payload_type()));
    for (frame, packet) in (1..).zip(packets) {
        bench.run_until(ms(20 * frame + 15));
        bench.packet(ms(20 * frame + 15), packet);
        if frame == 1 {
            // The relay announces a stream when it has seen its first packet.
            bench.control(ms(20 * frame + 15), &Message::Talker(Talker { name: "ana".into(), ssrc: SSRC }));
        }
    }
    bench.run_until(ms(5_200));
    bench
}

fn actions(bench: &Bench) -> Vec<PlayoutAction> {
    let playouts = bench.playouts();
    assert!(!playouts.is_empty());
    playouts.into_iter().filter(|p| p.size_bytes.is_some()).map(|p| p.action).collect()
}

#[test]
fn who_has_the_key_hears_the_same_as_without_encryption() {
    for codec in [CodecConfig::L16, CodecConfig::default()] {
        let (open, (sealed, _)) = (said(codec, None).0, said(codec, keyed("secret")));
        let (plainly, keyed) = (heard(codec, None, &open), heard(codec, keyed("secret"), &sealed));
        assert_eq!(plainly.ear, keyed.ear);
        assert!(keyed.ear.iter().any(|sample| *sample != 0.0));
        assert!(actions(&keyed).iter().all(|action| *action == PlayoutAction::Played));
    }
}

#[test]
fn who_has_no_key_or_another_hears_nothing_and_says_so() {
    let codec = CodecConfig::default();
    let (sealed, _) = said(codec, keyed("secret"));
    for seal in [Seal::Keyless, Seal::Keyed(Passphrase::new("a guess"))] {
        let bench = heard(codec, Some(seal), &sealed);
        assert!(bench.ear.iter().all(|sample| *sample == 0.0));
        assert!(actions(&bench).iter().all(|action| *action == PlayoutAction::Sealed));
    }
}

#[test]
fn sealed_payloads_in_a_room_that_knows_of_no_seal_are_no_sound_of_the_speaker() {
    let codec = CodecConfig::default();
    let (sealed, _) = said(codec, keyed("secret"));
    let mut decoder = Decoder::new(&codec).unwrap();
    let (mut pcm, mut sound) = (Vec::new(), Vec::new());
    for bytes in &sealed {
        // Some byte strings pass for Opus, and are noise.
        match decoder.decode(Packet::new_checked(bytes).unwrap().payload(), &mut pcm) {
            Ok(()) => sound.extend_from_slice(&pcm),
            Err(_) => sound.extend([0.0; FRAME_SAMPLES]),
        }
    }
    assert_eq!(hear(&sound, RATE, Family::Voiced, &[code()]).iter().filter(|found| found.is_sure()).count(), 0);
    // The same with the seal opened, so that hearing nothing means something.
    let bench = heard(codec, keyed("secret"), &sealed);
    assert_eq!(hear(&bench.ear, RATE, Family::Voiced, &[code()]).iter().filter(|found| found.is_sure()).count(), 5);
}

#[test]
fn headers_stay_readable_and_the_sender_knows_size_and_coding_mode() {
    let codec = CodecConfig::default();
    let ((open, openly), (sealed, sealedly)) = (said(codec, None), said(codec, keyed("secret")));
    assert_eq!(open.len(), sealed.len());
    for (number, ((open, sealed), (openly, sealedly))) in
        open.iter().zip(&sealed).zip(openly.iter().zip(&sealedly)).enumerate()
    {
        assert_eq!(open[..12], sealed[..12], "the RTP header");
        let packet = Packet::new_checked(sealed).unwrap();
        assert_eq!((packet.ssrc(), packet.sequence()), (SSRC, sealedly.sequence));
        assert_eq!((openly.toc, openly.seal_bytes), (sealedly.toc, 0));
        // A configuration byte, two bytes of KID at most, the counter from 8 on, and the tag (RFC 9605, section 4.3).
        let counter = match number {
            0..8 => 0,
            8..256 => 1,
            _ => 2,
        };
        assert!((17 + counter..=19 + counter).contains(&sealedly.seal_bytes), "{number}: {}", sealedly.seal_bytes);
        assert_eq!(sealedly.size_bytes, openly.size_bytes + sealedly.seal_bytes);
        assert_eq!(sealed.len(), sealedly.size_bytes);
    }
    assert_eq!(sealedly[0].media_time, MediaTime(0));
}

#[test]
fn who_seals_says_so_when_joining() {
    for (seal, sealed) in [(None, false), (keyed("passphrase of the room"), true), (Some(Seal::Keyless), true)] {
        let mut bench = Bench::new(EndpointConfig { seal, ..listener(40) });
        bench.input(ms(0), Input::Start);
        let [Message::Join(join)] = &bench.controls[..] else { panic!("no join") };
        assert_eq!(join.sealed, sealed);
        let line = bench.controls[0].to_line();
        assert_eq!(line.contains("sealed"), sealed);
        assert!(!line.contains("passphrase of the room"), "the key stays here: {line}");
    }
}
