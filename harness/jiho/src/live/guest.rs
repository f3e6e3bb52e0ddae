//! Whoever takes part through a relay from elsewhere: connects, is let in, stays, and leaves.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use jiho_analysis::units::{Nanos, RunTime};
use jiho_drivers::clock::RunClock;
use jiho_drivers::control::{self, CONNECT_TIMEOUT, ControlClient, ControlLink};
use jiho_drivers::media::{MediaReport, MediaThread};
use jiho_drivers::udp::Socket;
use jiho_proto::engine::Engine;
use jiho_proto::event::Event;
use jiho_proto::records::Records;
use tokio::sync::mpsc::UnboundedReceiver;

use super::told::Told;
use crate::exit::UsageError;
use crate::run::interrupt::Interrupt;

/// How soon an interrupt is noticed.
const TICK: Duration = Duration::from_millis(50);
const ANY_V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const ANY_V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// Why a guest is not, or no longer, in the room.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuestError {
    #[error("relay {relay}: {reason}")]
    Ended { relay: String, reason: String },
    #[error(
        "relay {relay}: somebody listens there, and did not answer within {} s; is it `jiho relay`?",
        CONNECT_TIMEOUT.as_secs()
    )]
    NoAnswer { relay: String },
    #[error("relay {relay}: stopped before it let us in")]
    Stopped { relay: String },
}

/// A way to a relay: the signalling's connection and the media's socket.
pub(super) struct Way {
    relay: String,
    socket: Socket,
    client: ControlClient,
    link: ControlLink,
}

impl Way {
    /// Connects to a relay, given as `host:port`, unless an interrupt comes first. Without a `media` address the system
    /// chooses, in the family by which the relay is reached.
    pub(super) async fn to(relay: &str, media: Option<SocketAddr>, interrupt: &Interrupt) -> anyhow::Result<Self> {
        tokio::select! {
            way = Self::found(relay, media) => way,
            () = interrupt.comes() => Err(GuestError::Stopped { relay: relay.to_owned() }.into()),
        }
    }

    async fn found(relay: &str, media: Option<SocketAddr>) -> anyhow::Result<Self> {
        let way = Self::by(relay, media.unwrap_or(ANY_V4)).await?;
        let reached = way.client.relay_addr();
        match media {
            None if reached.is_ipv6() => Self::by(relay, ANY_V6).await,
            Some(media) if media.is_ipv4() != reached.is_ipv4() => {
                let text =
                    format!("media cannot go from {media} to the relay at {reached}: give both the same IP version");
                Err(UsageError::say(text).into())
            }
            _ => Ok(way),
        }
    }

    async fn by(relay: &str, media: SocketAddr) -> anyhow::Result<Self> {
        let socket = Socket::bind(media)?;
        let (client, link) = control::connect(relay, CONNECT_TIMEOUT, socket.waker()).await?;
        Ok(Self { relay: relay.to_owned(), socket, client, link })
    }

    /// Whether the relay is on this host.
    pub(super) fn is_here(&self) -> bool {
        self.client.relay_addr().ip().to_canonical().is_loopback()
    }

    /// Where our media comes from.
    pub(super) fn media(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    /// Lets an engine take part on this way.
    pub(super) fn enter(
        self,
        name: &str,
        engine: Box<dyn Engine>,
        clock: RunClock,
        records: Box<dyn Records>,
    ) -> anyhow::Result<Guest> {
        let (records, news) = Told::new(records);
        let thread = MediaThread::spawn(name, engine, self.socket, clock, self.link, Box::new(records))
            .with_context(|| format!("cannot start {name}'s thread"))?;
        Ok(Guest { relay: self.relay, client: self.client, thread, news, clock, joined: false })
    }
}

/// Somebody who takes part.
pub(super) struct Guest {
    relay: String,
    client: ControlClient,
    thread: MediaThread,
    /// What it tells, packets excepted.
    pub(super) news: UnboundedReceiver<Event>,
    clock: RunClock,
    joined: bool,
}

impl Guest {
    /// Whether the relay let us in.
    pub(super) fn joined(&self) -> bool {
        self.joined
    }

    /// Takes part until `end` or an interrupt; `told` hears of everything but packets.
    ///
    /// # Errors
    /// The relay does not let us in, does not answer, or goes away; or the interrupt came before it let us in.
    pub(super) async fn stay(
        &mut self,
        end: RunTime,
        interrupt: &Interrupt,
        mut told: impl FnMut(&Event),
    ) -> Result<(), GuestError> {
        let patience = self.clock.now() + Nanos::from(CONNECT_TIMEOUT);
        loop {
            let finished = self.thread.is_finished();
            let left = (end - self.clock.now()).max(Nanos::ZERO).to_std();
            if let Ok(Some(event)) = tokio::time::timeout(left.min(TICK), self.news.recv()).await {
                match &event {
                    Event::Joined => self.joined = true,
                    Event::Failed { reason } => {
                        return Err(GuestError::Ended { relay: self.relay.clone(), reason: reason.clone() });
                    }
                    _ => {}
                }
                told(&event);
            } else if interrupt.wanted() && !self.joined {
                return Err(GuestError::Stopped { relay: self.relay.clone() });
            } else if finished || interrupt.wanted() || left.is_zero() {
                // What stopped a thread without a word stands in its report.
                return Ok(());
            } else if !self.joined && self.clock.now() > patience {
                return Err(GuestError::NoAnswer { relay: self.relay.clone() });
            }
        }
    }

    /// Says goodbye, and waits until it has been said.
    pub(super) async fn leave(self) -> anyhow::Result<MediaReport> {
        self.thread.stop();
        let thread = self.thread;
        let report = tokio::task::spawn_blocking(move || thread.join()).await?;
        self.client.closed().await;
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_interrupt_ends_the_wait_for_a_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = listener.local_addr().unwrap().to_string();
        let interrupt = Interrupt::default();
        assert!(Way::to(&relay, None, &interrupt).await.is_ok());
        interrupt.want();
        let stopped = Way::to(&relay, None, &interrupt).await.err().unwrap();
        assert_eq!(stopped.to_string(), format!("relay {relay}: stopped before it let us in"));
    }
}
