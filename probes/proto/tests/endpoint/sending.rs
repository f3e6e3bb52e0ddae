use jiho_analysis::arrivals::Role;
use jiho_analysis::units::{MediaTime, Nanos, Ppb, SampleClock};
use jiho_proto::card::SoundCard;
use jiho_proto::codec::{CodecConfig, OpusConfig, RATE};
use jiho_proto::endpoint::{EndpointConfig, MouthConfig};
use jiho_proto::engine::Input;
use jiho_proto::event::{Event, PlayoutAction, SentPacket};
use jiho_proto::speaker::Mouth;
use jiho_proto::wire::rtp::{Packet, Repr};

use crate::support::{Bench, FRAME, joined, listener, ms};

/// Says at every sample how many came before it, in steps of PCM.
struct Counting;

impl Mouth for Counting {
    fn fill(&mut self, _: &SampleClock, first: MediaTime, out: &mut [f32]) {
        for (position, sample) in (first.0..).zip(out) {
            *sample = position as f32 / 32_768.0;
        }
    }
}

fn speaker(codec: CodecConfig) -> EndpointConfig {
    let mouth = MouthConfig {
        ssrc: 0xabcd,
        first_sequence: 65_535,
        first_timestamp: u32::MAX - 959,
        phase: Nanos::from_millis(7),
        mouth: Box::new(Counting),
    };
    EndpointConfig { role: Role::Speaker, codec, mouth: Some(mouth), ..listener(40) }
}

fn sent(bench: &Bench) -> Vec<SentPacket> {
    let sent = |(_, event): &_| if let Event::Sent(sent) = event { Some(sent.clone()) } else { None };
    bench.events.iter().filter_map(sent).collect()
}

#[test]
fn the_mouth_opens_when_the_relay_has_let_us_in_and_not_before() {
    let mut bench = Bench::new(speaker(CodecConfig::L16));
    bench.input(ms(0), Input::Start);
    bench.run_until(ms(100));
    assert!(bench.sent.is_empty());
    bench.control(ms(100), &joined(96));
    let clock = SampleClock::new(ms(107), RATE);
    let opened = (ms(100), Event::MouthOpened { clock, ssrc: 0xabcd });
    assert_eq!(bench.events_without_steps().last(), Some(&opened));
}

#[test]
fn a_frame_leaves_when_its_last_sample_is_captured() {
    let mut bench = Bench::seated(speaker(CodecConfig::L16));
    bench.run_until(ms(26));
    assert!(bench.sent.is_empty());
    bench.run_until(ms(27));
    assert_eq!(bench.sent.len(), 1);
    bench.run_until(ms(67));
    let captured: Vec<_> = sent(&bench).iter().map(|sent| sent.captured).collect();
    assert_eq!(captured, [ms(27), ms(47), ms(67)]);
}

#[test]
fn a_card_hands_frames_over_when_its_period_is_over() {
    let card = SoundCard { period_samples: 720, ..SoundCard::default() };
    let mut bench = Bench::seated(EndpointConfig { card, ..speaker(CodecConfig::L16) });
    bench.run_until(ms(100));
    // Periods of 15 ms from 7 ms on; a frame is complete after 20, 40, 60 and 80 ms.
    let left: Vec<_> = bench.events.iter().filter(|(_, event)| matches!(event, Event::Sent(_))).map(|e| e.0).collect();
    assert_eq!(left, [ms(37), ms(52), ms(67), ms(97)]);
    let captured: Vec<_> = sent(&bench).iter().map(|sent| sent.captured).collect();
    assert_eq!(captured, [ms(27), ms(47), ms(67), ms(87)]);
    assert_eq!(bench.ear.len(), 7 * 720, "the ear has decided what begins up to 90 ms");
}

#[test]
fn a_card_that_counts_too_fast_fills_its_frames_sooner() {
    let card = SoundCard { skew: Ppb::from_ppm(1000.0), ..SoundCard::default() };
    let mut bench = Bench::seated(EndpointConfig { card, ..speaker(CodecConfig::L16) });
    // 500.5 frames in 10 s: half a frame more than others have.
    bench.run_until(ms(7 + 9_991));
    assert_eq!(sent(&bench).len(), 500);
    assert_eq!(sent(&bench)[499].captured, ms(7) + Nanos(9_990_009_990));
}

#[test]
fn sequence_and_timestamp_count_on_over_their_wraps() {
    let mut bench = Bench::seated(speaker(CodecConfig::L16));
    bench.run_until(ms(67));
    let packets: Vec<_> = bench.sent.iter().map(|bytes| Repr::parse(&Packet::new_checked(bytes).unwrap())).collect();
    let marks: Vec<_> = packets.iter().map(|p| (p.sequence, p.timestamp, p.marker)).collect();
    assert_eq!(marks, [(65_535, u32::MAX - 959, true), (0, 0, false), (1, 960, false)]);
    assert!(packets.iter().all(|p| p.ssrc == 0xabcd && p.payload_type == 96));
    let positions: Vec<_> = sent(&bench).iter().map(|sent| sent.media_time).collect();
    assert_eq!(positions, [MediaTime(0), MediaTime(FRAME), MediaTime(2 * FRAME)]);
}

