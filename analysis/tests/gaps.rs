//! What a change of somebody's role is said to have done to sound, for tracks that say exactly when what sounded.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;

use jiho_analysis::metrics::{
    Gap, GapKind, Hearing, PlayedFrame, RoleChange, Side, Spoken, Taken, gaps, role_changes, stack,
};
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::signal::Code;
use jiho_analysis::track::{Edge, Lag, Segment};
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};

fn ms(ms: i64) -> Nanos {
    Nanos::from_millis(ms)
}

fn at(ms: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(ms)
}

/// A pilot that sounds from one instant to another, so much later than it was spoken, after silence.
fn segment((from_ms, to_ms, delay_ms): (i64, i64, i64)) -> Segment {
    let lag = Lag { value: ms(delay_ms), sd: Nanos(1000) };
    let edge = |at_ms| Edge { at: ms(at_ms), lag, settled: lag };
    Segment { code: Code::new(0).unwrap(), from: edge(from_ms), to: edge(to_ms), gain: 1.0, gap_db: Some(-90.0) }
}

fn taken(at_ms: i64, node: &str, change: Change, step: Step, detail: &str) -> Taken {
    let (node, subject, detail) = (node.to_owned(), "lena".to_owned(), detail.to_owned());
    let number = (change != Change::Join).then_some(1);
    Taken { at: at(at_ms), node, number, change, subject, step, detail }
}

/// Lena's change at 5 s, which she is told of 30 ms later and that is done after 1 s.
fn change(change: Change) -> Vec<RoleChange> {
    let steps = [
        taken(5000, "relay", change, Step::Commanded, ""),
        taken(5030, "lena", change, Step::Granted, ""),
        taken(6000, "relay", change, Step::Done, ""),
    ];
    role_changes(&steps)
}

fn heard(
    changes: &[RoleChange],
    speaker: &str,
    recorder: &str,
    spoken_ms: &[(i64, i64)],
    track_ms: &[(i64, i64, i64)],
) -> Option<Gap> {
    let segments: Vec<Segment> = track_ms.iter().copied().map(segment).collect();
    let spoken: Spoken = spoken_ms.iter().map(|&(from, to)| at(from)..at(to)).collect();
    let hearing = Hearing {
        speaker,
        recorder,
        clock: SampleClock::new(RunTime::START, Rate::OPUS),
        ends: at(30_000),
        began: RunTime::START,
        segments: &segments,
    };
    let all = gaps(changes, &BTreeMap::from([(speaker.to_owned(), spoken)]), &[hearing]);
    assert!(all.len() <= 1);
    all.into_iter().next()
}

const ALWAYS: &[(i64, i64)] = &[(0, 30_000)];

#[test]
fn a_promotion_has_its_silence_what_was_lost_in_it_and_the_time_to_first_and_to_steady_sound() {
    let track = [(300, 5100, 300), (6600, 7000, 100), (7000, 30_000, 60)];
    let gap = heard(&change(Change::Promote), "ana", "lena", ALWAYS, &track).unwrap();
    assert_eq!((gap.kind, gap.side, gap.far_end_active), (GapKind::SilentGap, Side::Ear, true));
    assert_eq!((gap.last_before, gap.first_after), (Some(at(5100)), Some(at(6600))));
    assert_eq!(gap.silence, Some(ms(1500)));
    // From what was said at 4800 to what was said at 6500.
    assert_eq!((gap.lost, gap.repeated), (Some(ms(1700)), Some(Nanos::ZERO)));
    assert_eq!((gap.first_audio, gap.steady), (Some(ms(1600)), Some(ms(2000))));
    assert_eq!((gap.delay_before, gap.delay_after), (Some(ms(300)), Some(ms(100))));
}

