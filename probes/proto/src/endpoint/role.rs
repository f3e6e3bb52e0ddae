//! An endpoint's part in changes of roles: its own, step by step, and others', whom it begins to hear.

use std::net::SocketAddr;

use jiho_analysis::roles::{Change, Step};
use jiho_analysis::units::{MediaTime, RunTime};

use super::Endpoint;
use crate::codec::{FRAME_SAMPLES, RATE};
use crate::control::{Grant, Message, Notice};
use crate::engine::PeerId;
use crate::event::{Event, Playout, PlayoutAction, StepTaken};
use crate::handshake::{Act, Exchange, MAX_SENDS, Promotion, Side};
use crate::outbox::Outbox;
use crate::wire::{flight, rtp};

/// What an endpoint knows of changes.
#[derive(Debug, Default)]
pub(super) struct Roles {
    own: Option<Own>,
    /// Between two paths: media that comes is not taken.
    deaf: bool,
    /// What is to be noted once: a packet, and its sound.
    watches: Vec<Watch>,
    /// Whose first packet is to be noted when it leaves.
    sends_first: Option<(Option<u32>, Change)>,
}

/// The last change of our own role. It is kept when it is over: the relay may ask again for what was lost.
#[derive(Debug)]
struct Own {
    grant: Grant,
    exchange: Exchange,
    /// Until when the sound device stands still.
    restarting: Option<RunTime>,
    /// With overlap: the old path's jitter buffers are still there.
    overlapping: bool,
    complete: bool,
}

#[derive(Debug)]
struct Watch {
    number: Option<u32>,
    change: Change,
    subject: String,
    /// Whose stream; `None`: any.
    ssrc: Option<u32>,
    /// The first packet, by stream and sequence number.
    received: Option<(u32, u16)>,
}

impl Roles {
    /// Whether media that comes is for us.
    pub(super) fn hears(&self) -> bool {
        !self.deaf
    }

    /// When something is to be done.
    pub(super) fn wake_at(&self) -> Option<RunTime> {
        let own = self.own.as_ref()?;
        own.exchange.wake_at().into_iter().chain(own.restarting).min()
    }

    /// To be told of every packet that is taken.
    pub(super) fn packet(&mut self, received: RunTime, packet: &rtp::Packet<'_>, out: &mut Outbox) {
        for watch in self.watches.iter_mut().filter(|watch| watch.received.is_none()) {
            // A mixer names those who speak in its packets.
            let wanted = |ssrc| packet.ssrc() == ssrc || packet.csrc().any(|source| source == ssrc);
            if watch.ssrc.is_none_or(wanted) {
                watch.received = Some((packet.ssrc(), packet.sequence()));
                out.event(received, watch.step(Step::FirstMediaReceived));
            }
        }
    }

    /// To be told of what is fetched next: the first of its kind is a step.
    pub(super) fn look_at_next(&mut self, name: &str, out: &mut Outbox) {
        if self.watches.is_empty() && self.sends_first.is_none() {
            return;
        }
        match out.next_event() {
            Some((at, Event::Sent(_))) => {
                if let Some((number, change)) = self.sends_first.take() {
                    out.event(at, step(number, change, name, Step::FirstMediaSent, ""));
                }
            }
            Some((_, Event::Playout(Playout { ssrc, sequence, played: Some(played), action, .. })))
                if *action == PlayoutAction::Played =>
            {
                let (ssrc, sequence, played) = (*ssrc, *sequence, *played);
                let after = |first: u16| sequence.wrapping_sub(first).cast_signed() >= 0;
                let heard = |watch: &Watch| watch.received.is_some_and(|(of, first)| of == ssrc && after(first));
                for watch in self.watches.extract_if(.., |watch| heard(watch)) {
                    out.event(played, watch.step(Step::FirstPlayed));
                }
            }
            _ => {}
        }
    }
}

impl Own {
    /// Whether the old path's jitter buffers are to be handed over, once. A device that restarts has nothing to play
    /// them on: it begins with the new path.
    fn ends_overlap(&mut self) -> bool {
        std::mem::take(&mut self.overlapping) && self.restarting.is_none()
    }
}

impl Watch {
    fn step(&self, taken: Step) -> Event {
        step(self.number, self.change, &self.subject, taken, "")
    }
}

impl Endpoint {
    /// We begin: to come in is a change too.
    pub(super) fn comes(&mut self, now: RunTime) {
        self.note(now, None, Change::Join, Step::Asked, "");
    }

    /// We are in.
    pub(super) fn came(&mut self, now: RunTime) {
        self.note(now, None, Change::Join, Step::Granted, "");
        self.watch_own(None, Change::Join);
        if self.speaker.is_some() {
            self.roles.sends_first = Some((None, Change::Join));
        }
    }

