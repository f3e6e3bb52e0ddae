//! A guest: whoever comes by WebRTC, as the relay has them. One engine on one socket, which is both the connection's and the
//! seat's: what comes from the relay is for the connection, everything else is the connection's own.
//!
//! Somebody who speaks and also hears is several guests. What the relay sends to the seat of the one who speaks is what that
//! somebody is to hear, such as the mix without their own voice: so it is passed on, packet by packet, to those who hear for
//! them (*ears*), whose own seats then hear nobody.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiho_analysis::arrivals::Role;
use jiho_analysis::roles::Change;
use jiho_analysis::units::{MediaTime, Nanos, RunTime};
use jiho_proto::control::{Grant, Join, Joined, Message};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::records::{KeepError, Records};
use jiho_proto::wire::rtp;
use tokio::sync::oneshot;

use super::far::{Far, Purpose};
use crate::clock::RunClock;

/// How soon a guest notices what was decided about it elsewhere.
const TICK: Nanos = Nanos::from_millis(10);
/// As a relay announces its mixes.
pub(super) const MIX: &str = "mix";

/// What a guest and its door share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The connection, once it is made.
    pub(super) far: Option<Far>,
    /// Whose streams the seat is sent, in the order in which they were announced.
    pub(super) talkers: Vec<(String, u32)>,
    /// Who hears for this one, who speaks.
    pub(super) ears: Vec<SocketAddr>,
    /// For whom this one hears, while they speak.
    pub(super) mouth: Option<Mouth>,
    /// Why it is over, if it is.
    pub(super) over: Option<String>,
}

/// Somebody who speaks, to who hears for them.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    pub(super) address: SocketAddr,
    pub(super) shared: Handle,
}

/// A guest's share. Clones are of the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Handle(Arc<Mutex<Shared>>);

impl Handle {
    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to hear: a mix takes the place of all that is in it.
    pub(super) fn to_hear(&self) -> Vec<(String, u32)> {
        let (talkers, mouth) = {
            let shared = self.lock();
            (shared.talkers.clone(), shared.mouth.clone())
        };
        let talkers = mouth.map_or(talkers, |mouth| mouth.shared.lock().talkers.clone());
        match talkers.iter().find(|(name, _)| name == MIX) {
            Some(mix) => vec![mix.clone()],
            None => talkers,
        }
    }
}

/// The engine.
pub(super) struct Guest {
    name: String,
    token: String,
    purpose: Purpose,
    own: SocketAddr,
    clock: RunClock,
    shared: Handle,
    answer: Option<oneshot::Sender<Result<(), String>>>,
    joined: Option<Joined>,
    /// Whom the seat was asked to be sent.
    subscribed: Option<Vec<String>>,
    /// To be sent, and to be said.
    out: VecDeque<Said>,
    lent: Vec<u8>,
    now: RunTime,
    done: bool,
}

enum Said {
    Datagram(SocketAddr, Vec<u8>),
    Message(Message),
}

impl Guest {
    /// A guest of this name in the room, on a socket of this address; the receiver is told whether the relay lets it in.
    pub(super) fn new(
        name: String,
        token: String,
        purpose: Purpose,
        own: SocketAddr,
        clock: RunClock,
        shared: Handle,
    ) -> (Self, oneshot::Receiver<Result<(), String>>) {
        let (answer, receiver) = oneshot::channel();
        let guest = Self {
            name,
            token,
            purpose,
            own,
            clock,
            shared,
            answer: Some(answer),
            joined: None,
            subscribed: None,
            out: VecDeque::new(),
            lent: Vec::new(),
            now: RunTime(i64::MIN),
            done: false,
        };
        (guest, receiver)
    }

    fn say(&mut self, message: Message) {
        self.out.push_back(Said::Message(message));
    }

