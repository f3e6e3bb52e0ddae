//! What takes part by WebRTC: offers, answers, and connections that come up. Rooms carry these words between clients and
//! servers, and do not ask who speaks them: a browser, or a probe of ours.

use super::{Party, Probe, RoomError, Seat};

/// The clients of all parties.
pub(crate) trait Clients: Send {
    /// Brings them up.
    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError>;

    /// Makes a connection known by `connection` and gives an offer of it, or offers an existing one anew. It `sends` the
    /// party's own voice, and is ready for so many others' voices.
    fn offer(&mut self, who: &str, connection: &str, sends: bool, hears: usize) -> Result<String, RoomError>;

    /// Makes a connection from an offer, or takes a further offer for an existing one, and gives the answer.
    fn answer(&mut self, who: &str, connection: &str, offer: &str, sends: bool) -> Result<String, RoomError>;

    /// Takes the answer to an offer.
    fn accept(&mut self, who: &str, connection: &str, answer: &str) -> Result<(), RoomError>;

    /// Waits until a connection is up.
    fn connected(&mut self, who: &str, connection: &str) -> Result<(), RoomError>;

    /// Closes a connection.
    fn close(&mut self, who: &str, connection: &str) -> Result<(), RoomError>;

    /// Closes all of a party's connections.
    fn close_all(&mut self, who: &str) -> Result<(), RoomError>;

    /// Lets the party's voice through, or silence in its place.
    fn mute(&mut self, who: &str, muted: bool) -> Result<(), RoomError>;

    /// The probe of ours that is a party's client, if it is one.
    fn probe(&mut self, who: &Party) -> Option<Probe>;

    /// Where the party's mouth and ear are.
    fn seat(&mut self, who: &Party) -> Seat {
        if self.probe(who).is_some() { Seat::ProbeThere } else { Seat::Devices }
    }

    /// Whether they are still there.
    fn check(&mut self) -> Result<(), RoomError>;

    /// What each party's client says about its connections, as JSON.
    fn stats(&mut self) -> Vec<(String, String)>;

    /// What takes part, and its version.
    fn version(&self) -> (String, String);
}
