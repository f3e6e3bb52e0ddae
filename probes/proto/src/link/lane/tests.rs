//! A lane against what its settings say. What each kind of jitter and loss amounts to is tested where it is defined.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::super::{Bottleneck, Empirical, Jitter, Loss, Outage, QueueLimit, RouteChange};
use super::*;

const N: i64 = 50_000;
const BASE: Nanos = Nanos::from_millis(30);
const BYTES: usize = 92;

/// A relay's stream to a listener.
fn flow(ssrc: u32) -> Flow {
    let (relay, listener) = (SocketAddr::from(([10, 0, 0, 1], 4000)), SocketAddr::from(([10, 0, 0, 2], 4000)));
    let mut rtp = [0; 12];
    rtp[0] = 0x80;
    rtp[8..].copy_from_slice(&ssrc.to_be_bytes());
    Flow::of(relay, listener, &rtp)
}

fn lane(direction: Direction) -> Lane {
    Lane::new(direction, [7, 0, 0])
}

fn with_delay() -> Direction {
    Direction { delay: BASE, ..Direction::default() }
}

fn ms(millis: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(millis)
}

/// When each of `N` datagrams, one every 20 ms, leaves.
fn passages(direction: Direction) -> Vec<Passage> {
    let mut lane = lane(direction);
    (0..N).map(|n| lane.pass(flow(1), ms(20 * n), BYTES)).collect()
}

