//! Which speaker each stream belongs to.

use std::collections::BTreeMap;

use jiho_proto::engine::PeerId;

/// How many streams one seat may begin: a tool that is restarted now and then begins a few, a flood of them would
/// drown the others in announcements.
const MAX_STREAMS_PER_SEAT: usize = 64;

/// What a packet's SSRC means, given whose packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is the seat's.
    Known,
    /// It is the seat's from now on.
    New,
    /// It is another seat's, or one too many: two streams of one SSRC could not be told apart by those who hear them
    /// (RFC 3550, section 8.2).
    Refused,
}

/// The streams of everybody in the room, by SSRC.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    owners: BTreeMap<u32, PeerId>,
}

impl Streams {
    /// Gives the stream to the seat, unless it is somebody else's.
    pub(crate) fn claim(&mut self, ssrc: u32, peer: PeerId) -> Claim {
        match self.owners.get(&ssrc) {
            Some(owner) if *owner == peer => Claim::Known,
            Some(_) => Claim::Refused,
            None if self.of(peer).count() >= MAX_STREAMS_PER_SEAT => Claim::Refused,
            None => {
                self.owners.insert(ssrc, peer);
                Claim::New
            }
        }
    }

    /// Frees a seat's streams.
    pub(crate) fn release(&mut self, peer: PeerId) {
        self.owners.retain(|_, owner| *owner != peer);
    }

    /// All streams with their owners.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, PeerId)> {
        self.owners.iter().map(|(ssrc, owner)| (*ssrc, *owner))
    }

    fn of(&self, peer: PeerId) -> impl Iterator<Item = u32> {
        self.iter().filter(move |(_, owner)| *owner == peer).map(|(ssrc, _)| ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: PeerId = PeerId(1);
    const BEN: PeerId = PeerId(2);

    #[test]
    fn a_stream_belongs_to_whoever_began_it_until_they_leave() {
        let mut streams = Streams::default();
        assert_eq!(streams.claim(7, ANA), Claim::New);
        assert_eq!(streams.claim(7, ANA), Claim::Known);
        assert_eq!(streams.claim(7, BEN), Claim::Refused);
        streams.release(ANA);
        assert_eq!(streams.claim(7, BEN), Claim::New);
    }

    #[test]
    fn a_flood_of_streams_is_stopped_without_harm_to_others() {
        let mut streams = Streams::default();
        let begun = (0..1000).filter(|ssrc| streams.claim(*ssrc, ANA) == Claim::New).count();
        assert_eq!(begun, MAX_STREAMS_PER_SEAT);
        assert_eq!(streams.claim(0, ANA), Claim::Known);
        assert_eq!(streams.claim(5000, BEN), Claim::New);
    }
}
