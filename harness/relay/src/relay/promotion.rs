//! Changes of roles, as the relay sees them: what a moderator commands is granted, carried out step by step with whom
//! it is about, told to everybody who is to hear it, and reported back.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::RunTime;
use jiho_proto::control::{Action, Command, Grant, Message, Notice, Outcome};
use jiho_proto::engine::PeerId;
use jiho_proto::event::{Event, StepTaken};
use jiho_proto::handshake::{Act, Exchange, MAX_SENDS, Side};
use jiho_proto::wire::{self, flight, rtp};

use super::Relay;
use crate::room::Seat;

/// The name by which a moderator is noted that is refused.
const MODERATOR: &str = "moderator";

/// The changes of everybody's roles.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// How many there have been.
    last: u32,
    /// The last change of each seat. It is kept when it is over: its client may ask again for what was lost.
    turns: BTreeMap<PeerId, Turn>,
    /// Packets that are to be noted when they leave.
    first_sends: Vec<FirstSend>,
}

#[derive(Debug)]
struct Turn {
    number: u32,
    action: Action,
    moderator: PeerId,
    exchange: Exchange,
    /// The client has done what was granted, and will speak or not.
    ready: Option<bool>,
    /// A packet of the subject has come.
    arrived: bool,
    /// Who has been told and has not answered.
    notified: BTreeSet<PeerId>,
    complete: bool,
}

/// The first packet to somebody on a path.
#[derive(Debug)]
struct FirstSend {
    number: u32,
    change: Change,
    subject: String,
    to: SocketAddr,
    hearer: String,
    /// Whose stream; `None`: any.
    ssrc: Option<u32>,
}

impl Changes {
    /// When something is to be done.
    pub(super) fn wake_at(&self) -> Option<RunTime> {
        self.turns.values().filter_map(|turn| turn.exchange.wake_at()).min()
    }
}

impl Turn {
    fn step(&self, step: Step, detail: &str) -> Event {
        let (change, subject) = self.action.parts();
        let (subject, detail) = (subject.to_owned(), detail.to_owned());
        Event::Step(StepTaken { number: Some(self.number), change, subject, step, detail })
    }

    fn change(&self) -> Change {
        self.action.parts().0
    }
}

impl Relay {
    /// A moderator's wish.
    pub(super) fn command(&mut self, now: RunTime, moderator: PeerId, command: &Command) {
        if let Err(refusal) = self.room.allows(now, &command.token) {
            return self.refuse(now, moderator, MODERATOR, &refusal.to_string());
        }
        let action = command.action.clone();
        let subject = match self.permitted(&action) {
            Ok(subject) => subject,
            Err(reason) => {
                let outcome = Outcome { action, number: None, refused: Some(reason) };
                return self.outbox.say(moderator, Message::Outcome(outcome));
            }
        };
        self.changes.last += 1;
        let number = self.changes.last;
        let exchange = Exchange::new(number, Side::Server, &self.config.promotion);
        let turn = Turn {
            number,
            action,
            moderator,
            exchange,
            ready: None,
            arrived: false,
            notified: BTreeSet::new(),
            complete: false,
        };
        self.changes.turns.insert(subject, turn);
        self.note_step(now, subject, Step::Commanded, "");
        self.grant(now, subject);
    }

    /// The connection of whom it is about, if it can be done.
    fn permitted(&self, action: &Action) -> Result<PeerId, String> {
        let (change, name) = action.parts();
        let found = self.room.seats().find(|(_, seat)| seat.name == name);
        let (peer, seat) = found.ok_or_else(|| format!("nobody named {name} is in the room"))?;
        if change != Change::Remove && self.changes.turns.get(&peer).is_some_and(|turn| !turn.complete) {
            return Err(format!("another change of {name}'s role is under way"));
        }
        match (change, seat.role, seat.muted) {
            (Change::Promote, Role::Speaker, _) => Err(format!("{name} is on the stage already")),
            (Change::Demote | Change::Mute | Change::Unmute, Role::Listener, _) => {
                Err(format!("{name} is in the audience"))
            }
            (Change::Mute, _, true) => Err(format!("{name} is muted already")),
            (Change::Unmute, _, false) => Err(format!("{name} is not muted")),
            _ => Ok(peer),
        }
    }

