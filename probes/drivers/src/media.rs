//! Drives an engine in real time: one thread, one socket, absolute deadlines.
//!
//! Before a timer is delivered, everything that the kernel has received until then is read and delivered, in the
//! order of its stamps. What an engine does is therefore a function of when packets came, not of when a busy machine
//! woke the thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use jiho_analysis::units::RunTime;
use jiho_proto::engine::{Engine, Input, Output};
use jiho_proto::records::{KeepError, Records};

use crate::clock::RunClock;
use crate::control::{ControlInput, ControlLink};
use crate::lateness::Lateness;
pub use crate::lateness::WakeUps;
use crate::udp::{Inbox, Outbox, Socket, Stamps, Traffic, Waker};

/// Datagrams collected before they are sent; more would let the first ones wait for the last.
const SEND_BATCH: usize = 64;

/// A thread that drives one engine.
#[derive(Debug)]
pub struct MediaThread {
    name: String,
    stopper: Stopper,
    thread: JoinHandle<MediaReport>,
}

/// Tells a [`MediaThread`] from anywhere to finish.
#[derive(Clone, Debug)]
pub struct Stopper {
    wanted: Arc<AtomicBool>,
    waker: Waker,
}

/// How a thread fared.
#[derive(Debug)]
pub struct MediaReport {
    /// The engine's name.
    pub name: String,
    /// Where receive stamps came from.
    pub stamps: Stamps,
    /// What was carried.
    pub traffic: Traffic,
    /// How late the thread woke for its deadlines.
    pub wakeups: WakeUps,
    /// Whether it got to its end.
    pub outcome: Result<(), MediaError>,
}

/// Why an engine's part ended early.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Sound could not be recorded.
    #[error("{name}: what it heard cannot be kept: {source}")]
    Ear {
        /// The engine's name.
        name: String,
        /// Why.
        source: KeepError,
    },
    /// An event could not be noted.
    #[error("{name}: its events cannot be kept: {source}")]
    Event {
        /// The engine's name.
        name: String,
        /// Why.
        source: KeepError,
    },
    /// The socket failed.
    #[error("{name}: its socket failed: {source}")]
    Socket {
        /// The engine's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The engine panicked.
    #[error("{name}: stopped by a fault in jiho itself; the panic message stands above")]
    Panicked {
        /// The engine's name.
        name: String,
    },
}

impl MediaThread {
    /// Starts the engine on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        name: &str,
        engine: Box<dyn Engine>,
        socket: Socket,
        clock: RunClock,
        control: ControlLink,
        records: Box<dyn Records>,
    ) -> io::Result<Self> {
        let stopper = Stopper { wanted: Arc::default(), waker: socket.waker() };
        let driver = Driver {
            name: name.to_owned(),
            engine,
            socket,
            clock,
            control,
            records,
            stop_wanted: stopper.wanted.clone(),
            stop_given: false,
            outbox: Outbox::default(),
            wakeups: Lateness::default(),
            now: RunTime(i64::MIN),
            deadline: None,
            done: false,
            failure: None,
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || driver.run())?;
        Ok(Self { name: name.to_owned(), stopper, thread })
    }

    /// Tells the engine to finish. May be called again.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Something that can do the same from elsewhere, such as a signal handler's task.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Whether the engine has finished.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the engine has finished. Does not stop it.
    pub fn join(self) -> MediaReport {
        self.thread.join().unwrap_or_else(|_| MediaReport {
            name: self.name.clone(),
            stamps: Stamps::UserSpace,
            traffic: Traffic::default(),
            wakeups: WakeUps::default(),
            outcome: Err(MediaError::Panicked { name: self.name }),
        })
    }
}

impl Stopper {
    /// Tells the engine to finish. May be called again.
    pub fn stop(&self) {
        self.wanted.store(true, Ordering::Release);
        self.waker.wake();
    }
}

struct Driver {
    name: String,
    engine: Box<dyn Engine>,
    socket: Socket,
    clock: RunClock,
    control: ControlLink,
    records: Box<dyn Records>,
    stop_wanted: Arc<AtomicBool>,
    stop_given: bool,
    outbox: Outbox,
    wakeups: Lateness,
    /// What the engine is told. Everything that the kernel received until then has been delivered.
    now: RunTime,
    deadline: Option<RunTime>,
    done: bool,
    failure: Option<MediaError>,
}