    /// We go; a change that is under way comes to nothing.
    pub(super) fn leaves(&mut self, now: RunTime) {
        self.change_ends(now, "we left before it was complete");
        self.note(now, None, Change::Leave, Step::Asked, "");
    }

    /// Our part ends; a change that is under way comes to nothing.
    pub(super) fn change_ends(&mut self, now: RunTime, reason: &str) {
        if let Some(Own { grant, .. }) = self.roles.own.take_if(|own| !own.complete) {
            self.note(now, Some(grant.number), grant.change, Step::Failed, reason);
        }
    }

    /// Our role changes.
    pub(super) fn granted(&mut self, now: RunTime, grant: &Grant) {
        let Grant { number, change, promotion } = grant;
        self.note(now, Some(*number), *change, Step::Granted, "");
        self.roles.own = Some(Own {
            grant: grant.clone(),
            exchange: Exchange::new(*number, Side::Client, promotion),
            restarting: None,
            overlapping: promotion.overlap && !promotion.profile.keeps_path(),
            complete: false,
        });
        match change {
            Change::Promote => {
                self.close_path(now, grant);
                if promotion.profile.negotiates() {
                    self.offer(now, grant)
                } else {
                    self.exchange(now, Exchange::begin)
                }
            }
            Change::Demote => {
                self.pause_mouth(now);
                self.close_path(now, grant);
                self.offer(now, grant);
            }
            Change::Mute => {
                self.pause_mouth(now);
                self.complete(grant, false);
            }
            Change::Unmute => {
                let speaks = self.open_mouth(now, Some(*number), *change);
                self.complete(grant, speaks);
            }
            // No relay grants these.
            Change::Join | Change::Leave | Change::Remove => {}
        }
    }

    /// The relay agrees to our offer.
    pub(super) fn answered(&mut self, now: RunTime, number: u32) {
        let Some(own) = self.roles.own.as_ref().filter(|own| own.grant.number == number && !own.complete) else {
            return;
        };
        let grant = own.grant.clone();
        self.note(now, Some(number), grant.change, Step::Answered, "");
        match grant.change {
            Change::Promote => self.exchange(now, Exchange::begin),
            Change::Demote => {
                self.note(now, Some(number), Change::Demote, Step::TransportReady, "");
                if self.roles.own.as_mut().is_some_and(Own::ends_overlap) {
                    self.hand_over(now);
                } else if !grant.promotion.profile.keeps_path() {
                    self.open_path(now);
                }
                self.watch_own(Some(number), Change::Demote);
                self.complete(&grant, false);
            }
            _ => {}
        }
    }

    /// Somebody is to be heard.
    pub(super) fn noticed(&mut self, now: RunTime, notice: &Notice) {
        let Notice { number, change, name, ssrc } = notice;
        self.out.event(now, Event::Talker { name: name.clone(), ssrc: *ssrc });
        self.roles.watches.push(Watch {
            number: Some(*number),
            change: *change,
            subject: name.clone(),
            ssrc: Some(*ssrc),
            received: None,
        });
        self.out.control(PeerId::RELAY, Message::Noted { number: *number });
    }

    /// A flight of our handshake.
    pub(super) fn flight(&mut self, now: RunTime, from: SocketAddr, data: &[u8]) {
        if let Some(packet) = flight::Packet::new_checked(data).filter(|_| self.relay == Some(from)) {
            self.exchange(now, |exchange, now, acts| exchange.packet(now, &packet, acts));
        }
    }

    /// Does what has become due.
    pub(super) fn changes_due(&mut self, now: RunTime) {
        let Some(own) = &mut self.roles.own else { return };
        if own.restarting.take_if(|until| *until <= now).is_some() {
            let grant = own.grant.clone();
            self.note(now, Some(grant.number), grant.change, Step::DeviceRestartEnded, "");
            self.take_stage(now, &grant);
        }
        if self.roles.own.as_ref().is_some_and(|own| own.exchange.wake_at().is_some_and(|at| at <= now)) {
            self.exchange(now, Exchange::timer);
        }
    }

    fn exchange(&mut self, now: RunTime, turn: impl FnOnce(&mut Exchange, RunTime, &mut Vec<Act>)) {
        let (Some(own), Some(relay)) = (&mut self.roles.own, self.relay) else { return };
        let mut acts = Vec::new();
        turn(&mut own.exchange, now, &mut acts);
        let grant = own.grant.clone();
        let over = own.exchange.is_over();
        for Act { step, flight, send } in acts {
            if step == Step::Failed {
                return self.fail(now, format!("promotion: the relay left `{flight}` unanswered {MAX_SENDS} times"));
            }
            self.note(now, Some(grant.number), grant.change, step, flight);
            if let Some(repr) = send {
                self.send_to_relay(relay, repr);
            }
            if step == Step::TransportReady {
                self.transport_ready(now, &grant);
            }
        }
        if over && self.roles.own.as_mut().is_some_and(Own::ends_overlap) {
            // What the relay sends behind the last flight is the new path's.
            self.hand_over(now);
            self.watch_own(Some(grant.number), grant.change);
        }
    }

