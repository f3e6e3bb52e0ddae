//! A relay's door: makes guests of who comes, and ends them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::far::{Far, OfferError, Purpose};
use super::guest::{Guest, Handle, MIX, Mouth, Unkept};
use super::http;
use crate::address::{BindError, network_address};
use crate::clock::RunClock;
use crate::control::{CONNECT_TIMEOUT, ConnectError, ControlClient, connect};
use crate::media::MediaThread;
use crate::udp::Socket;

/// How long somebody who is to be heard is waited for.
const TALKS_WITHIN: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(10);
/// How often those are looked for who went without a word.
const REAPED_EVERY: Duration = Duration::from_secs(1);

/// What a door has to know.
#[derive(Clone)]
pub struct Settings {
    /// Where it takes HTTP, as `host:port`.
    pub listen: String,
    /// The address by which guests' media goes; `None`: that by which it takes HTTP, or this host's on the network if that
    /// stands for all.
    pub media: Option<IpAddr>,
    /// The relay's control address.
    pub relay: SocketAddr,
    /// The room's secret.
    pub token: String,
    /// Whether those on the stage are sent a mix,
    pub stage_mixes: bool,
    /// and those in the audience.
    pub audience_mixes: bool,
    /// Says of a name why nobody can have it.
    pub check_name: fn(&str) -> Result<(), String>,
}

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address is none.
    #[error("cannot take HTTP at {address}: {source}")]
    Listen {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Guests' media has no address.
    #[error("this host has no address on a network by which guests' media could go: name one")]
    NoAddress,
    /// Guests could not reach the relay.
    #[error("guests' media cannot go from {media} to the relay at {relay}: give both the same IP version")]
    Versions {
        /// Theirs,
        media: IpAddr,
        /// and the relay's.
        relay: IpAddr,
    },
}

/// A door that is open. Dropping it closes it without a word to who came by it.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    sessions: Arc<Sessions>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    reaper: JoinHandle<()>,
}

impl Door {
    /// Opens it.
    ///
    /// # Errors
    /// An address cannot be had, or does not fit the relay's.
    pub async fn open(settings: Settings) -> Result<Self, DoorError> {
        let cannot = |source| DoorError::Listen { address: settings.listen.clone(), source };
        let listener = TcpListener::bind(&settings.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let own = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        let media = settings.media.or(own).or_else(network_address).ok_or(DoorError::NoAddress)?;
        if media.is_ipv4() != settings.relay.is_ipv4() {
            return Err(DoorError::Versions { media, relay: settings.relay.ip() });
        }
        let sessions = Arc::new(Sessions { settings, media, all: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(http::serve(listener, Arc::clone(&sessions), stopped));
        let reaped = Arc::clone(&sessions);
        let reaper = tokio::spawn(async move {
            loop {
                sleep(REAPED_EVERY).await;
                reap(&mut *reaped.all.lock().await).await;
            }
        });
        Ok(Self { address, sessions, stop, server, reaper })
    }

    /// Where it takes HTTP.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes it, and ends all who came by it.
    pub async fn shutdown(self) {
        let Self { sessions, stop, server, reaper, .. } = self;
        // It may have ended by itself.
        let _ = stop.send(());
        reaper.abort();
        server.abort();
        let all = std::mem::take(&mut *sessions.all.lock().await);
        for entry in all.into_values() {
            entry.end().await;
        }
    }
}

/// Everybody who came by a door.
pub(super) struct Sessions {
    pub(super) settings: Settings,
    media: IpAddr,
    all: Mutex<BTreeMap<String, Entry>>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("listen", &self.settings.listen).finish_non_exhaustive()
    }
}

struct Entry {
    /// Who came.
    name: String,
    purpose: Purpose,
    address: SocketAddr,
    shared: Handle,
    thread: MediaThread,
    client: ControlClient,
}

/// A session that was made.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) answer: String,
    /// Names the connection's ICE credentials.
    pub(super) tag: String,
}

/// Why one was not.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Name(String),
    #[error("{0} is there already")]
    Taken(String),
    #[error("{0} is not heard at present")]
    Silent(String),
    #[error("this room mixes: nobody is heard alone")]
    Mixed,
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error("the relay does not let {name} in: {reason}")]
    Refused { name: String, reason: String },
    #[error("{0}")]
    Relay(#[from] ConnectError),
    #[error("{0}")]
    Host(String),
}

impl Entry {
    /// Ends it, and waits until the relay knows.
    async fn end(self) {
        self.thread.stop();
        let thread = self.thread;
        // A thread that panicked has said so.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        self.client.closed().await;
    }

    fn is_mouth_of(&self, name: &str) -> bool {
        self.purpose == Purpose::Publish && self.name == name && self.is_there()
    }

    fn is_there(&self) -> bool {
        self.shared.lock().over.is_none()
    }
}

/// Takes out those who are over.
async fn reap(all: &mut BTreeMap<String, Entry>) {
    let over: Vec<String> = all.iter().filter(|(_, entry)| !entry.is_there()).map(|(id, _)| id.clone()).collect();
    for id in over {
        remove(all, &id).await;
    }
}

