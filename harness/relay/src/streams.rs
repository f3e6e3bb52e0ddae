//! Which speaker each stream belongs to.

use std::collections::{BTreeMap, BTreeSet};

use jiho_proto::engine::PeerId;

/// How many streams one seat may begin: a tool that is restarted now and then begins a few, a flood of them would
/// drown the others in announcements.
pub(crate) const MAX_STREAMS_PER_SEAT: usize = 64;

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

/// A stream in the room.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Through whose connection it comes: the speaker's own, or a trunk's.
    pub(crate) owner: PeerId,
    /// The speaker's; empty while a trunk has not said it.
    pub(crate) name: String,
}

/// The streams of everybody in the room, by SSRC.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: BTreeMap<u32, Stream>,
    /// Streams of our own, which are nobody's to claim.
    reserved: BTreeSet<u32>,
    /// Decides which those are.
    seed: u32,
}

impl Streams {
    /// Numbers for our own streams come from the seed (RFC 3550 wants them random, section 8.1).
    pub(crate) fn new(seed: u32) -> Self {
        Self { seed, ..Self::default() }
    }

    /// A number for a stream of our own.
    pub(crate) fn reserve(&mut self) -> u32 {
        loop {
            self.seed = self.seed.wrapping_add(0x9e37_79b9);
            let ssrc = scrambled(self.seed);
            if !self.streams.contains_key(&ssrc) && self.reserved.insert(ssrc) {
                return ssrc;
            }
        }
    }

    /// Gives a number of ours back.
    pub(crate) fn give_back(&mut self, ssrc: u32) {
        self.reserved.remove(&ssrc);
    }

    /// Whether a stream is the peer's already.
    pub(crate) fn owns(&self, peer: PeerId, ssrc: u32) -> bool {
        self.streams.get(&ssrc).is_some_and(|stream| stream.owner == peer)
    }

    /// Whose sound a stream has.
    pub(crate) fn name(&self, ssrc: u32) -> Option<&str> {
        self.streams.get(&ssrc).map(|stream| stream.name.as_str())
    }

    /// Gives a stream its speaker's name; true: it had another.
    pub(crate) fn rename(&mut self, ssrc: u32, name: &str) -> bool {
        let stream = self.streams.get_mut(&ssrc).filter(|stream| stream.name != name);
        stream.map(|stream| name.clone_into(&mut stream.name)).is_some()
    }

    /// Gives the stream to the peer, unless it is somebody else's. `most` is how many the peer may have.
    pub(crate) fn claim(&mut self, ssrc: u32, peer: PeerId, name: &str, most: usize) -> Claim {
        match self.streams.get(&ssrc) {
            Some(stream) if stream.owner == peer => Claim::Known,
            Some(_) => Claim::Refused,
            None if self.reserved.contains(&ssrc) => Claim::Refused,
            None if self.streams.values().filter(|stream| stream.owner == peer).count() >= most => Claim::Refused,
            None => {
                self.streams.insert(ssrc, Stream { owner: peer, name: name.to_owned() });
                Claim::New
            }
        }
    }

    /// Frees a peer's streams.
    pub(crate) fn release(&mut self, peer: PeerId) {
        self.streams.retain(|_, stream| stream.owner != peer);
    }

    /// All streams.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Stream)> {
        self.streams.iter().map(|(ssrc, stream)| (*ssrc, stream))
    }
}

/// Spreads neighbouring numbers over all (the finaliser of MurmurHash3).
fn scrambled(mut number: u32) -> u32 {
    number = (number ^ (number >> 16)).wrapping_mul(0x85eb_ca6b);
    number = (number ^ (number >> 13)).wrapping_mul(0xc2b2_ae35);
    number ^ (number >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: PeerId = PeerId(1);
    const BEN: PeerId = PeerId(2);

    #[test]
    fn a_stream_belongs_to_whoever_began_it_until_they_leave() {
        let mut streams = Streams::default();
        assert_eq!(streams.claim(7, ANA, "", MAX_STREAMS_PER_SEAT), Claim::New);
        assert_eq!(streams.claim(7, ANA, "", MAX_STREAMS_PER_SEAT), Claim::Known);
        assert_eq!(streams.claim(7, BEN, "", MAX_STREAMS_PER_SEAT), Claim::Refused);
        streams.release(ANA);
        assert_eq!(streams.claim(7, BEN, "", MAX_STREAMS_PER_SEAT), Claim::New);
    }

    #[test]
    fn our_own_streams_cannot_be_claimed_until_they_are_given_back() {
        let mut streams = Streams::new(1);
        let ours = streams.reserve();
        assert_ne!(streams.reserve(), ours);
        assert_eq!(streams.claim(ours, ANA, "", MAX_STREAMS_PER_SEAT), Claim::Refused);
        streams.give_back(ours);
        assert_eq!(streams.claim(ours, ANA, "", MAX_STREAMS_PER_SEAT), Claim::New);
    }

    #[test]
    fn a_flood_of_streams_is_stopped_without_harm_to_others() {
        let mut streams = Streams::default();
        let begun = (0..1000).filter(|ssrc| streams.claim(*ssrc, ANA, "", MAX_STREAMS_PER_SEAT) == Claim::New).count();
        assert_eq!(begun, MAX_STREAMS_PER_SEAT);
        assert_eq!(streams.claim(0, ANA, "", MAX_STREAMS_PER_SEAT), Claim::Known);
        assert_eq!(streams.claim(5000, BEN, "", MAX_STREAMS_PER_SEAT), Claim::New);
    }
}
