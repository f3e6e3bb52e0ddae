//! A moderator: a client without a seat that commands changes of others' roles, each at its time.

use std::collections::VecDeque;

use jiho_analysis::roles::Step;
use jiho_analysis::units::RunTime;

use crate::control::{Action, Command, Message, Outcome};
use crate::engine::{Engine, Input, Output, PeerId};
use crate::event::{Event, StepTaken};
use crate::outbox::Outbox;

/// Gives its commands one after the other, each at its time, whatever has become of those before.
///
/// It ends by [`Input::Stop`], or when the relay refuses it or goes away ([`Event::Failed`]); a moderator that is
/// [`brief`](Self::brief) also when all its commands have been answered.
#[derive(Debug)]
pub struct Moderator {
    token: String,
    /// What is still to be commanded, in order of time.
    agenda: VecDeque<(RunTime, Action)>,
    /// What has been commanded and not been answered.
    open: Vec<Action>,
    brief: bool,
    out: Outbox,
    done: bool,
}

impl Moderator {
    /// A moderator with the room's secret, and what it is to command when.
    pub fn new(token: String, mut agenda: Vec<(RunTime, Action)>) -> Self {
        agenda.sort_by_key(|(at, _)| *at);
        let (open, out) = (Vec::new(), Outbox::default());
        Self { token, agenda: agenda.into(), open, brief: false, out, done: false }
    }

    /// Leaves when everything has been answered.
    pub fn brief(self) -> Self {
        Self { brief: true, ..self }
    }

    fn command_due(&mut self, now: RunTime) {
        while let Some((_, action)) = self.agenda.pop_front_if(|(at, _)| *at <= now) {
            self.note(now, &action, None, Step::Asked, String::new());
            let command = Command { token: self.token.clone(), action: action.clone() };
            self.out.control(PeerId::RELAY, Message::Command(command));
            self.open.push(action);
        }
    }

    fn outcome(&mut self, now: RunTime, outcome: &Outcome) {
        let Some(answered) = self.open.iter().position(|action| *action == outcome.action) else { return };
        self.open.remove(answered);
        let (step, detail) = match &outcome.refused {
            None => (Step::Done, String::new()),
            Some(reason) => (Step::Failed, reason.clone()),
        };
        self.note(now, &outcome.action, outcome.number, step, detail);
        self.done = self.brief && self.open.is_empty() && self.agenda.is_empty();
    }

    fn end(&mut self, now: RunTime, reason: &str) {
        for action in std::mem::take(&mut self.open) {
            self.note(now, &action, None, Step::Failed, reason.to_owned());
        }
        self.done = true;
    }

    fn note(&mut self, now: RunTime, action: &Action, number: Option<u32>, step: Step, detail: String) {
        let (change, subject) = action.parts();
        let subject = subject.to_owned();
        self.out.event(now, Event::Step(StepTaken { number, change, subject, step, detail }));
    }
}

impl Engine for Moderator {
    fn handle(&mut self, now: RunTime, input: Input<'_>) {
        self.out.reclaim();
        if self.done {
            return;
        }
        match input {
            Input::Start | Input::Timer => self.command_due(now),
            Input::Control { message: Message::Outcome(outcome), .. } => self.outcome(now, outcome),
            Input::Control { message: Message::Refused { reason }, .. } => {
                let reason = format!("the relay refused us: {reason}");
                self.end(now, &reason);
                self.out.event(now, Event::Failed { reason });
            }
            Input::ControlClosed { reason, .. } => {
                let reason = format!("the connection to the relay is gone: {reason}");
                self.end(now, &reason);
                self.out.event(now, Event::Failed { reason });
            }
            Input::Stop => self.end(now, "the run ended before the relay had answered"),
            Input::Control { .. } | Input::Packet { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Output<'_> {
        let idle = match self.agenda.front() {
            _ if self.done => Output::Done,
            next => Output::Wait(next.map(|(at, _)| *at)),
        };
        self.out.fetch().unwrap_or(idle)
    }
}
