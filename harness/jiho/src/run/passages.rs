//! What our own clients' packets took from a mouth to an ear, second by second.
//!
//! Packets are known by SSRC and sequence number, as their mouth sent them: what a server sends anew under other
//! numbers, as a mixer does, is not among them.

use std::collections::{BTreeMap, BTreeSet};

use jiho_analysis::metrics::topology::Passage;
use jiho_analysis::stats;
use jiho_analysis::units::{Nanos, RunTime};

use crate::report::packets::{PacketRow, Tap};

/// Fewer packets in a second say little about the quickest way.
const LEAST: usize = 10;
/// A little less than half the time in which sequence numbers come again.
const HALF_A_WRAP: Nanos = Nanos::from_secs(600);

/// Packets at mouths and ears.
#[derive(Debug, Default)]
pub(super) struct Packets {
    sent: BTreeMap<(u32, u16), Vec<(String, RunTime)>>,
    received: Vec<(String, (u32, u16), RunTime)>,
}

/// Of each pair and second, when packets were captured and how long they took.
type Seconds = BTreeMap<(String, String, i64), Vec<(Nanos, RunTime)>>;

impl Packets {
    /// Takes rows whose times are to be so much later.
    pub(super) fn add(&mut self, rows: &[PacketRow], shift: Nanos) {
        for row in rows {
            let Some(at) = row.at_ns.map(|at| RunTime(at) + shift) else { continue };
            let number = (row.ssrc, row.sequence);
            match row.tap {
                Tap::Sent => self.sent.entry(number).or_default().push((row.endpoint.clone(), at)),
                Tap::Received => self.received.push((row.endpoint.clone(), number, at)),
            }
        }
    }

    /// To whom packets came while somebody else noted what was sent.
    pub(super) fn receivers(&self) -> Vec<String> {
        let mouths: BTreeSet<&str> = self.sent.values().flatten().map(|(speaker, _)| speaker.as_str()).collect();
        let ears: BTreeSet<&String> = self.received.iter().map(|(recorder, _, _)| recorder).collect();
        ears.into_iter().filter(|ear| mouths.iter().any(|mouth| mouth != ear)).cloned().collect()
    }

    /// By speaker and recorder, in order of time.
    pub(super) fn passages(&self) -> Vec<Passage> {
        let mut seconds = Seconds::new();
        for (recorder, number, at) in &self.received {
            let apart = |captured: &RunTime| (*at - *captured).abs();
            let sent = self.sent.get(number).into_iter().flatten().min_by_key(|(_, captured)| apart(captured));
            if let Some((speaker, captured)) = sent.filter(|(_, captured)| apart(captured) <= HALF_A_WRAP) {
                let second = captured.0.div_euclid(1_000_000_000);
                let of_second = seconds.entry((speaker.clone(), recorder.clone(), second)).or_default();
                of_second.push((*at - *captured, *captured));
            }
        }
        let passages = seconds.into_iter().filter(|(_, packets)| packets.len() >= LEAST);
        passages.filter_map(|((speaker, recorder, _), packets)| passage(speaker, recorder, &packets)).collect()
    }
}

fn passage(speaker: String, recorder: String, packets: &[(Nanos, RunTime)]) -> Option<Passage> {
    let (quickest, captured) = *packets.iter().min()?;
    let took: Vec<f64> = packets.iter().map(|(took, _)| took.0 as f64).collect();
    let usual = Nanos(stats::median(&took)?.round() as i64);
    Some(Passage { speaker, recorder, captured, quickest, usual })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tap: Tap, endpoint: &str, ssrc: u32, n: u16, at_ms: i64) -> PacketRow {
        PacketRow {
            run_id: String::new(),
            rep: 1,
            endpoint: endpoint.to_owned(),
            tap,
            speaker: String::new(),
            ssrc,
            sequence: n,
            media_time: None,
            size_bytes: Some(80),
            at_ns: Some(at_ms * 1_000_000),
            played_ns: None,
            action: None,
            toc: None,
            decision: None,
            step_samples: None,
            target_ns: None,
            seal_bytes: None,
        }
    }

    #[test]
    fn each_second_has_its_quickest_and_its_median_packet() {
        let mut packets = Packets::default();
        // From -20 ms on, as a clock may be behind: numbers of other streams are others' packets.
        for n in 0..100_u16 {
            let sent = 20 * i64::from(n);
            let took = -20 + i64::from(n % 7);
            packets
                .add(&[row(Tap::Sent, "ana", 1, n, sent), row(Tap::Received, "lena", 1, n, sent + took)], Nanos::ZERO);
            packets.add(&[row(Tap::Received, "lena", 2, n, sent)], Nanos::ZERO);
        }
        let passages = packets.passages();
        let said: Vec<_> = passages.iter().map(|p| (p.quickest.0 / 1_000_000, p.usual.0 / 1_000_000)).collect();
        assert_eq!(said, [(-20, -17), (-20, -17)]);
        assert!(passages.iter().all(|p| p.speaker == "ana" && p.recorder == "lena"));
    }
}
