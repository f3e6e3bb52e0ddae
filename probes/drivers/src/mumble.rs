//! A client's control connection to a Mumble server: lets it in, keeps it there, follows who else is there, and changes
//! what a client or a moderator may change. Voice goes by UDP, through an engine of its own:
//! [`Mumble`](jiho_proto::mumble::Mumble).
//!
//! Source: "Mumble Protocol", chapter "Establishing a connection" (`docs/dev/network-protocol` of the Mumble project).
//!
//! A server counts connections from one address as attempts to break in, and bans it for minutes after ten within two:
//! where many clients of one host take part, its settings need `autobanAttempts=0`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use jiho_proto::mumble::VoiceLine;
use jiho_proto::mumble::crypt::Keys;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

mod error;
mod greeting;
mod messages;
mod roster;
mod talkers;
mod task;
mod tls;

pub use error::{Denial, MumbleError, Refusal};
pub use roster::{Roster, User};

use crate::control::ControlLink;
use crate::udp::Waker;
use messages::{Outgoing, UserState};

/// Messages that may wait to be sent before whoever says more is held up.
const OUTGOING_QUEUE: usize = 16;
/// How long the server may take to read our last words.
const GOODBYE: Duration = Duration::from_secs(1);

/// A place on a Mumble server. It lasts until it is [closed](Self::close), dropped, or ended by the server.
#[derive(Debug)]
pub struct Connection {
    /// Who we are there: the SSRC under which others hear us.
    pub session: u32,
    /// With what voice is encrypted.
    pub keys: Keys,
    /// Where voice goes to and comes from.
    pub server: SocketAddr,
    /// What the server calls itself, such as `1.3.4`; empty if it does not say.
    pub server_version: String,
    /// How many bits per second a client may send, with all headers; of what is more, the server drops packets.
    pub max_bandwidth_bps: Option<u32>,
    /// To be given to the engine, with the keys.
    pub line: VoiceLine,
    patience: Duration,
    roster: watch::Receiver<Roster>,
    outgoing: mpsc::Sender<Outgoing>,
    task: JoinHandle<()>,
}

/// Takes a place on a server, given as `host:port`, within a time. The same patience holds for later requests.
///
/// # Errors
/// The server cannot be reached, does not speak as Mumble does, does not answer in time, or refuses us.
pub async fn connect(
    server: &str,
    name: &str,
    password: Option<&str>,
    patience: Duration,
) -> Result<Connection, MumbleError> {
    let greeted = match timeout(patience, greeting::greet(server, name, password)).await {
        Ok(greeted) => greeted?,
        Err(_) => return Err(MumbleError::TimedOut { what: format!("Mumble server {server}"), after: patience }),
    };
    let line = VoiceLine::default();
    let (roster_sender, roster) = watch::channel(greeted.roster);
    let (outgoing, queue) = mpsc::channel(OUTGOING_QUEUE);
    let wires = task::Wires {
        session: greeted.session,
        line: line.clone(),
        roster: roster_sender,
        queue,
        answers: outgoing.downgrade(),
    };
    Ok(Connection {
        session: greeted.session,
        keys: greeted.keys,
        server: greeted.address,
        server_version: greeted.server_version,
        max_bandwidth_bps: greeted.max_bandwidth_bps,
        line,
        patience,
        roster,
        outgoing,
        task: tokio::spawn(task::run(greeted.stream, wires)),
    })
}

impl Connection {
    /// Who is there and what is known of them, at this moment and from now on.
    pub fn roster(&self) -> watch::Receiver<Roster> {
        self.roster.clone()
    }

    /// The names of all who are there, ourselves included, by session.
    pub fn names(&self) -> BTreeMap<u32, String> {
        self.roster.borrow().users.iter().map(|(session, user)| (*session, user.name.clone())).collect()
    }

    /// For the engine's driver: tells the engine of all talkers but ourselves, as a relay would, and when the connection
    /// has ended. So the engine has to be stopped before the connection is closed.
    pub fn control(&self, waker: Waker) -> ControlLink {
        talkers::link(self.session, self.roster.clone(), waker)
    }

