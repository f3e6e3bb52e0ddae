//! Janus's AudioBridge: everybody has one connection, and hears a mix of all others by it. Clients come by WebRTC, or by plain
//! RTP, which needs neither ICE nor DTLS.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_proto::codec::OPUS_PAYLOAD_TYPE;
use serde_json::{Value, json};

use super::super::webrtc::Clients;
use super::super::{Making, Party, Probe, Room, RoomError, Seat, Steps, webrtc_clients};
use super::{Handle, Janus, ROOM};
use crate::experiment::{AudiobridgePart, Client, PlainRtp, Promoted};

const PLUGIN: &str = "audiobridge";
/// The name of everybody's connection, for its client.
const OWN: &str = "own";

/// The room.
pub(in super::super) struct Audiobridge {
    /// `None`: everybody comes by plain RTP. Before the server: they are in it.
    clients: Option<Box<dyn Clients>>,
    janus: Option<Janus>,
    making: Making,
    part: AudiobridgePart,
    there: BTreeMap<String, Handle>,
}

impl Audiobridge {
    pub(in super::super) fn new(part: &AudiobridgePart, making: Making) -> anyhow::Result<Self> {
        super::program(&["janus"], "janus")?;
        let clients = match part.client {
            Client::Rtp => None,
            client => Some(webrtc_clients(client, part.processing, &making)?),
        };
        Ok(Self { clients, janus: None, making, part: part.clone(), there: BTreeMap::new() })
    }

    fn janus(&mut self) -> Result<&mut Janus, RoomError> {
        Ok(self.janus.as_mut().context("Janus has not been started")?)
    }

    /// Lets somebody in; by plain RTP it is said where its media comes from, and where to it goes is given.
    fn come(&mut self, who: &Party, speaks: bool, steps: Steps<'_>) -> Result<Option<SocketAddr>, RoomError> {
        let name = &who.name;
        let handle = self.janus()?.attach(PLUGIN)?;
        let doing = format!("letting {name} in");
        let mut join = json!({ "request": "join", "room": ROOM, "display": name, "muted": !speaks });
        if let Some(packets) = self.part.prebuffering {
            join["prebuffer"] = packets.into();
        }
        if self.clients.is_none() {
            let (ip, port) = (who.media.ip().to_string(), who.media.port());
            join["rtp"] = json!({ "ip": ip, "port": port, "payload_type": OPUS_PAYLOAD_TYPE });
        }
        let (joined, _) = self.janus()?.say(handle, join, None, &doing)?;
        self.there.insert(name.clone(), handle);
        let Some(clients) = &mut self.clients else { return Ok(Some(address(&joined["rtp"])?)) };
        // A participant who is muted has a microphone all the same.
        let offer = clients.offer(name, OWN, true, 1)?;
        steps(Step::Offered);
        let configure = json!({ "request": "configure", "muted": !speaks });
        let janus = self.janus.as_mut().context("Janus has not been started")?;
        let (_, answer) = janus.say(handle, configure, Some(("offer", &offer)), &doing)?;
        clients.accept(name, OWN, &answer.context("Janus gave no answer to an offer")?)?;
        steps(Step::Answered);
        clients.connected(name, OWN)?;
        janus.wait_until_up(handle, &doing)?;
        steps(Step::TransportReady);
        Ok(None)
    }

    fn go(&mut self, name: &str) -> Result<(), RoomError> {
        if let Some(clients) = &mut self.clients {
            clients.close_all(name)?;
        }
        match self.there.remove(name) {
            Some(handle) => self.janus()?.detach(handle),
            None => Ok(()),
        }
    }

    fn mute(&mut self, name: &str, muted: bool) -> Result<(), RoomError> {
        let handle = *self.there.get(name).with_context(|| format!("{name} is not in the room"))?;
        let doing = if muted { format!("muting {name}") } else { format!("unmuting {name}") };
        self.janus()?.say(handle, json!({ "request": "configure", "muted": muted }), None, &doing).map(drop)
    }
}

/// Where the bridge takes somebody's packets.
fn address(rtp: &Value) -> anyhow::Result<SocketAddr> {
    let none = || format!("Janus said not where packets go: {rtp}");
    let ip: IpAddr = rtp["ip"].as_str().and_then(|ip| ip.parse().ok()).with_context(none)?;
    let port = rtp["port"].as_u64().and_then(|port| u16::try_from(port).ok()).with_context(none)?;
    Ok(SocketAddr::new(ip, port))
}

impl Room for Audiobridge {
    fn own_address(&self) -> Option<IpAddr> {
        self.clients.as_ref().and_then(|_| super::super::network_address())
    }

    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        let configuration = "general: {\n    local_ip = \"127.0.0.1\"\n}\nroom-1: {\n    description = \"jiho\"\n    \
                             sampling_rate = \"48000\"\n    allow_rtp_participants = true\n}\n";
        self.janus = Some(Janus::start(&self.making, PLUGIN, configuration)?);
        match &mut self.clients {
            Some(clients) => clients.start(parties),
            None => Ok(()),
        }
    }

    fn probe(&mut self, who: &Party) -> Option<Probe> {
        self.clients.as_mut()?.probe(who)
    }

    fn join(&mut self, who: &Party, steps: Steps<'_>) -> Result<Seat, RoomError> {
        match (self.come(who, who.role == Role::Speaker, steps)?, &mut self.clients) {
            (Some(send_to), _) => {
                let rtp = PlainRtp { send_to, hear_from: Vec::new() };
                // The bridge mixes for whom it has heard of.
                Ok(Seat::Probe(if who.role == Role::Speaker { Probe::Rtp(rtp) } else { Probe::KnockingRtp(rtp) }))
            }
            (None, Some(clients)) => Ok(clients.seat(who)),
            (None, None) => Ok(Seat::Devices),
        }
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        self.go(&who.name)
    }

    fn change(&mut self, who: &Party, change: Change, steps: Steps<'_>) -> Result<(), RoomError> {
        match (change, self.part.promotion) {
            (Change::Promote, Promoted::Rejoin) if self.clients.is_some() => {
                self.go(&who.name)?;
                self.come(who, true, steps).map(drop)
            }
            (Change::Promote | Change::Unmute, _) => self.mute(&who.name, false),
            (Change::Demote | Change::Mute, _) => self.mute(&who.name, true),
            (Change::Join | Change::Leave | Change::Remove, _) => Ok(()),
        }
    }

    fn check(&mut self) -> Result<(), RoomError> {
        if let Some(clients) = &mut self.clients {
            clients.check()?;
        }
        self.janus()?.check()
    }

    fn last_words(&mut self) -> BTreeMap<String, String> {
        self.clients.as_mut().map(|clients| super::super::client_files(clients.as_mut())).unwrap_or_default()
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let clients = self.clients.as_ref().map(|clients| clients.version());
        self.janus.iter().map(Janus::version).chain(clients).collect()
    }
}
