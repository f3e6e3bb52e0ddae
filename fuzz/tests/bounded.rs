//! The fuzz targets on a bounded number of inputs: arbitrary bytes, and valid input that was damaged.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};
use jiho_fuzz::{control, experiment, pilot, rtp, wav};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const CASES: u32 = 2_000;

/// Text that parsers of numbers, durations and strings have stumbled over.
const AWKWARD: [&str; 14] = [
    "",
    "\0",
    "\n",
    "\"",
    "-1",
    "1e999",
    "nan",
    "inf",
    "99999999999999999999",
    "9223372036854775807ns",
    "1e-400s",
    "\u{feff}",
    "ß",
    "[[x]]",
];

/// One kind of damage. Places are relative, for inputs of any length.
#[derive(Clone, Debug)]
enum Damage {
    Flip {
        at: Index,
        bit: u8,
    },
    Overwrite {
        at: Index,
        byte: u8,
    },
    Insert {
        at: Index,
        word: &'static str,
    },
    Replace {
        from: Index,
        len: usize,
        word: &'static str,
    },
    Truncate {
        at: Index,
    },
    /// A stretch of another input takes the place of what is there.
    Splice {
        from: Index,
        len: usize,
        to: Index,
        donor: Vec<u8>,
    },
}

fn damage(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Overwrite { at, byte }),
        2 => (at(), select(&AWKWARD[..])).prop_map(|(at, word)| Damage::Insert { at, word }),
        2 => (at(), 0..12usize, select(&AWKWARD[..])).prop_map(|(from, len, word)| Damage::Replace { from, len, word }),
        1 => at().prop_map(|at| Damage::Truncate { at }),
        2 => (at(), 1..60usize, at(), select(seeds))
            .prop_map(|(from, len, to, donor)| Damage::Splice { from, len, to, donor }),
    ]
}

fn inflict(damage: &Damage, bytes: &mut Vec<u8>) {
    let place = |at: &Index, len: usize| at.index(len + 1);
    match damage {
        Damage::Flip { at, bit } => {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
        }
        Damage::Overwrite { at, byte } => {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        Damage::Insert { at, word } => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, word.bytes());
        }
        Damage::Replace { from, len, word } => {
            let from = place(from, bytes.len());
            let to = (from + len).min(bytes.len());
            bytes.splice(from..to, word.bytes());
        }
        Damage::Truncate { at } => bytes.truncate(place(at, bytes.len())),
        Damage::Splice { from, len, to, donor } => {
            let from = place(from, donor.len());
            let stretch = donor[from..donor.len().min(from + len)].to_vec();
            let to = place(to, bytes.len());
            bytes.splice(to..bytes.len().min(to + len), stretch);
        }
    }
}

fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds.clone()), vec(damage(seeds), 0..6)).prop_map(|(mut bytes, damages)| {
        for damage in &damages {
            inflict(damage, &mut bytes);
        }
        bytes
    })
}

fn packets() -> Vec<Vec<u8>> {
    let plain = [&[0x80, 0xef, 0x12, 0x34, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe][..], &[0x55; 80]].concat();
    // With two CSRCs, an extension of one word, and padding.
    let full = [
        &[0xb2, 0x6f, 0x12, 0x35, 1, 2, 6, 0xc4, 0xca, 0xfe, 0xba, 0xbe][..],
        &[0, 0, 0, 1, 0, 0, 1, 0],
        &[0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0],
        b"opus",
        &[0, 0, 0, 4],
    ];
    vec![plain, full.concat()]
}

fn lines() -> Vec<Vec<u8>> {
    [
        r#"{"join":{"name":"ana","role":"speaker","token":"t","media":"0.0.0.0:6000","subscribe":["ben"]}}"#,
        r#"{"join":{"name":"lena","role":"listener","token":"\u00df\n","media":"[::1]:6000"}}"#,
        r#"{"joined":{"media":"127.0.0.1:4005","payload_type":111,"sdp":"v=0\r\n"}}"#,
        r#"{"refused":{"reason":"the name is taken"}}"#,
        r#"{"talker":{"name":"ana","ssrc":4294967295}}"#,
        r#""leave""#,
    ]
    .map(|line| line.as_bytes().to_vec())
    .to_vec()
}

fn experiments() -> Vec<Vec<u8>> {
    let small = r#"
run.drain = "2m"
media.codec.l16 = {}
signal.jiho = {}
link.slow = { delay = "1m30s", jitter.uniform = "2.5ms", up.loss = "2.5%" }
speaker = [{ name = "a", link = "slow" }]
listener = [{ name = "b" }]
"#;
    vec![small.into(), jiho::experiment::TEMPLATE.into()]
}

/// One file for each usual way to store samples.
fn recordings() -> Vec<Vec<u8>> {
    let written = |bits_per_sample, sample_format, channels| {
        let mut file = Cursor::new(Vec::new());
        let spec = WavSpec { channels, sample_rate: 48_000, bits_per_sample, sample_format };
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for n in 0..40 * i32::from(channels) {
            match sample_format {
                SampleFormat::Int => writer.write_sample(n - 20).unwrap(),
                SampleFormat::Float => writer.write_sample(n as f32 / 80.0).unwrap(),
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    };
    vec![
        written(8, SampleFormat::Int, 1),
        written(16, SampleFormat::Int, 1),
        written(24, SampleFormat::Int, 2),
        written(32, SampleFormat::Float, 2),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn any_datagram_is_read_within_its_bounds(bytes in vec(any::<u8>(), 0..200)) {
        rtp(&bytes);
    }

    #[test]
    fn a_damaged_packet_is_read_within_its_bounds(bytes in damaged(packets())) {
        rtp(&bytes);
    }

    #[test]
    fn any_line_is_a_message_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        control(&bytes);
    }

    #[test]
    fn a_damaged_line_is_a_message_or_an_error(bytes in damaged(lines())) {
        control(&bytes);
    }

    #[test]
    fn any_text_is_an_experiment_or_a_problem_with_its_place(text in any::<String>()) {
        experiment(text.as_bytes());
    }

    #[test]
    fn a_damaged_experiment_reads_the_same_when_written_back(bytes in damaged(experiments())) {
        experiment(&bytes);
    }

    #[test]
    fn any_file_is_a_recording_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        wav(&bytes);
    }

    #[test]
    fn a_damaged_recording_gives_what_it_announces(bytes in damaged(recordings())) {
        wav(&bytes);
    }
}

proptest! {
    // A pilot takes a moment to render.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_sound_is_tracked_with_figures_that_are_numbers(bytes in vec(any::<u8>(), 0..400_000)) {
        pilot(&bytes);
    }
}

/// Without this, tests of damaged seeds could pass because the seeds were never valid.
#[test]
fn the_seeds_are_valid() {
    for packet in packets() {
        jiho_proto::wire::rtp::Packet::new_checked(&packet).unwrap();
    }
    for line in lines() {
        jiho_proto::control::Message::from_line(&line).unwrap();
    }
    for text in experiments() {
        let text = String::from_utf8(text).unwrap();
        jiho::experiment::Experiment::parse(&text, "seed.toml".as_ref()).unwrap();
    }
    for file in recordings() {
        let reader = jiho_drivers::wav::Reader::new(Cursor::new(file), "seed.wav".as_ref()).unwrap();
        assert_eq!((reader.frames(), reader.truncated()), (40, None));
    }
}
