//! Who may speak changes during a run: the changes, and the steps that each of them takes.

use serde::{Deserialize, Serialize};

/// What changes for somebody in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Comes into the room.
    Join,
    /// Goes out of it.
    Leave,
    /// From the audience to the stage.
    Promote,
    /// From the stage to the audience.
    Demote,
    /// Stays on the stage, and sends no more.
    Mute,
    /// Sends again.
    Unmute,
    /// Is sent out of the room.
    Remove,
}

/// A step of a change, at the endpoint that it is about (the *subject*), at the relay, or at somebody else's endpoint.
/// What follows the colon is the step's *detail*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Moderator: the command has been sent. Joining: the participant begins; leaving: it says goodbye.
    Asked,
    /// Relay: the command has come.
    Commanded,
    /// Relay: the subject is told; subject: has been told. Joining: let in.
    Granted,
    /// Relay: sends nothing more of the old path; subject: plays nothing more of it.
    OldPathClosed,
    /// Subject: sends its offer; relay: has received it.
    Offered,
    /// Relay: sends its answer; subject: has received it.
    Answered,
    /// A flight of the handshake is there as a whole: its name.
    FlightReceived,
    /// A flight of the handshake leaves for the first time: its name.
    FlightSent,
    /// A flight of the handshake leaves again, because no answer came in time: its name.
    FlightRetransmitted,
    /// Relay: takes the subject's media, and sends it the new path's; subject: may send and hear.
    TransportReady,
    /// Subject: its sound device stops, to begin again.
    DeviceRestartBegun,
    /// Subject: its sound device runs again.
    DeviceRestartEnded,
    /// Subject: its first packet leaves.
    FirstMediaSent,
    /// Relay: the subject's first packet is there.
    FirstMediaArrived,
    /// Relay: tells somebody that the subject is to be heard: whom.
    SubscriberNotified,
    /// Relay: somebody is ready to hear the subject: who.
    SubscriberAcknowledged,
    /// Relay: sends on the first packet of the new path: to whom. To the subject, it is what the subject hears next;
    /// to anybody else, it is the subject's.
    FirstMediaForwarded,
    /// Subject: the first packet of the new path is there; anybody else: the subject's first packet is.
    FirstMediaReceived,
    /// The same packet's sound is at the ear, or that of a later one if the first could not be played.
    FirstPlayed,
    /// Relay: the change is complete; moderator: has been told so.
    Done,
    /// It came to nothing: why.
    Failed,
}

impl Change {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Promote => "promote",
            Self::Demote => "demote",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Remove => "remove",
        }
    }
}
