//! WebRTC from everybody to everybody, without a server: each pair has a connection of its own, and each ear mixes for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::webrtc::Clients;
use super::{Making, Party, Probe, Room, RoomError, Seat, Steps, client_files, webrtc_clients};
use crate::experiment::{MeshPart, Promoted};
use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};

/// The room.
pub(super) struct Mesh {
    clients: Box<dyn Clients>,
    promotion: Promoted,
    /// Who is there, and whether they speak.
    there: BTreeMap<String, bool>,
    connected: BTreeSet<(String, String)>,
}

impl Mesh {
    pub(super) fn new(part: &MeshPart, making: Making) -> anyhow::Result<Self> {
        let clients = webrtc_clients(part.client, part.processing, &making)?;
        Ok(Self { clients, promotion: part.promotion, there: BTreeMap::new(), connected: BTreeSet::new() })
    }

    /// Connects somebody with all who are there, as far as one of the two speaks; connections that there are, are offered
    /// anew.
    fn connect(&mut self, name: &str, steps: Steps<'_>) -> Result<(), RoomError> {
        let speaks = |mesh: &Self, name: &str| mesh.there.get(name).copied().unwrap_or(false);
        let others: Vec<String> = self.there.keys().filter(|other| *other != name).cloned().collect();
        for other in others {
            let (own, theirs) = (speaks(self, name), speaks(self, &other));
            if !own && !theirs {
                continue;
            }
            let offer = self.clients.offer(name, &other, own, 1)?;
            steps(Step::Offered);
            let answer = self.clients.answer(&other, name, &offer, theirs)?;
            self.clients.accept(name, &other, &answer)?;
            steps(Step::Answered);
            self.clients.connected(name, &other)?;
            steps(Step::TransportReady);
            self.connected.insert((name.to_owned(), other));
        }
        Ok(())
    }

    fn disconnect(&mut self, name: &str) -> Result<(), RoomError> {
        self.clients.close_all(name)?;
        let gone: Vec<_> = self.connected.iter().filter(|(a, b)| a == name || b == name).cloned().collect();
        for (a, b) in gone {
            let other = if a == name { &b } else { &a };
            self.clients.close(other, name)?;
            self.connected.remove(&(a.clone(), b.clone()));
        }
        Ok(())
    }
}

impl Room for Mesh {
    fn start(&mut self, parties: &[Party]) -> Result<(), RoomError> {
        self.clients.start(parties)
    }

    fn probe(&mut self, who: &Party) -> Option<Probe> {
        self.clients.probe(who)
    }

    fn join(&mut self, who: &Party, steps: Steps<'_>) -> Result<Seat, RoomError> {
        self.there.insert(who.name.clone(), who.role == Role::Speaker);
        self.connect(&who.name, steps)?;
        Ok(self.clients.seat(who))
    }

    fn leave(&mut self, who: &Party) -> Result<(), RoomError> {
        self.there.remove(&who.name);
        self.disconnect(&who.name)
    }

    fn change(&mut self, who: &Party, change: Change, steps: Steps<'_>) -> Result<(), RoomError> {
        match change {
            Change::Mute => return self.clients.mute(&who.name, true),
            Change::Unmute => return self.clients.mute(&who.name, false),
            _ => {}
        }
        let speaks = change == Change::Promote;
        self.there.insert(who.name.clone(), speaks);
        if self.promotion == Promoted::Rejoin || !speaks {
            self.disconnect(&who.name)?;
        }
        self.connect(&who.name, steps)
    }

    fn check(&mut self) -> Result<(), RoomError> {
        self.clients.check()
    }

    fn last_words(&mut self) -> BTreeMap<String, String> {
        client_files(self.clients.as_mut())
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::from([self.clients.version()])
    }
}
