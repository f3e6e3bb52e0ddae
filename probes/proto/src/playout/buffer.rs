//! Packets of one stream that wait for their turn, and the memory of those that had it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use jiho_analysis::units::RunTime;

use super::{MAX_WAITING, REMEMBERED};
use crate::event::{Playout, PlayoutAction};
use crate::wire::rtp;

/// What is known of a packet besides its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) received: RunTime,
    pub(crate) size_bytes: usize,
}

impl Arrival {
    pub(crate) fn new(packet: &rtp::Packet<'_>, received: RunTime, size_bytes: usize) -> Self {
        let (ssrc, sequence, timestamp) = (packet.ssrc(), packet.sequence(), packet.timestamp());
        Self { ssrc, sequence, timestamp, received, size_bytes }
    }

    pub(crate) fn record(&self, played: Option<RunTime>, action: PlayoutAction) -> Playout {
        Playout {
            ssrc: self.ssrc,
            sequence: self.sequence,
            rtp_timestamp: self.timestamp,
            size_bytes: Some(self.size_bytes),
            received: Some(self.received),
            played,
            action,
            decision: None,
            step_samples: 0,
            target: None,
        }
    }
}

/// A packet in the buffer.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) arrival: Arrival,
    /// How often the stream had been anchored: between two runs at the ear lies nothing that was sent.
    pub(super) run: u64,
    pub(super) payload: Vec<u8>,
}

/// Packets in the order in which they fall due, by positions on the stream's time line.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    waiting: BTreeMap<i64, Waiting>,
    played: VecDeque<(u16, u32)>,
    spare: Vec<Vec<u8>>,
}

impl Buffer {
    /// Whether a packet with these marks was played a short while ago.
    pub(super) fn was_played(&self, arrival: &Arrival) -> bool {
        self.played.contains(&(arrival.sequence, arrival.timestamp))
    }

    /// Takes a packet, or says why not: `Duplicate` where another has its place, `Overflow` when full.
    pub(super) fn insert(&mut self, due: i64, arrival: Arrival, run: u64, payload: &[u8]) -> Result<(), PlayoutAction> {
        let full = self.waiting.len() >= MAX_WAITING;
        match self.waiting.entry(due) {
            Entry::Occupied(_) => Err(PlayoutAction::Duplicate),
            Entry::Vacant(_) if full => Err(PlayoutAction::Overflow),
            Entry::Vacant(place) => {
                let mut copy = self.spare.pop().unwrap_or_default();
                copy.extend_from_slice(payload);
                place.insert(Waiting { arrival, run, payload: copy });
                Ok(())
            }
        }
    }

    /// The packet that falls due first, and when.
    pub(super) fn first(&self) -> Option<(i64, &Waiting)> {
        self.waiting.first_key_value().map(|(due, waiting)| (*due, waiting))
    }

    /// Takes out the packet that falls due first, if that is at or before a position.
    pub(super) fn take_due(&mut self, position: i64) -> Option<(i64, Waiting)> {
        self.waiting.first_entry().filter(|first| *first.key() <= position).map(|first| first.remove_entry())
    }

    /// Remembers a packet as played.
    pub(super) fn remember(&mut self, arrival: &Arrival) {
        if self.played.len() == REMEMBERED {
            self.played.pop_front();
        }
        self.played.push_back((arrival.sequence, arrival.timestamp));
    }

    /// The timestamp of the packet that was played last.
    pub(super) fn last_played(&self) -> Option<u32> {
        self.played.back().map(|(_, timestamp)| *timestamp)
    }

    /// Takes back the memory of a payload.
    pub(super) fn recycle(&mut self, mut payload: Vec<u8>) {
        payload.clear();
        self.spare.push(payload);
    }
}