    fn grant(&mut self, now: RunTime, subject: PeerId) {
        let Some(turn) = self.changes.turns.get(&subject) else { return };
        let (number, change, promotion) = (turn.number, turn.change(), self.config.promotion);
        let keeps_path = promotion.profile.keeps_path();
        let overlaps = promotion.overlap && !keeps_path;
        self.note_step(now, subject, Step::Granted, "");
        if change == Change::Remove {
            self.complete(now, subject);
            let name = self.room.seat(subject).map(|seat| seat.name.clone()).unwrap_or_default();
            return self.refuse(now, subject, &name, "a moderator has removed us from the room");
        }
        self.outbox.say(subject, Message::Grant(Grant { number, change, promotion }));
        if let Some(seat) = self.room.seat_mut(subject) {
            match change {
                // Is served as a speaker until the other path is agreed on.
                Change::Demote if overlaps => seat.muted = true,
                Change::Demote => (seat.role, seat.muted) = (Role::Listener, false),
                Change::Mute => seat.muted = true,
                Change::Unmute => seat.muted = false,
                _ => {}
            }
        }
        if matches!(change, Change::Promote | Change::Demote) && !keeps_path && !overlaps {
            self.set_open(subject, false);
            self.note_step(now, subject, Step::OldPathClosed, "");
        }
        if change == Change::Promote {
            self.exchange(now, subject, Exchange::begin);
        }
        self.reroute();
    }

    /// A client says what it can do on the new path.
    pub(super) fn offered(&mut self, now: RunTime, peer: PeerId, number: u32) {
        let Some(turn) = self.changes.turns.get(&peer).filter(|turn| turn.number == number) else { return };
        let change = turn.change();
        self.note_step(now, peer, Step::Offered, "");
        self.outbox.say(peer, Message::Answer { number });
        self.note_step(now, peer, Step::Answered, "");
        if change == Change::Demote {
            if let Some(seat) = self.room.seat_mut(peer) {
                (seat.role, seat.muted, seat.open) = (Role::Listener, false, true);
            }
            self.note_step(now, peer, Step::TransportReady, "");
            self.watch_own(peer);
            self.reroute();
        }
    }

    /// A client has done its part.
    pub(super) fn ready(&mut self, now: RunTime, peer: PeerId, number: u32, speaks: bool) {
        if let Some(turn) = self.changes.turns.get_mut(&peer).filter(|turn| turn.number == number) {
            turn.ready = Some(speaks);
            self.complete_if_so(now, peer);
        }
    }

    /// A client cannot do its part.
    pub(super) fn cannot(&mut self, now: RunTime, peer: PeerId, number: u32, reason: &str) {
        if self.changes.turns.get(&peer).is_some_and(|turn| turn.number == number) {
            self.change_fails(now, peer, reason);
            self.changes.turns.remove(&peer);
            // It stays what it was, on the path that it had.
            self.set_open(peer, true);
            self.reroute();
        }
    }

    /// Somebody is ready to hear the subject of a change.
    pub(super) fn noted(&mut self, now: RunTime, hearer: PeerId, number: u32) {
        let turn = self.changes.turns.iter_mut().find(|(_, turn)| turn.number == number);
        let Some((subject, true)) = turn.map(|(subject, turn)| (*subject, turn.notified.remove(&hearer))) else {
            return;
        };
        let name = self.room.seat(hearer).map(|seat| seat.name.clone()).unwrap_or_default();
        self.note_step(now, subject, Step::SubscriberAcknowledged, &name);
        let speaker = self.room.seat(subject).map(|seat| seat.name.clone()).unwrap_or_default();
        if self.room.seat_mut(hearer).is_some_and(|seat| seat.awaits.remove(&speaker)) {
            self.reroute();
        }
        self.complete_if_so(now, subject);
    }