    /// Asks for a seat that is sent what this guest hears by itself.
    fn ask(&mut self) {
        self.subscribed = self.wanted();
        let role = if self.purpose == Purpose::Publish { Role::Speaker } else { Role::Listener };
        self.say(Message::Join(Join {
            name: self.name.clone(),
            role,
            token: self.token.clone(),
            media: self.own,
            subscribe: self.subscribed.clone(),
            sealed: false,
        }));
    }

    /// Names of the speakers that the relay is to send; `None`: all.
    fn wanted(&self) -> Option<Vec<String>> {
        match &self.purpose {
            Purpose::Publish => None,
            Purpose::Play(_) if self.shared.lock().mouth.is_some() => Some(Vec::new()),
            Purpose::Play(speaker) => speaker.clone().map(|speaker| vec![speaker]),
        }
    }

    fn told(&mut self, message: &Message) {
        match message {
            Message::Joined(joined) => {
                self.joined = Some(joined.clone());
                self.answered(Ok(()));
            }
            Message::Refused { reason } => {
                self.answered(Err(reason.clone()));
                self.finish(&format!("the relay refused it: {reason}"));
            }
            Message::Talker(talker) => self.talks(&talker.name, talker.ssrc),
            Message::Notice(notice) => {
                self.talks(&notice.name, notice.ssrc);
                self.say(Message::Noted { number: notice.number });
            }
            Message::Grant(Grant { number, change, .. }) => {
                let number = *number;
                self.say(match change {
                    // What a muted guest sends goes no further than the relay.
                    Change::Mute | Change::Unmute => Message::Ready { number, speaks: false },
                    _ => {
                        let reason = "who comes by WHIP or WHEP changes their role by the same way".to_owned();
                        Message::Cannot { number, reason }
                    }
                });
            }
            Message::Route(_) => self.finish("the room is a mesh, which WebRTC's guests cannot take part in"),
            // The rest goes to relays and moderators.
            _ => {}
        }
    }

    fn talks(&mut self, name: &str, ssrc: u32) {
        let mut shared = self.shared.lock();
        shared.talkers.retain(|(_, other)| *other != ssrc);
        match shared.talkers.iter_mut().find(|(other, _)| other == name) {
            Some(talker) => talker.1 = ssrc,
            None => shared.talkers.push((name.to_owned(), ssrc)),
        }
    }

    fn answered(&mut self, answer: Result<(), String>) {
        if let Some(sender) = self.answer.take() {
            // Whoever does not wait any more has given it up.
            let _ = sender.send(answer);
        }
    }

    fn finish(&mut self, why: &str) {
        if self.done {
            return;
        }
        self.say(Message::Leave);
        self.done = true;
        let now = self.clock.instant(self.now);
        let mut shared = self.shared.lock();
        shared.over.get_or_insert_with(|| why.to_owned());
        if let Some(far) = &mut shared.far {
            far.close(now);
        }
        drop(shared);
        self.answered(Err(why.to_owned()));
    }

    /// Whether a datagram comes from the near side: the relay, or who is heard for. A relay on all addresses sends by the one
    /// that it is sent to.
    fn is_near(&self, from: SocketAddr) -> bool {
        let relay = self.joined.as_ref().is_some_and(|joined| {
            from == joined.media || (from.port() == joined.media.port() && from.ip() == self.own.ip())
        });
        relay || self.shared.lock().mouth.as_ref().is_some_and(|mouth| from == mouth.address)
    }

