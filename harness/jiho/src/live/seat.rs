//! A seat for an outside tool: jiho does the signalling, the tool the media.

use std::collections::VecDeque;

use anyhow::Context;
use jiho_analysis::roles::Change;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_proto::control::{Join, Joined, Message};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::seal::Passphrase;
use tokio::sync::oneshot;

use super::guest::Way;
use super::{interrupt, say};
use crate::experiment::LONGEST;
use crate::run::unkept::Unkept;

/// Takes a seat at `relay` and holds it until Ctrl-C, 12 hours at most; `told` is given the relay's answer. Of a room that
/// is sealed with a passphrase, the key of each stream is said that the seat is sent: the tool has to open it.
///
/// # Errors
/// The relay cannot be reached, does not let us in, or goes away; or `told` fails.
pub fn hold(
    relay: &str,
    join: Join,
    passphrase: Option<&Passphrase>,
    told: impl FnOnce(&Joined) -> anyhow::Result<()>,
) -> anyhow::Result<Nanos> {
    crate::run::block_on(async {
        let interrupt = interrupt();
        // Media is the tool's: this socket only wakes the thread.
        let way = Way::to(relay, None, &interrupt).await?;
        let clock = RunClock::start();
        let name = join.name.clone();
        let (seat, mut answer) = Seat::new(join);
        let mut guest = way.enter(&name, Box::new(seat), clock, Box::new(Unkept))?;
        let mut told = Some(told);
        let mut failure = Ok(());
        let stayed = guest
            .stay(RunTime::START + LONGEST, &interrupt, |event| match event {
                Event::Joined => {
                    if let (Ok(joined), Some(told)) = (answer.try_recv(), told.take()) {
                        failure = told(&joined);
                        if failure.is_err() {
                            interrupt.want();
                        }
                    }
                }
                Event::Talker { name: speaker, ssrc } => {
                    let key = passphrase.map(|passphrase| passphrase.stream_key(speaker, *ssrc));
                    let key = key.map_or(String::new(), |key| format!(", SFrame {key}"));
                    say(&format!("{name} is sent {speaker}, SSRC {ssrc}{key}"));
                }
                _ => {}
            })
            .await;
        let held = clock.now().since_start();
        guest.leave().await?.outcome.context("the seat is lost")?;
        failure?;
        stayed?;
        Ok(held)
    })
}

/// Asks for a seat and keeps it.
struct Seat {
    join: Join,
    answer: Option<oneshot::Sender<Joined>>,
    out: VecDeque<Output<'static>>,
    done: bool,
}

impl Seat {
    fn new(join: Join) -> (Self, oneshot::Receiver<Joined>) {
        let (answer, receiver) = oneshot::channel();
        (Self { join, answer: Some(answer), out: VecDeque::new(), done: false }, receiver)
    }

    fn note(&mut self, at: RunTime, event: Event) {
        self.out.push_back(Output::Event { at, event });
    }

    fn ask(&mut self, message: Message) {
        self.out.push_back(Output::Control { peer: PeerId::RELAY, message });
    }

    fn fail(&mut self, now: RunTime, reason: String) {
        self.note(now, Event::Failed { reason });
        self.done = true;
    }

    fn hear(&mut self, now: RunTime, message: &Message) {
        match message {
            Message::Joined(joined) => {
                if let Some(answer) = self.answer.take() {
                    // The receiver lives as long as the seat is wanted.
                    let _ = answer.send(joined.clone());
                    self.note(now, Event::Joined);
                }
            }
            Message::Refused { reason } => self.fail(now, format!("the relay refused us: {reason}")),
            Message::Talker(talker) => {
                self.note(now, Event::Talker { name: talker.name.clone(), ssrc: talker.ssrc });
            }
            Message::Route(_) => {
                let reason = "the room is a mesh, whose ways only jiho's own endpoints can follow: take part by \
                              `jiho speak` or `jiho hear`, or serve the room by another architecture";
                self.fail(now, reason.to_owned());
            }
            Message::Notice(notice) => {
                self.note(now, Event::Talker { name: notice.name.clone(), ssrc: notice.ssrc });
                // The tool plays whatever comes.
                self.ask(Message::Noted { number: notice.number });
            }
            Message::Grant(grant) => self.ask(match grant.change {
                // What a muted tool sends goes no further than the relay.
                Change::Mute | Change::Unmute => Message::Ready { number: grant.number, speaks: false },
                _ => {
                    let reason = "an outside tool keeps the role that it has".to_owned();
                    Message::Cannot { number: grant.number, reason }
                }
            }),
            // These go to relays and moderators.
            _ => {}
        }
    }
}

impl Engine for Seat {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        if self.done {
            return;
        }
        match input {
            Input::Start => self.ask(Message::Join(self.join.clone())),
            Input::Control { message, .. } => self.hear(now, message),
            Input::ControlClosed { reason, .. } => {
                self.fail(now, format!("the connection to the relay is gone: {reason}"));
            }
            Input::Stop => {
                self.ask(Message::Leave);
                self.done = true;
            }
            Input::Timer | Input::Packet { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        let idle = if self.done { Output::Done } else { Output::Wait(None) };
        self.out.pop_front().unwrap_or(idle)
    }
}

#[cfg(test)]
mod tests {
    use jiho_analysis::arrivals::Role;

    use super::*;

    fn seat() -> (Seat, oneshot::Receiver<Joined>) {
        Seat::new(Join {
            name: "ffmpeg".to_owned(),
            role: Role::Listener,
            token: "t".to_owned(),
            media: "127.0.0.1:6000".parse().unwrap(),
            subscribe: None,
            sealed: false,
        })
    }

    fn give(seat: &mut Seat, input: Input<'_>) -> Vec<String> {
        seat.handle(RunTime::START, input);
        let mut said = Vec::new();
        loop {
            match seat.poll_output() {
                Output::Wait(_) => return said,
                Output::Done => {
                    said.push("done".to_owned());
                    return said;
                }
                Output::Control { message, .. } => said.push(message.to_line()),
                Output::Event { event, .. } => said.push(format!("{event:?}")),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_seat_is_asked_for_held_and_given_up() {
        let (mut seat, mut answer) = seat();
        assert!(give(&mut seat, Input::Start)[0].contains("\"join\""));
        let joined = Joined { media: "127.0.0.1:4005".parse().unwrap(), payload_type: 111, sdp: "v=0".to_owned() };
        let message = Message::Joined(joined.clone());
        assert_eq!(give(&mut seat, Input::Control { peer: PeerId::RELAY, message: &message }), ["Joined"]);
        assert_eq!(answer.try_recv(), Ok(joined));
        let said = give(&mut seat, Input::Stop);
        assert!(said[0].contains("leave") && said[1] == "done", "{said:?}");
    }

    #[test]
    fn a_refusal_is_told_and_ends_it() {
        let (mut seat, _answer) = seat();
        give(&mut seat, Input::Start);
        let message = Message::Refused { reason: "the token is not the room's".to_owned() };
        let said = give(&mut seat, Input::Control { peer: PeerId::RELAY, message: &message });
        assert!(said[0].contains("refused us: the token") && said[1] == "done", "{said:?}");
    }
}
