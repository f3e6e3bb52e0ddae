//! Jitter buffers that move their delay: what they say they did is what is heard.

use std::collections::BTreeMap;

use crate::room::{Packet, Ran, simulated};
use crate::truth::{FRAME_NS, OPUS_LOOKAHEAD_NS, Ways, mouth_start_ns, ms};

fn experiment(playout: &str) -> String {
    format!(
        "name = \"steered\"\n[run]\nduration = \"40s\"\ndrain = \"2s\"\n[playout]\n{playout}\n\
         [link.default]\ndelay = \"20ms\"\njitter.uniform = \"15ms\"\n\
         [[speaker]]\nname = \"ana\"\n[[listener]]\nname = \"lena\"\n"
    )
}

fn at_lena(ran: &Ran) -> Vec<Packet> {
    ran.packets().into_iter().filter(|p| p.endpoint == "lena" && p.action.as_deref() == Some("played")).collect()
}

/// By how much, in samples, the delay had grown in total before each packet's first sample.
fn growth(packets: &[Packet]) -> Vec<i64> {
    let mut total = 0;
    let grown = |packet: &Packet| {
        let step = packet.step_samples.unwrap();
        let before = matches!(packet.decision.as_deref(), Some("anchored" | "merged"));
        let grown = if before { total + step } else { total };
        total += step;
        grown
    };
    packets.iter().map(grown).collect()
}

/// By how many samples the delay has grown in all.
fn check(playout: &str, decision: &str) -> i64 {
    let ran = simulated(&experiment(playout));
    let packets = at_lena(&ran);
    let decisions: BTreeMap<&str, usize> = packets.iter().fold(BTreeMap::new(), |mut counts, packet| {
        *counts.entry(packet.decision.as_deref().unwrap()).or_default() += 1;
        counts
    });
    assert!(decisions.contains_key(decision), "{decisions:?}");
    assert!(packets.iter().all(|p| p.target_ns.is_some()));
    // The packets' own account: each is played where the first one was, and the steps.
    let (growth, first) = (growth(&packets), &packets[0]);
    let frame = |p: &Packet| i64::from(p.sequence.wrapping_sub(first.sequence));
    for (packet, grown) in packets.iter().zip(&growth) {
        let due = first.played_ns.unwrap() + frame(packet) * FRAME_NS + grown * 1_000_000_000 / 48_000;
        assert!((packet.played_ns.unwrap() - due).abs() <= 2, "{packet:?}");
    }
    // What is heard: a beep all of whose frames have one delay has that one.
    let (ways, mouth) = (Ways::of(&ran), mouth_start_ns(&ran.packets(), "ana"));
    let sent: BTreeMap<u32, i64> = ran.emissions().into_iter().map(|e| (e.beep, e.sent_ns)).collect();
    let mut plain = 0;
    for row in ran.delays() {
        let way = ways.of_beep("ana", "lena", sent[&row.beep]);
        let (Some(delay), Some((least, greatest))) = (row.delay_ns, way.delay_ns) else { continue };
        let frames = (sent[&row.beep] - mouth) / FRAME_NS - 1..=(sent[&row.beep] + ms(200.0) - mouth) / FRAME_NS + 1;
        let moved = packets.iter().any(|p| frames.contains(&frame(p)) && p.step_samples != Some(0));
        if way.whole && !moved {
            assert!(greatest - least <= 2);
            assert!((delay - OPUS_LOOKAHEAD_NS - least).abs() < ms(0.1), "{row:?} {way:?}");
            plain += 1;
        }
    }
    assert!(plain > 20, "{plain} beeps were left alone");
    growth[growth.len() - 1]
}

#[test]
fn what_an_adaptive_buffer_says_it_stretched_is_what_is_heard() {
    let grown = check("adaptive = { start = \"400ms\" }", "accelerated");
    assert!((-48 * 385..-48 * 360).contains(&grown), "from 400 ms to between 20 and 40: {grown} samples");
}

#[test]
fn what_simulated_buffers_say_they_jumped_is_what_is_heard() {
    let grown = check("buffers = { start = \"150ms\" }", "rebased");
    assert!((-48 * 145..-48 * 110).contains(&grown), "from 150 ms to what 15 ms of jitter need: {grown} samples");
}
