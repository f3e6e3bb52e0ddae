//! Nothing in a device's callback allocates: the allocator counts, and a callback that calls it is a panic.
#![cfg(feature = "device")]

use jiho_analysis::signal::{Code, Programme, Signal};
use jiho_analysis::units::{Nanos, Rate, RunTime, SampleClock};
use jiho_drivers::clock::RunClock;
use jiho_drivers::device::headset::loudspeaker;
use jiho_drivers::device::steering::Steering;
use jiho_drivers::device::virtual_card::{Model, SampleFormat, VirtualCard};
use jiho_drivers::device::{Channels, Placed, SoundDevices, Source, StreamRequest};

/// Panics where a callback allocated or freed anything.
fn forbid(callback: &mut dyn FnMut()) {
    let calls = allocation_counter::measure(callback);
    assert_eq!((calls.count_total, calls.bytes_current), (0, 0), "the callback called the allocator");
}

fn request() -> StreamRequest {
    StreamRequest {
        device: None,
        rate: Rate::OPUS,
        buffer_frames: 480,
        channels: Channels::Most,
        only: None,
        clock: RunClock::start(),
    }
}

fn beeps() -> Source {
    let programme: Programme = Signal::VOICED
        .programmes(&Code::all().take(1).collect::<Vec<_>>(), RunTime::START, Nanos::from_secs(20))
        .remove(0);
    let clock = SampleClock::new(RunTime::START, Rate::OPUS);
    Box::new(move |first, samples| programme.render(&clock, first, samples))
}

#[test]
fn playing_beeps_and_recording_them_calls_no_allocator() {
    for format in [SampleFormat::F32, SampleFormat::I16, SampleFormat::U16, SampleFormat::I24] {
        let card = VirtualCard::guarded(Model { format, ..Model::default() }, forbid);
        let mut ear = card.record(&request()).unwrap();
        let mut mouth = card.play(&request(), beeps()).unwrap();
        let (mut placed, mut out, mut energy) = (Placed::default(), Vec::new(), 0.0);
        for _ in 0..100 {
            card.advance(Nanos::from_millis(50));
            ear.read_placed(&mut placed, &mut out);
            energy += out.iter().map(|sample| sample * sample).sum::<f32>();
        }
        assert!(energy > 10.0 && mouth.status().start().is_some(), "{format}: {energy}");
        // Nobody reads: rings overflow, and that takes no memory either.
        card.advance(Nanos::from_secs(10));
    }
}

#[test]
#[should_panic(expected = "the callback called the allocator")]
fn a_source_that_allocates_is_caught() {
    let card = VirtualCard::guarded(Model::default(), forbid);
    let source: Source = Box::new(|first, samples| samples.fill(format!("{first:?}").len() as f32 * 0.01));
    let _mouth = card.play(&request(), source).unwrap();
    card.advance(Nanos::from_millis(100));
}

#[test]
fn a_client_s_loudspeaker_that_keeps_to_another_clock_calls_no_allocator() {
    let card = VirtualCard::guarded(Model::default(), forbid);
    let (mut earpiece, speaker) = loudspeaker();
    let missing = speaker.missing();
    let mut steering = Steering::default();
    let mut mouth = card.play(&request(), steering.source(speaker)).unwrap();
    earpiece.open(SampleClock::new(RunTime::START, Rate::OPUS));
    for _ in 0..1000 {
        card.advance(Nanos::from_millis(10));
        earpiece.play(&[0.1; 480]);
        steering.look(&mouth.status(), card.now(), Nanos::ZERO);
    }
    assert_eq!(missing.samples(), 0);
}