    fn transport_ready(&mut self, now: RunTime, grant: &Grant) {
        let restart = grant.promotion.device_restart;
        match &mut self.roles.own {
            Some(own) if restart.0 > 0 => {
                own.restarting = Some(now + restart);
                self.forget(now);
                self.roles.deaf = true;
                self.note(now, Some(grant.number), grant.change, Step::DeviceRestartBegun, "");
            }
            _ => self.take_stage(now, grant),
        }
    }

    /// Transport and device are ready: hears the new path, and speaks.
    fn take_stage(&mut self, now: RunTime, grant: &Grant) {
        let Promotion { profile, device_restart, .. } = grant.promotion;
        let overlapping = self.roles.own.as_ref().is_some_and(|own| own.overlapping);
        if device_restart.0 > 0 || !(profile.keeps_path() || overlapping) {
            self.open_path(now);
        }
        if !overlapping {
            self.watch_own(Some(grant.number), grant.change);
        }
        let speaks = self.open_mouth(now, Some(grant.number), grant.change);
        self.complete(grant, speaks);
    }

    fn offer(&mut self, now: RunTime, grant: &Grant) {
        self.note(now, Some(grant.number), grant.change, Step::Offered, "");
        self.out.control(PeerId::RELAY, Message::Offer { number: grant.number });
    }

    fn complete(&mut self, grant: &Grant, speaks: bool) {
        if let Some(own) = &mut self.roles.own {
            own.complete = true;
        }
        self.out.control(PeerId::RELAY, Message::Ready { number: grant.number, speaks });
    }

    /// Hears nothing more of the old path, unless it is to go on until the new one sounds.
    fn close_path(&mut self, now: RunTime, grant: &Grant) {
        if !grant.promotion.overlap && !grant.promotion.profile.keeps_path() {
            self.forget(now);
            self.roles.deaf = true;
            self.note(now, Some(grant.number), grant.change, Step::OldPathClosed, "");
        }
    }

    /// The new path has new jitter buffers, and those of the old one play on until it sounds.
    fn hand_over(&mut self, now: RunTime) {
        self.decide_before(now);
        if let Some(listener) = &mut self.listener {
            listener.hand_over_streams();
        }
    }

    /// A new transport has new jitter buffers.
    fn open_path(&mut self, now: RunTime) {
        self.forget(now);
        self.roles.deaf = false;
    }

    fn forget(&mut self, now: RunTime) {
        self.decide_before(now);
        if let Some(listener) = &mut self.listener {
            listener.forget_streams();
        }
    }

    fn decide_before(&mut self, now: RunTime) {
        if let Some(listener) = &mut self.listener {
            listener.play_while(|deadline| deadline < now, self.speaker.as_mut(), &mut self.out);
        }
    }

    fn pause_mouth(&mut self, now: RunTime) {
        if let Some(speaker) = &mut self.speaker
            && speaker.pause()
        {
            self.out.event(now, Event::MouthPaused);
        }
    }

    /// Lets the mouth send; false: there is none. A mouth that opens for the first time has captured a frame already,
    /// because the microphone runs before the transport is ready: its first packet leaves within a frame, at once if
    /// its phase is nothing.
    fn open_mouth(&mut self, now: RunTime, number: Option<u32>, change: Change) -> bool {
        if let Some(speaker) = &mut self.speaker {
            let from = speaker.resume();
            self.out.event(now, Event::MouthResumed { from });
        } else {
            let captured = self.card.handed_over(MediaTime(FRAME_SAMPLES as i64));
            self.begin_to_speak(now, now + -RATE.span(captured.0));
            self.send_due(now);
        }
        let speaks = self.speaker.is_some();
        self.roles.sends_first = speaks.then_some((number, change));
        speaks
    }

    fn watch_own(&mut self, number: Option<u32>, change: Change) {
        let subject = self.join.name.clone();
        self.roles.watches.push(Watch { number, change, subject, ssrc: None, received: None });
    }

    fn note(&mut self, at: RunTime, number: Option<u32>, change: Change, taken: Step, detail: &str) {
        self.out.event(at, step(number, change, &self.join.name, taken, detail));
    }

    fn send_to_relay(&mut self, relay: SocketAddr, repr: flight::Repr) {
        self.out.send(&[relay], |buffer| repr.emit(buffer));
    }
}

fn step(number: Option<u32>, change: Change, subject: &str, step: Step, detail: &str) -> Event {
    Event::Step(StepTaken { number, change, subject: subject.to_owned(), step, detail: detail.to_owned() })
}
