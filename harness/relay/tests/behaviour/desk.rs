//! A relay with short ways to talk to it.

use std::net::{Ipv4Addr, SocketAddr};

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::RunTime;
use jiho_proto::codec::CodecConfig;
use jiho_proto::control::{Join, Message, Talker};
use jiho_proto::engine::{Engine, Input, Output, PeerId};
use jiho_proto::event::Event;
use jiho_proto::wire::rtp;
use jiho_relay::{Relay, RelayConfig, RelayStats, Serving};

pub(crate) const TOKEN: &str = "secret";
/// No ports at all.
pub(crate) const NOBODY: [u16; 0] = [];
pub(crate) const NOW: RunTime = RunTime(1_000);

/// An output that the relay has let go.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Packet(SocketAddr, Vec<u8>),
    Control(PeerId, Message),
    Event(RunTime, Event),
    Done,
}

pub(crate) struct Desk {
    relay: Relay,
    /// When the relay wants to be woken.
    pub(crate) wake: Option<RunTime>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with_token(TOKEN)
    }

    pub(crate) fn with_token(token: &str) -> Self {
        Self::of(RelayConfig::forwarding(addr(1), token.into(), CodecConfig::L16))
    }

    /// A room that is served like this.
    pub(crate) fn serving(stage: Serving, audience: Serving) -> Self {
        Self::of(RelayConfig { stage, audience, ..RelayConfig::forwarding(addr(1), TOKEN.into(), CodecConfig::L16) })
    }

    pub(crate) fn of(config: RelayConfig) -> Self {
        let uplink = config.uplink;
        let mut desk = Self { relay: Relay::new(config), wake: None };
        let said = desk.input(Input::Start);
        assert_eq!(said.is_empty(), !uplink, "{said:?}");
        desk
    }

    /// Gives one input and drains the outputs.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Said> {
        self.input_at(NOW, input)
    }

    pub(crate) fn input_at(&mut self, now: RunTime, input: Input<'_>) -> Vec<Said> {
        self.relay.handle(now, input);
        let mut said = Vec::new();
        loop {
            match self.relay.poll_output() {
                Output::Send { to, data } => said.push(Said::Packet(to, data.to_vec())),
                Output::Control { peer, message } => said.push(Said::Control(peer, message)),
                Output::Event { at, event } => said.push(Said::Event(at, event)),
                Output::Ear { .. } => unreachable!("a relay has no ear"),
                Output::Wait(wake) => {
                    self.wake = wake;
                    return said;
                }
                Output::Done => {
                    said.push(Said::Done);
                    return said;
                }
            }
        }
    }

    pub(crate) fn control(&mut self, peer: u64, message: &Message) -> Vec<Said> {
        self.input(Input::Control { peer: PeerId(peer), message })
    }

    /// Seats somebody on connection `port` with the media port of the same number.
    pub(crate) fn seat(&mut self, port: u16, name: &str, role: Role) -> Vec<Said> {
        let said = self.control(port.into(), &Message::Join(join(port, name, role)));
        assert!(said.contains(&Said::Event(NOW, Event::Admitted { name: name.into() })), "{said:?}");
        said
    }

    pub(crate) fn hang_up(&mut self, peer: u64) -> Vec<Said> {
        self.input(Input::ControlClosed { peer: PeerId(peer), reason: "gone" })
    }

    pub(crate) fn packet(&mut self, from: u16, data: &[u8]) -> Vec<Said> {
        self.input(Input::Packet { from: addr(from), received: NOW, data })
    }

    /// A packet that is handled as it arrives, after all that was due before.
    pub(crate) fn packet_at(&mut self, now: RunTime, from: u16, data: &[u8]) -> Vec<(RunTime, SocketAddr, Vec<u8>)> {
        let mut sent = self.run_while(|wake| wake < now);
        let said = self.input_at(now, Input::Packet { from: addr(from), received: now, data });
        sent.extend(packets(now, said));
        sent
    }

    /// Wakes the relay whenever it asks for it, up to an instant, and gives what it sends.
    pub(crate) fn run_until(&mut self, end: RunTime) -> Vec<(RunTime, SocketAddr, Vec<u8>)> {
        self.run_while(|wake| wake <= end)
    }

    fn run_while(&mut self, wanted: impl Fn(RunTime) -> bool) -> Vec<(RunTime, SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(wake) = self.wake.filter(|wake| wanted(*wake)) {
            let said = self.input_at(wake, Input::Timer);
            sent.extend(packets(wake, said));
        }
        sent
    }

    /// To whom a packet goes.
    pub(crate) fn reached(&mut self, from: u16, data: &[u8]) -> Vec<u16> {
        let to = |said| match said {
            Said::Packet(to, _) => Some(to.port()),
            _ => None,
        };
        self.packet(from, data).into_iter().filter_map(to).collect()
    }

    pub(crate) fn stats(&self) -> RelayStats {
        self.relay.stats()
    }
}

pub(crate) fn addr(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub(crate) fn join(port: u16, name: &str, role: Role) -> Join {
    Join { name: name.into(), role, token: TOKEN.into(), media: addr(port), subscribe: None, sealed: false }
}

pub(crate) fn talker(to: u16, name: &str, ssrc: u32) -> Said {
    Said::Control(PeerId(to.into()), Message::Talker(Talker { name: name.into(), ssrc }))
}

/// An RTP packet with a payload that gives its SSRC away.
pub(crate) fn rtp(ssrc: u32) -> Vec<u8> {
    let payload = ssrc.to_le_bytes();
    let mut bytes = Vec::new();
    rtp::Repr { marker: false, payload_type: 96, sequence: 3, timestamp: 4, ssrc, payload: &payload }.emit(&mut bytes);
    bytes
}

fn packets(at: RunTime, said: Vec<Said>) -> impl Iterator<Item = (RunTime, SocketAddr, Vec<u8>)> {
    said.into_iter().filter_map(move |said| match said {
        Said::Packet(to, data) => Some((at, to, data)),
        _ => None,
    })
}
