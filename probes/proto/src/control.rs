//! Signalling: one JSON object per line over TCP. In simulation the same messages travel as values.
//!
//! A session: the client connects and says [`Message::Join`]; the relay answers [`Message::Joined`] or
//! [`Message::Refused`] and closes. While the connection lasts the seat lasts; [`Message::Leave`] or the end of the
//! connection gives it up. The relay announces speakers' streams by [`Message::Talker`]. Media goes to and comes from
//! [`Joined::media`] until [`Message::Route`] says otherwise. Between two relays of a cascade the lower one is the
//! client, and says [`Message::Trunk`] in place of *join*.
//!
//! A change of role: a moderator, who needs no seat, says [`Message::Command`]; the relay tells the client by
//! [`Message::Grant`]; a client that is promoted by a profile that negotiates, or demoted, says [`Message::Offer`] and
//! hears [`Message::Answer`]; it says [`Message::Ready`] when all is done at its side. Everybody who is to hear it is
//! told by [`Message::Notice`] and says [`Message::Noted`]. The moderator is told by [`Message::Outcome`].

use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::Change;
use serde::{Deserialize, Serialize};

use crate::handshake::Promotion;

/// The longest line that is read; a longer one ends the connection.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// One line of signalling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Client to relay: let me in.
    Join(Join),
    /// Relay to client: you are in.
    Joined(Joined),
    /// Relay to client: you are not, and why. The relay closes the connection.
    Refused {
        /// In words.
        reason: String,
    },
    /// Relay to client: this speaker's stream has begun or has changed its SSRC. A speaker whose packets do not pass
    /// the relay says so of its own stream, and relays of a cascade say it to each other.
    Talker(Talker),
    /// Relay to client: where media goes and comes from, in place of all that was said before.
    Route(Route),
    /// Relay to relay: take me as an edge of yours.
    Trunk(Trunk),
    /// Client to relay: I am going.
    Leave,
    /// Moderator to relay: change somebody's role. Needs no seat.
    Command(Command),
    /// Relay to moderator: what became of a command.
    Outcome(Outcome),
    /// Relay to client: your role changes.
    Grant(Grant),
    /// Client to relay: what I can do on the new path; promotions that negotiate begin with it, and demotions.
    Offer {
        /// [`Grant::number`].
        number: u32,
    },
    /// Relay to client: agreed.
    Answer {
        /// [`Grant::number`].
        number: u32,
    },
    /// Client to relay: done what was granted.
    Ready {
        /// [`Grant::number`].
        number: u32,
        /// Whether packets follow.
        speaks: bool,
    },
    /// Client to relay: what was granted cannot be done.
    Cannot {
        /// [`Grant::number`].
        number: u32,
        /// In words.
        reason: String,
    },
    /// Relay to client: this speaker is to be heard from now on.
    Notice(Notice),
    /// Client to relay: ready to hear who was named in the notice of this number.
    Noted {
        /// [`Notice::number`].
        number: u32,
    },
}

/// A moderator's wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The room's secret.
    pub token: String,
    /// What is wanted.
    pub action: Action,
}

/// What a moderator may want of somebody, by the name in the room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// From the audience to the stage.
    Promote(String),
    /// From the stage to the audience.
    Demote(String),
    /// Send no more.
    Mute(String),
    /// Send again.
    Unmute(String),
    /// Out of the room.
    Remove(String),
}

impl Action {
    /// The action as a change, and whom it is about.
    pub fn parts(&self) -> (Change, &str) {
        match self {
            Self::Promote(name) => (Change::Promote, name),
            Self::Demote(name) => (Change::Demote, name),
            Self::Mute(name) => (Change::Mute, name),
            Self::Unmute(name) => (Change::Unmute, name),
            Self::Remove(name) => (Change::Remove, name),
        }
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command's action.
    pub action: Action,
    /// The relay's number for the change; absent if it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Why it came to nothing; absent: it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A change of the client's role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The relay's number for the change, from 1.
    pub number: u32,
    /// To what.
    pub change: Change,
    /// How the client comes to the stage, or has come.
    pub promotion: Promotion,
}

/// Somebody's stream that is to be heard because of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The relay's number for the change.
    pub number: u32,
    /// Which change.
    pub change: Change,
    /// Whose stream.
    pub name: String,
    /// The stream's identifier in RTP.
    pub ssrc: u32,
}

