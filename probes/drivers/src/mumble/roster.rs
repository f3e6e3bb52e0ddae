//! Who is on a server.

use std::collections::BTreeMap;

use super::error::Denial;
use super::messages::{Incoming, UserState};

/// What a server has said of itself and of those who are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    /// Who is there, by session.
    pub users: BTreeMap<u32, User>,
    /// The channels' names, by number; 0 is the root.
    pub channels: BTreeMap<u32, String>,
    /// Whether all are to use Opus; `None`: it has not said. Where it is false, somebody cannot hear us.
    pub opus: Option<bool>,
    pub(super) tunnelled: u64,
    pub(super) denials: u64,
    pub(super) last_denial: Option<Denial>,
    pub(super) ended: Option<String>,
}

/// Somebody on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The channel's number.
    pub channel: u32,
    /// Muted by a moderator.
    pub muted: bool,
    /// May not speak in this channel.
    pub suppressed: bool,
    /// Muted by themselves.
    pub self_muted: bool,
}

impl Roster {
    /// Notes what a message says; false: it says nothing that belongs here.
    pub(super) fn note(&mut self, message: &Incoming) -> bool {
        match message {
            Incoming::Tunnelled => self.tunnelled += 1,
            Incoming::UserState(state) => self.note_user(state),
            Incoming::UserRemove(removed) => {
                removed.session.and_then(|session| self.users.remove(&session));
            }
            Incoming::ChannelState(state) => {
                let name = self.channels.entry(state.channel_id.unwrap_or_default()).or_default();
                if let Some(said) = &state.name {
                    name.clone_from(said);
                }
            }
            Incoming::ChannelRemove(removed) => {
                removed.channel_id.and_then(|channel| self.channels.remove(&channel));
            }
            Incoming::CodecVersion(version) => self.opus = Some(version.opus.unwrap_or_default()),
            Incoming::PermissionDenied(denied) => {
                self.denials += 1;
                self.last_denial = Some(denied.clone().into());
            }
            Incoming::Version(_)
            | Incoming::Reject(_)
            | Incoming::ServerSync(_)
            | Incoming::CryptSetup(_)
            | Incoming::Other => return false,
        }
        true
    }

    /// A state says only what has changed.
    fn note_user(&mut self, state: &UserState) {
        let Some(session) = state.session else { return };
        let user = self.users.entry(session).or_default();
        if let Some(name) = &state.name {
            user.name.clone_from(name);
        }
        user.channel = state.channel_id.unwrap_or(user.channel);
        user.muted = state.mute.unwrap_or(user.muted);
        user.suppressed = state.suppress.unwrap_or(user.suppressed);
        user.self_muted = state.self_mute.unwrap_or(user.self_muted);
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::UserRemove;
    use super::*;

    #[test]
    fn what_a_state_does_not_say_stays() {
        let mut roster = Roster::default();
        let ana =
            UserState { session: Some(3), name: Some("ana".to_owned()), channel_id: Some(2), ..Default::default() };
        assert!(roster.note(&Incoming::UserState(ana)));
        roster.note(&Incoming::UserState(UserState { session: Some(3), mute: Some(true), ..Default::default() }));
        let user = User { name: "ana".to_owned(), channel: 2, muted: true, ..User::default() };
        assert_eq!(roster.users, BTreeMap::from([(3, user)]));
        roster.note(&Incoming::UserRemove(UserRemove { session: Some(3), ..Default::default() }));
        assert!(roster.users.is_empty());
        assert!(!roster.note(&Incoming::Other));
    }
}