    /// What the relay sends goes out by the connection, or to who hears for this one.
    fn near(&mut self, from: SocketAddr, data: &[u8]) {
        let (ears, mouth) = {
            let shared = self.shared.lock();
            (shared.ears.clone(), shared.mouth.clone())
        };
        if self.purpose == Purpose::Publish {
            self.out.extend(ears.into_iter().map(|ear| Said::Datagram(ear, data.to_vec())));
            return;
        }
        let Ok(packet) = rtp::Packet::new_checked(data) else { return };
        let named = |shared: &Shared| {
            shared.talkers.iter().find(|(_, ssrc)| *ssrc == packet.ssrc()).map(|(name, _)| name.clone())
        };
        let speaker = match &mouth {
            Some(mouth) if mouth.address == from => named(&mouth.shared.lock()),
            Some(_) => None,
            None => named(&self.shared.lock()),
        };
        let now = self.clock.instant(self.now);
        let mut shared = self.shared.lock();
        if let (Some(speaker), Some(far)) = (speaker, &mut shared.far) {
            far.send(now, &speaker, &packet);
        }
    }

    /// What comes by the connection goes to the relay.
    fn brought(&mut self, packets: Vec<Vec<u8>>) {
        let Some(joined) = &self.joined else { return };
        let to = joined.media;
        self.out.extend(packets.into_iter().map(|packet| Said::Datagram(to, packet)));
    }

    fn payload_type(&self) -> u8 {
        self.joined.as_ref().map_or(0, |joined| joined.payload_type)
    }

    fn receive(&mut self, from: SocketAddr, data: &[u8]) {
        if self.is_near(from) {
            return self.near(from, data);
        }
        let (now, payload_type, mut packets) = (self.clock.instant(self.now), self.payload_type(), Vec::new());
        if let Some(far) = &mut self.shared.lock().far {
            far.receive(now, from, self.own, data, payload_type, &mut packets);
        }
        self.brought(packets);
    }

    fn drive(&mut self) {
        let (now, payload_type, mut packets) = (self.clock.instant(self.now), self.payload_type(), Vec::new());
        let over = {
            let mut shared = self.shared.lock();
            if shared.mouth.as_ref().is_some_and(|mouth| mouth.shared.lock().over.is_some()) {
                shared.mouth = None;
            }
            let over = shared.over.clone();
            shared.far.as_mut().map_or(over, |far| {
                far.drive(now, payload_type, &mut packets);
                far.over(now)
            })
        };
        self.brought(packets);
        if let Some(why) = over {
            return self.finish(&why);
        }
        // Who begins or ends to speak hears by another way from then on.
        if self.joined.is_some() && self.wanted() != self.subscribed {
            self.say(Message::Leave);
            self.ask();
        }
    }

    fn wake(&self) -> RunTime {
        let tick = self.now + TICK;
        let far = self.shared.lock().far.as_ref().map(Far::wake);
        far.map_or(tick, |far: Instant| self.clock.at(far).clamp(self.now, tick))
    }
}

impl Engine for Guest {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.now = now;
        if self.done {
            return;
        }
        match input {
            Input::Start => self.ask(),
            Input::Control { message, .. } => self.told(message),
            Input::ControlClosed { reason, .. } => {
                self.finish(&format!("the connection to the relay is gone: {reason}"))
            }
            Input::Packet { from, data, .. } => self.receive(from, data),
            Input::Timer => {}
            Input::Stop => self.finish("it was ended"),
        }
        if !self.done {
            self.drive();
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        let leaving = self.shared.lock().far.as_mut().and_then(Far::leaving);
        let said = leaving.map(|(to, data)| Said::Datagram(to, data)).or_else(|| self.out.pop_front());
        match said {
            Some(Said::Datagram(to, data)) => {
                self.lent = data;
                Output::Send { to, data: &self.lent }
            }
            Some(Said::Message(message)) => Output::Control { peer: PeerId::RELAY, message },
            None if self.done => Output::Done,
            None => Output::Wait(Some(self.wake())),
        }
    }
}

/// What a guest notes is noted by the relay.
#[derive(Debug)]
pub(super) struct Unkept;

impl Records for Unkept {
    fn ear(&mut self, _: MediaTime, _: &[f32]) -> Result<(), KeepError> {
        Ok(())
    }

    fn event(&mut self, _: RunTime, _: Event) -> Result<(), KeepError> {
        Ok(())
    }
}
