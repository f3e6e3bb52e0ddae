//! Janus's VideoRoom: a publisher has a connection by which it sends, and a subscriber one for each publisher that it hears.

use std::collections::BTreeMap;

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use serde_json::json;

use super::super::webrtc::Clients;
use super::super::{Making, Party, Probe, Room, RoomError, Seat, Steps, webrtc_clients};
use super::{Handle, Janus, ROOM};
use crate::experiment::{Promoted, VideoroomPart};

const PLUGIN: &str = "videoroom";
/// The name of a publisher's connection, for its client.
const OWN: &str = "own";
const CONFIGURATION: &str =
    "room-1: {\n    description = \"jiho\"\n    publishers = 64\n    audiocodec = \"opus\"\n}\n";

/// The room.
pub(in super::super) struct Videoroom {
    // Before the server: they are in it.
    clients: Box<dyn Clients>,
    janus: Option<Janus>,
    making: Making,
    promotion: Promoted,
    there: BTreeMap<String, Member>,
    /// Feeds are numbered, never twice the same.
    next_feed: u64,
}

#[derive(Debug, Default)]
struct Member {
    /// What others subscribe to, if it publishes, and by which handle.
    publishes: Option<(u64, Handle)>,
    /// By which handle it hears whom.
    hears: BTreeMap<String, Handle>,
}

impl Videoroom {
    pub(in super::super) fn new(part: &VideoroomPart, making: Making) -> anyhow::Result<Self> {
        super::program(&["janus"], "janus")?;
        let clients = webrtc_clients(part.client, part.processing, &making)?;
        let (janus, there, promotion) = (None, BTreeMap::new(), part.promotion);
        Ok(Self { clients, janus, making, promotion, there, next_feed: 1 })
    }

    fn parts(&mut self) -> Result<(&mut Janus, &mut dyn Clients), RoomError> {
        Ok((self.janus.as_mut().context("Janus has not been started")?, self.clients.as_mut()))
    }

    /// Lets somebody send.
    fn publish(&mut self, name: &str, steps: Steps<'_>) -> Result<(), RoomError> {
        let feed = self.next_feed;
        self.next_feed += 1;
        let (janus, clients) = self.parts()?;
        let handle = janus.attach(PLUGIN)?;
        let join = json!({ "request": "join", "ptype": "publisher", "room": ROOM, "id": feed, "display": name });
        janus.say(handle, join, None, &format!("letting {name} in as a publisher"))?;
        let offer = clients.offer(name, OWN, true, 0)?;
        steps(Step::Offered);
        let doing = format!("publishing {name}");
        let publish = json!({ "request": "publish", "audiocodec": "opus" });
        let (_, answer) = janus.say(handle, publish, Some(("offer", &offer)), &doing)?;
        clients.accept(name, OWN, &answer.context("Janus gave no answer to an offer")?)?;
        steps(Step::Answered);
        clients.connected(name, OWN)?;
        // Before that nobody can subscribe.
        janus.wait_until_up(handle, &doing)?;
        steps(Step::TransportReady);
        self.there.entry(name.to_owned()).or_default().publishes = Some((feed, handle));
        Ok(())
    }

