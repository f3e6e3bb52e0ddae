//! What serves the stage, or the audience, or both where they are served alike: it takes every packet of every stream,
//! and sends what its architecture makes of them, at once or later.

use std::net::SocketAddr;

use jiho_analysis::arrivals::Role;
use jiho_analysis::units::RunTime;
use jiho_proto::codec::CodecConfig;
use jiho_proto::wire::rtp;

use crate::forward::Forward;
use crate::made::Made;
use crate::mix::{MixStats, Mixer};
use crate::outbox::Outbox;
use crate::room::Room;
use crate::serving::{Serving, Through};
use crate::streams::Streams;
use crate::tier::Line;

/// One architecture at work for the seats of some roles.
#[derive(Debug)]
pub(crate) struct Server {
    roles: Vec<Role>,
    maker: Maker,
    /// Holds back what was made.
    line: Option<Line>,
    made: Made,
    sent: u64,
}

#[derive(Debug)]
enum Maker {
    /// Nothing passes the relay.
    Mesh,
    Forward(Forward),
    Mix(Box<Mixer>),
}

/// A packet of a stream, as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) packet: rtp::Packet<'a>,
    pub(crate) data: &'a [u8],
    pub(crate) received: RunTime,
}

impl Server {
    /// Serves the seats of these roles.
    pub(crate) fn new(roles: Vec<Role>, serving: Serving, codec: CodecConfig) -> Self {
        let mixer = |timing| Maker::Mix(Box::new(Mixer::new(codec, timing)));
        let (maker, hold) = match serving {
            Serving::Mesh => (Maker::Mesh, None),
            Serving::Forward => (Maker::Forward(Forward::default()), None),
            Serving::Mix(timing) => (mixer(timing), None),
            Serving::Tier { hold, through: Through::Forward } => (Maker::Forward(Forward::default()), Some(hold)),
            Serving::Tier { hold, through: Through::Mix(timing) } => (mixer(timing), Some(hold)),
        };
        Self { roles, maker, line: hold.map(Line::new), made: Made::default(), sent: 0 }
    }

    /// To be called when somebody has come or gone, or a stream has begun or ended.
    pub(crate) fn reroute(&mut self, now: RunTime, room: &Room, streams: &mut Streams, outbox: &mut Outbox) {
        match &mut self.maker {
            Maker::Mesh => {}
            Maker::Forward(forward) => forward.reroute(room, streams, &self.roles),
            Maker::Mix(mixer) => mixer.reroute(now, room, streams, &self.roles, outbox),
        }
    }

    /// Takes a packet of the stream of this name.
    pub(crate) fn packet(&mut self, incoming: Incoming<'_>, name: &str, outbox: &mut Outbox) {
        let Incoming { packet, data, received } = incoming;
        match &mut self.maker {
            Maker::Mesh => {}
            Maker::Forward(_) => {
                self.made.packet(packet.ssrc(), received, |bytes| bytes.extend_from_slice(data));
            }
            Maker::Mix(mixer) => mixer.packet(&packet, name, received, &mut self.made),
        }
        self.pass_on(received, outbox);
    }

    /// When something is to be done without a packet.
    pub(crate) fn due(&self) -> Option<RunTime> {
        let mixer = match &self.maker {
            Maker::Mix(mixer) => mixer.due(),
            Maker::Mesh | Maker::Forward(_) => None,
        };
        let line = self.line.as_ref().and_then(Line::due);
        mixer.into_iter().chain(line).min()
    }

    /// Does what is due at an instant.
    pub(crate) fn on_due(&mut self, at: RunTime, outbox: &mut Outbox) {
        if let Maker::Mix(mixer) = &mut self.maker
            && mixer.due() == Some(at)
        {
            mixer.on_due(at, &mut self.made);
        }
        self.pass_on(at, outbox);
        while let Some(held) = self.line.as_mut().and_then(|line| line.pop(at)) {
            self.sent += outbox.pass(&held.data, held.received, self.maker.destinations(held.ssrc));
            if let Some(line) = &mut self.line {
                line.recycle(held.data);
            }
        }
    }

    /// Datagrams that went out.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Packets that were to be held back and found no room.
    pub(crate) fn not_held(&self) -> u64 {
        self.line.as_ref().map_or(0, Line::dropped)
    }

    pub(crate) fn mix_stats(&self) -> MixStats {
        match &self.maker {
            Maker::Mix(mixer) => mixer.stats(),
            Maker::Mesh | Maker::Forward(_) => MixStats::default(),
        }
    }

    /// Sends what was made, or holds it back.
    fn pass_on(&mut self, at: RunTime, outbox: &mut Outbox) {
        for (ssrc, received, packet) in self.made.iter() {
            match &mut self.line {
                Some(line) => line.push(at, ssrc, received, packet),
                None => self.sent += outbox.pass(packet, received, self.maker.destinations(ssrc)),
            }
        }
        self.made.clear();
    }
}

impl Maker {
    fn destinations(&self, ssrc: u32) -> &[SocketAddr] {
        match self {
            Self::Mesh => &[],
            Self::Forward(forward) => forward.destinations(ssrc),
            Self::Mix(mixer) => mixer.destinations(ssrc),
        }
    }
}
