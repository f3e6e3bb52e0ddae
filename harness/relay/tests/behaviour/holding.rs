//! What a delayed tier holds back, and for how long.

use jiho_analysis::arrivals::Role::{Listener, Speaker};
use jiho_analysis::units::{Nanos, RunTime};
use jiho_relay::{Hold, Serving, Through};

use crate::desk::{Desk, addr, rtp};

fn ms(ms: i64) -> RunTime {
    RunTime::START + Nanos::from_millis(ms)
}

fn room(hold: Hold) -> Desk {
    let mut desk = Desk::serving(Serving::Forward, Serving::Tier { hold, through: Through::Forward });
    desk.seat(2, "ana", Speaker);
    desk.seat(3, "ben", Speaker);
    desk.seat(4, "lena", Listener);
    desk
}

#[test]
fn the_stage_is_served_at_once_and_the_audience_after_the_delay() {
    let mut desk = room(Hold::DelayLine(Nanos::from_secs(5)));
    for n in 0..3 {
        assert_eq!(desk.packet_at(ms(20 * n), 2, &rtp(9)), [(ms(20 * n), addr(3), rtp(9))]);
    }
    assert_eq!(desk.run_until(ms(5_020)), [(ms(5_000), addr(4), rtp(9)), (ms(5_020), addr(4), rtp(9))]);
    assert_eq!((desk.stats().forwarded, desk.stats().copies), (3, 5));
}

#[test]
fn a_segment_is_sent_at_once_when_it_is_complete() {
    let mut desk = room(Hold::Segments(Nanos::from_millis(50)));
    (0..4).for_each(|n| assert_eq!(desk.packet_at(ms(100 + 20 * n), 2, &rtp(9)).len(), if n == 3 { 4 } else { 1 }));
    assert_eq!(desk.run_until(ms(10_000)), [(ms(200), addr(4), rtp(9))]);
}

#[test]
fn whoever_comes_in_the_meantime_hears_what_was_held_back_and_whoever_went_does_not() {
    let mut desk = room(Hold::DelayLine(Nanos::from_secs(5)));
    desk.packet_at(ms(0), 2, &rtp(9));
    desk.hang_up(4);
    desk.seat(5, "lars", Listener);
    assert_eq!(desk.run_until(ms(5_000)), [(ms(5_000), addr(5), rtp(9))]);
}
