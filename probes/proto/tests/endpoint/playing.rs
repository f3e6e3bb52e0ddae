use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::codec::{CodecConfig, Encoder};
use jiho_proto::endpoint::EndpointConfig;
use jiho_proto::engine::Input;
use jiho_proto::event::PlayoutAction::{Concealed, Duplicate, Late, Played, Undecodable};
use jiho_proto::wire::rtp::Repr;

use crate::support::{Bench, RELAY, Stream, listener, ms};

const STREAM: Stream = Stream::USUAL;

#[test]
fn the_first_packet_is_played_after_the_delay_rounded_up_to_a_whole_sample() {
    let mut bench = Bench::seated(listener(40));
    let received = ms(15) + Nanos(1);
    bench.packet(received, &STREAM.packet(0));
    bench.run_until(ms(100));
    assert_eq!(bench.heard(&STREAM), [(55 * 48 + 1, 0)]);
    let record = &bench.playouts()[0];
    assert_eq!(record.played, Some(bench.ear_clock().time(MediaTime(55 * 48 + 1))));
    assert_eq!((record.received, record.size_bytes), (Some(received), Some(12 + 2 * 960)));
    let buffered = record.buffered().unwrap();
    assert!((40_000_000..40_020_834).contains(&buffered.0), "{buffered}");
}

#[test]
fn a_packet_received_at_the_very_deadline_is_played() {
    let mut bench = Bench::seated(listener(20));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(40), &STREAM.packet(1));
    bench.run_until(ms(100));
    assert_eq!(bench.heard(&STREAM), [(960, 0), (1920, 1)]);
}

#[test]
fn a_packet_received_after_the_deadline_is_concealed_then_late() {
    let mut bench = Bench::seated(listener(20));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(40) + Nanos(1), &STREAM.packet(1));
    bench.packet(ms(41), &STREAM.packet(2));
    bench.run_until(ms(79));
    assert_eq!(bench.actions(&STREAM), [(0, Played), (1, Concealed), (1, Late), (2, Played)]);
    assert_eq!(bench.heard(&STREAM), [(960, 0), (2880, 2)], "what was concealed is silence with PCM");
    let records = bench.playouts();
    assert_eq!(records[1].rtp_timestamp, records[2].rtp_timestamp);
    assert_eq!(records[1].played, Some(ms(40)));
    assert_eq!((records[2].played, records[2].received), (None, Some(ms(40) + Nanos(1))));
}

#[test]
fn a_thread_that_is_woken_late_changes_nothing() {
    let mut prompt = Bench::seated(listener(40));
    let mut sleepy = Bench::seated(listener(40));
    for frame in 0..10 {
        let received = ms(20 * frame + frame * frame % 7);
        prompt.run_until(received);
        prompt.packet(received, &STREAM.packet(frame));
    }
    prompt.run_until(ms(300));
    for frame in 0..10 {
        let received = ms(20 * frame + frame * frame % 7);
        sleepy.input(ms(300), Input::Packet { from: RELAY, received, data: &STREAM.packet(frame) });
    }
    sleepy.input(ms(300), Input::Timer);
    assert_eq!(prompt.heard(&STREAM).len(), 10);
    assert_eq!(sleepy.ear, prompt.ear);
    assert_eq!(sleepy.playouts(), prompt.playouts());
}

#[test]
fn packets_out_of_order_are_played_in_order() {
    let mut bench = Bench::seated(listener(60));
    for (at, frame) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        bench.packet(ms(at), &STREAM.packet(frame));
    }
    bench.run_until(ms(138));
    assert_eq!(bench.heard(&STREAM), [(1920, 0), (2880, 1), (3840, 2), (4800, 3)]);
}

#[test]
fn a_loss_right_after_a_straggler_at_the_start_is_concealed() {
    let mut bench = Bench::seated(listener(60));
    bench.packet(ms(0), &STREAM.packet(2));
    bench.packet(ms(1), &STREAM.packet(0));
    bench.run_until(ms(79));
    assert_eq!(bench.actions(&STREAM), [(0, Played), (1, Concealed), (2, Played)]);
}

