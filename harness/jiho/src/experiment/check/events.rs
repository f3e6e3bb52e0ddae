//! Whether events can happen one after the other: who is there, on the stage or in the audience, muted or not.

use std::collections::BTreeMap;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::Nanos;

use super::Check;
use crate::experiment::file::{EventEntry, File, ListenerEntry};
use crate::experiment::mend;
use crate::experiment::place::Place;
use crate::experiment::roles::{Event, Occasion};
use crate::experiment::text::duration_text;

/// Timers that are shorter would flood the network.
const SHORTEST_TIMER: Nanos = Nanos::from_millis(1);

/// Somebody in the course of the events.
struct Person {
    role: Role,
    presence: Presence,
    muted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    ToCome,
    There,
    Gone,
}

impl Check<'_> {
    /// All events in order of time.
    pub(super) fn events(&mut self, file: &File, root: &Place<'_>) -> Vec<Event> {
        let place = root.key("event");
        let mut events: Vec<(usize, Event)> = Vec::new();
        for (n, entry) in file.event.iter().enumerate() {
            match occasion(entry) {
                Some(what) => events.push((n, Event { at: entry.at, what })),
                None => {
                    let message = "an event is one thing that happens to somebody".to_owned();
                    let mend =
                        "give one of `join`, `leave`, `promote`, `demote`, `mute`, `unmute`, as in promote = \"lena\"";
                    self.problem(&place.index(n), message, mend);
                }
            }
        }
        events.sort_by_key(|(_, event)| event.at);
        let mut people = people(file, &events);
        let names: Vec<String> = people.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let end = file.run.duration + file.run.drain;
        let mut found = Vec::new();
        for (n, event) in &events {
            let here = place.index(*n);
            if event.at >= end {
                let message = format!("nothing happens any more {} after the warm-up", duration_text(event.at));
                let mend = format!("before {}, when `duration` and `drain` are over", duration_text(end));
                found.push((here.key("at"), message, mend));
            }
            let name = event.what.name();
            let here = here.key(key(&event.what));
            let Some(person) = people.get_mut(name) else {
                let mend = match mend::nearest(name, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("give a speaker's or a listener's name: {}", mend::list(&names)),
                };
                found.push((here, format!("there is nobody named `{name}`"), mend));
                continue;
            };
            if let Err(why) = person.undergo(&event.what) {
                let mend = "change the event, its time, or those before it".to_owned();
                found.push((here, format!("`{name}` {why} at {}", duration_text(event.at)), mend));
            }
        }
        for (place, message, mend) in found {
            self.problem(&place, message, &mend);
        }
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// Options of a promotion that cannot be.
    pub(super) fn promotion(&mut self, file: &File, root: &Place<'_>) {
        let (profile, options) = file.promotion.parts();
        let place = root.key("promotion").key(profile.name()).key("retransmit");
        for (key, timer) in [("stun", options.retransmit.stun), ("dtls", options.retransmit.dtls)] {
            if timer < SHORTEST_TIMER {
                let message = format!("nobody answers within {}", duration_text(timer));
                self.problem(&place.key(key), message, &format!("at least {}", duration_text(SHORTEST_TIMER)));
            }
        }
    }

    /// Codes of listeners that never speak.
    pub(super) fn silent_codes(&mut self, file: &File, promoted: &[&str], place: &Place<'_>) {
        for (n, listener) in file.listener.iter().enumerate() {
            let here = place.index(n).key("code");
            if listener.code.is_some() && listener.count.is_some() {
                let message = "one code cannot be everybody's".to_owned();
                self.problem(&here, message, "leave `code` out: those who are promoted get one each");
            } else if listener.code.is_some() && !promoted.contains(&listener.name.as_str()) {
                let message = format!("`{}` never speaks, and needs no code", listener.name);
                let mend = format!("leave `code` out, or promote = \"{}\" in an [[event]]", listener.name);
                self.problem(&here, message, &mend);
            }
        }
    }
}

/// Names of those who are ever promoted.
pub(super) fn promoted(file: &File) -> Vec<&str> {
    file.event.iter().filter_map(|entry| entry.promote.as_deref()).collect()
}

fn occasion(entry: &EventEntry) -> Option<Occasion> {
    let EventEntry { at: _, join, leave, promote, demote, mute, unmute } = entry;
    let given = [
        join.clone().map(Occasion::Join),
        leave.clone().map(Occasion::Leave),
        promote.clone().map(Occasion::Promote),
        demote.clone().map(Occasion::Demote),
        mute.clone().map(Occasion::Mute),
        unmute.clone().map(Occasion::Unmute),
    ];
    let mut given = given.into_iter().flatten();
    given.next().filter(|_| given.next().is_none())
}

fn key(what: &Occasion) -> &'static str {
    match what {
        Occasion::Join(_) => "join",
        Occasion::Leave(_) => "leave",
        Occasion::Promote(_) => "promote",
        Occasion::Demote(_) => "demote",
        Occasion::Mute(_) => "mute",
        Occasion::Unmute(_) => "unmute",
    }
}

fn people(file: &File, events: &[(usize, Event)]) -> BTreeMap<String, Person> {
    let comes = |name: &str| events.iter().any(|(_, event)| matches!(&event.what, Occasion::Join(who) if who == name));
    let person = |name: String, role| {
        let presence = if comes(&name) { Presence::ToCome } else { Presence::There };
        (name, Person { role, presence, muted: false })
    };
    let speakers = file.speaker.iter().map(|speaker| person(speaker.name.clone(), Role::Speaker));
    let listeners = file.listener.iter().flat_map(ListenerEntry::names);
    speakers.chain(listeners.map(|name| person(name, Role::Listener))).collect()
}

impl Person {
    /// Lets it happen, or says why it cannot.
    fn undergo(&mut self, what: &Occasion) -> Result<(), &'static str> {
        match (what, self.presence) {
            (Occasion::Join(_), Presence::ToCome) => self.presence = Presence::There,
            (Occasion::Join(_), Presence::There) => return Err("is in the room already"),
            (_, Presence::Gone) => return Err("has left for good"),
            (_, Presence::ToCome) => return Err("is not in the room yet"),
            (Occasion::Leave(_), _) => self.presence = Presence::Gone,
            (Occasion::Promote(_), _) if self.role == Role::Speaker => return Err("is on the stage already"),
            (Occasion::Promote(_), _) => self.role = Role::Speaker,
            (_, _) if self.role == Role::Listener => return Err("is in the audience"),
            (Occasion::Demote(_), _) => (self.role, self.muted) = (Role::Listener, false),
            (Occasion::Mute(_), _) if self.muted => return Err("is muted already"),
            (Occasion::Mute(_), _) => self.muted = true,
            (Occasion::Unmute(_), _) if !self.muted => return Err("is not muted"),
            (Occasion::Unmute(_), _) => self.muted = false,
        }
        Ok(())
    }
}
