//! Whatever takes WHIP (RFC 9725) and gives WHEP (draft-ietf-wish-whep): somebody's server, or a relay of ours that is started
//! here. Who speaks has a session for it, and everybody one for each other speaker whom they hear.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_drivers::whip::{Client, ClientError, Session};

use super::webrtc::Clients;
use super::{
    Making, PATIENCE, Party, Probe, Room, RoomError, Seat, Steps, client_files, free_port, network_address,
    webrtc_clients,
};
use crate::bus;
use crate::experiment::WhipPart;
use crate::processes;
use crate::run::started::Started;

/// A relay comes after the sound server, before browsers.
const PRIORITY: u8 = 10;
/// The token of a relay that is started for one run, on loopback.
const TOKEN: &str = "whip";
/// The names of a client's connections: by which it speaks, and by which it hears all.
const OWN: &str = "own";
const ALL: &str = "all";
/// How soon whoever is not there yet is asked for again, if the server does not say.
const AGAIN: Duration = Duration::from_millis(200);

/// The room.
pub(super) struct Whip {
    // Before the server: they are in it.
    clients: Box<dyn Clients>,
    making: Making,
    server: Server,
    relay: Option<Started>,
    /// How many others somebody may hear.
    speakers: usize,
    there: BTreeMap<String, Member>,
    /// What the server says that it is.
    said: Option<String>,
}

/// Where sessions are asked for.
struct Server {
    client: Client,
    /// `None`: a relay of ours, which is to be started.
    urls: Option<Urls>,
}

/// With `{name}` and `{listener}` in them.
#[derive(Clone, Debug)]
struct Urls {
    publish: String,
    play: String,
}

/// What there is to end of somebody's sessions: the URL, if the server gave one.
type Resource = Option<String>;

#[derive(Debug, Default)]
struct Member {
    publishes: Option<Resource>,
    /// By whom they hear, or [`ALL`].
    hears: BTreeMap<String, Resource>,
}

impl Whip {
    pub(super) fn new(part: &WhipPart, making: Making) -> anyhow::Result<Self> {
        let clients = webrtc_clients(part.client, part.processing, &making)?;
        let urls = match (&part.publish, &part.play) {
            (Some(publish), Some(play)) => Some(Urls { publish: publish.clone(), play: play.clone() }),
            _ => None,
        };
        let own = || TOKEN.to_owned();
        let token = part.token.clone().or_else(|| urls.is_none().then(own));
        let server = Server { client: Client::new(token.clone(), PATIENCE), urls };
        let mut room = Self { clients, making, server, relay: None, speakers: 0, there: BTreeMap::new(), said: None };
        if room.server.urls.is_none() {
            room.start_relay(&token.unwrap_or_else(own))?;
        }
        Ok(room)
    }

    /// Starts a relay of ours, with a door for WebRTC.
    fn start_relay(&mut self, token: &str) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot find jiho itself")?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command: Command = bus::with_priority(&program, PRIORITY);
        command.args(["relay", "--control", "127.0.0.1:0", "--media", "127.0.0.1:0", "--whip", &address]);
        if let Some(own) = network_address() {
            command.args(["--whip-address", &own.to_string()]);
        }
        command.env("JIHO_TOKEN", token);
        processes::lead(&mut command);
        let mut relay = self.making.start("the relay", "relay", command)?;
        self.making.wait_for(&mut relay, "relay", "taking HTTP", || TcpStream::connect(&address).ok())?;
        self.relay = Some(relay);
        let at = |path: &str| format!("http://{address}/{path}");
        self.server.urls = Some(Urls { publish: at("whip/{name}"), play: at("whep/{listener}/{name}") });
        Ok(())
    }

    /// Lets somebody send.
    fn publish(&mut self, name: &str, steps: Steps<'_>) -> Result<(), RoomError> {
        let url = self.server.urls()?.publish.replace("{name}", name);
        let offer = self.clients.offer(name, OWN, true, 0)?;
        steps(Step::Offered);
        let session = self.server.post(&url, &offer, &format!("publishing {name}"))?;
        self.note(&session);
        // Before anything can fail: it is to be ended.
        self.there.entry(name.to_owned()).or_default().publishes = Some(session.resource);
        self.clients.accept(name, OWN, &session.answer)?;
        steps(Step::Answered);
        self.clients.connected(name, OWN)?;
        steps(Step::TransportReady);
        Ok(())
    }

    /// Lets somebody hear a speaker, or all of them if `speaker` is [`ALL`].
    fn play(&mut self, name: &str, speaker: &str, lines: usize) -> Result<(), RoomError> {
        let url = self.server.urls()?.play.replace("{listener}", name).replace("{name}", speaker);
        let connection = if speaker == ALL { ALL.to_owned() } else { hears(speaker) };
        let offer = self.clients.offer(name, &connection, false, lines)?;
        let session = self.server.post(&url, &offer, &format!("letting {name} hear {speaker}"))?;
        self.note(&session);
        self.there.entry(name.to_owned()).or_default().hears.insert(speaker.to_owned(), session.resource);
        self.clients.accept(name, &connection, &session.answer)?;
        self.clients.connected(name, &connection)
    }

    fn note(&mut self, session: &Session) {
        if self.said.is_none() {
            self.said.clone_from(&session.server);
        }
    }

    fn hears_all_by_one(&self) -> bool {
        self.server.urls.as_ref().is_some_and(|urls| !urls.play.contains("{name}"))
    }

    /// Lets everybody hear somebody who has begun to publish.
    fn be_heard(&mut self, name: &str, steps: Steps<'_>) -> Result<(), RoomError> {
        if self.hears_all_by_one() {
            return Ok(());
        }
        let others: Vec<String> = self.there.keys().filter(|other| *other != name).cloned().collect();
        for other in others {
            steps(Step::SubscriberNotified);
            self.play(&other, name, 1)?;
            steps(Step::SubscriberAcknowledged);
        }
        Ok(())
    }

    /// Ends what somebody sends.
    fn unpublish(&mut self, name: &str) -> Result<(), RoomError> {
        let Some(own) = self.there.get_mut(name).and_then(|member| member.publishes.take()) else {
            return Ok(());
        };
        let heard: Vec<(String, Resource)> = self
            .there
            .iter_mut()
            .filter_map(|(other, member)| Some((other.clone(), member.hears.remove(name)?)))
            .collect();
        self.server.delete(own, &format!("ending what {name} publishes"))?;
        self.clients.close(name, OWN)?;
        for (other, resource) in heard {
            self.server.delete(resource, &format!("letting {other} hear {name} no more"))?;
            self.clients.close(&other, &hears(name))?;
        }
        Ok(())
    }
}

