use jiho_analysis::roles::{Change, Step};
use jiho_proto::control::Message;
use jiho_proto::engine::Input;
use jiho_proto::event::{Event, StepTaken};

use crate::support::{Bench, Stream, listener, ms};

#[test]
fn it_plays_what_is_due_says_goodbye_and_is_done() {
    let mut bench = Bench::seated(listener(10));
    bench.packet(ms(0), &Stream::USUAL.packet(0));
    bench.input(ms(25), Input::Stop);
    assert_eq!(bench.ear.len(), 3 * 480);
    assert_eq!(bench.heard(&Stream::USUAL), [(480, 0)]);
    assert_eq!(bench.controls.last(), Some(&Message::Leave));
    let left = |event: &Event| matches!(event, Event::Step(StepTaken { change: Change::Leave, step: Step::Asked, .. }));
    assert!(bench.events.iter().any(|(at, event)| *at == ms(25) && left(event)));
    assert!(bench.done);
}

#[test]
fn nothing_comes_after_the_end() {
    let mut bench = Bench::seated(listener(10));
    bench.input(ms(25), Input::Stop);
    let (samples, events) = (bench.ear.len(), bench.events.len());
    bench.packet(ms(30), &Stream::USUAL.packet(0));
    bench.input(ms(100), Input::Timer);
    bench.input(ms(100), Input::Stop);
    assert_eq!((bench.ear.len(), bench.events.len(), bench.controls.len()), (samples, events, 2));
}
