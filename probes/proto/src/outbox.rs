//! What an engine has to say until its driver fetches it. Samples and datagrams lie in two buffers that are used again
//! and again, so that the steady path allocates nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use jiho_analysis::units::{MediaTime, RunTime};

use crate::control::Message;
use crate::engine::{Output, PeerId};
use crate::event::Event;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Item>,
    samples: Vec<f32>,
    datagrams: Vec<u8>,
}

#[derive(Debug)]
enum Item {
    Send { to: SocketAddr, bytes: Range<usize> },
    Control { peer: PeerId, message: Message },
    Ear { first: MediaTime, samples: Range<usize> },
    Event { at: RunTime, event: Event },
}

impl Outbox {
    /// To be called before anything is put in: what was fetched makes room.
    pub(crate) fn reclaim(&mut self) {
        if self.queue.is_empty() {
            self.samples.clear();
            self.datagrams.clear();
        }
    }

    /// Sends the datagram that `emit` appends to the buffer to each destination.
    pub(crate) fn send(&mut self, destinations: &[SocketAddr], emit: impl FnOnce(&mut Vec<u8>)) {
        let start = self.datagrams.len();
        emit(&mut self.datagrams);
        let end = self.datagrams.len();
        self.queue.extend(destinations.iter().map(|&to| Item::Send { to, bytes: start..end }));
    }

    pub(crate) fn control(&mut self, peer: PeerId, message: Message) {
        self.queue.push_back(Item::Control { peer, message });
    }

    pub(crate) fn ear(&mut self, first: MediaTime, samples: &[f32]) {
        let start = self.samples.len();
        self.samples.extend_from_slice(samples);
        self.queue.push_back(Item::Ear { first, samples: start..self.samples.len() });
    }

    pub(crate) fn event(&mut self, at: RunTime, event: Event) {
        self.queue.push_back(Item::Event { at, event });
    }

    /// The oldest thing that was put in, if it is an event.
    pub(crate) fn next_event(&self) -> Option<(RunTime, &Event)> {
        match self.queue.front()? {
            Item::Event { at, event } => Some((*at, event)),
            _ => None,
        }
    }

    /// The oldest thing that was put in.
    pub(crate) fn fetch(&mut self) -> Option<Output<'_>> {
        Some(match self.queue.pop_front()? {
            Item::Send { to, bytes } => Output::Send { to, data: &self.datagrams[bytes] },
            Item::Control { peer, message } => Output::Control { peer, message },
            Item::Ear { first, samples } => Output::Ear { first, samples: &self.samples[samples] },
            Item::Event { at, event } => Output::Event { at, event },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_makes_room_and_what_was_not_stays() {
        let to = "127.0.0.1:4005".parse().unwrap();
        let mut out = Outbox::default();
        for round in 0..100 {
            out.reclaim();
            out.send(&[to], |buffer| buffer.extend_from_slice(&[round; 92]));
            out.ear(MediaTime(0), &[f32::from(round); 480]);
            if round % 10 != 9 {
                continue;
            }
            for earlier in round - 9..=round {
                assert!(matches!(out.fetch(), Some(Output::Send { data, .. }) if data == [earlier; 92]));
                let sample = f32::from(earlier);
                assert!(matches!(out.fetch(), Some(Output::Ear { samples, .. }) if samples == [sample; 480]));
            }
            assert!(out.fetch().is_none());
        }
        assert!(out.datagrams.len() <= 920 && out.samples.len() <= 4800);
    }
}