fn lost(direction: Direction) -> Vec<bool> {
    passages(direction).iter().map(|passage| passage.leaves.is_none()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn an_ideal_direction_changes_nothing() {
    let passage = lane(Direction::default()).pass(flow(1), RunTime(42), BYTES);
    assert_eq!(passage, Passage { leaves: Some(RunTime(42)), again: None });
}

#[test]
fn without_jitter_every_datagram_takes_the_base_delay() {
    let all = passages(with_delay());
    assert!((0..).zip(&all).all(|(n, passage)| passage.leaves == Some(ms(20 * n + 30))));
}

#[test]
fn whatever_else_a_link_does_it_loses_the_same_datagrams() {
    let loss = Loss::GilbertElliott { good_to_bad: 0.02, bad_to_good: 0.3, in_good: 0.01, in_bad: 0.8 };
    let plain = Direction { loss, ..with_delay() };
    let busy = Direction {
        jitter: Jitter::Normal { sd: Nanos::from_millis(2) },
        correlation: 0.5,
        duplication: 0.3,
        bottleneck: Some(Bottleneck { bytes_per_second: 100_000, limit: QueueLimit::Wait(BASE) }),
        route_changes: vec![RouteChange { at: ms(5), delay: Nanos::ZERO }],
        reorder: true,
        ..plain.clone()
    };
    assert_eq!(lost(plain), lost(busy));
}

#[test]
fn losing_more_does_not_change_the_jitter_of_what_gets_through() {
    let jitter = Jitter::Normal { sd: Nanos::from_millis(2) };
    let (all, some) = (
        passages(Direction { jitter: jitter.clone(), correlation: 0.9, ..with_delay() }),
        passages(Direction { jitter, correlation: 0.9, loss: Loss::Independent(0.5), ..with_delay() }),
    );
    assert!(all.iter().zip(&some).all(|(all, some)| some.leaves.is_none() || all == some));
}

#[test]
fn a_delay_is_never_negative() {
    let jitter = Jitter::Normal { sd: Nanos::from_millis(20) };
    let mut lane = lane(Direction { delay: Nanos::from_millis(1), jitter, reorder: true, ..Direction::default() });
    let exits: Vec<_> = (0..1000).filter_map(|_| lane.pass(flow(1), RunTime::START, BYTES).leaves).collect();
    assert!(exits.iter().all(|exit| *exit >= RunTime::START));
    assert!(exits.contains(&RunTime::START));
}

#[test]
fn a_datagram_overtakes_another_only_where_reordering_is_asked_for() {
    let exits = |reorder| {
        let jitter = Jitter::Normal { sd: Nanos::from_millis(5) };
        let mut lane = lane(Direction { jitter, reorder, ..with_delay() });
        (0..1000).filter_map(|n| lane.pass(flow(1), ms(n), BYTES).leaves).collect::<Vec<_>>()
    };
    assert!(exits(false).is_sorted());
    assert!(!exits(true).is_sorted());
}

#[test]
fn the_median_delay_does_not_depend_on_how_many_flows_share_the_direction() {
    let median = |flows: u32| {
        let jitter = Jitter::Normal { sd: Nanos::from_millis(5) };
        let mut lane = lane(Direction { jitter, ..with_delay() });
        let mut delays = Vec::new();
        for packet in 0..N / i64::from(flows) {
            let enters = ms(20 * packet);
            let pass = |ssrc| Some((lane.pass(flow(ssrc), enters, BYTES).leaves? - enters).as_millis_f64());
            delays.extend((0..flows).filter_map(pass));
        }
        median(delays)
    };
    // Standard error of the median of 50 000: 1.25 · 5 ms / √50 000 = 0.03 ms.
    for flows in [1, 2, 8, 24] {
        assert!((median(flows) - 30.0).abs() < 0.15, "{flows} flows: {} ms", median(flows));
    }
}

#[test]
fn flows_wait_for_each_other_at_a_bottleneck() {
    let bottleneck = Bottleneck { bytes_per_second: 12_000, limit: QueueLimit::Wait(BASE) };
    let mut lane = lane(Direction { bottleneck: Some(bottleneck), ..with_delay() });
    // 92 bytes and 28 of headers last 10 ms.
    let exits = [1, 2, 3, 4, 5].map(|ssrc| lane.pass(flow(ssrc), ms(0), BYTES).leaves);
    assert_eq!(exits, [Some(ms(40)), Some(ms(50)), Some(ms(60)), Some(ms(70)), None]);
    assert_eq!(lane.stats(), LaneStats { passed: 4, queue_full: 1, ..LaneStats::default() });
}

#[test]
fn an_outage_swallows_what_enters_and_nothing_that_is_under_way() {
    let outages = vec![Outage { at: ms(1000), lasts: Nanos::from_millis(100) }];
    let all = passages(Direction { outages, ..with_delay() });
    let gone: Vec<usize> = (0..all.len()).filter(|n| all[*n].leaves.is_none()).collect();
    assert_eq!(gone, [50, 51, 52, 53, 54], "the one that enters at its end gets through");
}

#[test]
fn a_route_change_moves_the_delay_of_what_enters_from_then_on() {
    let route_changes = vec![
        RouteChange { at: ms(1000), delay: Nanos::from_millis(80) },
        RouteChange { at: ms(2000), delay: Nanos::from_millis(10) },
    ];
    let all = passages(Direction { route_changes, reorder: true, ..with_delay() });
    let delay = |n: usize| all[n].leaves.unwrap() - ms(20 * n as i64);
    assert_eq!([49, 50, 99, 100].map(|n| delay(n).as_millis_f64()), [30.0, 80.0, 80.0, 10.0]);
}

#[test]
fn as_many_datagrams_are_doubled_as_asked_for_and_the_copies_come_right_after() {
    let all = passages(Direction { duplication: 0.1, ..with_delay() });
    let doubled: Vec<_> = all.iter().filter(|passage| passage.again.is_some()).collect();
    // Standard deviation of the count: √(50 000 · 0.1 · 0.9) = 67.
    assert!((4650..5350).contains(&doubled.len()), "{}", doubled.len());
    assert!(doubled.iter().all(|passage| passage.again == passage.leaves && passage.exits().count() == 2));
}

#[test]
fn control_messages_take_the_base_delay_of_the_moment_and_outlast_outages() {
    let lane = lane(Direction {
        loss: Loss::Independent(1.0),
        outages: vec![
            Outage { at: ms(100), lasts: Nanos::from_millis(50) },
            Outage { at: ms(150), lasts: Nanos::from_millis(50) },
        ],
        route_changes: vec![RouteChange { at: ms(180), delay: Nanos::from_millis(60) }],
        ..with_delay()
    });
    assert_eq!([0, 99, 120, 200].map(|at| lane.carry(ms(at))), [ms(30), ms(129), ms(260), ms(260)]);
}

#[test]
fn absurd_settings_saturate_instead_of_overflowing() {
    let jitter = Jitter::LogNormal { median: Nanos(i64::MAX), sigma: 1e300 };
    let mut lane = lane(Direction { delay: Nanos(i64::MAX), jitter, ..Direction::default() });
    assert_eq!(lane.pass(flow(1), RunTime(5), BYTES).leaves, Some(RunTime(i64::MAX)));
    assert_eq!(lane.carry(RunTime(5)), RunTime(i64::MAX));
}

proptest! {
    #[test]
    fn whatever_enters_leaves_later_or_never_and_is_counted(
        delay in 0..100i64, sd in 0..50i64, correlation in 0.0..1.0_f64, loss in 0.0..1.0_f64, duplication in 0.0..1.0_f64,
        rate in 1000..100_000u64, seed in any::<u64>(), reorder in any::<bool>(),
        gaps in prop::collection::vec(0..40i64, 1..100),
    ) {
        let direction = Direction {
            delay: Nanos::from_millis(delay),
            jitter: Jitter::Empirical(Empirical::new([-sd, 0, sd].map(Nanos::from_millis).to_vec()).unwrap()),
            correlation,
            loss: Loss::Independent(loss),
            duplication,
            bottleneck: Some(Bottleneck { bytes_per_second: rate, limit: QueueLimit::Bytes(2000) }),
            outages: vec![Outage { at: ms(50), lasts: Nanos::from_millis(20) }],
            reorder,
            ..Direction::default()
        };
        let mut lane = Lane::new(direction, [seed, 1, 2]);
        let (mut enters, mut last) = (RunTime::START, RunTime::START);
        for gap in &gaps {
            enters = enters + Nanos::from_millis(*gap);
            let passage = lane.pass(flow(1), enters, BYTES);
            prop_assert!(passage.leaves.is_some() || passage.again.is_none());
            for exit in passage.exits() {
                prop_assert!(exit >= enters);
                prop_assert!(reorder || exit >= last);
                last = exit;
            }
        }
        prop_assert_eq!(lane.stats().passed + lane.stats().gone(), gaps.len() as u64);
    }
}
