use jiho_proto::event::PlayoutAction::{Concealed, Duplicate, Late, Overflow, Played};
use jiho_proto::playout::{MAX_JUMP_SAMPLES, MAX_WAITING};

use crate::support::{Bench, FRAME, Stream, listener, ms};

const STREAM: Stream = Stream::USUAL;

/// Where at the ear a frame is heard if frame 0 came at the start and the delay is 40 ms.
fn place(frame: i64) -> usize {
    (1920 + frame * FRAME) as usize
}

#[test]
fn a_stream_that_stops_is_concealed_five_times_and_then_silent() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.run_until(ms(1000));
    let concealed = (1..=5).map(|frame| (frame, Concealed));
    assert_eq!(bench.actions(&STREAM), [(0, Played)].into_iter().chain(concealed).collect::<Vec<_>>());
}

#[test]
fn packets_in_time_after_silence_keep_their_place() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(400), &STREAM.packet(20));
    bench.packet(ms(420), &STREAM.packet(21));
    bench.run_until(ms(479));
    assert_eq!(bench.heard(&STREAM), [(place(0), 0), (place(20), 20), (place(21), 21)]);
}

#[test]
fn timestamps_that_stood_still_in_silence_anchor_the_stream_anew() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(400), &STREAM.packet(1));
    bench.packet(ms(420), &STREAM.packet(2));
    bench.run_until(ms(479));
    assert_eq!(bench.heard(&STREAM), [(place(0), 0), (440 * 48, 1), (460 * 48, 2)]);
}

#[test]
fn a_straggler_in_silence_does_not_anchor() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(40), &STREAM.packet(2));
    bench.packet(ms(400), &STREAM.packet(1));
    bench.packet(ms(401), &STREAM.packet(20));
    bench.run_until(ms(459));
    assert_eq!(bench.actions(&STREAM).last(), Some(&(20, Played)));
    assert!(bench.actions(&STREAM).contains(&(1, Late)));
    assert_eq!(bench.heard(&STREAM), [(place(0), 0), (place(2), 2), (place(20), 20)]);
}

#[test]
fn a_pause_that_is_known_in_time_is_no_loss() {
    let mut bench = Bench::seated(listener(60));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(20), &STREAM.packet_at(1, 5 * FRAME));
    bench.run_until(ms(179));
    assert_eq!(bench.actions(&STREAM), [(0, Played), (1, Played)]);
    assert_eq!(bench.heard(&STREAM), [(2880, 0), (2880 + 5 * 960, 1)]);
}

#[test]
fn a_jump_anchors_the_stream_anew_without_losing_what_waits() {
    for jump in [MAX_JUMP_SAMPLES + 4800, -(MAX_JUMP_SAMPLES + 4800), 1 << 30] {
        let mut bench = Bench::seated(listener(40));
        bench.packet(ms(0), &STREAM.packet(0));
        bench.packet(ms(20), &STREAM.packet(1));
        bench.packet(ms(35), &STREAM.packet_at(2, jump));
        bench.packet(ms(55), &STREAM.packet_at(3, jump + FRAME));
        bench.run_until(ms(114));
        assert_eq!(bench.heard(&STREAM)[..2], [(place(0), 0), (place(1), 1)]);
        // Frame 2 would overlap frame 1 by 5 ms.
        assert_eq!(bench.heard(&STREAM)[2..], [(95 * 48, 3)], "jump of {jump}");
    }
}

#[test]
fn a_sender_that_restarts_with_other_numbers_is_anchored_anew() {
    let again = Stream { first_sequence: 20_000, first_timestamp: 5, ..STREAM };
    let mut bench = Bench::seated(listener(40));
    for frame in 0..3 {
        bench.packet(ms(20 * frame), &STREAM.packet(frame));
    }
    for frame in 0..3 {
        bench.packet(ms(500 + 20 * frame), &again.packet(frame));
    }
    bench.run_until(ms(599));
    assert_eq!(bench.heard(&STREAM)[3..], [(540 * 48, 0), (560 * 48, 1), (580 * 48, 2)]);
}

#[test]
fn between_a_run_and_the_next_nothing_is_concealed() {
    let again = Stream { first_sequence: 20_000, ..STREAM };
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(35), &again.packet_at(0, 2 * MAX_JUMP_SAMPLES));
    bench.run_until(ms(89));
    let actions: Vec<_> = bench.playouts().iter().map(|p| (p.sequence, p.action)).collect();
    assert_eq!(actions, [(STREAM.first_sequence, Played), (20_000, Played)]);
    assert_eq!(bench.heard(&STREAM), [(40 * 48, 0), (75 * 48, 0)]);
}

#[test]
fn a_straggler_beyond_a_jump_is_late() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(50));
    bench.packet(ms(20), &STREAM.packet_at(49, -3 * MAX_JUMP_SAMPLES));
    bench.packet(ms(21), &STREAM.packet(51));
    bench.run_until(ms(79));
    assert_eq!(bench.actions(&STREAM), [(49, Late), (50, Played), (51, Played)]);
}

#[test]
fn a_stream_that_has_become_slower_than_its_delay_is_anchored_anew_in_the_end() {
    let mut bench = Bench::seated(listener(40));
    bench.packet(ms(0), &STREAM.packet(0));
    for frame in 1..10 {
        bench.packet(ms(100) + STREAM.span(frame), &STREAM.packet(frame));
    }
    bench.run_until(ms(339));
    let heard = bench.heard(&STREAM);
    let late = bench.actions(&STREAM).iter().filter(|(_, action)| *action == Late).count();
    assert_eq!(late + heard.len(), 10);
    let offset = heard[1].0 as i64 - heard[1].1 * FRAME;
    assert_eq!(offset, 140 * 48, "the first that is heard again is played 40 ms after it came");
    assert!(heard[1..].iter().all(|(at, frame)| *at as i64 - frame * FRAME == offset));
}

#[test]
fn a_stream_that_is_anchored_anew_goes_on_behind_what_was_played() {
    let mut bench = Bench::seated(listener(100));
    bench.packet(ms(0), &STREAM.packet(0));
    bench.packet(ms(40), &STREAM.packet(2));
    // The stream stops at 260 ms. Frame 4 is played 100 ms after it comes, and what it overtook, before it.
    bench.packet(ms(300), &STREAM.packet(4));
    bench.packet(ms(301), &STREAM.packet(3));
    bench.packet(ms(302), &STREAM.packet(1));
    bench.run_until(ms(419));
    assert_eq!(bench.heard(&STREAM), [(100 * 48, 0), (140 * 48, 2), (380 * 48, 3), (400 * 48, 4)]);
    assert!(bench.actions(&STREAM).contains(&(1, Late)));
}

#[test]
fn a_full_buffer_drops_what_comes_and_keeps_what_waits() {
    let tiny = Stream { frame_samples: 12, ..STREAM };
    let mut bench = Bench::seated(listener(1000));
    let frames = MAX_WAITING as i64 + 3;
    for frame in 0..frames {
        bench.packet(ms(0), &tiny.packet(frame));
    }
    bench.packet(ms(1), &tiny.packet(0));
    let dropped: Vec<_> = (frames - 3..frames).map(|frame| (frame, Overflow)).chain([(0, Duplicate)]).collect();
    assert_eq!(bench.actions(&tiny), dropped);
    bench.run_until(ms(1000) + tiny.span(frames - 3));
    assert_eq!(bench.heard(&tiny).len(), MAX_WAITING);
}
