//! What the relay has to say until its driver has fetched it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use jiho_analysis::units::RunTime;
use jiho_proto::control::Message;
use jiho_proto::engine::{Output, PeerId};
use jiho_proto::event::{Event, RelayedPacket};
use jiho_proto::wire::rtp;

/// A queue of outputs: messages and events first, then packets, each in order of entry. A packet is stored once,
/// however many destinations it has; once the queue has been as long as it gets, packets allocate nothing.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    notices: VecDeque<Notice>,
    sends: VecDeque<(SocketAddr, Range<usize>)>,
    /// The packets to which `sends` refers, end to end.
    bytes: Vec<u8>,
    /// The instant, where each packet that is passed on is to be noted.
    noting: Option<RunTime>,
}

#[derive(Debug)]
enum Notice {
    Control(PeerId, Message),
    Event(RunTime, Event),
}

impl Outbox {
    pub(crate) fn say(&mut self, peer: PeerId, message: Message) {
        self.notices.push_back(Notice::Control(peer, message));
    }

    pub(crate) fn note(&mut self, at: RunTime, event: Event) {
        self.notices.push_back(Notice::Event(at, event));
    }

    /// From now on each packet that is passed on is noted as sent at this instant.
    pub(crate) fn note_packets(&mut self, now: RunTime) {
        self.noting = Some(now);
    }

    /// Sends on a media packet that came, or whose last part came, at `received`.
    pub(crate) fn pass<'a>(
        &mut self,
        packet: &[u8],
        received: RunTime,
        destinations: impl IntoIterator<Item = &'a SocketAddr>,
    ) -> u64 {
        let copies = self.send(packet, destinations);
        if let (Some(sent), Ok(rtp)) = (self.noting.filter(|_| copies > 0), rtp::Packet::new_checked(packet)) {
            let (ssrc, sequence, rtp_timestamp) = (rtp.ssrc(), rtp.sequence(), rtp.timestamp());
            let size_bytes = packet.len();
            let relayed = RelayedPacket { ssrc, sequence, rtp_timestamp, size_bytes, copies, received, sent };
            self.note(sent, Event::Relayed(relayed));
        }
        copies
    }

    /// Sends the same bytes to each destination, and says to how many.
    pub(crate) fn send<'a>(&mut self, packet: &[u8], destinations: impl IntoIterator<Item = &'a SocketAddr>) -> u64 {
        if self.sends.is_empty() {
            self.bytes.clear();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        let before = self.sends.len();
        self.sends.extend(destinations.into_iter().map(|to| (*to, start..start + packet.len())));
        (self.sends.len() - before) as u64
    }

    /// The next output, if it is a packet: where to, and the packet.
    pub(crate) fn next_send(&self) -> Option<(SocketAddr, &[u8])> {
        let (to, range) = self.sends.front().filter(|_| self.notices.is_empty())?;
        Some((*to, &self.bytes[range.clone()]))
    }

    /// The next output, if there is one.
    pub(crate) fn pop(&mut self) -> Option<Output<'_>> {
        match self.notices.pop_front() {
            Some(Notice::Control(peer, message)) => Some(Output::Control { peer, message }),
            Some(Notice::Event(at, event)) => Some(Output::Event { at, event }),
            None => {
                let (to, range) = self.sends.pop_front()?;
                Some(Output::Send { to, data: &self.bytes[range] })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn addr(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn pop(outbox: &mut Outbox) -> (SocketAddr, Vec<u8>) {
        match outbox.pop() {
            Some(Output::Send { to, data }) => (to, data.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn packets_that_were_not_fetched_yet_survive_the_next_one() {
        let mut outbox = Outbox::default();
        outbox.send(b"one", &[addr(1), addr(2)]);
        assert_eq!(pop(&mut outbox), (addr(1), b"one".to_vec()));
        outbox.send(b"second", &[addr(3)]);
        assert_eq!(pop(&mut outbox), (addr(2), b"one".to_vec()));
        assert_eq!(pop(&mut outbox), (addr(3), b"second".to_vec()));
        assert!(outbox.pop().is_none());
    }

    #[test]
    fn messages_come_before_packets() {
        let mut outbox = Outbox::default();
        outbox.send(b"one", &[addr(1)]);
        outbox.say(PeerId(1), Message::Leave);
        assert!(matches!(outbox.pop(), Some(Output::Control { .. })));
        assert!(matches!(outbox.pop(), Some(Output::Send { .. })));
    }

    #[test]
    fn in_the_steady_state_the_buffers_do_not_grow() {
        let mut outbox = Outbox::default();
        let mut capacities = Vec::new();
        for _ in 0..100 {
            outbox.send(&[7; 92], &[addr(1), addr(2), addr(3)]);
            while outbox.pop().is_some() {}
            capacities.push((outbox.bytes.capacity(), outbox.sends.capacity()));
        }
        assert!(capacities.iter().all(|c| *c == capacities[0]));
    }
}