/// Ends one of them; false: there is none.
async fn remove(all: &mut BTreeMap<String, Entry>, id: &str) -> bool {
    let Some(entry) = all.remove(id) else { return false };
    for other in all.values() {
        other.shared.lock().ears.retain(|ear| *ear != entry.address);
    }
    entry.end().await;
    true
}

impl Sessions {
    /// Lets somebody in.
    pub(super) async fn make(&self, name: &str, purpose: Purpose, offer: &str) -> Result<Made, Refusal> {
        (self.settings.check_name)(name).map_err(Refusal::Name)?;
        let mut all = self.all.lock().await;
        reap(&mut all).await;
        if all.values().any(|entry| entry.name == name && entry.purpose == purpose) {
            return Err(Refusal::Taken(name.to_owned()));
        }
        let mouth = all.values().find(|entry| entry.is_mouth_of(name));
        let mouth = mouth.map(|mouth| Mouth { address: mouth.address, shared: mouth.shared.clone() });
        let mixes = if mouth.is_some() { self.settings.stage_mixes } else { self.settings.audience_mixes };
        if mixes && matches!(purpose, Purpose::Play(Some(_))) {
            return Err(Refusal::Mixed);
        }
        let socket = Socket::bind(SocketAddr::new(self.media, 0)).map_err(|error| Refusal::Host(error.to_string()))?;
        let address = socket.local_addr();
        let mut far = Far::new(address, offer, purpose.clone())?;
        let entry = self.enter(name, purpose.clone(), mouth, socket).await?;
        if let Purpose::Play(Some(speaker)) = &purpose
            && !talks(&entry.shared, speaker).await
        {
            entry.end().await;
            return Err(Refusal::Silent(speaker.clone()));
        }
        let talkers = entry.shared.to_hear();
        let (answer, tag) = far.answer(&talkers);
        let id = far.identity();
        entry.shared.lock().far = Some(far);
        // Who has heard as one of the audience hears as one on the stage from now on.
        if purpose == Purpose::Publish {
            let mouth = Mouth { address, shared: entry.shared.clone() };
            for ear in all.values().filter(|other| other.name == name) {
                ear.shared.lock().mouth = Some(mouth.clone());
                entry.shared.lock().ears.push(ear.address);
            }
        } else if let Some(mouth) = all.values().find(|other| other.is_mouth_of(name)) {
            mouth.shared.lock().ears.push(address);
        }
        all.insert(id.clone(), entry);
        Ok(Made { id, answer, tag })
    }

    /// Takes a seat at the relay.
    async fn enter(
        &self,
        name: &str,
        purpose: Purpose,
        mouth: Option<Mouth>,
        socket: Socket,
    ) -> Result<Entry, Refusal> {
        // One seat for each connection, and no two of one name.
        let seat = match &purpose {
            Purpose::Publish => name.to_owned(),
            Purpose::Play(None) => format!("{name}-hears"),
            Purpose::Play(Some(speaker)) => format!("{name}-hears-{speaker}"),
        };
        let address = socket.local_addr();
        let mut relay = self.settings.relay;
        if relay.ip().is_unspecified() {
            relay.set_ip(self.media);
        }
        let (client, link) = connect(&relay.to_string(), CONNECT_TIMEOUT, socket.waker()).await?;
        let (shared, clock) = (Handle::default(), RunClock::start());
        shared.lock().mouth = mouth;
        let token = self.settings.token.clone();
        let (guest, answer) = Guest::new(seat.clone(), token, purpose.clone(), address, clock, shared.clone());
        let thread = MediaThread::spawn(&seat, Box::new(guest), socket, clock, link, Box::new(Unkept))
            .map_err(|error| Refusal::Host(error.to_string()))?;
        let entry = Entry { name: name.to_owned(), purpose, address, shared, thread, client };
        let reason = match timeout(CONNECT_TIMEOUT, answer).await {
            Ok(Ok(Ok(()))) => return Ok(entry),
            Ok(Ok(Err(reason))) => reason,
            Ok(Err(_)) | Err(_) => "it does not answer".to_owned(),
        };
        entry.end().await;
        Err(Refusal::Refused { name: seat, reason })
    }

    /// Ends a session; false: there is none of that name.
    pub(super) async fn end(&self, id: &str) -> bool {
        remove(&mut *self.all.lock().await, id).await
    }

    /// Whether there is one.
    pub(super) async fn is_there(&self, id: &str) -> bool {
        self.all.lock().await.contains_key(id)
    }
}

/// Waits until a speaker's stream is announced; false: it is not.
async fn talks(shared: &Handle, speaker: &str) -> bool {
    let until = Instant::now() + TALKS_WITHIN;
    while Instant::now() < until {
        if shared.to_hear().iter().any(|(name, _)| name == speaker && name != MIX) {
            return true;
        }
        sleep(TICK).await;
    }
    false
}