    /// A flight of somebody's handshake.
    pub(super) fn flight(&mut self, now: RunTime, peer: PeerId, data: &[u8]) {
        if let Some(packet) = flight::Packet::new_checked(data) {
            self.exchange(now, peer, |exchange, now, acts| exchange.packet(now, &packet, acts));
        }
    }

    /// Does what has become due.
    pub(super) fn changes_due(&mut self, now: RunTime) {
        let due = |turn: &Turn| turn.exchange.wake_at().is_some_and(|at| at <= now);
        let peers: Vec<PeerId> =
            self.changes.turns.iter().filter(|(_, turn)| due(turn)).map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.exchange(now, peer, Exchange::timer);
        }
    }

    /// A packet of somebody on the stage is there; before it is sent on.
    pub(super) fn arrived(&mut self, now: RunTime, peer: PeerId, ssrc: u32) {
        let Some(turn) = self.changes.turns.get_mut(&peer).filter(|turn| turn.speaks_first()) else { return };
        turn.arrived = true;
        self.note_step(now, peer, Step::FirstMediaArrived, "");
        self.notify(now, peer, ssrc);
        self.complete_if_so(now, peer);
    }

    /// A stream has begun whose packets do not pass here.
    pub(super) fn arrives_elsewhere(&mut self, now: RunTime, peer: PeerId, ssrc: u32) {
        let Some(turn) = self.changes.turns.get_mut(&peer).filter(|turn| turn.speaks_first()) else { return };
        turn.arrived = true;
        self.notify(now, peer, ssrc);
        self.complete_if_so(now, peer);
    }

    fn notify(&mut self, now: RunTime, subject: PeerId, ssrc: u32) {
        let (Some(seat), Some(turn)) = (self.room.seat(subject), self.changes.turns.get_mut(&subject)) else { return };
        let (number, change) = (turn.number, turn.change());
        for (peer, hearer) in self.room.seats().filter(|(peer, hearer)| *peer != subject && hearer.wants(&seat.name)) {
            let notice = Notice { number, change, name: seat.name.clone(), ssrc };
            self.outbox.say(peer, Message::Notice(notice));
            self.outbox.note(now, turn.step(Step::SubscriberNotified, &hearer.name));
            turn.notified.insert(peer);
            self.changes.first_sends.push(FirstSend {
                number,
                change,
                subject: seat.name.clone(),
                to: hearer.media,
                hearer: hearer.name.clone(),
                ssrc: Some(ssrc),
            });
        }
    }

    /// Somebody has left: nothing more comes of its change, and nobody waits for its word.
    pub(super) fn changes_without(&mut self, now: RunTime, gone: PeerId, seat: &Seat) {
        self.change_fails(now, gone, &format!("{} left", seat.name));
        self.changes.turns.remove(&gone);
        self.changes.first_sends.retain(|first| first.to != seat.media && first.subject != seat.name);
        self.room.forget_waiting_for(&seat.name);
        let waiting: Vec<PeerId> = self.changes.turns.keys().copied().collect();
        for subject in waiting {
            if self.changes.turns.get_mut(&subject).is_some_and(|turn| turn.notified.remove(&gone)) {
                self.complete_if_so(now, subject);
            }
        }
    }

    /// To be called before an output is fetched: the first packet of a path is a step.
    pub(super) fn look_at_next(&mut self, now: RunTime) {
        if self.changes.first_sends.is_empty() {
            return;
        }
        let Some((to, data)) = self.outbox.next_send() else { return };
        if wire::classify(data) != wire::Kind::Rtp {
            return;
        }
        let Ok(packet) = rtp::Packet::new_checked(data) else { return };
        // A mixer names those who speak in its packets.
        let carries = |ssrc| packet.ssrc() == ssrc || packet.csrc().any(|source| source == ssrc);
        let first = |first: &FirstSend| first.to == to && first.ssrc.is_none_or(carries);
        let taken: Vec<FirstSend> = self.changes.first_sends.extract_if(.., |send| first(send)).collect();
        for FirstSend { number, change, subject, hearer, .. } in taken {
            let (number, step) = (Some(number), Step::FirstMediaForwarded);
            self.outbox.note(now, Event::Step(StepTaken { number, change, subject, step, detail: hearer }));
        }
    }

    fn exchange(&mut self, now: RunTime, peer: PeerId, turn: impl FnOnce(&mut Exchange, RunTime, &mut Vec<Act>)) {
        let (Some(change), Some(seat)) = (self.changes.turns.get_mut(&peer), self.room.seat(peer)) else { return };
        let to = seat.media;
        let mut acts = Vec::new();
        turn(&mut change.exchange, now, &mut acts);
        for Act { step, flight, send } in acts {
            if step == Step::Failed {
                let reason = format!("the client left `{flight}` unanswered {MAX_SENDS} times");
                self.change_fails(now, peer, &reason);
                // It stays what it was, on the path that it had.
                self.set_open(peer, true);
                return self.reroute();
            }
            self.note_step(now, peer, step, flight);
            if let Some(repr) = send {
                let mut datagram = Vec::new();
                repr.emit(&mut datagram);
                self.outbox.send(&datagram, &[to]);
            }
            if step == Step::TransportReady {
                self.take_stage(peer);
            }
        }
    }

    /// The subject's transport is ready: its packets are taken, and it is served as the stage is.
    fn take_stage(&mut self, peer: PeerId) {
        let Some(seat) = self.room.seat_mut(peer) else { return };
        seat.role = Role::Speaker;
        let name = seat.name.clone();
        self.set_open(peer, true);
        if self.config.promotion.profile.negotiates() {
            self.room.let_wait_for(&name);
        }
        self.watch_own(peer);
        self.reroute();
    }

    fn set_open(&mut self, peer: PeerId, open: bool) {
        if let Some(seat) = self.room.seat_mut(peer) {
            seat.open = open;
        }
    }

    fn watch_own(&mut self, peer: PeerId) {
        if let (Some(turn), Some(seat)) = (self.changes.turns.get(&peer), self.room.seat(peer)) {
            self.changes.first_sends.push(FirstSend {
                number: turn.number,
                change: turn.change(),
                subject: seat.name.clone(),
                to: seat.media,
                hearer: seat.name.clone(),
                ssrc: None,
            });
        }
    }

    fn complete_if_so(&mut self, now: RunTime, subject: PeerId) {
        let Some(turn) = self.changes.turns.get(&subject).filter(|turn| !turn.complete) else { return };
        let heard = turn.arrived && turn.notified.is_empty();
        if turn.ready.is_some_and(|speaks| !speaks || heard) {
            self.complete(now, subject);
        }
    }

    fn complete(&mut self, now: RunTime, subject: PeerId) {
        self.note_step(now, subject, Step::Done, "");
        self.report(subject, None);
    }

    fn change_fails(&mut self, now: RunTime, subject: PeerId, reason: &str) {
        if self.changes.turns.get(&subject).is_some_and(|turn| !turn.complete) {
            self.note_step(now, subject, Step::Failed, reason);
            self.report(subject, Some(reason.to_owned()));
        }
    }

    fn report(&mut self, subject: PeerId, refused: Option<String>) {
        if let Some(turn) = self.changes.turns.get_mut(&subject) {
            turn.complete = true;
            let outcome = Outcome { action: turn.action.clone(), number: Some(turn.number), refused };
            self.outbox.say(turn.moderator, Message::Outcome(outcome));
        }
    }

    fn note_step(&mut self, now: RunTime, subject: PeerId, step: Step, detail: &str) {
        if let Some(turn) = self.changes.turns.get(&subject) {
            self.outbox.note(now, turn.step(step, detail));
        }
    }
}

impl Turn {
    /// Whether its first packet is still to come.
    fn speaks_first(&self) -> bool {
        !self.arrived && matches!(self.change(), Change::Promote | Change::Unmute)
    }
}
