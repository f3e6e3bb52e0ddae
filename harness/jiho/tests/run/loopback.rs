//! In real time over this machine's loopback: timing is the machine's, logic is not.

use std::collections::BTreeSet;

use crate::room::run;
use crate::truth::{FRAME_NS, OPUS_LOOKAHEAD_NS, ms};

const BEEPS: usize = 4;
/// Everybody is in the room for this long.
const SECONDS: f64 = 6.0;

/// The jitter buffer is long: a machine that is busy with other tests is late.
const EXPERIMENT: &str = "name = \"loopback\"\n[run]\nwarmup = \"1s\"\nduration = \"4s\"\ndrain = \"1s\"\n\
    [playout]\nfixed = \"150ms\"\n\
    [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
    [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n[[listener]]\nname = \"omar\"\n";

#[test]
fn over_loopback_every_beep_is_heard_when_the_packets_say() {
    let ran = run(EXPERIMENT, &["--on", "loopback"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);

    let delays = ran.delays();
    assert_eq!(delays.len(), 2 * 4 * BEEPS);
    let keys: BTreeSet<_> = delays.iter().map(|d| (&d.speaker, &d.recorder, d.beep)).collect();
    assert_eq!(keys.len(), delays.len(), "one row for each beep at each recorder");
    let mut worst_ns = 0;
    for row in &delays {
        assert_eq!(row.status, "heard", "{row:?}");
        let (delay, low, high) = (row.delay_ns.unwrap(), row.low_ns.unwrap(), row.high_ns.unwrap());
        assert!(low < delay && delay < high, "{row:?}");
        let (network, buffer) = (row.network_ns.unwrap(), row.buffer_ns.unwrap());
        let packets = FRAME_NS + network + buffer + OPUS_LOOKAHEAD_NS;
        assert!((delay - packets).abs() <= ms(3.0), "the packets say {packets} ns: {row:?}");
        assert!(network > 0 && network < ms(140.0), "{row:?}");
        worst_ns = worst_ns.max((delay - packets).abs());
    }
    eprintln!("sound and packets differ by {worst_ns} ns at most");
    assert_eq!(delays.iter().filter(|d| d.relation == "audience").count(), 2 * 3 * BEEPS);
    for pair in ran.pairs() {
        assert_eq!((pair.expected, pair.heard), (BEEPS, BEEPS), "{pair:?}");
        assert_eq!(pair.relation == "stage", pair.recorder == "ana" || pair.recorder == "ben", "{pair:?}");
        assert_ne!(pair.speaker, pair.recorder, "nobody hears itself");
    }

    let packets = ran.packets();
    for speaker in ["ana", "ben"] {
        let sent: Vec<_> = packets.iter().filter(|p| p.tap == "sent" && p.endpoint == speaker).collect();
        // From when the relay let it in until it was stopped.
        let least = (SECONDS - 1.0) * 50.0;
        assert!((least..=SECONDS * 50.0 + 5.0).contains(&(sent.len() as f64)), "{speaker} sent {}", sent.len());
        assert!(sent.iter().all(|p| p.size_bytes == Some(92)), "80 bytes of Opus behind 12 of RTP");
        for pair in sent.windows(2) {
            assert_eq!(pair[1].at_ns.unwrap() - pair[0].at_ns.unwrap(), FRAME_NS, "{pair:?}");
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        }
    }

    for name in ["ana", "ben", "lena", "mei", "omar"] {
        let sidecar = ran.sidecar(name);
        let recording = ran.recording(name);
        let spec = recording.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, sidecar.rate, 16));
        assert!(sidecar.complete);
        assert_eq!(u64::from(recording.duration()), sidecar.samples);
        assert!(sidecar.samples as f64 > (SECONDS - 1.0) * 48_000.0, "{name}: {} samples", sidecar.samples);
    }

    let json = ran.run_json();
    assert_eq!((&json["on"], &json["experiment"]), (&"loopback".into(), &"loopback".into()));
    assert_eq!((&json["partial"], &json["failures"]), (&false.into(), &serde_json::json!([])));
    let threads: Vec<_> = json["host"]["threads"].as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(threads, ["relay", "ana", "ben", "lena", "mei", "omar"]);
}