#[test]
fn what_the_mouth_says_is_sent_without_a_seam() {
    let mut bench = Bench::seated(speaker(CodecConfig::L16));
    bench.run_until(ms(67));
    let payloads = bench.sent.iter().flat_map(|bytes| Packet::new_checked(bytes).unwrap().payload().to_vec());
    let expected = (0..3 * FRAME as i16).flat_map(i16::to_be_bytes);
    assert!(payloads.eq(expected));
}

#[test]
fn woken_late_it_sends_all_frames_that_are_due() {
    let mut bench = Bench::seated(speaker(CodecConfig::L16));
    bench.input(ms(70), Input::Timer);
    assert_eq!(bench.sent.len(), 3);
    let times: Vec<_> = bench.events.iter().filter(|(_, e)| matches!(e, Event::Sent(_))).map(|(at, _)| *at).collect();
    assert_eq!(times, [ms(70); 3], "the record does not hide that they left late");
    assert_eq!(sent(&bench)[0].captured, ms(27));
}

#[test]
fn opus_packets_have_92_bytes_and_their_mode_is_recorded() {
    let mut bench = Bench::seated(speaker(CodecConfig::default()));
    bench.run_until(ms(500));
    assert_eq!(bench.sent.len(), 24);
    for (bytes, record) in bench.sent.iter().zip(sent(&bench)) {
        assert_eq!((bytes.len(), record.size_bytes), (92, 92));
        assert_eq!(record.toc, Some(bytes[12]));
    }
}

/// A voice, half a second long and then silent for half a second, again and again.
struct Talking;

impl Mouth for Talking {
    fn fill(&mut self, _: &SampleClock, first: MediaTime, out: &mut [f32]) {
        for (position, sample) in (first.0..).zip(out) {
            let harmonics = (1..20i64).map(|h| (0.02 * (position * h % 48_000) as f32).sin());
            *sample = if position / 24_000 % 2 == 0 { 0.03 * harmonics.sum::<f32>() } else { 0.0 };
        }
    }
}

#[test]
fn with_discontinuous_transmission_pauses_are_not_sent_and_are_no_loss_to_the_listener() {
    let codec = CodecConfig::Opus(OpusConfig { dtx: true, ..OpusConfig::default() });
    let mouth = MouthConfig {
        ssrc: 7,
        first_sequence: 65_530,
        first_timestamp: u32::MAX - 959,
        phase: Nanos::ZERO,
        mouth: Box::new(Talking),
    };
    let mut speaker = Bench::seated(EndpointConfig { role: Role::Speaker, codec, mouth: Some(mouth), ..listener(40) });
    speaker.run_until(ms(4_000));
    let sent = sent(&speaker);
    assert!((110..180).contains(&sent.len()), "{} packets of 200 frames", sent.len());
    let mut listener = Bench::seated(EndpointConfig { codec, ..listener(40) });
    for (n, (packet, bytes)) in sent.iter().zip(&speaker.sent).enumerate() {
        assert_eq!(packet.sequence, 65_530u16.wrapping_add(n as u16), "what is not sent takes no sequence number");
        listener.packet(packet.captured, bytes);
    }
    listener.run_until(ms(4_000));
    let markers = speaker.sent.iter().filter(|bytes| Packet::new_checked(bytes).unwrap().marker()).count();
    assert!((3..=20).contains(&markers), "{markers} packets begin a talkspurt");
    let actions: Vec<_> = listener.playouts().iter().map(|playout| playout.action).collect();
    assert!(actions.len() > 100 && actions.iter().all(|action| *action == PlayoutAction::Played), "{actions:?}");
}

#[test]
fn a_lost_frame_is_restored_at_the_ear_if_the_next_packet_is_there_in_time() {
    let with = |fec: bool| CodecConfig::Opus(OpusConfig { fec, bitrate_bps: 24_000, ..OpusConfig::default() });
    let mouth =
        MouthConfig { ssrc: 7, first_sequence: 0, first_timestamp: 0, phase: Nanos::ZERO, mouth: Box::new(Talking) };
    let mut speaker =
        Bench::seated(EndpointConfig { role: Role::Speaker, codec: with(true), mouth: Some(mouth), ..listener(40) });
    speaker.run_until(ms(2_000));
    let heard = |fec: bool, delay_ms: i64, lossy: bool| {
        let mut listener = Bench::seated(EndpointConfig { codec: with(fec), ..self::listener(delay_ms) });
        for (n, (packet, bytes)) in sent(&speaker).iter().zip(&speaker.sent).enumerate() {
            if n % 7 != 6 || !lossy {
                listener.packet(packet.captured, bytes);
            }
        }
        listener.run_until(ms(2_000));
        listener.ear
    };
    let error = |fec: bool, delay_ms: i64| -> f32 {
        heard(fec, delay_ms, false).iter().zip(heard(fec, delay_ms, true)).map(|(a, b)| (a - b).powi(2)).sum()
    };
    assert!(error(true, 40) < 0.7 * error(false, 40), "{} against {}", error(true, 40), error(false, 40));
    assert_eq!(error(true, 15), error(false, 15), "the next packet comes too late to restore anything");
}