#[test]
fn a_straggler_from_before_an_ear_that_has_begun_is_late() {
    let mut bench = Bench::seated(listener(10));
    bench.packet(ms(0), &STREAM.packet(1));
    bench.packet(ms(5), &STREAM.packet(0));
    bench.run_until(ms(20));
    assert_eq!(bench.actions(&STREAM), [(0, Late), (1, Played)]);
}

#[test]
fn a_packet_that_comes_twice_is_played_once() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(1), &STREAM.packet(0));
    bench.packet(ms(45), &STREAM.packet(0));
    bench.run_until(ms(50));
    assert_eq!(bench.actions(&STREAM), [(0, Duplicate), (0, Played), (0, Duplicate)]);
    assert_eq!(bench.heard(&STREAM), [(1920, 0)]);
}

#[test]
fn frames_of_other_lengths_are_played_without_a_seam() {
    for frame_samples in [120, 480, 1920, 2880] {
        let stream = Stream { frame_samples, ..STREAM };
        let mut bench = Bench::seated(listener(80));
        for frame in 0..8 {
            bench.packet(ms(frame), &stream.packet(frame));
        }
        bench.run_until(ms(80) + stream.span(8) - Nanos::from_millis(10));
        let expected: Vec<_> = (0..8).map(|frame| ((3840 + frame * frame_samples) as usize, frame)).collect();
        assert_eq!(bench.heard(&stream), expected);
    }
}

#[test]
fn a_concealed_frame_lasts_as_long_as_the_one_before() {
    let stream = Stream { frame_samples: 2880, ..STREAM };
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &stream.packet(0));
    bench.packet(ms(155), &stream.packet(2));
    bench.run_until(ms(219));
    let records: Vec<_> = bench.playouts().iter().map(|p| (p.action, p.played)).collect();
    let at = |millis| Some(ms(millis));
    assert_eq!(records, [(Played, at(40)), (Concealed, at(100)), (Played, at(160))]);
}

#[test]
fn a_concealed_frame_never_covers_one_that_is_there() {
    let (long, short) = (Stream { frame_samples: 2880, ..STREAM }, Stream { frame_samples: 480, ..STREAM });
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &long.packet(0));
    // Frames of 60 ms become frames of 10 ms, of which the first is lost.
    bench.packet(ms(1), &short.packet_at(7, 2880 + 480));
    bench.run_until(ms(120));
    let actions: Vec<_> = bench.playouts().iter().map(|p| (p.action, p.played)).collect();
    assert_eq!(actions[..3], [(Played, Some(ms(40))), (Concealed, Some(ms(100))), (Played, Some(ms(110)))]);
}

#[test]
fn streams_are_added_up_each_with_its_own_anchor() {
    let other = Stream { ssrc: 8, ..STREAM };
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(10), &other.packet(0));
    bench.run_until(ms(69));
    let expected = |n: i64| {
        let voice = |from: i64| if (from..from + 960).contains(&n) { STREAM.sample(n - from) } else { 0.0 };
        voice(1920) + voice(2400)
    };
    assert!((0..).zip(&bench.ear).all(|(n, sample)| *sample == expected(n)));
}

#[test]
fn a_sum_beyond_full_scale_is_handed_on_uncut() {
    let loud = |ssrc| Stream { ssrc, ..STREAM }.packet(33);
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &loud(1));
    bench.packet(ms(0), &loud(2));
    bench.run_until(ms(59));
    let first = bench.ear_clock().first_sample_from(ms(40)).0 as usize;
    let sums = (0..960).map(|n| 2.0 * STREAM.sample(n + 33 * 960));
    assert!(sums.clone().any(|sum| sum > 1.0));
    assert!(bench.ear[first..first + 960].iter().copied().eq(sums));
}

