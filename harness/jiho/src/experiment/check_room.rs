//! What an experiment in a room of somebody else's can be.

use super::check::Check;
use super::external::Ready;
use super::file::File;
use super::place::Place;
use super::room::{Client, CommandPart, Mouths, Room};
use super::{Experiment, Occasion};

/// What does not go together with a room that is not ours, and what mends it.
type Conflict = (&'static str, String, &'static str);

impl Check<'_> {
    pub(super) fn room(&mut self, file: &File, root: &Place<'_>) {
        let Some(room) = &file.room else { return };
        let given = Given {
            external: file.relay.external.is_some(),
            seal: file.media.seal.is_some(),
            drop_probe: file.drop_probe.is_some(),
            singer: file.speaker.iter().any(|speaker| speaker.sing.is_some()),
            places: !file.place.is_empty(),
            links: !file.link.is_empty(),
            hosts: !file.host.is_empty(),
            promotes: file.event.iter().any(|event| event.promote.is_some() || event.demote.is_some()),
        };
        for (key, message, mend) in given.conflicts(room) {
            self.problem(&root.key(key), message, mend);
        }
        let place = root.key("room").key(room.name());
        if room.client() == Some(Client::Rtp) && !matches!(room, Room::Audiobridge(_)) {
            let message = format!("room {} takes no plain RTP", room.name());
            self.problem(&place.key("client"), message, "client = \"browser\" or \"probe\"");
        }
        match room {
            Room::Command(part) => self.commands(part, file, &place, root),
            Room::Whip(part) if part.publish.is_some() != part.play.is_some() => self.problem(
                &place,
                "of `publish` and `play` one is missing".to_owned(),
                "give both, or none to start a relay of jiho's",
            ),
            _ => {}
        }
    }

    fn commands(&mut self, part: &CommandPart, file: &File, place: &Place<'_>, root: &Place<'_>) {
        if part.start.is_none() && part.join.is_none() && part.rtp.is_none() {
            let message = "no command serves the room or comes into it".to_owned();
            self.problem(place, message, "give `start`, `join`, or both");
        }
        if part.rtp.is_none() && part.join.is_none() {
            let message = "nobody knows what is between mouths and ears on the bus".to_owned();
            self.problem(place, message, "give `join`, which is a participant's client, or `rtp`");
        }
        if let (Some(Ready::Line(_)), None) = (&part.ready, &part.start) {
            let message = "nobody sees what writes the line".to_owned();
            self.problem(&place.key("ready"), message, "give `start`, or ready.tcp or ready.http");
        }
        for (n, event) in file.event.iter().enumerate() {
            let wanted = [
                ("promote", event.promote.is_some(), part.promote.is_some()),
                ("demote", event.demote.is_some(), part.demote.is_some()),
                ("mute", event.mute.is_some(), part.mute.is_some()),
                ("unmute", event.unmute.is_some(), part.unmute.is_some()),
            ];
            for (key, is_wanted, is_there) in wanted {
                if is_wanted && !is_there {
                    let message = format!("no command of [room.command] does this: `{key}` is missing there");
                    self.problem(&root.key("event").index(n).key(key), message, "give it, or leave the event out");
                }
            }
        }
    }
}

/// What an experiment says besides.
struct Given {
    external: bool,
    seal: bool,
    drop_probe: bool,
    singer: bool,
    places: bool,
    links: bool,
    hosts: bool,
    promotes: bool,
}

impl Given {
    fn conflicts(&self, room: &Room) -> impl Iterator<Item = Conflict> {
        let name = room.name();
        let foreign = room.mouths() != Mouths::Network;
        let not_ours = |what: &str| format!("{what} is jiho's own, and room {name} is not");
        let by_probes = format!("probes in room {name} speak from the beginning or never");
        let by_devices = |what: &str| format!("clients in room {name} are not jiho's: they have no {what} of ours");
        [
            (self.external, ("relay", not_ours("a relay's signalling"), "leave [relay.external] or the room out")),
            (self.seal, ("media", not_ours("the seal"), "leave `seal` out")),
            (self.drop_probe, ("drop_probe", not_ours("the drop probe"), "leave it out")),
            (self.places, ("place", not_ours("geography"), "leave places out")),
            (self.singer, ("speaker", format!("nobody sings in room {name}"), "leave `sing` out")),
            (self.links && foreign, ("link", by_devices("links"), "leave links out")),
            (
                self.promotes && !foreign,
                ("event", by_probes, "promote in a room of browsers, or leave these events out"),
            ),
            (self.hosts && foreign, ("host", by_devices("hosts"), "leave hosts out")),
        ]
        .into_iter()
        .filter_map(|(given, conflict)| given.then_some(conflict))
    }
}

impl Experiment {
    /// The same experiment in that room: with the file's settings if they are that room's, else with the usual ones.
    ///
    /// # Errors
    /// There is no such room, or what the experiment says cannot be had there; in words.
    pub fn in_room(mut self, name: &str, client: Option<Client>) -> Result<Self, String> {
        let given = self.room.take().filter(|room| room.name() == name);
        let room = given.or_else(|| Room::named(name));
        let mut room = room.ok_or_else(|| format!("no room `{name}`: there are {}", Room::NAMES.join(", ")))?;
        if let Some(client) = client {
            room = room.with_client(client)?;
        }
        let given = Given {
            external: self.relay.external.is_some(),
            seal: self.media.seal.is_some(),
            drop_probe: self.drop_probe.is_some(),
            singer: self.speakers.iter().any(|speaker| speaker.sing.is_some()),
            places: !self.places.is_empty(),
            // A file's links are not told from the usual one any more.
            links: self.links.values().any(|link| *link != super::Link::default()),
            hosts: !self.hosts.is_empty(),
            promotes: self.events.iter().any(|e| matches!(e.what, Occasion::Promote(_) | Occasion::Demote(_))),
        };
        if let Some((key, message, mend)) = given.conflicts(&room).next() {
            return Err(format!("{key}: {message}: {mend}"));
        }
        if let Room::Command(part) = &room
            && part.start.is_none()
            && part.join.is_none()
        {
            return Err("room command needs [room.command] in the experiment's file, with `start` or `join`".to_owned());
        }
        self.room = Some(room);
        Ok(self)
    }
}
