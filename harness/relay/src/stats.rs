//! What a relay counts.

use crate::server::Server;

/// What became of the datagrams that came in: each is counted as received and under exactly one of those
/// from `forwarded` to `wrong_stream`, `copies` excepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Datagrams that came in.
    pub received: u64,
    /// Passed on to whoever wants to hear the speaker, be it nobody.
    pub forwarded: u64,
    /// Datagrams that went out.
    pub copies: u64,
    /// From an address that belongs to no seat.
    pub from_strangers: u64,
    /// From a seat in the audience.
    pub from_listeners: u64,
    /// From a seat that is muted.
    pub from_muted: u64,
    /// Flights of handshakes, which end at the relay.
    pub flights: u64,
    /// RTCP, which ends at the relay.
    pub rtcp: u64,
    /// Neither RTP nor RTCP.
    pub malformed: u64,
    /// Of a stream that is another seat's, or of one too many of a seat.
    pub wrong_stream: u64,
    /// Frames that a mixer decoded.
    pub decoded: u64,
    /// Rounds of 20 ms that were mixed, whatever the number of mixes.
    pub mixed: u64,
    /// Frames that a mixer coded: one per round and distinct mix.
    pub encoded: u64,
    /// Rounds for which a speaker's packet was not there, so that a mixer concealed it.
    pub mix_concealed: u64,
    /// Packets that came after their round was mixed.
    pub mix_late: u64,
    /// Frames that a mixer left out because a speaker's packets came ever earlier than the others'.
    pub mix_skipped: u64,
    /// Packets that a mixer could not decode.
    pub undecodable: u64,
    /// Packets that a delayed tier had no room to hold back.
    pub not_held: u64,
}

impl RelayStats {
    /// Adds what one server has counted.
    pub(crate) fn with(mut self, server: &Server) -> Self {
        let mix = server.mix_stats();
        self.copies += server.sent();
        self.not_held += server.not_held();
        self.decoded += mix.decoded;
        self.mixed += mix.mixed;
        self.encoded += mix.encoded;
        self.mix_concealed += mix.concealed;
        self.mix_late += mix.late;
        self.mix_skipped += mix.skipped;
        self.undecodable += mix.undecodable;
        self
    }
}