/// Packets of a tone in Opus, 20 ms each.
fn opus_tone(frames: u16) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&CodecConfig::default()).unwrap();
    let mut payload = Vec::new();
    let packet = |frame: u16| {
        let (sequence, timestamp) = (frame, u32::from(frame) * 960);
        let tone: Vec<f32> = (timestamp..timestamp + 960).map(|n| 0.3 * (n as f32 * 0.0288).sin()).collect();
        encoder.encode(&tone, &mut payload).unwrap();
        let mut bytes = Vec::new();
        let packet = Repr { marker: false, payload_type: 111, sequence, timestamp, ssrc: 1, payload: &payload };
        packet.emit(&mut bytes);
        bytes
    };
    (0..frames).map(packet).collect()
}

/// Mean square of 20 ms of what the ear heard.
fn power(bench: &Bench, at: RunTime) -> f32 {
    let first = bench.ear_clock().first_sample_from(at).0 as usize;
    bench.ear[first..first + 960].iter().map(|x| x * x).sum::<f32>() / 960.0
}

#[test]
fn an_opus_frame_that_is_lost_is_concealed_with_sound() {
    let mut bench = Bench::seated(EndpointConfig { codec: CodecConfig::default(), ..listener(40) });
    for (frame, packet) in (0..).zip(opus_tone(10)).filter(|(frame, _)| *frame != 6) {
        bench.packet(ms(20 * frame), &packet);
    }
    bench.run_until(ms(239));
    let actions: Vec<_> = bench.playouts().iter().map(|p| p.action).collect();
    assert_eq!(actions[5..8], [Played, Concealed, Played]);
    assert!(power(&bench, ms(40 + 6 * 20)) > 0.1 * 0.045, "a tenth of the tone's power");
}

#[test]
fn opus_that_does_not_decode_does_not_move_what_follows() {
    let mut bench = Bench::seated(EndpointConfig { codec: CodecConfig::default(), ..listener(40) });
    for (frame, mut packet) in (0..).zip(opus_tone(10)) {
        if frame == 0 {
            // A packet of no frames (RFC 6716, section 3.2.5).
            packet.splice(12.., [0x03, 0x00]);
        }
        bench.packet(ms(20 * frame), &packet);
    }
    bench.run_until(ms(239));
    let records: Vec<_> = bench.playouts().iter().map(|p| (p.action, p.played)).collect();
    assert_eq!(records[..2], [(Undecodable, None), (Played, Some(ms(60)))]);
    assert_eq!(power(&bench, ms(40)), 0.0);
    assert!(power(&bench, ms(60)) > 1e-3, "the second frame sounds in its place");
}

#[test]
fn payloads_of_another_codec_are_recorded_and_not_played() {
    let mut bench = Bench::seated(listener(40));
    let mut packet = STREAM.packet(0);
    packet[1] = 111;
    bench.packet(ms(0), &packet);
    bench.run_until(ms(100));
    assert_eq!(bench.actions(&STREAM), [(0, Undecodable)]);
    assert_eq!(bench.heard(&STREAM), []);
}

#[test]
fn a_payload_that_does_not_decode_is_recorded_and_its_frame_concealed() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    let mut broken = STREAM.packet(1);
    broken.pop();
    bench.packet(ms(20), &broken);
    bench.packet(ms(40), &STREAM.packet(2));
    bench.run_until(ms(99));
    assert_eq!(bench.actions(&STREAM), [(0, Played), (1, Undecodable), (1, Concealed), (2, Played)]);
}

#[test]
fn what_does_not_come_from_the_relay_or_is_not_media_is_ignored() {
    let mut bench = Bench::seated(listener(40));
    let stranger = "127.0.0.1:4006".parse().unwrap();
    bench.input(ms(0), Input::Packet { from: stranger, received: ms(0), data: &STREAM.packet(0) });
    bench.packet(ms(1), &[0x80, 200, 0, 1, 0, 0, 0, 7]);
    bench.packet(ms(2), &STREAM.packet(0)[..11]);
    bench.run_until(ms(100));
    assert_eq!(bench.playouts(), []);
    assert_eq!(bench.heard(&STREAM), []);
}