    /// How many voice packets came through this connection rather than by UDP. They are dropped: their delay would be
    /// that of TCP. The server sends them so until it has had a datagram from us.
    pub fn tunnelled(&self) -> u64 {
        self.roster.borrow().tunnelled
    }

    /// Why the connection has ended, if it has.
    pub fn ended(&self) -> Option<String> {
        self.roster.borrow().ended.clone()
    }

    /// Mutes or unmutes ourselves; the server passes on no voice of who is muted.
    ///
    /// # Errors
    /// The server has not confirmed it.
    pub async fn mute_self(&self, muted: bool) -> Result<(), MumbleError> {
        let state = UserState { self_mute: Some(muted), ..UserState::default() };
        self.change(self.session, state, move |user| user.self_muted == muted).await
    }

    /// Lets somebody speak or not, as a moderator does. In Mumble moderators mute; to suppress is the server's, in channels
    /// where somebody may not speak, and a moderator can only lift it. So this mutes, and lifts both.
    ///
    /// # Errors
    /// We are not allowed to: it takes the permission to mute and deafen. Or nobody has this session.
    pub async fn set_suppressed(&self, session: u32, suppressed: bool) -> Result<(), MumbleError> {
        let lifted = self.roster.borrow().users.get(&session).is_some_and(|user| user.suppressed && !suppressed);
        let state = UserState { mute: Some(suppressed), suppress: lifted.then_some(false), ..UserState::default() };
        let done = move |user: &User| user.muted == suppressed && (suppressed || !user.suppressed);
        self.change(session, state, done).await
    }

    /// Moves somebody, or ourselves, to a channel.
    ///
    /// # Errors
    /// We are not allowed to, or nobody has this session.
    pub async fn move_to(&self, session: u32, channel: u32) -> Result<(), MumbleError> {
        let state = UserState { channel_id: Some(channel), ..UserState::default() };
        self.change(session, state, move |user| user.channel == channel).await
    }

    /// Leaves, and waits until the connection is closed.
    pub async fn close(self) {
        drop(self.outgoing);
        let abort = self.task.abort_handle();
        if timeout(2 * GOODBYE, self.task).await.is_err() {
            abort.abort();
        }
    }

    /// Asks for a change and waits until the server tells everybody of it. The server's refusals do not say what they
    /// refuse: of two requests at once either takes a refusal for its own.
    async fn change(&self, session: u32, state: UserState, done: impl Fn(&User) -> bool) -> Result<(), MumbleError> {
        let mut roster = self.roster.clone();
        let denials = {
            let roster = roster.borrow_and_update();
            if !roster.users.contains_key(&session) {
                return Err(MumbleError::NoSuchSession { session });
            }
            roster.denials
        };
        let message = Outgoing::UserState(UserState { session: Some(session), ..state });
        // A queue that is closed belongs to a connection that has ended, which the roster says.
        let _ = self.outgoing.send(message).await;
        let settled = |roster: &Roster| {
            roster.ended.is_some() || roster.denials != denials || roster.users.get(&session).is_none_or(&done)
        };
        let roster = match timeout(self.patience, roster.wait_for(settled)).await {
            Ok(Ok(roster)) => roster,
            Ok(Err(_)) => return Err(MumbleError::Ended { reason: "its task has stopped".to_owned() }),
            Err(_) => {
                let what = "Mumble server, asked to change somebody's state".to_owned();
                return Err(MumbleError::TimedOut { what, after: self.patience });
            }
        };
        match (&roster.ended, &roster.last_denial) {
            (Some(reason), _) => Err(MumbleError::Ended { reason: reason.clone() }),
            (None, Some(denial)) if roster.denials != denials => Err(MumbleError::Denied(denial.clone())),
            _ if !roster.users.contains_key(&session) => Err(MumbleError::NoSuchSession { session }),
            _ => Ok(()),
        }
    }
}
