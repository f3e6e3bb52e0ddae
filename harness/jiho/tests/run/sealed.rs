//! A room that is encrypted end to end measures as one that is not, except at who has no key.

use std::collections::BTreeSet;

use crate::room::{Ran, run, simulated};

const ENCRYPTED: &str = include_str!("../../../../fixtures/experiments/encrypted.toml");

/// The same room without encryption.
fn open() -> String {
    let without = |line: &&str| !line.starts_with("seal.") && !line.starts_with("keyless");
    ENCRYPTED.lines().filter(without).map(|line| format!("{line}\n")).collect()
}

/// From whom, to whom, which beep, how late and how coded.
fn heard(ran: &Ran) -> BTreeSet<(String, String, u32, i64, Option<String>)> {
    let heard = ran
        .delays()
        .into_iter()
        .filter_map(|row| Some((row.speaker, row.recorder, row.beep, row.delay_ns?, row.codec_mode)));
    heard.collect()
}

#[test]
fn encryption_changes_no_delay_and_who_has_no_key_hears_nothing() {
    let (sealed, open) = (simulated(ENCRYPTED), simulated(&open()));
    let with_key = |heard: BTreeSet<(String, String, u32, i64, Option<String>)>| -> BTreeSet<_> {
        heard.into_iter().filter(|(_, recorder, ..)| recorder != "omar").collect()
    };
    let (heard_sealed, heard_open) = (heard(&sealed), heard(&open));
    assert_eq!(with_key(heard_sealed.clone()), with_key(heard_open), "modes of coding and their biases too");
    assert!(heard_sealed.iter().all(|(_, recorder, ..)| recorder != "omar"));
    assert!(heard_sealed.iter().all(|(.., mode)| mode.is_some()), "the sender knows how it coded");
    assert!(sealed.recording("omar").into_samples::<i16>().all(|sample| sample.unwrap() == 0));

    let packets = sealed.packets();
    let at_omar: Vec<_> = packets.iter().filter(|p| p.endpoint == "omar").collect();
    assert!(at_omar.len() > 900 && at_omar.iter().all(|p| p.action.as_deref() == Some("sealed")));
    let sentence = format!("omar has no key: it could open none of {} packets, and heard nothing.", at_omar.len());
    assert!(sealed.stdout.replace(['\n', ' '], "").contains(&sentence.replace(' ', "")), "{}", sealed.stdout);

    // What he did not hear was not lost on its way.
    let at_omar = sealed.delays().into_iter().filter(|row| row.recorder == "omar");
    assert!(at_omar.map(|row| row.reason).all(|reason| reason.as_deref() == Some("no_key")));
    let said = sealed.stdout.replace(['\n', ' '], "");
    assert!(said.contains("20beepswerenotheardforwantofakey") && !said.contains("lost,"), "{}", sealed.stdout);

    // What it costs, against the bytes of the same packets in the open.
    let size = |ran: &Ran| ran.packets().iter().filter(|p| p.tap == "sent").filter_map(|p| p.size_bytes).sum::<usize>();
    let json = sealed.run_json();
    assert_eq!(json["seal"]["seal_bytes"], size(&sealed) - size(&open));
    assert_eq!(json["seal"]["bytes"], size(&sealed));
    assert_eq!(json["seal"]["unopened"][0]["name"], "omar");
}

#[test]
fn somebody_without_a_key_cannot_be_promoted() {
    let experiment = format!("{ENCRYPTED}\n[[event]]\nat = \"3s\"\npromote = \"omar\"\n");
    let ran = run(&experiment, &["--on", "sim"]);
    assert_eq!(ran.code, Some(2));
    for words in ["`omar` is promoted, and has no key", "leave `keyless` out"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn somebody_without_a_key_is_an_error_where_nothing_is_sealed() {
    let experiment = ENCRYPTED.lines().filter(|line| !line.starts_with("seal.")).collect::<Vec<_>>().join("\n");
    let ran = run(&experiment, &["--on", "sim"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("nothing is sealed in this room"), "{}", ran.stderr);
}
