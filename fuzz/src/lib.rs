//! What must hold for whatever bytes come from the network or a file: one function per parser, which panics if it
//! does not. Two programmes call them: the bounded property tests (`tests/bounded.rs`), in every test run, and the
//! libFuzzer binaries, for as long as somebody likes:
//!
//! ```sh
//! cargo +nightly fuzz run --features libfuzzer experiment fuzz/corpus/experiment fixtures/experiments
//! ```

use std::io::Cursor;
use std::path::Path;

use jiho::experiment::Experiment;
use jiho_analysis::hear::Hearing;
use jiho_analysis::signal::{Code, Family, Pilot};
use jiho_analysis::track::{Tracker, breaks};
use jiho_analysis::units::{Nanos, Rate};
use jiho_drivers::wav::Reader;
use jiho_proto::control::{MAX_LINE_BYTES, Message};
use jiho_proto::wire::{self, rtp};

/// A datagram on a media port: an RTP packet's parts lie within it, and what jiho would keep of it survives being
/// written and read again.
pub fn rtp(datagram: &[u8]) {
    let _ = wire::classify(datagram);
    let packet = match rtp::Packet::new_checked(datagram) {
        Ok(packet) => packet,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(packet.version(), 2);
    let extension_bytes = packet.extension().map_or(0, |(_, data)| 4 + data.len());
    let header_bytes = rtp::HEADER_BYTES + 4 * packet.csrc().count() + extension_bytes;
    let end = header_bytes + packet.payload().len();
    assert_eq!(datagram.get(header_bytes..end), Some(packet.payload()));
    assert_eq!(packet.has_padding(), end < datagram.len());

    let kept = rtp::Repr::parse(&packet);
    let mut written = Vec::new();
    kept.emit(&mut written);
    assert_eq!(written.len(), kept.len_bytes());
    assert_eq!(rtp::Packet::new_checked(&written).map(|packet| rtp::Repr::parse(&packet)), Ok(kept));
}

/// A line on a control connection: what is understood survives being written, as one line, and read again.
pub fn control(line: &[u8]) {
    let message = match Message::from_line(line) {
        Ok(message) => message,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let written = message.to_line();
    assert_eq!(written.find('\n'), Some(written.len() - 1), "one message, one line");
    // An address can be spelt shorter than jiho writes it: a line at the limit may grow beyond it.
    if written.len() <= MAX_LINE_BYTES {
        assert_eq!(Message::from_line(written.as_bytes()).ok(), Some(message));
    }
}

/// An experiment's file: what is accepted reads the same when written back in its effective form, and what is refused
/// is refused with a message about a place in the file.
pub fn experiment(file: &[u8]) {
    let Ok(text) = std::str::from_utf8(file) else { return };
    let origin = Path::new("fuzzed.toml");
    match Experiment::parse(text, origin) {
        Ok(experiment) => {
            let written = experiment.to_toml();
            assert_eq!(Experiment::parse(&written, origin), Ok(experiment), "written as\n{written}");
        }
        Err(invalid) => {
            assert!(!invalid.problems.is_empty());
            assert!(invalid.to_string().contains("fuzzed.toml"));
            for spot in invalid.problems.iter().filter_map(|problem| problem.spot.as_ref()) {
                assert!((1..=text.lines().count() + 1).contains(&spot.line));
            }
        }
    }
}

/// Samples of a file that are listened to: enough for several blocks of the search, and quick.
const HEARD: usize = 20_000;

/// A WAV file: it gives as many samples as it announces, none of them beyond what its bytes can hold, all of them
/// numbers, in which time signals can be looked for; or an error that names it.
pub fn wav(file: &[u8]) {
    pipe(file);
    let mut reader = match Reader::new(Cursor::new(file), Path::new("fuzzed.wav")) {
        Ok(reader) => reader,
        Err(error) => return assert!(error.to_string().starts_with("fuzzed.wav")),
    };
    let (channels, frames) = (reader.channels(), reader.frames());
    assert!(channels > 0 && frames > 0 && reader.rate().0 > 0);
    assert!(frames.saturating_mul(channels as u64) <= file.len() as u64, "a sample has at least one byte");

    let (mut block, mut given, mut first) = (Vec::new(), 0, Vec::new());
    loop {
        let read = reader.next_block(&mut block);
        assert!(read.is_ok(), "announced and not there: {read:?}");
        let Ok(1..) = read else { break };
        assert_eq!(block.len(), channels);
        for samples in &block {
            assert_eq!(Some(samples.len()), read.as_ref().ok().copied());
            assert!(samples.iter().all(|sample| sample.is_finite()));
        }
        given += block[0].len() as u64;
        first.extend(block[0].iter().take(HEARD - first.len()));
    }
    assert_eq!(given, frames);
    hear(&first, reader.rate());
}

/// The same bytes through a pipe: no more samples than bytes, all of them numbers.
fn pipe(bytes: &[u8]) {
    let Ok(mut reader) = Reader::piped(bytes, Path::new("fuzzed.wav")) else { return };
    let (mut block, mut given) = (Vec::new(), 0);
    while let Ok(frames @ 1..) = reader.next_block(&mut block) {
        assert!(block.iter().flatten().all(|sample| sample.is_finite()));
        given += frames * reader.channels();
    }
    assert!(given <= bytes.len());
}

/// Any sound at all, as 32-bit floats, not all of them numbers: what a tracker says of it are numbers in their ranges, in
/// order of time.
pub fn pilot(bytes: &[u8]) {
    let samples: Vec<f32> = bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect();
    let codes: Vec<Code> = Code::all().take(2).collect();
    let mut tracker = Tracker::new(Rate(8000), &codes);
    let mut tracked = tracker.push(&samples);
    let rest = tracker.finish();
    tracked.blocks.extend(rest.blocks);
    tracked.segments.extend(rest.segments);
    assert!(tracked.blocks.is_sorted_by_key(|block| block.at));
    for block in &tracked.blocks {
        assert!(block.level_db.is_finite() && block.rest_db.is_finite(), "{block:?}");
        if let Some(heard) = block.pilot {
            assert!((Nanos::ZERO..Pilot::PERIOD).contains(&heard.lag.value), "{block:?}");
            assert!(heard.gain.is_finite() && (0.0..=1.0).contains(&heard.rho), "{block:?}");
        }
    }
    for code in codes {
        for found in breaks(code, &tracked.segments) {
            assert!(found.first_after >= found.last_before, "{found:?}");
        }
    }
}

/// Whatever is heard has its place near the recording and figures that are numbers.
fn hear(samples: &[f32], rate: Rate) {
    let codes: Vec<Code> = Code::all().take(1).collect();
    let mut hearing = Hearing::new(rate, Family::Voiced, &codes);
    let mut heard = hearing.push(samples);
    heard.extend(hearing.finish());
    for detection in heard {
        assert!(detection.position.is_finite() && (0.0..=1.0).contains(&detection.score), "{detection:?}");
    }
}