#[test]
fn kinds_are_told_apart() {
    for (track, kind, lost, repeated) in [
        ([(300, 5100, 300), (5102, 30_000, 60)], GapKind::Skip, 242, 0),
        ([(300, 5100, 60), (5100, 30_000, 5060)], GapKind::Replay, 0, 5000),
        ([(300, 5100, 60), (5400, 30_000, 5060)], GapKind::SilentGap, 0, 4700),
        ([(300, 5100, 60), (5000, 30_000, 160)], GapKind::Overlap, 0, 200),
    ] {
        let gap = heard(&change(Change::Demote), "ana", "lena", ALWAYS, &track).unwrap();
        assert_eq!(gap.kind, kind);
        assert_eq!((gap.lost, gap.repeated), (Some(ms(lost)), Some(ms(repeated))), "{kind:?}");
    }
    let compressed = [(300, 5100, 90), (5100, 5300, 80), (5300, 5500, 70), (5500, 30_000, 60)];
    let gap = heard(&change(Change::Promote), "ana", "lena", ALWAYS, &compressed).unwrap();
    assert_eq!((gap.kind, gap.steady), (GapKind::CatchUp, Some(ms(500))));
    let gap = heard(&change(Change::Unmute), "ana", "lena", ALWAYS, &[(300, 30_000, 60)]).unwrap();
    assert_eq!((gap.kind, gap.silence, gap.first_after), (GapKind::None, Some(Nanos::ZERO), None));
    let gap = heard(&change(Change::Promote), "ana", "lena", ALWAYS, &[(300, 5100, 60)]).unwrap();
    assert_eq!((gap.kind, gap.last_before, gap.first_after), (GapKind::Unheard, Some(at(5100)), None));
}

#[test]
fn a_packet_loss_is_no_gap_unless_it_is_longer_than_any_at_another_time() {
    let lost = |length_ms: i64| {
        let track = [(300, 2000, 60), (2060, 5200, 60), (5200 + length_ms, 20_000, 60), (20_040, 30_000, 60)];
        heard(&change(Change::Promote), "ana", "lena", ALWAYS, &track).unwrap()
    };
    assert_eq!(lost(40).kind, GapKind::None);
    assert_eq!(lost(80).kind, GapKind::None);
    assert_eq!((lost(100).kind, lost(100).silence), (GapKind::SilentGap, Some(ms(100))));
}

#[test]
fn a_speaker_who_falls_silent_makes_no_gap_at_somebody_elses_promotion() {
    let track = [(60, 5060, 60), (5900, 30_000, 60)];
    let gap = heard(&change(Change::Promote), "ana", "lena", &[(0, 5000), (5840, 30_000)], &track).unwrap();
    assert_eq!((gap.kind, gap.silence), (GapKind::None, Some(Nanos::ZERO)));
    assert_eq!(heard(&change(Change::Promote), "ana", "lena", ALWAYS, &track).unwrap().kind, GapKind::SilentGap);
}

#[test]
fn a_promoted_mouth_has_a_time_to_be_heard_and_first_words_that_were_cut() {
    let gap = heard(&change(Change::Promote), "lena", "ana", &[(5400, 30_000)], &[(5480, 30_000, 70)]).unwrap();
    assert_eq!((gap.kind, gap.side, gap.far_end_active), (GapKind::Begins, Side::Mouth, false));
    assert_eq!((gap.first_audio, gap.steady), (Some(ms(480)), Some(ms(480))));
    // She is told at 5030; what is heard first was said at 5410.
    assert_eq!((gap.lost, gap.silence), (Some(ms(380)), None));
    let never = heard(&change(Change::Promote), "lena", "ana", &[(5400, 30_000)], &[]).unwrap();
    assert_eq!((never.kind, never.first_after), (GapKind::Unheard, None));
}

#[test]
fn a_muted_mouth_ends_with_the_words_that_were_on_their_way() {
    let gap = heard(&change(Change::Mute), "lena", "ana", &[(0, 5030)], &[(60, 5090, 60)]).unwrap();
    assert_eq!((gap.kind, gap.last_before, gap.lost), (GapKind::Ends, Some(at(5090)), Some(Nanos::ZERO)));
    let cut = heard(&change(Change::Mute), "lena", "ana", &[(0, 5030)], &[(60, 5010, 60)]).unwrap();
    assert_eq!(cut.lost, Some(ms(50)));
}