impl Driver {
    fn run(mut self) -> MediaReport {
        be_woken_on_time();
        let outcome = self.drive();
        self.socket.send(&mut self.outbox);
        MediaReport {
            stamps: self.socket.stamps(),
            traffic: self.socket.traffic(),
            wakeups: self.wakeups.summary(),
            outcome: match (outcome, self.failure) {
                (Ok(()), None) => Ok(()),
                (_, Some(error)) => Err(error),
                (Err(source), None) => Err(MediaError::Socket { name: self.name.clone(), source }),
            },
            name: self.name,
        }
    }

    fn drive(&mut self) -> io::Result<()> {
        let mut inbox = Inbox::default();
        self.advance(self.clock.now());
        self.give(Input::Start);
        while !self.done {
            self.socket.send(&mut self.outbox);
            self.sleep()?;
            let woken = self.clock.now();
            let drained = self.socket.receive(&self.clock, &mut inbox)?;
            for (from, received, data) in inbox.iter() {
                // Unless all was read, later packets may still be there: time stands where reading stopped.
                self.advance(if drained { woken.max(received) } else { received });
                self.give(Input::Packet { from, received, data });
            }
            if drained {
                self.advance(woken);
            }
            self.give_control();
            self.give_stop();
            if self.deadline.is_some_and(|deadline| deadline <= self.now) {
                self.give(Input::Timer);
            }
        }
        Ok(())
    }

    /// Waits for input or the deadline.
    fn sleep(&mut self) -> io::Result<()> {
        let Some(deadline) = self.deadline else { return self.socket.wait(None) };
        let before = self.clock.now();
        if deadline <= before {
            return Ok(());
        }
        self.socket.wait(Some(deadline - before))?;
        let woken = self.clock.now();
        if deadline <= woken {
            self.wakeups.record(woken - deadline);
        }
        Ok(())
    }

    fn advance(&mut self, now: RunTime) {
        self.now = self.now.max(now);
    }

    fn give_control(&mut self) {
        while let Some(input) = self.control.next_input() {
            match input {
                ControlInput::Message { peer, message } => self.give(Input::Control { peer, message: &message }),
                ControlInput::Closed { peer, reason } => self.give(Input::ControlClosed { peer, reason: &reason }),
            }
        }
    }

    fn give_stop(&mut self) {
        let wanted = self.stop_wanted.load(Ordering::Acquire) || self.failure.is_some();
        if wanted && !self.stop_given {
            self.stop_given = true;
            self.give(Input::Stop);
        }
    }

    /// Hands one input to the engine and does what it asks for.
    fn give(&mut self, input: Input<'_>) {
        if self.done {
            return;
        }
        self.engine.handle(self.now, input);
        loop {
            match self.engine.poll_output() {
                Output::Send { to, data } => {
                    self.outbox.push(to, data);
                    if self.outbox.len() >= SEND_BATCH {
                        self.socket.send(&mut self.outbox);
                    }
                }
                Output::Control { peer, message } => self.control.send(peer, message),
                // After a failure the engine only takes its leave: nothing more is kept.
                Output::Ear { .. } | Output::Event { .. } if self.failure.is_some() => {}
                Output::Ear { first, samples } => {
                    // A slow disk must not hold up a packet.
                    self.socket.send(&mut self.outbox);
                    if let Err(source) = self.records.ear(first, samples) {
                        self.failure = Some(MediaError::Ear { name: self.name.clone(), source });
                    }
                }
                Output::Event { at, event } => {
                    if let Err(source) = self.records.event(at, event) {
                        self.failure = Some(MediaError::Event { name: self.name.clone(), source });
                    }
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Done => {
                    self.done = true;
                    return;
                }
            }
        }
    }
}

/// Linux lets ordinary threads sleep up to 50 µs past their time to save energy; this one has packets to send.
fn be_woken_on_time() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_timerslack(1);
}

#[cfg(test)]
mod tests;