/// A request for a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// A name that nobody else in the room has.
    pub name: String,
    /// Stage or audience.
    pub role: Role,
    /// The room's secret: nobody gets in without it.
    pub token: String,
    /// Where our media comes from and goes to. An unspecified IP (`0.0.0.0`) stands for the one that the relay sees
    /// at the other end of the control connection.
    pub media: SocketAddr,
    /// Names of the speakers to hear; absent: everybody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Vec<String>>,
    /// What we say is sealed end to end: nobody on the way can decode it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sealed: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A granted seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Where to send media, and where media will come from.
    pub media: SocketAddr,
    /// The RTP payload type of the room's codec.
    pub payload_type: u8,
    /// A session description (RFC 8866) with which ffmpeg, GStreamer or VLC can receive what is sent to the seat.
    pub sdp: String,
}

/// A client's ways for media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where each packet of ours goes.
    pub send_to: Vec<SocketAddr>,
    /// Whose packets are for us.
    pub hear_from: Vec<SocketAddr>,
}

/// A relay's request to be an edge of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// The room's secret.
    pub token: String,
    /// Where the edge's media comes from and goes to; an unspecified IP as in [`Join::media`].
    pub media: SocketAddr,
}

/// A speaker's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talker {
    /// The speaker's name.
    pub name: String,
    /// The stream's identifier in RTP.
    pub ssrc: u32,
}