#[test]
fn a_join_has_no_before_and_misses_the_programme_since_its_command() {
    let joins = role_changes(&[taken(5000, "lena", Change::Join, Step::Asked, "")]);
    let gap = heard(&joins, "ana", "lena", ALWAYS, &[(5200, 30_000, 60)]).unwrap();
    assert_eq!((gap.kind, gap.last_before, gap.silence), (GapKind::Begins, None, None));
    assert_eq!((gap.first_audio, gap.lost), (Some(ms(200)), Some(ms(140))));
    assert_eq!(heard(&joins, "ana", "lena", &[(6000, 30_000)], &[(6060, 30_000, 60)]), None, "nothing to be missed");
}

/// Frames played without a break from one instant to another, 40 ms after they came.
fn frames(from_ms: i64, to_ms: i64) -> Vec<PlayedFrame> {
    let played = (from_ms..to_ms).step_by(20).map(at);
    played.map(|played| PlayedFrame { received: played - ms(40), played }).collect()
}

#[test]
fn a_silence_is_the_sum_of_its_steps_and_what_they_do_not_explain_is_said() {
    let promote = Change::Promote;
    let changes = role_changes(&[
        taken(5000, "relay", promote, Step::Commanded, ""),
        taken(5015, "lena", promote, Step::Granted, ""),
        taken(5110, "lena", promote, Step::OldPathClosed, ""),
        taken(5130, "lena", promote, Step::Offered, ""),
        taken(5145, "relay", promote, Step::Offered, ""),
        taken(6130, "lena", promote, Step::FlightRetransmitted, "client_hello"),
        taken(6145, "relay", promote, Step::FlightReceived, "client_hello"),
        taken(6200, "relay", promote, Step::SubscriberNotified, "ana"),
        taken(6500, "relay", promote, Step::FirstMediaForwarded, "lena"),
    ]);
    let ear = SampleClock::new(at(-5), Rate::OPUS);
    // A longer pause at another time is not what was heard.
    let played = [frames(300, 1000), frames(3000, 5120), frames(6600, 9000)].concat();
    for (first_ms, explained) in [(6603, true), (6800, false)] {
        let track = [(300, 5108, 60), (first_ms, 30_000, 70)];
        let gap = heard(&changes, "ana", "lena", ALWAYS, &track).unwrap();
        let stack = stack(&changes[0], &gap, &played, &ear).unwrap();
        let steps: Vec<(Step, i64)> =
            stack.pieces.iter().map(|piece| (piece.step, piece.length().0 / 1_000_000)).collect();
        let expected = [
            // A path that is closed in the middle of a frame, and of a period, ends with the period.
            (Step::Offered, 15),
            (Step::Offered, 15),
            (Step::FlightRetransmitted, 985),
            (Step::FlightReceived, 15),
            (Step::FirstMediaForwarded, 355),
            (Step::FirstMediaReceived, 60),
            (Step::FirstPlayed, 40),
        ];
        assert_eq!(steps, expected);
        assert_eq!((stack.sum(), stack.explains()), (ms(1485), explained));
        assert_eq!(stack.unexplained(), ms(first_ms - 5108 - 1485));
    }
}

#[test]
fn the_wait_to_be_heard_is_the_sum_of_its_steps_too() {
    let promote = Change::Promote;
    let changes = role_changes(&[
        taken(5000, "relay", promote, Step::Commanded, ""),
        taken(5030, "lena", promote, Step::Granted, ""),
        taken(5060, "lena", promote, Step::FirstMediaSent, ""),
        taken(5090, "relay", promote, Step::SubscriberNotified, "ben"),
        taken(5100, "relay", promote, Step::SubscriberNotified, "ana"),
    ]);
    let gap = heard(&changes, "lena", "ana", &[(5030, 30_000)], &[(5171, 30_000, 140)]).unwrap();
    let stack = stack(&changes[0], &gap, &frames(5170, 9000), &SampleClock::new(at(0), Rate::OPUS)).unwrap();
    let steps: Vec<(Step, i64)> = stack.pieces.iter().map(|piece| (piece.step, piece.length().0 / 1_000_000)).collect();
    let expected = [
        (Step::Granted, 30),
        (Step::FirstMediaSent, 30),
        (Step::SubscriberNotified, 40),
        (Step::FirstMediaReceived, 30),
        (Step::FirstPlayed, 40),
    ];
    assert_eq!(steps, expected);
    assert_eq!(stack.unexplained(), ms(1));
}