/// The name of a listener's connection, for its client.
fn hears(speaker: &str) -> String {
    format!("hears-{speaker}")
}

impl Server {
    fn urls(&self) -> Result<&Urls, RoomError> {
        Ok(self.urls.as_ref().context("the relay has not been started")?)
    }

    /// Posts an offer; again, while it says that there is nobody to be heard yet.
    fn post(&self, url: &str, offer: &str, doing: &str) -> Result<Session, RoomError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.client.post(url, offer) {
                Ok(session) => return Ok(session),
                Err(ClientError::Refused { again: Some(again), .. }) if Instant::now() + again < until => {
                    std::thread::sleep(again.max(AGAIN));
                }
                Err(error) => return Err(failed(doing, error)),
            }
        }
    }

    fn delete(&self, resource: Resource, doing: &str) -> Result<(), RoomError> {
        // Whoever gives no URL ends a session when its connection ends.
        let Some(resource) = resource else { return Ok(()) };
        self.client.delete(&resource).map_err(|error| failed(doing, error))
    }
}

fn failed(doing: &str, error: ClientError) -> RoomError {
    match error {
        ClientError::Refused { .. } => {
            RoomError::Refused { what: "the server".to_owned(), doing: doing.to_owned(), reason: error.to_string() }
        }
        ClientError::Silent { url, within } => RoomError::Silent { what: url, doing: doing.to_owned(), within },
        ClientError::Failed { .. } => anyhow::anyhow!("{doing}: {error}").into(),
    }
}

impl Room for Whip {
    fn own_address(&self) -> Option<IpAddr> {
        network_address()
    }

    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        self.speakers = parties.iter().filter(|who| who.role == Role::Speaker).count();
        self.clients.start(parties)
    }

    fn probe(&mut self, who: &Party) -> Option<Probe> {
        self.clients.probe(who)
    }

    fn join(&mut self, who: &Party, steps: Steps<'_>) -> Result<Seat, RoomError> {
        let (name, speaks) = (&who.name, who.role == Role::Speaker);
        self.there.entry(name.clone()).or_default();
        if speaks {
            self.publish(name, steps)?;
        }
        if self.hears_all_by_one() {
            let others = self.speakers.saturating_sub(usize::from(speaks)).max(1);
            self.play(name, ALL, others)?;
        } else {
            let publish = |(other, member): (&String, &Member)| {
                (other != name && member.publishes.is_some()).then(|| other.clone())
            };
            let speakers: Vec<String> = self.there.iter().filter_map(publish).collect();
            for speaker in speakers {
                self.play(name, &speaker, 1)?;
            }
        }
        if speaks {
            self.be_heard(name, steps)?;
        }
        Ok(self.clients.seat(who))
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        let name = &who.name;
        self.unpublish(name)?;
        let member = self.there.remove(name).unwrap_or_default();
        for (speaker, resource) in member.hears {
            self.server.delete(resource, &format!("letting {name} hear {speaker} no more"))?;
        }
        self.clients.close_all(name)
    }

    fn change(&mut self, who: &Party, change: Change, steps: Steps<'_>) -> Result<(), RoomError> {
        let name = &who.name;
        match change {
            Change::Mute => self.clients.mute(name, true),
            Change::Unmute => self.clients.mute(name, false),
            Change::Promote => {
                self.publish(name, steps)?;
                self.be_heard(name, steps)
            }
            Change::Demote => self.unpublish(name),
            Change::Join | Change::Leave | Change::Remove => Ok(()),
        }
    }

    fn check(&mut self) -> Result<(), RoomError> {
        if let Some(relay) = &mut self.relay {
            relay.check("in the middle of the run")?;
        }
        self.clients.check()
    }

    fn last_words(&mut self) -> BTreeMap<String, String> {
        client_files(self.clients.as_mut())
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let server = self.said.iter().map(|said| ("server".to_owned(), said.clone()));
        server.chain([self.clients.version()]).collect()
    }
}

impl Drop for Whip {
    fn drop(&mut self) {
        // Somebody else's server goes on, and is not to be left with sessions; a relay of ours ends with all of them.
        if self.relay.is_some() {
            return;
        }
        let resources = self.there.values_mut().flat_map(|member| {
            member.publishes.take().into_iter().chain(std::mem::take(&mut member.hears).into_values())
        });
        for resource in resources {
            // One that does not answer would not answer again.
            if self.server.delete(resource, "ending a session").is_err() {
                break;
            }
        }
    }
}
