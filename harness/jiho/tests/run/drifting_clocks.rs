//! The gallery's wrong clocks and sound cards: drifts and offsets are recovered as they were made.

use std::collections::BTreeMap;

use crate::room::{Ran, run};
use crate::truth::ms;

const GALLERY: &str = include_str!("../../../../fixtures/experiments/drifting-clocks.toml");
const WARMUP_NS: i64 = 2_000_000_000;
/// A sample: everybody's buffer begins at another.
const SAMPLE_NS: i64 = 20_834;

/// By beep: when it was sounded, and the delay found.
fn delays(ran: &Ran, recorder: &str) -> BTreeMap<u32, (i64, i64)> {
    let sent: BTreeMap<u32, i64> = ran.emissions().into_iter().map(|e| (e.beep, e.sent_ns)).collect();
    let rows = ran.delays().into_iter().filter(|row| row.recorder == recorder);
    rows.map(|row| (row.beep, (sent[&row.beep], row.delay_ns.unwrap_or_else(|| panic!("{row:?}"))))).collect()
}

#[test]
fn cards_and_clocks_that_are_wrong_are_wrong_by_what_was_constructed() {
    let ran = run(GALLERY, &["--on", "sim"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let drift: BTreeMap<String, f64> =
        ran.pairs().into_iter().map(|pair| (pair.recorder.clone(), pair.drift_ppm.unwrap_or(f64::NAN))).collect();
    // The mouth's card minus the ear's, plus the ear's clock minus the mouth's.
    for (name, ppm) in
        [("lena", 0.0), ("mei", -40.0), ("omar", 60.0), ("pia", 100.0), ("quin", 0.0), ("rosa", 0.0), ("sven", 0.0)]
    {
        assert!((drift[name] - ppm).abs() < 1.0, "{name} drifts by {} ppm, not {ppm}", drift[name]);
    }

    let reference = delays(&ran, "lena");
    let added = |name: &str| -> Vec<(i64, i64)> {
        delays(&ran, name).iter().map(|(beep, (sent, delay))| (*sent, delay - reference[beep].1)).collect()
    };
    for (sent, added) in added("pia") {
        // What its clock shows too much when the beep comes, 25 ms and 100 ppm.
        let wrong = ms(25.0) + (sent + reference[&0].1) / 10_000;
        assert!((added - wrong).abs() < 2 * SAMPLE_NS, "{added} instead of {wrong} at {sent}");
    }
    assert!(delays(&ran, "quin").values().all(|(_, delay)| *delay < 0), "heard before it was sounded");
    assert!(added("quin").iter().all(|(_, added)| (added + ms(200.0)).abs() < 2 * SAMPLE_NS));
    assert!(added("rosa").iter().all(|(_, added)| added.abs() < 2 * SAMPLE_NS), "samples are counted on");
    assert!(added("sven").iter().all(|(_, added)| added.abs() < ms(1.0)), "the clock wanders, the ear does not");

    // 25 ms and 100 ppm of 63 s; what the others are wrong by; sven's wandering is by chance.
    for (name, bound) in [("lena", 0), ("mei", 0), ("pia", 31_300_000), ("quin", 200_000_000), ("rosa", 50_000_000)] {
        assert_eq!(ran.sidecar(name).start_error_ns, bound, "{name}");
    }
    assert!((1..ms(1.0)).contains(&ran.sidecar("sven").start_error_ns));
    for (name, ppb) in [("lena", 0), ("mei", 40_000), ("omar", -60_000), ("pia", -99_990)] {
        assert_eq!(ran.sidecar(name).rate_skew_ppb, ppb, "{name}");
    }

    let packets = ran.packets();
    let network = |name: &str, from_s: i64, to_s: i64| -> Vec<i64> {
        let sent: BTreeMap<u16, i64> =
            packets.iter().filter(|p| p.tap == "sent").map(|p| (p.sequence, p.at_ns.unwrap())).collect();
        let received = packets.iter().filter(|p| p.tap == "received" && p.endpoint == name);
        let times = received.filter_map(|p| Some((sent[&p.sequence], p.at_ns?)));
        let (from, to) = (WARMUP_NS + from_s * 1_000_000_000, WARMUP_NS + to_s * 1_000_000_000);
        times.filter(|(sent, _)| (from..to).contains(sent)).map(|(sent, came)| came - sent).collect()
    };
    let all_are = |times: Vec<i64>, time: i64| times.len() > 1000 && times.iter().all(|t| *t == time);
    assert!(all_are(network("rosa", 0, 29), ms(30.0)) && all_are(network("rosa", 30, 60), ms(80.0)));
    assert!(all_are(network("omar", 0, 60), ms(30.0)), "a card does not change when packets come");
}
