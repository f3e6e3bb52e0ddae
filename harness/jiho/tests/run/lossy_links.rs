//! Over links that lose and delay at random, whatever is measured is true, and whatever is missing is said to be.

use std::collections::BTreeMap;

use crate::room::{Arrival, Ran, simulated};
use crate::truth::{OPUS_LOOKAHEAD_NS, Way, Ways, ms};

const BEEPS: usize = 20;
const SPEAKERS: [&str; 2] = ["ana", "ben"];
const RECORDERS: [&str; 5] = ["ana", "ben", "lena", "mei", "omar"];

/// A beep some of whose packets were lost may be bent by concealment, yet not beyond this.
const CONCEALED_BOUND_NS: i64 = ms(1.0);
const WHOLE_BOUND_NS: i64 = ms(0.1);
/// So many of its eleven frames may be lost before a beep may be missed.
const LOST_TO_MISS: usize = 4;

fn experiment(codec: &str, seed: u32) -> String {
    format!(
        "name = \"lossy\"\n[run]\nduration = \"{BEEPS}s\"\nseed = {seed}\n[media]\n{codec}\n\
         [link.default]\ndelay = \"20ms\"\nloss = \"5%\"\njitter.normal = \"5ms\"\n\
         [[speaker]]\nname = \"ana\"\n[[speaker]]\nname = \"ben\"\n\
         [[listener]]\nname = \"lena\"\n[[listener]]\nname = \"mei\"\n[[listener]]\nname = \"omar\"\n"
    )
}

/// How many beeps were measured, how many of those with a doubt, and how many were missing.
#[derive(Debug, Default)]
struct Tally {
    measured: usize,
    missing: usize,
    doubtful: usize,
    worst_whole_ns: i64,
    worst_ns: i64,
}

/// Checks every row of a run against the packets' stamps.
fn check(ran: &Ran, codec_ns: i64, tally: &mut Tally) {
    let ways = Ways::of(ran);
    let sent: BTreeMap<(String, u32), i64> =
        ran.emissions().into_iter().map(|e| ((e.speaker, e.beep), e.sent_ns)).collect();
    assert_eq!(sent.len(), SPEAKERS.len() * BEEPS);
    let mut rows = BTreeMap::new();
    for row in ran.delays() {
        let sent_ns = sent[&(row.speaker.clone(), row.beep)];
        let way = ways.of_beep(&row.speaker, &row.recorder, sent_ns);
        match row.delay_ns {
            Some(delay_ns) => {
                assert!(matches!(row.status.as_str(), "heard" | "weak" | "ambiguous"), "{row:?}");
                tally.doubtful += usize::from(row.status != "heard");
                let off_ns =
                    off(delay_ns, codec_ns, &way).unwrap_or_else(|| panic!("none was played: {row:?} {way:?}"));
                let bound_ns = if way.whole { WHOLE_BOUND_NS } else { CONCEALED_BOUND_NS };
                assert!(off_ns <= bound_ns, "{off_ns} ns off: {row:?} {way:?}");
                tally.measured += 1;
                let worst = if way.whole { &mut tally.worst_whole_ns } else { &mut tally.worst_ns };
                *worst = off_ns.max(*worst);
            }
            None => {
                assert_eq!((row.status.as_str(), row.reason.as_deref()), ("missing", Some("not_found")), "{row:?}");
                assert!(way.played + LOST_TO_MISS <= way.frames, "nearly all of it was played: {row:?} {way:?}");
                tally.missing += 1;
            }
        }
        assert!(
            rows.insert((row.speaker, row.recorder, row.beep), sent_ns).is_none(),
            "a beep has one row at a recorder"
        );
    }
    assert_eq!(rows.len(), SPEAKERS.len() * (RECORDERS.len() - 1) * BEEPS, "every beep has a row at every recorder");
    for pair in ran.pairs() {
        assert_eq!(pair.expected, BEEPS, "{pair:?}");
    }
    for Arrival { recorder, speaker, beep, arrival_ns, rank, .. } in ran.arrivals() {
        let (Some(speaker), Some(beep)) = (speaker, beep) else {
            panic!("a stranger at {recorder}, {arrival_ns} ns");
        };
        let sent_ns = rows[&(speaker.clone(), recorder.clone(), beep)];
        let way = ways.of_beep(&speaker, &recorder, sent_ns);
        let off_ns = off(arrival_ns - sent_ns, codec_ns, &way);
        assert!(off_ns <= Some(CONCEALED_BOUND_NS), "{speaker} {beep} at {recorder}, rank {rank}: {off_ns:?} {way:?}");
    }
}

/// How far a delay is from what the packets say.
fn off(delay_ns: i64, codec_ns: i64, way: &Way) -> Option<i64> {
    let (least, greatest) = way.delay_ns?;
    Some((least + codec_ns - delay_ns).max(delay_ns - greatest - codec_ns).max(0))
}

fn check_seeds(codec: &str, codec_ns: i64) {
    let mut tally = Tally::default();
    for seed in 1..=6 {
        check(&simulated(&experiment(codec, seed)), codec_ns, &mut tally);
    }
    eprintln!("{codec}: {tally:?}");
    assert!(tally.worst_ns > 0, "nothing was concealed: this showed nothing");
}

#[test]
fn no_arrival_of_pcm_is_false() {
    check_seeds("codec.l16 = {}", 0);
}

#[test]
fn no_arrival_of_opus_is_false() {
    check_seeds("codec.opus = { bitrate_bps = 32000, application = \"voip\" }", OPUS_LOOKAHEAD_NS);
}
