//! Ears that are not recorded are heard as recorded ones are.

use std::process::Command;

use crate::room::{Ran, simulated};

fn experiment(recordings: &str) -> String {
    format!(
        "name = \"crowd\"\n[run]\nduration = \"6s\"\n{recordings}\n\
         [link.default]\ndelay = \"20ms\"\nloss = \"3%\"\njitter.normal = \"5ms\"\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
         [[listener]]\nname = \"crowd\"\ncount = 20\n"
    )
}

/// Everything about delays that does not come from a listener's packets.
fn delays(ran: &Ran) -> Vec<(String, String, u32, String, Option<i64>)> {
    let delays = ran.delays().into_iter();
    delays.map(|row| (row.speaker, row.recorder, row.beep, row.status, row.delay_ns)).collect()
}

#[test]
fn an_ear_that_is_not_recorded_hears_what_a_recorded_one_hears() {
    let (recorded, heard) = (simulated(&experiment("")), simulated(&experiment("recordings = [\"crowd-7\"]")));
    let (expected, found) = (delays(&recorded), delays(&heard));
    assert_eq!((expected.len(), found.len()), (2 * 6 * 21, 2 * 6 * 21));
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!((&expected.0, &expected.1, expected.2, &expected.3), (&found.0, &found.1, found.2, &found.3));
        // A recording rounds samples to 16 bits.
        let apart_ns = expected.4.zip(found.4).map_or(0, |(expected, found)| (expected - found).abs());
        assert!(apart_ns <= 1_000 && expected.4.is_some() == found.4.is_some(), "{expected:?} {found:?}");
    }
    assert!(heard.stdout.contains("medians at 20 ears"), "{}", heard.stdout);
    assert!(heard.stderr.contains("× real time"), "{}", heard.stderr);
}

#[test]
fn the_folder_holds_recordings_and_packets_of_the_named_only_and_can_be_analysed_again() {
    let ran = simulated(&experiment("recordings = [\"crowd-7\"]"));
    let recordings = |ran: &Ran| {
        let names = std::fs::read_dir(&ran.dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".wav")).collect::<Vec<_>>()
    };
    assert_eq!(recordings(&ran), ["ear-crowd-7.wav"]);
    let received: Vec<String> = ran.packets().into_iter().filter(|p| p.tap == "received").map(|p| p.endpoint).collect();
    assert!(!received.is_empty() && received.iter().all(|endpoint| endpoint == "crowd-7"));
    let before = delays(&ran);
    let again = Command::new(env!("CARGO_BIN_EXE_jiho")).arg("analyze").arg(&ran.dir).output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(delays(&ran), before);
}