    /// Lets somebody hear a publisher.
    fn subscribe(&mut self, name: &str, speaker: &str) -> Result<(), RoomError> {
        let publishes = self.there.get(speaker).and_then(|member| member.publishes);
        let (feed, _) = publishes.with_context(|| format!("{speaker} does not publish"))?;
        let (janus, clients) = self.parts()?;
        let handle = janus.attach(PLUGIN)?;
        let doing = format!("letting {name} hear {speaker}");
        let join = json!({ "request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{ "feed": feed }] });
        let (_, offer) = janus.say(handle, join, None, &doing)?;
        let connection = hears(speaker);
        let offer = offer.context("Janus gave no offer to a subscriber")?;
        let answer = clients.answer(name, &connection, &offer, false)?;
        janus.say(handle, json!({ "request": "start" }), Some(("answer", &answer)), &doing)?;
        clients.connected(name, &connection)?;
        self.there.entry(name.to_owned()).or_default().hears.insert(speaker.to_owned(), handle);
        Ok(())
    }

    /// Lets everybody hear somebody who has begun to publish.
    fn be_heard(&mut self, name: &str, steps: Steps<'_>) -> Result<(), RoomError> {
        let others: Vec<String> = self.there.keys().filter(|other| *other != name).cloned().collect();
        for other in others {
            steps(Step::SubscriberNotified);
            self.subscribe(&other, name)?;
            steps(Step::SubscriberAcknowledged);
        }
        Ok(())
    }

    /// Ends what somebody sends.
    fn unpublish(&mut self, name: &str) -> Result<(), RoomError> {
        let Some((_, handle)) = self.there.get_mut(name).and_then(|member| member.publishes.take()) else {
            return Ok(());
        };
        let heard: Vec<(String, Handle)> = self
            .there
            .iter_mut()
            .filter_map(|(other, member)| Some((other.clone(), member.hears.remove(name)?)))
            .collect();
        let (janus, clients) = self.parts()?;
        clients.close(name, OWN)?;
        janus.detach(handle)?;
        for (other, handle) in heard {
            clients.close(&other, &hears(name))?;
            janus.detach(handle)?;
        }
        Ok(())
    }

    fn come(&mut self, name: &str, speaks: bool, steps: Steps<'_>) -> Result<(), RoomError> {
        self.there.entry(name.to_owned()).or_default();
        if speaks {
            self.publish(name, steps)?;
        }
        let publish =
            |(other, member): (&String, &Member)| (other != name && member.publishes.is_some()).then(|| other.clone());
        let speakers: Vec<String> = self.there.iter().filter_map(publish).collect();
        for speaker in speakers {
            self.subscribe(name, &speaker)?;
        }
        if speaks { self.be_heard(name, steps) } else { Ok(()) }
    }

    fn go(&mut self, name: &str) -> Result<(), RoomError> {
        self.unpublish(name)?;
        let member = self.there.remove(name).unwrap_or_default();
        let (janus, clients) = self.parts()?;
        clients.close_all(name)?;
        member.hears.into_values().try_for_each(|handle| janus.detach(handle))
    }
}

/// The name of a subscriber's connection, for its client.
fn hears(speaker: &str) -> String {
    format!("hears-{speaker}")
}

impl Room for Videoroom {
    fn own_address(&self) -> Option<std::net::IpAddr> {
        super::super::network_address()
    }

    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        self.janus = Some(Janus::start(&self.making, PLUGIN, CONFIGURATION)?);
        self.clients.start(parties)
    }

    fn probe(&mut self, who: &Party) -> Option<Probe> {
        self.clients.probe(who)
    }

    fn join(&mut self, who: &Party, steps: Steps<'_>) -> Result<Seat, RoomError> {
        self.come(&who.name, who.role == Role::Speaker, steps)?;
        Ok(self.clients.seat(who))
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        self.go(&who.name)
    }

    fn change(&mut self, who: &Party, change: Change, steps: Steps<'_>) -> Result<(), RoomError> {
        let name = &who.name;
        match (change, self.promotion) {
            (Change::Mute, _) => self.clients.mute(name, true),
            (Change::Unmute, _) => self.clients.mute(name, false),
            (Change::Promote, Promoted::InPlace) => {
                self.publish(name, steps)?;
                self.be_heard(name, steps)
            }
            (Change::Promote, Promoted::Rejoin) => {
                self.go(name)?;
                self.come(name, true, steps)
            }
            (Change::Demote, _) => self.unpublish(name),
            (Change::Join | Change::Leave | Change::Remove, _) => Ok(()),
        }
    }

    fn check(&mut self) -> Result<(), RoomError> {
        self.clients.check()?;
        self.parts()?.0.check()
    }

    fn last_words(&mut self) -> BTreeMap<String, String> {
        super::super::client_files(self.clients.as_mut())
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.janus.iter().map(Janus::version).chain([self.clients.version()]).collect()
    }
}