/// Why a line is not a message.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("a control line of {0} bytes is longer than the {MAX_LINE_BYTES} allowed")]
    TooLong(usize),
    /// It is not JSON, or not a message that we know.
    #[error("not a control message: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Message {
    /// Reads one line, with or without its line end.
    pub fn from_line(line: &[u8]) -> Result<Self, ControlError> {
        if line.len() > MAX_LINE_BYTES {
            return Err(ControlError::TooLong(line.len()));
        }
        Ok(serde_json::from_slice(line)?)
    }

    /// All addresses for media that the message names.
    pub fn media_mut(&mut self) -> Vec<&mut SocketAddr> {
        match self {
            Self::Join(Join { media, .. }) | Self::Joined(Joined { media, .. }) | Self::Trunk(Trunk { media, .. }) => {
                vec![media]
            }
            Self::Route(Route { send_to, hear_from }) => send_to.iter_mut().chain(hear_from).collect(),
            _ => Vec::new(),
        }
    }

    /// Writes one line, with its line end.
    pub fn to_line(&self) -> String {
        // Plain data with string keys: serialising it cannot fail.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::units::Nanos;
    use proptest::prelude::*;

    use super::*;
    use crate::handshake::Profile;

    #[test]
    fn a_command_written_by_hand_is_understood() {
        let line = br#"{"command":{"token":"t","action":{"promote":"lena"}}}"#;
        let action = Action::Promote("lena".to_owned());
        assert_eq!(Message::from_line(line).unwrap(), Message::Command(Command { token: "t".to_owned(), action }));
    }

    #[test]
    fn a_join_written_by_hand_is_understood() {
        let line = br#"{"join":{"name":"ana","role":"speaker","token":"t","media":"0.0.0.0:6000"}}"#;
        let Message::Join(join) = Message::from_line(line).unwrap() else { panic!("not a join") };
        assert_eq!((join.name.as_str(), join.role, join.subscribe), ("ana", Role::Speaker, None));
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let line = br#"{"join":{"name":"a","role":"speaker","token":"t","media":"0.0.0.0:1","rol":1}}"#;
        assert!(Message::from_line(line).unwrap_err().to_string().contains("`rol`"));
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_unread() {
        let line = vec![b' '; MAX_LINE_BYTES + 1];
        assert!(matches!(Message::from_line(&line), Err(ControlError::TooLong(_))));
    }

    fn message() -> impl Strategy<Value = Message> {
        let address = || any::<SocketAddr>();
        let role = prop_oneof![Just(Role::Speaker), Just(Role::Listener)];
        let subscribe = prop::option::of(prop::collection::vec(".*", 0..3));
        prop_oneof![
            (".*", role, ".*", address(), subscribe, any::<bool>()).prop_map(
                |(name, role, token, media, subscribe, sealed)| {
                    Message::Join(Join { name, role, token, media, subscribe, sealed })
                }
            ),
            (address(), any::<u8>(), ".*").prop_map(|(media, payload_type, sdp)| Message::Joined(Joined {
                media,
                payload_type,
                sdp
            })),
            ".*".prop_map(|reason| Message::Refused { reason }),
            (".*", any::<u32>()).prop_map(|(name, ssrc)| Message::Talker(Talker { name, ssrc })),
            (prop::collection::vec(address(), 0..4), prop::collection::vec(address(), 0..4))
                .prop_map(|(send_to, hear_from)| Message::Route(Route { send_to, hear_from })),
            (".*", address()).prop_map(|(token, media)| Message::Trunk(Trunk { token, media })),
            Just(Message::Leave),
            role_message(),
        ]
    }

    fn role_message() -> impl Strategy<Value = Message> {
        let action = prop_oneof![
            ".*".prop_map(Action::Promote),
            ".*".prop_map(Action::Demote),
            ".*".prop_map(Action::Mute),
            ".*".prop_map(Action::Unmute),
            ".*".prop_map(Action::Remove),
        ];
        let promotion = (0..Profile::ALL.len(), any::<bool>(), 0..10_000i64).prop_map(|(profile, overlap, millis)| {
            let device_restart = Nanos::from_millis(millis);
            Promotion { overlap, device_restart, ..Promotion::of(Profile::ALL[profile]) }
        });
        prop_oneof![
            (".*", action.clone()).prop_map(|(token, action)| Message::Command(Command { token, action })),
            (action, any::<Option<u32>>(), prop::option::of(".*"))
                .prop_map(|(action, number, refused)| Message::Outcome(Outcome { action, number, refused })),
            (any::<u32>(), promotion).prop_map(|(number, promotion)| Message::Grant(Grant {
                number,
                change: Change::Promote,
                promotion
            })),
            any::<u32>().prop_map(|number| Message::Offer { number }),
            any::<u32>().prop_map(|number| Message::Answer { number }),
            any::<(u32, bool)>().prop_map(|(number, speaks)| Message::Ready { number, speaks }),
            (any::<u32>(), ".*").prop_map(|(number, reason)| Message::Cannot { number, reason }),
            (any::<u32>(), ".*", any::<u32>()).prop_map(|(number, name, ssrc)| {
                Message::Notice(Notice { number, change: Change::Unmute, name, ssrc })
            }),
            any::<u32>().prop_map(|number| Message::Noted { number }),
        ]
    }

    /// IPv6 flow labels are not written.
    fn without_flow(mut message: Message) -> Message {
        for address in message.media_mut() {
            if let SocketAddr::V6(address) = address {
                address.set_flowinfo(0);
            }
        }
        message
    }

    proptest! {
        #[test]
        fn what_is_written_is_one_line_and_read_back(message in message()) {
            let line = message.to_line();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(Message::from_line(line.as_bytes()).unwrap(), without_flow(message));
        }

        #[test]
        fn no_line_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[{}\[\]":,a-z0-9.]{0,80}"#,
        ) {
            let _ = Message::from_line(&bytes);
            let _ = Message::from_line(text.as_bytes());
        }
    }
}
